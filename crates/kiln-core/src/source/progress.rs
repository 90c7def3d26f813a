//! The progress of a scan.

use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of a scan, shared between the scan and its observers.
#[derive(Debug, Default)]
pub struct Progress {
    total_bytes: AtomicU64,
    done_bytes: AtomicU64,
    points: AtomicU64,
}

impl Progress {
    /// Adds `bytes` to the total number of bytes to read.
    pub fn expect_bytes(&self, bytes: u64) {
        self.total_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to the numbers of bytes and points read.
    pub fn advance(&self, bytes: u64, points: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.points.fetch_add(points, Ordering::Relaxed);
    }

    /// The total number of bytes to read, the number of bytes read, and the number of points read.
    pub fn snapshot(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.total_bytes), read(&self.done_bytes), read(&self.points))
    }
}
