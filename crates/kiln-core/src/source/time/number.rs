//! Times as numbers: years, dates in digits, and Unix times whose unit is inferred from the magnitude.

use std::ops::Range;

use super::iso::{DAY_US, clock_us, date_days};

/// The plausible range of Unix times: 1971-01-01 to the end of 2100. The ranges of the four units are disjoint.
const PLAUSIBLE_US: Range<i64> = 31_536_000_000_000..4_133_980_800_000_000;

/// The multipliers and divisors from seconds, milliseconds, microseconds and nanoseconds to microseconds.
pub(super) const UNITS: [(i64, i64); 4] = [(1_000_000, 1), (1000, 1), (1, 1), (1, 1000)];

/// Converts an integer: a year, `YYYYMMDD` with or without `HHMM`, `HHMMSS` or `HHMMSSmmm`, or a Unix time. Ten digits
/// are `YYYYMMDDHH` if `ten_digits_are_dates`, otherwise Unix seconds.
pub(super) fn integer_us(value: i64, ten_digits_are_dates: bool) -> Option<i64> {
    let date_us = match value {
        1971..=2100 => compact_us(value * 10_000_000_000 + 101_000_000),
        // Markers of an open end or of a missing value.
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

/// Converts a fractional number of Unix seconds, milliseconds, microseconds or nanoseconds.
pub(super) fn decimal_us(value: f64) -> Option<i64> {
    let mut times =
        UNITS.iter().map(|&(multiplier, divisor)| (value * multiplier as f64 / divisor as f64).round() as i64);
    times.find(|us| PLAUSIBLE_US.contains(us))
}

/// Converts ten digits `YYYYMMDDHH` in a year from 1971 to 2100.
pub(super) fn date_hour_us(value: i64) -> Option<i64> {
    (1_971_010_100..=2_100_123_123).contains(&value).then(|| compact_us(value * 10_000))?
}

/// Converts an integer of a unit to microseconds, rounded down.
pub(super) fn scaled_us(value: i64, multiplier: i64, divisor: i64) -> Option<i64> {
    Some(value.checked_mul(multiplier)?.div_euclid(divisor))
}

/// Converts `YYYYMMDDHHMMSS`.
fn compact_us(value: i64) -> Option<i64> {
    let (date, time) = (value / 1_000_000, value % 1_000_000);
    let days = date_days(date / 10_000, date / 100 % 100, date % 100)?;
    Some(days * DAY_US + clock_us(time / 10_000, time / 100 % 100, time % 100, 0)?)
}

/// Converts Unix seconds, milliseconds, microseconds or nanoseconds to microseconds since 1970-01-01 UTC.
///
/// The unit is inferred from the magnitude: seconds below 10¹¹ (the year 5138), milliseconds below 10¹⁴, microseconds
/// below 10¹⁷, otherwise nanoseconds. `None` if the number does not fit in an `i64` or is not finite.
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

/// [`from_unix_number`] of an integer, which is always valid. Nanoseconds are rounded down to microseconds.
pub fn from_unix_integer(value: i64) -> i64 {
    match value.unsigned_abs() {
        magnitude if magnitude < 100_000_000_000 => value * 1_000_000,
        magnitude if magnitude < 100_000_000_000_000 => value * 1000,
        magnitude if magnitude < 100_000_000_000_000_000 => value,
        _ => value.div_euclid(1000),
    }
}
