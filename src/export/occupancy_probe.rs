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
    has_background: bool,
    reach_px: u32,
}

impl<'a> OccupancyProbe<'a> {
    /// Side of a probed tile in pixels: fine enough to skip most of the empty blocks.
    const TILE_PX: u32 = 16;

    pub(super) fn new(layer: &'a Layer, query: Query<'a>, style: &Style, zoom: u8, bounds: Bounds) -> Result<Self> {
        let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
        let style = style.per_pixel(&tile);
        let reach_px = style.reach_px(&tile)?.div_ceil(TILE_PX / Self::TILE_PX) + 1;
        let has_background = style.palette().rgba(style.empty_index())[3] > 0;
        Ok(Self { layer, query, cover: TileCover::of(bounds, zoom), has_background, reach_px })
    }

    pub(super) fn is_occupied(&self, block: Block) -> Result<bool> {
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, _)) = canvas_of(&tiles, Self::TILE_PX)? else { return Ok(false) };
        if self.has_background {
            return Ok(true);
        }
        is_occupied(&**self.layer.point_set(), &self.query, &canvas, self.reach_px)
    }
}
