//! Reading of a file in pieces.

use std::fs::File;
use std::io::{self, ErrorKind};

use super::super::read_at::read_at;

/// A text file.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) file: File,
    /// Its length when it was opened. Bytes appended later are not read.
    pub(super) bytes: u64,
    /// Whether lines end with carriage returns, which are replaced by line feeds.
    pub(super) has_carriage_returns: bool,
}

/// A piece of a file in memory.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    /// The buffer. Only the first `filled` bytes are valid.
    bytes: Vec<u8>,
    filled: usize,
    /// The file offset of the next byte to read.
    next: u64,
}

impl TextBuffer {
    /// Clears the buffer and continues at the file offset `start`.
    pub(super) fn restart(&mut self, start: u64) {
        (self.filled, self.next) = (0, start);
    }

    /// Reads until the buffer has `len` bytes. Returns whether the end of the file was reached first.
    pub(super) fn fill(&mut self, from: &TextFile, len: usize) -> io::Result<bool> {
        // A small file needs a small buffer.
        let left = from.bytes.saturating_sub(self.next);
        let size = len.min(self.filled.saturating_add(usize::try_from(left).unwrap_or(usize::MAX)));
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        while self.filled < len {
            let left = from.bytes.saturating_sub(self.next);
            if left == 0 {
                return Ok(true);
            }
            let end = len.min(self.filled.saturating_add(left as usize));
            match read_at(&from.file, &mut self.bytes[self.filled..end], self.next) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    if from.has_carriage_returns {
                        replace_carriage_returns(&mut self.bytes[self.filled..self.filled + read]);
                    }
                    self.filled += read;
                    self.next += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The bytes read so far.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// Replaces carriage returns by line feeds.
pub(super) fn replace_carriage_returns(text: &mut [u8]) {
    for byte in text {
        if *byte == b'\r' {
            *byte = b'\n';
        }
    }
}
