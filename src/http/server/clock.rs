//! The system clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// The current Unix time in seconds.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
