//! Profiles: values per hour of the week or the day.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Aggregates, OccupancyGrid, Quantity};
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::from_str_values;
use crate::protection::Protection;

/// The period of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// 168 hours, from Monday, 0 to 1 o'clock.
    HourOfWeek,
    /// 24 hours.
    HourOfDay,
}

impl ProfileKind {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["hour_of_week", "hour_of_day"];

    /// The number of values.
    pub fn hours(self) -> usize {
        match self {
            Self::HourOfWeek => 168,
            Self::HourOfDay => 24,
        }
    }
}

impl FromStr for ProfileKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "hour_of_week" => Ok(Self::HourOfWeek),
            "hour_of_day" => Ok(Self::HourOfDay),
            _ => {
                let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
                Err(Error::invalid(Parameter::PROFILE, message))
            }
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(ProfileKind);

/// The aggregates of the points of each hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile(Vec<Aggregates>);

impl Profile {
    /// Folds the groups of a grid by hour of the week. Points without a time are in no hour.
    pub fn of(kind: ProfileKind, grid: &OccupancyGrid) -> Self {
        let mut hours = vec![Aggregates::default(); kind.hours()];
        for group in &grid.groups {
            // The hour 0 is the first of Monday, so the hour of the day is the remainder.
            let hour = usize::try_from(group.key.period).ok().map(|hour| hour % kind.hours());
            if let Some(hour) = hour.and_then(|hour| hours.get_mut(hour)) {
                hour.add(&group.into());
            }
        }
        Self(hours)
    }

    /// The value of each hour; `None` if it has none.
    pub fn values(&self, quantity: Quantity) -> Vec<Option<f64>> {
        self.0.iter().map(|hour| quantity.value(hour).filter(|value| !value.is_nan())).collect()
    }

    /// The profile of the points in `self` and not in the subset `part`.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        Self(self.0.iter().zip(&part.0).map(|(all, part)| all.without(part)).collect())
    }

    /// The number of points.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|hour| hour.count).sum()
    }
}

/// Finds a time zone of the IANA database.
///
/// # Errors
/// [`Error::Invalid`] for `tz` if it is unknown; the message has the nearest names.
pub(super) fn find_zone(name: &str) -> Result<TimeZone> {
    const MAX_BYTES: usize = 64;
    TimeZone::get(name).map_err(|_| {
        let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
        let name: String = name.chars().take(MAX_BYTES).collect();
        let near = crate::spelling::nearest(&name, known.iter().map(String::as_str), str::to_lowercase);
        let near = crate::spelling::did_you_mean(&near);
        Error::invalid(
            Parameter::TZ,
            format!("unknown time zone `{name}`; {near}expected one such as Europe/Berlin or UTC"),
        )
    })
}

/// Checks that the released times of a protected layer, which are the starts of periods, are in the same hour of `zone` as
/// the points: whole periods make an hour. `time_us` are the first and the last time.
///
/// # Errors
/// [`Error::Invalid`] for `profile` if not.
pub(super) fn check_released_times(protection: &Protection, zone: &TimeZone, time_us: Option<[i64; 2]>) -> Result<()> {
    const HOUR_S: i64 = 3600;
    let invalid = |message: String| Err(Error::invalid(Parameter::PROFILE, message));
    let Some(period_us) = protection.period_us() else {
        return invalid(
            "the layer's times are not released (min_count_period is all); a profile needs 1h or less".into(),
        );
    };
    // The longest period whose multiples are the starts of all hours: an offset of 5:30 h halves it.
    let offsets = time_us.map(|time_us| offsets_s(zone, time_us)).unwrap_or_default();
    let longest_s = offsets.into_iter().fold(HOUR_S, greatest_common_divisor);
    if longest_s.saturating_mul(1_000_000) % period_us == 0 {
        return Ok(());
    }
    let (period, longest) = (span(period_us), span(longest_s * 1_000_000));
    let part =
        if period_us < longest_s * 1_000_000 { format!(", such as {longest}, that divides it") } else { String::new() };
    invalid(format!(
        "the layer's times are released per {period} (min_count_period); a profile needs {longest} or less{part}"
    ))
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

    #[test]
    fn a_profile_needs_released_times_of_whole_parts_of_an_hour() {
        let check = |period_s: Option<i64>, zone: &str| {
            let period_us = period_s.map(|period_s| period_s * 1_000_000);
            let protection = Protection::new(5).unwrap().with_period(period_us).unwrap();
            // The first two weeks of April 2024.
            let time_us = Some([1_711_929_600_000_000, 1_713_052_800_000_000]);
            check_released_times(&protection, &find_zone(zone).unwrap(), time_us).map_err(|error| error.to_string())
        };
        for (period_s, zone) in [(3600, "Europe/Paris"), (1800, "UTC"), (1800, "Asia/Kolkata"), (900, "Asia/Kathmandu")]
        {
            assert_eq!(check(Some(period_s), zone), Ok(()), "{period_s} {zone}");
        }
        for (period_s, zone, words) in [
            (Some(86_400), "UTC", "released per 1d (min_count_period); a profile needs 1h or less"),
            (Some(7200), "UTC", "released per 2h"),
            (Some(2700), "UTC", "released per 45m (min_count_period); a profile needs 1h or less, such as 1h, that"),
            (Some(3600), "Asia/Kolkata", "a profile needs 30m or less"),
            // Lord Howe changes from 11 h to 10:30 h on 7 April.
            (Some(3600), "Australia/Lord_Howe", "a profile needs 30m or less"),
            (None, "UTC", "min_count_period is all"),
        ] {
            let message = check(period_s, zone).unwrap_err();
            assert!(message.starts_with("profile: ") && message.contains(words), "{message}");
        }
    }

    #[test]
    fn an_unknown_time_zone_is_an_error_with_the_nearest_names() {
        let message = find_zone("Europe/Pari").unwrap_err().to_string();
        assert!(message.starts_with("tz: unknown time zone `Europe/Pari`; did you mean Europe/Paris"), "{message}");
        assert!(find_zone("europe/paris").is_ok() && find_zone("UTC").is_ok());
    }
}
