//! What is finished of an export, in a folder beside its target: an export that came to a sudden end goes on from there.
//!
//! `tiles` holds the bytes of the tiles, in the order that they have in an archive, behind room for its head. `blocks` holds a
//! record of each finished block: where its tiles lie, and checksums. A record is written after the tiles that it is about, so
//! whatever follows the last whole record, in either file, is cut off when an export goes on.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::block::Block;
use crate::error::{Error, Result};
use crate::geo::TileCoord;
use crate::images::sync_folder;

/// A tile that is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) tile: TileCoord,
    /// Its first byte, counted from the end of the room for the head.
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Stands for the bytes of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Digest {
    hash: u64,
    crc: u32,
    length: u32,
}

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        Self { hash: hasher.finish(), crc: crc32fast::hash(bytes), length: bytes.len() as u32 }
    }
}

/// A block that is drawn.
#[derive(Debug, Default)]
pub(super) struct BlockResult {
    /// Whether there are points within reach; if not, there are none deeper down either.
    pub(super) is_occupied: bool,
    /// Its tiles that show anything, in order.
    pub(super) tiles: Vec<(TileCoord, Digest)>,
    /// Their bytes, one behind the other.
    pub(super) bytes: Vec<u8>,
}

/// The folder of an export.
#[derive(Debug)]
pub(super) struct ExportJournal {
    folder: PathBuf,
    tiles: File,
    blocks: File,
    /// Where the tiles begin.
    head_bytes: u64,
    /// How long all tiles are together.
    tiles_bytes: u64,
    stored: Vec<Stored>,
    /// Where tiles are that others may be the same as.
    known: HashMap<Digest, u64>,
    /// The blocks that were finished when the journal was opened, and whether each is occupied.
    finished: Vec<(Block, bool)>,
    /// Held as long as somebody is at it.
    _lock: File,
}

impl ExportJournal {
    /// The greatest number of different tiles that others are held against.
    const MOST_KNOWN: usize = 1 << 22;

    /// The folder for an export to `target`.
    pub(super) fn folder_of(target: &Path) -> PathBuf {
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        target.with_file_name(format!(".{name}.part"))
    }

    /// Opens the journal of an export to `target`. What is there is kept if it is of the same export, as `key` tells; if not, it is
    /// begun anew.
    pub(super) fn open(target: &Path, key: &str, head_bytes: u64) -> Result<Self> {
        let folder = Self::folder_of(target);
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |error| Error::io(path, "write", error)
        };
        match fs::create_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(refused(target)(error)),
            _ => {}
        }
        let path = folder.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(refused(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::input(
                    target,
                    "another export is writing it; wait for its end, or name another file",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(refused(&path)(error)),
        }
        let key_path = folder.join("key");
        let is_same = fs::read(&key_path).is_ok_and(|there| there == key.as_bytes());
        if !is_same {
            for name in ["key", "tiles", "blocks", "out"] {
                remove(&folder.join(name))?;
            }
        }
        let open = |name: &str| {
            let path = folder.join(name);
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(refused(&path))
        };
        let (tiles, blocks) = (open("tiles")?, open("blocks")?);
        if !is_same {
            fs::write(&key_path, key).map_err(refused(&key_path))?;
        }
        let mut journal = Self {
            folder,
            tiles,
            blocks,
            head_bytes,
            tiles_bytes: 0,
            stored: Vec::new(),
            known: HashMap::new(),
            finished: Vec::new(),
            _lock: lock,
        };
        journal.replay()?;
        Ok(journal)
    }

    /// Takes in what is finished, and cuts off the rest.
    fn replay(&mut self) -> Result<()> {
        let path = self.path("blocks");
        let failed = |error| Error::io(&path, "read", error);
        let mut records = BufReader::new(self.blocks.try_clone().map_err(failed)?);
        let mut tiles = BufReader::new(self.tiles.try_clone().map_err(failed)?);
        tiles.seek(SeekFrom::Start(self.head_bytes)).map_err(failed)?;
        let mut whole = 0;
        while let Some(record) = Record::read(&mut records).map_err(failed)? {
            let mut crc = crc32fast::Hasher::new();
            let mut rest = (&mut tiles).take(record.bytes);
            let mut piece = vec![0; 1 << 16];
            let mut read = 0;
            loop {
                let count = rest.read(&mut piece).map_err(failed)?;
                if count == 0 {
                    break;
                }
                crc.update(&piece[..count]);
                read += count as u64;
            }
            if read != record.bytes || crc.finalize() != record.crc {
                break;
            }
            whole += record.length;
            for (stored, digest) in &record.tiles {
                self.know(*digest, stored.offset);
                self.stored.push(*stored);
            }
            self.tiles_bytes += record.bytes;
            self.finished.push((record.block, record.is_occupied));
        }
        let end = self.head_bytes + self.tiles_bytes;
        let refused = |error| Error::io(&self.folder, "write", error);
        self.blocks.set_len(whole).map_err(refused)?;
        self.tiles.set_len(end).map_err(refused)?;
        self.blocks.seek(SeekFrom::Start(whole)).map_err(refused)?;
        self.tiles.seek(SeekFrom::Start(end)).map_err(refused)?;
        Ok(())
    }

    fn know(&mut self, digest: Digest, offset: u64) {
        if self.known.len() < Self::MOST_KNOWN {
            self.known.entry(digest).or_insert(offset);
        }
    }

    /// The blocks that were finished when the journal was opened, in order, and whether each is occupied.
    pub(super) fn finished(&self) -> &[(Block, bool)] {
        &self.finished
    }

    /// Forgets everything that is finished.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.stored.clear();
        self.known.clear();
        self.finished.clear();
        self.tiles_bytes = 0;
        self.blocks.set_len(0).map_err(|error| Error::io(self.path("blocks"), "write", error))?;
        self.replay()
    }

    /// Puts a block behind those that are finished.
    pub(super) fn push(&mut self, block: Block, drawn: &BlockResult) -> Result<()> {
        let mut fresh = Vec::new();
        let mut tiles = Vec::with_capacity(drawn.tiles.len());
        let mut at = 0;
        for (tile, digest) in &drawn.tiles {
            let bytes = &drawn.bytes[at..at + digest.length as usize];
            at += bytes.len();
            let there = self.known.get(digest).copied();
            let offset = there.unwrap_or(self.tiles_bytes + fresh.len() as u64);
            if there.is_none() {
                fresh.extend_from_slice(bytes);
                self.know(*digest, offset);
            }
            tiles.push((Stored { tile: *tile, offset, length: digest.length }, *digest));
        }
        self.tiles.write_all(&fresh).map_err(|error| Error::io(self.path("tiles"), "write", error))?;
        let record = Record {
            block,
            is_occupied: drawn.is_occupied,
            bytes: fresh.len() as u64,
            crc: crc32fast::hash(&fresh),
            tiles,
            length: 0,
        };
        self.blocks.write_all(&record.encoded()).map_err(|error| Error::io(self.path("blocks"), "write", error))?;
        self.tiles_bytes += fresh.len() as u64;
        self.stored.extend(record.tiles.iter().map(|(stored, _)| *stored));
        Ok(())
    }

    /// All tiles in the order of an archive.
    pub(super) fn stored(&self) -> &[Stored] {
        &self.stored
    }

    /// How long all tiles are together.
    pub(super) fn tiles_bytes(&self) -> u64 {
        self.tiles_bytes
    }

    /// How many of the tiles differ from all others.
    pub(super) fn distinct(&self) -> u64 {
        // A tile that is the same as another lies where that one does, which is further in front.
        let (mut end, mut distinct) = (0, 0);
        for stored in self.stored.iter().filter(|stored| stored.length > 0) {
            distinct += u64::from(stored.offset >= end);
            end = end.max(stored.offset + u64::from(stored.length));
        }
        distinct
    }

    /// The file of the tiles, to write the head in.
    pub(super) fn tiles_file(&mut self) -> &mut File {
        &mut self.tiles
    }

    /// The bytes of a tile.
    pub(super) fn read(&mut self, stored: Stored, bytes: &mut Vec<u8>) -> Result<()> {
        bytes.resize(stored.length as usize, 0);
        let read = self.tiles.seek(SeekFrom::Start(self.head_bytes + stored.offset));
        read.and_then(|_| self.tiles.read_exact(bytes)).map_err(|error| Error::io(self.path("tiles"), "read", error))
    }

    /// Removes it if nothing is finished.
    pub(super) fn leave(self) {
        if self.stored.is_empty() {
            // Where it cannot be removed it does no harm.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    /// A file or folder of it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Removes a file or a folder of it, if it is there.
    pub(super) fn clear(&self, name: &str) -> Result<()> {
        remove(&self.path(name))
    }

    /// Puts a file or folder of it in the place of the target, and removes the rest. All of it is on the disk before it is seen
    /// there: a power cut leaves either what was there or what is new.
    pub(super) fn commit(self, name: &str, target: &Path) -> Result<()> {
        let path = self.path(name);
        sync(&path)?;
        fs::rename(path, target).map_err(|error| Error::io(target, "write", error))?;
        sync_folder(target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        let Self { folder, .. } = self;
        fs::remove_dir_all(&folder).map_err(|error| Error::io(&folder, "remove", error))
    }
}

/// Makes sure that a file, or a folder with all that is in it, is on the disk.
fn sync(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::io(path, "write", error));
    }
    for entry in fs::read_dir(path).map_err(|error| Error::io(path, "read", error))? {
        sync(&entry.map_err(|error| Error::io(path, "read", error))?.path())?;
    }
    sync_folder(path)
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path, "remove", error)),
        _ => Ok(()),
    }
}

/// What is kept of a finished block.
#[derive(Debug)]
struct Record {
    block: Block,
    is_occupied: bool,
    /// How many bytes its tiles added, and their checksum.
    bytes: u64,
    crc: u32,
    tiles: Vec<(Stored, Digest)>,
    /// Its own length, where it was read.
    length: u64,
}

impl Record {
    /// Zoom, column, row, whether it is occupied, added bytes, their checksum, and the number of tiles.
    const FRONT_BYTES: usize = 1 + 4 + 4 + 1 + 8 + 4 + 1;
    /// Column, row, offset, length, hash and checksum.
    const TILE_BYTES: usize = 4 + 4 + 8 + 4 + 8 + 4;

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::FRONT_BYTES + Self::TILE_BYTES * self.tiles.len() + 4);
        let Block { zoom, column, row } = self.block;
        out.push(zoom);
        out.extend_from_slice(&column.to_le_bytes());
        out.extend_from_slice(&row.to_le_bytes());
        out.push(u8::from(self.is_occupied));
        out.extend_from_slice(&self.bytes.to_le_bytes());
        out.extend_from_slice(&self.crc.to_le_bytes());
        out.push(self.tiles.len() as u8);
        for (Stored { tile, offset, length }, digest) in &self.tiles {
            out.extend_from_slice(&tile.x().to_le_bytes());
            out.extend_from_slice(&tile.y().to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&digest.hash.to_le_bytes());
            out.extend_from_slice(&digest.crc.to_le_bytes());
        }
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// The next record; `None` where there is no whole one.
    fn read(from: &mut impl Read) -> std::io::Result<Option<Self>> {
        let mut bytes = vec![0; Self::FRONT_BYTES];
        if !filled(from, &mut bytes)? {
            return Ok(None);
        }
        let count = usize::from(bytes[Self::FRONT_BYTES - 1]);
        bytes.resize(Self::FRONT_BYTES + count * Self::TILE_BYTES + 4, 0);
        if !filled(from, &mut bytes[Self::FRONT_BYTES..])? {
            return Ok(None);
        }
        let (content, crc) = bytes.split_at(bytes.len() - 4);
        if crc != crc32fast::hash(content).to_le_bytes() {
            return Ok(None);
        }
        Ok(Self::decoded(content, count).map(|record| Self { length: bytes.len() as u64, ..record }))
    }

    fn decoded(mut bytes: &[u8], count: usize) -> Option<Self> {
        let bytes = &mut bytes;
        let [zoom] = *take(bytes)?;
        let column = u32::from_le_bytes(*take(bytes)?);
        let row = u32::from_le_bytes(*take(bytes)?);
        let [is_occupied] = *take(bytes)?;
        let added = u64::from_le_bytes(*take(bytes)?);
        let crc = u32::from_le_bytes(*take(bytes)?);
        let [_count] = *take(bytes)?;
        let mut tiles = Vec::with_capacity(count);
        for _ in 0..count {
            let (x, y) = (u32::from_le_bytes(*take(bytes)?), u32::from_le_bytes(*take(bytes)?));
            let offset = u64::from_le_bytes(*take(bytes)?);
            let length = u32::from_le_bytes(*take(bytes)?);
            let (hash, crc) = (u64::from_le_bytes(*take(bytes)?), u32::from_le_bytes(*take(bytes)?));
            let tile = TileCoord::new(zoom, x, y).ok()?;
            tiles.push((Stored { tile, offset, length }, Digest { hash, crc, length }));
        }
        let block = Block { zoom, column, row };
        Some(Self { block, is_occupied: is_occupied != 0, bytes: added, crc, tiles, length: 0 })
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(front)
}

/// Fills `bytes`; answers whether there was enough.
fn filled(from: &mut impl Read, bytes: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn drawn(tiles: &[(u32, &[u8])]) -> BlockResult {
        let mut drawn = BlockResult { is_occupied: true, ..BlockResult::default() };
        for (x, bytes) in tiles {
            drawn.tiles.push((TileCoord::new(5, *x, 1).unwrap(), Digest::of(bytes)));
            drawn.bytes.extend_from_slice(bytes);
        }
        drawn
    }

    fn block(column: u32) -> Block {
        Block { zoom: 5, column, row: 0 }
    }

    fn filled_journal(target: &Path) -> ExportJournal {
        let mut journal = ExportJournal::open(target, "key", 100).unwrap();
        journal.push(block(0), &drawn(&[(1, b"one"), (2, b"two"), (3, b"one")])).unwrap();
        journal.push(block(1), &BlockResult::default()).unwrap();
        journal.push(block(2), &drawn(&[(4, b"two"), (5, b"three")])).unwrap();
        journal
    }

    fn contents(journal: &mut ExportJournal) -> Vec<Vec<u8>> {
        let stored = journal.stored.clone();
        let read = |stored| {
            let mut bytes = Vec::new();
            journal.read(stored, &mut bytes).unwrap();
            bytes
        };
        stored.into_iter().map(read).collect()
    }

    #[test]
    fn what_is_finished_is_found_again_and_the_same_is_kept_once() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("out");
        let mut journal = filled_journal(&target);
        assert!(ExportJournal::open(&target, "key", 100).unwrap_err().to_string().contains("another export"));
        let all: [&[u8]; 5] = [b"one", b"two", b"one", b"two", b"three"];
        assert_eq!(contents(&mut journal), all);
        assert_eq!((journal.tiles_bytes(), journal.distinct()), (11, 3));
        drop(journal);
        let mut again = ExportJournal::open(&target, "key", 100).unwrap();
        assert_eq!(again.finished(), [(block(0), true), (block(1), false), (block(2), true)]);
        assert_eq!(contents(&mut again), all);
        drop(again);
        assert!(ExportJournal::open(&target, "other", 100).unwrap().finished().is_empty());
    }

    #[test]
    fn whatever_is_not_whole_is_cut_off_and_goes_on_as_if_nothing_had_been() {
        let home = tempfile::tempdir().unwrap();
        let whole = home.path().join("whole");
        let journal = filled_journal(&whole);
        let (tiles, blocks) = (fs::read(journal.path("tiles")).unwrap(), fs::read(journal.path("blocks")).unwrap());
        let other = home.path().join("other");
        for (tiles_kept, blocks_kept, flipped) in (0..=tiles.len())
            .map(|kept| (kept, blocks.len(), None))
            .chain((0..=blocks.len()).map(|kept| (tiles.len(), kept, None)))
            .chain((0..blocks.len()).map(|at| (tiles.len(), blocks.len(), Some(at))))
        {
            drop(ExportJournal::open(&other, "key", 100).unwrap());
            let folder = ExportJournal::folder_of(&other);
            fs::write(folder.join("tiles"), &tiles[..tiles_kept]).unwrap();
            let mut log = blocks[..blocks_kept].to_vec();
            if let Some(at) = flipped {
                let byte: &mut u8 = &mut log[at];
                *byte ^= 0x10;
            }
            fs::write(folder.join("blocks"), log).unwrap();
            let mut journal = ExportJournal::open(&other, "key", 100).unwrap();
            let steps: [(u32, BlockResult); 3] = [
                (0, drawn(&[(1, b"one"), (2, b"two"), (3, b"one")])),
                (1, BlockResult::default()),
                (2, drawn(&[(4, b"two"), (5, b"three")])),
            ];
            let finished = journal.finished().len();
            for (column, drawn) in &steps[finished..] {
                journal.push(block(*column), drawn).unwrap();
            }
            drop(journal);
            assert_eq!(fs::read(folder.join("blocks")).unwrap(), blocks, "{tiles_kept} {blocks_kept} {flipped:?}");
            assert_eq!(fs::read(folder.join("tiles")).unwrap()[100..], tiles[100..]);
        }
    }
}
