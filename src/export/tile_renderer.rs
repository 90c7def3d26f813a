//! From a block to the bytes of its tiles.

use std::sync::Arc;

use super::TILE_PX;
use super::block::{Block, canvas_of};
use super::export_journal::{BlockResult, Digest};
use super::tile_export::TileExport;
use crate::color::Palette;
use crate::encode::geotiff::ColorTiles;
use crate::encode::png::{self, PngOptions};
use crate::error::Result;
use crate::geo::{Bounds, Canvas, Cover, TileCoord};
use crate::layer::{Shading, Style, render_occupied};
use crate::raster::Grid;
use crate::source::Query;

/// How the bytes of a tile are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Png,
    /// The colors of the pixels, deflated as a `GeoTIFF` has them.
    Colors,
}

/// What all blocks of a zoom have in common.
pub(super) struct TileRenderer<'a> {
    export: &'a TileExport<'a>,
    query: Query<'a>,
    cover: Cover,
    style: Style,
    shading: Option<Arc<Shading>>,
    palette: Palette,
    encoding: Encoding,
}

impl<'a> TileRenderer<'a> {
    pub(super) fn new(
        export: &'a TileExport<'a>,
        query: Query<'a>,
        zoom: u8,
        ground: Bounds,
        encoding: Encoding,
    ) -> Result<Self> {
        let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
        let style = export.style.per_pixel(&tile);
        let shading = export.layer.shading(&query, &tile, &style, export.threads)?;
        let palette = style.palette();
        Ok(Self { export, query, cover: Cover::of(ground, zoom), style, shading, palette, encoding })
    }

    /// Draws the tiles of a block.
    pub(super) fn draw(&self, block: Block) -> Result<BlockResult> {
        let mut drawn = BlockResult::default();
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, first)) = canvas_of(&tiles, TILE_PX)? else { return Ok(drawn) };
        let origin = self.export.layer.origin(&self.query);
        let shading = self.shading.as_deref();
        let Some(heat) = render_occupied(origin, &self.query, &canvas, &self.style, shading, 1)? else {
            return self.draw_nothing(&tiles);
        };
        drawn.is_occupied = true;
        let mut cut = Grid::filled(TILE_PX as usize, TILE_PX as usize, 0u8);
        let mut encoder = self.encoder();
        for tile in tiles {
            let [west, north] = [tile.x() - first[0], tile.y() - first[1]].map(|tiles| (tiles * TILE_PX) as usize);
            for row in 0..TILE_PX as usize {
                cut.row_mut(row).copy_from_slice(&heat.indices.row(north + row)[west..west + TILE_PX as usize]);
            }
            self.push(tile, &cut, encoder.as_mut(), &mut drawn)?;
        }
        Ok(drawn)
    }

    /// What shows where there are no points: nothing, unless it is printed on something.
    fn draw_nothing(&self, tiles: &[TileCoord]) -> Result<BlockResult> {
        let mut drawn = BlockResult::default();
        if self.is_printed() {
            let cut = Grid::filled(TILE_PX as usize, TILE_PX as usize, self.style.nothing());
            let mut encoder = self.encoder();
            for tile in tiles {
                self.push(*tile, &cut, encoder.as_mut(), &mut drawn)?;
            }
            // Deeper down it shows as well.
            drawn.is_occupied = true;
        }
        Ok(drawn)
    }

    fn push(
        &self,
        tile: TileCoord,
        indices: &Grid<u8>,
        encoder: Option<&mut ColorTiles>,
        drawn: &mut BlockResult,
    ) -> Result<()> {
        let nothing = self.style.nothing();
        if !self.is_printed() && indices.cells().iter().all(|index| *index == nothing) {
            return Ok(());
        }
        let (start, colors) = (drawn.bytes.len(), self.palette.colors());
        match encoder {
            None => png::write_indexed(&mut drawn.bytes, indices, colors, PngOptions::default())?,
            Some(encoder) => drawn.bytes.extend_from_slice(&encoder.encode(indices, colors)?),
        }
        drawn.tiles.push((tile, Digest::of(&drawn.bytes[start..])));
        Ok(())
    }

    fn encoder(&self) -> Option<ColorTiles> {
        (self.encoding == Encoding::Colors).then(ColorTiles::default)
    }

    /// Whether pixels that no dot reaches show something.
    fn is_printed(&self) -> bool {
        self.palette.rgba(self.style.nothing())[3] > 0
    }
}
