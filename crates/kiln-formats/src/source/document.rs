//! A JSON document as a stream: one value, or many after each other, read without ever holding more than one element.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use serde::de::{Deserializer, IgnoredAny};
use serde_json::error::Category;

use super::packing::without_packing;
use super::parts::PartResult;
use super::{Progress, read_error};
use kiln_core::error::{Error, Result};

/// What a reader does with the values at the top of a document.
pub(super) trait Values {
    /// Takes one value. An error ends the reading; [`halted`](Self::halted) tells whether the reader wanted it.
    fn value<'de, D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error>;

    /// Takes note of a line that is not JSON; `reason` says why.
    fn broken(&mut self, reason: impl FnOnce() -> String);

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
///
/// Where the first value takes a line for itself, or the name says so (`.ndjson`, `.jsonl`, `.geojsonl`), each line is
/// read for itself: one that is not JSON spoils no other.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    name: String,
    range: Range<u64>,
    /// Whether every line holds whole values, so that the text is cut at line ends.
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
    /// Bytes of a text that is read into memory as a whole. (The tests read most texts bit by bit.)
    const SMALL_BYTES: u64 = if cfg!(test) { 100 } else { 1 << 20 };
    /// Longest line, where lines are read.
    const LONGEST_LINE_BYTES: u64 = 64 << 20;

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
        let first_is_line = memchr::memchr(b'\n', &head[first..]).map(|i| i + first).is_some_and(|line_end| {
            serde_json::from_slice::<IgnoredAny>(&head[first..line_end]).is_ok() && !head[line_end..].iter().all(blank)
        });
        let in_lines = first_is_line || is_named_as_lines(&name);
        Ok(Self { path: path.to_owned(), name, range: start as u64..end, in_lines })
    }

    /// The same document, each line of which is read for itself.
    pub(super) fn in_lines(self) -> Self {
        Self { in_lines: true, ..self }
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
        let text = BufReader::with_capacity(Self::BUFFER_BYTES, text);
        if self.in_lines {
            return self.read_lines(text, values);
        }
        let read = if range.end - range.start <= Self::SMALL_BYTES {
            // A text that is in memory as a whole is read several times as fast.
            let (mut text, mut whole) = (text, Vec::new());
            text.read_to_end(&mut whole).map_err(|error| self.io(error))?;
            read_values(&mut serde_json::Deserializer::from_slice(&whole), values)
        } else {
            read_values(&mut serde_json::Deserializer::from_reader(text), values)
        };
        let Err(error) = read else {
            return Ok(ControlFlow::Continue(()));
        };
        match values.halted() {
            Some(halt) => self.halted(halt),
            None => Err(self.broken(error)),
        }
    }

    fn read_lines(&self, mut text: impl BufRead, values: &mut impl Values) -> PartResult {
        let mut line = Vec::new();
        loop {
            line.clear();
            let longest = Self::LONGEST_LINE_BYTES;
            let read = text.by_ref().take(longest).read_until(b'\n', &mut line).map_err(|error| self.io(error))?;
            if read == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            if read as u64 == longest && !line.ends_with(b"\n") {
                let message = format!("a line is longer than {} MiB; each row needs a line of its own", longest >> 20);
                return Err(Error::input(&self.name, message));
            }
            let line = line.trim_ascii_end();
            // Looked over first, so that no half of a broken line is told.
            let checked = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>().find_map(Result::err);
            let read =
                checked.map_or_else(|| read_values(&mut serde_json::Deserializer::from_slice(line), values), Err);
            if let Err(error) = read {
                if let Some(halt) = values.halted() {
                    return self.halted(halt);
                }
                let cut_off = if error.classify() == Category::Eof { "; was the line cut off?" } else { "" };
                values.broken(|| format!("broken JSON at column {}: {}{cut_off}", error.column(), reason(&error)));
                if let Some(halt) = values.halted() {
                    return self.halted(halt);
                }
            }
        }
    }

    fn halted(&self, halt: Halt) -> PartResult {
        match halt {
            Halt::Enough => Ok(ControlFlow::Continue(())),
            Halt::Stopped => Ok(ControlFlow::Break(())),
            Halt::Unusable(reason) => Err(Error::input(&self.name, reason)),
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

    /// Says where the text is no JSON.
    fn broken(&self, error: serde_json::Error) -> Error {
        if error.classify() == Category::Io {
            return self.io(error.into());
        }
        let (line, column, reason) = (error.line(), error.column(), reason(&error));
        let cut_off = if error.classify() == Category::Eof { "; was the file cut off?" } else { "" };
        Error::input(&self.name, format!("broken JSON at line {line}, column {column}: {reason}{cut_off}"))
    }

    fn file_at(&self, offset: u64) -> Result<File> {
        let mut file = File::open(&self.path).map_err(|error| self.io(error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.io(error))?;
        Ok(file)
    }

    fn io(&self, error: std::io::Error) -> Error {
        read_error(&self.name, error)
    }
}

/// Whether a file of this name, packed or not, has a value per line.
fn is_named_as_lines(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".ndjson", ".jsonl", ".geojsonl"].iter().any(|ending| without_packing(&name).ends_with(ending))
}

/// Hands all values of `json` to `values`.
fn read_values<'de, R: serde_json::de::Read<'de>>(
    json: &mut serde_json::Deserializer<R>,
    values: &mut impl Values,
) -> serde_json::Result<()> {
    // Is only white space left?
    while json.end().is_err() {
        values.value(&mut *json)?;
    }
    Ok(())
}

/// What is wrong, without the place.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned()
}

/// The bytes of a document, with record separators turned into the white space that they are between values.
struct Text<'p> {
    file: Take<File>,
    progress: Option<&'p Progress>,
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(buffer)?;
        if n == 0 && self.file.limit() > 0 && !buffer.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
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
