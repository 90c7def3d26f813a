//! A text of JSON values of any length, read value by value through a window that holds one of them.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::document::Document;
use super::raw::{Value, lossy, plain, repair};
use crate::source::table::PartResult;
use kiln_core::error::Error;

/// Why the reading ends before the end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The rows so far are enough.
    Enough,
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a reader of rows answers.
pub(super) type Flow = Result<(), Halt>;

/// What the reading of a part comes to.
pub(super) fn part_result(read: Flow) -> PartResult {
    match read {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(Halt::Enough) => Ok(ControlFlow::Break(())),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// What is found in a document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'e> {
    Row(&'e Value<'e>),
    /// A line that is no JSON, for this reason.
    Broken(&'e str),
    /// A value at the top that has nothing at the path of the rows.
    NoRows,
    /// The member `columns` of an object that has the rows.
    Columns(&'e Value<'e>),
    /// The member `crs` of it.
    Crs(&'e Value<'e>),
}

/// What takes them.
pub(super) type Take<'t> = dyn FnMut(Event<'_>) -> Flow + 't;

/// The window on the text.
pub(super) struct Scanner<'d> {
    document: &'d Document,
    input: Box<dyn Read + 'd>,
    window: String,
    /// What is next in the window.
    start: usize,
    at_end: bool,
    /// Where the window begins in the text.
    offset: u64,
    /// Bytes that have been read for the window: at first those of a character that is not whole.
    bytes: Vec<u8>,
}

impl<'d> Scanner<'d> {
    /// Bytes read at a time. (The tests read most texts bit by bit.)
    const READ_BYTES: usize = if cfg!(test) { 16 } else { 1 << 18 };
    /// The longest value that is held in memory.
    const LONGEST_VALUE_BYTES: usize = 256 << 20;
    /// The longest value that is repaired. Without a limit, a quote too many would have the rest of the text for a value.
    const LONGEST_REPAIR_BYTES: usize = 16 << 20;

    /// A window that moves over what `input` delivers.
    pub(super) fn new(document: &'d Document, input: impl Read + 'd) -> Self {
        let input = Box::new(input);
        Self { document, input, window: String::new(), start: 0, at_end: false, offset: 0, bytes: Vec::new() }
    }

    /// A window on all of a text.
    pub(super) fn over(document: &'d Document, text: &str) -> Self {
        Self { window: text.to_owned(), at_end: true, ..Self::new(document, io::empty()) }
    }

    /// Hands the rows in the next value to `take`, which are at `path` in objects: a list of objects or lists has several,
    /// another value is one. Returns whether there is something at `path`.
    pub(super) fn rows(&mut self, path: &[String], take: &mut Take<'_>) -> Result<bool, Halt> {
        let mut is_found = path.is_empty();
        match (self.peek()?, path) {
            (Some(b'{'), [name, path @ ..]) => self.each(b'}', |scanner| match scanner.key()?.as_str() {
                key if key == name => scanner.rows(path, take).map(|found| is_found |= found),
                "columns" => scanner.value(|columns| take(Event::Columns(columns)))?,
                "crs" => scanner.value(|crs| take(Event::Crs(crs)))?,
                _ => scanner.skip(),
            })?,
            (Some(b'['), _) if matches!(self.peek_inside()?, Some(b'{' | b'[' | b']')) => {
                self.each(b']', |scanner| match scanner.peek()? {
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

    /// Whether the next value is a list whose first element is an object or a list.
    pub(super) fn is_list_of_rows(&mut self) -> Result<bool, Halt> {
        Ok(self.peek()? == Some(b'[') && matches!(self.peek_inside()?, Some(b'{' | b'[')))
    }

    /// The first byte of the next value; `None` at the end of the text.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Halt> {
        let at = self.peek_behind(0)?;
        self.start = at.unwrap_or(self.window.len());
        Ok(at.map(|at| self.window.as_bytes()[at]))
    }

    /// The first byte within the list or object that is next.
    fn peek_inside(&mut self) -> Result<Option<u8>, Halt> {
        Ok(self.peek_behind(1)?.map(|at| self.window.as_bytes()[at]))
    }

    /// The place of the first byte that is no white space, `ahead` bytes on or more.
    fn peek_behind(&mut self, ahead: usize) -> Result<Option<usize>, Halt> {
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

    /// Calls `take` before each element of the list that is next, or each member of the object, and steps over it.
    pub(super) fn each(&mut self, close: u8, mut take: impl FnMut(&mut Self) -> Flow) -> Flow {
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
                Some(_) => return Err(self.flaw(&format!("expected `,` or `{}`", close as char))),
                None => return Err(self.flaw("EOF while parsing a value")),
            }
            if self.peek()? == Some(close) {
                return Err(self.flaw("trailing comma"));
            }
        }
    }

    /// The name of the member that is next, and steps over it.
    pub(super) fn key(&mut self) -> Result<String, Halt> {
        if self.peek()?.is_some_and(|byte| byte != b'"') {
            return Err(self.flaw("key must be a string"));
        }
        let key = self.value(plain)?;
        match self.peek()? {
            Some(b':') => self.start += 1,
            Some(_) => return Err(self.flaw("expected `:`")),
            None => return Err(self.flaw("EOF while parsing a value")),
        }
        Ok(key)
    }

    /// Steps over the next value, a list or object part by part.
    pub(super) fn skip(&mut self) -> Flow {
        match self.peek()? {
            Some(b'[') => self.each(b']', |scanner| scanner.value(|_| ())),
            Some(b'{') => self.each(b'}', |scanner| scanner.key().and_then(|_| scanner.value(|_| ()))),
            _ => self.value(|_| ()),
        }
    }

    /// Hands the next value to `take`, [repaired](repair) if it needs that and it helps.
    pub(super) fn value<T>(&mut self, take: impl FnOnce(&Value<'_>) -> T) -> Result<T, Halt> {
        self.peek()?;
        loop {
            let window = &self.window[self.start..];
            // At the end of the window a number or a word may go on.
            let is_whole = |length| self.at_end || length < window.len();
            match Value::read(window) {
                Ok(Some((value, length))) if is_whole(length) => {
                    self.start += length;
                    return Ok(take(&value));
                }
                Ok(None) if self.at_end => return Err(self.flaw("EOF while parsing a value")),
                Err(error) if self.at_end || !error.is_eof() => match repair(window) {
                    Some((repaired, length)) if is_whole(length) => match Value::read(&repaired) {
                        Ok(Some((value, _))) => {
                            self.start += length;
                            return Ok(take(&value));
                        }
                        repaired => return Err(self.broken(&repaired.err().unwrap_or(error))),
                    },
                    None if self.at_end || window.len() > Self::LONGEST_REPAIR_BYTES => return Err(self.broken(&error)),
                    _ => {}
                },
                _ => {}
            }
            self.fill()?;
        }
    }

    /// Reads more of the text, as much again as there is of the next value. What is no UTF-8 becomes U+FFFD.
    fn fill(&mut self) -> Flow {
        self.window.drain(..self.start);
        self.offset += self.start as u64;
        self.start = 0;
        if self.window.len() >= Self::LONGEST_VALUE_BYTES {
            let message = format!("a value is longer than {} MiB", Self::LONGEST_VALUE_BYTES >> 20);
            return Err(Error::input(&self.document.name, message).into());
        }
        let most = self.window.len().max(Self::READ_BYTES);
        let read = self.input.by_ref().take(most as u64).read_to_end(&mut self.bytes);
        self.at_end = read.map_err(|error| self.document.io(error))? == 0;
        // The last character may not be whole yet; its first byte says how long it is.
        let bytes = self.bytes.len();
        let last = self.bytes.iter().rev().take(3).position(|&byte| byte >= 0xC0).map_or(0, |behind| behind + 1);
        let is_whole = last == 0 || self.bytes[bytes - last].leading_ones() as usize <= last;
        let read = if is_whole || self.at_end { bytes } else { bytes - last };
        self.window.push_str(&lossy(&self.bytes[..read]));
        self.bytes.drain(..read);
        Ok(())
    }

    /// The text is no JSON where it goes on.
    fn flaw(&self, reason: &str) -> Halt {
        let is_end = reason.starts_with("EOF");
        self.document.broken(self.offset + self.start as u64, (1, usize::from(!is_end)), reason, is_end).into()
    }

    fn broken(&self, error: &serde_json::Error) -> Halt {
        let place = (error.line(), error.column());
        self.document.broken(self.offset + self.start as u64, place, &reason(error), error.is_eof()).into()
    }
}

/// What is wrong, without the place.
pub(super) fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned()
}
