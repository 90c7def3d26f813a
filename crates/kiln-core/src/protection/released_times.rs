//! Parts of local time that released times determine.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Protection;
use crate::calendar::{TimePart, TimePartFilter};
use crate::error::{Error, Result};
use crate::parameter::Parameter;

const HOUR_S: i64 = 3600;
const DAY_S: i64 = 24 * HOUR_S;

/// Checks that released times, which are the starts of periods, have the same `part` of time in `zone` as the points:
/// whole periods make an hour of the day, or a day. `time_us` are the first and the last time.
///
/// # Errors
/// [`Error::Invalid`] for `parameter` if not.
pub fn check_released_times(
    protection: &Protection,
    part: TimePart,
    zone: &TimeZone,
    time_us: Option<[i64; 2]>,
    parameter: Parameter,
) -> Result<()> {
    let (unit_s, unit) = if part == TimePart::Hour { (HOUR_S, "1h") } else { (DAY_S, "1d") };
    let invalid = |message: String| Err(Error::invalid(parameter, message));
    let Some(period_us) = protection.period_us() else {
        return invalid(format!(
            "the layer's times are not released (min_count_period is all); the part {part} needs {unit} or less"
        ));
    };
    // The longest period whose multiples are the starts of all units: an offset of 5:30 h halves an hour.
    let offsets = time_us.map(|time_us| offsets_s(zone, time_us)).unwrap_or_default();
    let longest_s = offsets.into_iter().fold(unit_s, greatest_common_divisor);
    if longest_s.saturating_mul(1_000_000) % period_us == 0 {
        return Ok(());
    }
    let (period, longest) = (span(period_us), span(longest_s * 1_000_000));
    let hint =
        if period_us < longest_s * 1_000_000 { format!(", such as {longest}, that divides it") } else { String::new() };
    invalid(format!(
        "the layer's times are released per {period} (min_count_period); the part {part} needs {longest} or less{hint}"
    ))
}

/// Checks that released times determine which points a filter matches.
///
/// # Errors
/// [`Error::Invalid`] for the parameter of the filter if not.
pub(super) fn check_filter(protection: &Protection, filter: &TimePartFilter, time_us: Option<[i64; 2]>) -> Result<()> {
    let parts = [
        (filter.hours.is_some(), TimePart::Hour, Parameter::HOURS),
        (filter.weekdays.is_some(), TimePart::Weekday, Parameter::WEEKDAYS),
        (filter.months.is_some(), TimePart::Month, Parameter::MONTHS),
    ];
    let mut given = parts.into_iter().filter(|(is_given, ..)| *is_given);
    given.try_for_each(|(_, part, parameter)| check_released_times(protection, part, &filter.zone, time_us, parameter))
}

/// The offsets of a time zone from UTC in seconds between two times.
fn offsets_s(zone: &TimeZone, [first_us, last_us]: [i64; 2]) -> Vec<i64> {
    let of = |time_us: i64| Timestamp::from_microsecond(time_us).ok();
    let (Some(first), Some(last)) = (of(first_us), of(last_us)) else { return Vec::new() };
    let later = zone.following(first).take_while(|transition| transition.timestamp() <= last);
    let later = later.map(|transition| transition.offset());
    std::iter::once(zone.to_offset(first)).chain(later).map(|offset| i64::from(offset.seconds())).collect()
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a.abs() } else { greatest_common_divisor(b, a % b) }
}

/// The text of a length of time.
fn span(length_us: i64) -> String {
    let units = [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")];
    let unit = units.iter().find(|(unit_us, _)| length_us % unit_us == 0);
    unit.map_or_else(|| format!("{length_us}us"), |(unit_us, name)| format!("{}{name}", length_us / unit_us))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::calendar::find_zone;

    #[test]
    fn parts_of_time_need_released_times_of_whole_parts() {
        let check = |period_s: Option<i64>, part: TimePart, zone: &str| {
            let period_us = period_s.map(|period_s| period_s * 1_000_000);
            let protection = Protection::new(5).unwrap().with_period(period_us).unwrap();
            // The first two weeks of April 2024.
            let time_us = Some([1_711_929_600_000_000, 1_713_052_800_000_000]);
            let zone = find_zone(zone).unwrap();
            check_released_times(&protection, part, &zone, time_us, Parameter::PROFILE)
                .map_err(|error| error.to_string())
        };
        let (hour, day) = (TimePart::Hour, TimePart::Weekday);
        for (period_s, part, zone) in [
            (3600, hour, "Europe/Paris"),
            (1800, hour, "UTC"),
            (1800, hour, "Asia/Kolkata"),
            (900, hour, "Asia/Kathmandu"),
            (86_400, day, "UTC"),
            (7200, day, "Europe/Paris"),
        ] {
            assert_eq!(check(Some(period_s), part, zone), Ok(()), "{period_s} {zone}");
        }
        for (period_s, part, zone, words) in [
            (Some(86_400), hour, "UTC", "released per 1d (min_count_period); the part hour needs 1h or less"),
            (Some(7200), hour, "UTC", "released per 2h"),
            (
                Some(2700),
                hour,
                "UTC",
                "released per 45m (min_count_period); the part hour needs 1h or less, such as 1h, that",
            ),
            (Some(3600), hour, "Asia/Kolkata", "the part hour needs 30m or less"),
            // Lord Howe changes from 11 h to 10:30 h on 7 April.
            (Some(3600), hour, "Australia/Lord_Howe", "the part hour needs 30m or less"),
            (
                Some(86_400),
                day,
                "America/New_York",
                "released per 1d (min_count_period); the part weekday needs 4h or less",
            ),
            (None, hour, "UTC", "min_count_period is all"),
        ] {
            let message = check(period_s, part, zone).unwrap_err();
            assert!(message.starts_with("profile: ") && message.contains(words), "{message}");
        }
    }
}
