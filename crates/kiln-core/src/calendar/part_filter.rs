//! Filters by parts of local time.

use std::fmt;

use jiff::tz::TimeZone;

use super::{Hours, LocalClock, Months, TimePart, Weekdays, zone_name};
use crate::geo::Points;
use crate::parameter::Parameter;

/// A filter by parts of the local time: hours of the day, days of the week and months, which must all match. Points
/// without a time do not match.
#[derive(Clone, Debug, PartialEq)]
pub struct TimePartFilter {
    /// The hours that match; `None`: all.
    pub hours: Option<Hours>,
    /// The days of the week that match; `None`: all.
    pub weekdays: Option<Weekdays>,
    /// The months that match; `None`: all.
    pub months: Option<Months>,
    /// The time zone.
    pub zone: TimeZone,
}

impl TimePartFilter {
    /// The filter of the given sets; `None` if all times match.
    pub fn new(
        hours: Option<Hours>,
        weekdays: Option<Weekdays>,
        months: Option<Months>,
        zone: TimeZone,
    ) -> Option<Self> {
        (hours.is_some() || weekdays.is_some() || months.is_some()).then_some(Self { hours, weekdays, months, zone })
    }

    /// Whether a time in microseconds since 1970-01-01 UTC matches. `clock` is one of the filter's zone.
    #[inline]
    pub fn matches(&self, clock: &mut LocalClock<'_>, time_us: i64) -> bool {
        if time_us == Points::NO_TIME {
            return false;
        }
        let local_us = clock.local_us(time_us);
        self.hours.is_none_or(|hours| hours.contains(LocalClock::part_of(TimePart::Hour, local_us)))
            && self.matches_day(LocalClock::part_of(TimePart::Date, local_us))
    }

    /// Whether the days of the week and the months match a local date, in days since 1970-01-01.
    pub(super) fn matches_day(&self, days: i64) -> bool {
        let part = |part| LocalClock::part_of(part, days.saturating_mul(LocalClock::DAY_US));
        self.weekdays.is_none_or(|weekdays| weekdays.contains(part(TimePart::Weekday)))
            && self.months.is_none_or(|months| months.contains(part(TimePart::Month)))
    }

    /// The parameter of the first set.
    pub fn parameter(&self) -> Parameter {
        match self {
            Self { hours: Some(_), .. } => Parameter::HOURS,
            Self { weekdays: Some(_), .. } => Parameter::WEEKDAYS,
            _ => Parameter::MONTHS,
        }
    }

    /// A clock for [`matches`](Self::matches).
    pub fn clock(&self) -> LocalClock<'_> {
        LocalClock::new(&self.zone)
    }
}

impl fmt::Display for TimePartFilter {
    /// Writes the canonical text, which is the same for equal filters in every process.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hours, weekdays, months, zone } = self;
        hours.iter().try_for_each(|hours| write!(f, "hours={hours};"))?;
        weekdays.iter().try_for_each(|weekdays| write!(f, "weekdays={weekdays};"))?;
        months.iter().try_for_each(|months| write!(f, "months={months};"))?;
        write!(f, "tz={};", zone_name(zone))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn all_parts_must_match_in_the_time_zone() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap();
        let (hours, weekdays) = ("7-9".parse().ok(), "mon-fri".parse().ok());
        let filter = TimePartFilter::new(hours, weekdays, "6-8".parse().ok(), zone).unwrap();
        let mut clock = filter.clock();
        let mut matches = |text: &str| filter.matches(&mut clock, text.parse::<Timestamp>().unwrap().as_microsecond());
        // 2024-06-03 was a Monday; the offset is 5:30.
        assert!(matches("2024-06-03T01:30:00Z") && matches("2024-06-03T04:29:59.999999Z"));
        assert!(!matches("2024-06-03T01:29:59Z") && !matches("2024-06-03T04:30:00Z"));
        assert!(!matches("2024-06-02T02:00:00Z") && !matches("2024-05-31T02:00:00Z"));
        assert!(!filter.matches(&mut filter.clock(), Points::NO_TIME));
        assert_eq!(filter.to_string(), "hours=7-9;weekdays=mon-fri;months=6-8;tz=Asia/Kolkata;");
        assert_eq!(TimePartFilter::new(None, None, None, TimeZone::UTC), None);
    }
}
