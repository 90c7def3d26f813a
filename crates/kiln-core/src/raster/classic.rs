//! The multiplicative dots of the Python library `heatmap` 2.2.1: byte-for-byte the same output, and much faster.
//!
//! Every pixel starts at 255. Each point, in input order, multiplies the pixels of its dot by a cone that is 50/255 at
//! the center and 1 at the edge, rounding down each time: low is hot, 255 is no point, and 253 to 255 are transparent.
//! The scale is absolute, so more points only bring a pixel closer to 0. Because of the rounding, the result depends
//! slightly on the order of the points, so the order is kept at any number of threads.
//!
//! ```text
//! legacy_positions ─┐
//!                   ├─ px, py ─ Dots::new ─ Dots::blend(window, threads) ─ Grid<u8>
//! any projection ───┘
//! ```
//!
//! It is fast because a dot's cone ends at [`reach_px`], a tenth of the square that the Python library's loop visits;
//! the picture is split into independent bands of rows; tiles whose pixels are all 0 cannot change and are skipped; and
//! the cone is computed in `f32`, several pixels at a time, with the exact `f64` formula as the fallback where `f32`
//! could round to another byte.
//!
//! The Python library samples pixel (column, row) at its corner, (column, row) itself, not at its center: to align a
//! picture with a map, half a pixel must be subtracted from the positions. [`legacy_positions`] does not subtract it.

// A body that is compiled once per vector width must be inlined into the function of each width.
#![allow(clippy::inline_always)]

mod band;
mod cone;
mod legacy;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::parallel::for_each;
use crate::parameter::Parameter;
use crate::raster::Grid;
use band::Band;
use cone::Cone;

pub use cone::{dot_size_for_radius, radius_for_dot_size, reach_px};
pub use legacy::legacy_positions;

/// The maximum dot size in pixels, with a radius of about 5,880 pixels in the picture.
pub const MAX_DOT_SIZE: f32 = 16_384.0;

/// The limit of column and row numbers, exclusive: up to it, `f32` positions resolve 1/16 pixel.
pub const MAX_SIDE_PX: usize = 1 << 19;

/// The part of a picture to compute, in pixels from its north-western corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first column.
    pub column: usize,
    /// The first row.
    pub row: usize,
    /// The number of columns.
    pub width: usize,
    /// The number of rows.
    pub height: usize,
}

impl Window {
    /// The window of an entire picture of `width` × `height` pixels.
    pub fn full(width: usize, height: usize) -> Self {
        Self { column: 0, row: 0, width, height }
    }

    /// Checks that the window does not exceed [`MAX_SIDE_PX`].
    fn check(self) -> Result<()> {
        let ends = [self.column.checked_add(self.width), self.row.checked_add(self.height)];
        if ends.iter().any(|end| end.is_none_or(|end| end > MAX_SIDE_PX)) {
            return Err(Error::invalid(
                Parameter::SIZE,
                format!("the picture may have at most {MAX_SIDE_PX} pixels per side"),
            ));
        }
        Ok(())
    }
}

/// The numbers of dots inside and outside a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DotCounts {
    /// Points whose dot overlaps the window.
    pub drawn: usize,
    /// Points whose dot is entirely outside the window.
    pub outside: usize,
    /// Points whose position is infinite or NaN. They are not drawn.
    pub not_finite: usize,
}

/// Dots of one size at pixel positions.
#[derive(Clone, Copy, Debug)]
pub struct Dots<'a> {
    px: &'a [f32],
    py: &'a [f32],
    cone: Cone,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Dots<'a> {
    /// Creates dots of `dot_size` at the positions `px` (pixels from the western edge), `py` (pixels from the northern
    /// edge).
    ///
    /// `dot_size` is the parameter of the Python library: the side in pixels of the square that its loop visits. The
    /// visible dot is smaller, see [`radius_for_dot_size`]. Range: above 0 and up to [`MAX_DOT_SIZE`]; useful from 8.
    /// Smaller dots are clipped asymmetrically by the square: size 2 draws one pixel for about two of five points, and
    /// size 1 draws nothing. The Python library accepts integers only; its formulas are extended to fractions.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the columns differ in length or `dot_size` is out of range.
    pub fn new(px: &'a [f32], py: &'a [f32], dot_size: f32) -> Result<Self> {
        if px.len() != py.len() {
            return Err(Error::invalid(Parameter::POINTS, format!("{} columns but {} rows", px.len(), py.len())));
        }
        if !(dot_size > 0.0 && dot_size <= MAX_DOT_SIZE) {
            let message = format!("{dot_size} is out of range: above 0 and up to {MAX_DOT_SIZE} pixels");
            return Err(Error::invalid(Parameter::DOT_SIZE, message));
        }
        Ok(Self { px, py, cone: Cone::new(dot_size), stop: None })
    }

    /// The dots with a flag that cancels [`Dots::blend`] once it is set.
    #[must_use]
    pub fn with_stop(self, stop: Option<&'a AtomicBool>) -> Self {
        Self { stop, ..self }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Counts the dots inside and outside `window`.
    pub fn count(&self, window: Window) -> DotCounts {
        let reach = band::reach_bounds(window, &self.cone);
        let mut counts = DotCounts::default();
        for (&px, &py) in self.px.iter().zip(self.py) {
            let not_finite = !(px.is_finite() && py.is_finite());
            let drawn = reach.contains(px, py);
            counts.not_finite += usize::from(not_finite);
            counts.drawn += usize::from(drawn);
            counts.outside += usize::from(!drawn && !not_finite);
        }
        counts
    }

    /// Renders the pixels of `window` on up to `threads` threads (0 counts as 1).
    ///
    /// The bytes depend on the dots and their order alone: a window is exactly that part of the entire picture, at any
    /// number of threads. Positions that are not finite are not drawn; [`Dots::count`] counts them.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the window exceeds [`MAX_SIDE_PX`]; [`Error::Cancelled`] once the flag is set.
    pub fn blend(&self, window: Window, threads: usize) -> Result<Grid<u8>> {
        window.check()?;
        let mut grid = Grid::filled(window.width, window.height, u8::MAX);
        if window.width == 0 || window.height == 0 {
            return Ok(grid);
        }
        let rows = band::rows_for(window.height, threads);
        let bands = grid.cells_mut().chunks_mut(rows * window.width).enumerate();
        for_each(bands, threads, |(index, cells)| {
            let window = Window { row: window.row + index * rows, height: cells.len() / window.width, ..window };
            let mut band = Band::new(window);
            band::paint(&mut band, self);
            band.write_to(cells);
        });
        if self.is_stopped() { Err(Error::Cancelled) } else { Ok(grid) }
    }
}
