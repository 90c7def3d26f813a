//! Times of kernels with a radius on the ground ÷ times with the constant radius in pixels that is the mean of their rows, in
//! tiles of zooms 0 to 10, and the allocated bytes of both.
//!
//! The runs alternate, and the minima are compared, so that other load on the machine matters little: criterion measures one
//! function after the other. An argument selects the cases whose name contains it.
#![allow(missing_docs, clippy::unwrap_used, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kiln_core::encode::png::{PngOptions, write_indexed};
use kiln_core::geo::{Canvas, Points, Projection, TileCoord};
use kiln_core::raster::{
    Aggregation, Bins, Cells, Curve, Grid, GroundKernel, Kernel, Quantizer, Shape, Span, density, divide_by_area,
    ground_density,
};

/// The allocator of the system, which counts the bytes in use and their maximum.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MAX_IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all memory is that of `System`, with the same layouts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MAX_IN_USE.fetch_max(in_use, Ordering::Relaxed);
        // SAFETY: the caller's layout is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` is from `alloc`, thus from `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Longitudes and latitudes of `count` points around towns of all sizes, and evenly in between.
fn points(canvas: &Canvas, count: usize) -> [Vec<f64>; 2] {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let towns: Vec<[f64; 3]> =
        (0..30).map(|_| [random() * width, random() * height, random() * random() * 40.0]).collect();
    let (mut lon, mut lat) = (Vec::new(), Vec::new());
    for i in 0..count {
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
    [lon, lat]
}

fn bin(canvas: &Canvas, [lon, lat]: &[Vec<f64>; 2]) -> Cells {
    let mut bins = Bins::new(canvas, Aggregation::Count.reduction());
    bins.add(Points::new(lon, lat).unwrap());
    bins.into_cells()
}

fn encode(density: &Grid<f32>) -> Vec<u8> {
    let max = density.cells().iter().fold(0.0f32, |max, value| max.max(*value));
    let span = Span { vmin: 0.0, vmax: f64::from(max) };
    let indices = Quantizer::new(density, Aggregation::Count, span, Curve::Linear).quantize(density, 1);
    let palette = std::array::from_fn(|i| [i as u8; 4]);
    let mut png = Vec::new();
    write_indexed(&mut png, &indices, &palette, PngOptions::default()).unwrap();
    png
}

/// The minimum times of closures in alternating runs.
fn minima<const N: usize>(mut runs: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut minima = [Duration::MAX; N];
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 10 || rounds < 60 && start.elapsed() < Duration::from_millis(700) {
        for (minimum, run) in minima.iter_mut().zip(&mut runs) {
            let start = Instant::now();
            run();
            *minimum = start.elapsed().min(*minimum);
        }
        rounds += 1;
    }
    minima.map(|time| time.as_secs_f64() * 1e6)
}

fn allocated(run: impl FnOnce()) -> f64 {
    let before = IN_USE.load(Ordering::Relaxed);
    MAX_IN_USE.store(before, Ordering::Relaxed);
    run();
    (MAX_IN_USE.load(Ordering::Relaxed) - before) as f64 / 1e6
}

fn compare(name: &str, zoom: u8, shape: Shape, count: usize, radius_px: f64) {
    // The tile around Stockholm.
    let (x, y) = Projection::Mercator.forward(18.07, 59.33);
    let tiles = f64::from(1u32 << zoom);
    let tile = TileCoord::new(zoom, (x * tiles) as u32, (y * tiles) as u32).unwrap();
    let canvas = Canvas::tile(tile, 256).unwrap();
    let radius_m = radius_px * canvas.pixel_size_m(canvas.center_lat()).unwrap()[1];
    let kernel = |radius_m: f64| GroundKernel::new(shape, radius_m).unwrap();
    let mean_px = kernel(radius_m).on(&canvas).unwrap().mean_radius_px();
    let mean = Kernel::new(shape, mean_px.min(Kernel::MAX_RADIUS_PX)).unwrap();
    let around = canvas.grow(mean.reach_px());
    let points = points(&around, count);

    // A radius that no previous run had, of the same length.
    let mut other_m = radius_m;
    let mut other = || {
        other_m *= 1.0 + 1e-12;
        kernel(other_m)
    };
    let constant_cells = bin(&around, &points);
    let ground_cells = bin(&kernel(radius_m).on(&canvas).unwrap().cells_canvas(), &points);
    let constant = || density(&constant_cells, mean, Aggregation::Count, 1).unwrap();
    let ground = |kernel: GroundKernel| {
        ground_density(&ground_cells, &kernel.on(&canvas).unwrap(), Aggregation::Count, 1).unwrap()
    };
    let megabytes = [
        allocated(|| drop(black_box(constant()))),
        allocated(|| drop(black_box(ground(other())))),
        allocated(|| drop(black_box(ground(kernel(radius_m))))),
    ];
    let [constant_us, first_us, next_us] =
        minima([&mut || drop(black_box(constant())), &mut || drop(black_box(ground(other()))), &mut || {
            drop(black_box(ground(kernel(radius_m))));
        }]);
    let picture = |kernel: GroundKernel| {
        let kernels = kernel.on(&canvas).unwrap();
        let cells = bin(&kernels.cells_canvas(), &points);
        encode(&ground_density(&cells, &kernels, Aggregation::Count, 1).unwrap())
    };
    let constant_picture = || encode(&density(&bin(&around, &points), mean, Aggregation::Count, 1).unwrap());
    let [constant_png_us, first_png_us, next_png_us] =
        minima([&mut || drop(black_box(constant_picture())), &mut || drop(black_box(picture(other()))), &mut || {
            drop(black_box(picture(kernel(radius_m))));
        }]);
    println!(
        "| {name} | {zoom} | {constant_us:.0} | {:.2} | {:.2} | {constant_png_us:.0} | {:.2} | {:.2} | {:.2} {:.2} {:.2} |",
        first_us / constant_us,
        next_us / constant_us,
        first_png_us / constant_png_us,
        next_png_us / constant_png_us,
        megabytes[0],
        megabytes[1],
        megabytes[2],
    );
}

fn main() {
    // `cargo test --benches` measures nothing.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    println!("density and picture in µs; ratios for the first tile of a row of tiles, and for the others; MB");
    println!("| kernel, points, radius | zoom | density | first | others | picture | first | others | MB |");
    for (shape, count, radius_px) in [
        (Shape::Gaussian, 60_000, 3.0),
        (Shape::Gaussian, 60_000, 10.0),
        (Shape::Gaussian, 60_000, 25.0),
        (Shape::Gaussian, 60_000, 100.0),
        (Shape::Gaussian, 200, 10.0),
        (Shape::Gaussian, 200, 25.0),
        (Shape::Cone, 60_000, 3.0),
        (Shape::Cone, 60_000, 10.0),
        (Shape::Cone, 60_000, 100.0),
        (Shape::Cone, 200, 10.0),
        (Shape::Cone, 200, 25.0),
        (Shape::Quartic, 200, 25.0),
    ] {
        let name = format!("{shape}, {count}, {radius_px} px");
        if name.contains(&filter) {
            for zoom in [0, 1, 2, 3, 4, 7, 10] {
                compare(&name, zoom, shape, count, radius_px);
            }
        }
    }
    let canvas = Canvas::tile(TileCoord::new(4, 8, 4).unwrap(), 256).unwrap();
    let mut grid = Grid::filled(256, 256, 1.0f32);
    let [area_us] = minima([&mut || divide_by_area(black_box(&mut grid), &canvas, 1e6)]);
    println!("divide_by_area: {area_us:.2} µs");
}
