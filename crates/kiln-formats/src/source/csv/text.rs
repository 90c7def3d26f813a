//! Stretches of a file in memory.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

/// A file of text.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) file: File,
    /// Its length when it was opened: what is added later is not read.
    pub(super) bytes: u64,
    /// Whether carriage returns end its lines; they are read as line feeds.
    pub(super) has_carriage_returns: bool,
}

/// A stretch of a file.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The stretch, and room behind it.
    bytes: Vec<u8>,
    filled: usize,
    /// Where in the file the next byte comes from.
    next: u64,
}

impl Text {
    /// Starts over at `start`, without a byte.
    pub(super) fn restart(&mut self, start: u64) {
        (self.filled, self.next) = (0, start);
    }

    /// Reads until there are `wanted` bytes, and returns whether the end of the file came first.
    pub(super) fn fill(&mut self, from: &TextFile, wanted: usize) -> io::Result<bool> {
        if self.bytes.len() < wanted {
            self.bytes.resize(wanted, 0);
        }
        while self.filled < wanted {
            let left = from.bytes.saturating_sub(self.next);
            if left == 0 {
                return Ok(true);
            }
            let end = wanted.min(self.filled.saturating_add(left as usize));
            match from.file.read_at(&mut self.bytes[self.filled..end], self.next) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    if from.has_carriage_returns {
                        with_line_feeds(&mut self.bytes[self.filled..self.filled + read]);
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

    /// What was read.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

/// Turns carriage returns into line feeds.
pub(super) fn with_line_feeds(text: &mut [u8]) {
    for byte in text {
        if *byte == b'\r' {
            *byte = b'\n';
        }
    }
}
