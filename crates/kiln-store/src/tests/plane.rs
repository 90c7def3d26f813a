//! Layers on a plane in meters.

use proptest::prelude::*;

use super::*;
use kiln_core::geo::Polygon;
use kiln_core::source::{MemorySource, scan_cells};

/// x, y and time of points.
type Row = (f64, f64, i64);

fn plane_layer(store: &Store) -> Arc<StoredLayer> {
    store.create_in("floor", CoordinateSpace::Plane, Description::default()).unwrap()
}

fn columns_of(rows: &[Row]) -> Columns {
    let mut columns = Columns::default();
    for (i, &(x, y, time)) in rows.iter().enumerate() {
        columns.lon.push(x);
        columns.lat.push(y);
        columns.weight.push((i % 17) as f32 / 4.0);
        columns.time.push(time);
        columns.code.push(if i % 7 == 0 { Categories::NONE } else { (i % 3) as u32 });
    }
    columns
}

fn plane_points<'a>(columns: &'a Columns, names: &'a [Box<str>]) -> Points<'a> {
    let points = Points::new(&columns.lon, &columns.lat).unwrap().with_weight(&columns.weight).unwrap();
    let points = points.with_time(&columns.time).unwrap();
    points.with_category(Categories { codes: &columns.code, names }).unwrap()
}

fn append(layer: &StoredLayer, rows: &[Row]) -> usize {
    let names = names();
    let mut batch = layer.batch();
    let beyond = batch.add(plane_points(&columns_of(rows), &names));
    layer.append(batch, None).unwrap();
    beyond
}

/// The bits of the positions and the times of all points that pass `query`, sorted.
fn scanned(layer: &StoredLayer, query: &Query<'_>) -> Vec<(u64, u64, i64)> {
    let mut found = Vec::new();
    let mut sink = |points: Points<'_>| {
        let time = |i: usize| points.time_us().map_or(Points::NO_TIME, |time| time[i]);
        found.extend((0..points.len()).map(|i| (points.lon()[i].to_bits(), points.lat()[i].to_bits(), time(i))));
        ControlFlow::Continue(())
    };
    layer.snapshot().scan(&query.clone().with_times(true), &mut [&mut sink]).unwrap();
    found.sort_unstable();
    found
}

fn bits(rows: &[Row]) -> Vec<(u64, u64, i64)> {
    let mut bits: Vec<_> = rows.iter().map(|&(x, y, time)| (x.to_bits(), y.to_bits(), time)).collect();
    bits.sort_unstable();
    bits
}

fn query() -> Query<'static> {
    Query::default().with_coordinate_space(CoordinateSpace::Plane).with_weights(true)
}

fn has_exact(layer: &StoredLayer) -> Vec<bool> {
    layer.snapshot().segments.iter().map(|segment| segment.points.has_exact_positions()).collect()
}

/// Decimals with up to four places on a floor of 40 m × 30 m around 0, many of them on edges of cells.
fn decimals(count: usize, seed: u64) -> Vec<Row> {
    let mut random = Random(seed);
    let mut decimal = |side: f64, places: f64| ((random.next() - 0.5) * side * places).floor() / places;
    (0..count)
        .map(|i| {
            let places = [1.0, 10.0, 100.0, 10_000.0][i % 4];
            (decimal(40.0, places), decimal(30.0, places), i as i64)
        })
        .collect()
}

#[test]
fn positions_are_restored_bit_for_bit_through_append_import_and_compaction() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    let decimal = decimals(9000, 3);
    assert_eq!(append(&layer, &decimal), 0);
    let uneven: Vec<Row> =
        (0..9000).map(|i| (f64::from(i) / 7.0 - 500.0, 0.1 + 0.2 - f64::from(i) * 1e-7, i64::from(i))).collect();
    append(&layer, &uneven);
    assert_eq!(has_exact(&layer), [false, true]);
    let third: Vec<Row> = (0..20).map(|i| (f64::from(i), -0.0, 5)).collect();
    let columns = columns_of(&third);
    let names = names();
    let source = MemorySource(plane_points(&columns, &names));
    layer.import(&source, &query(), ExistingPoints::Keep, None, 2, &Progress::default()).unwrap();
    let all: Vec<Row> = decimal.iter().chain(&uneven).chain(&third).copied().collect();
    assert_eq!(scanned(&layer, &query()), bits(&all));
    layer.compact(2, &Progress::default()).unwrap();
    assert_eq!(has_exact(&layer), [true]);
    assert_eq!(scanned(&layer, &query()), bits(&all));
    // Retention rewrites the segment, and keeps the exact positions.
    let expired = layer.expire(4000, 1, &Progress::default()).unwrap();
    let kept: Vec<Row> = all.into_iter().filter(|row| row.2 >= 4000).collect();
    assert_eq!((expired, kept.len()), (8020, 10_000));
    assert_eq!(scanned(&layer, &query()), bits(&kept));
    let opened = Store::open(store.folder()).unwrap().layer("floor").unwrap().unwrap();
    assert_eq!(scanned(&opened, &query()), bits(&kept));
    assert_eq!(opened.coordinate_space(), CoordinateSpace::Plane);
}

#[test]
fn pictures_are_those_of_the_same_points_in_memory() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    let mut rows = decimals(30_000, 5);
    // One location of many points, on the edge of a cell, and one of positions between the steps.
    rows.extend((0..6000).map(|i| (2.5, -1.5, i)));
    for part in rows.chunks(9000) {
        append(&layer, part);
    }
    layer.compact(2, &Progress::default()).unwrap();
    let uneven: Vec<Row> = (0..9000).map(|i| (1.5 - 1e-9 * f64::from(i % 3), 1.0 + 1e-9, i64::from(i))).collect();
    append(&layer, &uneven);
    // The weights of a part are numbered within it.
    let mut columns = Columns::default();
    for part in rows.chunks(9000).chain([&uneven[..]]) {
        let part = columns_of(part);
        columns.lon.extend(part.lon);
        columns.lat.extend(part.lat);
        columns.weight.extend(part.weight);
        columns.time.extend(part.time);
        columns.code.extend(part.code);
    }
    let names = names();
    let source = MemorySource(plane_points(&columns, &names));
    assert!(layer.snapshot().segments.iter().all(|segment| segment.blocks.is_some()));
    let polygon = Polygon::on_plane(&[vec![vec![[-9.0, -9.0], [1.5, -9.0], [1.5, 8.5], [-9.0, -9.0]]]]).unwrap();
    let polygon = query().with_polygon(Some(Arc::new(polygon)));
    let timed = query().with_start(Some(500)).with_end(Some(9000));
    let bounds = |west, south, east, north| Bounds::new(west, south, east, north).unwrap();
    for (bounds, width, height) in [
        (bounds(-20.0, -15.0, 20.0, 15.0), 80, 60),
        (bounds(-20.0, -15.0, 20.0, 15.0), 33, 71),
        (bounds(0.0, -3.0, 5.0, 2.0), 500, 500),
        (bounds(2.5, -1.6, 2.6, -1.5), 10, 10),
        (bounds(-3e6, -3e6, 3e6, 3e6), 9, 9),
        (bounds(3e5, 0.0, 4e5, 1e5), 9, 9),
    ] {
        let canvas = Canvas::new(Projection::Plane, bounds, width, height).unwrap();
        for query in [&query(), &polygon, &timed] {
            for reduction in [Reduction::CountAndSum, Reduction::Max] {
                let (expected, _) = scan_cells(&source, query, &canvas, reduction, 1).unwrap();
                for threads in [1, 3] {
                    let (cells, _) = layer.snapshot().cells(query, &canvas, reduction, 9.0, threads).unwrap();
                    assert_eq!((&cells.counts, cells.inside), (&expected.counts, expected.inside), "{bounds}");
                    assert_eq!((&cells.sums, &cells.max), (&expected.sums, &expected.max), "{bounds}");
                }
            }
        }
    }
}

#[test]
fn grids_of_scanned_points_are_those_of_the_original_numbers() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    let rows: Vec<Row> = decimals(5000, 8)
        .into_iter()
        .chain((0..5000).map(|i| (f64::from(i - 2500) * 0.1, f64::from(2500 - i) * 0.3, 0)))
        .collect();
    append(&layer, &rows);
    let grid = |rows: &[(u64, u64, i64)]| {
        let mut cells: Vec<[i64; 2]> =
            rows.iter().map(|row| [row.0, row.1].map(|bits| (f64::from_bits(bits) / 0.1).floor() as i64)).collect();
        cells.sort_unstable();
        cells
    };
    assert_eq!(grid(&scanned(&layer, &query())), grid(&bits(&rows)));
}

#[test]
fn the_origin_is_that_of_the_first_points_and_never_changes() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    assert_eq!(layer.snapshot().manifest.space.frame(), None);
    // A batch that was begun before the first points are committed.
    let mut early = layer.batch();
    let names = names();
    early.add(plane_points(&columns_of(&[(674_000.25, 6_600_000.5, 1)]), &names));
    let utm = [(674_321.5, 6_480_822.25, 1), (674_322.5, 6_480_823.25, 2)];
    append(&layer, &utm);
    let frame = layer.snapshot().manifest.space.frame();
    assert_ne!(early.rows.frame, frame.unwrap());
    layer.append(early, None).unwrap();
    let opened = Store::open(store.folder()).unwrap().layer("floor").unwrap().unwrap();
    assert_eq!(append(&opened, &[(1.0, 2.0, 3), (600_000.0, 6_500_000.0, 4), (f64::INFINITY, 0.0, 5)]), 2);
    assert_eq!(opened.snapshot().manifest.space.frame(), frame);
    let all = [utm[0], utm[1], (674_000.25, 6_600_000.5, 1), (600_000.0, 6_500_000.0, 4)];
    assert_eq!(scanned(&opened, &query()), bits(&all));
    // An early batch of points that are outside is rejected, and nothing is appended.
    let mut early = Batch::in_space(CoordinateSpace::Plane);
    early.add(plane_points(&columns_of(&[(0.0, 0.0, 1), (9.0, 9.0, 1), (2e5, 2e5, 4)]), &names));
    let mut other = Batch::in_space(CoordinateSpace::Plane);
    other.add(plane_points(&columns_of(&[(0.0, 0.0, 1)]), &names));
    for batch in [early, other] {
        let message = opened.append(batch, None).unwrap_err().to_string();
        assert!(message.contains("outside the bounds of the layer, 485251.6352,"), "{message}");
    }
    assert_eq!(opened.refresh().unwrap().points(), 4);
}

#[test]
fn points_outside_the_square_are_counted() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    let inside = [(0.0, 0.0, 1), (0.0, 0.0, 1), (214_748.364_7, -214_748.364_8, 2)];
    let outside = [(214_748.364_8, 0.0, 3), (0.0, 3e5, 4)];
    let columns = columns_of(&[&inside[..], &outside].concat());
    let names = names();
    let source = MemorySource(plane_points(&columns, &names));
    let imported = layer.import(&source, &query(), ExistingPoints::Keep, None, 1, &Progress::default()).unwrap();
    assert_eq!((imported.points, imported.beyond_map, imported.report.read), (3, 2, 5));
    let bounds = layer.snapshot().extent().bounds(false).unwrap();
    assert_eq!(bounds, Bounds { west: 0.0, south: -214_748.364_8, east: 214_748.364_7, north: 0.0 });
}

#[test]
fn extents_samples_and_windows_are_in_meters() {
    let (_folder, store) = store();
    let layer = plane_layer(&store);
    let rows: Vec<Row> = (0..20_000).map(|i| (f64::from(i) / 7.0 - 1000.0, f64::from(i % 100) / 3.0, 0)).collect();
    append(&layer, &rows);
    let snapshot = layer.snapshot();
    let max = |axis: fn(&Row) -> f64| rows.iter().map(axis).fold(f64::NEG_INFINITY, f64::max);
    let expected = Bounds { west: -1000.0, south: 0.0, east: max(|row| row.0), north: max(|row| row.1) };
    assert_eq!(snapshot.extent().bounds(false), Some(expected));
    let opened = Store::open(store.folder()).unwrap().layer("floor").unwrap().unwrap().snapshot();
    assert_eq!(opened.extent().bounds(false), Some(expected));
    let all: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
    for query in [query(), query().with_end(Some(1))] {
        let sample = snapshot.sample(&query, 100).unwrap();
        assert!(sample.len() == 100 && sample.iter().all(|position| all.contains(position)));
    }
    let near = Bounds::new(0.0, 5.0, 10.0, 15.0).unwrap();
    let found = scanned(&layer, &query().with_near(Some(near)));
    let inside = |row: &&Row| (0.0..=10.0).contains(&row.0) && (5.0..=15.0).contains(&row.1);
    let inside: Vec<Row> = rows.iter().filter(inside).map(|row| (row.0, row.1, 0)).collect();
    assert!(!inside.is_empty() && bits(&inside).iter().all(|row| found.contains(row)));
    assert!(found.len() < rows.len(), "{}", found.len());
    let far = Bounds::new(3e5, 0.0, 3e5 + 1.0, 1.0).unwrap();
    assert!(scanned(&layer, &query().with_near(Some(far))).is_empty());
}

#[test]
fn points_and_canvases_of_the_other_space_are_rejected() {
    let (_folder, store) = store();
    let globe = layer_of(&store, &some_points(100, 4), 1);
    let plane = plane_layer(&store);
    append(&plane, &decimals(10, 1));
    let map = Canvas::new(Projection::Mercator, Bounds::WORLD, 64, 64).unwrap();
    let floor = Canvas::new(Projection::Plane, Bounds::new(0.0, 0.0, 9.0, 9.0).unwrap(), 64, 64).unwrap();
    let drawn = |layer: &StoredLayer, canvas: &Canvas| {
        layer.snapshot().cells(&Query::default(), canvas, Reduction::Count, 9.0, 1).unwrap_err().to_string()
    };
    assert_eq!(drawn(&plane, &map), "projection: the layer is on a plane in meters; use the projection plane");
    assert!(drawn(&globe, &floor).contains("mercator or platecarree"), "{}", drawn(&globe, &floor));
    let columns = columns_of(&decimals(10, 1));
    let names = names();
    let source = MemorySource(plane_points(&columns, &names));
    for (layer, query) in [(&plane, Query::default()), (&globe, query())] {
        let import = |existing| layer.import(&source, &query, existing, None, 1, &Progress::default());
        for existing in [ExistingPoints::Keep, ExistingPoints::Replace] {
            assert!(matches!(import(existing), Err(Error::Invalid { .. })));
        }
    }
    let message = plane.append(batch(&some_points(10, 1)), None).unwrap_err().to_string();
    assert!(message.contains("the layer is on a plane in meters"), "{message}");
    let mut batch = plane.batch();
    batch.add(plane_points(&columns, &names));
    let message = globe.append(batch, None).unwrap_err().to_string();
    assert!(message.contains("the layer is on the globe"), "{message}");
    assert_eq!((globe.snapshot().points(), plane.snapshot().points()), (100, 10));
    let square = vec![vec![[0.0, 0.0], [9.0, 0.0], [9.0, 9.0], [0.0, 0.0]]];
    let degrees = query().with_polygon(Some(Arc::new(Polygon::new(&[square]).unwrap())));
    let message = plane.snapshot().cells(&degrees, &floor, Reduction::Count, 9.0, 1).unwrap_err().to_string();
    assert!(message.contains("a polygon in degrees cannot filter points on a plane"), "{message}");
}

#[test]
fn layers_on_the_globe_keep_the_format_of_earlier_versions() {
    let (_folder, store) = store();
    let globe = layer_of(&store, &some_points(100, 4), 1);
    let text = std::fs::read_to_string(globe.folder().join("manifest.json")).unwrap();
    assert!(text.contains("\"format\":1,") && !text.contains("space") && !text.contains("extent_m"), "{text}");
    // A layer of the last version, whose description is changed by this one.
    let old = r#"{"format":1,"id":"0123abcd","version":3,"next_segment":1,"created_s":1,"changed_s":2,"description":{},"segments":[]}"#;
    let folder = store.folder().join("old");
    std::fs::create_dir(&folder).unwrap();
    let file = format!("{{\"crc32\":{},\"layer\":{old}}}\n", crc32fast::hash(old.as_bytes()));
    std::fs::write(folder.join("manifest.json"), file).unwrap();
    let layer = store.layer("old").unwrap().unwrap();
    assert_eq!(
        (layer.coordinate_space(), layer.snapshot().version()),
        (CoordinateSpace::Globe, "0123abcd-3".to_owned())
    );
    layer.set_description(Description { keep_s: Some(60), ..Description::default() }).unwrap();
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap();
    let expected = old.replace("\"version\":3", "\"version\":4").replace("{}", "{\"keep_s\":60}");
    assert!(text.contains(&format!("\"layer\":{expected}}}")), "{text}");
    let plane = plane_layer(&store);
    append(&plane, &decimals(10, 1));
    let manifest = plane.folder().join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    assert!(
        text.contains("\"format\":2,") && text.contains("{\"plane\":{\"origin\":[-2147483648,-2147483648]}}"),
        "{text}"
    );
    // A manifest whose format does not fit its space, with a matching checksum.
    let layer = &text[text.find("\"layer\":").unwrap() + 8..text.trim_end().len() - 1];
    let layer = layer.replace("\"format\":2,", "\"format\":1,");
    let crc32 = crc32fast::hash(layer.as_bytes());
    std::fs::write(&manifest, format!("{{\"crc32\":{crc32},\"layer\":{layer}}}")).unwrap();
    let message = Store::open(store.folder()).unwrap().layer("floor").unwrap_err().to_string();
    assert!(message.contains("the coordinate space is invalid"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_positions_inside_the_square_are_restored(
        positions in prop::collection::vec((-214_748.0..214_748.0f64, -214_748.0..214_748.0f64, any::<bool>()), 1..300),
        parts in 1usize..4,
    ) {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        let rows: Vec<Row> = positions
            .iter()
            .map(|&(x, y, is_decimal)| if is_decimal { (round(x), round(y), 0) } else { (x, y, 0) })
            .collect();
        let (_folder, store) = store();
        let layer = plane_layer(&store);
        // Choose the frame around 0.
        append(&layer, &[(0.0, 0.0, 0)]);
        for part in rows.chunks(rows.len().div_ceil(parts)) {
            prop_assert_eq!(append(&layer, part), 0);
        }
        let mut all = rows;
        all.push((0.0, 0.0, 0));
        prop_assert_eq!(scanned(&layer, &query()), bits(&all));
        layer.compact(1, &Progress::default()).unwrap();
        prop_assert_eq!(scanned(&layer, &query()), bits(&all));
    }
}
