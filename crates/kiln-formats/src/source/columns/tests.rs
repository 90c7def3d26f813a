//! Tests of the conversion of columns to points, independent of the format.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};

use super::TablePoints;
use crate::source::table::{BatchSink, PartResult, Request, Table, TableScan};
use crate::source::testing::{self, marks, rejections};
use crate::source::{AxisOrder, Columns, Query, ReadOptions, ScanReport};

/// A table of batches in memory.
#[derive(Clone)]
struct Rows {
    schema: Schema,
    batches: Vec<RecordBatch>,
    is_open: bool,
    is_positional: bool,
}

impl Table for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn is_open(&self) -> bool {
        self.is_open
    }

    fn is_positional(&self) -> bool {
        self.is_positional
    }

    fn scan<'t>(&'t self, request: &'t Request<'t>) -> kiln_core::error::Result<Box<dyn TableScan + 't>> {
        Ok(Box::new(Scan(self, request)))
    }
}

struct Scan<'t>(&'t Rows, &'t Request<'t>);

impl TableScan for Scan<'_> {
    fn parts(&self) -> usize {
        self.0.batches.len()
    }

    fn bytes(&self) -> u64 {
        0
    }

    fn read_part(&self, part: usize, rows: &mut dyn BatchSink) -> PartResult {
        let batch = &self.0.batches[part];
        let columns = self.1.columns.iter().map(|column| match column.index {
            Some(index) => Arc::clone(batch.column(index)),
            None => Arc::new(StringArray::new_null(batch.num_rows())) as ArrayRef,
        });
        let columns: Vec<_> = columns.collect();
        let fields: Vec<_> = columns.iter().map(|column| Field::new("", column.data_type().clone(), true)).collect();
        let batch = RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap();
        Ok(if rows.batch(&batch).is_break() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn strings(values: &[&str]) -> ArrayRef {
    Arc::new(values.iter().map(|value| (!value.is_empty()).then_some(*value)).collect::<StringArray>())
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values.iter().copied()))
}

fn rows(columns: Vec<(&str, ArrayRef)>) -> Rows {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    Rows { schema: Schema::clone(&batch.schema()), batches: vec![batch], is_open: false, is_positional: false }
}

/// Two points at (1, 10) and (2, 20) with an additional column.
fn two(name: &str, column: ArrayRef) -> Rows {
    rows(vec![("lon", numbers(&[1.0, 2.0])), ("lat", numbers(&[10.0, 20.0])), (name, column)])
}

fn scan(rows: &Rows, query: &Query<'_>) -> testing::Scanned {
    testing::scan(&TablePoints::of(rows.clone(), &ReadOptions::default()), query, 1)
}

fn marked(rows: &Rows, query: &Query<'_>, options: &ReadOptions) -> (Vec<testing::Marked>, ScanReport) {
    testing::scan_marked(&TablePoints::of(rows.clone(), options), query).unwrap()
}

fn named(set: impl FnOnce(&mut Columns)) -> Query<'static> {
    let mut query = Query::default().with_weights(true).with_times(true).with_categories(true);
    set(&mut query.columns.names);
    query
}

fn remarks(report: &ScanReport) -> Vec<String> {
    report.remarks().iter().map(ToString::to_string).collect()
}

#[test]
fn an_invalid_weight_rejects_the_row_only_if_the_user_named_the_column() {
    let some = two("count", strings(&["X", "7"]));
    let (points, report) = scan(&some, &testing::weighted(None)).unwrap();
    assert_eq!(points, [(1.0, 10.0, 1.0), (2.0, 20.0, 7.0)]);
    assert_eq!(
        remarks(&report),
        [
            "rows: 1 value is left out of the weight column `count` and those points weigh 1 (row 1: count: \"X\" is not a \
          number); name another column or `none` with weight"
        ]
    );
    let (points, report) = scan(&some, &testing::weighted(Some("count"))).unwrap();
    assert_eq!((points, rejections(&report)), (vec![(2.0, 20.0, 7.0)], vec![(1, "count: \"X\" is not a number")]));

    let (points, report) = scan(&two("value", strings(&["low", "high"])), &testing::weighted(None)).unwrap();
    assert_eq!((points.len(), report.unweighted), (2, 2));
    assert_eq!(
        remarks(&report),
        [
            "rows: the column `value` holds no numbers in its first rows (such as \"low\") and is not used as the weight; every point \
          weighs 1; name another column with weight"
        ]
    );
    let (points, report) = scan(&some, &testing::weighted(Some("none"))).unwrap();
    assert_eq!((points[1].2, report.unweighted, report.remarks().len()), (1.0, 2, 0));
}

#[test]
fn a_common_name_without_numbers_is_skipped_for_the_next() {
    let columns = vec![
        ("lon", numbers(&[1.0])),
        ("lat", numbers(&[2.0])),
        ("value", strings(&["low"])),
        ("count", strings(&["3"])),
    ];
    let (points, report) = scan(&rows(columns), &testing::weighted(None)).unwrap();
    assert_eq!((points, report.remarks().len()), (vec![(1.0, 2.0, 3.0)], 0));
}

#[test]
fn the_order_of_day_and_month_is_found_anywhere_in_the_column() {
    let mut table = two("date", strings(&["05/01/2024", "06/01/2024"]));
    let (seen, report) = marked(&table, &testing::marked(), &ReadOptions::default());
    assert_eq!(seen, marks(&[(1.0, None, None), (2.0, None, None)]));
    assert!(remarks(&report)[0].contains("set day_first to true or false"), "{report:?}");
    // The first value that shows the order is after the sample.
    let filler = two("date", strings(&["05/01/2024"; 2])).batches[0].clone();
    table.batches = vec![filler; 600];
    table.batches.push(two("date", strings(&["13/01/2024", ""])).batches[0].clone());
    let (seen, report) = marked(&table, &testing::marked(), &ReadOptions::default());
    let day_us = |day: i64| Some(1_704_067_200_000_000 + (day - 1) * 86_400_000_000);
    assert_eq!((seen[0].1, seen[1200].1, seen[1201].1), (day_us(5), day_us(13), None));
    assert_eq!(report.remarks().len(), 0);
    let first = ReadOptions { day_first: Some(false), ..ReadOptions::default() };
    let (seen, _) = marked(&two("date", strings(&["01/05/2024", "01/06/2024"])), &testing::marked(), &first);
    assert_eq!((seen[0].1, seen[1].1), (day_us(5), day_us(6)));
}

#[test]
fn a_date_and_a_time_of_day_are_combined() {
    let with = |date: &str, time: &str| {
        let columns = vec![
            ("lon", numbers(&[1.0, 2.0])),
            ("lat", numbers(&[1.0, 2.0])),
            (date, strings(&["2024-01-01", "2024-01-02"])),
            (time, strings(&["12:00:00", ""])),
        ];
        rows(columns)
    };
    let expected = [Some(1_704_110_400_000_000), Some(1_704_153_600_000_000)];
    let times = |rows: &Rows, query: &Query<'_>| {
        marked(rows, query, &ReadOptions::default()).0.iter().map(|mark| mark.1).collect::<Vec<_>>()
    };
    assert_eq!(times(&with("date", "time"), &testing::marked()), expected);
    let query = named(|names| names.time = Some("seen+at".to_owned()));
    assert_eq!(times(&with("seen", "at"), &query), expected);
}

#[test]
fn a_time_filter_without_readable_times_is_an_error() {
    let table = two("time", strings(&["soon", "later"]));
    let message = scan(&table, &Query::default().with_start(Some(0))).unwrap_err().to_string();
    assert!(message.starts_with("rows: the column `time` holds no times: \"soon\" is not a time such as"), "{message}");
    let none = named(|names| names.time = Some("none".to_owned())).with_start(Some(0));
    let message = scan(&table, &none).unwrap_err().to_string();
    assert_eq!(message, "rows: points cannot be filtered by time, because the column is set to none with time");
}

#[test]
fn coordinates_are_found_by_a_pair_of_names() {
    let with = |names: &[&str]| {
        let values = [59.0, 18.0, 40.0, -74.0];
        rows(names.iter().zip(values).map(|(name, value)| (*name, numbers(&[value]))).collect())
    };
    for names in [["stop_lat", "stop_lon"], ["decimalLatitude", "decimalLongitude"], ["Lat (deg)", "Lon (deg)"]] {
        assert_eq!(scan(&with(&names), &Query::default()).unwrap().0, [(18.0, 59.0, 1.0)], "{names:?}");
    }
    let e7 = rows(vec![("latitudeE7", numbers(&[593_300_000.0])), ("longitudeE7", numbers(&[180_700_000.0]))]);
    let (points, _) = scan(&e7, &Query::default()).unwrap();
    assert!((points[0].0 - 18.07).abs() < 1e-9 && (points[0].1 - 59.33).abs() < 1e-9, "{points:?}");
    let two_pairs = with(&["start_lat", "start_lng", "end_lat", "end_lng"]);
    assert_eq!(
        scan(&two_pairs, &Query::default()).unwrap_err().to_string(),
        "rows: 2 pairs of columns could hold the coordinates; name one with lon \"start_lng\" and lat \"start_lat\", or lon \
         \"end_lng\" and lat \"end_lat\""
    );
    // The other column of a pair, and column numbers from 1.
    let query = named(|names| names.lon = Some("end_lng".to_owned()));
    assert_eq!(scan(&two_pairs, &query).unwrap().0, [(-74.0, 40.0, 1.0)]);
    let query = named(|names| (names.lon, names.lat) = (Some("4".to_owned()), Some("3".to_owned())));
    assert_eq!(scan(&two_pairs, &query).unwrap().0, [(-74.0, 40.0, 1.0)]);
}

#[test]
fn hemisphere_columns_set_the_sign() {
    let columns = vec![
        ("LATITUDE", numbers(&[59.33, 33.87, 1.0])),
        ("N/S", strings(&["N", "S", ""])),
        ("LONGITUDE", numbers(&[18.07, 151.2, 1.0])),
        ("E/W", strings(&["E", "W", "E"])),
    ];
    let (points, report) = scan(&rows(columns), &Query::default()).unwrap();
    assert_eq!(points, [(18.07, 59.33, 1.0), (-151.2, -33.87, 1.0)]);
    assert_eq!(
        rejections(&report),
        [(3, "LATITUDE: the hemisphere \"\" of 1.0 is not N or S, or contradicts its sign")]
    );
}

#[test]
fn columns_without_names_may_have_the_latitude_first() {
    let mut table = rows(vec![("x", numbers(&[59.0])), ("y", numbers(&[18.0]))]);
    table.is_positional = true;
    let options = ReadOptions { order: Some(AxisOrder::LatLon), ..ReadOptions::default() };
    let source = TablePoints::of(table.clone(), &options);
    assert_eq!(testing::scan(&source, &Query::default(), 1).unwrap().0, [(18.0, 59.0, 1.0)]);
    // Names determine the order.
    table.is_positional = false;
    let source = TablePoints::of(table, &options);
    assert_eq!(testing::scan(&source, &Query::default(), 1).unwrap().0, [(59.0, 18.0, 1.0)]);
}

#[test]
fn wrapped_longitudes_are_counted() {
    let table = rows(vec![("lon", numbers(&[-201.2, 190.0, 180.0])), ("lat", numbers(&[1.0; 3]))]);
    let (points, report) = scan(&table, &Query::default()).unwrap();
    assert_eq!((points.len(), report.wrapped), (3, 2));
    assert!(remarks(&report)[0].starts_with("2 points with a longitude beyond ±180°"), "{report:?}");
}

#[test]
fn a_column_that_no_row_of_an_open_table_has_is_an_error() {
    let mut table = two("kind", strings(&["a", "b"]));
    table.is_open = true;
    let message = scan(&table, &testing::weighted(Some("kund"))).unwrap_err().to_string();
    assert_eq!(message, "rows: no row has a column \"kund\"; there are \"kind\", \"lon\", \"lat\"");
}

#[test]
fn one_invalid_time_of_day_affects_only_its_row() {
    let with = |times: &[&str], name: &str| {
        let dates = vec!["2024-01-01"; times.len()];
        let coordinate = || numbers(&vec![1.0; times.len()]);
        rows(vec![("lon", coordinate()), ("lat", coordinate()), ("date", strings(&dates)), (name, strings(times))])
    };
    let minutes = |rows: &Rows, query: &Query<'_>| {
        let (seen, report) = marked(rows, query, &ReadOptions::default());
        let minute = |time_us: i64| (time_us - 1_704_067_200_000_000) / 60_000_000;
        (seen.iter().map(|mark| mark.1.map(minute)).collect::<Vec<_>>(), report)
    };
    let (times, report) = minutes(&with(&["10:30", "n/a", "noon"], "time"), &testing::marked());
    assert_eq!((times, report.ignored[0].values), (vec![Some(630), Some(0), None], 1));
    // Digits next to a date are not years.
    let (times, report) = minutes(&with(&["1315", "0930", "093000"], "time"), &testing::marked());
    assert_eq!((times, report.ignored.len()), (vec![Some(795), Some(570), Some(570)], 0));
    let query = named(|names| names.time = Some("date+hour".to_owned()));
    let (times, report) = minutes(&with(&["15:30", "x"], "hour"), &query);
    assert_eq!((times, rejections(&report)[0].0), (vec![Some(930)], 2));
}

#[test]
fn a_geometry_with_another_srid_than_the_first_is_rejected() {
    let column =
        strings(&["SRID=3857;POINT EMPTY", "SRID=3857;POINT(2003750.83 0)", "SRID=4326;POINT(18 59)", "POINT(1 2)"]);
    let (points, report) = scan(&rows(vec![("geom", column)]), &Query::default()).unwrap();
    assert!(points.len() == 1 && (points[0].0 - 18.0).abs() < 1e-4, "{points:?}");
    let reason = "geom: the geometry is in EPSG:4326, the first one in EPSG:3857; all geometries must be in the same reference system";
    assert_eq!(rejections(&report)[1..], [(3, reason), (4, reason)]);
}

#[test]
fn columns_can_be_selected_by_number() {
    let table = rows(vec![("name", strings(&["a"])), ("", numbers(&[18.0])), ("", numbers(&[59.0]))]);
    let query = named(|names| (names.lon, names.lat) = (Some("2".to_owned()), Some("3".to_owned())));
    assert_eq!(scan(&table, &query).unwrap().0, [(18.0, 59.0, 1.0)]);
}

#[test]
fn a_declared_geometry_takes_precedence_over_coordinate_columns() {
    use super::EXTENSION_NAME;
    let mut table = two("geom", strings(&["POINT(5 6)", "POINT(7 8)"]));
    let fields = table.schema.fields().iter().map(|field| Field::clone(field));
    let mut fields: Vec<Field> = fields.collect();
    fields[2] = fields[2]
        .clone()
        .with_metadata(std::collections::HashMap::from([(EXTENSION_NAME.to_owned(), "geoarrow.wkt".to_owned())]));
    table.schema = Schema::new(fields);
    assert_eq!(scan(&table, &Query::default()).unwrap().0, [(5.0, 6.0, 1.0), (7.0, 8.0, 1.0)]);
}

#[test]
fn hemispheres_and_scales_that_contradict_the_values_reject_the_row() {
    let columns = vec![
        ("lat", numbers(&[33.9, -33.9, 10.0])),
        ("ns", strings(&["S", "N", "-"])),
        ("lon", numbers(&[151.2, 1.0, 20.0])),
        ("ew", strings(&["E", "E", "-"])),
    ];
    let (points, report) = scan(&rows(columns), &Query::default()).unwrap();
    assert_eq!((points, report.rejected), (vec![(151.2, -33.9, 1.0)], 2));
    let e7 = rows(vec![("latitudeE7", numbers(&[59.33])), ("longitudeE7", numbers(&[18.07]))]);
    let (_, report) = scan(&e7, &Query::default()).unwrap();
    assert_eq!(rejections(&report), [(1, "longitudeE7: 18.07 is not an integer of 10⁻⁷ degrees")]);
    let seven = rows(vec![("latitude7", numbers(&[59.33])), ("longitude7", numbers(&[18.07]))]);
    assert_eq!(scan(&seven, &Query::default()).unwrap().0, [(18.07, 59.33, 1.0)]);
}

#[test]
fn tracks_are_read_on_request() {
    use kiln_core::geo::Points;
    let mut with_tracks = two("device_id", strings(&["17", ""]));
    let tracks = |rows: &Rows, query: &Query<'_>| {
        let points = TablePoints::of(rows.clone(), &ReadOptions::default());
        let (columns, report) = testing::gather(&points, query).unwrap();
        (columns.points().track().map(<[u64]>::to_vec), report)
    };
    let query = Query::default().with_tracks(true);
    assert_eq!(tracks(&with_tracks, &query).0.unwrap(), [Points::track_id("17"), Points::NO_TRACK]);
    assert_eq!(tracks(&with_tracks, &Query::default()).0, None);
    let none = named(|columns| columns.track = Some(Columns::NO_COLUMN.to_owned()));
    assert_eq!(tracks(&with_tracks, &none.with_tracks(true)).0, None);
    let other = named(|columns| columns.track = Some("weight".to_owned())).with_tracks(true);
    let error = testing::gather(&TablePoints::of(with_tracks.clone(), &ReadOptions::default()), &other).unwrap_err();
    assert!(error.to_string().contains("there is no column \"weight\" for the track"), "{error}");
    // Rows with an invalid point are read one by one.
    with_tracks.batches.push(
        rows(vec![
            ("lon", numbers(&[1.0, f64::NAN, 3.0])),
            ("lat", numbers(&[1.0, 2.0, 3.0])),
            ("device_id", strings(&["4", "5", ""])),
        ])
        .batches
        .remove(0),
    );
    let (tracks, report) = tracks(&with_tracks, &query);
    assert_eq!(tracks.unwrap()[2..], [Points::track_id("4"), Points::NO_TRACK]);
    assert_eq!(report.rejected, 1);
}

#[test]
fn an_input_without_coordinates_is_read_if_none_are_needed() {
    let table = rows(vec![("weight", numbers(&[2.0, 3.0])), ("place", strings(&["a", "b"]))]);
    let query = Query::default().with_weights(true);
    let error = scan(&table, &query).unwrap_err().to_string();
    assert!(error.contains("longitude"), "{error}");
    let without = query.with_positions(false);
    assert_eq!(scan(&table, &without).unwrap().0, [(0.0, 0.0, 2.0), (0.0, 0.0, 3.0)]);
    let polygon = kiln_core::geo::Polygon::new(&[vec![vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]]]]).unwrap();
    let within = without.clone().with_polygon(Some(std::sync::Arc::new(polygon)));
    assert!(scan(&table, &within).unwrap_err().to_string().contains("longitude"));
    // Existing coordinates are read, so that invalid rows are rejected by any query.
    let positions = rows(vec![("lon", numbers(&[1.0, f64::NAN])), ("lat", numbers(&[5.0, 6.0]))]);
    let (points, report) = scan(&positions, &Query::default().with_positions(false)).unwrap();
    assert_eq!((points, report.rejected), (vec![(1.0, 5.0, 1.0)], 1));
    let mut named = named(|columns| columns.lon = Some("east".to_owned())).with_positions(false);
    named.columns.weights = true;
    assert!(scan(&table, &named).unwrap_err().to_string().contains("\"east\""));
}
