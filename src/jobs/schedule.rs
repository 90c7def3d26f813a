//! The schedule of a job.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Local times given by a cron pattern and a time zone.
///
/// At the start of daylight saving time, a fixed time within the skipped hour is due right after it; at the end, a
/// fixed time within the repeated hour is due once. Intervals of minutes or hours are not affected by either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

impl Schedule {
    /// Parses a cron pattern of five fields (minute, hour, day of the month, month, day of the week), or a nickname
    /// such as `@daily`, in the time zone `zone`, such as `Europe/Berlin` or `UTC`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `schedule` if the pattern is invalid or never occurs; for `timezone` if the zone is
    /// unknown.
    pub fn new(pattern: &str, zone: &str) -> Result<Self> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(pattern).map_err(|error| {
            let reason = error.to_string();
            let reason = reason.trim_end_matches('.');
            let example = "\"*/15 * * * *\" for every quarter of an hour, or \"30 6 * * 1-5\"";
            Error::invalid(
                Parameter::SCHEDULE,
                format!("`{pattern}` is not a cron pattern ({reason}); use one such as {example}"),
            )
        })?;
        let zone = TimeZone::get(zone).map_err(|_| {
            Error::invalid(
                Parameter::TIMEZONE,
                format!("unknown time zone `{zone}`; use one such as Europe/Berlin or UTC"),
            )
        })?;
        let schedule = Self { cron, zone };
        if schedule.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(Error::invalid(Parameter::SCHEDULE, format!("`{pattern}` never occurs")));
        }
        Ok(schedule)
    }

    /// The first due time after `time`; `None` if there is none.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&self.local_time(time), false);
        next.ok().map(|next| next.timestamp()).filter(|next| *next > time)
    }

    /// The last due time at or before `time`; `None` if there is none.
    pub fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&self.local_time(time), true);
        last.ok().map(|last| last.timestamp()).filter(|last| *last <= time)
    }

    /// The cron pattern.
    pub fn pattern(&self) -> &str {
        self.cron.as_str()
    }

    /// The name of the time zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    /// The local time of `time`, truncated to the second.
    fn local_time(&self, time: Timestamp) -> Zoned {
        let truncated = Timestamp::from_second(time.as_second()).unwrap_or(time);
        truncated.to_zoned(self.zone.clone())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The due times between two times. Checks that `last_until` finds the same times.
    fn between(pattern: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let schedule = Schedule::new(pattern, zone).unwrap();
        let mut times = Vec::new();
        let mut time = at(from);
        while let Some(next) = schedule.next_after(time).filter(|next| *next <= at(to)) {
            assert_eq!(schedule.last_until(next), Some(next), "{next}");
            time = next;
            times.push(next.to_string());
        }
        times
    }

    #[test]
    fn due_times_follow_the_pattern_and_the_time_zone() {
        let quarters = between("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:45:00Z");
        assert_eq!(quarters, ["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z", "2026-01-01T00:45:00Z"]);
        let daily = between("0 6 * * *", "Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z");
        assert_eq!(daily, ["2026-07-01T04:00:00Z"]);
        let schedule = Schedule::new("@daily", "America/New_York").unwrap();
        assert_eq!(schedule.next_after(at("2026-01-01T05:00:00.5Z")), Some(at("2026-01-02T05:00:00Z")));
        assert_eq!(schedule.last_until(at("2026-01-02T04:59:59.9Z")), Some(at("2026-01-01T05:00:00Z")));
    }

    #[test]
    fn a_fixed_time_in_the_skipped_hour_of_spring_is_due_right_after_it() {
        // In Berlin the clock goes from 2:00 to 3:00 at 01:00 UTC on 2026-03-29.
        let nightly = between("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(nightly, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
        let half_hours = between("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
        assert_eq!(half_hours.len(), 4);
    }

    #[test]
    fn a_fixed_time_in_the_repeated_hour_of_autumn_is_due_once() {
        // In Berlin the clock goes from 3:00 to 2:00 at 01:00 UTC on 2026-10-25.
        let nightly = between("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(nightly, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let half_hours = between("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z");
        assert_eq!(half_hours.len(), 5);
    }

    #[test]
    fn invalid_patterns_and_time_zones_are_errors() {
        for (pattern, zone, message) in [
            ("every day", "UTC", "schedule: `every day` is not a cron pattern"),
            ("* * * *", "UTC", "schedule: `* * * *`"),
            ("61 * * * *", "UTC", "schedule: `61 * * * *`"),
            ("0 0 0 * * *", "UTC", "schedule: "),
            ("0 0 31 2 *", "UTC", "schedule: `0 0 31 2 *` never occurs"),
            ("", "UTC", "schedule: "),
            ("* * * * *", "Europe/Atlantis", "timezone: unknown time zone `Europe/Atlantis`"),
        ] {
            let error = Schedule::new(pattern, zone).unwrap_err().to_string();
            assert!(error.starts_with(message), "{pattern}: {error}");
        }
    }
}
