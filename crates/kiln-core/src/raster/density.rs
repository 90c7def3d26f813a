//! Density: the convolution of cells with a kernel.

use std::fmt;
use std::str::FromStr;

use super::ground_kernel::SeparableRows;
use super::kernel::Scale;
use super::splat::{Combine, splat, splat_rows};
use super::{Cells, Grid, Kernel, Reduction, RowKernels, Shape, convolve};
use crate::error::{Error, Result};
use crate::geo::Canvas;
use crate::parameter::Parameter;
use crate::simd::wide;
use crate::workers::Workers;

/// The aggregation of points in a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aggregation {
    /// Σ w·K: weight per pixel. The weight of points without weights is 1.
    #[default]
    Sum,
    /// Σ K: points per pixel.
    Count,
    /// Σ w·K / Σ K: the weighted mean, in the unit of the weights.
    Mean,
    /// max w·K, with K = 1 at the center: the maximum, in the unit of the weights.
    Max,
}

impl Aggregation {
    /// All aggregations, with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("sum", Self::Sum), ("count", Self::Count), ("mean", Self::Mean), ("max", Self::Max)];

    /// The reduction per cell that the aggregation requires.
    pub fn reduction(self) -> Reduction {
        match self {
            Self::Sum => Reduction::Sum,
            Self::Count => Reduction::Count,
            Self::Mean => Reduction::CountAndSum,
            Self::Max => Reduction::Max,
        }
    }

    /// Whether values are amounts per area, which fade to 0, rather than in the unit of the weights.
    pub fn is_additive(self) -> bool {
        matches!(self, Self::Sum | Self::Count)
    }
}

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found
            .map(|(_, aggregation)| *aggregation)
            .ok_or_else(|| Error::invalid(Parameter::AGG, format!("`{text}` is none of sum, count, mean, max")))
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, aggregation)| aggregation == self).map_or("", |(name, _)| name))
    }
}

/// Convolves `cells` with `kernel`. The cells must be those of the aggregation's [reduction](Aggregation::reduction).
///
/// The result is smaller than the cells by the kernel's reach on every side, the halo with points outside the picture
/// that contribute to it. NaN marks pixels without a value (under [`Aggregation::Mean`] and [`Aggregation::Max`],
/// pixels without points within the radius). Each pixel depends only on the cells around it, bit for bit, at any number
/// of threads.
///
/// # Errors
/// [`Error::Invalid`] if the cells are not larger than the halo, or are not those of the reduction; [`Error::Cancelled`] once the
/// flag of the workers is set.
pub fn density<'w>(
    cells: &Cells,
    kernel: Kernel,
    aggregation: Aggregation,
    workers: impl Into<Workers<'w>>,
) -> Result<Grid<f32>> {
    let halo = 2 * kernel.reach_px() as usize;
    if cells.width <= halo || cells.height <= halo {
        return Err(Error::invalid(Parameter::RADIUS, "the cells are not larger than the kernel's halo"));
    }
    aggregate(cells, &kernel, aggregation, workers.into())
}

/// Convolves `cells` with a kernel whose radius in pixels differs from row to row. The cells must be those of
/// [`RowKernels::cells_canvas`], and of the aggregation's [reduction](Aggregation::reduction).
///
/// Values are amounts per pixel: see [`divide_by_area`] for amounts per area. Otherwise as [`density`].
///
/// # Errors
/// [`Error::Invalid`] if the cells are not those of the kernels' canvas or of the reduction; [`Error::Cancelled`] once the
/// flag of the workers is set.
pub fn ground_density<'w>(
    cells: &Cells,
    kernels: &RowKernels,
    aggregation: Aggregation,
    workers: impl Into<Workers<'w>>,
) -> Result<Grid<f32>> {
    if [cells.width, cells.height] != kernels.cells_size() {
        return Err(Error::invalid(Parameter::RADIUS, "the cells are not those of the kernels' canvas"));
    }
    aggregate(cells, kernels, aggregation, workers.into())
}

/// Divides the amount in each pixel of `canvas` by its [area](Canvas::pixel_area_m2), in units of `unit_m2` m²: 1e6 for
/// amounts per km². Rows beyond a pole have no area, and get 0.
pub fn divide_by_area(density: &mut Grid<f32>, canvas: &Canvas, unit_m2: f64) {
    let width = density.width().max(1);
    for (area_m2, values) in canvas.pixel_areas_m2().zip(density.cells_mut().chunks_mut(width)) {
        let factor = if area_m2 > 0.0 { (unit_m2 / area_m2) as f32 } else { 0.0 };
        multiply(values, factor);
    }
}

wide! {
    fn multiply(values: &mut [f32], factor: f32) {
        for value in values {
            *value *= factor;
        }
    }
}

/// The convolutions that aggregations need.
trait Spread {
    /// The sum of the cells around each pixel, weighted by a kernel of mass 1.
    fn sum(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32>;
    /// A number above 0 in pixels within the radius of an occupied cell, and 0 in the others.
    fn near(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32>;
    /// The maximum of the cells around each pixel, weighted by a kernel with 1 at its center.
    fn max(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32>;
}

impl Spread for Kernel {
    fn sum(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        match self.axis() {
            Some(axis) => convolve::separable(cells, &convolve::Axis::new(axis), workers),
            None => splat(cells, &self.rows(Scale::Mass), Combine::Sum, workers),
        }
    }

    fn near(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        splat(cells, &self.disc(), Combine::Sum, workers)
    }

    fn max(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        splat(cells, &self.rows(Scale::Peak), Combine::Max, workers)
    }
}

impl Spread for RowKernels {
    fn sum(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        match SeparableRows::new(self, workers.threads()) {
            Some(rows) => convolve::separable(cells, &rows, workers),
            None => splat_rows(cells, self, self.shape(), Scale::Mass, Combine::Sum, workers),
        }
    }

    fn near(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        splat_rows(cells, self, Shape::Uniform, Scale::Peak, Combine::Sum, workers)
    }

    fn max(&self, cells: &Grid<f32>, workers: Workers<'_>) -> Grid<f32> {
        splat_rows(cells, self, self.shape(), Scale::Peak, Combine::Max, workers)
    }
}

fn aggregate(cells: &Cells, kernel: &impl Spread, aggregation: Aggregation, workers: Workers<'_>) -> Result<Grid<f32>> {
    let density = match aggregation {
        Aggregation::Sum => kernel.sum(required(cells.sums.as_ref())?, workers),
        Aggregation::Count => kernel.sum(required(cells.counts.as_ref())?, workers),
        Aggregation::Mean => {
            let mut mean = kernel.sum(required(cells.sums.as_ref())?, workers);
            let cells = required(cells.counts.as_ref())?;
            let (counts, near) = (kernel.sum(cells, workers), kernel.near(cells, workers));
            for ((mean, &count), &near) in mean.cells_mut().iter_mut().zip(counts.cells()).zip(near.cells()) {
                *mean = if near > 0.0 && count > 0.0 { *mean / count } else { f32::NAN };
            }
            mean
        }
        Aggregation::Max => {
            let mut max = kernel.max(required(cells.max.as_ref())?, workers);
            for max in max.cells_mut() {
                *max = if *max == f32::NEG_INFINITY { f32::NAN } else { *max };
            }
            max
        }
    };
    // A cancelled convolution returns early, with a part of its rows.
    workers.check()?;
    Ok(density)
}

/// The grid of a reduction, or an error if the cells do not have it.
fn required(grid: Option<&Grid<f32>>) -> Result<&Grid<f32>> {
    grid.ok_or_else(|| Error::invalid(Parameter::AGG, "the cells do not have the reduction that it requires"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use proptest::prelude::*;

    use super::*;
    use crate::geo::{Bounds, Points, Projection};
    use crate::raster::{Bins, GroundKernel};

    fn plane(width: u32, height: u32) -> Canvas {
        let bounds = Bounds::new(0.0, 0.0, f64::from(width), f64::from(height)).unwrap();
        Canvas::new(Projection::Plane, bounds, width, height).unwrap()
    }

    fn render(
        canvas: &Canvas,
        points: &[(f64, f64, f32)],
        shape: Shape,
        radius_px: f64,
        aggregation: Aggregation,
        threads: usize,
    ) -> Grid<f32> {
        let kernel = Kernel::new(shape, radius_px).unwrap();
        let lon: Vec<f64> = points.iter().map(|p| p.0).collect();
        let lat: Vec<f64> = points.iter().map(|p| p.1).collect();
        let weight: Vec<f32> = points.iter().map(|p| p.2).collect();
        let mut bins = Bins::new(&canvas.grow(kernel.reach_px()), aggregation.reduction());
        bins.add(Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap());
        density(&bins.into_cells(), kernel, aggregation, threads).unwrap()
    }

    #[test]
    fn a_cancelled_convolution_returns_at_the_next_row() {
        let (set, unset) = (AtomicBool::new(true), AtomicBool::new(false));
        let mut cells = Grid::filled(64, 64, 0.0f32);
        cells.cells_mut().fill(1.0);
        for shape in [Shape::Gaussian, Shape::Cone] {
            let kernel = Kernel::new(shape, 5.0).unwrap();
            let canvas = Canvas::new(Projection::Mercator, Bounds::WORLD, 64, 64).unwrap();
            let ground = GroundKernel::new(shape, 2e6).unwrap().on(&canvas).unwrap();
            let [width, height] = ground.cells_size();
            let all = Grid::filled(width, height, 1.0f32);
            for threads in [1, 3] {
                for (stop, is_empty) in [(&unset, false), (&set, true)] {
                    let workers = Workers::new(threads, Some(stop));
                    for out in [kernel.sum(&cells, workers), kernel.near(&cells, workers), ground.sum(&all, workers)] {
                        assert_eq!(out.cells().iter().all(|value| *value == 0.0), is_empty, "{shape} {threads}");
                    }
                    for out in [kernel.max(&cells, workers), ground.max(&all, workers)] {
                        let is_blank = out.cells().iter().all(|value| *value == f32::NEG_INFINITY);
                        assert_eq!(is_blank, is_empty, "{shape} {threads}");
                    }
                }
            }
            let mut bins = Bins::new(&canvas.grow(kernel.reach_px()), Reduction::Count);
            bins.add(Points::new(&[10.0], &[50.0]).unwrap());
            let cells = bins.into_cells();
            let density = |stop| density(&cells, kernel, Aggregation::Count, Workers::new(2, Some(stop)));
            assert!(matches!(density(&set), Err(Error::Cancelled)) && density(&unset).is_ok());
        }
    }

    /// A naive implementation of the definition: every point, every pixel.
    fn naive(
        canvas: &Canvas,
        points: &[(f64, f64, f32)],
        shape: Shape,
        radius_px: f64,
        aggregation: Aggregation,
    ) -> Vec<f64> {
        let kernel = |dx: f64, dy: f64| {
            let (u, v) = (dx / radius_px, dy / radius_px);
            let square = u * u + v * v;
            match shape {
                Shape::Gaussian if aggregation == Aggregation::Max && square > 1.0 => 0.0,
                // Truncated at 5σ along both axes.
                Shape::Gaussian if dx.abs().max(dy.abs()) > (radius_px * 5.0 / 3.0).floor() => 0.0,
                Shape::Gaussian => (-4.5 * square).exp(),
                Shape::Triangular => (1.0 - u.abs()).max(0.0) * (1.0 - v.abs()).max(0.0),
                Shape::Cone => (1.0 - square.sqrt()).max(0.0),
                Shape::Epanechnikov => (1.0 - square).max(0.0),
                Shape::Quartic => (1.0 - square).max(0.0) * (1.0 - square).max(0.0),
                Shape::Uniform => f64::from(u8::from(square <= 1.0)),
            }
        };
        let reach = (radius_px * 5.0 / 3.0).floor() as i32;
        let offsets = || (-reach..=reach).map(f64::from);
        let mass: f64 = offsets().flat_map(|y| offsets().map(move |x| (x, y))).map(|(x, y)| kernel(x, y)).sum();
        let (width, height) = (canvas.width(), canvas.height());
        let mut out = Vec::new();
        for row in 0..height {
            for col in 0..width {
                let (mut weights, mut counts, mut max, mut near) = (0.0, 0.0, f64::NAN, false);
                for &(x, y, w) in points {
                    let (dx, dy) = (x.floor() - f64::from(col), (f64::from(height) - y).floor() - f64::from(row));
                    let k = kernel(dx, dy);
                    near |= dx.hypot(dy) <= radius_px;
                    weights += f64::from(w) * k;
                    counts += k;
                    if k > 0.0 {
                        max = max.max(f64::from(w) * k);
                    }
                }
                out.push(match aggregation {
                    Aggregation::Sum => weights / mass,
                    Aggregation::Count => counts / mass,
                    Aggregation::Mean if !near => f64::NAN,
                    Aggregation::Mean => weights / counts,
                    Aggregation::Max => max,
                });
            }
        }
        out
    }

    fn some_points() -> impl Strategy<Value = Vec<(f64, f64, f32)>> {
        // At the centers of cells, as rounding at an edge could go either way.
        let center = |size: i32| (-12..size + 12).prop_map(|cell| f64::from(cell) + 0.5);
        prop::collection::vec((center(150), center(40), -3.0f32..9.0), 0..80)
    }

    fn any_shape() -> impl Strategy<Value = Shape> {
        prop::sample::select(Shape::ALL.map(|(_, shape)| shape).to_vec())
    }

    fn any_aggregation() -> impl Strategy<Value = Aggregation> {
        prop::sample::select(Aggregation::ALL.map(|(_, aggregation)| aggregation).to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn the_density_is_that_of_the_naive_implementation(
            points in some_points(), shape in any_shape(), radius_px in 0.5f64..11.0, aggregation in any_aggregation(),
        ) {
            let canvas = plane(150, 40);
            let values = render(&canvas, &points, shape, radius_px, aggregation, 2);
            let expected = naive(&canvas, &points, shape, radius_px, aggregation);
            for (i, (&value, expected)) in values.cells().iter().zip(expected).enumerate() {
                let close = (f64::from(value) - expected).abs() < 1e-4 || value.is_nan() && expected.is_nan();
                prop_assert!(close, "pixel {i}: {value}, expected {expected}");
            }
        }

        #[test]
        fn windows_and_threads_change_no_bit(
            points in some_points(), shape in any_shape(), radius_px in 0.5f64..11.0, aggregation in any_aggregation(),
            split in (1u32..149, 1u32..39),
        ) {
            let canvas = plane(150, 40);
            let full = render(&canvas, &points, shape, radius_px, aggregation, 1);
            for threads in 1..=3 {
                for (left, width) in [(0, split.0), (split.0, 150 - split.0)] {
                    for (top, height) in [(0, split.1), (split.1, 40 - split.1)] {
                        let window = canvas.window(i64::from(left), i64::from(top), width, height).unwrap();
                        let part = render(&window, &points, shape, radius_px, aggregation, threads);
                        for row in 0..height as usize {
                            let expected = &full.row(row + top as usize)[left as usize..(left + width) as usize];
                            let bits = |cells: &[f32]| cells.iter().map(|cell| cell.to_bits()).collect::<Vec<_>>();
                            prop_assert_eq!(bits(part.row(row)), bits(expected));
                        }
                    }
                }
            }
        }

        #[test]
        fn mass_is_preserved(points in some_points(), shape in any_shape(), radius_px in 0.5f64..11.0) {
            // Large enough for every kernel: points are up to 12 cells outside the plane, and the reach is up to 19
            // pixels.
            let canvas = plane(150, 40).window(-32, -32, 214, 104).unwrap();
            let density = render(&canvas, &points, shape, radius_px, Aggregation::Sum, 2);
            let mass: f64 = points.iter().map(|p| f64::from(p.2)).sum();
            let total: f64 = density.cells().iter().map(|&cell| f64::from(cell)).sum();
            prop_assert!((mass - total).abs() < 1e-4 * (1.0 + points.len() as f64), "{mass} {total}");
        }
    }

    #[test]
    fn gathered_dense_rows_and_scattered_sparse_rows_agree() {
        let canvas = plane(300, 60);
        let mut points: Vec<(f64, f64, f32)> = Vec::new();
        for i in 0..9000 {
            points.push((f64::from(i * 7 % 150) + 0.5, f64::from(i / 150 % 60) + 0.5, (i % 13) as f32));
        }
        for aggregation in [Aggregation::Sum, Aggregation::Max] {
            let full = render(&canvas, &points, Shape::Cone, 9.0, aggregation, 1);
            // In a window at the eastern edge of the cluster, the same rows are sparse.
            let window = canvas.window(140, 0, 160, 60).unwrap();
            let part = render(&window, &points, Shape::Cone, 9.0, aggregation, 1);
            for row in 0..60 {
                let bits = |cells: &[f32]| cells.iter().map(|cell| cell.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(part.row(row)), bits(&full.row(row)[140..]), "row {row}");
            }
        }
    }
}
