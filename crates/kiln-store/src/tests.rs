//! The store returns the same points and the same sums, independent of segments, compaction and damage.

mod bins;
mod cell_bins;
mod damage;
mod expiry;
mod failures;
mod forged;
mod grace;
mod matrix;
mod mirror;
mod names;
mod occupancy;
mod partitions;
mod plane;
mod publish;
mod shared;
mod time_parts;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::*;
use kiln_core::error::Error;
use kiln_core::geo::{Bounds, Canvas, Categories, Frame, Points, Projection, TileCoord};
use kiln_core::raster::{Aggregation, Bins, Cells, Grid, Kernel, Reduction, Shape, density};
use kiln_core::source::{CoordinateSpace, Query, Sink, Source};

/// A random number generator with the same sequence on all platforms.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[derive(Default)]
struct Columns {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    time: Vec<i64>,
    code: Vec<u32>,
}

const NAMES: [&str; 3] = ["bus", "tram", "ferry"];

/// Points in clusters and scattered over the world.
fn some_points(count: usize, seed: u64) -> Columns {
    let mut random = Random(seed);
    let mut columns = Columns::default();
    for i in 0..count {
        let (lon, lat) = match i % 4 {
            0 => (random.next() * 360.0 - 180.0, random.next() * 170.0 - 85.0),
            1 => (18.0 + random.next() * random.next(), 59.3 + random.next() * 0.4),
            2 => (179.9 + random.next() * 0.2, -17.0 + random.next()),
            _ => (-0.1276, 51.507),
        };
        columns.lon.push(lon);
        columns.lat.push(lat);
        columns.weight.push((random.next() * 40.0).round() as f32 / 4.0);
        columns.time.push(if i % 50 == 0 { Points::NO_TIME } else { (random.next() * 1e9) as i64 });
        columns.code.push(if i % 70 == 0 { Categories::NONE } else { (i % 3) as u32 });
    }
    columns
}

fn names() -> Vec<Box<str>> {
    NAMES.iter().map(|name| (*name).into()).collect()
}

fn batch(columns: &Columns) -> Batch {
    let names = names();
    let points = Points::new(&columns.lon, &columns.lat).unwrap().with_weight(&columns.weight).unwrap();
    let points = points.with_time(&columns.time).unwrap();
    let points = points.with_category(Categories { codes: &columns.code, names: &names }).unwrap();
    let mut batch = Batch::default();
    assert_eq!(batch.add(points), 0);
    batch
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    std::fs::create_dir(store.folder()).unwrap();
    (folder, store)
}

/// A layer whose points were appended in `parts` writes.
fn layer_of(store: &Store, columns: &Columns, parts: usize) -> Arc<StoredLayer> {
    let layer = store.create("points", Description::default()).unwrap();
    let all = batch(columns).rows;
    let size = columns.lon.len().div_ceil(parts);
    for start in (0..columns.lon.len()).step_by(size) {
        let mut part = all.tail(start);
        let end = size.min(part.len());
        part.keys.truncate(end);
        part.weight.truncate(end);
        part.time_us.truncate(end);
        part.category.truncate(end);
        part.names = all.names.clone();
        assert_eq!(layer.append(Batch { rows: part, ..Batch::default() }, None).unwrap(), AppendOutcome::Appended);
    }
    layer
}

fn canvases() -> Vec<Canvas> {
    let tile = |z, x, y, side| Canvas::tile(TileCoord::new(z, x, y).unwrap(), side).unwrap();
    vec![
        tile(0, 0, 0, 256).grow(33),
        tile(1, 1, 0, 512).grow(20),
        tile(9, 281, 149, 256).grow(33),
        tile(12, 2046, 1361, 256),
        tile(7, 127, 70, 256).grow(40),
        tile(24, 8_382_658, 5_578_000, 256).grow(5),
    ]
}

/// The reference implementation: adds every point for which `keep` is true, in every copy of the world, in integers.
fn by_definition(columns: &Columns, canvas: &Canvas, keep: impl Fn(usize) -> bool) -> Cells {
    let rows = batch(columns).rows;
    let level = canvas.scale()[0].log2() as i64;
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let mut cells = Cells {
        width,
        height,
        counts: Some(Grid::filled(width, height, 0.0)),
        sums: Some(Grid::filled(width, height, 0.0)),
        max: Some(Grid::filled(width, height, f32::NEG_INFINITY)),
        points: rows.len() as u64,
        inside: 0,
        weighted: true,
    };
    let within = |at: i64, limit: usize| usize::try_from(at).ok().filter(|at| *at < limit);
    for i in (0..rows.len()).filter(|i| keep(*i)) {
        let (x, y) = kiln_core::geo::morton::decode(rows.keys[i]);
        let [column, row] = [x, y].map(|units| i64::from(units) >> (32 - level));
        for turn in -3..=3 {
            let column = within(column + (turn << level) - canvas.offset()[0], width);
            let row = within(row - canvas.offset()[1], height);
            if let (Some(column), Some(row)) = (column, row) {
                let at = row * width + column;
                cells.inside += 1;
                cells.counts.as_mut().unwrap().cells_mut()[at] += 1.0;
                cells.sums.as_mut().unwrap().cells_mut()[at] += rows.weight[i];
                let max = &mut cells.max.as_mut().unwrap().cells_mut()[at];
                *max = max.max(rows.weight[i]);
            }
        }
    }
    cells
}

/// The points aggregated by [`Bins`], as for files.
fn by_bins(columns: &Columns, canvas: &Canvas) -> Cells {
    let mut bins = Bins::new(canvas, Reduction::Sum);
    bins.add(Points::new(&columns.lon, &columns.lat).unwrap().with_weight(&columns.weight).unwrap());
    bins.into_cells()
}

fn same(one: &Cells, other: &Cells) -> bool {
    let same = |one: &Option<Grid<f32>>, other: &Option<Grid<f32>>| one.is_none() || one == other;
    let any = one.counts.is_some() || one.sums.is_some() || one.max.is_some();
    any && one.inside == other.inside
        && same(&one.counts, &other.counts)
        && same(&one.sums, &other.sums)
        && same(&one.max, &other.max)
}

const REDUCTIONS: [Reduction; 4] = [Reduction::Count, Reduction::Sum, Reduction::CountAndSum, Reduction::Max];

#[test]
fn tiles_do_not_depend_on_segments_compaction_and_threads() {
    let columns = some_points(40_000, 7);
    let query = Query::default().with_weights(true);
    for parts in [1, 5] {
        let (_folder, store) = store();
        let layer = layer_of(&store, &columns, parts);
        for compacted in [false, true] {
            if compacted {
                layer.compact(2, &Progress::default()).unwrap();
                assert_eq!(layer.snapshot().segments.len(), 1);
            }
            let snapshot = layer.snapshot();
            assert_eq!((snapshot.points(), snapshot.damaged().len()), (40_000, 0));
            for (i, canvas) in canvases().iter().enumerate() {
                let expected = by_definition(&columns, canvas, |_| true);
                for reduction in REDUCTIONS {
                    for threads in [1, 3] {
                        let (cells, _) = snapshot.cells(&query, canvas, reduction, 20.0, threads).unwrap();
                        assert!(same(&cells, &expected), "{parts} {compacted} canvas {i} {reduction:?} {threads}");
                    }
                }
            }
        }
    }
}

#[test]
fn windows_of_a_canvas_agree_with_the_entire_canvas() {
    let columns = some_points(30_000, 3);
    let (_folder, store) = store();
    let snapshot = layer_of(&store, &columns, 1).snapshot();
    let query = Query::default().with_weights(true);
    let bounds = Bounds::new(170.3, -50.0, 203.7, 31.0).unwrap();
    for projection in [Projection::Mercator, Projection::PlateCarree] {
        let entire = Canvas::new(projection, bounds, 401, 377).unwrap();
        let (cells, _) = snapshot.cells(&query, &entire, Reduction::Sum, 20.0, 2).unwrap();
        let sums = cells.sums.unwrap();
        assert!(cells.inside > 1000);
        let exact = by_bins(&columns, &entire);
        let moved: f32 = sums.cells().iter().zip(exact.sums.unwrap().cells()).map(|(a, b)| (a - b).abs()).sum();
        let mass: f32 = sums.cells().iter().sum();
        assert!(moved < mass * 0.1, "{projection}: {moved} of {mass}");
        for (column, row, width, height) in [(0, 0, 100, 377), (100, 13, 301, 200), (399, 370, 2, 7)] {
            let window = entire.window(column, row, width, height).unwrap();
            let (part, _) = snapshot.cells(&query, &window, Reduction::Sum, 20.0, 3).unwrap();
            let part = part.sums.unwrap();
            for line in 0..height as usize {
                let expected = &sums.row(line + row as usize)[column as usize..(column as usize + width as usize)];
                assert_eq!(part.row(line), expected, "{projection} {line}");
            }
        }
    }
}

/// On a canvas whose pixels are not cells, cells are resampled to pixels, which must not be visible after smoothing.
#[test]
fn resampled_cells_agree_with_the_exact_ones_after_smoothing() {
    let columns = some_points(60_000, 5);
    let (_folder, store) = store();
    let snapshot = layer_of(&store, &columns, 1).snapshot();
    let query = Query::default().with_weights(true);
    let spread = |canvas: &Canvas, reduction: Reduction, radius_px: f64, threads: usize| {
        let request = aggregate::CellRequest {
            canvas,
            frame: Frame::Mercator,
            reduction,
            weights: true,
            radius_px,
            bins: false,
            stop: None,
        };
        aggregate::aggregate(&snapshot.passing(&query), request, u64::MAX, threads).unwrap()
    };
    let cases = [
        (Projection::Mercator, Bounds::new(170.3, -50.0, 203.7, 31.0).unwrap(), 401, 377),
        (Projection::PlateCarree, Bounds::new(170.3, -50.0, 203.7, 31.0).unwrap(), 401, 377),
        (Projection::PlateCarree, Bounds::WORLD, 723, 211),
        (Projection::Mercator, Bounds::new(-200.0, -80.0, 250.0, 85.0).unwrap(), 300, 411),
    ];
    for (projection, bounds, width, height) in cases {
        let entire = Canvas::new(projection, bounds, width, height).unwrap();
        for radius_px in [20.0, 8.0, 2.0] {
            let kernel = Kernel::new(Shape::Gaussian, radius_px).unwrap();
            let grown = entire.grow(kernel.reach_px());
            let cells = spread(&grown, Reduction::CountAndSum, radius_px, 1);
            let smooth = |cells: &Cells| density(cells, kernel, Aggregation::Sum, 2).unwrap();
            let (found, exact) = (smooth(&cells), smooth(&by_bins(&columns, &grown)));
            let max = exact.cells().iter().copied().fold(0.0, f32::max);
            let max_error = found.cells().iter().zip(exact.cells()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // The exact density has points at the centers of their pixels, up to half a pixel from their locations.
            let slope = 0.61 * 3.0 / radius_px as f32;
            assert!(max_error < max * slope * 0.75, "{projection} {radius_px}: {max_error} of {max}");
            let by_sum =
                |grid: &Option<Grid<f32>>| grid.as_ref().unwrap().cells().iter().map(|v| f64::from(*v)).sum::<f64>();
            let expected = by_bins(&columns, &grown);
            assert!((by_sum(&cells.sums) / by_sum(&expected.sums) - 1.0).abs() < 2e-3, "{projection} {radius_px}");
            assert!((by_sum(&cells.counts) / cells.inside as f64 - 1.0).abs() < 1e-2, "{projection} {radius_px}");
            for threads in [2, 3, 7] {
                assert!(
                    same(&spread(&grown, Reduction::CountAndSum, radius_px, threads), &cells),
                    "{projection} {threads}"
                );
            }
        }
        let max = spread(&entire, Reduction::Max, 8.0, 2).max.unwrap();
        let max_weight = columns.weight.iter().copied().fold(0.0, f32::max);
        assert!((max.cells().iter().copied().fold(0.0, f32::max) - max_weight).abs() < f32::EPSILON, "{projection}");
        let all = spread(&entire, Reduction::Sum, 20.0, 2).sums.unwrap();
        for (column, row, width, height) in [(0, 0, 100, height), (100, 13, 150, 99), (298, 200, 2, 7), (5, 5, 1, 1)] {
            let part =
                spread(&entire.window(column, row, width, height).unwrap(), Reduction::Sum, 20.0, 3).sums.unwrap();
            for line in 0..height as usize {
                let expected = &all.row(line + row as usize)[column as usize..(column as usize + width as usize)];
                assert_eq!(part.row(line), expected, "{projection} {line}");
            }
        }
    }
}

#[test]
fn filters_select_the_matching_points() {
    let columns = some_points(30_000, 11);
    for parts in [1, 3] {
        let (_folder, store) = store();
        let snapshot = layer_of(&store, &columns, parts).snapshot();
        let range = (200_000_000, 700_000_000);
        let in_time = |i: usize| columns.time[i] >= range.0 && columns.time[i] < range.1;
        let is_bus = |i: usize| columns.code[i] == 0;
        let timed = Query::default().with_weights(true).with_start(Some(range.0)).with_end(Some(range.1));
        let buses = Query::default().with_weights(true).with_category_filter(vec!["bus".into(), "plane".into()]);
        let both = timed.clone().with_category_filter(vec!["bus".into()]);
        for canvas in canvases() {
            let check = |query: &Query<'_>, keep: &dyn Fn(usize) -> bool| {
                let expected = by_definition(&columns, &canvas, keep);
                for threads in [1, 2] {
                    let (cells, _) = snapshot.cells(query, &canvas, Reduction::CountAndSum, 20.0, threads).unwrap();
                    assert!(same(&cells, &expected));
                }
            };
            check(&timed, &in_time);
            check(&buses, &is_bus);
            check(&both, &|i| in_time(i) && is_bus(i));
        }
        let none = Query::default().with_category_filter(vec!["plane".into()]);
        assert_eq!(snapshot.cells(&none, &canvases()[0], Reduction::Count, 20.0, 1).unwrap().0.inside, 0);
    }
}

/// The points of a scan.
type ScannedPoints = Vec<(i64, i64, u32, i64, Option<String>)>;

#[test]
fn a_scan_returns_the_points_with_all_their_columns() {
    let columns = some_points(20_000, 5);
    let (_folder, store) = store();
    let layer = layer_of(&store, &columns, 4);
    layer.compact(1, &Progress::default()).unwrap();
    let snapshot = layer.snapshot();
    let micro = |degrees: f64| (degrees.rem_euclid(360.0) * 1e5).round() as i64;
    let scan = |query: &Query<'_>, workers: usize| -> ScannedPoints {
        let mut seen: Vec<ScannedPoints> = vec![Vec::new(); workers];
        let mut closures: Vec<_> = seen
            .iter_mut()
            .map(|seen| {
                move |points: Points<'_>| {
                    for i in 0..points.len() {
                        let name = points.category().and_then(|category| category.name(i)).map(str::to_owned);
                        let weight = points.weight().map_or(1.0, |weight| weight[i]).to_bits();
                        let time = points.time_us().map_or(0, |time| time[i]);
                        seen.push((micro(points.lon()[i]), micro(points.lat()[i]), weight, time, name));
                    }
                    ControlFlow::Continue(())
                }
            })
            .collect();
        let mut sinks: Vec<&mut Sink<'_>> = closures.iter_mut().map(|closure| closure as &mut Sink<'_>).collect();
        snapshot.scan(query, &mut sinks).unwrap();
        drop(sinks);
        let mut seen = seen.concat();
        seen.sort();
        seen
    };
    let expected = |keep: &dyn Fn(usize) -> bool| -> ScannedPoints {
        let row = |i: usize| {
            let name = NAMES.get(columns.code[i] as usize).map(|name| (*name).to_owned());
            (micro(columns.lon[i]), micro(columns.lat[i]), columns.weight[i].to_bits(), columns.time[i], name)
        };
        let mut rows: ScannedPoints = (0..columns.lon.len()).filter(|i| keep(*i)).map(row).collect();
        rows.sort();
        rows
    };
    let query = Query::default().with_weights(true).with_times(true).with_categories(true);
    // Locations are stored with a resolution of 9 mm, which may round to another hundred-thousandth of a degree.
    let close = |one: &ScannedPoints, other: &ScannedPoints| {
        let near = |a: i64, b: i64| (a - b).abs() <= 1 || (a - b).abs() >= 35_999_999;
        let by_rest = |seen: &ScannedPoints| {
            let mut seen = seen.clone();
            seen.sort_by(|a, b| (&a.2, &a.3, &a.4, a.0, a.1).cmp(&(&b.2, &b.3, &b.4, b.0, b.1)));
            seen
        };
        one.len() == other.len()
            && by_rest(one)
                .iter()
                .zip(by_rest(other))
                .all(|(a, b)| (a.2, a.3, &a.4) == (b.2, b.3, &b.4) && near(a.0, b.0) && near(a.1, b.1))
    };
    for workers in [1, 3] {
        assert!(close(&scan(&query, workers), &expected(&|_| true)));
        let timed = query.clone().with_start(Some(5)).with_end(Some(500_000_000));
        assert!(close(&scan(&timed, workers), &expected(&|i| (5..500_000_000).contains(&columns.time[i]))));
    }
    let fiji = query.with_near(Some(Bounds::new(179.95, -16.9, 180.05, -16.2).unwrap()));
    let within = |i: usize| {
        (179.95..=180.05).contains(&columns.lon[i].rem_euclid(360.0)) && (-16.9..=-16.2).contains(&columns.lat[i])
    };
    let (near, expected) = (scan(&fiji, 2), expected(&within));
    assert!(expected.len() > 1000 && near.len() < 16_000);
    let close_to = |a: &(i64, i64, u32, i64, Option<String>), b: &(i64, i64, u32, i64, Option<String>)| {
        (a.2, a.3, &a.4) == (b.2, b.3, &b.4)
    };
    assert!(expected.iter().all(|row| near.iter().any(|other| close_to(row, other))));
}

#[test]
fn a_repeated_request_adds_nothing() {
    let (_folder, store) = store();
    let layer = store.create("stops", Description::default()).unwrap();
    let columns = some_points(10, 1);
    let at_s = crate::clock::now_s();
    let request = |digest| Some(Request { key: "monday".into(), digest, accepted: 10, rejected: 0, at_s });
    assert_eq!(layer.append(batch(&columns), request(1)).unwrap(), AppendOutcome::Appended);
    let again = |points| {
        assert_eq!(layer.append(batch(&columns), request(1)).unwrap(), AppendOutcome::Duplicate(request(1).unwrap()));
        assert_eq!(layer.snapshot().points(), points);
    };
    again(10);
    // The request is remembered after a compaction, and after some of its points have expired.
    layer.append(batch(&columns), None).unwrap();
    layer.compact(1, &Progress::default()).unwrap();
    again(20);
    let timed = columns.time.iter().filter(|time| **time != Points::NO_TIME).count() as u64;
    assert_eq!(layer.expire(i64::MIN + 1, 1, &Progress::default()).unwrap(), 0);
    assert_eq!(layer.expire(i64::MAX, 1, &Progress::default()).unwrap(), 2 * timed);
    again(20 - 2 * timed);
    let other = layer.append(batch(&columns), request(2)).unwrap_err();
    assert!(other.to_string().starts_with("idempotency_key"), "{other}");
}

#[test]
fn concurrent_writes_are_committed_once() {
    let (_folder, store) = store();
    let layer = store.create("stops", Description::default()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let layer = &layer;
            scope.spawn(move || {
                for i in 0..12 {
                    layer.append(batch(&some_points(100, thread * 100 + i)), None).unwrap();
                    if i % 4 == 0 {
                        layer.compact_some(0..=u64::MAX, 1, &Progress::default()).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(layer.snapshot().points(), 9600);
    while layer.compact_some(0..=u64::MAX, 1, &Progress::default()).unwrap() {}
    let snapshot = layer.snapshot();
    assert!(snapshot.points() == 9600 && snapshot.segments.len() < 8, "{}", snapshot.segments.len());
    // Another process reads the same points, and no unused files remain.
    let other = Store::open(store.folder()).unwrap();
    assert_eq!(other.layer("stops").unwrap().unwrap().snapshot().points(), 9600);
    let files = std::fs::read_dir(layer.folder()).unwrap().count();
    assert_eq!(files, 2 + snapshot.segments.iter().map(|s| 1 + usize::from(s.blocks.is_some())).sum::<usize>());
}

#[test]
fn concurrent_large_and_small_writes_are_committed_once_per_key() {
    let (_folder, store) = store();
    let layer = store.create("stops", Description::default()).unwrap();
    let (many, few) = (some_points(140_000, 5), some_points(50, 6));
    let request = |key: String| Some(Request { key, digest: 1, accepted: 1, rejected: 0, at_s: crate::clock::now_s() });
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (layer, columns) = (&layer, if thread % 3 == 0 { &many } else { &few });
            // Two threads send each key at the same time.
            scope.spawn(move || layer.append(batch(columns), request(format!("{}", thread % 3))).unwrap());
        }
    });
    assert_eq!(layer.snapshot().points(), 140_100);
    let again = layer.append(batch(&many), request("0".into())).unwrap();
    assert!(matches!(again, AppendOutcome::Duplicate(_)), "{again:?}");
    assert_eq!(Store::open(store.folder()).unwrap().layer("stops").unwrap().unwrap().snapshot().points(), 140_100);
}

#[test]
fn a_damaged_segment_is_reported_and_the_others_are_served() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(30_000, 2), 2);
    let folder = layer.folder().to_owned();
    drop(layer);
    for (file, damage) in [
        ("00000001.points.arrow", "truncated"),
        ("00000001.points.arrow", "flipped"),
        ("00000001.bins.arrow", "flipped"),
        ("00000001.bins.arrow", "gone"),
    ] {
        let path = folder.join(file);
        let original = std::fs::read(&path).unwrap();
        let mut bytes = original.clone();
        match damage {
            "truncated" => bytes.truncate(original.len() / 2),
            "flipped" => bytes[original.len() / 3] ^= 4,
            _ => {}
        }
        std::fs::remove_file(&path).unwrap();
        if damage != "gone" {
            std::fs::write(&path, bytes).unwrap();
        }
        let opened = Store::open(store.folder()).unwrap();
        let snapshot = opened.layer("points").unwrap().unwrap().snapshot();
        assert_eq!((snapshot.points(), snapshot.damaged().len()), (15_000, 1), "{file} {damage}");
        assert!(snapshot.damaged()[0].reason.contains(file), "{:?}", snapshot.damaged());
        std::fs::write(&path, original).unwrap();
    }
    let opened = Store::open(store.folder()).unwrap();
    assert_eq!(opened.layer("points").unwrap().unwrap().snapshot().points(), 30_000);
    // A damaged manifest is an error, not a layer without points.
    let manifest = folder.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("15000", "15001")).unwrap();
    let error = Store::open(store.folder()).unwrap().layer("points").unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("checksum"), "{error}");
}

#[test]
fn an_import_is_atomic() {
    let (_folder, store) = store();
    let layer = store.create("points", Description::default()).unwrap();
    let columns = some_points(50_000, 9);
    let points = Points::new(&columns.lon, &columns.lat).unwrap().with_weight(&columns.weight).unwrap();
    let source = kiln_core::source::MemorySource(points);
    let progress = Progress::default();
    let imported = layer.import(&source, &Query::default(), ExistingPoints::Keep, None, 2, &progress).unwrap();
    assert_eq!((imported.points, imported.report.read, layer.snapshot().points()), (50_000, 50_000, 50_000));
    let stopped = Progress::default();
    stopped.stop();
    assert!(layer.import(&source, &Query::default(), ExistingPoints::Keep, None, 2, &stopped).is_err());
    assert_eq!(layer.snapshot().points(), 50_000);
    let description = Description { title: Some("Points".into()), ..Description::default() };
    let new_description = Some(description.clone());
    assert!(
        layer.import(&source, &Query::default(), ExistingPoints::Keep, new_description.clone(), 2, &stopped).is_err()
    );
    assert_eq!(layer.snapshot().description(), &Description::default());
    layer.import(&source, &Query::default(), ExistingPoints::Replace, new_description, 2, &progress).unwrap();
    assert_eq!(layer.snapshot().description(), &description);
    assert!(layer.snapshot().version().ends_with("-2"), "one change each: {}", layer.snapshot().version());
    assert_eq!((layer.snapshot().points(), layer.snapshot().segments.len()), (50_000, 1));
    assert!(store.remove("points").unwrap() && store.names().unwrap().is_empty());
    let remaining: Vec<_> =
        std::fs::read_dir(store.folder()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(remaining.is_empty(), "{remaining:?}");
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut entries: Vec<String> = entries.collect();
    entries.sort();
    entries
}

#[test]
fn a_layer_is_created_atomically_with_its_points() {
    let (_folder, store) = store();
    let columns = some_points(5000, 4);
    let points = Points::new(&columns.lon, &columns.lat).unwrap();
    let source = kiln_core::source::MemorySource(points);
    let fill = |layer: &StoredLayer| {
        // The layer and its name are not visible yet.
        assert!(store.names().unwrap().is_empty() && store.layer("points").unwrap().is_none());
        layer.import(&source, &Query::default(), ExistingPoints::Keep, None, 2, &Progress::default())
    };
    let failed = store.create_with("points", CoordinateSpace::Globe, Description::default(), |layer| {
        fill(layer).and(Err::<(), _>(Error::Cancelled))
    });
    assert!(matches!(failed, Err(Error::Cancelled)));
    assert!(entries(store.folder()).is_empty());
    assert_eq!(store.create_with("points", CoordinateSpace::Globe, Description::default(), fill).unwrap().points, 5000);
    assert_eq!(entries(store.folder()), ["points"]);
    assert_eq!(store.layer("points").unwrap().unwrap().snapshot().points(), 5000);
    let taken = store.create_with("points", CoordinateSpace::Globe, Description::default(), |_| Ok(())).unwrap_err();
    assert!(taken.is_usage() && taken.to_string().contains("already"), "{taken}");
    // A folder that is not a layer is neither opened as one nor removed.
    std::fs::create_dir(store.folder().join("mine")).unwrap();
    std::fs::write(store.folder().join("mine/diary.txt"), "mine").unwrap();
    let taken = store.create("mine", Description::default()).unwrap_err().to_string();
    assert!(taken.contains("mine: it exists already, but is not a layer"), "{taken}");
    assert_eq!(entries(store.folder()), ["mine", "points"]);
}

#[test]
fn an_import_without_points_changes_nothing() {
    let (_folder, store) = store();
    let layer = layer_of(&store, &some_points(100, 4), 1);
    let version = layer.snapshot().version();
    let (lon, lat) = ([0.0, 5.0], [89.0, -86.0]);
    let polar = kiln_core::source::MemorySource(Points::new(&lon, &lat).unwrap());
    for existing in [ExistingPoints::Keep, ExistingPoints::Replace] {
        let imported = layer.import(&polar, &Query::default(), existing, None, 1, &Progress::default()).unwrap();
        assert_eq!((imported.points, imported.beyond_map, imported.report.read), (0, 2, 2));
        assert_eq!((layer.snapshot().points(), layer.snapshot().version()), (100, version.clone()));
    }
}
