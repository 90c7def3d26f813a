//! The multiplicative dots of the Python library `heatmap` 2.2.1, to the byte and much faster.
//!
//! Every pixel starts at 255. Each point, in the order of the input, multiplies the pixels of its dot by a cone that is
//! 50/255 at the center and 1 at the rim, rounding down each time: low is hot, 255 is untouched, and 253 to 255 are not
//! shown. The scale is absolute, so more points only bring a pixel closer to 0. The rounding makes the result depend,
//! slightly, on the order of the points, so the order is kept whatever the number of threads.
//!
//! ```text
//! legacy_positions ─┐
//!                   ├─ px, py ─ Dots::new ─ Dots::blend(window, threads) ─ Grid<u8>
//! any projection ───┘
//! ```
//!
//! Why it is fast: a dot's cone ends at [`reach_px`], a tenth of the square that the old loop visits; the picture is cut
//! into bands of rows that share nothing; tiles whose pixels are all 0 can never change again and are skipped; and the
//! cone is computed in `f32`, several pixels at once, falling back to the exact `f64` formula only where `f32` could
//! round to another byte.
//!
//! The old library samples pixel (column, row) at its corner, (column, row) itself, not at its center: a picture that
//! is to sit right on a map needs half a pixel taken off the positions. [`legacy_positions`] does not do that.

// A body that is compiled once per vector width must be inlined into each of the functions that carry the width.
#![allow(clippy::inline_always)]

mod band;
mod cone;
mod legacy;
#[cfg(test)]
mod tests;

use crate::error::{Error, Result};
use crate::parallel::for_each;
use crate::parameter::Parameter;
use crate::raster::Grid;
use band::Band;
use cone::Cone;

pub use cone::{dot_size_for_radius, radius_for_dot_size, reach_px};
pub use legacy::legacy_positions;

/// The largest dot size, in pixels: the radius on the picture is then about 5,880 pixels.
pub const MAX_DOT_SIZE: f32 = 16_384.0;

/// The highest column or row number, exclusive: up to here `f32` positions resolve a sixteenth of a pixel.
pub const MAX_SIDE_PX: usize = 1 << 19;

/// The part of the whole picture to compute, in pixels from its north-west corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first column.
    pub column: usize,
    /// The first row.
    pub row: usize,
    /// How many columns.
    pub width: usize,
    /// How many rows.
    pub height: usize,
}

impl Window {
    /// The whole of a picture of `width` × `height` pixels.
    pub fn whole(width: usize, height: usize) -> Self {
        Self { column: 0, row: 0, width, height }
    }

    /// Checks that the window ends within [`MAX_SIDE_PX`].
    fn check(self) -> Result<()> {
        let ends = [self.column.checked_add(self.width), self.row.checked_add(self.height)];
        if ends.iter().any(|end| end.is_none_or(|end| end > MAX_SIDE_PX)) {
            return Err(Error::invalid(
                Parameter::SIZE,
                format!("the picture may have at most {MAX_SIDE_PX} pixels a side"),
            ));
        }
        Ok(())
    }
}

/// What becomes of the points in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DotCounts {
    /// Points whose dot reaches into the window.
    pub drawn: usize,
    /// Points whose dot lies wholly outside it.
    pub outside: usize,
    /// Points whose position is infinite or not a number. They are not drawn.
    pub not_finite: usize,
}

/// Dots of one size at pixel positions, ready to be blended in any window.
#[derive(Clone, Copy, Debug)]
pub struct Dots<'a> {
    px: &'a [f32],
    py: &'a [f32],
    cone: Cone,
}

impl<'a> Dots<'a> {
    /// A dot of `dot_size` at each position `px` (pixels from the west edge), `py` (pixels from the north edge).
    ///
    /// `dot_size` is the old library's parameter: the side of the square that its loop visits, in pixels. The dot that
    /// can be seen is smaller, see [`radius_for_dot_size`]. Above 0 and up to [`MAX_DOT_SIZE`]; useful from 8 on. A
    /// smaller dot is clipped lopsidedly by that square: size 2 draws one pixel for about two points in five, and
    /// size 1 draws nothing. The old library knows whole sizes only; fractions continue its formulas.
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
        Ok(Self { px, py, cone: Cone::new(dot_size) })
    }

    /// How many of the dots reach into `window`.
    pub fn count(&self, window: Window) -> DotCounts {
        let field = band::field(window, &self.cone);
        let mut counts = DotCounts::default();
        for (&px, &py) in self.px.iter().zip(self.py) {
            let not_finite = !(px.is_finite() && py.is_finite());
            let drawn = field.contains(px, py);
            counts.not_finite += usize::from(not_finite);
            counts.drawn += usize::from(drawn);
            counts.outside += usize::from(!drawn && !not_finite);
        }
        counts
    }

    /// The pixels of `window`, drawn by up to `threads` threads (0 counts as 1).
    ///
    /// The bytes depend on the dots and their order alone: a window holds exactly that part of the whole picture, at
    /// any number of threads. Positions that are not finite are not drawn; [`Dots::counts`] counts them.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the window ends beyond [`MAX_SIDE_PX`].
    pub fn blend(&self, window: Window, threads: usize) -> Result<Grid<u8>> {
        window.check()?;
        let mut grid = Grid::filled(window.width, window.height, u8::MAX);
        if window.width == 0 || window.height == 0 {
            return Ok(grid);
        }
        let rows = band::rows_for(window.height, threads);
        let bands = grid.cells_mut().chunks_mut(rows * window.width).enumerate();
        for_each(bands, threads, |(index, cells)| {
            let part = Window { row: window.row + index * rows, height: cells.len() / window.width, ..window };
            let mut band = Band::new(part);
            band::paint(&mut band, self);
            band.write_to(cells);
        });
        Ok(grid)
    }
}
