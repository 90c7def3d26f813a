//! Explicit formats of columns of times.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};

use super::iso::DAY_US;
use super::number::{UNITS, scaled_us};
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The format of a column of times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimeFormat {
    /// Any common format, detected per value.
    #[default]
    Auto,
    /// A `strftime` pattern with the directives of [`jiff::fmt::strtime`]: `%d/%m/%Y %H:%M`. Without a zone, times are
    /// in UTC; without a day or month, it is the first.
    Pattern(String),
    /// Serial days of a spreadsheet in the 1900 date system, from 61 (1900-03-01): 45413.5 is 2024-05-01T12:00:00Z.
    /// Rounded to milliseconds.
    Excel,
    /// Seconds since 1970-01-01 UTC.
    UnixSeconds,
    /// Milliseconds since 1970-01-01 UTC.
    UnixMillis,
    /// Microseconds since 1970-01-01 UTC.
    UnixMicros,
    /// Nanoseconds since 1970-01-01 UTC.
    UnixNanos,
}

impl TimeFormat {
    const NAMES: [(&str, Self); 6] = [
        ("auto", Self::Auto),
        ("excel", Self::Excel),
        ("unix-s", Self::UnixSeconds),
        ("unix-ms", Self::UnixMillis),
        ("unix-us", Self::UnixMicros),
        ("unix-ns", Self::UnixNanos),
    ];

    /// Converts a number in this format, which must not be [`Auto`](Self::Auto). A pattern is applied to its digits.
    pub(super) fn number_us(&self, value: f64) -> Option<i64> {
        match (self, self.unit()) {
            (Self::Pattern(pattern), _) => pattern_us(pattern, &value.to_string()),
            (_, Some((multiplier, divisor))) => {
                in_calendar((value * multiplier as f64 / divisor as f64).round() as i64)
            }
            _ => (61.0..2_958_466.0).contains(&value).then(|| excel_us(value - 25_569.0)),
        }
    }

    /// [`number_us`](Self::number_us) of an integer.
    pub(super) fn integer_us(&self, value: i64) -> Option<i64> {
        match (self, self.unit()) {
            (Self::Pattern(pattern), _) => pattern_us(pattern, &value.to_string()),
            (_, Some((multiplier, divisor))) => in_calendar(scaled_us(value, multiplier, divisor)?),
            _ => self.number_us(value as f64),
        }
    }

    fn unit(&self) -> Option<(i64, i64)> {
        match self {
            Self::Auto | Self::Pattern(_) | Self::Excel => None,
            Self::UnixSeconds => Some(UNITS[0]),
            Self::UnixMillis => Some(UNITS[1]),
            Self::UnixMicros => Some(UNITS[2]),
            Self::UnixNanos => Some(UNITS[3]),
        }
    }
}

impl FromStr for TimeFormat {
    type Err = Error;

    /// Reads `auto`, `excel`, `unix-s`, `unix-ms`, `unix-us`, `unix-ns`, or a pattern with `%` directives.
    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, format)) = Self::NAMES.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim())) {
            return Ok(format);
        }
        // A pattern is valid if it can parse what it formats.
        let example = jiff::civil::date(2024, 10, 31).at(23, 58, 59, 0).to_zoned(TimeZone::UTC);
        match example.and_then(|example| strtime::format(text, &example)) {
            Ok(example) if pattern_us(text, &example).is_some() => Ok(Self::Pattern(text.to_owned())),
            _ => Err(Error::invalid(
                Parameter::TIME_FORMAT,
                format!(
                    "`{text}` is neither auto, excel, unix-s, unix-ms, unix-us or unix-ns nor a date pattern such as \
                     %d/%m/%Y %H:%M"
                ),
            )),
        }
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(pattern) => f.pad(pattern),
            _ => f.pad(Self::NAMES.iter().find(|(_, format)| format == self).map_or("", |(name, _)| name)),
        }
    }
}

/// Converts days to microseconds, rounded to milliseconds, the precision of spreadsheets.
pub(super) fn excel_us(days: f64) -> i64 {
    (days * (DAY_US / 1000) as f64).round() as i64 * 1000
}

/// Parses a text with a pattern.
pub(super) fn pattern_us(pattern: &str, text: &str) -> Option<i64> {
    let mut time = BrokenDownTime::parse(pattern, text).ok()?;
    if time.year().is_some() && time.day().is_none() && time.to_date().is_err() {
        time.set_day(Some(1)).ok()?;
        time.set_month(time.month().or(Some(1))).ok()?;
    }
    if time.iana_time_zone().is_none() && time.offset().is_none() {
        time.set_offset(Some(Offset::UTC));
    }
    Some(timestamp_us(time.to_zoned().ok()?.timestamp()))
}

fn in_calendar(us: i64) -> Option<i64> {
    Timestamp::from_microsecond(us).ok().map(|_| us)
}

/// Microseconds since 1970-01-01 UTC, rounded down.
pub(super) fn timestamp_us(time: Timestamp) -> i64 {
    time.as_nanosecond().div_euclid(1000) as i64
}
