//! Occupancy grids against their plain definition.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::geo::{Categories, Extent};
use crate::source::{CoordinateSpace, MemorySource, Query};

/// A detection: position, weight, time, category and track.
#[derive(Clone, Debug)]
struct Detection {
    x: f64,
    y: f64,
    weight: f32,
    time_us: i64,
    category: u32,
    track: u64,
}

/// The columns of detections.
#[derive(Default)]
struct Table {
    x: Vec<f64>,
    y: Vec<f64>,
    weight: Vec<f32>,
    time_us: Vec<i64>,
    category: Vec<u32>,
    track: Vec<u64>,
    names: Vec<Box<str>>,
}

impl Table {
    fn new(detections: &[Detection]) -> Self {
        let mut table = Self { names: ["c", "a", "b"].map(Box::from).into(), ..Self::default() };
        for detection in detections {
            table.x.push(detection.x);
            table.y.push(detection.y);
            table.weight.push(detection.weight);
            table.time_us.push(detection.time_us);
            table.category.push(detection.category);
            table.track.push(detection.track);
        }
        table
    }

    fn points(&self) -> Points<'_> {
        let points = Points::new(&self.x, &self.y).unwrap().with_weight(&self.weight).unwrap();
        let category = Categories { codes: &self.category, names: &self.names };
        points.with_time(&self.time_us).unwrap().with_category(category).unwrap().with_track(&self.track).unwrap()
    }

    fn bounds(&self) -> Option<Bounds> {
        let mut extent = Extent::default();
        extent.add(self.points());
        extent.bounds(false)
    }
}

/// The side of cells, and detections on their borders, one step of `f64` below or above them, and anywhere.
fn side_and_detections() -> impl Strategy<Value = (f64, Vec<Detection>)> {
    let side = prop_oneof![
        prop::sample::select(vec![0.1, 0.5, 1.0, 0.3, 1.0 / 3.0, 1e-3, 7.25, 1e-9, 1e9, 1e300]),
        1e-3..100.0f64,
    ];
    side.prop_flat_map(|side| {
        let coordinate = (-40i64..40, 0..5u8, -20.0..20.0f64).prop_map(move |(index, kind, any)| match kind {
            0 => index as f64 * side,
            1 => (index as f64 * side).next_down(),
            2 => (index as f64 * side).next_up(),
            3 => index as f64 / 10.0,
            _ => any * side.min(1.0),
        });
        let weight = prop_oneof![Just(1.0f32), -100.0..100.0f32, Just(0.1)];
        let time = prop_oneof![Just(Points::NO_TIME), -50i64..50];
        let category = prop_oneof![0..3u32, Just(Categories::NONE)];
        let track = prop_oneof![1..5u64, Just(Points::NO_TRACK)];
        let detection = (coordinate.clone(), coordinate, weight, time, category, track);
        let detection = detection.prop_map(|(x, y, weight, time_us, category, track)| Detection {
            x,
            y,
            weight,
            time_us,
            category,
            track,
        });
        (Just(side), vec(detection, 0..100))
    })
}

/// Counts and sums by row, column, period and name, as the documentation defines them.
type Expected = BTreeMap<(i64, i64, i64, String), (u64, f64, f32)>;

fn expected(table: &Table, side: f64, period_us: Option<i64>, by_category: bool) -> Expected {
    let mut groups: BTreeMap<_, (u64, i128, f32)> = BTreeMap::new();
    for index in 0..table.x.len() {
        let (row, column) = ((table.y[index] / side).floor() as i64, (table.x[index] / side).floor() as i64);
        let time_us = table.time_us[index];
        let period = period_us.filter(|_| time_us != Points::NO_TIME).map_or(i64::MIN, |us| time_us.div_euclid(us));
        let name = table.names.get(table.category[index] as usize).filter(|_| by_category);
        let weight = table.weight[index];
        let units = (f64::from(weight) * 2f64.powi(56)).round_ties_even() as i128;
        let key = (row, column, period, name.map_or_else(String::new, ToString::to_string));
        let group = groups.entry(key).or_insert((0, 0, f32::NEG_INFINITY));
        *group = (group.0 + 1, group.1 + units, group.2.max(weight));
    }
    groups.into_iter().map(|(key, (count, units, max))| (key, (count, units as f64 * 2f64.powi(-56), max))).collect()
}

fn actual(grid: &OccupancyGrid) -> Expected {
    let name = |code: u32| grid.categories.get(code as usize).map_or_else(String::new, ToString::to_string);
    let group = |group: &Group| {
        let GroupKey { cell, period, category } = group.key;
        ((cell.row, cell.column, period, name(category)), (group.count, group.weight_sum, group.weight_max))
    };
    grid.groups.iter().map(group).collect()
}

fn query(weights: bool) -> Query<'static> {
    Query::default().with_coordinate_space(CoordinateSpace::Plane).with_weights(weights)
}

fn grid(table: &Table, request: &OccupancyRequest, bounds: Option<Bounds>, threads: usize) -> OccupancyGrid {
    scan_occupancy(&MemorySource(table.points()), &query(true), request, bounds, threads).unwrap()
}

/// The dwell of the groups, as the documentation defines it.
fn expected_dwell(table: &Table, side: f64, period_us: i64, max_gap_us: i64) -> BTreeMap<(i64, i64, i64, String), i64> {
    let mut tracks: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for index in (0..table.x.len()).filter(|&index| table.time_us[index] != Points::NO_TIME) {
        let (row, column) = ((table.y[index] / side).floor() as i64, (table.x[index] / side).floor() as i64);
        let time_us = table.time_us[index];
        let name = table.names.get(table.category[index] as usize).map(ToString::to_string);
        // A group without a category is after the others.
        let key = (row, column, time_us.div_euclid(period_us), name.is_none(), name.unwrap_or_default());
        tracks.entry(table.track[index]).or_default().push((time_us, key));
    }
    tracks.remove(&Points::NO_TRACK);
    let mut dwell = BTreeMap::new();
    for (_, mut detections) in tracks {
        detections.sort();
        for pair in detections.windows(2) {
            let (row, column, period, _, name) = pair[0].1.clone();
            *dwell.entry((row, column, period, name)).or_insert(0) += (pair[1].0 - pair[0].0).min(max_gap_us);
        }
    }
    dwell.retain(|_, dwell_us| *dwell_us > 0);
    dwell
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn groups_are_those_of_the_plain_definition(
        (side, detections) in side_and_detections(),
        period_us in prop::option::of(1..60i64),
        by_category: bool,
        known_bounds: bool,
        threads in 1..4usize,
    ) {
        let table = Table::new(&detections);
        let time = period_us.map_or(TimeGrouping::None, |length_us| TimeGrouping::Period { length_us });
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap()).with_time(time).with_categories(by_category);
        let bounds = table.bounds().filter(|_| known_bounds);
        let grid = grid(&table, &request, bounds, threads);
        prop_assert_eq!(actual(&grid), expected(&table, side, period_us, by_category));
        prop_assert!(grid.groups.is_sorted_by_key(|group| group.key));
    }

    #[test]
    fn unweighted_points_are_counted(
        (side, detections) in side_and_detections(),
        known_bounds: bool,
    ) {
        let table = Table::new(&detections);
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap());
        let points = MemorySource(table.points().without_weight());
        let bounds = table.bounds().filter(|_| known_bounds);
        let grid = scan_occupancy(&points, &query(false), &request, bounds, 1).unwrap();
        let ones = Table { weight: vec![1.0; table.x.len()], ..table };
        prop_assert_eq!(actual(&grid), expected(&ones, side, None, false));
        prop_assert!(!grid.weighted || detections.is_empty());
    }

    #[test]
    fn the_order_of_points_and_wrong_bounds_change_nothing(
        (side, mut detections) in side_and_detections(),
        bounds in (-9.0..9.0f64, -9.0..9.0f64, 0.0..9.0f64, 0.0..9.0f64),
        seed: u64,
    ) {
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap())
            .with_time(TimeGrouping::Period { length_us: 7 })
            .with_categories(true);
        let table = Table::new(&detections);
        let plain = grid(&table, &request, None, 1);
        let (west, south, width, height) = bounds;
        let bounds = Bounds { west, south, east: west + width, north: south + height };
        prop_assert_eq!(&plain, &grid(&table, &request, Some(bounds), 2));
        for index in (1..detections.len()).rev() {
            detections.swap(index, (seed.wrapping_mul(index as u64 * 2 + 1) >> 33) as usize % (index + 1));
        }
        let shuffled = Table::new(&detections);
        prop_assert_eq!(&plain, &grid(&shuffled, &request, shuffled.bounds(), 1));
    }

    #[test]
    fn the_sums_of_consecutive_ranges_are_those_of_the_whole(
        (side, detections) in side_and_detections(),
        split in -50..50i64,
    ) {
        let table = Table::new(&detections);
        let points = MemorySource(table.points());
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap());
        let count = |start, end| -> BTreeMap<Cell, u64> {
            let query = query(true).with_start(start).with_end(end);
            let grid = scan_occupancy(&points, &query, &request, table.bounds(), 1).unwrap();
            grid.groups.iter().map(|group| (group.key.cell, group.count)).collect()
        };
        let whole = count(Some(-50), Some(50));
        let mut sum = count(Some(-50), Some(split));
        for (cell, points) in count(Some(split), Some(50)) {
            *sum.entry(cell).or_default() += points;
        }
        prop_assert_eq!(whole, sum);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn dwell_is_that_of_the_plain_definition(
        (side, detections) in side_and_detections(),
        (period_us, max_gap_us) in (1..60i64, 0..30i64),
        threads in 1..4usize,
    ) {
        let table = Table::new(&detections);
        let request = OccupancyRequest::new(CellSystem::square(side).unwrap())
            .with_time(TimeGrouping::Period { length_us: period_us })
            .with_categories(true)
            .with_dwell(Some(Dwell { max_gap_us }));
        let grid = grid(&table, &request, table.bounds(), threads);
        let name = |code: u32| grid.categories.get(code as usize).map_or_else(String::new, ToString::to_string);
        let groups = grid.groups.iter().filter(|group| group.dwell_us > 0);
        let dwell: BTreeMap<_, _> = groups
            .map(|Group { key, dwell_us, .. }| {
                ((key.cell.row, key.cell.column, key.period, name(key.category)), *dwell_us)
            })
            .collect();
        prop_assert_eq!(dwell, expected_dwell(&table, side, period_us, max_gap_us));
    }
}

#[test]
fn only_detections_that_pass_the_filter_count_for_dwell() {
    let (x, time, track) = ([0.5, 1.5, 0.5, 0.5], [0, 10, 30, 500], [7; 4]);
    let names = ["in".into(), "out".into()];
    let points = Points::new(&x, &[0.0; 4]).unwrap().with_time(&time).unwrap().with_track(&track).unwrap();
    let points = points.with_category(Categories { codes: &[0, 1, 0, 0], names: &names }).unwrap();
    let request = OccupancyRequest::new(CellSystem::square(1.0).unwrap()).with_dwell(Some(Dwell { max_gap_us: 100 }));
    let dwell = |query: Query<'_>| -> Vec<i64> {
        let grid = scan_occupancy(&MemorySource(points), &query, &request, None, 2).unwrap();
        grid.groups.iter().map(|group| group.dwell_us).collect()
    };
    assert_eq!(dwell(query(false)), [10 + 100, 20]);
    assert_eq!(dwell(query(false).with_category_filter(vec!["in".to_owned()])), [30 + 100]);
    assert_eq!(dwell(query(false).with_end(Some(500))), [10, 20]);
}

#[test]
fn dwell_without_tracks_or_times_or_of_too_many_detections_is_an_error() {
    let points = Points::new(&[0.0, 1.0, 2.0], &[0.0; 3]).unwrap();
    let (timed, tracked) = (points.with_time(&[0; 3]).unwrap(), points.with_track(&[0; 3]).unwrap());
    let request = OccupancyRequest::new(CellSystem::Whole).with_dwell(Some(Dwell::default())).with_max_detections(2);
    let grid = |points| scan_occupancy(&MemorySource(points), &query(false), &request, None, 1);
    let message = |points| grid(points).unwrap_err().to_string();
    assert_eq!(message(timed), "track: the points have no tracks, which dwell is computed from");
    assert_eq!(message(tracked), "time: the points have no times, which dwell is computed from");
    let both = timed.with_track(&[0; 3]).unwrap();
    assert_eq!(
        message(both),
        "start: dwell of more than 2 detections, the limit; narrow the query by start, end or category"
    );
    assert_eq!(grid(both.slice(0..2)).unwrap().total(), 2);
    assert_eq!(grid(points.slice(0..0)).unwrap().total(), 0);
}

/// Both the arrays and the map are used: a window of all cells of a few points would exceed the memory.
#[test]
fn points_of_a_wide_area_are_grouped_as_those_of_a_small_one() {
    let x: Vec<f64> = (0..30_000).map(|i| f64::from(i % 100) * 1e6 + f64::from(i / 100) / 100.0).collect();
    let points = Points::new(&x, &x).unwrap();
    let request = OccupancyRequest::new(CellSystem::square(0.5).unwrap());
    let mut extent = Extent::default();
    extent.add(points);
    let grid = scan_occupancy(&MemorySource(points), &query(false), &request, extent.bounds(false), 2).unwrap();
    assert_eq!((grid.groups.len(), grid.total()), (600, 30_000));
    assert!(grid.groups.iter().all(|group| group.count == 50));
}
