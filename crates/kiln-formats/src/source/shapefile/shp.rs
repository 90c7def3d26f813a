//! The shapes of a `.shp` file, according to the ESRI Shapefile Technical Description of 1998.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

use crate::source::values::write_wkb;

/// Size of the file header.
const HEADER_BYTES: usize = 100;

/// The file code at the start of a file.
const FILE_CODE: [u8; 4] = 9994_u32.to_be_bytes();

/// The size that the header declares; `None` if there is no valid header.
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
    /// Points as WKB.
    Points(&'s [u8]),
    /// Another geometry, by name.
    Other(&'static str),
}

/// Reads the shapes of a file one by one.
#[derive(Debug)]
pub(super) struct Shapes {
    source: BufReader<File>,
    /// The size of the file, and the number of bytes read.
    bytes: u64,
    offset: u64,
    content: Vec<u8>,
    wkb: Vec<u8>,
}

impl Shapes {
    const BUFFER_BYTES: usize = 1 << 18;
    /// The maximum size of a shape.
    const MAX_SHAPE_BYTES: u64 = 64 << 20;
    /// Sizes of the header of a shape and of its type.
    const SHAPE_HEADER_BYTES: u64 = 8;
    const TYPE_BYTES: u64 = 4;
    /// Size of the bounding box before the number of points of a multipoint.
    const BOUNDS_BYTES: usize = 32;

    /// Opens the file at `path` of `bytes` bytes.
    pub(super) fn open(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut source = BufReader::with_capacity(Self::BUFFER_BYTES, File::open(path)?);
        source.seek_relative(HEADER_BYTES as i64)?;
        Ok(Self { source, bytes, offset: HEADER_BYTES as u64, content: Vec::new(), wkb: Vec::new() })
    }

    /// The number of bytes read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next shape; `None` at the end of the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the size or the type of the shape is invalid.
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
        if size < Self::TYPE_BYTES || end > self.bytes {
            return Err(damaged());
        }
        let [shape_type] = self.read_words()?.map(u32::from_le_bytes);
        let remaining = size - Self::TYPE_BYTES;
        self.offset = end;
        let other = match shape_type {
            0 => None,
            1 | 11 | 21 | 8 | 18 | 28 => {
                if remaining > Self::MAX_SHAPE_BYTES {
                    return Err(damaged());
                }
                self.content.resize(remaining as usize, 0);
                self.source.read_exact(&mut self.content)?;
                let is_multiple = matches!(shape_type, 8 | 18 | 28);
                let points = if is_multiple { points(&self.content) } else { self.content.as_chunks().0.get(..1) };
                write_wkb(points.ok_or_else(damaged)?, is_multiple, &mut self.wkb);
                return Ok(Some(Shape::Points(&self.wkb)));
            }
            3 | 13 | 23 => Some("LineString"),
            5 | 15 | 25 => Some("Polygon"),
            31 => Some("MultiPatch"),
            _ => return Err(damaged()),
        };
        self.source.seek_relative(remaining as i64)?;
        Ok(Some(other.map_or(Shape::Null, Shape::Other)))
    }

    fn read_words<const N: usize>(&mut self) -> io::Result<[[u8; 4]; N]> {
        let mut words = [[0; 4]; N];
        self.source.read_exact(words.as_flattened_mut())?;
        Ok(words)
    }
}

/// The points of a multipoint shape; `None` if it is truncated.
fn points(content: &[u8]) -> Option<&[[u8; 16]]> {
    let (count, points) = content.get(Shapes::BOUNDS_BYTES..)?.split_first_chunk()?;
    points.as_chunks().0.get(..u32::from_le_bytes(*count) as usize)
}
