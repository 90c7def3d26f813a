//! Occupancy grids against their plain definition.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::geo::{Categories, Extent};
use crate::source::{CoordinateSpace, MemorySource, Query};

/// A detection: position, weight, time and category.
#[derive(Clone, Debug)]
struct Detection {
    x: f64,
    y: f64,
    weight: f32,
    time_us: i64,
    category: u32,
}

/// The columns of detections.
#[derive(Default)]
struct Table {
    x: Vec<f64>,
    y: Vec<f64>,
    weight: Vec<f32>,
    time_us: Vec<i64>,
    category: Vec<u32>,
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
        }
        table
    }

    fn points(&self) -> Points<'_> {
        let points = Points::new(&self.x, &self.y).unwrap().with_weight(&self.weight).unwrap();
        let category = Categories { codes: &self.category, names: &self.names };
        points.with_time(&self.time_us).unwrap().with_category(category).unwrap()
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
        let detection = (coordinate.clone(), coordinate, weight, time, category);
        let detection =
            detection.prop_map(|(x, y, weight, time_us, category)| Detection { x, y, weight, time_us, category });
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
