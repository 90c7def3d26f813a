//! A JSON file, read as one stream, or in several parts if it is newline-delimited.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Take};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::raw::{JsonValue, lossy, repair};
use super::scanner::{self, Event, Flow, Scanner, reason};
use crate::source::compression::without_compression_extension;
use crate::source::read_error;
use kiln_core::error::{Error, Result};

/// A JSON file: one value, or several separated by white space or record separators (RFC 8142).
///
/// If the first value is alone on its line, or by the extension (`.ndjson`, `.jsonl`, `.geojsonl`), the file is
/// newline-delimited: an invalid line does not affect the others.
#[derive(Debug)]
pub(super) struct Document {
    path: PathBuf,
    /// The input name for messages.
    pub(super) name: String,
    range: Range<u64>,
    /// Whether the document is newline-delimited, so that parts end at line ends.
    pub(super) is_line_delimited: bool,
}

impl Document {
    const RECORD_SEPARATOR: u8 = 0x1E;
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    /// The number of bytes in which the end of the first line is searched.
    const HEAD_BYTES: u64 = 1 << 20;
    /// The size of a part. (Small in tests, to split small texts too.)
    const PART_BYTES: u64 = if cfg!(test) { 1000 } else { 8 << 20 };
    const BUFFER_BYTES: usize = 1 << 18;
    /// The maximum length of a line in a newline-delimited document.
    const MAX_LINE_BYTES: u64 = 4 << 20;

    /// Opens the file at `path`. `name` is the input name for messages. `is_line_delimited` skips the detection.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`] if it is empty.
    pub(super) fn open(path: &Path, name: String, is_line_delimited: bool) -> Result<Self> {
        let failed = |error| Error::io(&name, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let mut head = Vec::new();
        file.by_ref().take(Self::HEAD_BYTES).read_to_end(&mut head).map_err(failed)?;
        let end = file.metadata().map_err(failed)?.len();
        let start = if head.starts_with(Self::BYTE_ORDER_MARK) { Self::BYTE_ORDER_MARK.len() } else { 0 };
        let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == Self::RECORD_SEPARATOR;
        let Some(first) = head[start..].iter().position(|byte| !blank(byte)).map(|i| i + start) else {
            return Err(Error::input(&name, "the input is empty; expected JSON"));
        };
        let first_is_line = memchr::memchr(b'\n', &head[first..]).is_some_and(|length| {
            let (line, rest) = head[first..].split_at(length);
            !rest.iter().all(blank) && with_values(&lossy(line), |_, _| ()).is_ok()
        });
        let is_line_delimited = is_line_delimited || first_is_line || has_line_delimited_extension(&name);
        Ok(Self { path: path.to_owned(), name, range: start as u64..end, is_line_delimited })
    }

    /// The size of the text in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The number of parts, which can be read independently.
    pub(super) fn parts(&self) -> usize {
        if self.is_line_delimited { self.bytes().div_ceil(Self::PART_BYTES) as usize } else { 1 }
    }

    /// Passes the rows at `path` of one part, or of the whole document, to `take`. Adds the bytes read to `bytes`.
    pub(super) fn read(
        &self,
        part: Option<usize>,
        path: &[String],
        take: &mut scanner::EventHandler<'_>,
        bytes: &Cell<u64>,
    ) -> Flow {
        let range = match part {
            Some(part) if self.is_line_delimited => {
                let cut = |part: usize| self.line_start(self.range.start + part as u64 * Self::PART_BYTES);
                cut(part)?..cut(part + 1)?
            }
            _ => self.range.clone(),
        };
        let text = self.text(range, bytes)?;
        if self.is_line_delimited {
            self.read_lines(text, path, take)
        } else {
            Self::read_values(Scanner::new(self, text), path, take)
        }
    }

    /// A scanner of the whole document.
    pub(super) fn scanner<'d>(&'d self, bytes: &'d Cell<u64>) -> Result<Scanner<'d>> {
        Ok(Scanner::new(self, self.text(self.range.clone(), bytes)?))
    }

    fn read_values(mut scanner: Scanner<'_>, path: &[String], take: &mut scanner::EventHandler<'_>) -> Flow {
        while scanner.peek()?.is_some() {
            if !scanner.rows(path, take)? {
                take(Event::NoRows)?;
            }
        }
        Ok(())
    }

    fn read_lines(&self, text: DocumentReader<'_>, path: &[String], take: &mut scanner::EventHandler<'_>) -> Flow {
        let mut text = BufReader::with_capacity(Self::BUFFER_BYTES, text);
        let mut line = Vec::new();
        loop {
            line.clear();
            let max_bytes = Self::MAX_LINE_BYTES;
            let read = text.by_ref().take(max_bytes).read_until(b'\n', &mut line).map_err(|error| self.io(error))?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == max_bytes && !line.ends_with(b"\n") {
                let message = format!("a line exceeds {} MiB; expected one row per line", max_bytes >> 20);
                return Err(Error::input(&self.name, message).into());
            }
            let line = lossy(line.trim_ascii_end());
            let read = with_values(&line, |line, values| match values {
                [row] if path.is_empty() && !row.is_array_of_rows() => take(Event::Row(row)),
                _ => Self::read_values(Scanner::over(self, line), path, take),
            });
            match read {
                Ok(flow) => flow?,
                Err((before, error)) => {
                    let truncated = if error.is_eof() { "; was the line truncated?" } else { "" };
                    let (column, reason) = (before + error.column(), reason(&error));
                    take(Event::Invalid(&format!("invalid JSON at column {column}: {reason}{truncated}")))?;
                }
            }
        }
    }

    /// The error for invalid JSON at `position`, a line and a column relative to the byte `offset`.
    pub(super) fn invalid_json(&self, offset: u64, position: (usize, usize), reason: &str, is_end: bool) -> Error {
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
                let line = lines + position.0;
                let column = if position.0 == 1 { columns + position.1 } else { position.1 };
                let truncated = if is_end { "; was the file truncated?" } else { "" };
                Error::input(&self.name, format!("invalid JSON at line {line}, column {column}: {reason}{truncated}"))
            }
            Err(error) => self.io(error),
        }
    }

    /// The offset of the first line that starts at or after `offset`.
    fn line_start(&self, offset: u64) -> Result<u64> {
        if offset <= self.range.start {
            return Ok(self.range.start);
        }
        let skipped = self.file_at(offset - 1).and_then(|file| BufReader::new(file).skip_until(b'\n'));
        Ok((offset - 1 + skipped.map_err(|error| self.io(error))? as u64).min(self.range.end))
    }

    fn text<'b>(&self, range: Range<u64>, bytes: &'b Cell<u64>) -> Result<DocumentReader<'b>> {
        let file = self.file_at(range.start).map_err(|error| self.io(error))?;
        Ok(DocumentReader { file: file.take(range.end - range.start), bytes })
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

/// Passes a line and its values to `take`, after a [`repair`] if needed. The whole line is checked first, so that no
/// part of an invalid line becomes a row.
///
/// # Errors
/// The parse error and the byte offset of the value that it occurred in.
fn with_values<T>(line: &str, take: impl FnOnce(&str, &[JsonValue<'_>]) -> T) -> Result<T, (usize, serde_json::Error)> {
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

fn values(line: &str) -> Result<Vec<JsonValue<'_>>, (usize, serde_json::Error)> {
    let (mut values, mut length) = (Vec::with_capacity(1), 0);
    while let Some((value, read)) = JsonValue::read(&line[length..]).map_err(|error| (length, error))? {
        values.push(value);
        length += read;
    }
    Ok(values)
}

/// Whether a file name has the extension of newline-delimited JSON, ignoring `.gz` and `.zst`.
fn has_line_delimited_extension(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".ndjson", ".jsonl", ".geojsonl"].iter().any(|extension| without_compression_extension(&name).ends_with(extension))
}

/// Reads the bytes of a document and replaces record separators by spaces.
#[derive(Debug)]
pub(super) struct DocumentReader<'b> {
    file: Take<File>,
    /// The number of bytes read.
    bytes: &'b Cell<u64>,
}

impl Read for DocumentReader<'_> {
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
