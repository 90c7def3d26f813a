//! Numbers that are times: years, dates in digits, and Unix times whose unit follows from their magnitude.

use std::ops::Range;

use super::iso::{DAY_US, clock_us, date_days};

/// What a Unix time may mean: 1971-01-01 to the end of 2100. The ranges of the four units do not meet.
const PLAUSIBLE_US: Range<i64> = 31_536_000_000_000..4_133_980_800_000_000;

/// A multiplier and a divisor from a unit of Unix times to microseconds: seconds, milliseconds, microseconds, nanoseconds.
pub(super) const UNITS: [(i64, i64); 4] = [(1_000_000, 1), (1000, 1), (1, 1), (1, 1000)];

/// The time that an integer means: a year, `YYYYMMDD` with or without `HHMM`, `HHMMSS` or `HHMMSSmmm`, or a Unix time.
/// Ten digits are `YYYYMMDDHH` or Unix seconds, as `ten_digits_are_dates` says.
pub(super) fn integer_us(value: i64, ten_digits_are_dates: bool) -> Option<i64> {
    let date_us = match value {
        1971..=2100 => compact_us(value * 10_000_000_000 + 101_000_000),
        // What stands for no end, or for no value.
        99_991_231 | 99_999_999 | 99_991_231_000_000..=99_991_231_235_959 | 99_999_999_999_999 => return None,
        10_000_101..=99_991_230 => compact_us(value * 1_000_000),
        1_000_000_000..=9_999_999_999 if ten_digits_are_dates => return date_hour_us(value),
        // As milliseconds all of these would be in 1976.
        197_101_010_000..=210_012_312_359 => return compact_us(value * 100),
        10_000_101_000_000..=99_991_230_235_959 => compact_us(value),
        10_000_101_000_000_000..=31_001_231_235_959_999 => compact_us(value / 1000).map(|us| us + value % 1000 * 1000),
        _ => None,
    };
    date_us.or_else(|| {
        let mut times = UNITS.iter().filter_map(|(multiplier, divisor)| scaled_us(value, *multiplier, *divisor));
        times.find(|us| PLAUSIBLE_US.contains(us))
    })
}

/// The time of a number of Unix seconds, milliseconds, microseconds or nanoseconds that is not an integer.
pub(super) fn decimal_us(value: f64) -> Option<i64> {
    let mut times =
        UNITS.iter().map(|&(multiplier, divisor)| (value * multiplier as f64 / divisor as f64).round() as i64);
    times.find(|us| PLAUSIBLE_US.contains(us))
}

/// The time of ten digits that are `YYYYMMDDHH`, in a year from 1971 to 2100.
pub(super) fn date_hour_us(value: i64) -> Option<i64> {
    (1_971_010_100..=2_100_123_123).contains(&value).then(|| compact_us(value * 10_000))?
}

/// An integer of a unit in microseconds, cut off towards the past.
pub(super) fn scaled_us(value: i64, multiplier: i64, divisor: i64) -> Option<i64> {
    Some(value.checked_mul(multiplier)?.div_euclid(divisor))
}

/// The time of `YYYYMMDDHHMMSS`.
fn compact_us(value: i64) -> Option<i64> {
    let (date, time) = (value / 1_000_000, value % 1_000_000);
    let days = date_days(date / 10_000, date / 100 % 100, date % 100)?;
    Some(days * DAY_US + clock_us(time / 10_000, time / 100 % 100, time % 100, 0)?)
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
