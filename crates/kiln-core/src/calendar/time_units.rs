//! Units of time within which all parts of the local time are constant.

use jiff::tz::TimeZone;

use super::offset_at;

/// A division of a range of times into units of an hour, a half or a quarter, within which all parts of the local time
/// are constant: for tables of the parts of times.
///
/// The units are the longest ones of which the offsets from UTC and the times of their changes are multiples. Where the
/// offset is no multiple of 15 minutes, as in the local mean times of the 19th century, times are in no unit, and
/// neither are times before 1900 and after 2099.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeUnits {
    start_us: i64,
    /// The length of all units together.
    span_us: u64,
    /// The length of a unit is [`ODD_US`](Self::ODD_US) times two to the power of this.
    shift: u32,
}

impl TimeUnits {
    /// The index of a time that is in no unit.
    pub const OUTSIDE: u32 = u32::MAX;
    const HOUR_US: i64 = 3_600_000_000;
    const QUARTER_US: i64 = Self::HOUR_US / 4;
    /// The odd factor of the microseconds of an hour, whose other factor is 2^10.
    const ODD_US: u64 = 3_515_625;
    /// 1900-01-01 and 2100-01-01 UTC.
    const LIMITS_US: [i64; 2] = [-2_208_988_800_000_000, 4_102_444_800_000_000];

    /// The units of the local times of all `zones`, for times from `first_us` to `last_us`, in microseconds since
    /// 1970-01-01 UTC.
    pub fn new<'z>(zones: impl IntoIterator<Item = &'z TimeZone>, [first_us, last_us]: [i64; 2]) -> Self {
        // Whole hours, so that the changes of offsets in the first and last unit are checked too.
        let [min, max] = Self::LIMITS_US;
        let mut start = first_us.clamp(min, max).div_euclid(Self::HOUR_US) * Self::HOUR_US;
        let end = (last_us.clamp(min, max - 1).div_euclid(Self::HOUR_US) + 1) * Self::HOUR_US;
        let mut length = Self::HOUR_US;
        let mut divide = |time_us: i64| {
            let longest = [length, length / 2, length / 4].into_iter().find(|length| time_us % length == 0);
            length = longest.filter(|longest| *longest >= Self::QUARTER_US).unwrap_or(length);
            longest.is_some_and(|longest| longest >= Self::QUARTER_US)
        };
        for zone in zones {
            let (mut time, mut later_offset) = (end - 1, None);
            while time >= start {
                let (range, offset) = offset_at(zone, time);
                // Some ranges have the same offset as the next one, and end at no whole minute.
                let is_change = later_offset.is_some_and(|later| later != offset);
                if !divide(offset) || is_change && !divide(range.end) {
                    start = range.end;
                }
                later_offset = Some(offset);
                time = range.start.saturating_sub(1);
            }
        }
        let start_us = start.div_euclid(length) * length + if start.rem_euclid(length) == 0 { 0 } else { length };
        let span_us = u64::try_from(end - start_us).unwrap_or(0);
        Self { start_us, span_us, shift: (length as u64 / Self::ODD_US).ilog2() }
    }

    /// The number of units.
    pub fn len(self) -> usize {
        (self.span_us / self.length_us()) as usize
    }

    /// Whether there are no units.
    pub fn is_empty(self) -> bool {
        self.span_us == 0
    }

    fn length_us(self) -> u64 {
        Self::ODD_US << self.shift
    }

    /// The start of a unit, in microseconds since 1970-01-01 UTC.
    pub fn start_of(self, index: usize) -> i64 {
        self.start_us + index as i64 * self.length_us() as i64
    }

    /// The index of the unit of a time in microseconds since 1970-01-01 UTC, or [`OUTSIDE`](Self::OUTSIDE).
    #[inline]
    pub fn index(self, time_us: i64) -> u32 {
        let since_start = time_us.wrapping_sub(self.start_us) as u64;
        // The division by a constant is a multiplication.
        let index = ((since_start >> self.shift) / Self::ODD_US) as u32;
        if since_start < self.span_us { index } else { Self::OUTSIDE }
    }

    /// Sets `units` to the [indices](Self::index) of times.
    pub fn locate(self, times_us: &[i64], units: &mut [u32]) {
        for (unit, &time_us) in units.iter_mut().zip(times_us) {
            *unit = self.index(time_us);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::calendar::{LocalClock, TimePart};
    use crate::geo::Points;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn length_us(zones: &[&str], range: [&str; 2]) -> u64 {
        let zones: Vec<TimeZone> = zones.iter().map(|name| zone(name)).collect();
        TimeUnits::new(&zones, range.map(time)).length_us()
    }

    fn time(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn units_are_as_long_as_the_offsets_of_all_zones_allow() {
        let minutes = |zones: &[&str], range| length_us(zones, range) / 60_000_000;
        let year = ["2024-01-01T00:10:00Z", "2024-12-31T00:00:00Z"];
        assert_eq!(minutes(&["UTC", "America/New_York"], year), 60);
        assert_eq!(minutes(&["Asia/Kolkata"], year), 30);
        assert_eq!(minutes(&["Australia/Lord_Howe"], year), 30);
        assert_eq!(minutes(&["Asia/Kolkata", "Asia/Kathmandu"], year), 15);
        assert_eq!(minutes(&["Asia/Kathmandu"], ["1980-01-01T00:00:00Z", "1984-01-01T00:00:00Z"]), 30);
        assert_eq!(TimeUnits::new([], [0, 0]).len(), 1);
        assert!(TimeUnits::new([], [i64::MAX, i64::MAX]).len() <= 1);
    }

    #[test]
    fn times_with_other_offsets_are_outside() {
        // Liberia's offset was -0:44:30 until 1972-01-07 00:44:30 UTC.
        let units = TimeUnits::new([&zone("Africa/Monrovia")], [0, time("1973-01-01T00:00:00Z")]);
        assert_eq!(units.start_of(0), time("1972-01-07T01:00:00Z"));
        assert_eq!([0, time("1972-01-07T00:59:59Z")].map(|time| units.index(time)), [TimeUnits::OUTSIDE; 2]);
        assert_eq!(units.index(time("1972-01-07T01:59:59.999999Z")), 0);
        assert_eq!(units.index(Points::NO_TIME), TimeUnits::OUTSIDE);
        assert_eq!(TimeUnits::default().index(0), TimeUnits::OUTSIDE);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_time_are_those_of_the_start_of_its_unit(
            name in prop::sample::select(vec![
                "UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia", "Europe/Dublin",
                "Europe/Amsterdam", "Pacific/Apia",
            ]),
            ends in (-3e15..5e15f64, -3e15..5e15f64),
            at in prop::collection::vec(0.0..1.0f64, 50),
        ) {
            let zone = zone(name);
            let [first, last] = [ends.0.min(ends.1) as i64, ends.0.max(ends.1) as i64];
            let units = TimeUnits::new([&zone], [first, last]);
            let (mut clock, mut other) = (LocalClock::new(&zone), LocalClock::new(&zone));
            for at in at {
                let time_us = first + ((last - first) as f64 * at) as i64;
                let unit = units.index(time_us);
                if unit == TimeUnits::OUTSIDE {
                    let is_regular = time_us > time("1972-02-01T00:00:00Z") && time_us < time("2100-01-01T00:00:00Z");
                    prop_assert!(!is_regular, "{time_us}");
                    continue;
                }
                let start_us = units.start_of(unit as usize);
                prop_assert!(start_us <= time_us && time_us < units.start_of(unit as usize + 1));
                for &part in TimePart::ALL {
                    prop_assert_eq!(clock.part(part, time_us), other.part(part, start_us), "{} {}", part, time_us);
                }
            }
        }
    }
}
