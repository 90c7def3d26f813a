//! The journal of a tile export, from which an interrupted export resumes after its last finished block.
//!
//! The staging directory has two files. `tiles` has the bytes of the tiles in archive order, after a reserved header:
//! `PMTiles` and COG archives are completed in this file, so that no byte of a tile is copied. `journal.sqlite` has the
//! key of the export, a row for each finished block and a row for each of its tiles.
//!
//! The transaction of a block commits after its bytes are written. A killed process loses only the block that it is
//! writing, since the operating system already has the contents of the write-ahead log. A power cut may lose bytes of
//! `tiles` that the journal refers to, so each block has a checksum of its rows and bytes, and a journal is replayed up
//! to the last block whose checksum matches.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, Row};

use super::block::Block;
use super::block_record::{BlockRecord, StoredTile};
use super::block_result::{BlockResult, Digest, RenderedTile};
use super::sqlite::{self, Failure};
use super::staging_dir::StagingDir;
use crate::error::{Error, Result};
use crate::geo::TileCoord;

/// The finished blocks of an export and the bytes of their tiles.
#[derive(Debug)]
pub(super) struct ExportJournal {
    database: Connection,
    database_path: PathBuf,
    tiles: File,
    tiles_path: PathBuf,
    /// The length of the reserved header.
    header_bytes: u64,
    index: TileIndex,
    /// The id of the last finished block; ids start at 1.
    last_block: i64,
    /// The blocks that were finished when the journal was opened, and whether each is occupied.
    finished: Vec<(Block, bool)>,
}

impl ExportJournal {
    /// The name of the tiles file in the staging directory.
    pub(super) const TILES: &str = "tiles";
    const DATABASE: &str = "journal.sqlite";

    /// A commit writes the last page of each table: with small pages that is about 3 KB per block. The staging
    /// directory is locked, so the database needs no locks and no shared memory of its own. Without fsync per commit,
    /// `NORMAL` keeps the database consistent across a power cut.
    const PRAGMAS: &str = "
        PRAGMA page_size = 1024;
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = NORMAL;
    ";
    const SCHEMA: &str = "
        CREATE TABLE export (key TEXT NOT NULL) STRICT;
        CREATE TABLE block (
            id INTEGER PRIMARY KEY,
            zoom INTEGER NOT NULL,
            x INTEGER NOT NULL,
            y INTEGER NOT NULL,
            is_occupied INTEGER NOT NULL,
            crc32 INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE tile (
            block INTEGER NOT NULL,
            position INTEGER NOT NULL,
            x INTEGER NOT NULL,
            y INTEGER NOT NULL,
            offset INTEGER NOT NULL,
            length INTEGER NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (block, position)
        ) STRICT, WITHOUT ROWID;
    ";

    /// Opens the journal of an export. A damaged journal, or one of another export or another version of Kiln, is
    /// replaced with an empty one.
    pub(super) fn open(staging: &StagingDir, key: &str, header_bytes: u64) -> Result<Self> {
        let database_path = staging.path(Self::DATABASE);
        let failed = |failure: Failure| failure.into_error(&database_path);
        if database_path.exists() {
            match Self::resume(staging, key, header_bytes) {
                Ok(Some(journal)) => return Ok(journal),
                Err(failure) if !failure.is_damage() => return Err(failed(failure)),
                Ok(None) | Err(_) => {}
            }
        }
        staging.clear()?;
        let mut database = Self::connect(staging).map_err(failed)?;
        let create = |database: &mut Connection| {
            let transaction = database.transaction()?;
            transaction.execute_batch(Self::SCHEMA)?;
            transaction.execute("INSERT INTO export VALUES (?1)", [key])?;
            transaction.commit()
        };
        create(&mut database).map_err(|error| failed(error.into()))?;
        let mut journal = Self::new(staging, database, header_bytes)?;
        journal.truncate().map_err(failed)?;
        Ok(journal)
    }

    fn connect(staging: &StagingDir) -> Result<Connection, Failure> {
        let database = sqlite::open(&staging.path(Self::DATABASE))?;
        // No checkpoint is needed on close: a finished export removes the database, and an interrupted one replays the
        // log.
        database.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        database.execute_batch(Self::PRAGMAS)?;
        Ok(database)
    }

    fn new(staging: &StagingDir, database: Connection, header_bytes: u64) -> Result<Self> {
        let tiles_path = staging.path(Self::TILES);
        let tiles = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&tiles_path);
        let tiles = tiles.map_err(|error| Error::io(&tiles_path, "write", error))?;
        Ok(Self {
            database,
            database_path: staging.path(Self::DATABASE),
            tiles,
            tiles_path,
            header_bytes,
            index: TileIndex::default(),
            last_block: 0,
            finished: Vec::new(),
        })
    }

    /// Opens the journal of an interrupted run; `None` if it belongs to another export.
    fn resume(staging: &StagingDir, key: &str, header_bytes: u64) -> Result<Option<Self>, Failure> {
        let database = Self::connect(staging)?;
        let text = |sql| database.query_row(sql, [], |row| row.get::<_, String>(0)).optional();
        if text("SELECT key FROM export")?.is_none_or(|found| found != key) {
            return Ok(None);
        }
        if text("PRAGMA integrity_check(1)")?.is_none_or(|found| found != "ok") {
            return Err(Failure::Damaged);
        }
        let mut journal = Self::new(staging, database, header_bytes)?;
        journal.replay()?;
        journal.truncate()?;
        Ok(Some(journal))
    }

    /// Reads the finished blocks, up to the first whose checksum does not match.
    fn replay(&mut self) -> Result<(), Failure> {
        let failed = |error| Error::io(&self.tiles_path, "read", error);
        let mut file = BufReader::new(&self.tiles);
        file.seek(SeekFrom::Start(self.header_bytes)).map_err(failed)?;
        let mut blocks = self.database.prepare("SELECT id, zoom, x, y, is_occupied, crc32 FROM block ORDER BY id")?;
        let mut tiles = self
            .database
            .prepare("SELECT x, y, offset, length, digest FROM tile WHERE block = ?1 ORDER BY position")?;
        let mut rows = blocks.query([])?;
        while let Some(row) = rows.next()? {
            let (id, crc32): (i64, u32) = (row.get(0)?, row.get(5)?);
            let mut record = BlockRecord {
                block: Block { zoom: row.get(1)?, column: row.get(2)?, row: row.get(3)? },
                is_occupied: row.get(4)?,
                tiles: Vec::new(),
                new_bytes: Vec::new(),
            };
            let mut end = self.index.length;
            let mut rows = tiles.query([id])?;
            while let Some(row) = rows.next()? {
                let tile = stored_tile(row, record.block.zoom)?;
                end += if tile.offset == end { u64::from(tile.length) } else { 0 };
                record.tiles.push((tile, Digest::from_le_bytes(row.get(4)?)));
            }
            let added = end - self.index.length;
            file.by_ref().take(added).read_to_end(&mut record.new_bytes).map_err(failed)?;
            if id != self.last_block + 1 || record.new_bytes.len() as u64 != added || record.crc32() != crc32 {
                break;
            }
            self.last_block = id;
            self.finished.push((record.block, record.is_occupied));
            record.tiles.iter().for_each(|(tile, digest)| self.index.insert(*tile, *digest));
        }
        Ok(())
    }

    /// Removes everything after the last finished block.
    fn truncate(&mut self) -> Result<(), Failure> {
        let transaction = self.database.transaction()?;
        transaction.execute("DELETE FROM tile WHERE block > ?1", [self.last_block])?;
        transaction.execute("DELETE FROM block WHERE id > ?1", [self.last_block])?;
        transaction.commit()?;
        let end = self.header_bytes + self.index.length;
        let cut = self.tiles.set_len(end).and_then(|()| self.tiles.seek(SeekFrom::Start(end)));
        cut.map_err(|error| Error::io(&self.tiles_path, "write", error))?;
        Ok(())
    }

    /// The blocks that were finished when the journal was opened, in order, and whether each is occupied.
    pub(super) fn finished(&self) -> &[(Block, bool)] {
        &self.finished
    }

    /// Removes all finished blocks.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.index = TileIndex::default();
        self.last_block = 0;
        self.finished.clear();
        self.truncate().map_err(|failure| failure.into_error(&self.database_path))
    }

    /// Appends a finished block. Once the call returns, the block survives a kill of the process.
    pub(super) fn append(&mut self, block: Block, result: &BlockResult) -> Result<()> {
        let mut record =
            BlockRecord { block, is_occupied: result.is_occupied, tiles: Vec::new(), new_bytes: Vec::new() };
        let mut rest = &result.bytes[..];
        for &RenderedTile { tile, length, digest } in &result.tiles {
            let (bytes, remaining) = rest.split_at(length as usize);
            rest = remaining;
            let duplicate = self.index.offsets.get(&digest).copied();
            let stored = StoredTile { tile, offset: duplicate.unwrap_or(self.index.length), length };
            if duplicate.is_none() {
                record.new_bytes.extend_from_slice(bytes);
            }
            self.index.insert(stored, digest);
            record.tiles.push((stored, digest));
        }
        let written = self.tiles.write_all(&record.new_bytes);
        written.map_err(|error| Error::io(&self.tiles_path, "write", error))?;
        let inserted = record.insert(&mut self.database, self.last_block + 1);
        inserted.map_err(|error| Failure::from(error).into_error(&self.database_path))?;
        self.last_block += 1;
        Ok(())
    }

    /// Whether no block is finished.
    pub(super) fn is_empty(&self) -> bool {
        self.last_block == 0
    }

    /// The number of tiles.
    pub(super) fn tile_count(&self) -> u64 {
        self.index.count
    }

    /// The number of distinct tiles.
    pub(super) fn distinct(&self) -> u64 {
        self.index.distinct
    }

    /// The total length of the distinct tiles.
    pub(super) fn tiles_bytes(&self) -> u64 {
        self.index.length
    }

    /// All tiles in archive order.
    pub(super) fn tiles(&self) -> Result<Vec<StoredTile>> {
        let select = "SELECT tile.x, tile.y, offset, length, zoom FROM tile JOIN block ON block.id = tile.block \
             ORDER BY tile.block, position";
        let read = || -> Result<_, Failure> {
            let mut tiles = Vec::with_capacity(self.index.count as usize);
            let mut select = self.database.prepare(select)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                tiles.push(stored_tile(row, row.get(4)?)?);
            }
            Ok(tiles)
        };
        read().map_err(|failure| failure.into_error(&self.database_path))
    }

    /// Reads the bytes of a tile.
    pub(super) fn read(&mut self, tile: StoredTile, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.resize(tile.length as usize, 0);
        let read = self.tiles.seek(SeekFrom::Start(self.header_bytes + tile.offset));
        read.and_then(|_| self.tiles.read_exact(bytes)).map_err(|error| Error::io(&self.tiles_path, "read", error))
    }

    /// The tiles file, to which the header of an archive is written, and its path.
    pub(super) fn tiles_file(&mut self) -> (&mut File, &Path) {
        (&mut self.tiles, &self.tiles_path)
    }
}

/// An index that finds tiles with the same bytes.
#[derive(Debug, Default)]
struct TileIndex {
    /// The offsets of distinct tiles by digest.
    offsets: HashMap<Digest, u64>,
    count: u64,
    distinct: u64,
    /// The total length of the distinct tiles.
    length: u64,
}

impl TileIndex {
    /// The maximum number of distinct tiles that new tiles are compared with.
    const MAX_OFFSETS: usize = 1 << 22;

    /// Adds a tile. It is new if its offset is the end of the file.
    fn insert(&mut self, tile: StoredTile, digest: Digest) {
        self.count += 1;
        if tile.offset == self.length {
            self.distinct += 1;
            self.length += u64::from(tile.length);
            if self.offsets.len() < Self::MAX_OFFSETS {
                self.offsets.entry(digest).or_insert(tile.offset);
            }
        }
    }
}

/// Reads a tile from a row that starts with `x`, `y`, `offset` and `length`.
fn stored_tile(row: &Row<'_>, zoom: u8) -> Result<StoredTile, Failure> {
    let tile = TileCoord::new(zoom, row.get(0)?, row.get(1)?).map_err(|_| Failure::Damaged)?;
    let offset: i64 = row.get(2)?;
    Ok(StoredTile { tile, offset: offset as u64, length: row.get(3)? })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "the key";
    const HEADER_BYTES: u64 = 10;

    fn open(target: &Path, key: &str) -> (StagingDir, ExportJournal) {
        let staging = StagingDir::open(target).unwrap();
        let journal = ExportJournal::open(&staging, key, HEADER_BYTES).unwrap();
        (staging, journal)
    }

    /// Three blocks: the second has no tile, and two tiles are duplicates.
    fn blocks() -> [(Block, BlockResult); 3] {
        let result = |tiles: &[(u32, &[u8])]| {
            let mut result = BlockResult { is_occupied: !tiles.is_empty(), ..BlockResult::default() };
            for (x, bytes) in tiles {
                let encode = |out: &mut Vec<u8>| {
                    out.extend_from_slice(bytes);
                    Ok(())
                };
                result.push(TileCoord::new(5, *x, 1).unwrap(), encode).unwrap();
            }
            result
        };
        let block = |column| Block { zoom: 5, column, row: 0 };
        [
            (block(0), result(&[(1, b"one"), (2, b"two"), (3, b"one")])),
            (block(1), result(&[])),
            (block(2), result(&[(4, b"two"), (5, b"three")])),
        ]
    }

    fn append_missing(journal: &mut ExportJournal) {
        for (block, result) in &blocks()[journal.finished().len()..] {
            journal.append(*block, result).unwrap();
        }
    }

    fn contents(journal: &mut ExportJournal) -> Vec<(u32, Vec<u8>)> {
        let tiles = journal.tiles().unwrap();
        let read = |tile: StoredTile| {
            let mut bytes = Vec::new();
            journal.read(tile, &mut bytes).unwrap();
            (tile.tile.x(), bytes)
        };
        tiles.into_iter().map(read).collect()
    }

    fn assert_complete(journal: &mut ExportJournal) {
        let all: [(u32, &[u8]); 5] = [(1, b"one"), (2, b"two"), (3, b"one"), (4, b"two"), (5, b"three")];
        assert!(contents(journal).iter().map(|(x, bytes)| (*x, &bytes[..])).eq(all));
        assert_eq!((journal.tile_count(), journal.distinct(), journal.tiles_bytes()), (5, 3, 11));
    }

    /// The files of a journal after a kill of the process.
    fn files(staging: &StagingDir) -> [(&'static str, Vec<u8>); 3] {
        [ExportJournal::TILES, "journal.sqlite", "journal.sqlite-wal"]
            .map(|name| (name, fs::read(staging.path(name)).unwrap_or_default()))
    }

    fn write_files(staging: &StagingDir, files: &[(&'static str, Vec<u8>)]) {
        staging.clear().unwrap();
        for (name, bytes) in files {
            fs::write(staging.path(name), bytes).unwrap();
        }
    }

    #[test]
    fn only_the_same_export_resumes_after_the_finished_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let (staging, mut journal) = open(&target, KEY);
        assert!(journal.is_empty());
        append_missing(&mut journal);
        assert_complete(&mut journal);
        drop((staging, journal));
        let (staging, mut journal) = open(&target, KEY);
        let finished = blocks().map(|(block, result)| (block, result.is_occupied));
        assert_eq!(journal.finished(), finished);
        assert_complete(&mut journal);
        journal.restart().unwrap();
        assert!(journal.is_empty() && journal.finished().is_empty());
        append_missing(&mut journal);
        assert_complete(&mut journal);
        drop((staging, journal));
        assert!(open(&target, "another key").1.finished().is_empty());
    }

    #[test]
    fn the_directory_of_an_older_version_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let staging = StagingDir::open(&target).unwrap();
        write_files(&staging, &[("key", KEY.into()), ("tiles", vec![1; 500]), ("blocks", vec![2; 90])]);
        fs::create_dir(staging.path("out")).unwrap();
        let mut journal = ExportJournal::open(&staging, KEY, HEADER_BYTES).unwrap();
        assert!(journal.finished().is_empty());
        assert!(["key", "blocks", "out"].iter().all(|name| !staging.path(name).exists()));
        append_missing(&mut journal);
        assert_complete(&mut journal);
    }

    #[test]
    fn a_damaged_journal_resumes_after_the_last_undamaged_block() {
        let folder = tempfile::tempdir().unwrap();
        let (staging, mut journal) = open(&folder.path().join("complete"), KEY);
        append_missing(&mut journal);
        let killed = files(&staging);
        journal.database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let checkpointed = files(&staging);
        assert!(killed[2].1.len() > 1000 && checkpointed[2].1.is_empty());
        // 3 + 3 bytes of the first block and 5 of the last.
        let blocks_in = |tiles_bytes: usize| match tiles_bytes.saturating_sub(HEADER_BYTES as usize) {
            0..6 => 0,
            6..11 => 2,
            _ => 3,
        };
        let staging = StagingDir::open(&folder.path().join("other")).unwrap();
        let resume = |files: &[(&'static str, Vec<u8>)], case: &dyn std::fmt::Display| {
            write_files(&staging, files);
            let mut journal = ExportJournal::open(&staging, KEY, HEADER_BYTES).unwrap();
            let finished = journal.finished().len();
            append_missing(&mut journal);
            assert_complete(&mut journal);
            drop(journal);
            let mut journal = ExportJournal::open(&staging, KEY, HEADER_BYTES).unwrap();
            assert_eq!(journal.finished().len(), 3, "{case}");
            assert_complete(&mut journal);
            finished
        };
        for undamaged in [&killed, &checkpointed] {
            assert_eq!(resume(undamaged, &"undamaged"), 3);
            for (file, step) in [(0, 1), (1, 31), (2, 61)] {
                for at in (0..undamaged[file].1.len()).step_by(step) {
                    let mut files = undamaged.clone();
                    files[file].1[at] ^= 0x10;
                    resume(&files, &format!("file {file}: byte {at} is wrong"));
                    files = undamaged.clone();
                    files[file].1.truncate(at);
                    let finished = resume(&files, &format!("file {file}: {at} bytes are left"));
                    assert!(file > 0 || finished == blocks_in(at), "{at} bytes of the tiles are left");
                }
            }
        }
    }
}
