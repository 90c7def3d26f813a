//! Progress of work on a layer.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// A stage of the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Points are read.
    #[default]
    Reading,
    /// Points are sorted and merged.
    Merging,
    /// Points are summed per cell.
    Binning,
}

/// The progress of work on a layer, shared between threads, and the flag that stops it.
#[derive(Debug, Default)]
pub struct Progress {
    stage: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// The stage, the number of points done in it, and their total (0 if unknown).
    pub fn snapshot(&self) -> (Stage, u64, u64) {
        let stage = match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Reading,
            1 => Stage::Merging,
            _ => Stage::Binning,
        };
        (stage, self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Stops the work, which then returns [`Error::Cancelled`](kiln_core::Error::Cancelled) without a change.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the work was stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// The flag that stops the work.
    pub(super) fn stopped(&self) -> &AtomicBool {
        &self.stopped
    }

    pub(super) fn enter(&self, stage: Stage, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, points: u64) {
        self.done.fetch_add(points, Ordering::Relaxed);
    }
}
