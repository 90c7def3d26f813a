//! Calendar arithmetic, and a fast parser for the common form of ISO 8601 times.

/// Microseconds per day.
pub(super) const DAY_US: i64 = 86_400_000_000;

/// Parses the most common form: `2024-01-31T12:00:00`, optionally with a fraction, and `Z`, `±00:00` or no zone.
pub(super) fn iso_time_us(text: &[u8]) -> Option<i64> {
    let (date, time) = text.split_first_chunk::<10>()?;
    let [year_1, year_2, year_3, year_4, b'-', month_1, month_2, b'-', day_1, day_2] = *date else { return None };
    let year = two_digits(year_1, year_2)? * 100 + two_digits(year_3, year_4)?;
    let midnight_us = date_days(year, two_digits(month_1, month_2)?, two_digits(day_1, day_2)?)? * DAY_US;
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

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') as i64 * 10 + (ones - b'0') as i64)
}

/// Parses the digits of a fraction of a second as microseconds, truncated after the sixth. Returns the rest of the
/// text, too.
pub(super) fn fraction_us(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let digit = |i: usize| digits.get(i).map_or(0, |digit| (digit - b'0') as i64);
    (count > 0).then(|| ((0..6).fold(0, |us, i| us * 10 + digit(i)), rest))
}

/// Microseconds from midnight to a time of day. 24:00 is the end of the day, and a leap second repeats the previous
/// second.
pub(super) fn clock_us(hour: i64, minute: i64, second: i64, fraction_us: i64) -> Option<i64> {
    let us = ((hour * 60 + minute) * 60 + second.min(59)) * 1_000_000 + fraction_us;
    (hour <= 24 && minute <= 59 && second <= 60 && us <= DAY_US).then_some(us)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` if the date is invalid.
pub(super) fn date_days(year: i64, month: i64, day: i64) -> Option<i64> {
    ((1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day))
        .then(|| days_since_1970(year, month, day))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + is_leap as i64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Years are shifted to start in March, so that the leap day is the last day of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + leap_days + day_of_year - 719_468
}
