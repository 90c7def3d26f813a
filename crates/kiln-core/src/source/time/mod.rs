//! Parsing of times in text and numbers, as microseconds since 1970-01-01 UTC.
//!
//! A [`TimeSample`] examines values of a column to determine what a single value cannot show: the order of day and
//! month in `05/01/2024`, and whether ten digits are a date with an hour. It returns the [`TimeReader`] for the column.
//! Ambiguous values are not guessed: they are an error that names the parameters that resolve it.
//!
//! | format | interpretation |
//! |---|---|
//! | `2024-05-01`, `2024-5-1 3:05`, `2024-05-01T15:15:00.25+02:00`, `2024-05`, `2024/05/01`, `2024.05.01` | ISO 8601 and similar formats |
//! | `2024-05-01T15:15[Europe/Berlin]` | RFC 9557 |
//! | `1.5.2024` | day first |
//! | `05/01/2024 03:15 PM`, `01-05-24` | day or month first, by [`TimeSample`]; two-digit years are 1970 to 2069 |
//! | `1 May 2024`, `02-Jun-2024`, `Jul 3, 2024`, `May 2024` | English month names |
//! | `Wed, 01 May 2024 15:15:00 GMT`, `Wed May  1 15:15:00 +0000 2024` | RFC 2822, ctime |
//! | `2024`, `20240501`, `2024050115`, `202405011515`, `20240501151500`, `20240501T1515Z` | dates in digits |
//! | `1714576500`, `1714576500.25`, `1714576500000` | Unix seconds, milliseconds, microseconds or nanoseconds from 1971 to 2100 |
//!
//! A time without a zone is in UTC. Fractions of a microsecond are truncated.

mod format;
mod iso;
mod number;
#[cfg(test)]
mod tests;
mod text;
mod zone;

pub use format::TimeFormat;
pub use number::{from_unix_integer, from_unix_number};
pub use zone::has_zone;

use std::fmt;

use jiff::Zoned;
use jiff::fmt::rfc2822;

use crate::message;
use crate::parameter::{Message, Parameter};
use format::{excel_us, pattern_us, timestamp_us};
use iso::{DAY_US, date_days, iso_time_us};
use text::{ParsedTime, time_of_day_us};

/// Parses a single time, in microseconds since 1970-01-01 UTC; `None` if it is invalid or ambiguous. A number that is
/// not a date is a Unix time of any year, as it is user input: see [`from_unix_number`].
pub fn parse_time_us(text: &str) -> Option<i64> {
    let text = text.trim();
    iso_time_us(text.as_bytes()).or_else(|| {
        // With 24-hour times, no order is assumed.
        let mut sample = TimeSample { has_24_hours: true, ..TimeSample::default() };
        sample.add(text);
        match sample.reader().parse(text) {
            Err(TimeError::NotInRange) => fast_float2::parse(text).ok().and_then(from_unix_number),
            time => time.ok()?,
        }
    })
}

/// Whether `text` is a time of day with a colon, AM or PM: `15:30`, `3 PM`.
pub fn is_time_of_day(text: &str) -> bool {
    text.contains([':', 'm', 'M']) && time_of_day_us(text.trim()).is_some()
}

/// The parser of a column of times. The default parses values that are unambiguous without a [`TimeSample`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeReader {
    format: TimeFormat,
    /// Whether the order with the day, month or year first is excluded.
    excluded: [bool; 3],
    ten_digits_are_dates: bool,
}

impl TimeReader {
    /// Parses a text, in microseconds since 1970-01-01 UTC; `None` if it is blank or a common marker of a missing
    /// value, such as `NA`, `null` or `-`.
    ///
    /// # Errors
    /// If it is not a time in the format of the column, or ambiguous.
    pub fn parse(&self, text: &str) -> Result<Option<i64>, TimeError> {
        let text = text.trim();
        let is_auto = self.format == TimeFormat::Auto;
        if is_auto && let Some(us) = iso_time_us(text.as_bytes()) {
            return Ok(Some(us));
        }
        if is_missing(text) {
            return Ok(None);
        }
        if let TimeFormat::Pattern(pattern) = &self.format {
            return pattern_us(pattern, text).map(Some).ok_or(TimeError::Format);
        }
        if let Ok(value) = text.parse() {
            let year_days = if is_auto && text.len() == 4 && value >= 1000 { date_days(value, 1, 1) } else { None };
            return year_days.map_or_else(|| self.integer(value), |days| Ok(days * DAY_US)).map(Some);
        }
        if let Ok(value) = fast_float2::parse(text) {
            return self.number(value);
        }
        match ParsedTime::parse(text) {
            _ if !is_auto => Err(TimeError::Format),
            Some(parsed) => Ok(Some(self.days(parsed.days)? * DAY_US + parsed.time_us)),
            None => uncommon_time_us(text).map(Some).ok_or(TimeError::NotATime),
        }
    }

    /// Converts a number; `None` if it is NaN.
    ///
    /// # Errors
    /// Those of [`integer`](Self::integer).
    pub fn number(&self, value: f64) -> Result<Option<i64>, TimeError> {
        let time = match &self.format {
            _ if value.is_nan() => return Ok(None),
            _ if value.fract() == 0.0 && value.abs() < i64::MAX as f64 => return self.integer(value as i64).map(Some),
            TimeFormat::Auto => number::decimal_us(value).ok_or(TimeError::NotInRange),
            format => format.number_us(value).ok_or(TimeError::Format),
        };
        time.map(Some)
    }

    /// Converts an integer. Four digits are a year from 1971 to 2100; in texts, they may be any year.
    ///
    /// # Errors
    /// If it is not a time in the format of the column; with [`TimeFormat::Auto`], if it is neither a date in digits
    /// nor a Unix time from 1971 to 2100.
    pub fn integer(&self, value: i64) -> Result<i64, TimeError> {
        match &self.format {
            TimeFormat::Auto => number::integer_us(value, self.ten_digits_are_dates).ok_or(TimeError::NotInRange),
            format => format.integer_us(value).ok_or(TimeError::Format),
        }
    }

    /// Combines a date and a time of day from two columns; `None` if the date is missing. The format of the column is
    /// that of the date. A time of day in the date column is used only if `time` is missing. With
    /// [`TimeFormat::Excel`], `time` may be a fraction of a day.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse) for the date, [`TimeError::NotATimeOfDay`] for the time of day.
    pub fn date_and_time(&self, date: &str, time: &str) -> Result<Option<i64>, TimeError> {
        let time = time.trim();
        let Some(date_us) = self.parse(date)? else { return Ok(None) };
        let time_us = match fast_float2::parse(time) {
            _ if is_missing(time) => return Ok(Some(date_us)),
            Ok(day) if self.format == TimeFormat::Excel && (0.0..1.0).contains(&day) => excel_us(day),
            _ => time_of_day_us(time).ok_or(TimeError::NotATimeOfDay)?,
        };
        Ok(Some(date_us.div_euclid(DAY_US) * DAY_US + time_us))
    }

    /// The date in the order of the column. If the order is undecided, all possible orders must have the same date.
    fn days(&self, days: [Option<i64>; 3]) -> Result<i64, TimeError> {
        let mut possible =
            days.into_iter().zip(self.excluded).filter_map(|(days, excluded)| days.filter(|_| !excluded));
        let first = possible.next().ok_or(TimeError::DayOrMonth)?;
        if possible.all(|other| other == first) { Ok(first) } else { Err(TimeError::DayOrMonth) }
    }
}

/// A sample of a column of times, which determines how the column is parsed. Values can be added until the
/// [`order`](Self::order) of day and month is decided.
#[derive(Clone, Debug, Default)]
pub struct TimeSample {
    format: TimeFormat,
    day_first: Option<bool>,
    /// See [`TimeReader`].
    excluded: [bool; 3],
    is_ambiguous: bool,
    has_24_hours: bool,
    ten_digits_are_dates: Option<bool>,
}

/// The order of day and month in the dates of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// Known, or not relevant to the values so far.
    Decided,
    /// No value shows the order; the month is assumed to be first because every time has AM or PM.
    AssumedMonthFirst,
    /// No value shows the order. Ambiguous dates are errors.
    Undecided,
    /// Some values have the day first, others the month. Ambiguous dates are errors.
    Contradictory,
}

impl TimeSample {
    /// An empty sample of a column with the given format, and the given order of day and month, if any.
    pub fn new(format: TimeFormat, day_first: Option<bool>) -> Self {
        Self { format, day_first, ..Self::default() }
    }

    /// Adds a value. Invalid values, and values that do not depend on the order, have no effect.
    pub fn add(&mut self, text: &str) {
        let text = text.trim();
        if self.format != TimeFormat::Auto || iso_time_us(text.as_bytes()).is_some() {
            return;
        }
        if let Ok(value) = fast_float2::parse::<f64, _>(text) {
            return self.add_integer(value as i64);
        }
        let Some(ParsedTime { days, has_meridiem, .. }) = ParsedTime::parse(text) else { return };
        if days != [days[0]; 3] {
            (0..3).for_each(|order| self.excluded[order] |= days[order].is_none());
            let mut dates = days.into_iter().flatten();
            let first = dates.next();
            self.is_ambiguous |= dates.any(|date| Some(date) != first);
            self.has_24_hours |= !has_meridiem;
        }
    }

    /// Adds an integer. Ten digits are dates with an hour if all ten-digit values are valid ones from 1971 to 2100.
    pub fn add_integer(&mut self, value: i64) {
        if (1_000_000_000..=9_999_999_999).contains(&value) {
            let others_are = self.ten_digits_are_dates.unwrap_or(true);
            self.ten_digits_are_dates = Some(others_are && number::date_hour_us(value).is_some());
        }
    }

    /// The order of day and month that the values so far show.
    pub fn order(&self) -> DateOrder {
        match self.excluded {
            _ if self.day_first.is_some() => DateOrder::Decided,
            [true, true, true] => DateOrder::Contradictory,
            [false, false, _] if self.is_ambiguous && !self.has_24_hours => DateOrder::AssumedMonthFirst,
            [false, false, _] | [false, _, false] | [_, false, false] if self.is_ambiguous => DateOrder::Undecided,
            _ => DateOrder::Decided,
        }
    }

    /// The reader for the column, based on the values so far.
    pub fn reader(&self) -> TimeReader {
        let excluded = match (self.day_first, self.order()) {
            (Some(day_first), _) => [!day_first, day_first, true],
            (_, DateOrder::Contradictory) => [false; 3],
            (_, DateOrder::AssumedMonthFirst) => [true, false, true],
            _ => self.excluded,
        };
        let ten_digits_are_dates = self.ten_digits_are_dates == Some(true);
        TimeReader { format: self.format.clone(), excluded, ten_digits_are_dates }
    }
}

/// The error of an invalid or ambiguous time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeError {
    /// The text is not a time.
    NotATime,
    /// The text in the column of times of day is not a time of day.
    NotATimeOfDay,
    /// The number is neither a date nor a Unix time from 1971 to 2100.
    NotInRange,
    /// The value does not match the format that is set for its column.
    Format,
    /// The order of day and month is unknown, or differs from that of the column.
    DayOrMonth,
}

impl TimeError {
    /// The message to append to the value: `is not a time such as …`.
    pub fn message(self) -> Message {
        let format = Parameter::TIME_FORMAT;
        match self {
            Self::NotATime => {
                message!("is not a time such as 2024-01-31T12:00:00Z or Unix seconds; set another format by ", format)
            }
            Self::NotATimeOfDay => "is not a time of day such as 15:30:00 or 3:30 PM".into(),
            Self::NotInRange => {
                let text =
                    "is neither a date such as 20240131 nor a Unix time from 1971 to 2100; set another format by ";
                message!(text, format)
            }
            Self::Format => message!("is not a time in the format set by ", format),
            Self::DayOrMonth => {
                message!("has day and month in an unknown order; set it by ", Parameter::DAY_FIRST, " or ", format)
            }
        }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message().fmt(f)
    }
}

impl std::error::Error for TimeError {}

/// Whether `text` is blank or a common marker of a missing time in databases and programs.
fn is_missing(text: &str) -> bool {
    let words = ["", "-", "--", "\\N", "NA", "N/A", "#N/A", "<NA>", "NaN", "NaT", "None", "null"];
    words.iter().any(|word| word.eq_ignore_ascii_case(text)) || text.starts_with("0000-00-00")
}

/// Parses times with a zone name in brackets, with a signed six-digit year, or in RFC 2822 with zones such as `EST`.
fn uncommon_time_us(text: &str) -> Option<i64> {
    let rfc2822 = rfc2822::DateTimeParser::new().relaxed_weekday(true);
    let zoned = text.parse().map(|zoned: Zoned| zoned.timestamp());
    zoned.or_else(|_| text.parse()).or_else(|_| rfc2822.parse_timestamp(text)).ok().map(timestamp_us)
}
