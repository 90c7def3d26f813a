//! Filters by parts of the local time, against the calendar of another library.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use proptest::prelude::*;

use super::*;
use kiln_core::calendar::TimePartFilter;
use kiln_core::occupancy::{CellSystem, OccupancyRequest};
use kiln_core::source::PointSet;

/// Time zones with offsets of hours, half and quarter hours, and of seconds until 1972.
pub(super) const ZONES: [&str; 5] =
    ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia"];

fn time(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

/// Sets times around the days on which clocks change, in the years around 2024 and in 1971.
pub(super) fn set_times(columns: &mut Columns, seed: u64) {
    let days = ["2024-03-10", "2024-04-07", "2024-10-06", "2024-11-03", "1971-12-31"];
    let mut random = Random(seed);
    for (index, time_us) in columns.time.iter_mut().enumerate().filter(|(_, time)| **time != Points::NO_TIME) {
        *time_us = match index % 3 {
            0 => time("2022-01-01T00:00:00Z") + (random.next() * 1e14) as i64,
            _ => time(&format!("{}T00:00:00Z", days[index % days.len()])) + (random.next() * 2e11 - 6e10) as i64,
        };
    }
}

pub(super) fn local(time_us: i64, zone: &TimeZone) -> Zoned {
    Timestamp::from_microsecond(time_us).unwrap().to_zoned(zone.clone())
}

/// The hours, days of the week (0 is Monday) and months of a filter; empty: all.
#[derive(Clone, Debug)]
struct Parts {
    hours: Vec<i8>,
    weekdays: Vec<i8>,
    months: Vec<i8>,
    zone: TimeZone,
}

impl Parts {
    fn match_time(&self, time_us: i64) -> bool {
        if time_us == Points::NO_TIME {
            return false;
        }
        let local = local(time_us, &self.zone);
        let is_in = |set: &[i8], value: i8| set.is_empty() || set.contains(&value);
        is_in(&self.hours, local.hour())
            && is_in(&self.weekdays, local.weekday().to_monday_zero_offset())
            && is_in(&self.months, local.month())
    }

    fn filter(&self) -> TimePartFilter {
        let values = |set: &[i8]| set.iter().map(|&value| i64::from(value)).collect::<Vec<_>>();
        TimePartFilter {
            hours: kiln_core::calendar::Hours::of(values(&self.hours)),
            weekdays: kiln_core::calendar::Weekdays::of(values(&self.weekdays)),
            months: kiln_core::calendar::Months::of(values(&self.months)),
            zone: self.zone.clone(),
        }
    }
}

fn parts() -> impl Strategy<Value = Parts> {
    let set = |range: std::ops::Range<i8>| prop::collection::vec(range, 0..4);
    let zone = prop::sample::select(ZONES.to_vec()).prop_map(|name| TimeZone::get(name).unwrap());
    (set(0..24), set(0..7), set(1..13), zone).prop_map(|(hours, weekdays, months, zone)| {
        let hours = if weekdays.is_empty() && months.is_empty() && hours.is_empty() { vec![7] } else { hours };
        Parts { hours, weekdays, months, zone }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn filters_by_parts_of_the_local_time_are_those_of_the_points(
        filters in prop::collection::vec(parts(), 1..3),
        range in prop::option::of((0..40i64, 0..40i64)),
        categories in 0..2usize,
        seed in any::<u64>(),
    ) {
        let mut columns = some_points(12_000, seed);
        set_times(&mut columns, seed);
        let (_folder, store) = store();
        let snapshot = layer_of(&store, &columns, 2).snapshot();
        let range = range.map(|(day, days)| time("2024-03-08T00:30:00Z") + day * 86_400_000_000..i64::MAX / 2 + days);
        let query = Query::default()
            .with_weights(true)
            .with_start(range.as_ref().map(|range| range.start))
            .with_end(range.as_ref().map(|range| range.end))
            .with_category_filter(NAMES[..categories].iter().map(ToString::to_string).collect())
            .with_time_parts(filters.iter().map(Parts::filter).collect());
        let keep = |index: usize| {
            filters.iter().all(|parts| parts.match_time(columns.time[index]))
                && range.as_ref().is_none_or(|range| range.contains(&columns.time[index]))
                && (categories == 0 || columns.code[index] < categories as u32)
        };
        let kept: Vec<usize> = (0..columns.time.len()).filter(|&index| keep(index)).collect();
        prop_assert_eq!(PointSet::count(&*snapshot, &query).unwrap(), kept.len() as u64);
        for canvas in &canvases()[..3] {
            let expected = by_definition(&columns, canvas, keep);
            let (cells, _) = snapshot.cells(&query, canvas, Reduction::CountAndSum, 20.0, 2).unwrap();
            prop_assert!(same(&cells, &expected));
        }
        let mut times: Vec<i64> = Vec::new();
        let mut sink = |points: Points<'_>| {
            times.extend(points.time_us().unwrap());
            ControlFlow::Continue(())
        };
        snapshot.scan(&query.clone().with_times(true), &mut [&mut sink]).unwrap();
        times.sort_unstable();
        let mut expected: Vec<i64> = kept.iter().map(|&index| columns.time[index]).collect();
        expected.sort_unstable();
        prop_assert_eq!(times, expected);
        prop_assert_eq!(snapshot.sample(&query, 10).unwrap().len(), kept.len().min(10));
        prop_assert_eq!(snapshot.sample(&query, 20_000).unwrap().len(), kept.len());
    }

    #[test]
    fn grids_of_a_filtered_layer_count_its_points(parts in parts(), side in prop::sample::select(vec![0.5, 100.0])) {
        let mut columns = some_points(5000, 3);
        set_times(&mut columns, 5);
        let (_folder, store) = store();
        let layer = store.create_in("floor", CoordinateSpace::Plane, Description::default()).unwrap();
        let mut batch = layer.batch();
        batch.add(Points::new(&columns.lon, &columns.lat).unwrap().with_time(&columns.time).unwrap());
        layer.append(batch, None).unwrap();
        let query = Query::default().with_coordinate_space(CoordinateSpace::Plane);
        let query = query.with_time_parts(vec![parts.filter()]);
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap());
        let grid = layer.snapshot().occupancy(&query, &request, 2).unwrap();
        let expected = columns.time.iter().filter(|time| parts.match_time(**time)).count();
        prop_assert_eq!(grid.total(), expected as u64);
    }
}

#[test]
fn segments_whose_times_cannot_match_are_skipped() {
    let (_folder, store) = store();
    let layer = store.create("points", Description::default()).unwrap();
    for day in ["2024-05-06", "2024-05-07"] {
        let mut batch = layer.batch();
        let times = [time(&format!("{day}T07:10:00Z")), time(&format!("{day}T07:50:00Z"))];
        batch.add(Points::new(&[0.0, 1.0], &[0.0, 1.0]).unwrap().with_time(&times).unwrap());
        layer.append(batch, None).unwrap();
    }
    let snapshot = layer.snapshot();
    let passing = |hours: &str, weekdays: &str| {
        let filter = TimePartFilter::new(hours.parse().ok(), weekdays.parse().ok(), None, TimeZone::UTC).unwrap();
        let query = Query::default().with_time_parts(vec![filter]);
        snapshot.passing(&query).iter().map(|(_, filter)| filter.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(passing("7", "mon"), [false], "all points of one segment match, and none of the other");
    assert_eq!(passing("7-8", "mon-sun"), [false, false]);
    assert!(passing("8", "mon-sun").is_empty());
}

#[test]
fn a_layer_without_times_cannot_be_filtered_by_them() {
    let (_folder, store) = store();
    let layer = store.create("points", Description::default()).unwrap();
    let mut batch = layer.batch();
    batch.add(Points::new(&[0.0], &[0.0]).unwrap());
    layer.append(batch, None).unwrap();
    let filter = TimePartFilter::new(None, "mon".parse().ok(), None, TimeZone::UTC).unwrap();
    let error = layer.snapshot().sample(&Query::default().with_time_parts(vec![filter]), 1).unwrap_err();
    assert_eq!(error.to_string(), "weekdays: the layer's points have no times to filter by");
}
