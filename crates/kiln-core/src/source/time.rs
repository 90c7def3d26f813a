//! Times in text and numbers, as microseconds since 1970-01-01 UTC.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// How the times of a column are written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TimeFormat {
    /// Found out from each value.
    #[default]
    Auto,
}

impl std::str::FromStr for TimeFormat {
    type Err = crate::error::Error;

    fn from_str(_: &str) -> crate::error::Result<Self> {
        Ok(Self::Auto)
    }
}

impl std::fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("auto")
    }
}

/// The time that `text` writes, in microseconds since 1970-01-01 UTC; `None` if it is none.
///
/// ISO 8601 and RFC 3339 are read (`2024-01-31T12:00:00Z`, with an offset, with a space for the `T`, with fractions of
/// a second, a date alone; UTC where there is no offset). Of bare numbers, four digits from 1000 to 9999 are a year
/// (`2024` is 2024-01-01T00:00:00Z) and eight digits that are a date are that date (`20240131`); all others are Unix times
/// in seconds, milliseconds or microseconds, told apart by their magnitude.
///
/// So are the texts of an input read, the fields of a CSV among them. A number of JSON or Parquet is a Unix time always.
pub fn parse_time_us(text: &str) -> Option<i64> {
    let text = text.trim();
    usual_time_us(text.as_bytes()).or_else(|| any_time_us(text))
}

/// The time that a number of Unix seconds, milliseconds, microseconds or nanoseconds means, in microseconds since
/// 1970-01-01 UTC.
///
/// The unit follows from the magnitude: below 10¹¹ (the year 5138) seconds, below 10¹⁴ milliseconds, below 10¹⁷
/// microseconds, beyond that nanoseconds. `None` if that is more than an `i64` holds, or not finite.
pub fn from_unix_number(value: f64) -> Option<i64> {
    let us = match value.abs() {
        magnitude if magnitude < 1e11 => value * 1e6,
        magnitude if magnitude < 1e14 => value * 1e3,
        magnitude if magnitude < 1e17 => value,
        magnitude if magnitude < i64::MAX as f64 => value / 1e3,
        _ => return None,
    };
    Some(us.round() as i64)
}

/// The same of an integer, which always means one. What is finer than a microsecond is cut off towards the past.
pub fn from_unix_integer(value: i64) -> i64 {
    match value.unsigned_abs() {
        magnitude if magnitude < 100_000_000_000 => value * 1_000_000,
        magnitude if magnitude < 100_000_000_000_000 => value * 1000,
        magnitude if magnitude < 100_000_000_000_000_000 => value,
        _ => value.div_euclid(1000),
    }
}

/// The shape that nearly all times have: `2024-01-31T12:00:00`, maybe with a fraction, then nothing, `Z` or `±00:00`.
fn usual_time_us(text: &[u8]) -> Option<i64> {
    let (date, time) = text.split_first_chunk::<10>()?;
    let [year_1, year_2, year_3, year_4, b'-', month_1, month_2, b'-', day_1, day_2] = *date else { return None };
    let year = two_digits(year_1, year_2)? * 100 + two_digits(year_3, year_4)?;
    let (month, day) = (two_digits(month_1, month_2)?, two_digits(day_1, day_2)?);
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let midnight_us = days_since_1970(year, month, day) * 86_400_000_000;
    if time.is_empty() {
        return Some(midnight_us);
    }
    let (clock, rest) = time.split_first_chunk::<9>()?;
    let [b'T' | b't' | b' ', hour_1, hour_2, b':', minute_1, minute_2, b':', second_1, second_2] = *clock else {
        return None;
    };
    let (hour, minute) = (two_digits(hour_1, hour_2)?, two_digits(minute_1, minute_2)?);
    let second = two_digits(second_1, second_2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction_us, zone) = match rest {
        [b'.', digits @ ..] => fraction_us(digits)?,
        _ => (0, rest),
    };
    let offset_minutes = match *zone {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), hour_1, hour_2, b':', minute_1, minute_2] => {
            let (hours, minutes) = (two_digits(hour_1, hour_2)?, two_digits(minute_1, minute_2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
    Some(midnight_us + seconds * 1_000_000 + fraction_us)
}

/// Every other way to write a time.
fn any_time_us(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let date = match text.len() {
            4 if !text.starts_with('0') => Date::new(text.parse().ok()?, 1, 1).ok(),
            8 => text.parse().ok(),
            _ => None,
        };
        if let Some(date) = date {
            return utc_us(date.into());
        }
    }
    if let Ok(number) = fast_float2::parse(text) {
        return from_unix_number(number);
    }
    let timestamp = text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond);
    timestamp.or_else(|| utc_us(text.parse().ok()?))
}

fn utc_us(time: DateTime) -> Option<i64> {
    Some(TimeZone::UTC.to_timestamp(time).ok()?.as_microsecond())
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') as i64 * 10 + (ones - b'0') as i64)
}

/// The digits of a fraction of a second, at most nine, as microseconds, and what follows them.
fn fraction_us(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let digit = |i: usize| digits.get(i).map_or(0, |digit| (digit - b'0') as i64);
    (1..=9).contains(&count).then(|| ((0..6).fold(0, |us, i| us * 10 + digit(i)), rest))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + is_leap as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Years are taken to begin in March, so that a leap day is
/// the last of its year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON_US: i64 = 1_706_702_400_000_000;

    #[test]
    fn every_usual_way_to_write_a_time_is_read() {
        for text in [
            "2024-01-31T12:00:00Z",
            "2024-01-31t12:00:00z",
            "2024-01-31 12:00:00",
            " 2024-01-31T12:00:00 ",
            "2024-01-31T12:00:00.000Z",
            "2024-01-31T13:30:00+01:30",
            "2024-01-31T04:00:00-08:00",
            "2024-01-31T04:00:00-08",
            "2024-01-31T13:30:00+0130",
            "2024-01-31 12:00",
            "20240131T120000Z",
            "1706702400",
            "1706702400.0",
            "1706702400000",
            "1706702400000000",
            "1706702400000000000",
        ] {
            assert_eq!(parse_time_us(text), Some(NOON_US), "{text}");
        }
    }

    #[test]
    fn dates_alone_begin_at_midnight_utc_and_fractions_count() {
        assert_eq!(parse_time_us("2024-01-31"), Some(NOON_US - 43_200_000_000));
        assert_eq!(parse_time_us("20240131"), Some(NOON_US - 43_200_000_000));
        assert_eq!(parse_time_us("2024-01-31T12:00:00.25"), Some(NOON_US + 250_000));
        assert_eq!(parse_time_us("2024-01-31T12:00:00.123456789Z"), Some(NOON_US + 123_456));
        assert_eq!(parse_time_us("1706702400.5"), Some(NOON_US + 500_000));
        assert_eq!(parse_time_us("1969-12-31T23:59:59.999999Z"), Some(-1));
        assert_eq!(parse_time_us("-1"), Some(-1_000_000));
        assert_eq!(parse_time_us("2024-02-29"), Some(NOON_US + 28 * 86_400_000_000 + 43_200_000_000));
    }

    #[test]
    fn four_digits_are_a_year_and_other_bare_numbers_are_unix_times() {
        let year_us = |year| days_since_1970(year, 1, 1) * 86_400_000_000;
        for (text, year) in [("2024", 2024), ("1000", 1000), ("9999", 9999), (" 1970 ", 1970)] {
            assert_eq!(parse_time_us(text), Some(year_us(year)), "{text}");
        }
        for (text, seconds) in [("999", 999), ("0999", 999), ("10000", 10_000), ("2024.0", 2024), ("-2024", -2024)] {
            assert_eq!(parse_time_us(text), Some(seconds * 1_000_000), "{text}");
        }
        // No date, so it is a number.
        assert_eq!(parse_time_us("20241301"), Some(20_241_301_000_000));
        assert_eq!(from_unix_number(2024.0), Some(2_024_000_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2023-02-29", "2024-13-01", "2024-01-31T25:00:00Z", "2024-01-31T12:60:00", "nan"]
        {
            assert_eq!(parse_time_us(text), None, "{text}");
        }
        assert_eq!(from_unix_number(f64::INFINITY), None);
        assert_eq!(from_unix_number(1e19), None);
    }

    #[test]
    fn integers_mean_what_other_numbers_do() {
        let powers = (0..=18).map(|power| 10i64.pow(power));
        // Those that a float holds exactly.
        let less_one = (1..=15).map(|power| 10i64.pow(power) - 1);
        let magnitudes: Vec<i64> = powers.chain(less_one).chain([i64::MAX]).collect();
        for integer in magnitudes.into_iter().flat_map(|magnitude| [magnitude, -magnitude]) {
            let us = from_unix_integer(integer);
            match from_unix_number(integer as f64) {
                // Beyond 2^53 a float is that far off.
                Some(number) => assert!((us - number).abs() <= 16, "{integer}: {us} {number}"),
                None => assert_eq!(integer.abs(), i64::MAX),
            }
        }
        assert_eq!(from_unix_integer(-1_706_702_400_000_000_001), -1_706_702_400_000_001);
    }

    proptest! {
        #[test]
        fn the_usual_shape_means_what_the_general_reader_says(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,6})?(Z|[+-][01][0-9]:[0-5][0-9])?"
        ) {
            if let Some(usual) = usual_time_us(text.as_bytes()) {
                prop_assert_eq!(Some(usual), any_time_us(&text));
            }
        }
    }
}
