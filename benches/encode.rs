//! Encoders, on a synthetic heat map: mostly empty, with smooth blobs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::Cursor;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kiln::encode::geotiff::{Band, Crs, GeoReference, write_colors, write_density};
use kiln::encode::png::{Compression, PngOptions, write_indexed};
use kiln::raster::Grid;

/// The sum of 120 Gaussian blobs of different sizes in a square of `side_px`, of which about two thirds are empty.
fn density(side_px: usize) -> Grid<f32> {
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let side = side_px as f32;
    let mut grid = Grid::filled(side_px, side_px, 0.0);
    for _ in 0..120 {
        let (x, y) = (random() * side, random() * side);
        let (sigma, weight) = (side * (0.004 + 0.03 * random().powi(4)), 0.2 + random());
        let reach = 3.0 * sigma;
        let inside = |center: f32| ((center - reach).max(0.0) as usize)..((center + reach).min(side) as usize);
        for row in inside(y) {
            for column in inside(x) {
                let distance2 = (column as f32 - x).powi(2) + (row as f32 - y).powi(2);
                grid.row_mut(row)[column] += weight * (-distance2 / (2.0 * sigma * sigma)).exp();
            }
        }
    }
    grid
}

fn indices(density: &Grid<f32>) -> Grid<u8> {
    let cells = density.cells().iter().map(|value| (value * 200.0).min(255.0) as u8).collect();
    Grid::from_cells(density.width(), density.height(), cells).unwrap()
}

fn palette() -> [[u8; 4]; 256] {
    std::array::from_fn(|i| [i as u8, (i / 2) as u8, 255 - i as u8, (2 * i).min(255) as u8])
}

fn encode(criterion: &mut Criterion) {
    let palette = palette();
    for side_px in [256, 1024] {
        let indices = indices(&density(side_px));
        let mut group = criterion.benchmark_group(format!("png/{side_px}"));
        group.throughput(Throughput::Elements((side_px * side_px) as u64));
        for (name, compression) in [("fast", Compression::Fast), ("small", Compression::Small)] {
            let options = PngOptions::default().with_compression(compression);
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let mut bytes = Vec::new();
                    write_indexed(&mut bytes, black_box(&indices), &palette, options).unwrap();
                    bytes
                });
            });
        }
        let empty = Grid::filled(side_px, side_px, 0);
        group.bench_function("empty", |bencher| {
            bencher.iter(|| {
                let mut bytes = Vec::new();
                write_indexed(&mut bytes, black_box(&empty), &palette, PngOptions::default()).unwrap();
                bytes
            });
        });
        group.finish();
    }

    let reference = GeoReference { crs: Crs::Epsg3857, west: 0.0, north: 0.0, pixel_width: 1.0, pixel_height: 1.0 };
    let band = Band { name: "density", unit: "points per km²", nodata: Some(f32::NAN) };
    let density = density(1024);
    let indices = indices(&density);
    let mut group = criterion.benchmark_group("geotiff/1024");
    group.throughput(Throughput::Elements(1 << 20));
    for threads in [1, 2] {
        group.bench_function(format!("density/{threads}_threads"), |bencher| {
            bencher.iter(|| {
                let mut file = Cursor::new(Vec::new());
                write_density(&mut file, black_box(&density), &band, &reference, threads).unwrap();
                file.into_inner()
            });
        });
        group.bench_function(format!("colors/{threads}_threads"), |bencher| {
            bencher.iter(|| {
                let mut file = Cursor::new(Vec::new());
                write_colors(&mut file, black_box(&indices), &palette, &reference, threads).unwrap();
                file.into_inner()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
