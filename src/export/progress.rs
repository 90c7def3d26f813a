//! The progress of an export.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The progress of an export and its stop flag, shared between the export and a progress bar.
#[derive(Debug, Default)]
pub struct Progress {
    tiles: AtomicU64,
    resumed: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Returns the number of finished tiles or cells and of those finished by an earlier run, then the number of
    /// finished steps and the estimated total number of steps.
    pub fn snapshot(&self) -> ([u64; 2], u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ([read(&self.tiles), read(&self.resumed)], read(&self.done), read(&self.total))
    }

    /// Stops the export: it returns [`Error::Cancelled`](crate::Error::Cancelled) and can be resumed later.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The stop flag.
    pub(super) fn stopped(&self) -> &AtomicBool {
        &self.stopped
    }

    pub(super) fn resume(&self, tiles: u64) {
        self.tiles.store(tiles, Ordering::Relaxed);
        self.resumed.store(tiles, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, tiles: u64, steps: u64) {
        self.tiles.fetch_add(tiles, Ordering::Relaxed);
        self.done.fetch_add(steps, Ordering::Relaxed);
    }

    /// Sets the estimated number of remaining steps.
    pub(super) fn expect(&self, remaining: u64) {
        self.total.store(self.done.load(Ordering::Relaxed) + remaining, Ordering::Relaxed);
    }
}
