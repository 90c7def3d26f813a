//! A JSON document as a stream: one value, or many after each other, read without ever holding more than one element.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, IgnoredAny};
use serde_json::error::Category;

use super::Progress;
use super::parts::PartResult;
use crate::error::{Error, Result};

/// What a reader does with the values at the top of a document.
pub(super) trait Values {
    /// Takes one value. An error ends the reading; [`halted`](Self::halted) tells whether the reader wanted it.
    fn value<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error>;

    /// Why the reader itself ended the reading, if it did.
    fn halted(&mut self) -> Option<Halt>;
}

/// Why a reader ends the reading before the end.
#[derive(Debug)]
pub(super) enum Halt {
    /// It has seen enough.
    Enough,
    /// Whoever takes the points asked for no more.
    Stopped,
    /// The document as a whole cannot be used, for this reason.
    Unusable(String),
}

/// A file of JSON text: one value, or many with white space or record separators (RFC 8142) between them.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    name: String,
    range: Range<u64>,
    /// Whether every line holds whole values, so that the text can be cut at line ends.
    in_lines: bool,
}

impl Document {
    const RECORD_SEPARATOR: u8 = 0x1E;
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    /// Bytes looked at to find the first line.
    const HEAD_BYTES: u64 = 1 << 20;
    /// Bytes of text that a worker takes at a time. (The tests cut small texts, too.)
    const PART_BYTES: u64 = if cfg!(test) { 1000 } else { 8 << 20 };
    const BUFFER_BYTES: usize = 1 << 18;

    /// Opens the file at `path`, which messages call `name`.
    pub(super) fn open(path: &Path, name: String) -> Result<Self> {
        let failed = |error| Error::io(&name, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let mut head = Vec::new();
        file.by_ref().take(Self::HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let start = if head.starts_with(Self::BYTE_ORDER_MARK) { Self::BYTE_ORDER_MARK.len() } else { 0 };
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == Self::RECORD_SEPARATOR;
        let Some(first) = head[start..].iter().position(|byte| !blank(byte)).map(|i| i + start) else {
            return Err(Error::input(&name, "there is nothing in it; JSON was expected"));
        };
        let in_lines = memchr::memchr(b'\n', &head[first..]).map(|i| i + first).is_some_and(|line_end| {
            serde_json::from_slice::<IgnoredAny>(&head[first..line_end]).is_ok() && !head[line_end..].iter().all(blank)
        });
        Ok(Self { path: path.to_owned(), name, range: start as u64..end, in_lines })
    }

    /// What messages call the document.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The size of the text.
    pub(super) fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// How many parts can be read independently.
    pub(super) fn parts(&self) -> usize {
        if self.in_lines { self.bytes().div_ceil(Self::PART_BYTES) as usize } else { 1 }
    }

    /// Hands the values of the whole document to `values`.
    pub(super) fn read(&self, values: &mut impl Values) -> PartResult {
        self.read_range(self.range.clone(), None, values)
    }

    /// Hands the values of one part to `values`, and the bytes read to `progress`.
    pub(super) fn read_part(&self, part: usize, progress: Option<&Progress>, values: &mut impl Values) -> PartResult {
        let range = if self.in_lines {
            let cut = |part: usize| self.line_start(self.range.start + part as u64 * Self::PART_BYTES);
            cut(part)?..cut(part + 1)?
        } else {
            self.range.clone()
        };
        self.read_range(range, progress, values)
    }

    fn read_range(&self, range: Range<u64>, progress: Option<&Progress>, values: &mut impl Values) -> PartResult {
        let text = Text { file: self.file_at(range.start)?.take(range.end - range.start), progress };
        let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(Self::BUFFER_BYTES, text));
        let error = loop {
            // Only white space is left?
            if json.end().is_ok() {
                return Ok(ControlFlow::Continue(()));
            }
            if let Err(error) = values.value(&mut json) {
                break error;
            }
        };
        match values.halted() {
            Some(Halt::Enough) => Ok(ControlFlow::Continue(())),
            Some(Halt::Stopped) => Ok(ControlFlow::Break(())),
            Some(Halt::Unusable(reason)) => Err(Error::input(&self.name, reason)),
            None => Err(self.broken(error, range.start)),
        }
    }

    /// The place of the first line that starts at `offset` or behind it.
    fn line_start(&self, offset: u64) -> Result<u64> {
        if offset <= self.range.start {
            return Ok(self.range.start);
        }
        let mut place = offset - 1;
        let mut file = self.file_at(place)?;
        let mut buffer = [0; 4096];
        loop {
            match file.read(&mut buffer).map_err(|error| self.io(error))? {
                0 => return Ok(self.range.end),
                n => match memchr::memchr(b'\n', &buffer[..n]) {
                    Some(i) => return Ok((place + i as u64 + 1).min(self.range.end)),
                    None => place += n as u64,
                },
            }
        }
    }

    /// Says where the text is no JSON; the reading had begun at `start`.
    fn broken(&self, error: serde_json::Error, start: u64) -> Error {
        if error.classify() == Category::Io {
            return self.io(error.into());
        }
        let lines_before = match self.count_lines(start) {
            Ok(lines) => lines,
            Err(error) => return error,
        };
        let (line, column) = (lines_before + error.line() as u64, error.column());
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let cut_off = if error.classify() == Category::Eof { "; was the file cut off?" } else { "" };
        Error::input(&self.name, format!("broken JSON at line {line}, column {column}: {message}{cut_off}"))
    }

    /// Line ends before `end`.
    fn count_lines(&self, end: u64) -> Result<u64> {
        let mut text = self.file_at(0)?.take(end);
        let mut buffer = vec![0; Self::BUFFER_BYTES];
        let mut lines = 0;
        loop {
            match text.read(&mut buffer).map_err(|error| self.io(error))? {
                0 => return Ok(lines),
                n => lines += memchr::memchr_iter(b'\n', &buffer[..n]).count() as u64,
            }
        }
    }

    fn file_at(&self, offset: u64) -> Result<File> {
        let mut file = File::open(&self.path).map_err(|error| self.io(error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.io(error))?;
        Ok(file)
    }

    fn io(&self, error: std::io::Error) -> Error {
        Error::io(&self.name, "read", error)
    }
}

/// The bytes of a document, with record separators turned into the white space that they are between values.
struct Text<'p> {
    file: Take<File>,
    progress: Option<&'p Progress>,
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        for byte in &mut buffer[..n] {
            if *byte == Document::RECORD_SEPARATOR {
                *byte = b' ';
            }
        }
        if let Some(progress) = self.progress {
            progress.advance(n as u64, 0);
        }
        Ok(n)
    }
}
