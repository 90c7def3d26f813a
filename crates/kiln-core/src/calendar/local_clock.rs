//! The parts of times in a time zone.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::offset_at;
use super::time_part::{CivilDate, TimePart, iso_week, weekday};

/// Computes the parts of times in a time zone. It caches the offsets of the zone.
#[derive(Clone, Debug)]
pub struct LocalClock<'z> {
    zone: &'z TimeZone,
    /// The range of times with the cached offset, and the offset, in microseconds.
    offset: (Range<i64>, i64),
    /// The ranges so far with their offsets, ascending.
    known: Vec<(Range<i64>, i64)>,
}

impl<'z> LocalClock<'z> {
    pub(super) const HOUR_US: i64 = 3_600_000_000;
    pub(super) const DAY_US: i64 = 24 * Self::HOUR_US;

    /// A clock of `zone`.
    pub fn new(zone: &'z TimeZone) -> Self {
        Self { zone, offset: (0..0, 0), known: Vec::new() }
    }

    /// The local time as microseconds since 1970-01-01 00:00 local time, of a time in microseconds since 1970-01-01 UTC.
    #[inline]
    pub fn local_us(&mut self, time_us: i64) -> i64 {
        if !self.offset.0.contains(&time_us) {
            self.offset = self.find_offset(time_us);
        }
        time_us.saturating_add(self.offset.1)
    }

    /// The offset at a time and the range of times with it. A search in the offsets so far is faster than one in the
    /// zone's rules.
    fn find_offset(&mut self, time_us: i64) -> (Range<i64>, i64) {
        const MAX_KNOWN: usize = 1024;
        let index = self.known.partition_point(|(range, _)| range.end <= time_us);
        if let Some(known) = self.known.get(index).filter(|(range, _)| range.contains(&time_us)) {
            return known.clone();
        }
        let found = offset_at(self.zone, time_us);
        if self.known.len() < MAX_KNOWN {
            self.known.insert(index, found.clone());
        }
        found
    }

    /// The value of a part, of a time in microseconds since 1970-01-01 UTC.
    #[inline]
    pub fn part(&mut self, part: TimePart, time_us: i64) -> i64 {
        Self::part_of(part, self.local_us(time_us))
    }

    /// The value of a part, of a [local time](Self::local_us).
    #[inline]
    pub fn part_of(part: TimePart, local_us: i64) -> i64 {
        match part {
            TimePart::Hour => local_us.rem_euclid(Self::DAY_US) / Self::HOUR_US,
            TimePart::Date => local_us.div_euclid(Self::DAY_US),
            TimePart::Weekday => weekday(local_us.div_euclid(Self::DAY_US)),
            TimePart::Week => iso_week(local_us.div_euclid(Self::DAY_US)),
            TimePart::Day => CivilDate::of(local_us.div_euclid(Self::DAY_US)).day,
            TimePart::Month => CivilDate::of(local_us.div_euclid(Self::DAY_US)).month,
            TimePart::YearMonth => {
                let CivilDate { year, month, .. } = CivilDate::of(local_us.div_euclid(Self::DAY_US));
                year * 12 + month - 1
            }
            TimePart::Year => CivilDate::of(local_us.div_euclid(Self::DAY_US)).year,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn parts_follow_the_time_zone_across_daylight_saving() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let mut clock = LocalClock::new(&zone);
        let mut parts = |text: &str| {
            let time_us = text.parse::<Timestamp>().unwrap().as_microsecond();
            [TimePart::Hour, TimePart::Weekday, TimePart::Day, TimePart::Week, TimePart::Month, TimePart::Year]
                .map(|part| clock.part(part, time_us))
        };
        // On 2024-03-10, a Sunday, clocks went from 2 to 3 o'clock at 07:00 UTC.
        assert_eq!(parts("2024-03-10T06:59:59Z"), [1, 6, 10, 10, 3, 2024]);
        assert_eq!(parts("2024-03-10T07:00:00Z"), [3, 6, 10, 10, 3, 2024]);
        // On 2024-11-03 the hour from 1 to 2 o'clock occurred twice.
        assert_eq!((parts("2024-11-03T05:30:00Z")[0], parts("2024-11-03T06:30:00Z")[0]), (1, 1));
        assert_eq!(parts("2025-01-01T04:59:59Z"), [23, 1, 31, 1, 12, 2024]);
        let (year_month, end_of_2024) = (TimePart::YearMonth, "2025-01-01T04:59:59Z".parse::<Timestamp>().unwrap());
        assert_eq!(year_month.label(clock.part(year_month, end_of_2024.as_microsecond())), "2024-12");
        assert_eq!(clock.part(TimePart::Year, i64::MAX), 294_247);
        assert_eq!(clock.part(TimePart::Year, i64::MIN + 1), -290_308);
    }
}
