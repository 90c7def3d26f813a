//! A streaming reader of JSON values. Only one value is in memory, in a window that moves over the text.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::document::Document;
use super::raw::{JsonValue, lossy, plain, repair};
use crate::source::table::PartResult;
use kiln_core::error::Error;

/// The reason why a scan ends before the end of the text.
#[derive(Debug)]
pub(super) enum Halt {
    /// The receiver stopped the scan.
    Stopped,
    /// The text cannot be read or is invalid.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The result of a step of a scan; an error ends the scan.
pub(super) type Flow = Result<(), Halt>;

/// Converts the result of a scan to that of a part.
pub(super) fn part_result(read: Flow) -> PartResult {
    match read {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(Halt::Stopped) => Ok(ControlFlow::Break(())),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// An event of a scan.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'e> {
    /// A row.
    Row(&'e JsonValue<'e>),
    /// An invalid line, with the reason.
    Invalid(&'e str),
    /// A top-level value without a value at the path of the rows.
    NoRows,
    /// The member `columns` of an object that contains the rows.
    Columns(&'e JsonValue<'e>),
    /// The member `crs` of an object that contains the rows.
    Crs(&'e JsonValue<'e>),
}

/// A callback for the events of a scan.
pub(super) type EventHandler<'t> = dyn FnMut(Event<'_>) -> Flow + 't;

/// A reader with a window on the text.
pub(super) struct Scanner<'d> {
    document: &'d Document,
    input: Box<dyn Read + 'd>,
    window: String,
    /// The offset of the next byte in the window.
    start: usize,
    /// Whether the window reaches the end of the text.
    at_end: bool,
    /// The offset of the window in the text.
    offset: u64,
    /// A buffer for reading. Between reads, it has the bytes of an incomplete character.
    bytes: Vec<u8>,
}

impl<'d> Scanner<'d> {
    /// The minimum number of bytes to read at a time. (Small in tests, to test the borders of the window.)
    const READ_BYTES: usize = if cfg!(test) { 16 } else { 1 << 18 };
    /// The maximum length of a value.
    const MAX_VALUE_BYTES: usize = 64 << 20;
    /// The maximum length of a value to repair. Without a limit, an extra quote would make the rest of the text one
    /// value.
    const MAX_REPAIR_BYTES: usize = 16 << 20;

    /// A scanner of the text that `input` reads.
    pub(super) fn new(document: &'d Document, input: impl Read + 'd) -> Self {
        let input = Box::new(input);
        Self { document, input, window: String::new(), start: 0, at_end: false, offset: 0, bytes: Vec::new() }
    }

    /// A scanner of a text in memory.
    pub(super) fn over(document: &'d Document, text: &str) -> Self {
        Self { window: text.to_owned(), at_end: true, ..Self::new(document, io::empty()) }
    }

    /// Passes the rows at `path` in the next value to `take`. In an array of objects or arrays, each element is a row;
    /// any other value is one row. Returns whether there is a value at `path`.
    pub(super) fn rows(&mut self, path: &[String], take: &mut EventHandler<'_>) -> Result<bool, Halt> {
        let mut is_found = path.is_empty();
        match (self.peek()?, path) {
            (Some(b'{'), [name, path @ ..]) => self.for_each(b'}', |scanner| match scanner.key()?.as_str() {
                key if key == name => scanner.rows(path, take).map(|found| is_found |= found),
                "columns" => scanner.value(|columns| take(Event::Columns(columns)))?,
                "crs" => scanner.value(|crs| take(Event::Crs(crs)))?,
                _ => scanner.skip(),
            })?,
            (Some(b'['), _) if matches!(self.peek_inside()?, Some(b'{' | b'[' | b']')) => {
                self.for_each(b']', |scanner| match scanner.peek()? {
                    _ if path.is_empty() => scanner.value(|row| take(Event::Row(row)))?,
                    Some(b'{') => scanner.rows(path, take).map(|found| is_found |= found),
                    _ => scanner.skip(),
                })?;
            }
            (_, []) => self.value(|row| take(Event::Row(row)))??,
            _ => self.skip()?,
        }
        Ok(is_found)
    }

    /// Whether the next value is an array whose first element is an object or an array.
    pub(super) fn is_array_of_rows(&mut self) -> Result<bool, Halt> {
        Ok(self.peek()? == Some(b'[') && matches!(self.peek_inside()?, Some(b'{' | b'[')))
    }

    /// The first byte of the next value; `None` at the end of the text.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Halt> {
        let at = self.peek_from(0)?;
        self.start = at.unwrap_or(self.window.len());
        Ok(at.map(|at| self.window.as_bytes()[at]))
    }

    /// The first byte inside the next array or object.
    fn peek_inside(&mut self) -> Result<Option<u8>, Halt> {
        Ok(self.peek_from(1)?.map(|at| self.window.as_bytes()[at]))
    }

    /// The index in the window of the first byte that is not white space, at least `ahead` bytes after the current one.
    fn peek_from(&mut self, ahead: usize) -> Result<Option<usize>, Halt> {
        loop {
            let from = self.start + ahead;
            let is_blank = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            match self.window.as_bytes()[from..].iter().position(|byte| !is_blank(byte)) {
                Some(at) => return Ok(Some(from + at)),
                None if self.at_end => return Ok(None),
                None => {
                    if ahead == 0 {
                        self.start = self.window.len();
                    }
                    self.fill()?;
                }
            }
        }
    }

    /// Calls `take`, which must read an element or a member, for each one of the next array or object. `close` is its
    /// last byte.
    pub(super) fn for_each(&mut self, close: u8, mut take: impl FnMut(&mut Self) -> Flow) -> Flow {
        self.start += 1;
        if self.peek()? == Some(close) {
            self.start += 1;
            return Ok(());
        }
        loop {
            take(self)?;
            match self.peek()? {
                Some(b',') => self.start += 1,
                Some(byte) if byte == close => {
                    self.start += 1;
                    return Ok(());
                }
                Some(_) => return Err(self.syntax_error(&format!("expected `,` or `{}`", close as char))),
                None => return Err(self.syntax_error("EOF while parsing a value")),
            }
            if self.peek()? == Some(close) {
                return Err(self.syntax_error("trailing comma"));
            }
        }
    }

    /// Reads the name of the next member and the colon after it.
    pub(super) fn key(&mut self) -> Result<String, Halt> {
        if self.peek()?.is_some_and(|byte| byte != b'"') {
            return Err(self.syntax_error("key must be a string"));
        }
        let key = self.value(plain)?;
        match self.peek()? {
            Some(b':') => self.start += 1,
            Some(_) => return Err(self.syntax_error("expected `:`")),
            None => return Err(self.syntax_error("EOF while parsing a value")),
        }
        Ok(key)
    }

    /// Skips the next value; an array or object element by element, to limit memory.
    pub(super) fn skip(&mut self) -> Flow {
        match self.peek()? {
            Some(b'[') => self.for_each(b']', |scanner| scanner.value(|_| ())),
            Some(b'{') => self.for_each(b'}', |scanner| scanner.key().and_then(|_| scanner.value(|_| ()))),
            _ => self.value(|_| ()),
        }
    }

    /// Reads the next value and passes it to `take`, after a [`repair`] if needed.
    pub(super) fn value<T>(&mut self, take: impl FnOnce(&JsonValue<'_>) -> T) -> Result<T, Halt> {
        self.peek()?;
        loop {
            let window = &self.window[self.start..];
            // A number or a literal at the end of the window may be incomplete.
            let is_complete = |length| self.at_end || length < window.len();
            match JsonValue::read(window) {
                Ok(Some((value, length))) if is_complete(length) => {
                    self.start += length;
                    return Ok(take(&value));
                }
                Ok(None) if self.at_end => return Err(self.syntax_error("EOF while parsing a value")),
                Err(error) if self.at_end || !error.is_eof() => match repair(window) {
                    Some((repaired, length)) if is_complete(length) => match JsonValue::read(&repaired) {
                        Ok(Some((value, _))) => {
                            self.start += length;
                            return Ok(take(&value));
                        }
                        repaired => return Err(self.invalid_value(&repaired.err().unwrap_or(error))),
                    },
                    None if self.at_end || window.len() > Self::MAX_REPAIR_BYTES => {
                        return Err(self.invalid_value(&error));
                    }
                    _ => {}
                },
                _ => {}
            }
            self.fill()?;
        }
    }

    /// Reads more text, doubling the window. Invalid UTF-8 is replaced by U+FFFD.
    fn fill(&mut self) -> Flow {
        self.window.drain(..self.start);
        self.offset += self.start as u64;
        self.start = 0;
        if self.window.len() >= Self::MAX_VALUE_BYTES {
            let message = format!("a value exceeds {} MiB", Self::MAX_VALUE_BYTES >> 20);
            return Err(Error::input(&self.document.name, message).into());
        }
        let max_bytes = self.window.len().max(Self::READ_BYTES);
        let read = self.input.by_ref().take(max_bytes as u64).read_to_end(&mut self.bytes);
        self.at_end = read.map_err(|error| self.document.io(error))? == 0;
        // The last character may be incomplete; its first byte encodes its length.
        let bytes = self.bytes.len();
        let last = self.bytes.iter().rev().take(3).position(|&byte| byte >= 0xC0).map_or(0, |after| after + 1);
        let is_complete = last == 0 || self.bytes[bytes - last].leading_ones() as usize <= last;
        let read = if is_complete || self.at_end { bytes } else { bytes - last };
        self.window.push_str(&lossy(&self.bytes[..read]));
        self.bytes.drain(..read);
        Ok(())
    }

    /// The error for invalid JSON at the current position.
    fn syntax_error(&self, reason: &str) -> Halt {
        let is_end = reason.starts_with("EOF");
        self.document.invalid_json(self.offset + self.start as u64, (1, usize::from(!is_end)), reason, is_end).into()
    }

    /// The error for a value that cannot be parsed.
    fn invalid_value(&self, error: &serde_json::Error) -> Halt {
        let position = (error.line(), error.column());
        self.document.invalid_json(self.offset + self.start as u64, position, &reason(error), error.is_eof()).into()
    }
}

/// The message of an error without the position.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned()
}
