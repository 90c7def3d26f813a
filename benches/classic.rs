//! The classic blend of a Gaussian cloud of points on 1024 × 1024 pixels.

#![allow(clippy::expect_used)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use kiln::raster::classic::{Dots, Window};

const SIDE_PX: usize = 1024;

/// `count` positions on one axis, normally distributed around its center: sums of twelve uniform random numbers.
fn cloud(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    let mut gaussian = move || (0..12).map(|_| uniform()).sum::<f32>() - 6.0;
    (0..count).map(|_| (0.5 + 0.15 * gaussian()) * SIDE_PX as f32).collect()
}

fn classic(criterion: &mut Criterion) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut group = criterion.benchmark_group("classic");
    for (count, dot_size) in [(10_000, 20.0), (100_000, 150.0)] {
        let (px, py) = (cloud(count, 1), cloud(count, 2));
        for threads in if threads > 1 { vec![1, threads] } else { vec![1] } {
            let name = format!("{count} points, dot size {dot_size}, {threads} threads");
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    let dots = Dots::new(black_box(&px), &py, dot_size).expect("the size is in range");
                    dots.blend(Window::whole(SIDE_PX, SIDE_PX), threads).expect("the window is in range")
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, classic);
criterion_main!(benches);
