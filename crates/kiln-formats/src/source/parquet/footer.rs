//! A check of the footer, and of the headers of pages, before the Parquet library reads them.
//!
//! The footer is a struct in the compact protocol of Apache Thrift. The library skips unknown fields, and in lists and maps of
//! booleans it reads no byte per element: a damaged length of 2^31 takes seconds, and a list of such lists takes hours.

use std::io::{Read, Seek, SeekFrom};

/// The end of a file: the length of the footer, and the magic bytes.
const TAIL_BYTES: u64 = 8;

/// Whether the library reads the footer of a file of `file_bytes` in time. A footer that cannot be parsed is left to the library,
/// which reports what is wrong.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn is_bounded(file: &mut (impl Read + Seek), file_bytes: u64) -> std::io::Result<bool> {
    let mut tail = [0; TAIL_BYTES as usize];
    if file_bytes < TAIL_BYTES {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(file_bytes - TAIL_BYTES))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if magic != *b"PAR1" || length > file_bytes - TAIL_BYTES {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(file_bytes - TAIL_BYTES - length))?;
    let mut footer = Vec::new();
    file.take(length).read_to_end(&mut footer)?;
    Ok(is_short(&footer))
}

/// Whether the fields of a struct have not many more elements than bytes.
fn is_short(footer: &[u8]) -> bool {
    /// Elements beyond the number of bytes; some milliseconds.
    const MIN_STEPS: u64 = 1 << 20;
    let mut walk = Walk { rest: footer, steps: footer.len() as u64 + MIN_STEPS };
    !matches!(walk.skip(Walk::STRUCT, Walk::MAX_DEPTH), Err(Stop::TooMany))
}

/// The extent of a struct at the start of bytes.
pub(super) enum Extent {
    /// The bytes have all of it, or it is invalid.
    Complete,
    /// It is longer than the bytes.
    Longer,
    /// It has many more elements than bytes.
    Endless,
}

/// The extent of a struct at the start of `bytes`, such as the header of a page.
pub(super) fn extent(bytes: &[u8]) -> Extent {
    /// Elements beyond the number of bytes: a file may have a header every few bytes.
    const MIN_STEPS: u64 = 64;
    let mut walk = Walk { rest: bytes, steps: bytes.len() as u64 + MIN_STEPS };
    match walk.skip(Walk::STRUCT, Walk::MAX_DEPTH) {
        Err(Stop::TooMany) => Extent::Endless,
        Err(Stop::End) => Extent::Longer,
        Err(Stop::Invalid) | Ok(()) => Extent::Complete,
    }
}

/// The fields of a struct, of which each is visited as the library skips it.
struct Walk<'f> {
    rest: &'f [u8],
    /// The remaining number of elements.
    steps: u64,
}

/// The end of a walk.
enum Stop {
    /// More elements than steps.
    TooMany,
    /// The bytes end before the struct.
    End,
    /// The bytes are no struct, or it is nested too deeply.
    Invalid,
}

impl Walk<'_> {
    const STRUCT: u8 = 12;
    /// The depth at which the library stops.
    const MAX_DEPTH: u8 = 64;

    fn byte(&mut self) -> Result<u8, Stop> {
        let (first, rest) = self.rest.split_first().ok_or(Stop::End)?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes(&mut self, count: u64) -> Result<(), Stop> {
        let count = usize::try_from(count).map_err(|_| Stop::Invalid)?;
        self.rest = self.rest.get(count..).ok_or(Stop::End)?;
        Ok(())
    }

    /// A variable-length integer.
    fn varint(&mut self) -> Result<u64, Stop> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Stop::Invalid)
    }

    /// Counts the elements of a list or a map, if they are booleans: others have bytes, and end with them.
    fn count(&mut self, elements: u64, kinds: [u8; 2]) -> Result<u64, Stop> {
        if kinds.iter().all(|kind| matches!(kind, 1 | 2)) {
            self.steps = self.steps.checked_sub(elements).ok_or(Stop::TooMany)?;
        }
        Ok(elements)
    }

    /// Skips a value of a type.
    fn skip(&mut self, kind: u8, depth: u8) -> Result<(), Stop> {
        let deeper = depth.checked_sub(1).ok_or(Stop::Invalid)?;
        match kind {
            // A boolean field is its type alone.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.bytes(8),
            8 => {
                let length = self.varint()?;
                self.bytes(length)
            }
            // Lists and sets.
            9 | 10 => {
                let header = self.byte()?;
                let size = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
                for _ in 0..self.count(size, [header & 15; 2])? {
                    self.skip(header & 15, deeper)?;
                }
                Ok(())
            }
            11 => {
                let size = self.varint()?;
                if size > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..self.count(size, [kinds >> 4, kinds & 15])? {
                        self.skip(kinds >> 4, deeper)?;
                        self.skip(kinds & 15, deeper)?;
                    }
                }
                Ok(())
            }
            Self::STRUCT => loop {
                let header = self.byte()?;
                if header % 16 == 0 {
                    return Ok(());
                }
                // Without a difference to the last one, the id of the field follows.
                if header >> 4 == 0 {
                    self.varint()?;
                }
                self.skip(header & 15, deeper)?;
            },
            13 => self.bytes(16),
            _ => Err(Stop::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list header with a length of 2^31 - 1.
    fn endless(kind: u8) -> Vec<u8> {
        vec![0xf0 | kind, 0xff, 0xff, 0xff, 0xff, 0x07]
    }

    #[test]
    fn lists_and_maps_of_elements_without_bytes_are_bounded() {
        let field = |kind: u8, value: &[u8]| [&[0x10 | kind], value, &[0]].concat();
        assert!(!is_short(&field(9, &endless(1))));
        assert!(!is_short(&field(10, &endless(2))));
        assert!(!is_short(&field(11, &[0xff, 0xff, 0xff, 0xff, 0x07, 0x12])));
        // A list of lists, each of which is bounded.
        let inner = [&[0xf1][..], &[0xff, 0xff, 0x3f]].concat();
        let lists = [&[0xf9, 0x64][..], &inner.repeat(100)].concat();
        assert!(!is_short(&field(9, &lists)));
        // Elements with bytes end with the bytes.
        assert!(is_short(&field(9, &endless(5))));
        assert!(is_short(&field(9, &[0x31, 0x21])));
        assert!(is_short(&[]) && is_short(&[0x1c; 500]));
    }
}
