//! A bound of a time range in the text of a user.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, civil};

use crate::parameter::Message;
use crate::parameters::{Kind, Value, time_text};
use crate::source::{parse_time_us, time};

/// A bound of a time range: an instant, or a local time whose zone is known later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeBound {
    /// Microseconds since 1970-01-01 UTC; of a local time, as if it were in UTC.
    us: i64,
    /// Whether the text has neither an offset from UTC nor a zone, and is not a Unix time.
    is_local: bool,
}

impl TimeBound {
    /// The bound in `text`; `None` if it is not a time.
    pub fn parse(text: &str) -> Option<Self> {
        let us = parse_time_us(text)?;
        Some(Self { us, is_local: !time::has_zone(text) })
    }

    /// The bound at an instant, in microseconds since 1970-01-01 UTC.
    pub fn at(us: i64) -> Self {
        Self { us, is_local: false }
    }

    /// The instant in microseconds since 1970-01-01 UTC. Local times are those of `zone`: of two equal local times, when
    /// clocks are set back, the earlier one; a local time that clocks skip is that many minutes later, as in RFC 5545.
    pub fn time_us(self, zone: &TimeZone) -> i64 {
        let local = self.is_local.then(|| self.civil()).flatten();
        let zoned = local.and_then(|local| local.to_zoned(zone.clone()).ok());
        zoned.map_or(self.us, |zoned| zoned.timestamp().as_microsecond())
    }

    /// The civil time in UTC.
    fn civil(self) -> Option<DateTime> {
        civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(SignedDuration::from_micros(self.us)).ok()
    }
}

impl fmt::Display for TimeBound {
    /// Writes a text from which the same bound is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = time_text(self.us);
        // Only times of the year 10000, which are local times of no zone, are written with another offset.
        f.write_str(if self.is_local { text.trim_end_matches('Z') } else { &text })
    }
}

impl Value for TimeBound {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        Self::parse(text).ok_or_else(|| format!("`{text}` is not {}", kind.accepts()).into())
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn utc(text: &str, zone: &str) -> String {
        time_text(TimeBound::parse(text).unwrap().time_us(&TimeZone::get(zone).unwrap()))
    }

    #[test]
    fn a_time_without_an_offset_is_a_local_time() {
        assert_eq!(utc("2024-01-01", "America/New_York"), "2024-01-01T05:00:00Z");
        assert_eq!(utc("2024-07-01T12:00", "America/New_York"), "2024-07-01T16:00:00Z");
        assert_eq!(utc("2024", "Asia/Kolkata"), "2023-12-31T18:30:00Z");
        assert_eq!(utc("2024-07-01T12:00", "UTC"), "2024-07-01T12:00:00Z");
        for instant in ["2024-07-01T12:00Z", "2024-07-01T14:00+02:00", "1719835200"] {
            assert_eq!(utc(instant, "America/New_York"), "2024-07-01T12:00:00Z", "{instant}");
        }
    }

    #[test]
    fn a_repeated_local_time_is_the_earlier_one_and_a_skipped_one_is_later() {
        // On 2024-03-10 clocks skip 2:00 to 3:00, on 2024-11-03 they repeat 1:00 to 2:00.
        assert_eq!(utc("2024-03-10T02:30", "America/New_York"), "2024-03-10T07:30:00Z");
        assert_eq!(utc("2024-03-10T03:30", "America/New_York"), "2024-03-10T07:30:00Z");
        assert_eq!(utc("2024-11-03T01:30", "America/New_York"), "2024-11-03T05:30:00Z");
    }

    #[test]
    fn a_written_bound_is_read_as_the_same_bound() {
        for text in ["2024-05-01", "2024-05-01T10:00:00.5Z", "0000-01-01", "9999-12-31T23:59:59", "-1.5", "99999999999"]
        {
            let bound = TimeBound::parse(text).unwrap();
            let written = TimeBound::parse(&bound.to_string()).unwrap();
            assert_eq!(written.us, bound.us, "{text}");
            assert!(written.is_local == bound.is_local || bound.us > 253_402_207_200_000_000, "{text}: {bound}");
        }
        assert!(TimeBound::parse("soon").is_none());
    }
}
