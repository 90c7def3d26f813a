//! Checks which blocks of a zoom have points within reach.

use super::TILE_PX;
use super::block::{Block, canvas_of};
use crate::error::Result;
use crate::geo::{Bounds, Canvas, TileCoord, TileCover};
use crate::layer::{Layer, Style, is_occupied};
use crate::source::Query;

/// Finds the blocks with points within reach at a zoom that is not rendered.
pub(super) struct OccupancyProbe<'a> {
    layer: &'a Layer,
    query: Query<'a>,
    cover: TileCover,
    style: Style,
    has_background: bool,
}

impl<'a> OccupancyProbe<'a> {
    /// Side of a probed tile in pixels: fine enough to skip most of the empty blocks.
    const TILE_PX: u32 = 16;

    pub(super) fn new(layer: &'a Layer, query: Query<'a>, style: &Style, zoom: u8, bounds: Bounds) -> Result<Self> {
        let has_background = style.palette().rgba(style.empty_index())[3] > 0;
        let side_ratio = f64::from(Self::TILE_PX) / f64::from(TILE_PX);
        let style = Style { radius: style.radius.scaled(side_ratio), ..style.clone() };
        // Errors of the style occur here, not in the first block.
        style.canvas_with_reach(&Canvas::tile(TileCoord::new(zoom, 0, 0)?, Self::TILE_PX)?)?;
        Ok(Self { layer, query, cover: TileCover::of(bounds, zoom), style, has_background })
    }

    pub(super) fn is_occupied(&self, block: Block) -> Result<bool> {
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, _)) = canvas_of(&tiles, Self::TILE_PX)? else { return Ok(false) };
        if self.has_background {
            return Ok(true);
        }
        // A pixel more for dots that are moved to the center of a pixel.
        is_occupied(&**self.layer.point_set(), &self.query, &self.style.canvas_with_reach(&canvas)?.grow(1))
    }
}
