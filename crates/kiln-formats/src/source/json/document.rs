//! A file of JSON text, read as a stream in one part, or in several where each line has values of its own.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::raw::{Value, lossy, repair};
use super::scanner::{self, Event, Flow, Scanner, reason};
use crate::source::packing::without_packing;
use crate::source::read_error;
use kiln_core::error::{Error, Result};

/// A file of JSON text: one value, or many with white space or record separators (RFC 8142) between them.
///
/// Where the first value takes a line for itself, or the name says so (`.ndjson`, `.jsonl`, `.geojsonl`), each line is
/// read for itself: one that is not JSON spoils no other.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    /// What messages call the document.
    pub(super) name: String,
    range: Range<u64>,
    /// Whether every line holds whole values, so that the text is cut at line ends.
    pub(super) in_lines: bool,
}

impl Document {
    const RECORD_SEPARATOR: u8 = 0x1E;
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    /// Bytes looked at to find the first line.
    const HEAD_BYTES: u64 = 1 << 20;
    /// Bytes of text that a worker takes at a time. (The tests cut small texts, too.)
    const PART_BYTES: u64 = if cfg!(test) { 1000 } else { 8 << 20 };
    const BUFFER_BYTES: usize = 1 << 18;
    /// Longest line, where lines are read.
    const LONGEST_LINE_BYTES: u64 = 64 << 20;

    /// Opens the file at `path`, which messages call `name`; `in_lines`: each line is to be read for itself.
    pub(super) fn open(path: &Path, name: String, in_lines: bool) -> Result<Self> {
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
        let first_is_line = memchr::memchr(b'\n', &head[first..]).is_some_and(|length| {
            let (line, behind) = head[first..].split_at(length);
            !behind.iter().all(blank) && with_values(&lossy(line), |_, _| ()).is_ok()
        });
        let in_lines = in_lines || first_is_line || is_named_as_lines(&name);
        Ok(Self { path: path.to_owned(), name, range: start as u64..end, in_lines })
    }

    /// The size of the text.
    pub(super) fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// How many parts can be read independently.
    pub(super) fn parts(&self) -> usize {
        if self.in_lines { self.bytes().div_ceil(Self::PART_BYTES) as usize } else { 1 }
    }

    /// Hands the rows of one part, which are at `path` in objects, to `take`, or those of all parts. Adds the bytes read to
    /// `bytes`.
    pub(super) fn read(
        &self,
        part: Option<usize>,
        path: &[String],
        take: &mut scanner::Take<'_>,
        bytes: &Cell<u64>,
    ) -> Flow {
        let range = match part {
            Some(part) if self.in_lines => {
                let cut = |part: usize| self.line_start(self.range.start + part as u64 * Self::PART_BYTES);
                cut(part)?..cut(part + 1)?
            }
            _ => self.range.clone(),
        };
        let text = self.text(range, bytes)?;
        if self.in_lines {
            self.read_lines(text, path, take)
        } else {
            Self::read_values(Scanner::new(self, text), path, take)
        }
    }

    /// A window on the whole text.
    pub(super) fn scanner<'d>(&'d self, bytes: &'d Cell<u64>) -> Result<Scanner<'d>> {
        Ok(Scanner::new(self, self.text(self.range.clone(), bytes)?))
    }

    fn read_values(mut scanner: Scanner<'_>, path: &[String], take: &mut scanner::Take<'_>) -> Flow {
        while scanner.peek()?.is_some() {
            if !scanner.rows(path, take)? {
                take(Event::NoRows)?;
            }
        }
        Ok(())
    }

    fn read_lines(&self, text: Text<'_>, path: &[String], take: &mut scanner::Take<'_>) -> Flow {
        let mut text = BufReader::with_capacity(Self::BUFFER_BYTES, text);
        let mut line = Vec::new();
        loop {
            line.clear();
            let longest = Self::LONGEST_LINE_BYTES;
            let read = text.by_ref().take(longest).read_until(b'\n', &mut line).map_err(|error| self.io(error))?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == longest && !line.ends_with(b"\n") {
                let message = format!("a line is longer than {} MiB; each row needs a line of its own", longest >> 20);
                return Err(Error::input(&self.name, message).into());
            }
            let line = lossy(line.trim_ascii_end());
            let read = with_values(&line, |line, values| match values {
                [row] if path.is_empty() && !row.is_list_of_rows() => take(Event::Row(row)),
                _ => Self::read_values(Scanner::over(self, line), path, take),
            });
            match read {
                Ok(flow) => flow?,
                Err((before, error)) => {
                    let cut_off = if error.is_eof() { "; was the line cut off?" } else { "" };
                    let (column, reason) = (before + error.column(), reason(&error));
                    take(Event::Broken(&format!("broken JSON at column {column}: {reason}{cut_off}")))?;
                }
            }
        }
    }

    /// The error that says that the text is no JSON at `place`, a line and a column from `offset` on.
    pub(super) fn broken(&self, offset: u64, place: (usize, usize), reason: &str, is_end: bool) -> Error {
        let count = || {
            let mut before = BufReader::new(self.file_at(self.range.start)?.take(offset));
            let (mut lines, mut columns) = (0, 0);
            loop {
                let length = before.fill_buf()?.len();
                if length == 0 {
                    return Ok((lines, columns));
                }
                lines += memchr::memchr_iter(b'\n', before.buffer()).count();
                columns = memchr::memrchr(b'\n', before.buffer()).map_or(columns + length, |at| length - at - 1);
                before.consume(length);
            }
        };
        match count() {
            Ok((lines, columns)) => {
                let line = lines + place.0;
                let column = if place.0 == 1 { columns + place.1 } else { place.1 };
                let cut_off = if is_end { "; was the file cut off?" } else { "" };
                Error::input(&self.name, format!("broken JSON at line {line}, column {column}: {reason}{cut_off}"))
            }
            Err(error) => self.io(error),
        }
    }

    /// The place of the first line that starts at `offset` or behind it.
    fn line_start(&self, offset: u64) -> Result<u64> {
        if offset <= self.range.start {
            return Ok(self.range.start);
        }
        let skipped = self.file_at(offset - 1).and_then(|file| BufReader::new(file).skip_until(b'\n'));
        Ok((offset - 1 + skipped.map_err(|error| self.io(error))? as u64).min(self.range.end))
    }

    fn text<'b>(&self, range: Range<u64>, bytes: &'b Cell<u64>) -> Result<Text<'b>> {
        let file = self.file_at(range.start).map_err(|error| self.io(error))?;
        Ok(Text { file: file.take(range.end - range.start), bytes })
    }

    fn file_at(&self, offset: u64) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    pub(super) fn io(&self, error: io::Error) -> Error {
        read_error(&self.name, error)
    }
}

/// Hands a line and the values in it to `take`, repaired if it needs that and it helps, or else says what is wrong, behind
/// how many bytes. All of the line is checked first, so that no half of a broken one becomes a row.
fn with_values<T>(line: &str, take: impl FnOnce(&str, &[Value<'_>]) -> T) -> Result<T, (usize, serde_json::Error)> {
    if let Ok(values) = values(line) {
        return Ok(take(line, &values));
    }
    let (mut repaired, mut rest) = (String::with_capacity(line.len()), line);
    while let Some((value, length)) = repair(rest).filter(|_| !rest.is_empty()) {
        repaired.push_str(&value);
        rest = &rest[length..];
    }
    repaired.push_str(rest);
    values(&repaired).map(|values| take(&repaired, &values))
}

fn values(line: &str) -> Result<Vec<Value<'_>>, (usize, serde_json::Error)> {
    let (mut values, mut length) = (Vec::with_capacity(1), 0);
    while let Some((value, read)) = Value::read(&line[length..]).map_err(|error| (length, error))? {
        values.push(value);
        length += read;
    }
    Ok(values)
}

/// Whether a file of this name, packed or not, has a value per line.
fn is_named_as_lines(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".ndjson", ".jsonl", ".geojsonl"].iter().any(|ending| without_packing(&name).ends_with(ending))
}

/// The bytes of a document, with record separators turned into the white space that they are between values.
#[derive(Debug)]
pub(super) struct Text<'b> {
    file: Take<File>,
    /// The bytes read.
    bytes: &'b Cell<u64>,
}

impl Read for Text<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        if n == 0 && self.file.limit() > 0 && !buffer.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut rest = &mut buffer[..n];
        while let Some(at) = memchr::memchr(Document::RECORD_SEPARATOR, rest) {
            rest[at] = b' ';
            rest = &mut rest[at..];
        }
        self.bytes.set(self.bytes.get() + n as u64);
        Ok(n)
    }
}
