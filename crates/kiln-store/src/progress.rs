//! How far long work is.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// What long work is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Points are read.
    #[default]
    Reading,
    /// Points are put in order.
    Merging,
    /// Points are summed up.
    Binning,
}

/// How far work on a layer is, shared with whoever shows it; and where it is told to stop.
#[derive(Debug, Default)]
pub struct Progress {
    stage: AtomicU8,
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// The stage, the points that it has done, and those that it has to do (0 if that is not known).
    pub fn snapshot(&self) -> (Stage, u64, u64) {
        let stage = match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Reading,
            1 => Stage::Merging,
            _ => Stage::Binning,
        };
        (stage, self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Tells the work to stop; it ends with [`Error::Cancelled`](kiln_core::Error::Cancelled), and nothing has changed.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the work is told to stop.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What says that the work is told to stop.
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
