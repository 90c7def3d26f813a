use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;
use crate::geo::{Bounds, EARTH_RADIUS_M, Points, Projection, TileCoord};
use crate::raster::ground_kernel::row_tables::MAX_REACH;
use crate::raster::{Aggregation, Bins, Grid, divide_by_area, ground_density};

const PROJECTIONS: [Projection; 2] = [Projection::Mercator, Projection::PlateCarree];

/// The canvas of `width` × `height` pixels around 20°E and `lat_deg`, with about `pixel_m` meters per pixel along the
/// meridian there.
fn canvas_at(projection: Projection, lat_deg: f64, pixel_m: f64, width: u32, height: u32) -> Canvas {
    let scale = projection.meters_per_unit_y(lat_deg).unwrap() / pixel_m;
    let grid = Canvas::on_grid(projection, [scale.round(); 2]).unwrap();
    let (x, y) = projection.forward(20.0, lat_deg);
    let [col, row] = [x * scale - f64::from(width) / 2.0, y * scale - f64::from(height) / 2.0];
    grid.window(col as i64, row as i64, width, height).unwrap()
}

/// Points: column and row from the north-western corner of a canvas, and weight.
type Cell = (i32, i32, f32);

fn render(
    canvas: &Canvas,
    cells: &[Cell],
    kernel: GroundKernel,
    aggregation: Aggregation,
    threads: usize,
) -> Grid<f32> {
    let position = |&(col, row, _): &Cell| {
        let [x, y] = canvas.world_at(f64::from(col) + 0.5, f64::from(row) + 0.5);
        canvas.projection().inverse(x, y)
    };
    let (lon, lat): (Vec<f64>, Vec<f64>) = cells.iter().map(position).unzip();
    let weight: Vec<f32> = cells.iter().map(|cell| cell.2).collect();
    spread(canvas, (&lon, &lat, &weight), kernel, aggregation, threads)
}

fn spread(
    canvas: &Canvas,
    (lon, lat, weight): (&[f64], &[f64], &[f32]),
    kernel: GroundKernel,
    aggregation: Aggregation,
    threads: usize,
) -> Grid<f32> {
    let kernels = kernel.on(canvas).unwrap();
    let mut bins = Bins::new(&kernels.cells_canvas(), aggregation.reduction());
    bins.add(Points::new(lon, lat).unwrap().with_weight(weight).unwrap());
    ground_density(&bins.into_cells(), &kernels, aggregation, threads).unwrap()
}

/// The value of a shape at the distances u and v, in radii.
fn value(shape: Shape, u: f64, v: f64, aggregation: Aggregation) -> f64 {
    let square = u * u + v * v;
    match shape {
        Shape::Gaussian if aggregation == Aggregation::Max && square > 1.0 => 0.0,
        Shape::Gaussian if u.abs().max(v.abs()) > 5.0 / 3.0 => 0.0,
        Shape::Gaussian => (-4.5 * square).exp(),
        Shape::Triangular => (1.0 - u.abs()).max(0.0) * (1.0 - v.abs()).max(0.0),
        Shape::Cone => (1.0 - square.sqrt()).max(0.0),
        Shape::Epanechnikov => (1.0 - square).max(0.0),
        Shape::Quartic => (1.0 - square).max(0.0).powi(2),
        Shape::Uniform => f64::from(u8::from(square <= 1.0)),
    }
}

/// The latitude of the center of a row in radians, and the width of a pixel in m and its area in m².
fn ground(canvas: &Canvas, row: i32) -> (f64, f64, f64) {
    let latitude = |row: f64| {
        let [x, y] = canvas.world_at(0.0, row);
        canvas.projection().inverse(x, y).1.to_radians()
    };
    let (north, center, south) =
        (latitude(f64::from(row)), latitude(f64::from(row) + 0.5), latitude(f64::from(row) + 1.0));
    let width = 2.0 * PI / canvas.scale()[0];
    let area = EARTH_RADIUS_M * EARTH_RADIUS_M * width * (north.sin() - south.sin());
    (center, EARTH_RADIUS_M * width * center.cos(), area)
}

/// A naive implementation of the definition: every point, every pixel.
fn naive(canvas: &Canvas, cells: &[Cell], kernel: GroundKernel, aggregation: Aggregation) -> Vec<f64> {
    const REACH: i32 = 80;
    let (shape, radius_m) = (kernel.shape(), kernel.radius_m());
    let size = [canvas.width() as i32, canvas.height() as i32];
    let rows: Vec<(f64, f64, f64)> = (-2 * REACH..size[1] + 2 * REACH).map(|row| ground(canvas, row)).collect();
    let at = |row: i32| rows[(row + 2 * REACH) as usize];
    let distances = |dx: i32, from: i32, to: i32| {
        let ((from, _, _), (to, width_m, _)) = (at(from), at(to));
        (f64::from(dx) * width_m / radius_m, (from - to) * EARTH_RADIUS_M / radius_m)
    };
    let amount = |dx: i32, from: i32, to: i32| {
        let (u, v) = distances(dx, from, to);
        value(shape, u, v, aggregation) * at(to).2
    };
    let norm = |from: i32| -> f64 {
        let near = (from - REACH..=from + REACH).filter(|to| distances(0, from, *to).1.abs() <= 5.0 / 3.0);
        near.map(|to| (-REACH..=REACH).map(|dx| amount(dx, from, to)).sum::<f64>()).sum()
    };
    let norms: Vec<f64> = cells.iter().map(|cell| norm(cell.1)).collect();
    let mut out = Vec::new();
    for row in 0..size[1] {
        for col in 0..size[0] {
            let (mut weights, mut counts, mut max, mut near) = (0.0, 0.0, f64::NAN, false);
            for (&(x, y, w), norm) in cells.iter().zip(&norms) {
                let (u, v) = distances(x - col, y, row);
                let share = amount(x - col, y, row) / norm;
                near |= u * u + v * v <= 1.0;
                weights += f64::from(w) * share;
                counts += share;
                let peak = value(shape, u, v, aggregation);
                if peak > 0.0 {
                    max = max.max(f64::from(w) * peak);
                }
            }
            out.push(match aggregation {
                Aggregation::Sum => weights,
                Aggregation::Count => counts,
                Aggregation::Mean if !near => f64::NAN,
                Aggregation::Mean => weights / counts,
                Aggregation::Max => max,
            });
        }
    }
    out
}

fn bits(cells: &[f32]) -> Vec<u32> {
    cells.iter().map(|cell| cell.to_bits()).collect()
}

fn some_cells() -> impl Strategy<Value = Vec<Cell>> {
    prop::collection::vec((-20i32..120, -20i32..55, -3.0f32..9.0), 0..40)
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop::sample::select(Shape::ALL.map(|(_, shape)| shape).to_vec())
}

fn any_aggregation() -> impl Strategy<Value = Aggregation> {
    prop::sample::select(Aggregation::ALL.map(|(_, aggregation)| aggregation).to_vec())
}

/// A canvas of 100 × 35 pixels of about 20 km; the scale changes by up to a third over its height.
fn any_canvas() -> impl Strategy<Value = Canvas> {
    (prop::sample::select(PROJECTIONS.to_vec()), -72.0f64..72.0)
        .prop_map(|(projection, lat_deg)| canvas_at(projection, lat_deg, 20e3, 100, 35))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_density_is_that_of_the_definition(
        canvas in any_canvas(), cells in some_cells(), shape in any_shape(), radius_m in 15e3f64..200e3,
        aggregation in any_aggregation(),
    ) {
        let kernel = GroundKernel::new(shape, radius_m).unwrap();
        let values = render(&canvas, &cells, kernel, aggregation, 2);
        let expected = naive(&canvas, &cells, kernel, aggregation);
        for (i, (&value, expected)) in values.cells().iter().zip(expected).enumerate() {
            let close = (f64::from(value) - expected).abs() < 3e-5 || value.is_nan() && expected.is_nan();
            prop_assert!(close, "pixel {i}: {value}, expected {expected}");
        }
    }

    #[test]
    fn windows_and_threads_change_no_bit(
        canvas in any_canvas(), cells in some_cells(), shape in any_shape(), radius_m in 15e3f64..500e3,
        aggregation in any_aggregation(), split in (1u32..99, 1u32..34),
    ) {
        let kernel = GroundKernel::new(shape, radius_m).unwrap();
        let position = |&(col, row, _): &Cell| {
            let [x, y] = canvas.world_at(f64::from(col) + 0.5, f64::from(row) + 0.5);
            canvas.projection().inverse(x, y)
        };
        let (lon, lat): (Vec<f64>, Vec<f64>) = cells.iter().map(position).unzip();
        let weight: Vec<f32> = cells.iter().map(|cell| cell.2).collect();
        let draw = |canvas: &Canvas, threads| {
            // Tables of a previous run may be those of another number of threads.
            table_cache::clear();
            spread(canvas, (&lon, &lat, &weight), kernel, aggregation, threads)
        };
        let full = draw(&canvas, 1);
        for threads in 1..=3 {
            for (left, width) in [(0, split.0), (split.0, 100 - split.0)] {
                for (top, height) in [(0, split.1), (split.1, 35 - split.1)] {
                    let window = canvas.window(i64::from(left), i64::from(top), width, height).unwrap();
                    let part = draw(&window, threads);
                    for row in 0..height as usize {
                        let expected = &full.row(row + top as usize)[left as usize..(left + width) as usize];
                        prop_assert_eq!(bits(part.row(row)), bits(expected));
                    }
                }
            }
        }
    }

    #[test]
    fn the_amounts_sum_to_the_weights(
        projection in prop::sample::select(PROJECTIONS.to_vec()), lat_deg in -72.0f64..72.0, cells in some_cells(),
        shape in any_shape(), radius_m in 5e3f64..200e3,
    ) {
        // Points are up to 20 pixels outside the inner canvas, and the reach is up to 54 pixels along the parallels.
        let canvas = canvas_at(projection, lat_deg, 20e3, 260, 120).window(80, 40, 100, 35).unwrap();
        let all = canvas.window(-100, -45, 320, 130).unwrap();
        let shifted: Vec<Cell> = cells.iter().map(|&(col, row, weight)| (col + 100, row + 45, weight)).collect();
        let density = render(&all, &shifted, GroundKernel::new(shape, radius_m).unwrap(), Aggregation::Sum, 2);
        let mass: f64 = cells.iter().map(|cell| f64::from(cell.2)).sum();
        let total: f64 = density.cells().iter().map(|&cell| f64::from(cell)).sum();
        let weights: f64 = cells.iter().map(|cell| f64::from(cell.2.abs())).sum();
        prop_assert!((mass - total).abs() <= 1e-6 * weights, "{mass} {total} of {weights}");
    }
}

proptest! {
    // The cases that the checks of kernels on the ground require; tiles are small so that they take a few seconds.
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn four_tiles_equal_their_picture(
        zoom in 0u8..15, x in 0.0f64..1.0, y in 0.0f64..1.0, shape in any_shape(), radius_px in 0.5f64..6.0,
        aggregation in any_aggregation(), cells in prop::collection::vec((-12i32..44, -12i32..44, 0.1f32..9.0), 1..12),
    ) {
        const SIDE_PX: u32 = 16;
        let corner = [x, y].map(|share| (share * f64::from((1u32 << zoom) - 1)) as u32);
        let tile = |dx: u32, dy: u32| {
            // At zoom 0: a copy of the world in the east, and rows beyond the map.
            let (x, y) = if zoom == 0 { (0, 0) } else { (corner[0] + dx, corner[1] + dy) };
            let [left, top] = if zoom == 0 { [dx, dy].map(|tiles| i64::from(tiles * SIDE_PX)) } else { [0, 0] };
            let tile = Canvas::tile(TileCoord::new(zoom, x, y).unwrap(), SIDE_PX).unwrap();
            tile.window(left, top, SIDE_PX, SIDE_PX).unwrap()
        };
        let whole = tile(0, 0).window(0, 0, 2 * SIDE_PX, 2 * SIDE_PX).unwrap();
        let center_m = whole.pixel_size_m(whole.center_lat()).unwrap()[1];
        let kernel = GroundKernel::new(shape, radius_px * center_m).unwrap();
        let full = render(&whole, &cells, kernel, aggregation, 2);
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let side = SIDE_PX as i32;
            let shifted: Vec<Cell> =
                cells.iter().map(|&(col, row, weight)| (col - dx * side, row - dy * side, weight)).collect();
            let part = render(&tile(dx as u32, dy as u32), &shifted, kernel, aggregation, 1);
            for row in 0..side {
                let start = (dx * side) as usize;
                let expected = &full.row((dy * side + row) as usize)[start..start + side as usize];
                prop_assert_eq!(bits(part.row(row as usize)), bits(expected));
            }
        }
    }
}

#[test]
fn a_gaussian_of_10_km_has_10_km_on_the_ground_along_both_axes() {
    let kernel = GroundKernel::new(Shape::Gaussian, 10e3).unwrap();
    for projection in PROJECTIONS {
        for lat_deg in [0.0, 45.0, 70.0, -80.0] {
            let stretch = if projection == Projection::PlateCarree { 6 } else { 1 };
            let canvas = canvas_at(projection, lat_deg, 700.0, 61 * stretch, 61);
            let center = [(61 * stretch / 2) as i32, 30];
            let density = render(&canvas, &[(center[0], center[1], 1.0)], kernel, Aggregation::Sum, 1);
            let (from, _, _) = ground(&canvas, center[1]);
            let mut moments = [0.0; 3];
            for row in 0..61 {
                let (to, width_m, _) = ground(&canvas, row);
                let north_m = (to - from) * EARTH_RADIUS_M;
                for (col, &amount) in (0i32..).zip(density.row(row as usize)) {
                    let (amount, east_m) = (f64::from(amount), f64::from(col - center[0]) * width_m);
                    moments[0] += amount;
                    moments[1] += amount * east_m * east_m;
                    moments[2] += amount * north_m * north_m;
                }
            }
            // The radius is three standard deviations.
            let radii = [1, 2].map(|axis| 3.0 * (moments[axis] / moments[0]).sqrt());
            assert!(radii.iter().all(|radius| (radius / 10e3 - 1.0).abs() < 0.01), "{projection} {lat_deg}: {radii:?}");
        }
    }
}

#[test]
fn a_point_per_km2_reads_1_at_every_latitude() {
    /// Not a fraction of the spacing of the points, so that the moiré patterns of both grids are finer than the kernels.
    const PIXEL_M: f64 = 381.97;
    for (projection, lats_deg) in [
        (Projection::Mercator, &[0.0, 30.0, 45.0, 60.0, 70.0, -80.0, 84.0][..]),
        (Projection::PlateCarree, &[0.0, 60.0, -80.0, 88.0][..]),
    ] {
        for &lat_deg in lats_deg {
            let (mut lon, mut lat) = (Vec::new(), Vec::new());
            let step_rad = 1e3 / EARTH_RADIUS_M;
            for i in 0..100 {
                let latitude = f64::to_radians(lat_deg) + (f64::from(i) - 49.5) * step_rad;
                for k in 0..100 {
                    lon.push(20.0 + ((f64::from(k) - 49.5) * step_rad / latitude.cos()).to_degrees());
                    lat.push(latitude.to_degrees());
                }
            }
            let weight = vec![1.0; lon.len()];
            for (shape, radius_m) in [(Shape::Gaussian, 20e3), (Shape::Cone, 30e3), (Shape::Quartic, 30e3)] {
                let canvas = canvas_at(projection, lat_deg, PIXEL_M, 41, 41);
                let kernel = GroundKernel::new(shape, radius_m).unwrap();
                let mut density = spread(&canvas, (&lon, &lat, &weight), kernel, Aggregation::Sum, 2);
                divide_by_area(&mut density, &canvas, 1e6);
                let worst = density.cells().iter().fold(0.0f32, |worst, value| worst.max((value - 1.0).abs()));
                assert!(worst < 0.005, "{projection} {lat_deg} {shape}: {worst}");
            }
        }
    }
}

#[test]
fn plate_carree_keeps_the_weights_and_the_values_of_the_poles() {
    let world = Canvas::new(Projection::PlateCarree, Bounds::WORLD, 360, 180).unwrap();
    let (lon, lat): (Vec<f64>, Vec<f64>) = (0..4000)
        .map(|i| {
            let height = (f64::from(i) + 0.5) / 2000.0 - 1.0;
            ((f64::from(i) * 0.618_034).fract() * 360.0 - 180.0, height.asin().to_degrees())
        })
        .unzip();
    let weight = vec![1.0; lon.len()];
    for (_, shape) in Shape::ALL {
        let kernel = GroundKernel::new(shape, 1500e3).unwrap();
        let mut density = spread(&world, (&lon, &lat, &weight), kernel, Aggregation::Sum, 2);
        let total: f64 = density.cells().iter().map(|value| f64::from(*value)).sum();
        assert!((total / 4000.0 - 1.0).abs() < 1e-5, "{shape}: {total}");
        divide_by_area(&mut density, &world, 1e6);
        let mean = 4000.0 / (4.0 * PI * (EARTH_RADIUS_M / 1e3).powi(2));
        for row in [0, 5, 90, 179] {
            let ratios = density.row(row).iter().map(|value| f64::from(*value) / mean);
            let (min, max) = ratios.fold((f64::MAX, 0.0f64), |(min, max), ratio| (min.min(ratio), max.max(ratio)));
            assert!(min > 0.7 && max < 1.5, "{shape} {row}: {min} {max}");
        }
    }
}

#[test]
fn rows_near_the_edge_of_web_mercator_have_wide_kernels_and_bounded_halos() {
    let tile = |zoom, y| Canvas::tile(TileCoord::new(zoom, 0, y).unwrap(), 256).unwrap();
    let kernel = GroundKernel::new(Shape::Gaussian, 100e3).unwrap();
    let north = kernel.on(&tile(4, 0)).unwrap();
    // No points are north of the world; those at its edge are in the first row beyond it.
    assert_eq!(north.halo()[1], 1);
    assert!(north.max_radius_px() / kernel.min_radius_px(&tile(4, 0)).unwrap() > 11.5);
    let below = kernel.on(&tile(4, 1)).unwrap();
    let cells = below.cells_canvas();
    assert_eq!([cells.width() as usize, cells.height() as usize], below.cells_size());
    // Kernels grow to the north, so the halo there is larger than that in the south.
    assert!(below.halo()[1] > below.halo()[2], "{:?}", below.halo());
    // A radius that exceeds the limit in some rows only is reduced there.
    let deep = kernel.on(&tile(10, 0)).unwrap();
    assert!(deep.max_radius_px() > Kernel::MAX_RADIUS_PX && deep.halo()[0] <= MAX_REACH as usize);
    assert!(kernel.on(&tile(11, 0)).is_err());
    let plane = Canvas::new(Projection::Plane, Bounds::new(0.0, 0.0, 10.0, 5.0).unwrap(), 100, 50).unwrap();
    assert!(kernel.on(&plane).is_err() && kernel.min_radius_px(&plane).is_none());
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(GroundKernel::new(Shape::Cone, bad).is_err(), "{bad}");
    }
}

#[test]
fn windows_agree_where_the_radius_is_reduced() {
    // At 60° the radius would be 1,800 pixels.
    let scale = Projection::Mercator.meters_per_unit_x(0.0).unwrap() / 10.0;
    let grid = Canvas::on_grid(Projection::Mercator, [scale.round(); 2]).unwrap();
    let (x, y) = Projection::Mercator.forward(20.0, 60.0);
    let canvas = grid.window((x * scale) as i64, (y * scale) as i64, 8, 6).unwrap();
    let kernel = GroundKernel::new(Shape::Gaussian, 9e3).unwrap();
    assert!(kernel.on(&canvas).unwrap().max_radius_px() > 1.7 * Kernel::MAX_RADIUS_PX);
    let cells: [Cell; 6] =
        [(3, 2, 1.0), (900, -3, 2.0), (0, 1706, 4.0), (5, 1708, 8.0), (-9, -1704, 5.0), (-1600, 40, 3.0)];
    let full = render(&canvas, &cells, kernel, Aggregation::Sum, 2);
    assert!(full.cells().iter().all(|value| *value > 0.0));
    for (top, height) in [(0, 1), (1, 5)] {
        let shifted = cells.map(|(col, row, weight)| (col - 1, row - top, weight));
        let part = render(&canvas.window(1, i64::from(top), 5, height).unwrap(), &shifted, kernel, Aggregation::Sum, 1);
        for row in 0..height as usize {
            assert_eq!(bits(part.row(row)), bits(&full.row(row + top as usize)[1..6]), "{top} {row}");
        }
    }
}

#[test]
fn factors_that_are_kept_equal_those_of_pictures_that_are_too_large_for_it() {
    let canvas = canvas_at(Projection::Mercator, 60.0, 20e3, 6, 280);
    let cells: Vec<Cell> = (0..60).map(|i| (i * 17 % 90 - 40, i * 31 % 400 - 60, (i % 7) as f32 + 1.0)).collect();
    for shape in [Shape::Gaussian, Shape::Triangular] {
        let kernel = GroundKernel::new(shape, 2500e3).unwrap();
        let full = render(&canvas, &cells, kernel, Aggregation::Sum, 1);
        let kept = |canvas: &Canvas| kernel.on(canvas).unwrap().tables.separable(1).keeps_factors();
        for top in [0, 3, 133] {
            let window = canvas.window(0, top, 6, 9).unwrap();
            assert!(kept(&window) && !kept(&canvas), "{shape}");
            let shifted: Vec<Cell> = cells.iter().map(|&(col, row, weight)| (col, row - top as i32, weight)).collect();
            // The second run has the tables of the first.
            for threads in [1, 2] {
                let part = render(&window, &shifted, kernel, Aggregation::Sum, threads);
                for row in 0..9 {
                    assert_eq!(bits(part.row(row)), bits(full.row(row + top as usize)), "{shape} {top} {row}");
                }
            }
        }
    }
}
