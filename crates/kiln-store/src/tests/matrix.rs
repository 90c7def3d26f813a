//! Matrices of stored layers, against scans and the calendar of another library.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::time_parts::{ZONES, local, set_times};
use super::*;
use kiln_core::calendar::{TimePart, TimePartFilter};
use kiln_core::geo::Polygon;
use kiln_core::matrix::{Axis, AxisKeys, BinQuantity, MatrixRequest, NumberBins, scan_matrix};
use kiln_core::source::{MemorySource, PointSet};

fn axis() -> impl Strategy<Value = Axis> {
    let bins = |quantity, width| Axis::Bins(quantity, NumberBins::of_width(width).unwrap());
    let mut axes: Vec<Axis> = TimePart::ALL.iter().map(|part| Axis::Time(*part)).collect();
    axes.extend([Axis::Whole, Axis::Category, Axis::Category, bins(BinQuantity::Weight, 2.5)]);
    axes.push(bins(BinQuantity::Lon, 30.0));
    prop::sample::select(axes)
}

fn layer(columns: &Columns) -> (tempfile::TempDir, Arc<Snapshot>) {
    let (folder, store) = store();
    let snapshot = layer_of(&store, columns, 3).snapshot();
    (folder, snapshot)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn matrices_of_stored_layers_are_those_of_their_points(
        (x, y) in (axis(), axis()).prop_filter("too many cells", |(x, y)| x != y),
        zone in prop::sample::select(ZONES.to_vec()),
        (hours, start) in (prop::option::of(0..24i64), prop::option::of(1_650_000_000_000_000..1_730_000_000_000_000i64)),
        categories in 0..3usize,
        polygon in prop::option::of(prop::sample::select(vec![[170.0, 195.0], [-10.0, 20.0], [-190.0, -175.0]])),
        is_weighted: bool,
        (threads, seed) in (1..4usize, any::<u64>()),
    ) {
        let mut columns = some_points(4000, seed);
        set_times(&mut columns, seed);
        let (_folder, snapshot) = layer(&columns);
        let hours = hours.and_then(|hour| kiln_core::calendar::Hours::of([hour, (hour + 9) % 24]));
        let zone = TimeZone::get(zone).unwrap();
        let parts = TimePartFilter::new(hours, None, None, zone.clone());
        let polygon = polygon.map(|[west, east]| {
            let ring = vec![[west, -30.0], [east, -40.0], [east, 70.0], [west, 60.0], [west, -30.0]];
            Arc::new(Polygon::new(&[vec![ring]]).unwrap())
        });
        let query = Query::default()
            .with_weights(is_weighted)
            .with_start(start)
            .with_category_filter(NAMES[..categories].iter().map(ToString::to_string).collect())
            .with_polygon(polygon)
            .with_time_parts(parts.into_iter().collect());
        let request = MatrixRequest::new(x, y).with_zone(zone);
        let matrix = PointSet::matrix(&*snapshot, &query, &request, threads).unwrap();
        prop_assert_eq!(&matrix, &scan_matrix(&*snapshot, &query, &request, 1).unwrap());
        // The points in memory have the exact positions, which are rounded in the store.
        if query.filter.polygon.is_none() && !request.axes().iter().any(|axis| axis.needs_positions()) {
            let names = names();
            let points = Points::new(&columns.lon, &columns.lat).unwrap().with_weight(&columns.weight).unwrap();
            let points = points.with_time(&columns.time).unwrap();
            let points = points.with_category(Categories { codes: &columns.code, names: &names }).unwrap();
            let plain = scan_matrix(&MemorySource(points), &query, &request, 1).unwrap();
            prop_assert_eq!((matrix.x, matrix.y, matrix.cells, matrix.unplaced), (plain.x, plain.y, plain.cells, plain.unplaced));
        }
    }
}

#[test]
fn the_week_of_a_layer_is_that_of_another_calendar() {
    let mut columns = some_points(20_000, 8);
    set_times(&mut columns, 8);
    let (_folder, snapshot) = layer(&columns);
    for zone in ZONES {
        let zone = TimeZone::get(zone).unwrap();
        let mut expected: BTreeMap<[i64; 2], (u64, f64)> = BTreeMap::new();
        for (&time_us, &weight) in
            columns.time.iter().zip(&columns.weight).filter(|(time, _)| **time != Points::NO_TIME)
        {
            let local = local(time_us, &zone);
            let key = [local.weekday().to_monday_zero_offset().into(), local.hour().into()];
            let (count, sum) = expected.entry(key).or_default();
            *count += 1;
            *sum += f64::from(weight);
        }
        let request = MatrixRequest::new(Axis::Time(TimePart::Hour), Axis::Time(TimePart::Weekday)).with_zone(zone);
        let matrix = snapshot.matrix(&Query::default().with_weights(true), &request, 2).unwrap();
        let numbers = |keys: &AxisKeys| match keys {
            AxisKeys::Numbers(numbers) => numbers.clone(),
            AxisKeys::Names(_) => Vec::new(),
        };
        let (x, y) = (numbers(&matrix.x), numbers(&matrix.y));
        let cells: BTreeMap<_, _> = matrix
            .cells
            .iter()
            .map(|cell| ([y[cell.y as usize], x[cell.x as usize]], (cell.count, cell.sum)))
            .collect();
        assert_eq!(cells, expected);
        assert_eq!(matrix.unplaced, 400);
    }
}

#[test]
fn bounds_of_interest_skip_other_points_of_a_matrix() {
    let columns = some_points(40_000, 4);
    let (_folder, snapshot) = layer(&columns);
    let request = MatrixRequest::new(Axis::Category, Axis::Whole);
    let near = Query::default().with_near(Some(Bounds::new(179.95, -16.9, 180.05, -16.2).unwrap()));
    let matrix = snapshot.matrix(&near, &request, 2).unwrap();
    assert_eq!(matrix, scan_matrix(&*snapshot, &near, &request, 2).unwrap());
    let count: u64 = matrix.cells.iter().map(|cell| cell.count).sum();
    assert!((1000..20_000).contains(&count), "{count}");
}

#[test]
fn a_matrix_is_cancelled_and_limited() {
    let columns = some_points(9000, 4);
    let (_folder, snapshot) = layer(&columns);
    let stop = AtomicBool::new(true);
    let request = MatrixRequest::new(Axis::Category, Axis::Whole);
    let cancelled = snapshot.matrix(&Query::default().with_stop(Some(&stop)), &request, 2).unwrap_err();
    assert!(matches!(cancelled, Error::Cancelled), "{cancelled}");
    let error = snapshot.matrix(&Query::default(), &request.with_max_cells(2), 2).unwrap_err().to_string();
    assert!(error.starts_with("x: the matrix has more than 2 cells"), "{error}");
}
