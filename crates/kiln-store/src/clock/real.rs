//! The clocks of the system.

pub(crate) use std::time::Instant;

/// The current time in Unix seconds.
pub(crate) fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
