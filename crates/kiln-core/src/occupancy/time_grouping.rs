//! Groupings by time.

use jiff::tz::TimeZone;

use super::GroupKey;
use crate::calendar::offset_at;
use crate::geo::Points;

/// A grouping of points by time.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum TimeGrouping {
    /// All times are one group.
    #[default]
    None,
    /// Periods of equal length since 1970-01-01 UTC: ⌊time / length⌋.
    Period {
        /// The length in microseconds, at least 1.
        length_us: i64,
    },
    /// The hours of the week in a time zone: 0 is Monday from 0 to 1 o'clock, 167 is Sunday from 23 to 24 o'clock.
    HourOfWeek {
        /// The time zone.
        zone: TimeZone,
    },
}

impl TimeGrouping {
    /// Whether the grouping needs the times of points.
    pub fn needs_times(&self) -> bool {
        *self != Self::None
    }
}

/// Maps times to the groups of a [`TimeGrouping`]. It caches the offset of the time zone, so times in sequence are fast.
#[derive(Clone, Debug)]
pub struct TimeBuckets<'a> {
    grouping: &'a TimeGrouping,
    /// The range of times with the cached offset, and the offset, in microseconds.
    offset: (std::ops::Range<i64>, i64),
}

impl<'a> TimeBuckets<'a> {
    /// The groups of `grouping`.
    pub fn new(grouping: &'a TimeGrouping) -> Self {
        Self { grouping, offset: (0..0, 0) }
    }

    /// The group of a time in microseconds since 1970-01-01 UTC; [`GroupKey::NO_PERIOD`] of [`Points::NO_TIME`], and if
    /// there is no grouping.
    pub fn period(&mut self, time_us: i64) -> i64 {
        const HOUR_US: i64 = 3_600_000_000;
        /// 1970-01-01 was a Thursday: its first hour is hour 72 of the week.
        const EPOCH_HOUR: i64 = 72;
        if time_us == Points::NO_TIME {
            return GroupKey::NO_PERIOD;
        }
        match self.grouping {
            TimeGrouping::None => GroupKey::NO_PERIOD,
            TimeGrouping::Period { length_us } => time_us.div_euclid((*length_us).max(1)),
            TimeGrouping::HourOfWeek { zone } => {
                if !self.offset.0.contains(&time_us) {
                    self.offset = offset_at(zone, time_us);
                }
                (time_us.saturating_add(self.offset.1).div_euclid(HOUR_US) + EPOCH_HOUR).rem_euclid(168)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn hours_of_the_week_follow_the_time_zone_across_daylight_saving() {
        let grouping = TimeGrouping::HourOfWeek { zone: TimeZone::get("Europe/Paris").unwrap() };
        let mut buckets = TimeBuckets::new(&grouping);
        let mut hour = |text: &str| buckets.period(text.parse::<Timestamp>().unwrap().as_microsecond());
        // 2024-03-31 was a Sunday; at 01:00 UTC clocks went from 2 to 3 o'clock.
        assert_eq!((hour("2024-03-31T00:59:59Z"), hour("2024-03-31T01:00:00Z")), (144 + 1, 144 + 3));
        assert_eq!((hour("2024-10-27T00:30:00Z"), hour("2024-10-27T01:30:00Z")), (144 + 2, 144 + 2));
        assert_eq!((hour("2024-01-01T00:00:00Z"), hour("1969-12-31T23:30:00Z")), (1, 72));
        let whole = TimeGrouping::None;
        assert_eq!(TimeBuckets::new(&whole).period(5), GroupKey::NO_PERIOD);
    }

    #[test]
    fn periods_start_at_the_epoch() {
        let grouping = TimeGrouping::Period { length_us: 1000 };
        let mut buckets = TimeBuckets::new(&grouping);
        assert_eq!([-1, 0, 999, 1000].map(|time| buckets.period(time)), [-1, 0, 0, 1]);
        assert_eq!(buckets.period(Points::NO_TIME), GroupKey::NO_PERIOD);
    }
}
