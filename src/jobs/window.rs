//! Which times a picture shows.

use jiff::Timestamp;

/// Which points a picture shows, by their times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// All of them, whenever they are from.
    #[default]
    All,
    /// The last so many seconds before the picture is due.
    LastSeconds(u64),
    /// From a start on and before an end, in microseconds since 1970; either may be open.
    Between(Option<i64>, Option<i64>),
}

impl Window {
    /// Its start, and its end, which is no longer in it, for a picture that is due at `due`; in microseconds since 1970.
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
    fn a_window_ends_when_the_picture_is_due() {
        let due = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(Window::LastSeconds(60).at(due), (Some(999_940_000_000), Some(1_000_000_000_000)));
        assert_eq!(Window::All.at(due), (None, None));
        assert_eq!(Window::Between(None, Some(7)).at(due), (None, Some(7)));
        assert_eq!(Window::LastSeconds(u64::MAX).at(due).0, Some(1_000_000_000_000 - i64::MAX));
    }
}
