//! From the values of a mask to a PNG, and another style for levels that are kept.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kiln_core::raster::Grid;
use kiln_mask::{Background, Blur, BlurKind, Colormap, Levels, Mask, MaskStyle, Values, render, render_levels};

/// Two waves: smooth, and no level is rare.
fn mask(side: usize) -> Mask {
    let wave = |at: usize, period: f32| (at as f32 / side as f32 * period).sin();
    let cells = (0..side * side).map(|index| wave(index % side, 9.0) + wave(index / side, 7.0)).collect();
    Mask::new(Values::Single(Grid::from_cells(side, side, cells).unwrap())).unwrap()
}

fn masks(criterion: &mut Criterion) {
    let style = MaskStyle::new().unwrap();
    let large = mask(4096);
    let mut group = criterion.benchmark_group("mask");
    group.sample_size(10);
    group.throughput(Throughput::Elements(4096 * 4096));
    group.bench_function("to PNG, 4096²", |bencher| {
        bencher.iter(|| render(black_box(&large), &style, None, 1).unwrap().png().unwrap());
    });
    let levels = Levels::new(&large, None, None, false, 1).unwrap();
    group.bench_function("levels, 4096²", |bencher| {
        bencher.iter(|| Levels::new(black_box(&large), None, None, false, 1).unwrap());
    });
    for (kind, side) in [(BlurKind::Gaussian, 5), (BlurKind::Gaussian, 31), (BlurKind::Median, 5), (BlurKind::Box, 5)] {
        let blur = Blur::new(kind, side, side).unwrap();
        group.bench_function(format!("{kind} {side}, 4096²"), |bencher| {
            bencher.iter(|| black_box(&levels).clone().blurred(&blur, 1));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("recolor");
    group.throughput(Throughput::Elements(1024 * 1024));
    let levels = Levels::of(&mask(1024), &style, 1).unwrap();
    let other = MaskStyle { colormap: Colormap::named("turbo").unwrap(), opacity: 40.0, ..style };
    group.bench_function("1024²", |bencher| {
        bencher.iter(|| render_levels(black_box(&levels), &other, None, 1).unwrap().png().unwrap());
    });
    let background = Background::new(Grid::filled(1024, 1024, [90, 120, 60])).unwrap();
    group.bench_function("1024² over a background", |bencher| {
        bencher.iter(|| render_levels(black_box(&levels), &other, Some(&background), 1).unwrap().png().unwrap());
    });
    group.finish();
}

criterion_group!(benches, masks);
criterion_main!(benches);
