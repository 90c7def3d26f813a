//! The threads of a computation, and the flag that cancels it.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// The threads of a computation, and the flag that cancels it. A number of threads converts to workers without a flag.
#[derive(Clone, Copy, Debug)]
pub struct Workers<'a> {
    threads: usize,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Workers<'a> {
    /// Up to `threads` threads (0 counts as 1) until `stop` is set.
    pub fn new(threads: usize, stop: Option<&'a AtomicBool>) -> Self {
        Self { threads, stop }
    }

    /// The maximum number of threads.
    pub fn threads(self) -> usize {
        self.threads
    }

    /// Whether the flag is set. Loops over rows check it, and then return early with a partial result.
    pub fn are_stopped(self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Returns an error if the flag is set.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once the flag is set.
    pub fn check(self) -> Result<()> {
        if self.are_stopped() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

impl From<usize> for Workers<'_> {
    fn from(threads: usize) -> Self {
        Self::new(threads, None)
    }
}
