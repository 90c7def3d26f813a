//! The work of a picture, which is known before its grid is computed.

use super::{GridStyle, PictureLimits, cells, heat};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas};
use crate::layer::Style;
use crate::occupancy::grid::union;
use crate::occupancy::{CellSystem, Grid, GridLayer, GridRequest, PictureKind};
use crate::parameter::Parameter;

/// The work of a picture.
#[derive(Clone, Debug)]
pub enum PictureWork {
    /// Squares of whole pixels are filled, with this many pixels together.
    Squares(u64),
    /// The cell of each pixel is looked up, of this many pixels.
    Sampled(u64),
    /// The points are smoothed.
    Smoothed {
        /// The canvas.
        canvas: Canvas,
        /// The style of the dots.
        dots: Box<Style>,
    },
}

impl PictureWork {
    /// The work of the picture of a grid of `layer`.
    ///
    /// # Errors
    /// As [`draw`](super::draw).
    pub fn of(layer: &GridLayer<'_>, request: &GridRequest, style: &GridStyle, limits: PictureLimits) -> Result<Self> {
        let frame = PictureFrame { request, extent: layer.extent, is_globe: layer.query.columns.space.wraps() };
        if style.picture != PictureKind::Cells {
            let (canvas, dots) = heat::canvas_and_dots(frame, style, limits)?;
            return Ok(Self::Smoothed { canvas, dots: Box::new(dots) });
        }
        match request.cells {
            CellSystem::Square { .. } => {
                cells::Squares::of(frame, style, limits).map(|squares| Self::Squares(squares.pixels()))
            }
            _ => cells::sampled_canvas(frame, style, limits)
                .map(|canvas| Self::Sampled(u64::from(canvas.width()) * u64::from(canvas.height()))),
        }
    }
}

/// What the bounds of a picture depend on.
#[derive(Clone, Copy, Debug)]
pub(super) struct PictureFrame<'r> {
    pub(super) request: &'r GridRequest,
    /// The extent of the layer.
    pub(super) extent: Option<Bounds>,
    /// Whether x and y are degrees on the globe.
    pub(super) is_globe: bool,
}

impl<'g> From<&'g Grid> for PictureFrame<'g> {
    fn from(grid: &'g Grid) -> Self {
        Self { request: &grid.request, extent: grid.extent, is_globe: grid.is_globe }
    }
}

impl PictureFrame<'_> {
    /// The bounds of smoothed pictures: the requested ones, or else those of [`cell_bounds`](Self::cell_bounds).
    ///
    /// # Errors
    /// As [`cell_bounds`](Self::cell_bounds).
    pub(super) fn bounds(self) -> Result<Bounds> {
        self.request.bounds.map_or_else(|| self.cell_bounds(), Ok)
    }

    /// The bounds of pictures of cells: on a plane the edges of the cells of the requested bounds, or else of the extent of
    /// the layer; on the globe the requested bounds, or the edges of the cells at the corners of the extent.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `bounds` if none are requested and the layer has no points.
    pub(super) fn cell_bounds(self) -> Result<Bounds> {
        let Some(bounds) = self.request.bounds.or(self.extent) else {
            return Err(Error::invalid(
                Parameter::BOUNDS,
                "missing; the layer has no points that would determine them",
            ));
        };
        if self.is_globe && self.request.bounds.is_some() {
            return Ok(bounds);
        }
        let Bounds { west, south, east, north } = bounds;
        let is_closed = self.request.bounds.is_none();
        let inner = |edge: f64| if is_closed { edge } else { edge.next_down() };
        let corners = [(west, south), (inner(east), inner(north)), (west, inner(north)), (inner(east), south)];
        let system = self.request.cells;
        let cells = corners.iter().filter_map(|&(x, y)| system.cell_at(x, y));
        Ok(cells.map(|cell| system.bounds(cell)).fold(bounds, union))
    }
}
