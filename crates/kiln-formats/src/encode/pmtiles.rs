//! `PMTiles` version 3: a pyramid of tiles in one file, which web maps read piece by piece from any web server.
//!
//! A file begins with a header and the root directory, together at most [`HEAD_BYTES`]. Here the tiles follow, and after
//! them the metadata and the other directories: so tiles can be written as they are made, and the head last.

use std::io::{self, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::write_error;
use kiln_core::Result;
use kiln_core::geo::TileCoord;

/// Where the tiles begin: a reader fetches as much at first.
pub const HEAD_BYTES: u64 = 16_384;
const HEADER_BYTES: usize = 127;

/// The number of a tile: those of a zoom come after those of the one before, in the order of a Hilbert curve.
pub fn tile_id(tile: TileCoord) -> u64 {
    // Tiles of all zooms before: 1 + 4 + 16 + …
    let mut id = ((1u64 << (2 * u32::from(tile.zoom()))) - 1) / 3;
    let (mut x, mut y) = (u64::from(tile.x()), u64::from(tile.y()));
    for level in (0..u32::from(tile.zoom())).rev() {
        let side = 1u64 << level;
        let (east, south) = (u64::from(x & side > 0), u64::from(y & side > 0));
        id += side * side * ((3 * east) ^ south);
        // Each quarter of the curve is turned.
        if south == 0 {
            if east == 1 {
                (x, y) = (side.wrapping_sub(1).wrapping_sub(x), side.wrapping_sub(1).wrapping_sub(y));
            }
            (x, y) = (y, x);
        }
        (x, y) = (x & side.wrapping_sub(1), y & side.wrapping_sub(1));
    }
    id
}

/// Where a tile lies in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number: see [`tile_id`].
    pub id: u64,
    /// Its first byte, counted from [`HEAD_BYTES`].
    pub offset: u64,
    /// Its bytes, above 0.
    pub length: u32,
}

/// What the header says of the tiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The lowest zoom.
    pub min_zoom: u8,
    /// The deepest zoom.
    pub max_zoom: u8,
    /// West, south, east and north in degrees.
    pub bounds_deg: [f64; 4],
    /// Longitude and latitude in degrees and zoom of a map that shows all.
    pub center: (f64, f64, u8),
}

/// Finishes a file whose PNG tiles are written, from [`HEAD_BYTES`] on: puts the directories and `metadata`, a JSON object,
/// behind them, and the head in front.
///
/// `entries` rise by their ids; tiles of the same bytes may share them. `tiles_bytes` is how long all tiles are together.
///
/// # Errors
/// [`Error::Io`](kiln_core::Error::Io) if `out` refuses the bytes.
pub fn finish(
    out: &mut (impl Write + Seek),
    entries: &[Entry],
    tiles_bytes: u64,
    header: &Header,
    metadata: &str,
) -> Result<()> {
    write(out, entries, tiles_bytes, header, metadata).map_err(write_error)
}

fn write(
    out: &mut (impl Write + Seek),
    entries: &[Entry],
    tiles_bytes: u64,
    header: &Header,
    metadata: &str,
) -> io::Result<()> {
    let runs = runs(entries);
    let mut contents: Vec<u64> = runs.iter().map(|run| run.offset).collect();
    contents.sort_unstable();
    contents.dedup();
    let (root, leaves) = directories(&runs)?;
    let metadata = gzip(metadata.as_bytes())?;
    let metadata_at = HEAD_BYTES + tiles_bytes;
    let leaves_at = metadata_at + metadata.len() as u64;

    let mut head = Vec::with_capacity(HEAD_BYTES as usize);
    head.extend_from_slice(b"PMTiles\x03");
    for (offset, length) in [
        (HEADER_BYTES as u64, root.len() as u64),
        (metadata_at, metadata.len() as u64),
        (leaves_at, leaves.len() as u64),
        (HEAD_BYTES, tiles_bytes),
    ] {
        head.extend_from_slice(&offset.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
    }
    for count in [entries.len(), runs.len(), contents.len()] {
        head.extend_from_slice(&(count as u64).to_le_bytes());
    }
    // In the order of their numbers; directories are packed by gzip, tiles not, and are PNG.
    head.extend_from_slice(&[1, 2, 1, 2, header.min_zoom, header.max_zoom]);
    let degrees = |degrees: f64| ((degrees * 1e7).round() as i32).to_le_bytes();
    for edge in header.bounds_deg {
        head.extend_from_slice(&degrees(edge));
    }
    let (lon, lat, zoom) = header.center;
    head.push(zoom);
    for degree in [lon, lat] {
        head.extend_from_slice(&degrees(degree));
    }
    head.extend_from_slice(&root);
    head.resize(HEAD_BYTES as usize, 0);

    out.seek(SeekFrom::Start(metadata_at))?;
    out.write_all(&metadata)?;
    out.write_all(&leaves)?;
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&head)?;
    out.flush()
}

/// An entry of a directory: so many tiles in a row with the same bytes; 0 stands for a leaf.
#[derive(Clone, Copy, Debug)]
struct Run {
    id: u64,
    offset: u64,
    length: u32,
    count: u32,
}

/// Tiles in a row that share their bytes become one entry.
fn runs(entries: &[Entry]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &Entry { id, offset, length } in entries {
        match runs.last_mut() {
            Some(run) if run.offset == offset && run.id + u64::from(run.count) == id && run.count < u32::MAX => {
                run.count += 1;
            }
            _ => runs.push(Run { id, offset, length, count: 1 }),
        }
    }
    runs
}

/// The root directory, and the leaves where it alone would be too long.
fn directories(runs: &[Run]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const FIRST_LEAF: usize = 4096;
    let most = HEAD_BYTES as usize - HEADER_BYTES;
    let root = directory(runs)?;
    if root.len() <= most {
        return Ok((root, Vec::new()));
    }
    let mut per_leaf = FIRST_LEAF;
    loop {
        let (mut roots, mut leaves) = (Vec::new(), Vec::new());
        for leaf in runs.chunks(per_leaf) {
            let bytes = directory(leaf)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            roots.push(Run { id: leaf[0].id, offset: leaves.len() as u64, length, count: 0 });
            leaves.extend_from_slice(&bytes);
        }
        let root = directory(&roots)?;
        if root.len() <= most {
            return Ok((root, leaves));
        }
        per_leaf *= 2;
    }
}

/// A directory: columns of numbers, each as short as it can be.
fn directory(runs: &[Run]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(runs.len() * 6 + 10);
    push_number(&mut bytes, runs.len() as u64);
    let mut before = 0;
    for run in runs {
        push_number(&mut bytes, run.id - before);
        before = run.id;
    }
    for run in runs {
        push_number(&mut bytes, run.count.into());
    }
    for run in runs {
        push_number(&mut bytes, run.length.into());
    }
    let mut follows = None;
    for run in runs {
        // 0: right behind the one before.
        push_number(&mut bytes, if follows == Some(run.offset) { 0 } else { run.offset + 1 });
        follows = Some(run.offset + u64::from(run.length));
    }
    gzip(&bytes)
}

/// Seven bits a byte, the lowest first; the eighth says that there are more.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::new(6));
    packed.write_all(bytes)?;
    packed.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Cursor, Read};

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn numbers_of_tiles_are_those_of_the_specification() {
        for (zoom, x, y, id) in [
            (0, 0, 0, 0),
            (1, 0, 0, 1),
            (1, 0, 1, 2),
            (1, 1, 1, 3),
            (1, 1, 0, 4),
            (2, 0, 0, 5),
            (12, 3423, 1763, 19_078_479),
        ] {
            assert_eq!(tile_id(TileCoord::new(zoom, x, y).unwrap()), id, "{zoom}/{x}/{y}");
        }
    }

    #[test]
    fn each_tile_has_its_number_and_neighbors_on_the_curve_are_neighbors() {
        let mut at = vec![(0, 0); 4096];
        for (x, y) in (0..64u32).flat_map(|x| (0..64u32).map(move |y| (x, y))) {
            at[(tile_id(TileCoord::new(6, x, y).unwrap()) - 1365) as usize] = (x, y);
        }
        assert_eq!(at.iter().collect::<BTreeSet<_>>().len(), 4096);
        assert!(at.windows(2).all(|pair| pair[0].0.abs_diff(pair[1].0) + pair[0].1.abs_diff(pair[1].1) == 1));
    }

    fn numbers(bytes: &[u8]) -> Vec<u64> {
        let mut plain = Vec::new();
        GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        let (mut numbers, mut number, mut shift) = (Vec::new(), 0, 0);
        for byte in plain {
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                numbers.push(number);
                (number, shift) = (0, 0);
            }
        }
        numbers
    }

    fn header() -> Header {
        Header { min_zoom: 0, max_zoom: 3, bounds_deg: [-10.5, -20.0, 30.0, 40.0], center: (1.5, 2.5, 2) }
    }

    #[test]
    fn a_small_file_has_one_directory_with_runs() {
        let entry = |id, offset, length| Entry { id, offset, length };
        let entries = [entry(0, 0, 5), entry(1, 5, 7), entry(2, 5, 7), entry(3, 5, 7), entry(7, 5, 7), entry(8, 12, 1)];
        let mut file = Cursor::new(Vec::new());
        finish(&mut file, &entries, 13, &header(), "{}").unwrap();
        let bytes = file.into_inner();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
        assert_eq!(&bytes[..8], b"PMTiles\x03");
        assert_eq!((word(72), word(80), word(88)), (6, 4, 3), "tiles, entries, contents");
        let root = numbers(&bytes[word(8)..word(8) + word(16)]);
        assert_eq!(root, [4, 0, 1, 6, 1, 1, 3, 1, 1, 5, 7, 7, 1, 1, 0, 6, 0]);
        assert_eq!(bytes.len(), word(24) + word(32));
        assert_eq!(i32::from_le_bytes(bytes[102..106].try_into().unwrap()), -105_000_000);
    }

    #[test]
    fn many_tiles_have_leaves_and_the_root_fits_the_head() {
        let entries: Vec<_> = (0..200_000u64)
            .scan(0, |offset, i| {
                let length = 100 + (i * 7919 % 5000) as u32;
                let entry = Entry { id: i * (1 + i % 3), offset: *offset, length };
                *offset += u64::from(length);
                Some(entry)
            })
            .collect();
        let mut sorted = entries;
        sorted.sort_by_key(|entry| entry.id);
        sorted.dedup_by_key(|entry| entry.id);
        let (root, leaves) = directories(&runs(&sorted)).unwrap();
        assert!(root.len() <= HEAD_BYTES as usize - HEADER_BYTES && !leaves.is_empty());
        let root = numbers(&root);
        let count = root[0] as usize;
        let (lengths, mut at, mut seen) = (&root[1 + 2 * count..][..count], 0, 0);
        for length in lengths {
            seen += numbers(&leaves[at..at + *length as usize])[0] as usize;
            at += *length as usize;
        }
        assert_eq!((at, seen), (leaves.len(), sorted.len()));
    }
}
