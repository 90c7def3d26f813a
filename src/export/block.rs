//! Square blocks of tiles that are rendered in one pass, so that neighboring tiles share the points around them.

use super::TILE_PX;
use crate::encode::pmtiles::tile_id;
use crate::error::Result;
use crate::geo::{Canvas, TileCoord, TileCover};

/// A square of tiles of one zoom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) zoom: u8,
    /// Column of the block, counted from the north-western corner of the world.
    pub(super) column: u32,
    pub(super) row: u32,
}

impl Block {
    /// A block has 2² × 2² tiles, or all tiles of a zoom below 2. Larger blocks would render fewer points twice, but
    /// their buffers were returned to the operating system after each block rather than reused for the next one: ten
    /// times as slow.
    const SIDE_BITS: u8 = 2;

    /// The block of the world at zoom 0.
    pub(super) const WORLD: Self = Self { zoom: 0, column: 0, row: 0 };

    fn bits(self) -> u8 {
        self.zoom.min(Self::SIDE_BITS)
    }

    /// The blocks of the same area at the next zoom.
    pub(super) fn children(self) -> Vec<Self> {
        let zoom = self.zoom + 1;
        if zoom <= Self::SIDE_BITS {
            return vec![Self { zoom, ..self }];
        }
        let child = |i: u32| Self { zoom, column: 2 * self.column + (i & 1), row: 2 * self.row + (i >> 1) };
        (0..4).map(child).collect()
    }

    /// Whether the blocks of a zoom cover a smaller area than those of the previous zoom.
    pub(super) fn splits(zoom: u8) -> bool {
        zoom > Self::SIDE_BITS
    }

    /// Sorts blocks of a zoom into the order of their tiles in an archive.
    pub(super) fn sort(blocks: &mut [Self]) -> Result<()> {
        let mut keyed = Vec::with_capacity(blocks.len());
        for block in blocks.iter() {
            keyed.push((tile_id(TileCoord::new(block.zoom - block.bits(), block.column, block.row)?), *block));
        }
        keyed.sort_unstable_by_key(|(id, _)| *id);
        blocks.iter_mut().zip(keyed).for_each(|(block, (_, sorted))| *block = sorted);
        Ok(())
    }

    /// The tiles of the block within `cover`, in archive order.
    pub(super) fn tiles(self, cover: &TileCover) -> Result<Vec<TileCoord>> {
        let side = 1u32 << self.bits();
        let mut tiles = Vec::new();
        for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
            let tile = TileCoord::new(self.zoom, self.column * side + column, self.row * side + row)?;
            if cover.contains(tile) {
                tiles.push(tile);
            }
        }
        tiles.sort_unstable_by_key(|tile| tile_id(*tile));
        Ok(tiles)
    }
}

/// The smallest canvas that covers `tiles`, which have the same zoom and `side_px` pixels per side, with the column and
/// row of its north-western tile; `None` without tiles.
pub(super) fn canvas_of(tiles: &[TileCoord], side_px: u32) -> Result<Option<(Canvas, [u32; 2])>> {
    let range =
        |of: fn(TileCoord) -> u32| Some((tiles.iter().map(|t| of(*t)).min()?, tiles.iter().map(|t| of(*t)).max()?));
    let (Some((west, east)), Some((north, south))) = (range(TileCoord::x), range(TileCoord::y)) else {
        return Ok(None);
    };
    let first = Canvas::tile(TileCoord::new(tiles[0].zoom(), west, north)?, side_px)?;
    let canvas = first.window(0, 0, (east - west + 1) * side_px, (south - north + 1) * side_px)?;
    Ok(Some((canvas, [west, north])))
}

const _: () = assert!(TILE_PX == 256);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Bounds;

    #[test]
    fn blocks_and_their_tiles_are_in_archive_order_and_cover_the_world() {
        let mut blocks = vec![Block::WORLD];
        let mut next = 0;
        for zoom in 0..6 {
            let cover = TileCover::of(Bounds::WORLD, zoom);
            Block::sort(&mut blocks).unwrap();
            for tile in blocks.iter().flat_map(|block| block.tiles(&cover).unwrap()) {
                assert_eq!(tile_id(tile), next);
                next += 1;
            }
            blocks = blocks.into_iter().flat_map(Block::children).collect();
        }
        assert_eq!(next, 1365);
    }

    #[test]
    fn a_canvas_covers_exactly_its_tiles() {
        let tile = |x, y| TileCoord::new(5, x, y).unwrap();
        let (canvas, first) = canvas_of(&[tile(9, 12), tile(10, 11)], 256).unwrap().unwrap();
        assert_eq!((canvas.width(), canvas.height(), first), (512, 512, [9, 11]));
        assert_eq!(canvas.window(256, 0, 256, 256).unwrap(), Canvas::tile(tile(10, 11), 256).unwrap());
        assert!(canvas_of(&[], 256).unwrap().is_none());
    }
}
