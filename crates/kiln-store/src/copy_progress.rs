//! Progress of copies between a store and a bucket.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kiln_core::error::{Error, Result};

/// The progress of a copy, shared between threads, and the flag that stops it.
#[derive(Debug, Default)]
pub struct CopyProgress {
    files: [AtomicU64; 2],
    bytes: [AtomicU64; 2],
    stopped: AtomicBool,
}

impl CopyProgress {
    /// The numbers of files that are done and of all.
    pub fn files(&self) -> [u64; 2] {
        self.files.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// The numbers of bytes that are done and of all.
    pub fn bytes(&self) -> [u64; 2] {
        self.bytes.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Stops the copy, which then returns [`Error::Cancelled`].
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the copy was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`Error::Cancelled`] if the copy was stopped.
    pub(super) fn check(&self) -> Result<()> {
        if self.is_stopped() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Adds files to the total.
    pub(super) fn expect(&self, files: u64, bytes: u64) {
        self.files[1].fetch_add(files, Ordering::Relaxed);
        self.bytes[1].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds bytes that are done.
    pub(super) fn advance(&self, bytes: u64) {
        self.bytes[0].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds a file that is done.
    pub(super) fn done(&self) {
        self.files[0].fetch_add(1, Ordering::Relaxed);
    }
}
