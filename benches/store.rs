//! Stored layers of 100 thousand to 10 million points: import, tiles and pictures.

#![allow(clippy::expect_used)]

use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use kiln::encode::png;
use kiln::geo::{Bounds, Canvas, Points, Projection, TileCoord};
use kiln::layer::{Layer, LayerSpec, Style, render_shaded};
use kiln::raster::Tally;
use kiln::source::{MemorySource, Query};
use kiln::store::{Batch, Description, Existing, Progress, Snapshot, Store};

const WEEK_US: i64 = 7 * 86_400 * 1_000_000;

/// Synthetic points of two years, clustered like a population: in 4000 towns of different sizes.
struct Cloud {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    time_us: Vec<i64>,
}

impl Cloud {
    fn new(count: usize, seed: u64) -> Self {
        let mut state = seed;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let towns: Vec<[f64; 3]> =
            (0..4000).map(|_| [uniform() * 340.0 - 170.0, uniform() * 130.0 - 60.0, uniform().powi(4)]).collect();
        let mut cloud = Self { lon: Vec::new(), lat: Vec::new(), weight: Vec::new(), time_us: Vec::new() };
        for _ in 0..count {
            let [lon, lat, size] = towns[(uniform().powi(3) * towns.len() as f64) as usize];
            let gaussian = |uniform: &mut dyn FnMut() -> f64| (0..6).map(|_| uniform()).sum::<f64>() - 3.0;
            let spread = 0.02 + 3.0 * size;
            cloud.lon.push(lon + spread * gaussian(&mut uniform));
            cloud.lat.push(lat + spread * gaussian(&mut uniform));
            cloud.weight.push((uniform() * 100.0).floor() as f32);
            cloud.time_us.push((uniform() * 104.0 * WEEK_US as f64) as i64);
        }
        cloud
    }

    fn points(&self) -> Points<'_> {
        let points = Points::new(&self.lon, &self.lat).expect("as many longitudes as latitudes");
        let points = points.with_weight(&self.weight).expect("as many weights");
        points.with_time(&self.time_us).expect("as many times")
    }
}

/// Whether the benchmarks are measured. A test run executes each once, on few points.
fn is_bench() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

fn store_at(folder: &Path) -> Store {
    let store = Store::open(folder).expect("a folder");
    std::fs::create_dir_all(store.folder()).expect("room in the temporary folder");
    store
}

fn import(store: &Store, name: &str, cloud: &Cloud, threads: usize) -> Arc<Snapshot> {
    let layer = store.create(name, Description::default()).expect("a new layer");
    let query = Query::default().with_weights(true).with_times(true);
    layer
        .import(&MemorySource(cloud.points()), &query, Existing::Kept, None, threads, &Progress::default())
        .expect("room in the temporary folder");
    layer.snapshot()
}

/// 400 tiles of the zooms 0 to 10 that contain points.
fn tiles(cloud: &Cloud) -> Vec<Canvas> {
    let positions = cloud.lon.iter().zip(&cloud.lat).step_by(cloud.lon.len() / 400);
    let tile = |(i, (&lon, &lat)): (usize, (&f64, &f64))| {
        let zoom = (i % 11) as u8;
        let (x, y) = Projection::Mercator.forward(lon, lat);
        let tiles_per_side = f64::from(1u32 << zoom);
        let at = |share: f64| ((share * tiles_per_side) as u32).min((1 << zoom) - 1);
        Canvas::tile(TileCoord::new(zoom, at(x), at(y)).expect("a tile of that zoom"), 256).expect("a side in range")
    };
    positions.enumerate().map(tile).collect()
}

fn draw(layer: &Layer, canvas: &Canvas, style: &Style, threads: usize) -> Vec<u8> {
    let query = Query::default().with_weights(true);
    let shading = layer.shading(&query, canvas, style, threads).expect("a style that fits");
    let heat = render_shaded(&**layer.point_set(), &query, canvas, style, shading.as_deref(), threads)
        .expect("a style that fits");
    let mut bytes = Vec::new();
    png::write_indexed(&mut bytes, &heat.indices, heat.palette.colors(), png::PngOptions::default()).expect("memory");
    bytes
}

fn stored(criterion: &mut Criterion) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let style = Style::new().expect("the default style");
    let counts: &[usize] = if is_bench() { &[100_000, 1_000_000, 10_000_000] } else { &[10_000] };
    for &count in counts {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = store_at(folder.path());
        let cloud = Cloud::new(count, 1);
        let snapshot = import(&store, "cloud", &cloud, threads);
        let tiles = tiles(&cloud);
        let mut group = criterion.benchmark_group(format!("store of {count} points"));
        group.sample_size(10);

        group.throughput(Throughput::Elements(tiles.len() as u64));
        let layer = Layer::new(LayerSpec::default(), Arc::<Snapshot>::clone(&snapshot));
        group.bench_function("mixed tiles, one thread", |bencher| {
            bencher.iter(|| tiles.iter().map(|tile| draw(&layer, tile, &style, 1).len()).sum::<usize>());
        });

        group.throughput(Throughput::Elements(count as u64));
        let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 1024, 1024).expect("a size in range");
        group.bench_function(format!("the world in 1024 x 1024, nothing cached, {threads} threads"), |bencher| {
            let fresh = || Layer::new(LayerSpec::default(), Arc::<Snapshot>::clone(&snapshot));
            bencher.iter_batched(fresh, |layer| draw(&layer, &world, &style, threads).len(), BatchSize::PerIteration);
        });
        let tile = Canvas::tile(TileCoord::new(0, 0, 0).expect("the world's tile"), 256).expect("a side in range");
        group.bench_function("a week of two years, tile 0/0/0, one thread", |bencher| {
            let query = Query::default().with_weights(true).with_start(Some(WEEK_US)).with_end(Some(2 * WEEK_US));
            bencher.iter(|| snapshot.cells(&query, &tile.grow(33), Tally::Sum, 20.0, 1).expect("times").0.inside);
        });
        group.finish();
    }
}

fn written(criterion: &mut Criterion) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10);
    let count = if is_bench() { 1_000_000 } else { 10_000 };
    let cloud = Cloud::new(count, 2);
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(format!("import of {count} points, {threads} threads"), |bencher| {
        let fresh = || tempfile::tempdir().expect("a temporary folder");
        bencher.iter_batched(
            fresh,
            |folder| import(&store_at(folder.path()), "cloud", &cloud, threads).points(),
            BatchSize::PerIteration,
        );
    });

    let cloud = Cloud::new(1000, 3);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let layer = store_at(folder.path()).create("cloud", Description::default()).expect("a new layer");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("append of 1,000 points, durable", |bencher| {
        bencher.iter(|| {
            let mut batch = Batch::default();
            batch.add(cloud.points());
            layer.append(batch, None).expect("room in the temporary folder")
        });
        layer.compact(threads, &Progress::default()).expect("room in the temporary folder");
    });
    group.finish();
}

criterion_group!(benches, stored, written);
criterion_main!(benches);
