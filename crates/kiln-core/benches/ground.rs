//! Kernels with a radius on the ground, and with a constant radius in pixels that is the mean of their rows, in tiles of
//! zooms 0 to 10.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use kiln_core::geo::{Canvas, Points, Projection, TileCoord};
use kiln_core::raster::{Aggregation, Bins, Cells, GroundKernel, Kernel, Shape, density, ground_density};

/// Points around towns within the surroundings of a tile: `per_pixel` per pixel on average.
fn cells(canvas: &Canvas, per_pixel: f64) -> Cells {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let towns: Vec<[f64; 3]> =
        (0..30).map(|_| [random() * width, random() * height, random() * random() * 40.0]).collect();
    let (mut lon, mut lat) = (Vec::new(), Vec::new());
    for i in 0..(width * height * per_pixel) as usize {
        let [col, row] = if i % 20 == 0 {
            [random() * width, random() * height]
        } else {
            let [col, row, size] = towns[(random() * random() * towns.len() as f64) as usize];
            [col, row].map(|center| center + (random() + random() + random() - 1.5) * size)
        };
        let [x, y] = canvas.world_at(col, row);
        let (x, y) = Projection::Mercator.inverse(x, y);
        lon.push(x);
        lat.push(y);
    }
    let mut bins = Bins::new(canvas, Aggregation::Count.reduction());
    bins.add(Points::new(&lon, &lat).unwrap());
    bins.into_cells()
}

fn ground(criterion: &mut Criterion) {
    // Radii in pixels at the center of each tile.
    for (shape, per_pixel, radii_px) in [
        (Shape::Gaussian, 1.0, &[3.0, 25.0, 100.0][..]),
        (Shape::Cone, 1.0, &[3.0, 25.0][..]),
        (Shape::Cone, 0.003, &[25.0][..]),
        (Shape::Quartic, 0.003, &[25.0][..]),
    ] {
        for &radius_px in radii_px {
            let name = format!("{shape}, {radius_px} px, {per_pixel} points per pixel");
            let mut group = criterion.benchmark_group(name);
            for zoom in [0u8, 2, 4, 10] {
                // The tile around Stockholm.
                let (x, y) = Projection::Mercator.forward(18.07, 59.33);
                let tiles = f64::from(1u32 << zoom);
                let tile = TileCoord::new(zoom, (x * tiles) as u32, (y * tiles) as u32).unwrap();
                let canvas = Canvas::tile(tile, 256).unwrap();
                let center_m = canvas.pixel_size_m(canvas.center_lat()).unwrap()[1];
                let kernels = GroundKernel::new(shape, radius_px * center_m).unwrap();
                let of_rows = kernels.on(&canvas).unwrap();
                let mean = Kernel::new(shape, of_rows.mean_radius_px().min(Kernel::MAX_RADIUS_PX)).unwrap();
                let constant = cells(&canvas.grow(mean.reach_px()), per_pixel);
                group.bench_function(BenchmarkId::new("constant", zoom), |bencher| {
                    bencher.iter(|| black_box(density(&constant, mean, Aggregation::Count, 1).unwrap()));
                });
                let by_row = cells(&of_rows.cells_canvas(), per_pixel);
                group.bench_function(BenchmarkId::new("ground", zoom), |bencher| {
                    bencher.iter(|| {
                        let kernels = kernels.on(&canvas).unwrap();
                        black_box(ground_density(&by_row, &kernels, Aggregation::Count, 1).unwrap())
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(15).warm_up_time(std::time::Duration::from_millis(300)).measurement_time(std::time::Duration::from_millis(1200));
    targets = ground
}
criterion_main!(benches);
