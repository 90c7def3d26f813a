//! Layers of bins return the same sums as the points that the bins were summed from.

use std::collections::BTreeMap;

use super::*;
use crate::numbers::Numbers;
use crate::partition::Partition;
use crate::segment::Segment;
use kiln_core::geo::{PointBins, morton};
use kiln_core::source::MemorySource;

const HOUR_US: i64 = 3_600_000_000;
/// The width of the buckets of time.
const BUCKET_US: i64 = 60_000_000;

/// The bins of points in cells of a level, by minute and category.
#[derive(Default)]
pub(super) struct SummedColumns {
    level: u32,
    lon: Vec<f64>,
    lat: Vec<f64>,
    pub(super) n: Vec<u64>,
    sum: Vec<f64>,
    max: Vec<f32>,
    time: Vec<i64>,
    code: Vec<u32>,
}

fn bucket_of(time_us: i64) -> i64 {
    if time_us == Points::NO_TIME { time_us } else { time_us.div_euclid(BUCKET_US) * BUCKET_US }
}

/// Sums points by cell, minute and category.
pub(super) fn summed(columns: &Columns, level: u32) -> SummedColumns {
    let keys = batch(columns).rows.keys;
    let mut cells: BTreeMap<(u64, i64, u32), (u64, f64, f32)> = BTreeMap::new();
    for (i, key) in keys.iter().enumerate() {
        let cell = key >> (64 - 2 * level);
        let group = (cell, bucket_of(columns.time[i]), columns.code[i]);
        let (n, sum, max) = cells.entry(group).or_insert((0, 0.0, f32::NEG_INFINITY));
        (*n, *sum, *max) = (*n + 1, *sum + f64::from(columns.weight[i]), max.max(columns.weight[i]));
    }
    let mut summed = SummedColumns { level, ..SummedColumns::default() };
    for ((cell, time, code), (n, sum, max)) in cells {
        let (x, y) = morton::decode(cell);
        let half = 1 << (31 - level);
        let (lon, lat) = Frame::Mercator.position((x << (32 - level)) + half, (y << (32 - level)) + half);
        summed.lon.push(lon);
        summed.lat.push(lat);
        summed.n.push(n);
        summed.sum.push(sum);
        summed.max.push(max);
        summed.time.push(time);
        summed.code.push(code);
    }
    summed
}

impl SummedColumns {
    /// Some rows as points, with a maximum or without.
    pub(super) fn points<'a>(
        &'a self,
        names: &'a [Box<str>],
        rows: std::ops::Range<usize>,
        has_max: bool,
    ) -> Points<'a> {
        let points = Points::new(&self.lon, &self.lat).unwrap().with_time(&self.time).unwrap();
        let points = points.with_category(Categories { codes: &self.code, names }).unwrap();
        let points = if has_max { points.with_weight(&self.max).unwrap() } else { points };
        let bins = PointBins { level: self.level, n: &self.n, sum: Some(&self.sum) };
        points.with_bins(bins).unwrap().slice(rows)
    }
}

/// A layer of bins that were appended in `parts` writes.
pub(super) fn layer_of_bins(store: &Store, summed: &SummedColumns, parts: usize) -> Arc<StoredLayer> {
    let layer = store.create("bins", Description::default()).unwrap();
    let (names, size) = (names(), summed.n.len().div_ceil(parts));
    for start in (0..summed.n.len()).step_by(size) {
        let mut batch = layer.batch();
        assert_eq!(batch.add(summed.points(&names, start..start + size, true)), 0);
        assert_eq!(layer.append(batch, None).unwrap(), AppendOutcome::Appended);
    }
    layer
}

/// The canvases whose pixels are no smaller than the cells of a level.
fn canvases_of(level: u32) -> impl Iterator<Item = Canvas> {
    canvases().into_iter().filter(move |canvas| canvas.scale()[0].log2() <= f64::from(level))
}

#[test]
fn tiles_of_bins_are_those_of_their_points_up_to_their_level() {
    let columns = some_points(20_000, 7);
    for (level, count, parts) in [(17, 4, 1), (17, 4, 5), (31, 5, 1), (20, 5, 2)] {
        let (_folder, store) = store();
        let points = layer_of(&store, &columns, 1).snapshot();
        let layer = layer_of_bins(&store, &summed(&columns, level), parts);
        let queries = [
            Query::default().with_weights(true),
            Query::default(),
            Query::default().with_weights(true).with_category_filter(vec!["bus".into()]),
            Query::default().with_weights(true).with_start(Some(0)).with_end(Some(5 * BUCKET_US)),
        ];
        for compacted in [false, true] {
            if compacted {
                layer.compact(2, &Progress::default()).unwrap();
            }
            let bins = layer.snapshot();
            assert_eq!((bins.points(), bins.level()), (20_000, Some(level)));
            assert!(!compacted || bins.segments[0].blocks.is_some(), "the test needs blocks");
            assert_eq!(canvases_of(level).count(), count);
            for (i, canvas) in canvases_of(level).enumerate() {
                for (j, query) in queries.iter().enumerate() {
                    for reduction in REDUCTIONS {
                        let (cells, _) = bins.cells(query, &canvas, reduction, 20.0, 2).unwrap();
                        let (expected, _) = points.cells(query, &canvas, reduction, 20.0, 1).unwrap();
                        assert!(same(&cells, &expected), "{level} {parts} {compacted} {i} {j} {reduction:?}");
                        assert_eq!((cells.points, cells.weighted), (expected.points, expected.weighted));
                    }
                }
            }
        }
    }
}

#[test]
fn samples_statistics_and_counts_of_bins_are_those_of_their_points() {
    let columns = some_points(60_000, 9);
    let (_folder, store) = store();
    let points = layer_of(&store, &columns, 1);
    let bins = layer_of_bins(&store, &summed(&columns, 18), 1);
    let (points, bins) = (points.snapshot(), bins.snapshot());
    let cell = |(lon, lat): (f64, f64)| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        Frame::Mercator.to_fixed(Points::new(&[lon], &[lat]).unwrap(), &mut x, &mut y);
        (x[0] >> 14, y[0] >> 14)
    };
    let cells = |snapshot: &Snapshot, query: &Query<'_>, count: usize| -> Vec<(u32, u32)> {
        snapshot.sample(query, count).unwrap().into_iter().map(cell).collect()
    };
    let buses = Query::default().with_category_filter(vec!["bus".into()]);
    for query in [Query::default(), buses] {
        for count in [1, 32, 500] {
            assert_eq!(cells(&bins, &query, count), cells(&points, &query, count), "{count}");
        }
        assert_eq!(bins.count_points(&query).unwrap(), points.count_points(&query).unwrap());
    }
    let (of_points, of_bins) = (points.summary(), bins.summary());
    assert_eq!((of_bins.points, of_bins.untimed), (of_points.points, of_points.untimed));
    assert_eq!(of_bins.categories, of_points.categories);
    let (of_points, of_bins) = (of_points.weight.unwrap(), of_bins.weight.unwrap());
    assert_eq!((of_bins[0], of_bins[2]), (of_points[0], of_points[2]));
    let expired = bins.expiry(HOUR_US);
    assert_eq!((expired.points, expired.expired > 0), (60_000, true));
}

#[test]
fn removed_buckets_are_counted_by_their_points() {
    let columns = some_points(20_000, 3);
    let (_folder, store) = store();
    let layer = layer_of_bins(&store, &summed(&columns, 16), 2);
    // Times up to 1000 seconds are all in the first hour.
    let timed = columns.time.iter().filter(|time| **time != Points::NO_TIME).count() as u64;
    assert_eq!(layer.expire(HOUR_US, 1, &Progress::default()).unwrap(), timed);
    assert_eq!(layer.snapshot().points(), 20_000 - timed);
}

#[test]
fn a_sum_of_more_points_than_32_bits_is_exact() {
    let (_folder, store) = store();
    let layer = store.create("bins", Description::default()).unwrap();
    let mut batch = layer.batch();
    let n = [5_000_000_000, 7_000_000_000];
    let points = Points::new(&[10.0, 10.0], &[50.0, 50.0]).unwrap();
    batch.add(points.with_bins(PointBins { level: 10, n: &n, sum: None }).unwrap());
    layer.append(batch, None).unwrap();
    let snapshot = layer.snapshot();
    assert_eq!(snapshot.points(), 12_000_000_000);
    let canvas = Canvas::tile(TileCoord::new(0, 0, 0).unwrap(), 256).unwrap();
    for reduction in [Reduction::Count, Reduction::Sum] {
        let (cells, _) = snapshot.cells(&Query::default(), &canvas, reduction, 0.0, 1).unwrap();
        let grid = cells.counts.or(cells.sums).unwrap();
        let total: f64 = grid.cells().iter().map(|&n| f64::from(n)).sum();
        assert!((total - f64::from(12e9_f32)).abs() < 1.0, "{total}");
    }
    assert_eq!(snapshot.sample(&Query::default(), 3).unwrap().len(), 3);
}

#[test]
fn points_and_bins_of_another_level_are_rejected_and_change_nothing() {
    let columns = some_points(2000, 5);
    let (_folder, store) = store();
    let names = names();
    let (fine, coarse) = (summed(&columns, 18), summed(&columns, 12));
    let layer = layer_of_bins(&store, &fine, 1);
    let version = layer.snapshot().version();
    let message = |batch: Batch| layer.append(batch, None).unwrap_err().to_string();
    let mut other = Batch::default();
    other.add(coarse.points(&names, 0..100, true));
    assert_eq!(message(other), "layer: the rows are bins of level 12, but those of the layer are of level 18");
    assert!(
        message(batch(&columns)).starts_with("layer: the rows are single points, but the layer has bins of level 18")
    );
    let mut mixed = layer.batch();
    mixed.add(fine.points(&names, 0..100, true));
    mixed.add(coarse.points(&names, 0..100, true));
    let expected = "layer: some rows are bins of level 18, others bins of level 12; import them separately";
    assert_eq!(message(mixed), expected);
    assert_eq!(layer.snapshot().version(), version);
    let points = layer_of(&store, &columns, 1);
    let mut bins = points.batch();
    bins.add(fine.points(&names, 0..100, true));
    let error = points.append(bins, None).unwrap_err().to_string();
    assert!(error.starts_with("layer: the rows are bins of level 18, but the layer has single points"), "{error}");
}

#[test]
fn what_needs_single_points_or_parts_of_a_bucket_is_rejected() {
    let columns = some_points(5000, 6);
    let (_folder, store) = store();
    let layer = layer_of_bins(&store, &summed(&columns, 18), 1);
    let snapshot = layer.snapshot();
    let mut sink = |_: Points<'_>| ControlFlow::Continue(());
    let error = snapshot.scan(&Query::default(), &mut [&mut sink]).unwrap_err().to_string();
    assert!(error.starts_with("layer: the layer has bins of level 18"), "{error}");
    let canvas = &canvases()[0];
    let cells = |query: Query<'_>| snapshot.cells(&query, canvas, Reduction::Sum, 20.0, 1);
    let error = cells(Query::default().with_start(Some(BUCKET_US / 2))).unwrap_err().to_string();
    assert!(error.starts_with("start: it cuts a bucket of time"), "{error}");
    assert!(cells(Query::default().with_start(Some(BUCKET_US))).is_ok());
    // Without the greatest weights.
    let (names, summed) = (names(), summed(&columns, 18));
    let mut batch = layer.batch();
    batch.add(summed.points(&names, 0..10, false));
    layer.append(batch, None).unwrap();
    let cells = layer.snapshot().cells(&Query::default().with_weights(true), canvas, Reduction::Max, 20.0, 1);
    assert!(cells.unwrap_err().to_string().starts_with("agg: max needs the greatest weight of each bin"));
}

#[test]
fn the_format_of_a_layer_changes_with_bins_alone() {
    let columns = some_points(500, 6);
    let (_folder, store) = store();
    let manifest = |layer: &StoredLayer| std::fs::read_to_string(layer.folder().join("manifest.json")).unwrap();
    let points = manifest(&layer_of(&store, &columns, 1));
    assert!(points.contains("\"format\":1") && !points.contains("level") && !points.contains("\"n\""), "{points}");
    let bins = layer_of_bins(&store, &summed(&columns, 18), 1);
    let text = manifest(&bins);
    assert!(text.contains("\"format\":3") && text.contains("\"level\":18"), "{text}");
    let reopened = Store::open(store.folder()).unwrap().layer("bins").unwrap().unwrap();
    assert_eq!((reopened.snapshot().points(), reopened.snapshot().level()), (500, Some(18)));
}

/// The sums of a snapshot on canvases, by each reduction and some filters.
fn pictures(snapshot: &Snapshot, level: u32) -> Vec<Cells> {
    let buses = Query::default().with_weights(true).with_category_filter(vec!["bus".into()]);
    let early = Query::default().with_weights(true).with_end(Some(5 * BUCKET_US));
    let mut pictures = Vec::new();
    for canvas in canvases_of(level) {
        for query in [&Query::default().with_weights(true), &buses, &early] {
            for reduction in REDUCTIONS {
                pictures.push(snapshot.cells(query, &canvas, reduction, 20.0, 1).unwrap().0);
            }
        }
    }
    pictures
}

#[test]
fn rows_of_the_same_cell_time_and_category_are_merged_by_compaction() {
    let columns = some_points(20_000, 7);
    let (_folder, store) = store();
    let bins = summed(&columns, 12);
    let layer = layer_of_bins(&store, &bins, 3);
    let names = names();
    for _ in 0..2 {
        let mut batch = layer.batch();
        batch.add(bins.points(&names, 0..bins.n.len(), true));
        layer.append(batch, None).unwrap();
    }
    let rows = |snapshot: &Snapshot| snapshot.segments.iter().map(|segment| segment.entry.rows).sum::<u64>();
    let before = layer.snapshot();
    assert_eq!((before.points(), rows(&before)), (60_000, 3 * bins.n.len() as u64));
    layer.compact(2, &Progress::default()).unwrap();
    let after = layer.snapshot();
    assert_eq!((after.points(), rows(&after)), (60_000, bins.n.len() as u64));
    for (one, other) in pictures(&before, 12).iter().zip(pictures(&after, 12)) {
        assert!(same(one, &other));
    }
    assert_eq!(before.summary().untimed, after.summary().untimed);
    // Rows of the same group in one write, too.
    let mut batch = layer.batch();
    batch.add(bins.points(&names, 0..100, true));
    batch.add(bins.points(&names, 0..100, true));
    layer.append(batch, None).unwrap();
    assert_eq!(rows(&layer.snapshot()), bins.n.len() as u64 + 100);
}

#[test]
fn numbers_of_points_are_stored_in_the_narrowest_type_of_their_segment() {
    let (_folder, store) = store();
    let layer = store.create("bins", Description::default()).unwrap();
    let bytes = |segment: &Segment| match &segment.points.batches[0].bins.as_ref().unwrap().n {
        Numbers::U8(_) => 1,
        Numbers::U16(_) => 2,
        Numbers::U32(_) => 4,
        Numbers::U64(_) => 8,
    };
    let append = |n: [u64; 2]| {
        let mut batch = layer.batch();
        let points = Points::new(&[10.0, 20.0], &[50.0, 50.0]).unwrap();
        batch.add(points.with_bins(PointBins { level: 10, n: &n, sum: None }).unwrap());
        layer.append(batch, None).unwrap();
        layer.snapshot().segments.iter().map(|segment| bytes(segment)).collect::<Vec<_>>()
    };
    assert_eq!(append([200, 1]), [1]);
    assert_eq!(append([200, 255]), [1, 1]);
    layer.compact(1, &Progress::default()).unwrap();
    let merged = layer.snapshot();
    assert_eq!((bytes(&merged.segments[0]), merged.segments[0].entry.rows, merged.points()), (2, 2, 656));
    assert_eq!(append([65_536, 1]), [2, 4]);
    assert_eq!(append([1 << 32, 1]), [2, 4, 8]);
    layer.compact(1, &Progress::default()).unwrap();
    let merged = layer.snapshot();
    assert_eq!((bytes(&merged.segments[0]), merged.segments[0].entry.rows), (8, 2));
    assert_eq!(merged.points(), 656 + 65_537 + (1 << 32) + 1);
}

#[test]
fn partitions_of_a_layer_of_bins_are_replaced_merged_and_expire() {
    let columns = some_points(20_000, 7);
    let (_folder, store) = store();
    let (names, bins) = (names(), summed(&columns, 12));
    let layer = store.create("bins", Description::default()).unwrap();
    let import = |day: &str, run: &str, bins: &SummedColumns, rows: std::ops::Range<usize>| {
        let source = MemorySource(bins.points(&names, rows, true));
        let prepared = layer.prepare_import(&source, &Query::default(), 2, &Progress::default())?;
        let partition = Partition::new(day, Some(run.to_owned()))?;
        layer.commit_partition(prepared, partition, None).map(|(_, is_new)| is_new)
    };
    let half = bins.n.len() / 2;
    assert!(import("a", "1", &bins, 0..half).unwrap() && import("b", "1", &bins, half..bins.n.len()).unwrap());
    let whole = pictures(&layer.snapshot(), 12);
    assert!(!import("a", "1", &bins, 0..10).unwrap());
    // Another run replaces the partition alone; the same rows are the same pictures again.
    assert!(import("a", "2", &bins, 0..10).unwrap());
    let first: u64 = bins.n[..half].iter().sum();
    let few: u64 = bins.n[..10].iter().sum();
    assert_eq!(layer.snapshot().points(), 20_000 - first + few);
    assert!(import("a", "3", &bins, 0..half).unwrap());
    layer.compact(1, &Progress::default()).unwrap();
    let snapshot = layer.snapshot();
    assert_eq!((snapshot.points(), snapshot.level(), snapshot.partitions().len()), (20_000, Some(12), 2));
    assert!(whole.iter().zip(pictures(&snapshot, 12)).all(|(one, other)| same(one, &other)));
    // Bins of another level are rejected, and the partition stays.
    let coarse = summed(&columns, 10);
    let error = import("a", "4", &coarse, 0..100).unwrap_err().to_string();
    assert_eq!(error, "layer: the rows are bins of level 10, but those of the layer are of level 12");
    assert_eq!(layer.snapshot().version(), snapshot.version());
    assert_eq!(layer.remove_partitions(|name| name == "a").unwrap(), first);
    assert_eq!(layer.snapshot().points(), 20_000 - first);
    // The only partition that is left may be replaced by one of another level.
    assert!(import("b", "2", &coarse, 0..coarse.n.len()).unwrap());
    assert_eq!((layer.snapshot().points(), layer.snapshot().level()), (20_000, Some(10)));
}

#[test]
fn blocks_of_more_points_than_32_bits_have_exact_counts() {
    const FACTOR: u64 = 1 << 20;
    let columns = some_points(20_000, 7);
    let (_folder, store) = store();
    let mut bins = summed(&columns, 17);
    let merged = |bins: &SummedColumns| {
        let layer = layer_of_bins(&store, bins, 2);
        layer.compact(1, &Progress::default()).unwrap();
        layer.snapshot()
    };
    let narrow = merged(&bins);
    store.remove("bins").unwrap();
    bins.n.iter_mut().for_each(|n| *n *= FACTOR);
    let wide = merged(&bins);
    assert_eq!((narrow.points(), wide.points()), (20_000, 20_000 * FACTOR));
    assert!([&narrow, &wide].iter().all(|snapshot| snapshot.segments[0].blocks.is_some()), "the test needs blocks");
    for canvas in canvases_of(17) {
        let cells =
            |snapshot: &Snapshot| snapshot.cells(&Query::default(), &canvas, Reduction::Count, 0.0, 1).unwrap().0;
        let (narrow, wide) = (cells(&narrow), cells(&wide));
        assert_eq!(narrow.inside * FACTOR, wide.inside);
        let counts = |cells: Cells, factor: f32| -> Vec<u32> {
            let counts = cells.counts.unwrap();
            counts.cells().iter().map(|count| (count * factor).to_bits()).collect()
        };
        assert!(counts(narrow, FACTOR as f32) == counts(wide, 1.0));
    }
}
