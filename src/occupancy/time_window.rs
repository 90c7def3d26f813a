//! A range of time.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::layer::TimeBound;
use crate::parameter::Parameter;
use crate::parameters::from_str_values;

/// A range of time, written `START/END`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// The inclusive start.
    pub start: TimeBound,
    /// The exclusive end.
    pub end: TimeBound,
}

impl TimeWindow {
    /// The range with instants in place of local times of `zone`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `compare` if the start is then not before the end.
    pub fn in_zone(self, zone: &TimeZone) -> Result<Self> {
        let [start_us, end_us] = [self.start, self.end].map(|time| time.time_us(zone));
        if start_us >= end_us {
            return Err(Error::invalid(Parameter::COMPARE, format!("`{self}` {NOT_IN_ORDER}")));
        }
        Ok(Self { start: TimeBound::at(start_us), end: TimeBound::at(end_us) })
    }

    /// The start and the end in microseconds since 1970-01-01 UTC; local times are in UTC.
    pub fn time_us(self) -> [i64; 2] {
        [self.start, self.end].map(|time| time.time_us(&TimeZone::UTC))
    }
}

const NOT_IN_ORDER: &str = "does not start before its end";

impl FromStr for TimeWindow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: &str| Error::invalid(Parameter::COMPARE, format!("`{text}` {reason}"));
        let (start, end) =
            text.split_once('/').ok_or_else(|| invalid("is not START/END, two times such as 2024-01-01/2024-01-08"))?;
        let time = |time: &str| {
            let reason = || format!("is not START/END: `{}` is not a time such as 2024-01-01", time.trim());
            TimeBound::parse(time).ok_or_else(|| invalid(&reason()))
        };
        let window = Self { start: time(start)?, end: time(end)? };
        let [start_us, end_us] = window.time_us();
        if start_us >= end_us { Err(invalid(NOT_IN_ORDER)) } else { Ok(window) }
    }
}

impl fmt::Display for TimeWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.start, self.end)
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
        assert_eq!(window.to_string(), "2024-01-01T00:00:00/2024-01-08T12:00:00Z");
        let window = window.in_zone(&TimeZone::get("America/New_York").unwrap()).unwrap();
        assert_eq!(window.to_string(), "2024-01-01T05:00:00Z/2024-01-08T12:00:00Z");
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
