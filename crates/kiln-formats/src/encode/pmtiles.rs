//! `PMTiles` version 3: a tile pyramid in one file, which web maps read with HTTP range requests from any web server.
//!
//! A file starts with a header and the root directory, together at most [`HEAD_BYTES`]. Here they are followed by the
//! tiles, the metadata and the leaf directories, so that tiles can be written as they are rendered, and the head last.

use std::io::{self, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::write_error;
use kiln_core::Result;
use kiln_core::geo::TileCoord;

/// The offset of the first tile, and the number of bytes that readers fetch first.
pub const HEAD_BYTES: u64 = 16_384;
const HEADER_BYTES: usize = 127;

/// The ID of a tile: zoom by zoom, along a Hilbert curve within each zoom.
pub fn tile_id(tile: TileCoord) -> u64 {
    // The number of tiles of all lower zooms: 1 + 4 + 16 + …
    let mut id = ((1u64 << (2 * u32::from(tile.zoom()))) - 1) / 3;
    let (mut x, mut y) = (u64::from(tile.x()), u64::from(tile.y()));
    for level in (0..u32::from(tile.zoom())).rev() {
        let side = 1u64 << level;
        let (east, south) = (u64::from(x & side > 0), u64::from(y & side > 0));
        id += side * side * ((3 * east) ^ south);
        // The curve is rotated in its upper quadrants.
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

/// The location of a tile in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The [ID](tile_id) of the tile.
    pub id: u64,
    /// The offset of its first byte, relative to [`HEAD_BYTES`].
    pub offset: u64,
    /// Length in bytes, above 0.
    pub length: u32,
}

/// The fields of the header that describe the tileset.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// The lowest zoom.
    pub min_zoom: u8,
    /// The highest zoom.
    pub max_zoom: u8,
    /// West, south, east and north in degrees.
    pub bounds_deg: [f64; 4],
    /// Longitude and latitude, in degrees, and zoom of a map that shows the entire tileset.
    pub center: (f64, f64, u8),
}

/// Finishes a file whose PNG tiles have been written at [`HEAD_BYTES`] and after: writes `metadata`, a JSON object, and
/// the leaf directories after them, and the header and the root directory before them.
///
/// `entries` must be sorted by ID; entries of identical tiles may have the same offset. `tiles_bytes` is the length of
/// all tiles.
///
/// # Errors
/// [`Error::Io`](kiln_core::Error::Io) if writing to `out` fails.
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
    // Clustered by ID; directories compressed with gzip; tiles not compressed; PNG tiles.
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

/// An entry of a directory: `count` consecutive tiles with the same content, or a leaf directory if `count` is 0.
#[derive(Clone, Copy, Debug)]
struct Run {
    id: u64,
    offset: u64,
    length: u32,
    count: u32,
}

/// Merges consecutive tiles with the same offset into one directory entry.
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

/// The root directory, and the leaf directories, which are empty if all entries fit in the root.
fn directories(runs: &[Run]) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const MIN_LEAF_ENTRIES: usize = 4096;
    let max_bytes = HEAD_BYTES as usize - HEADER_BYTES;
    let root = directory(runs)?;
    if root.len() <= max_bytes {
        return Ok((root, Vec::new()));
    }
    let mut per_leaf = MIN_LEAF_ENTRIES;
    loop {
        let (mut root_runs, mut leaves) = (Vec::new(), Vec::new());
        for leaf in runs.chunks(per_leaf) {
            let bytes = directory(leaf)?;
            let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
            root_runs.push(Run { id: leaf[0].id, offset: leaves.len() as u64, length, count: 0 });
            leaves.extend_from_slice(&bytes);
        }
        let root = directory(&root_runs)?;
        if root.len() <= max_bytes {
            return Ok((root, leaves));
        }
        per_leaf *= 2;
    }
}

/// Serializes a directory: columns of varints, compressed with gzip.
fn directory(runs: &[Run]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(runs.len() * 6 + 10);
    push_varint(&mut bytes, runs.len() as u64);
    let mut previous_id = 0;
    for run in runs {
        push_varint(&mut bytes, run.id - previous_id);
        previous_id = run.id;
    }
    for run in runs {
        push_varint(&mut bytes, run.count.into());
    }
    for run in runs {
        push_varint(&mut bytes, run.length.into());
    }
    let mut next_offset = None;
    for run in runs {
        // 0 means that the content follows that of the previous entry.
        push_varint(&mut bytes, if next_offset == Some(run.offset) { 0 } else { run.offset + 1 });
        next_offset = Some(run.offset + u64::from(run.length));
    }
    gzip(&bytes)
}

/// Appends a varint: seven bits per byte, the lowest first; the eighth bit is set if more bytes follow.
fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes)?;
    encoder.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Cursor, Read};

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn tile_ids_are_those_of_the_specification() {
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
    fn tile_ids_are_unique_and_consecutive_tiles_are_adjacent() {
        let mut tiles = vec![(0, 0); 4096];
        for (x, y) in (0..64u32).flat_map(|x| (0..64u32).map(move |y| (x, y))) {
            tiles[(tile_id(TileCoord::new(6, x, y).unwrap()) - 1365) as usize] = (x, y);
        }
        assert_eq!(tiles.iter().collect::<BTreeSet<_>>().len(), 4096);
        assert!(tiles.windows(2).all(|pair| pair[0].0.abs_diff(pair[1].0) + pair[0].1.abs_diff(pair[1].1) == 1));
    }

    fn varints(bytes: &[u8]) -> Vec<u64> {
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
    fn a_small_file_has_one_directory_with_run_lengths() {
        let entry = |id, offset, length| Entry { id, offset, length };
        let entries = [entry(0, 0, 5), entry(1, 5, 7), entry(2, 5, 7), entry(3, 5, 7), entry(7, 5, 7), entry(8, 12, 1)];
        let mut file = Cursor::new(Vec::new());
        finish(&mut file, &entries, 13, &header(), "{}").unwrap();
        let bytes = file.into_inner();
        let word = |offset: usize| u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap()) as usize;
        assert_eq!(&bytes[..8], b"PMTiles\x03");
        assert_eq!((word(72), word(80), word(88)), (6, 4, 3), "tiles, entries, contents");
        let root = varints(&bytes[word(8)..word(8) + word(16)]);
        assert_eq!(root, [4, 0, 1, 6, 1, 1, 3, 1, 1, 5, 7, 7, 1, 1, 0, 6, 0]);
        assert_eq!(bytes.len(), word(24) + word(32));
        assert_eq!(i32::from_le_bytes(bytes[102..106].try_into().unwrap()), -105_000_000);
    }

    #[test]
    fn many_tiles_have_leaf_directories_and_the_root_fits_in_the_head() {
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
        let root = varints(&root);
        let count = root[0] as usize;
        let (lengths, mut at, mut seen) = (&root[1 + 2 * count..][..count], 0, 0);
        for length in lengths {
            seen += varints(&leaves[at..at + *length as usize])[0] as usize;
            at += *length as usize;
        }
        assert_eq!((at, seen), (leaves.len(), sorted.len()));
    }
}
