//! Tables of the times that filters by parts of the local time match.

use std::ops::Range;

use super::{LocalClock, TimePartFilter, TimeUnits, offset_at};

/// The times of a range that all of some filters match, as one byte per [unit](TimeUnits): a time is tested by a
/// multiplication and a lookup, whatever the filters and time zones are.
#[derive(Clone, Debug)]
pub struct PartTable<'f> {
    filters: &'f [TimePartFilter],
    units: TimeUnits,
    /// Whether each unit matches, 0 or 1, followed by [`OUTSIDE`](Self::OUTSIDE).
    entries: Vec<u8>,
    uniform: Option<bool>,
}

impl<'f> PartTable<'f> {
    /// The entry of times in no unit: its first bit passes them on to the slower test, its second one calls it.
    const OUTSIDE: u8 = 0b11;

    /// The table of `filters` for times from `first_us` to `last_us`, in microseconds since 1970-01-01 UTC. Other times
    /// are tested more slowly.
    pub fn new(filters: &'f [TimePartFilter], range_us: [i64; 2]) -> Self {
        let units = TimeUnits::new(filters.iter().map(|filter| &filter.zone), range_us);
        let mut bits = vec![u64::MAX; units.len().div_ceil(64)];
        for filter in filters {
            let matching = matching(filter, units);
            bits.iter_mut().zip(matching).for_each(|(bits, matching)| *bits &= matching);
        }
        let bit = |unit: usize| bits.get(unit / 64).map_or(0, |bits| (bits >> (unit % 64)) as u8 & 1);
        let entries = (0..units.len()).map(bit).chain([Self::OUTSIDE]).collect();
        let mut table = Self { filters, units, entries, uniform: None };
        let [first, last] = range_us.map(|time_us| units.index(time_us));
        if first <= last && last != TimeUnits::OUTSIDE {
            let matches = table.entries[first as usize];
            let is_uniform = table.entries[first as usize..=last as usize].iter().all(|entry| *entry == matches);
            table.uniform = is_uniform.then_some(matches == 1);
        }
        table
    }

    /// Whether all times of the range match, or none do; `None` if some do, or it is unknown.
    pub fn uniform(&self) -> Option<bool> {
        self.uniform
    }

    /// Sets `passing` to 0 for the times that do not match, among them [`Points::NO_TIME`](crate::geo::Points::NO_TIME).
    pub fn keep(&self, times_us: &[i64], passing: &mut [u8]) {
        // Without branches and with all state in registers, as this is the cost of a filter by the time.
        let (units, entries) = (self.units, &*self.entries);
        let outside = entries.len() - 1;
        let mut seen = 0;
        for (passes, &time_us) in passing.iter_mut().zip(times_us) {
            let entry = entries[(units.index(time_us) as usize).min(outside)];
            seen |= entry;
            *passes &= entry;
        }
        if seen != Self::OUTSIDE {
            return;
        }
        let mut clocks: Vec<LocalClock<'_>> = self.filters.iter().map(TimePartFilter::clock).collect();
        for (passes, &time_us) in passing.iter_mut().zip(times_us) {
            if *passes == 1 && self.units.index(time_us) == TimeUnits::OUTSIDE {
                let mut clocks = self.filters.iter().zip(&mut clocks);
                *passes = u8::from(clocks.all(|(filter, clock)| filter.matches(clock, time_us)));
            }
        }
    }
}

/// One bit per unit: whether it matches a filter.
fn matching(filter: &TimePartFilter, units: TimeUnits) -> Vec<u64> {
    let mut bits = vec![0; units.len().div_ceil(64)];
    let mut set = |times: Range<i64>| {
        let [first, last] = [times.start, times.end - 1].map(|time_us| units.index(time_us) as usize);
        set_bits(&mut bits, first..last + 1);
    };
    let runs = runs(filter);
    let (mut start, end) = (units.start_of(0), units.start_of(units.len()));
    while start < end {
        let (range, offset) = offset_at(&filter.zone, start);
        let until = range.end.min(end);
        let day = |time: i64| (time + offset).div_euclid(LocalClock::DAY_US);
        for day in (day(start)..=day(until - 1)).filter(|&day| filter.matches_day(day)) {
            let midnight = day * LocalClock::DAY_US - offset;
            for run in &runs {
                let [first, last] = [run.start, run.end].map(|hour| midnight + hour * LocalClock::HOUR_US);
                let times = first.max(start)..last.min(until);
                if !times.is_empty() {
                    set(times);
                }
            }
        }
        start = until;
    }
    bits
}

/// Sets a range of bits, by words: a table of some years has thousands of ranges, and tiles of few points do not take
/// longer than its computation.
fn set_bits(bits: &mut [u64], range: Range<usize>) {
    let words = range.start / 64..range.end.div_ceil(64);
    for (index, word) in words.clone().zip(&mut bits[words]) {
        let [first, end] = [range.start, range.end].map(|bit| bit.clamp(index * 64, index * 64 + 64) - index * 64);
        *word |= (u64::MAX >> (64 - (end - first))) << first;
    }
}

/// The runs of consecutive hours that match a filter.
fn runs(filter: &TimePartFilter) -> Vec<Range<i64>> {
    let mut runs: Vec<Range<i64>> = Vec::new();
    for hour in (0..24).filter(|&hour| filter.hours.is_none_or(|hours| hours.contains(hour))) {
        match runs.last_mut() {
            Some(run) if run.end == hour => run.end = hour + 1,
            _ => runs.push(hour..hour + 1),
        }
    }
    runs
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;
    use crate::geo::Points;

    const ZONES: [&str; 6] =
        ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia", "Pacific/Apia"];

    fn filter(hours: Option<&str>, weekdays: Option<&str>, months: Option<&str>, zone: &str) -> TimePartFilter {
        let zone = TimeZone::get(zone).unwrap();
        TimePartFilter::new(
            hours.map(|text| text.parse().unwrap()),
            weekdays.map(|text| text.parse().unwrap()),
            months.map(|text| text.parse().unwrap()),
            zone,
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn a_table_matches_the_times_that_its_filters_match(
            hours in prop::sample::select(vec![Some("7-9"), Some("22-1,12"), Some("0-23"), None]),
            days in prop::sample::select(vec![(Some("mon-fri"), None), (None, Some("11-2")), (Some("sun"), Some("3"))]),
            zones in (0..ZONES.len(), prop::option::of(0..ZONES.len())),
            start in -4e14..4e15f64,
            length in prop::sample::select(vec![1e9f64, 1e12, 4e13, 1e15]),
            at in prop::collection::vec(-0.1..1.1f64, 100),
        ) {
            let mut filters = vec![filter(hours, days.0, days.1, ZONES[zones.0])];
            filters.extend(zones.1.map(|zone| filter(Some("5-20"), None, None, ZONES[zone])));
            let table = PartTable::new(&filters, [start as i64, (start + length) as i64]);
            let mut times: Vec<i64> = at.iter().map(|at| (start + length * at) as i64).collect();
            times.extend([Points::NO_TIME, i64::MAX, start as i64, (start + length) as i64]);
            let mut passing = vec![1; times.len()];
            passing[0] = 0;
            table.keep(&times, &mut passing);
            for (index, (&time_us, passes)) in times.iter().zip(passing).enumerate() {
                let matches = filters.iter().all(|filter| filter.matches(&mut filter.clock(), time_us));
                prop_assert_eq!(passes == 1, matches && index > 0, "{}", time_us);
                let is_within = (start..=start + length).contains(&(time_us as f64));
                prop_assert!(table.uniform().is_none_or(|uniform| uniform == matches || !is_within));
            }
        }
    }

    #[test]
    fn a_range_within_one_hour_is_uniform() {
        let times = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let range = [times("2024-05-06T07:00:00Z"), times("2024-05-06T07:59:59.999999Z")];
        let uniform = |hours, range| PartTable::new(&[filter(Some(hours), None, None, "UTC")], range).uniform();
        assert_eq!((uniform("7", range), uniform("8", range)), (Some(true), Some(false)));
        assert_eq!(uniform("7", [range[0], range[1] + 1]), None);
        assert_eq!(uniform("8", [i64::MIN + 1, range[1]]), None, "times before 1900 are not in the table");
    }
}
