//! How far an export is.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far an export is, shared with whoever shows it; and where it is told to stop.
#[derive(Debug, Default)]
pub struct Progress {
    tiles: AtomicU64,
    resumed: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Tiles or cells that are finished, and those of them that an earlier run had finished; steps that are done, and about how many
    /// there are in all.
    pub fn snapshot(&self) -> ([u64; 2], u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ([read(&self.tiles), read(&self.resumed)], read(&self.done), read(&self.total))
    }

    /// Tells the work to stop; it ends with [`Error::Cancelled`](crate::Error::Cancelled), and can be gone on with later.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// What says that the work is told to stop.
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

    /// About how many steps are left.
    pub(super) fn expect(&self, left: u64) {
        self.total.store(self.done.load(Ordering::Relaxed) + left, Ordering::Relaxed);
    }
}
