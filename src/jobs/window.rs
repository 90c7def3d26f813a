//! The time window of a job's points.

use jiff::Timestamp;

/// The time window of the points in a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// All times.
    #[default]
    All,
    /// A number of seconds before the due time.
    LastSeconds(u64),
    /// From a start (inclusive) to an end (exclusive), in microseconds since 1970; `None`: no limit.
    Between(Option<i64>, Option<i64>),
}

impl Window {
    /// The start (inclusive) and end (exclusive) for a picture that is due at `due`, in microseconds since 1970.
    pub fn at(&self, due: Timestamp) -> (Option<i64>, Option<i64>) {
        match *self {
            Self::All => (None, None),
            Self::LastSeconds(seconds) => {
                let end_us = due.as_microsecond();
                let length_us = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                (Some(end_us.saturating_sub(length_us)), Some(end_us))
            }
            Self::Between(start_us, end_us) => (start_us, end_us),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_seconds_ends_at_the_due_time() {
        let due = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(Window::LastSeconds(60).at(due), (Some(999_940_000_000), Some(1_000_000_000_000)));
        assert_eq!(Window::All.at(due), (None, None));
        assert_eq!(Window::Between(None, Some(7)).at(due), (None, Some(7)));
        assert_eq!(Window::LastSeconds(u64::MAX).at(due).0, Some(1_000_000_000_000 - i64::MAX));
    }
}
