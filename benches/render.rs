//! Rendering of points in memory: binning, the kernel, and the complete pipeline to PNG bytes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kiln::encode::png::{PngOptions, write_indexed};
use kiln::geo::{Bounds, Canvas, Points, Projection};
use kiln::layer::{Style, render};
use kiln::raster::{Aggregation, Bins, Kernel, Shape, Tally, density};
use kiln::source::{MemorySource, Query};

/// Synthetic points: 95 % of them are clustered in 300 towns, the others are anywhere.
fn towns(count: usize) -> (Vec<f64>, Vec<f64>) {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let towns: Vec<(f64, f64, f64)> =
        (0..300).map(|_| (random() * 340.0 - 170.0, random() * 110.0 - 50.0, random() * random() * 3.0)).collect();
    let (mut lon, mut lat) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for i in 0..count {
        if i % 20 == 0 {
            lon.push(random() * 360.0 - 180.0);
            lat.push(random() * 170.0 - 85.0);
        } else {
            // The product prefers small indices, as some towns are larger than others.
            let (x, y, size) = towns[(random() * random() * towns.len() as f64) as usize];
            let mut spread = || random() + random() + random() - 1.5;
            lon.push((x + spread() * size).clamp(-179.9, 179.9));
            lat.push(y + spread() * size);
        }
    }
    (lon, lat)
}

fn pipeline(c: &mut Criterion) {
    let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 1024, 1024).unwrap();
    let mut group = c.benchmark_group("points to PNG, 1024², radius 20");
    for count in [10_000, 1_000_000, 10_000_000] {
        let (lon, lat) = towns(count);
        let points = Points::new(&lon, &lat).unwrap();
        group.throughput(Throughput::Elements(count as u64));
        for (name, shape) in [("gaussian", Shape::Gaussian), ("cone", Shape::Cone)] {
            let style = Style { shape, ..Style::new().unwrap() };
            group.bench_function(BenchmarkId::new(name, count), |b| {
                b.iter(|| {
                    let heat = render(&MemorySource(points), &Query::default(), &world, &style, 2).unwrap();
                    let mut png = Vec::new();
                    write_indexed(&mut png, &heat.indices, heat.palette.colors(), PngOptions::default()).unwrap();
                    black_box(png.len())
                });
            });
        }
    }
}

fn stages(c: &mut Criterion) {
    let (lon, lat) = towns(1_000_000);
    let weight: Vec<f32> = (0..lon.len()).map(|i| (i % 10) as f32 + 0.5).collect();
    let points = Points::new(&lon, &lat).unwrap();
    let weighted = points.with_weight(&weight).unwrap();
    let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 1024, 1024).unwrap();
    let street =
        Canvas::new(Projection::Mercator, Bounds::new(-10.0, 35.0, 30.0, 60.0).unwrap(), 30_000, 3000).unwrap();
    let mut group = c.benchmark_group("bin 1M points, 1 thread");
    group.throughput(Throughput::Elements(points.len() as u64));
    for (name, canvas, points, tally) in [
        ("count", &world, points, Tally::Count),
        ("sum", &world, weighted, Tally::Sum),
        ("max", &world, weighted, Tally::Max),
        ("count in f64", &street, points, Tally::Count),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut bins = Bins::new(canvas, tally);
                bins.add(points);
                black_box(bins.inside())
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("kernel over 1024², 1 thread");
    for radius_px in [8.0, 20.0, 60.0] {
        for (name, shape) in [("gaussian", Shape::Gaussian), ("quartic", Shape::Quartic)] {
            let kernel = Kernel::new(shape, radius_px).unwrap();
            let mut bins = Bins::new(&world.grow(kernel.reach_px()), Tally::Count);
            bins.add(points);
            let cells = bins.into_cells();
            group.bench_function(BenchmarkId::new(name, radius_px), |b| {
                b.iter(|| black_box(density(&cells, kernel, Aggregation::Count, 1).unwrap()));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15);
    targets = pipeline, stages
}
criterion_main!(benches);
