//! Kernels with a radius on the ground.
//!
//! A dot is defined in the sinusoidal projection whose central meridian is that of the point: the north-south distance v is
//! measured along the meridian, and the east-west distance u along the parallel of the *pixel*. This projection preserves
//! areas and is exact along the central meridian and along every parallel (Snyder 1987, Map Projections: A Working Manual,
//! p. 243), so a dot has the same size and the same weight per km² at every latitude, in every projection of the map. Both
//! distances depend on rows alone, so a separable kernel remains separable.
//!
//! The amount in a pixel of area A is w · K(u / r, v / r) · A / N. N is the sum of K · A over all pixels of the grid, so
//! that the amounts sum to the weight w.

use std::ops::Range;

use super::convolve::{Factors, ROWS, Separable};
use super::profile::TapRow;
use super::{Grid, Kernel, Shape, profile};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Ground, GroundRow};
use crate::parallel::for_each;
use crate::parameter::Parameter;

/// A kernel of a shape and a radius on the ground.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroundKernel {
    shape: Shape,
    radius_m: f64,
}

impl GroundKernel {
    /// Creates a kernel with a radius in meters.
    ///
    /// # Errors
    /// [`Error::Invalid`] unless `radius_m` is finite and above 0.
    pub fn new(shape: Shape, radius_m: f64) -> Result<Self> {
        if radius_m > 0.0 && radius_m.is_finite() {
            Ok(Self { shape, radius_m })
        } else {
            Err(Error::invalid(Parameter::RADIUS, format!("{radius_m} m is out of range; expected more than 0")))
        }
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The radius in meters.
    pub fn radius_m(&self) -> f64 {
        self.radius_m
    }

    /// The minimum radius in pixels on the grid of `canvas`: along a meridian at the equator. It is the same for all
    /// canvases of the grid. `None` on a plane, where a radius in plane units is the same in all pixels.
    pub fn min_radius_px(&self, canvas: &Canvas) -> Option<f64> {
        Some(self.radius_m / canvas.pixel_size_m(0.0)?[1])
    }

    /// The kernel in each row of `canvas`, without its halo.
    ///
    /// A radius above [`Kernel::MAX_RADIUS_PX`], or above 0.6 times the width of the world, is reduced to that in the rows
    /// near the poles in which it occurs.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the [minimum radius](Self::min_radius_px) exceeds [`Kernel::MAX_RADIUS_PX`], or the canvas is
    /// on a plane.
    pub fn on(&self, canvas: &Canvas) -> Result<RowKernels> {
        RowKernels::new(*self, canvas)
    }
}

/// The kernels of the rows of a canvas: see [`GroundKernel`].
///
/// All factors are functions of the rows of the grid, so that windows of the grid agree bit for bit.
#[derive(Clone, Debug)]
pub struct RowKernels {
    kernel: GroundKernel,
    canvas: Canvas,
    /// The number of columns and rows by which the cells exceed the canvas: on either side, in the north, in the south.
    halo: [usize; 3],
    /// The number of rows before the first row of cells; they are in reach of the cells.
    padding: usize,
    rows: Rows,
    /// For each output row, the rows of cells whose dots can reach it.
    sources: Vec<Range<usize>>,
    /// For each row of cells, the indices in `rows` of those that its dots can reach; none if it is not on the map.
    targets: Vec<Range<usize>>,
}

/// Rows of pixels, from north to south: those of the cells, and all rows in their reach.
#[derive(Clone, Debug, Default)]
struct Rows {
    /// The distances of the centers from the equator, in meters to the north.
    north_m: Vec<f64>,
    /// The reciprocals of the radius in m⁻¹, along the meridian.
    inverse_radius: Vec<f64>,
    /// The radius in pixels, along the parallel.
    radius_px: Vec<f64>,
    /// The area of a pixel in m²; 0 in rows beyond a pole.
    area_m2: Vec<f64>,
    /// Whether the row is on the map; points elsewhere have no dots.
    is_on_map: Vec<bool>,
}

/// The maximum number of rows or columns from a point to the edge of its dot.
const MAX_REACH: f64 = Kernel::MAX_RADIUS_PX * super::kernel::GAUSSIAN_REACH;

impl RowKernels {
    fn new(kernel: GroundKernel, canvas: &Canvas) -> Result<Self> {
        let plane = || Error::invalid(Parameter::RADIUS, "a plane has no ground of the globe");
        Kernel::new(kernel.shape, kernel.min_radius_px(canvas).ok_or_else(plane)?)?;
        let ground = canvas.ground().ok_or_else(plane)?;
        let height = i64::from(canvas.height());
        let (northern, north) = kernel.surroundings(&ground, 0, -1);
        let (southern, south) = kernel.surroundings(&ground, height - 1, 1);
        let padding = northern.len() - north;
        let mut rows = Rows::default();
        let max_radius_px = (0.6 * canvas.scale()[0]).min(Kernel::MAX_RADIUS_PX);
        let inner = (0..height).map(|row| ground.row(row));
        for row in northern.into_iter().rev().chain(inner).chain(southern) {
            rows.north_m.push(row.north_m);
            rows.inverse_radius.push(kernel.row_radius_m(&row).recip());
            rows.radius_px.push((kernel.radius_m / row.width_m).min(max_radius_px));
            rows.area_m2.push(if kernel.exists(&row) { row.area_m2 } else { 0.0 });
            rows.is_on_map.push(row.is_on_map);
        }
        let first = padding + north;
        let drawn = first..first + canvas.height() as usize;
        let cells = padding..drawn.end + south;
        let widest = rows.radius_px[drawn.clone()].iter().fold(0.0f64, |max, radius_px| max.max(*radius_px));
        let halo = [(widest * kernel.shape.reach()).floor() as usize, north, south];
        let reach_m = kernel.shape.reach() * kernel.radius_m;
        let sources = ranges_within(&rows.north_m, drawn, |_| reach_m);
        let sources =
            sources.map(|rows| rows.start.max(cells.start) - padding..rows.end.min(cells.end) - padding).collect();
        let reach_m = |row: usize| {
            if rows.is_on_map[row] { kernel.shape.reach() / rows.inverse_radius[row] } else { f64::NEG_INFINITY }
        };
        let targets = ranges_within(&rows.north_m, cells, reach_m).collect();
        Ok(Self { kernel, canvas: *canvas, halo, padding, rows, sources, targets })
    }

    /// The canvas of the cells: this canvas and its halo, the surroundings whose dots reach into it.
    pub fn cells_canvas(&self) -> Canvas {
        let [columns, north, south] = self.halo.map(|pixels| pixels as u32);
        self.canvas.extend(columns, north, south)
    }

    /// The maximum radius in pixels in the rows of the canvas, along a meridian. It may exceed
    /// [`Kernel::MAX_RADIUS_PX`].
    pub fn max_radius_px(&self) -> f64 {
        self.radii_px().fold(0.0, f64::max)
    }

    /// The mean radius in pixels in the rows of the canvas, along a meridian.
    pub fn mean_radius_px(&self) -> f64 {
        self.radii_px().sum::<f64>() / f64::from(self.canvas.height())
    }

    /// The radii in pixels in the rows of the canvas, along a meridian.
    fn radii_px(&self) -> impl Iterator<Item = f64> {
        let heights_m = self.canvas.ground().into_iter();
        let rows = 0..i64::from(self.canvas.height());
        heights_m.flat_map(move |ground| rows.clone().map(move |row| self.kernel.radius_m / ground.row(row).height_m))
    }

    pub(super) fn shape(&self) -> Shape {
        self.kernel.shape
    }

    /// The number of columns and rows by which the cells exceed the canvas: on either side, in the north, in the south.
    pub(super) fn halo(&self) -> [usize; 3] {
        self.halo
    }

    /// The width and height of the cells.
    pub(super) fn cells_size(&self) -> [usize; 2] {
        let [columns, north, south] = self.halo;
        [self.canvas.width() as usize + 2 * columns, self.canvas.height() as usize + north + south]
    }

    /// The rows of cells whose dots can reach an output row.
    pub(super) fn sources(&self, output_row: usize) -> Range<usize> {
        self.sources[output_row].clone()
    }

    /// The output rows among `within` that dots of a row of cells can reach.
    pub(super) fn output_rows(&self, cell_row: usize, within: &Range<usize>) -> Range<usize> {
        let (rows, offset) = (&self.targets[cell_row], self.padding + self.halo[1]);
        let clamp = |row: usize| row.saturating_sub(offset).clamp(within.start, within.end);
        clamp(rows.start)..clamp(rows.end)
    }

    /// An output row as a row of the kernel around a row of cells, whose amounts have the reciprocal of N `inverse_norm`; its
    /// maximum is 1 without.
    pub(super) fn tap_row(&self, cell_row: usize, output_row: usize, inverse_norm: Option<f64>) -> TapRow {
        let (from, to) = (cell_row + self.padding, output_row + self.halo[1] + self.padding);
        let distance = (self.rows.north_m[from] - self.rows.north_m[to]) * self.rows.inverse_radius[from];
        let factor = inverse_norm.map_or(1.0, |norm| (self.rows.area_m2[to] * norm) as f32);
        TapRow { radius_px: self.rows.radius_px[to], distance, factor }
    }

    /// The reciprocals of N, 1 / Σ K · A, of a round shape, of the rows of cells for which `is_occupied`; 0 in the others.
    pub(super) fn round_inverse_norms(
        &self,
        shape: Shape,
        is_occupied: impl Fn(usize) -> bool + Sync,
        threads: usize,
    ) -> Vec<f64> {
        let Rows { north_m, inverse_radius, radius_px, area_m2, .. } = &self.rows;
        self.for_occupied(is_occupied, threads, |cell_row, _| {
            let (row, targets) = (cell_row + self.padding, self.targets[cell_row].clone());
            let (positions, areas) = (&north_m[targets.clone()], &area_m2[targets.clone()]);
            profile::round_norm(shape, &radius_px[targets], positions, areas, north_m[row], inverse_radius[row])
        })
    }

    /// The reciprocals of the sums that `sum` returns for the rows of cells for which `is_occupied`; 0 in the others. `sum` is
    /// called with the row and a buffer.
    fn for_occupied(
        &self,
        is_occupied: impl Fn(usize) -> bool + Sync,
        threads: usize,
        sum: impl Fn(usize, &mut Vec<f32>) -> f64 + Sync,
    ) -> Vec<f64> {
        const ROWS_AT_A_TIME: usize = 16;
        let mut norms = vec![0.0; self.cells_size()[1]];
        for_each(norms.chunks_mut(ROWS_AT_A_TIME).enumerate(), threads, |(chunk, norms)| {
            let mut scratch = Vec::new();
            for (i, norm) in norms.iter_mut().enumerate() {
                let row = chunk * ROWS_AT_A_TIME + i;
                let sum = if is_occupied(row) { sum(row, &mut scratch) } else { 0.0 };
                *norm = if sum > 0.0 { sum.recip() } else { 0.0 };
            }
        });
        norms
    }
}

impl GroundKernel {
    /// The radius along the meridian of dots in a row, in meters.
    fn row_radius_m(&self, row: &GroundRow) -> f64 {
        self.radius_m.min(Kernel::MAX_RADIUS_PX * row.height_m)
    }

    /// The rows from row `edge` on in the direction `step`, without it, from near to far: first those whose dots reach the
    /// edge, and their number, then those that dots of these reach.
    fn surroundings(&self, ground: &Ground, edge: i64, step: i64) -> (Vec<GroundRow>, usize) {
        let distance_m = |row: &GroundRow, to: &GroundRow| (row.north_m - to.north_m).abs();
        let reach_m = |row: &GroundRow| self.shape.reach() * self.row_radius_m(row);
        let (mut rows, mut row) = (Vec::new(), edge);
        let first = ground.row(edge);
        let mut next = |limit: i64, is_near: &dyn Fn(&GroundRow) -> bool| {
            while row != limit {
                let found = ground.row(row + step);
                if !is_near(&found) {
                    break;
                }
                row += step;
                rows.push(found);
            }
            row
        };
        let limit = MAX_REACH as i64 * step;
        let halo_end = next(edge + limit, &|row| row.is_on_map && distance_m(row, &first) <= reach_m(row));
        let last = ground.row(halo_end);
        let max_reach_m = self.shape.reach() * self.radius_m;
        next(halo_end + limit, &|row| self.exists(row) && distance_m(row, &last) <= max_reach_m);
        (rows, halo_end.abs_diff(edge) as usize)
    }

    /// Whether dots can reach a row. Web Mercator has infinitely many rows up to a pole; those that are left out have less
    /// than 10⁻⁷ of the weight of a dot.
    fn exists(&self, row: &GroundRow) -> bool {
        row.is_on_map || row.area_m2 > 0.0 && GroundRow::POLE_M - row.north_m.abs() > 1e-7 * self.radius_m
    }
}

/// For each of the rows `of`, the rows of `all` at most `reach_m` and [`MAX_REACH`] rows from it.
fn ranges_within(all: &[f64], of: Range<usize>, reach_m: impl Fn(usize) -> f64) -> impl Iterator<Item = Range<usize>> {
    let (mut start, mut end) = (of.start, of.start);
    of.map(move |row| {
        let (limit, reach_m) = (MAX_REACH as usize, reach_m(row));
        if reach_m < 0.0 {
            return row..row;
        }
        let is_near = |other: usize| (all[other] - all[row]).abs() <= reach_m && other.abs_diff(row) <= limit;
        // From the range of the previous row, which is similar.
        start = start.min(row);
        while start > 0 && is_near(start - 1) {
            start -= 1;
        }
        while !is_near(start) {
            start += 1;
        }
        end = end.max(row + 1);
        while end < all.len() && is_near(end) {
            end += 1;
        }
        while !is_near(end - 1) {
            end -= 1;
        }
        start..end
    })
}

/// [`RowKernels`] of a separable shape, for the cells of a grid.
pub(super) struct SeparableRows<'a> {
    kernels: &'a RowKernels,
    /// The reciprocals of N of the rows of cells; 0 in empty rows.
    inverse_norms: Vec<f32>,
    /// The sums of K · A over a row, where K is the factor along the parallel, as in `kernels.rows`.
    weights: Vec<f32>,
}

impl<'a> SeparableRows<'a> {
    pub(super) fn new(kernels: &'a RowKernels, cells: &Grid<f32>, threads: usize) -> Self {
        let (shape, rows) = (kernels.shape(), &kernels.rows);
        let row_sums = rows.radius_px.iter().map(|radius_px| profile::row_sum(shape, *radius_px));
        let weights: Vec<f32> = row_sums.zip(&rows.area_m2).map(|(sum, area_m2)| (sum * area_m2) as f32).collect();
        let is_occupied = |row: usize| cells.row(row).iter().any(|cell| cell.to_bits() != 0);
        let norms = kernels.for_occupied(is_occupied, threads, |cell_row, scratch| {
            let (row, targets) = (cell_row + kernels.padding, kernels.targets[cell_row].clone());
            let (positions, weights) = (&rows.north_m[targets.clone()], &weights[targets]);
            profile::norm(shape, positions, weights, rows.north_m[row], rows.inverse_radius[row], scratch)
        });
        let inverse_norms = norms.iter().map(|norm| *norm as f32).collect();
        Self { kernels, inverse_norms, weights }
    }
}

impl Separable for SeparableRows<'_> {
    fn halo(&self) -> [usize; 3] {
        self.kernels.halo
    }

    fn set(&self, factors: &mut Factors, row: usize, rows: usize) {
        let (kernels, shape) = (self.kernels, self.kernels.shape());
        let Rows { north_m, inverse_radius, radius_px, .. } = &kernels.rows;
        let all = &kernels.sources[row..row + rows];
        let start = all.iter().map(|rows| rows.start).min().unwrap_or(0);
        let end = all.iter().map(|rows| rows.end).max().unwrap_or(start);
        factors.first = start;
        factors.vertical.clear();
        factors.vertical.resize(end - start, [0.0; ROWS]);
        let first = row + kernels.halo[1] + kernels.padding;
        for (lane, (sources, horizontal)) in all.iter().zip(&mut factors.horizontal).enumerate() {
            let (to, from) = (first + lane, sources.start + kernels.padding..sources.end + kernels.padding);
            let out = &mut factors.vertical[sources.start - start..];
            let sources = profile::Sources {
                positions: &north_m[from.clone()],
                scales: &inverse_radius[from],
                factors: &self.inverse_norms[sources.clone()],
            };
            profile::vertical(shape, sources, north_m[to], self.weights[to], lane, &mut factors.scratch, out);
            profile::horizontal(shape, radius_px[to], (radius_px[to] * shape.reach()) as usize, horizontal);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
