//! A range of time.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::{from_str_values, time_text};
use crate::source::parse_time_us;

/// A range of time, written `START/END`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// The inclusive start, in microseconds since 1970-01-01 UTC.
    pub start_us: i64,
    /// The exclusive end, in microseconds since 1970-01-01 UTC.
    pub end_us: i64,
}

impl FromStr for TimeWindow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::invalid(Parameter::COMPARE, format!("`{text}` {reason}"));
        let (start, end) =
            text.split_once('/').ok_or_else(|| invalid("is not START/END, two times such as 2024-01-01/2024-01-08"))?;
        let time = |time: &str| {
            let reason = || format!("is not START/END: `{}` is not a time such as 2024-01-01", time.trim());
            parse_time_us(time).ok_or_else(|| invalid(&reason()))
        };
        let (start_us, end_us) = (time(start)?, time(end)?);
        if start_us >= end_us {
            return Err(invalid("does not start before its end"));
        }
        Ok(Self { start_us, end_us })
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", time_text(self.start_us), time_text(self.end_us))
    }
}

from_str_values!(TimeWindow);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_two_times_in_order() {
        let window: TimeWindow = "2024-01-01/2024-01-08T12:00:00Z".parse().unwrap();
        assert_eq!(window.to_string(), "2024-01-01T00:00:00Z/2024-01-08T12:00:00Z");
        for (bad, words) in [
            ("2024-01-01", "is not START/END"),
            ("2024-01-01/2024-02-30", "is not START/END: `2024-02-30` is not a time"),
            ("2024-01-08/2024-01-01", "does not start before its end"),
            ("2024/2024", "does not start before its end"),
        ] {
            assert!(bad.parse::<TimeWindow>().unwrap_err().to_string().contains(words), "{bad}");
        }
    }
}
