//! From a block to the bytes of its tiles.

use std::sync::Arc;

use super::block::{Block, canvas_of};
use super::spool::{Digest, Drawn};
use super::{Export, TILE_PX};
use crate::color::Palette;
use crate::encode::geotiff::ColorTiles;
use crate::encode::png::{self, PngOptions};
use crate::error::Result;
use crate::geo::{Bounds, Canvas, Cover, TileCoord};
use crate::layer::{Shading, Style, is_occupied, render_occupied};
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
pub(super) struct Painter<'a> {
    export: &'a Export<'a>,
    query: Query<'a>,
    cover: Cover,
    style: Style,
    shading: Option<Arc<Shading>>,
    palette: Palette,
    encoding: Encoding,
}

impl<'a> Painter<'a> {
    pub(super) fn new(
        export: &'a Export<'a>,
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
    pub(super) fn draw(&self, block: Block) -> Result<Drawn> {
        let mut drawn = Drawn::default();
        let tiles = block.tiles(&self.cover)?;
        let Some((canvas, first)) = canvas_of(&tiles, TILE_PX)? else { return Ok(drawn) };
        let origin = &**self.export.layer.point_set();
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
    fn draw_nothing(&self, tiles: &[TileCoord]) -> Result<Drawn> {
        let mut drawn = Drawn::default();
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
        drawn: &mut Drawn,
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

/// Finds out which blocks of a zoom that is not drawn have points within reach.
pub(super) struct Prober<'a> {
    export: &'a Export<'a>,
    query: Query<'a>,
    cover: Cover,
    is_printed: bool,
    reach_px: u32,
}

impl<'a> Prober<'a> {
    /// Pixels of a tile that is looked at: enough to leave most of what is empty out.
    const TILE_PX: u32 = 16;

    pub(super) fn new(export: &'a Export<'a>, query: Query<'a>, zoom: u8, ground: Bounds) -> Result<Self> {
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
        is_occupied(&**self.export.layer.point_set(), &self.query, &canvas, self.reach_px)
    }
}
