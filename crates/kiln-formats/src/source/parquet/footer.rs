//! A check of the footer, and of the headers of pages, before the Parquet library reads them.
//!
//! The footer is a struct in the compact protocol of Apache Thrift. The library skips unknown fields, and in lists and maps of
//! booleans it reads no byte per element: a damaged length of 2^31 takes seconds, and a list of such lists takes hours. It reads known
//! fields by their ids, whatever type they declare, so that a field with another type is an error here: behind it the library would
//! read other fields than the check.

use std::io::{Read, Seek, SeekFrom};

use super::fields::{FOOTER, Kind, PAGE_HEADER};

/// The end of a file: the length of the footer, and the magic bytes.
const TAIL_BYTES: u64 = 8;

/// Whether the library reads the footer of a file of `file_bytes` in time. A footer that ends too early is left to the library, which
/// reports what is wrong.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn is_bounded(file: &mut (impl Read + Seek), file_bytes: u64) -> std::io::Result<bool> {
    let Some(start) = start(file, file_bytes)? else { return Ok(true) };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Vec::new();
    file.take(file_bytes - TAIL_BYTES - start).read_to_end(&mut footer)?;
    Ok(is_short(&footer))
}

/// The position of the footer in a file of `file_bytes`; `None` if the end of the file does not state a valid one.
///
/// # Errors
/// If the file cannot be read.
pub(super) fn start(file: &mut (impl Read + Seek), file_bytes: u64) -> std::io::Result<Option<u64>> {
    let mut tail = [0; TAIL_BYTES as usize];
    let Some(end) = file_bytes.checked_sub(TAIL_BYTES) else { return Ok(None) };
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    Ok(end.checked_sub(length).filter(|_| magic == *b"PAR1"))
}

/// Whether the fields of a struct have not many more elements than bytes.
fn is_short(footer: &[u8]) -> bool {
    /// Elements beyond the number of bytes; some milliseconds.
    const MIN_STEPS: u64 = 1 << 20;
    let mut walk = Walk { rest: footer, steps: footer.len() as u64 + MIN_STEPS };
    !matches!(walk.skip(Walk::STRUCT, Some(FOOTER), Walk::MAX_DEPTH), Err(Stop::TooMany | Stop::Invalid))
}

/// The extent of a page header at the start of bytes.
pub(super) enum Extent {
    /// The bytes have all of it. Its page ends `length` bytes behind its start.
    Complete { length: u64 },
    /// It is longer than the bytes.
    Longer,
    /// It has many more elements than bytes, or the library would read it differently.
    Damaged,
}

/// The extent of the page header at the start of `bytes`.
pub(super) fn extent(bytes: &[u8]) -> Extent {
    /// Elements beyond the number of bytes: a file may have a header every few bytes.
    const MIN_STEPS: u64 = 64;
    let mut walk = Walk { rest: bytes, steps: bytes.len() as u64 + MIN_STEPS };
    match walk.skip(Walk::STRUCT, Some(PAGE_HEADER), Walk::MAX_DEPTH) {
        Err(Stop::TooMany | Stop::Invalid) => Extent::Damaged,
        Err(Stop::End) => Extent::Longer,
        Ok(()) => {
            let header = (bytes.len() - walk.rest.len()) as u64;
            page_bytes(bytes).map_or(Extent::Damaged, |page| Extent::Complete { length: header + page })
        }
    }
}

/// The compressed size of the page of a complete header, of which the library uses the last one; 0 without one, which the library
/// reports, and `None` if it is none of 32 bits.
fn page_bytes(header: &[u8]) -> Option<u64> {
    /// The field `compressed_page_size`.
    const COMPRESSED_SIZE: i64 = 3;
    let mut walk = Walk { rest: header, steps: u64::MAX };
    let (mut id, mut size) = (0, 0);
    while let Ok(Some(kind)) = walk.field(&mut id) {
        let mut value = Walk { rest: walk.rest, steps: u64::MAX };
        if walk.skip(kind, None, Walk::MAX_DEPTH).is_err() {
            break;
        }
        if id == COMPRESSED_SIZE {
            // In zigzag code: an odd one is negative.
            size = value.varint().ok().filter(|code| code % 2 == 0 && u32::try_from(*code).is_ok())? / 2;
        }
    }
    Some(size)
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
    /// The bytes are no struct, it is nested too deeply, or a known field has another type.
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

    /// Skips the fields of a struct.
    fn fields(&mut self, known: Option<Kind>, depth: u8) -> Result<(), Stop> {
        let fields = if let Some(Kind::Struct(fields)) = known { fields } else { &[] };
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            let known = fields.iter().find(|(known, _)| *known == id).map(|(_, kind)| *kind);
            self.skip(kind, known, depth)?;
        }
        Ok(())
    }

    /// The type of the next field, whose id is set; `None` at the end of the struct.
    fn field(&mut self, id: &mut i64) -> Result<Option<u8>, Stop> {
        let header = self.byte()?;
        if header % 16 == 0 {
            return Ok(None);
        }
        *id = match i64::from(header >> 4) {
            // The id follows: in zigzag code, so that the lowest bit is the sign.
            0 => {
                let code = i64::try_from(self.varint()?).map_err(|_| Stop::Invalid)?;
                (code >> 1) ^ -(code & 1)
            }
            difference => *id + difference,
        };
        // The library has ids of 16 bits, and would read another one.
        i16::try_from(*id).map(|_| Some(header & 15)).map_err(|_| Stop::Invalid)
    }

    /// Skips a value of a type. `known` is the type that the library reads it by.
    fn skip(&mut self, kind: u8, known: Option<Kind>, depth: u8) -> Result<(), Stop> {
        let deeper = depth.checked_sub(1).ok_or(Stop::Invalid)?;
        if known.is_some_and(|known| !known.has_code(kind)) {
            return Err(Stop::Invalid);
        }
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
                let known = if let Some(Kind::List(element)) = known { Some(*element) } else { None };
                for _ in 0..self.count(size, [header & 15; 2])? {
                    self.skip(header & 15, known, deeper)?;
                }
                Ok(())
            }
            11 => {
                let size = self.varint()?;
                if size > 0 {
                    let kinds = self.byte()?;
                    for _ in 0..self.count(size, [kinds >> 4, kinds & 15])? {
                        self.skip(kinds >> 4, None, deeper)?;
                        self.skip(kinds & 15, None, deeper)?;
                    }
                }
                Ok(())
            }
            Self::STRUCT => self.fields(known, deeper),
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

    /// A field that the library does not know: the ids of both structs are below 15.
    fn field(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[0xf0 | kind], value, &[0]].concat()
    }

    #[test]
    fn lists_and_maps_of_elements_without_bytes_are_bounded() {
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
        assert!(is_short(&[]) && !is_short(&[0xfc; 500]));
    }

    #[test]
    fn a_known_field_of_another_type_is_damage() {
        let is_complete = |header: &[u8]| matches!(extent(header), Extent::Complete { .. });
        let is_damaged = |header: &[u8]| matches!(extent(header), Extent::Damaged);
        // The type and the sizes of a page, as a difference of ids and in full.
        assert!(is_complete(&[0x15, 0, 0x15, 2, 0x15, 2, 0]));
        assert!(is_complete(&[0x05, 2, 0, 0x05, 4, 2, 0x05, 6, 2, 0]));
        // The library reads the type of a page behind each of these: the varint 0, and then a list of 2^31 - 1 booleans.
        let behind = [&[0, 0xf9][..], &endless(1), &[0]].concat();
        for kind in [1, 2, 3, 4, 6, 7, 9, 12] {
            assert!(is_damaged(&[&[0x10 | kind][..], &behind].concat()), "{kind}");
            assert!(is_damaged(&[&[kind, 2][..], &behind].concat()), "{kind}");
        }
        // In the header of a data page, and in the elements of a list of the footer.
        assert!(is_damaged(&[0x15, 0, 0x4c, 0x11, 0, 0]));
        assert!(is_short(&[0x15, 2, 0x19, 0x1c, 0x48, 1, b'a', 0, 0]));
        assert!(!is_short(&[0x15, 2, 0x19, 0x1c, 0x41, 0, 0]));
        assert!(!is_short(&[0x15, 2, 0x19, 0x15, 2, 0]));
        // A header with one byte changed, in which the library read a list for hours.
        #[rustfmt::skip]
        let found = [
            0x15, 0x00, 0x15, 0x12, 0x15, 0x16, 0x2c, 0x15, 0x06, 0x15, 0x10, 0x18, 0x06, 0x15, 0x06, 0x1c, 0x18, 0x08, 0x52,
            0xb8, 0x1e, 0x85, 0xeb, 0x11, 0x32, 0x40, 0x18, 0x08, 0xa4, 0x70, 0x3d, 0x0a, 0xd7, 0xa3, 0x31, 0x40, 0x16, 0x02,
            0x28, 0x08, 0x52, 0xb8, 0x1e, 0x85, 0xeb, 0x11, 0x32, 0x40, 0x18, 0x08, 0xa4, 0x70, 0x3d, 0x0a, 0xd7, 0xa3, 0x31,
            0x40, 0x11, 0x11, 0x00, 0x1b, 0xff, 0xff, 0xff, 0xff, 0x07, 0x21, 0x00, 0x00, 0x09, 0x20, 0x02, 0x00,
        ];
        assert!(is_damaged(&found));
        // A varint that is too long, which the library reads in a field that it skips.
        assert!(is_damaged(&[&[0xf5][..], &[0x80; 11], &[0, 0]].concat()));
    }
}
