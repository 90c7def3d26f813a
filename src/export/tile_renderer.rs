//! Renders and encodes the tiles of a block.

use std::sync::Arc;

use super::TILE_PX;
use super::block::{Block, canvas_of};
use super::block_result::BlockResult;
use crate::color::Palette;
use crate::encode::geotiff::ColorTiles;
use crate::encode::png::{self, PngOptions};
use crate::error::Result;
use crate::geo::{Bounds, Canvas, TileCoord, TileCover};
use crate::layer::{Layer, Shading, Style, render_occupied};
use crate::raster::Grid;
use crate::source::Query;

/// The encoding of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Png,
    /// The colors of the pixels, deflated as in a `GeoTIFF`.
    Colors,
}

/// Renders the blocks of one zoom.
pub(super) struct TileRenderer<'a> {
    layer: &'a Layer,
    query: Query<'a>,
    cover: TileCover,
    style: Style,
    shading: Option<Arc<Shading>>,
    palette: Palette,
    encoding: Encoding,
}

impl<'a> TileRenderer<'a> {
    pub(super) fn new(
        layer: &'a Layer,
        query: Query<'a>,
        style: &Style,
        zoom: u8,
        bounds: Bounds,
        encoding: Encoding,
        threads: usize,
    ) -> Result<Self> {
        let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
        let shading = layer.shading(&query, &tile, style, threads)?;
        let palette = style.palette();
        Ok(Self { layer, query, cover: TileCover::of(bounds, zoom), style: style.clone(), shading, palette, encoding })
    }

    /// Renders the tiles of a block.
    pub(super) fn render(&self, block: Block) -> Result<BlockResult> {
        let mut result = BlockResult::default();
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, first)) = canvas_of(&tiles, TILE_PX)? else { return Ok(result) };
        let origin = &**self.layer.point_set();
        let shading = self.shading.as_deref();
        let Some(heat) = render_occupied(origin, &self.query, &canvas, &self.style, shading, 1)? else {
            return self.render_empty(&tiles);
        };
        result.is_occupied = true;
        let mut indices = Grid::filled(TILE_PX as usize, TILE_PX as usize, 0u8);
        let mut encoder = self.encoder();
        for tile in tiles {
            let [west, north] = [tile.x() - first[0], tile.y() - first[1]].map(|tiles| (tiles * TILE_PX) as usize);
            for row in 0..TILE_PX as usize {
                let block_row = heat.indices.row(north + row);
                indices.row_mut(row).copy_from_slice(&block_row[west..west + TILE_PX as usize]);
            }
            self.push(tile, &indices, encoder.as_mut(), &mut result)?;
        }
        Ok(result)
    }

    /// Renders the tiles of a block without points: none, unless the style has a background.
    fn render_empty(&self, tiles: &[TileCoord]) -> Result<BlockResult> {
        let mut result = BlockResult::default();
        if self.has_background() {
            let indices = Grid::filled(TILE_PX as usize, TILE_PX as usize, self.style.empty_index());
            let mut encoder = self.encoder();
            for tile in tiles {
                self.push(*tile, &indices, encoder.as_mut(), &mut result)?;
            }
            // The background is visible at higher zooms as well.
            result.is_occupied = true;
        }
        Ok(result)
    }

    fn push(
        &self,
        tile: TileCoord,
        indices: &Grid<u8>,
        encoder: Option<&mut ColorTiles>,
        result: &mut BlockResult,
    ) -> Result<()> {
        let empty_index = self.style.empty_index();
        if !self.has_background() && indices.cells().iter().all(|index| *index == empty_index) {
            return Ok(());
        }
        let colors = self.palette.colors();
        result.push(tile, |bytes| match encoder {
            None => png::write_indexed(bytes, indices, colors, PngOptions::default()),
            Some(encoder) => {
                bytes.extend_from_slice(&encoder.encode(indices, colors)?);
                Ok(())
            }
        })
    }

    fn encoder(&self) -> Option<ColorTiles> {
        (self.encoding == Encoding::Colors).then(ColorTiles::default)
    }

    /// Whether empty pixels are visible.
    fn has_background(&self) -> bool {
        self.palette.rgba(self.style.empty_index())[3] > 0
    }
}
