//! The journal record of a finished block.

use rusqlite::{Connection, params};

use super::block::Block;
use super::block_result::Digest;
use crate::geo::TileCoord;

/// The journal record of a finished block.
pub(super) struct BlockRecord {
    pub(super) block: Block,
    pub(super) is_occupied: bool,
    pub(super) tiles: Vec<(StoredTile, Digest)>,
    /// The bytes of the tiles that are not stored yet.
    pub(super) new_bytes: Vec<u8>,
}

impl BlockRecord {
    /// The checksum of the record.
    pub(super) fn crc32(&self) -> u32 {
        let Self { block, is_occupied, tiles, new_bytes } = self;
        let mut crc32 = crc32fast::Hasher::new();
        crc32.update(new_bytes);
        crc32.update(&[block.zoom, u8::from(*is_occupied)]);
        for coordinate in [block.column, block.row] {
            crc32.update(&coordinate.to_le_bytes());
        }
        for (StoredTile { tile, offset, length }, digest) in tiles {
            for number in [tile.x(), tile.y(), *length] {
                crc32.update(&number.to_le_bytes());
            }
            crc32.update(&offset.to_le_bytes());
            crc32.update(&digest.to_le_bytes());
        }
        crc32.finalize()
    }

    pub(super) fn insert(&self, database: &mut Connection, id: i64) -> rusqlite::Result<()> {
        let Block { zoom, column, row } = self.block;
        let transaction = database.transaction()?;
        transaction.execute(
            "INSERT INTO block VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![id, zoom, column, row, self.is_occupied, self.crc32()],
        )?;
        {
            let mut insert = transaction.prepare("INSERT INTO tile VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            for (position, (StoredTile { tile, offset, length }, digest)) in self.tiles.iter().enumerate() {
                let digest = digest.to_le_bytes();
                insert.execute(params![id, position as i64, tile.x(), tile.y(), *offset as i64, length, digest])?;
            }
        }
        transaction.commit()
    }
}

/// The location of a tile in the tiles file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoredTile {
    pub(super) tile: TileCoord,
    /// The offset of the first byte, counted from the end of the reserved header.
    pub(super) offset: u64,
    pub(super) length: u32,
}
