//! A rendered block.

use twox_hash::XxHash3_128;

use crate::error::Result;
use crate::geo::TileCoord;

/// The tiles of a rendered block.
#[derive(Debug, Default)]
pub(super) struct BlockResult {
    /// Whether points are within reach. If not, no higher zoom of this area has points either.
    pub(super) is_occupied: bool,
    /// The non-empty tiles, in archive order.
    pub(super) tiles: Vec<RenderedTile>,
    /// The concatenated bytes of the tiles.
    pub(super) bytes: Vec<u8>,
}

/// A tile of a rendered block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RenderedTile {
    pub(super) tile: TileCoord,
    pub(super) length: u32,
    pub(super) digest: Digest,
}

/// The XXH3-128 of the bytes of a tile. Among the 4 million tiles that are compared, two different tiles have the same
/// digest with a probability below 10⁻²⁵.
pub(super) type Digest = u128;

impl BlockResult {
    /// Adds a tile; `encode` appends its bytes.
    pub(super) fn push(&mut self, tile: TileCoord, encode: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
        let start = self.bytes.len();
        encode(&mut self.bytes)?;
        let bytes = &self.bytes[start..];
        self.tiles.push(RenderedTile { tile, length: bytes.len() as u32, digest: XxHash3_128::oneshot(bytes) });
        Ok(())
    }
}
