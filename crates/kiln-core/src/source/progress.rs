//! How far a scan is.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far a scan is, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    total_bytes: AtomicU64,
    done_bytes: AtomicU64,
    points: AtomicU64,
}

impl Progress {
    /// Announces `bytes` more to read.
    pub fn expect_bytes(&self, bytes: u64) {
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Reports `bytes` more read, which held `points` more points.
    pub fn advance(&self, bytes: u64, points: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.points.fetch_add(points, Ordering::Relaxed);
    }

    /// Bytes to read in all, bytes read, points read.
    pub fn snapshot(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.total_bytes), read(&self.done_bytes), read(&self.points))
    }
}
