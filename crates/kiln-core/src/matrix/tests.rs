//! Matrices of points in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::calendar::TimePart;
use crate::geo::Categories;
use crate::raster::Sums;
use crate::source::MemorySource;

const LON: [f64; 5] = [0.5, 1.5, 2.5, 1.5, 3.5];

fn times() -> [i64; 5] {
    // Mondays 07:30, 07:45 and 09:00, a Tuesday at 07:00, and no time; UTC.
    let time = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
    [
        time("2024-05-06T07:30:00Z"),
        time("2024-05-13T07:45:00Z"),
        time("2024-05-06T09:00:00Z"),
        time("2024-05-07T07:00:00Z"),
        Points::NO_TIME,
    ]
}

fn cells(matrix: &PointMatrix) -> Vec<(u32, u32, u64, f64, f64)> {
    matrix.cells.iter().map(|cell| (cell.x, cell.y, cell.count, cell.sum, cell.max)).collect()
}

#[test]
fn points_are_grouped_by_parts_of_local_time() {
    let times = times();
    let points = Points::new(&LON, &LON).unwrap().with_weight(&[1.5, 2.0, -4.0, 8.0, 9.0]).unwrap();
    let points = MemorySource(points.with_time(&times).unwrap());
    let request = MatrixRequest::new(Axis::Time(TimePart::Hour), Axis::Time(TimePart::Weekday));
    let query = Query::default().with_weights(true);
    for threads in [1, 3] {
        let matrix = scan_matrix(&points, &query, &request, threads).unwrap();
        assert_eq!(matrix.x, AxisKeys::Numbers(vec![7, 9]));
        assert_eq!(matrix.y, AxisKeys::Numbers(vec![0, 1]));
        assert_eq!(cells(&matrix), [(0, 0, 2, 3.5, 2.0), (1, 0, 1, -4.0, -4.0), (0, 1, 1, 8.0, 8.0)]);
        assert_eq!(matrix.unplaced, 1);
    }
    let request = request.with_zone(TimeZone::get("Asia/Kathmandu").unwrap());
    let matrix = scan_matrix(&points, &query, &request, 2).unwrap();
    assert_eq!(matrix.x, AxisKeys::Numbers(vec![12, 13, 14]), "the offset is 5:45");
}

#[test]
fn points_are_grouped_by_category_and_bins() {
    let names = ["b".into(), "a".into(), "unused".into()];
    let categories = Categories { codes: &[0, 0, 1, Categories::NONE, 1], names: &names };
    let points = MemorySource(Points::new(&LON, &LON).unwrap().with_category(categories).unwrap());
    let bins = Axis::Bins(BinQuantity::Lon, NumberBins::between(0.0, 2.5, 2).unwrap());
    let request = MatrixRequest::new(Axis::Category, bins);
    let matrix = scan_matrix(&points, &Query::default(), &request, 2).unwrap();
    assert_eq!(matrix.x, AxisKeys::Names(vec!["a".into(), "b".into()]));
    assert_eq!(matrix.y, AxisKeys::Numbers(vec![0, 1]));
    assert_eq!(cells(&matrix), [(1, 0, 1, 1.0, 1.0), (0, 1, 1, 1.0, 1.0), (1, 1, 1, 1.0, 1.0)]);
    assert_eq!(matrix.unplaced, 2, "one without a category, and one beyond the bins");
    let whole = MatrixRequest::new(Axis::Category, Axis::Whole);
    assert_eq!(scan_matrix(&points, &Query::default(), &whole, 1).unwrap().y.len(), 1);
}

#[test]
fn copies_count_as_that_many_points() {
    let points = Points::new(&LON, &LON).unwrap().with_weight(&[1.5, 2.0, -4.0, 8.0, 9.0]).unwrap();
    let request = MatrixRequest::new(Axis::Whole, Axis::Whole);
    let mut sums = MatrixAccumulator::new(&request).unwrap();
    assert!(sums.add_copies(points, &[2, 0, 1, 0, 0]).is_continue());
    assert_eq!(cells(&sums.finish().unwrap()), [(0, 0, 3, -1.0, 1.5)]);
}

#[test]
fn too_many_cells_and_columns_of_tables_are_errors() {
    let lon: Vec<f64> = (-50..50).map(f64::from).collect();
    let points = MemorySource(Points::new(&lon, &lon).unwrap());
    let degree = || NumberBins::of_width(1.0).unwrap();
    let request = MatrixRequest::new(Axis::Bins(BinQuantity::Lon, degree()), Axis::Bins(BinQuantity::Lat, degree()));
    let scan = |request: &MatrixRequest| scan_matrix(&points, &Query::default(), request, 2);
    assert_eq!(scan(&request.clone().with_max_cells(10_000)).unwrap().cells.len(), 100);
    let error = scan(&request.clone().with_max_cells(9_999)).unwrap_err().to_string();
    assert_eq!(error, "x: the matrix has more than 9999 cells, the limit; use axes with fewer values, or fewer points");
    let error = scan(&MatrixRequest::new(Axis::Whole, Axis::Column("speed".into()))).unwrap_err().to_string();
    assert!(error.starts_with("y: `speed` is unknown"), "{error}");
    assert!(scan(&request.with_value(Some("v".into()))).unwrap_err().to_string().starts_with("value: "));
}

/// A point with any of its fields.
#[derive(Clone, Debug)]
struct Row {
    lon: f64,
    weight: f32,
    time_us: i64,
    code: u32,
}

fn row() -> impl Strategy<Value = Row> {
    let weight = prop_oneof![-1e3f32..1e3, -1e9f32..1e9, Just(0.1f32), Just(0.0f32), Just(1.7e13f32), Just(3.0e-10f32)];
    let time_us =
        prop_oneof![Just(Points::NO_TIME), -2e15 as i64..4e15 as i64, 1.7e15 as i64..1.71e15 as i64, Just(i64::MAX)];
    let code = prop_oneof![0..5u32, Just(Categories::NONE)];
    let lon = prop_oneof![-40f64..40.0, -3f64..3.0];
    (lon, weight, time_us, code).prop_map(|(lon, weight, time_us, code)| Row { lon, weight, time_us, code })
}

/// The key of a row on an axis by definition.
fn key(axis: &Axis, row: &Row, names: &[Box<str>], zone: &TimeZone) -> Option<(i64, Box<str>)> {
    let number = match axis {
        Axis::Whole => Some(0),
        Axis::Time(part) if row.time_us != Points::NO_TIME => {
            Some(crate::calendar::LocalClock::new(zone).part(*part, row.time_us))
        }
        Axis::Bins(BinQuantity::Lon, bins) => bins.index(row.lon),
        Axis::Bins(_, bins) => bins.index(f64::from(row.weight)),
        Axis::Category => return names.get(row.code as usize).map(|name| (0, name.clone())),
        Axis::Time(_) | Axis::Column(_) => None,
    };
    number.map(|number| (number, "".into()))
}

fn axis() -> impl Strategy<Value = Axis> {
    let times = prop::sample::select(TimePart::ALL.to_vec()).prop_map(Axis::Time);
    let width = prop::sample::select(vec![0.5, 7.0, 1e-6]);
    let bins = prop_oneof![
        width.prop_map(|width| NumberBins::of_width(width).unwrap()),
        Just(NumberBins::between(-2.0, 2.0, 9).unwrap()),
    ];
    let quantity = prop::sample::select(vec![BinQuantity::Lon, BinQuantity::Weight]);
    prop_oneof![4 => times, 1 => Just(Axis::Whole), 2 => Just(Axis::Category),
        2 => (quantity, bins).prop_map(|(quantity, bins)| Axis::Bins(quantity, bins))]
}

type Sum = (u64, i128, f32);
type Cells = BTreeMap<[(i64, Box<str>); 2], Sum>;

/// The cells of rows by definition, each of which is there `copies` times, and the number of points in none.
fn by_definition(rows: &[(Row, u32, bool)], request: &MatrixRequest, names: &[Box<str>]) -> (Cells, u64) {
    let (mut cells, mut unplaced) = (Cells::new(), 0);
    for (row, copies, is_weighted) in rows.iter().filter(|(_, copies, _)| *copies > 0) {
        let row = Row { weight: if *is_weighted { row.weight } else { 1.0 }, ..row.clone() };
        let key = |axis| key(axis, &row, names, &request.zone);
        let (Some(x), Some(y)) = (key(&request.x), key(&request.y)) else {
            unplaced += u64::from(*copies);
            continue;
        };
        let (count, units, max) = cells.entry([y, x]).or_insert((0, 0, f32::NEG_INFINITY));
        *count += u64::from(*copies);
        *units += (f64::from(row.weight) / Sums::UNIT).round() as i128 * i128::from(*copies);
        *max = max.max(row.weight);
    }
    (cells, unplaced)
}

proptest! {
    #[test]
    fn cells_are_those_of_the_definition_in_any_order_and_on_any_number_of_threads(
        batches in prop::collection::vec((prop::collection::vec((row(), 0..4u32), 1..60), any::<bool>(), 0..3usize), 1..5),
        x in axis(),
        y in axis(),
        zone in prop::sample::select(vec!["UTC", "Asia/Kathmandu", "America/New_York", "Africa/Monrovia"]),
        is_copied: bool,
        workers in 1..3usize,
    ) {
        let names: Vec<Box<str>> = ["e", "d", "c", "b", "a"].map(Into::into).into();
        let request = MatrixRequest::new(x, y).with_zone(TimeZone::get(zone).unwrap());
        let mut accumulators = MatrixAccumulator::for_workers(&request, workers).unwrap();
        let mut all = Vec::new();
        for (index, (rows, is_weighted, turn)) in batches.iter().enumerate() {
            // Each batch has the names in another order.
            let mut own = names.clone();
            own.rotate_left(*turn);
            let code = |code: u32| if code < 5 { (code + 5 - *turn as u32) % 5 } else { code };
            let column = |of: fn(&Row) -> f64| rows.iter().map(|(row, _)| of(row)).collect::<Vec<_>>();
            let (lon, copies) = (column(|row| row.lon), rows.iter().map(|(_, copies)| *copies).collect::<Vec<_>>());
            let weight: Vec<f32> = rows.iter().map(|(row, _)| row.weight).collect();
            let time: Vec<i64> = rows.iter().map(|(row, _)| row.time_us).collect();
            let codes: Vec<u32> = rows.iter().map(|(row, _)| code(row.code)).collect();
            let points = Points::new(&lon, &lon).unwrap().with_time(&time).unwrap();
            let points = points.with_category(Categories { codes: &codes, names: &own }).unwrap();
            let points = if *is_weighted { points.with_weight(&weight).unwrap() } else { points };
            let accumulator = &mut accumulators[index % workers];
            let flow = match (is_copied, index % 2) {
                (true, _) => accumulator.add_copies(points, &copies),
                (false, 0) => accumulator.add(points),
                // The names of a dictionary do not change while its number is the same.
                (false, _) => accumulator.add_from(*turn, points),
            };
            prop_assert!(flow.is_continue());
            all.extend(rows.iter().map(|(row, copies)| (row.clone(), if is_copied { *copies } else { 1 }, *is_weighted)));
        }
        let matrix = MatrixAccumulator::finish_all(accumulators).unwrap();
        let (expected, unplaced) = by_definition(&all, &request, &names);
        prop_assert_eq!(matrix.unplaced, unplaced);
        let key = |keys: &AxisKeys, index: u32| match keys {
            AxisKeys::Numbers(numbers) => (numbers[index as usize], "".into()),
            AxisKeys::Names(names) => (0, names[index as usize].clone()),
        };
        let cells: Vec<_> = matrix
            .cells
            .iter()
            .map(|cell| ([key(&matrix.y, cell.y), key(&matrix.x, cell.x)], (cell.count, cell.sum, cell.max)))
            .collect();
        let exact = |(key, (count, units, max)): ([_; 2], Sum)| {
            (key, (count, units as f64 * Sums::UNIT, f64::from(max)))
        };
        prop_assert_eq!(cells, expected.into_iter().map(exact).collect::<Vec<_>>());
    }
}

#[test]
fn axes_of_unlimited_length_grow() {
    let lon: Vec<f64> = (0..3000).map(|index| f64::from(index % 300) * 0.3 - 50.0).collect();
    let points = MemorySource(Points::new(&lon, &lon).unwrap());
    let bins = Axis::Bins(BinQuantity::Lon, NumberBins::of_width(1e-5).unwrap());
    let matrix = scan_matrix(&points, &Query::default(), &MatrixRequest::new(bins, Axis::Whole), 1).unwrap();
    assert_eq!((matrix.x.len(), matrix.y.len()), (300, 1));
    assert!(matrix.cells.iter().all(|cell| cell.count == 10));
}
