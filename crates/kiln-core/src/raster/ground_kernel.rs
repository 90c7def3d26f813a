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

mod row_tables;
mod separable_rows;
mod table_cache;

use std::ops::Range;
use std::sync::Arc;

use self::row_tables::RowTables;
pub(super) use self::separable_rows::SeparableRows;
use super::profile::TapRow;
use super::{Kernel, Shape};
use crate::error::{Error, Result};
use crate::geo::Canvas;
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
        /// Any smaller radius is a single pixel as well, and its reciprocal would exceed `f32`.
        const MIN_RADIUS_PX: f64 = 1e-6;
        let min_m = canvas.pixel_size_m(0.0).map_or(0.0, |[_, height_m]| MIN_RADIUS_PX * height_m);
        RowKernels::new(Self { radius_m: self.radius_m.max(min_m), ..*self }, canvas)
    }
}

/// The kernels of the rows of a canvas: see [`GroundKernel`].
///
/// All factors are functions of the rows of the grid, so that windows of the grid agree bit for bit. Canvases of the same rows
/// share them, such as the tiles of one row of a zoom.
#[derive(Clone, Debug)]
pub struct RowKernels {
    kernel: GroundKernel,
    canvas: Canvas,
    tables: Arc<RowTables>,
}

impl RowKernels {
    fn new(kernel: GroundKernel, canvas: &Canvas) -> Result<Self> {
        let plane = || Error::invalid(Parameter::RADIUS, "a plane has no ground of the globe");
        Kernel::new(kernel.shape, kernel.min_radius_px(canvas).ok_or_else(plane)?)?;
        let ground = canvas.ground().ok_or_else(plane)?;
        let tables = table_cache::get(kernel, canvas, || RowTables::new(kernel, canvas, &ground));
        Ok(Self { kernel, canvas: *canvas, tables })
    }

    /// The canvas of the cells: this canvas and its halo, the surroundings whose dots reach into it.
    pub fn cells_canvas(&self) -> Canvas {
        let [columns, north, south] = self.tables.halo.map(|pixels| pixels as u32);
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
        self.tables.halo
    }

    /// The width and height of the cells.
    pub(super) fn cells_size(&self) -> [usize; 2] {
        let [columns, north, south] = self.tables.halo;
        [self.canvas.width() as usize + 2 * columns, self.canvas.height() as usize + north + south]
    }

    /// The rows of cells whose dots can reach an output row.
    pub(super) fn sources(&self, output_row: usize) -> Range<usize> {
        self.tables.sources[output_row].clone()
    }

    /// The output rows among `within` that dots of a row of cells can reach.
    pub(super) fn output_rows(&self, cell_row: usize, within: &Range<usize>) -> Range<usize> {
        let (rows, offset) = (&self.tables.targets[cell_row], self.tables.first_output_row());
        let clamp = |row: usize| row.saturating_sub(offset).clamp(within.start, within.end);
        clamp(rows.start)..clamp(rows.end)
    }

    /// The reciprocal of N, 1 / Σ K · A, of a row of cells; the shape must be round.
    pub(super) fn round_inverse_norm(&self, cell_row: usize) -> f64 {
        self.tables.round_inverse_norm(cell_row)
    }

    /// An output row as a row of the kernel around a row of cells, whose amounts have the reciprocal of N `inverse_norm`; its
    /// maximum is 1 without.
    pub(super) fn tap_row(&self, cell_row: usize, output_row: usize, inverse_norm: Option<f64>) -> TapRow {
        let rows = &self.tables.rows;
        let (from, to) = (cell_row + self.tables.padding, output_row + self.tables.first_output_row());
        let distance = (rows.north_m[from] - rows.north_m[to]) * rows.inverse_radius[from];
        let factor = inverse_norm.map_or(1.0, |norm| (rows.area_m2[to] * norm) as f32);
        TapRow { radius_px: rows.radius_px[to], distance, factor }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
