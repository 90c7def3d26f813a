//! Which blocks of a zoom have points within reach.

use super::TILE_PX;
use super::block::{Block, canvas_of};
use super::tile_export::TileExport;
use crate::error::Result;
use crate::geo::{Bounds, Canvas, Cover, TileCoord};
use crate::layer::is_occupied;
use crate::source::Query;

/// Finds out which blocks of a zoom that is not drawn have points within reach.
pub(super) struct OccupancyProbe<'a> {
    export: &'a TileExport<'a>,
    query: Query<'a>,
    cover: Cover,
    is_printed: bool,
    reach_px: u32,
}

impl<'a> OccupancyProbe<'a> {
    /// Pixels of a tile that is looked at: enough to leave most of what is empty out.
    const TILE_PX: u32 = 16;

    pub(super) fn new(export: &'a TileExport<'a>, query: Query<'a>, zoom: u8, ground: Bounds) -> Result<Self> {
        let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
        let style = export.style.per_pixel(&tile);
        let reach_px = style.reach_px(&tile)?.div_ceil(TILE_PX / Self::TILE_PX) + 1;
        let is_printed = style.palette().rgba(style.nothing())[3] > 0;
        Ok(Self { export, query, cover: Cover::of(ground, zoom), is_printed, reach_px })
    }

    pub(super) fn probe(&self, block: Block) -> Result<bool> {
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, _)) = canvas_of(&tiles, Self::TILE_PX)? else { return Ok(false) };
        if self.is_printed {
            return Ok(true);
        }
        is_occupied(self.export.layer.origin(&self.query), &self.query, &canvas, self.reach_px)
    }
}
