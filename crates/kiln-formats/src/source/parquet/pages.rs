//! The file of a Parquet reader, which checks the header of each page before the library reads it.
//!
//! A header is a struct of Thrift as the footer is, and the library skips lists of unknown fields in the same way: one of 2^31
//! booleans takes seconds, a list of such lists hours.
//!
//! The library opens the file at headers, and at the data of a page whose header it has read before. So the positions of headers
//! are those at which column chunks start and pages end, and what is at another position is not checked: data may look like a
//! damaged header.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::footer::{Extent, extent};

/// A file whose page headers are checked.
pub(super) struct PageFile {
    file: File,
    bytes: u64,
    /// The positions at which column chunks start.
    chunks: Arc<HashSet<u64>>,
    /// The positions at which the pages that were read end.
    ends: Mutex<HashSet<u64>>,
}

impl PageFile {
    /// The maximum size of a header, which may have the minimum and maximum of the page.
    const MAX_HEADER: u64 = 1 << 24;

    /// A file of a size, whose column chunks start at the positions `chunks`.
    pub(super) fn new(file: File, bytes: u64, chunks: Arc<HashSet<u64>>) -> Self {
        Self { file, bytes, chunks, ends: Mutex::default() }
    }

    fn ends(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a header at a position, or else data.
    fn is_header(&self, start: u64) -> bool {
        self.chunks.contains(&start) || self.ends().contains(&start)
    }
}

impl Length for PageFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for PageFile {
    type T = BufReader<File>;

    /// The reader of a page header. Its buffer has the header, so that the check reads nothing twice.
    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut reader = self.file.get_read(start)?;
        if !self.is_header(start) {
            return Ok(reader);
        }
        let found = match extent(reader.fill_buf()?) {
            Extent::Longer => {
                let mut header = Vec::new();
                reader.by_ref().take(Self::MAX_HEADER).read_to_end(&mut header)?;
                reader.seek(SeekFrom::Start(start))?;
                let is_cut = header.len() as u64 == Self::MAX_HEADER;
                match extent(&header) {
                    Extent::Longer if is_cut => Extent::Damaged,
                    found => found,
                }
            }
            found => found,
        };
        match found {
            Extent::Damaged => Err(ParquetError::General("the header of a page is damaged".to_owned())),
            Extent::Complete { length } => {
                self.ends().insert(start.saturating_add(length));
                Ok(reader)
            }
            // The library skips the elements of a list behind the end of the file without an error, 2^31 of them in minutes.
            Extent::Longer => Err(ParquetError::EOF("the file ends in the header of a page".to_owned())),
        }
    }

    /// The bytes of a page, whose length is that of its header: it is compared with the file before the memory is reserved.
    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if self.bytes.saturating_sub(start) < length as u64 {
            return Err(ParquetError::EOF(format!("a page of {length} bytes exceeds the file")));
        }
        self.file.get_bytes(start, length)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file of bytes.
    fn file(bytes: &[u8]) -> PageFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        PageFile::new(file, bytes.len() as u64, Arc::new([0].into()))
    }

    /// A header: the type of the page, its two sizes, an unknown field of a kind with its value, and the data.
    fn header(kind: u8, value: &[u8]) -> Vec<u8> {
        [&[0x15, 0x00, 0x15, 0x02, 0x15, 0x02, 0xc0 | kind][..], value, &[0], &[7; 9000]].concat()
    }

    const ENDLESS: [u8; 5] = [0xff, 0xff, 0xff, 0xff, 0x07];

    #[test]
    fn endless_lists_in_page_headers_are_errors() {
        let list = |kind: u8| [&[0xf0 | kind][..], &ENDLESS].concat();
        // A list of 100 lists; a map of booleans; a list behind more bytes than the buffer has.
        let lists = [&[0xf9, 0x64][..], &list(1).repeat(100)].concat();
        let map = [&ENDLESS[..], &[0x12]].concat();
        let far = [&[0xa0, 0x9c, 0x01][..], &vec![1; 20_000], &[0x19], &list(2)].concat();
        for (kind, value) in [(9, list(1)), (10, list(2)), (9, lists), (11, map), (8, far)] {
            let error = file(&header(kind, &value)).get_read(0).unwrap_err().to_string();
            assert!(error.contains("header of a page is damaged"), "{kind}: {error}");
        }
    }

    #[test]
    fn headers_that_the_file_ends_in_are_errors() {
        // A list of doubles, as many as the file has bytes left, of which the library skips each without a byte.
        let doubles = [&[0x15, 0x00, 0x15, 0x02, 0x15, 0x02, 0xc9, 0xf7, 0x64][..], &[7; 100]].concat();
        for bytes in [vec![], vec![0x15], doubles] {
            let error = file(&bytes).get_read(0).unwrap_err().to_string();
            assert!(error.contains("ends in the header of a page"), "{error}");
        }
    }

    #[test]
    fn other_headers_are_left_to_the_library() {
        let far = [&[0xa0, 0x9c, 0x01][..], &vec![1; 20_000]].concat();
        for bytes in [header(9, &[0x35, 1, 2, 1]), header(8, &far)] {
            let mut read = Vec::new();
            file(&bytes).get_read(0).unwrap().read_to_end(&mut read).unwrap();
            assert!(read == bytes);
        }
    }

    #[test]
    fn headers_are_checked_at_the_ends_of_pages_and_data_is_not() {
        // A header of 7 bytes, and a page of 3 bytes that looks like a damaged header.
        let page = [&[0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00][..], &[0xff, 0xff, 0xff]].concat();
        let file = file(&[&page[..], &page, &[0xff; 20]].concat());
        file.get_read(0).unwrap();
        // The library opens the file here if it has looked at the header before.
        file.get_read(7).unwrap();
        file.get_read(10).unwrap();
        assert!(file.get_read(20).unwrap_err().to_string().contains("header of a page is damaged"));
    }

    #[test]
    fn a_page_that_exceeds_the_file_reserves_no_memory() {
        let file = file(&[1; 100]);
        assert_eq!(file.get_bytes(90, 10).unwrap().len(), 10);
        for (start, length) in [(90, 11), (0, usize::MAX), (u64::MAX, 1)] {
            assert!(file.get_bytes(start, length).unwrap_err().to_string().contains("exceeds the file"));
        }
    }
}
