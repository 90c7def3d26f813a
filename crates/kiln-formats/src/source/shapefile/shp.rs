//! The shapes of a `.shp` file, as the ESRI Shapefile Technical Description of 1998 has them.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use crate::source::values::write_wkb;

/// Bytes of the header of a file.
const HEADER_BYTES: usize = 100;

/// The number that a file begins with.
const FILE_CODE: [u8; 4] = 9994_u32.to_be_bytes();

/// The size of a file as its header states it; `None` if it has no header.
pub(super) fn declared_bytes(file: File) -> io::Result<Option<u64>> {
    let mut header = Vec::new();
    file.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    Ok(match header.as_chunks::<4>().0 {
        [code, _, _, _, _, _, words, ..] if header.len() == HEADER_BYTES && *code == FILE_CODE => {
            Some(u64::from(u32::from_be_bytes(*words)) * 2)
        }
        _ => None,
    })
}

/// A shape.
#[derive(Debug, PartialEq)]
pub(super) enum Shape<'s> {
    /// No geometry.
    Null,
    /// Points in WKB.
    Points(&'s [u8]),
    /// Another geometry, by its name.
    Other(&'static str),
}

/// Reads the shapes of a file one by one.
#[derive(Debug)]
pub(super) struct Shapes {
    source: BufReader<File>,
    /// The bytes of the file, and those of them that are read.
    bytes: u64,
    offset: u64,
    content: Vec<u8>,
    wkb: Vec<u8>,
}

impl Shapes {
    const BUFFER_BYTES: usize = 1 << 18;
    /// Largest shape whose points are read.
    const MAX_SHAPE_BYTES: u64 = 64 << 20;
    /// Bytes of the header of a shape, and of the number of its kind.
    const SHAPE_HEADER_BYTES: u64 = 8;
    const KIND_BYTES: u64 = 4;
    /// Bytes before the number of several points.
    const BOUNDS_BYTES: usize = 32;

    /// Opens the file at `path`, which has `bytes`.
    pub(super) fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(Self::BUFFER_BYTES, File::open(path)?);
        source.seek_relative(HEADER_BYTES as i64)?;
        Ok(Self { source, bytes, offset: HEADER_BYTES as u64, content: Vec::new(), wkb: Vec::new() })
    }

    /// The bytes that are read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next shape.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the sizes of the file contradict each other.
    pub(super) fn next(&mut self) -> io::Result<Option<Shape<'_>>> {
        if self.offset >= self.bytes {
            return Ok(None);
        }
        let start = self.offset;
        let damaged = || {
            let message = format!("the shape at byte {start} has an invalid size; is the file damaged?");
            io::Error::new(ErrorKind::InvalidData, message)
        };
        let [_, size] = self.read_words()?.map(u32::from_be_bytes);
        let size = u64::from(size) * 2;
        let end = start + Self::SHAPE_HEADER_BYTES + size;
        if size < Self::KIND_BYTES || end > self.bytes {
            return Err(damaged());
        }
        let [kind] = self.read_words()?.map(u32::from_le_bytes);
        let left = size - Self::KIND_BYTES;
        self.offset = end;
        let other = match kind {
            0 => None,
            1 | 11 | 21 | 8 | 18 | 28 => {
                if left > Self::MAX_SHAPE_BYTES {
                    return Err(damaged());
                }
                self.content.resize(left as usize, 0);
                self.source.read_exact(&mut self.content)?;
                let is_multiple = matches!(kind, 8 | 18 | 28);
                let points = if is_multiple { points(&self.content) } else { self.content.as_chunks().0.get(..1) };
                write_wkb(points.ok_or_else(damaged)?, is_multiple, &mut self.wkb);
                return Ok(Some(Shape::Points(&self.wkb)));
            }
            3 | 13 | 23 => Some("LineString"),
            5 | 15 | 25 => Some("Polygon"),
            31 => Some("MultiPatch"),
            _ => return Err(damaged()),
        };
        self.source.seek_relative(left as i64)?;
        Ok(Some(other.map_or(Shape::Null, Shape::Other)))
    }

    fn read_words<const N: usize>(&mut self) -> io::Result<[[u8; 4]; N]> {
        let mut words = [[0; 4]; N];
        self.source.read_exact(words.as_flattened_mut())?;
        Ok(words)
    }
}

/// The points of a shape of several.
fn points(content: &[u8]) -> Option<&[[u8; 16]]> {
    let (count, points) = content.get(Shapes::BOUNDS_BYTES..)?.split_first_chunk()?;
    points.as_chunks().0.get(..u32::from_le_bytes(*count) as usize)
}
