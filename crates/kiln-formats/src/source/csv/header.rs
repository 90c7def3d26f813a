//! What the first line says: the delimiter, the names of the columns, and which of them a query needs.

use std::borrow::Cow;
use std::path::Path;

use super::number::any_number;
use super::quotes::Quoting;
use crate::source::Query;
use crate::source::batch::Has;
use crate::source::role::{Need, Role, first_found, position, shown};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;

/// What may part the fields.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file is laid out.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) delimiter: u8,
    /// The names of the columns; where the file has none: `x`, `y`, `weight`, `4`, `5`, …
    pub(super) names: Vec<String>,
    /// Where the first row of points begins, in bytes from the start of the file.
    pub(super) rows_start: usize,
}

impl Layout {
    /// Longest first line, in bytes.
    pub(super) const LONGEST_LINE_BYTES: usize = 1 << 20;

    /// The layout of a file that starts with `head` and `is_whole` if that is all of it; `None`: more of the file is
    /// needed to tell.
    pub(super) fn of(input: &Path, head: &[u8], is_whole: bool) -> Result<Option<Self>> {
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(Error::input(input, "the file is UTF-16: save it as UTF-8"));
        }
        let mut start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let (line, next) = loop {
            let rest = &head[start..];
            let next = match line_end(rest) {
                Some(end) => start + end + 1,
                None if !is_whole => return Ok(None),
                None if rest.trim_ascii().is_empty() => return Err(Error::input(input, "the file is empty")),
                None => head.len(),
            };
            let line = &head[start..next];
            if !line.trim_ascii().is_empty() {
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                break (line.strip_suffix(b"\r").unwrap_or(line), next);
            }
            start = next;
        };
        let delimiter = delimiter_of(line);
        let fields: Vec<&[u8]> = split(line, delimiter).collect();
        let has_names = !(fields.len() >= 2 && fields.iter().all(|field| is_number(field)));
        let names: Vec<String> = if has_names {
            fields.into_iter().map(|field| text_of(field).into_owned()).collect()
        } else {
            let name = |i: usize| ["x", "y", "weight"].get(i).map_or_else(|| (i + 1).to_string(), ToString::to_string);
            (0..fields.len()).map(name).collect()
        };
        if let [name] = &names[..] {
            let message =
                format!("the first line is one column, {}; columns are parted by , ; | or a tab", shown(name));
            return Err(Error::input(input, message));
        }
        Ok(Some(Self { delimiter, names, rows_start: if has_names { next } else { start } }))
    }
}

/// Which columns a query needs, counted from 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) lon: usize,
    pub(super) lat: usize,
    pub(super) weight: Option<usize>,
    pub(super) time: Option<usize>,
    pub(super) category: Option<usize>,
}

impl Wanted {
    /// The columns that `query` needs, by the names it gives or else by their usual names.
    pub(super) fn of(input: &Path, layout: &Layout, query: &Query<'_>) -> Result<Self> {
        let refuse = |message: Message| Error::input(input, message);
        let names = || layout.names.iter().map(String::as_str);
        let find = |role: Role| match role.named(&query.columns.names) {
            Some(name) => match position(name, &layout.names)? {
                None => Err(Message::from(role.unknown("column", name, names()))),
                found => Ok(found),
            },
            None => Ok(first_found(role.usual_names().iter().map(|name| position(name, &layout.names)))?),
        };
        let must = |role: Role| match find(role) {
            Ok(found) => found.ok_or_else(|| refuse(role.unnamed("column", names()))),
            Err(message) => Err(refuse(message)),
        };
        let may = |role: Role| match role.need(query) {
            Need::No => Ok(None),
            Need::IfThere => find(role).map_err(refuse),
            Need::Must => must(role).map(Some),
        };
        Ok(Self {
            lon: must(Role::Lon)?,
            lat: must(Role::Lat)?,
            weight: may(Role::Weight)?,
            time: may(Role::Time)?,
            category: may(Role::Category)?,
        })
    }

    /// What every row has.
    pub(super) fn has(&self) -> Has {
        Has { weight: self.weight.is_some(), time: self.time.is_some(), category: self.category.is_some() }
    }
}

/// The text of a field: without the spaces around it, and without its quotes.
pub(super) fn text_of(field: &[u8]) -> Cow<'_, str> {
    let field = field.trim_ascii();
    let Some(quoted) = field.strip_prefix(b"\"") else { return String::from_utf8_lossy(field) };
    let text = String::from_utf8_lossy(quoted.strip_suffix(b"\"").unwrap_or(quoted));
    if text.contains("\"\"") { Cow::Owned(text.replace("\"\"", "\"")) } else { text }
}

/// Where the first line ends that is not within quotes, whichever the delimiter.
fn line_end(text: &[u8]) -> Option<usize> {
    let (mut quoting, mut previous) = (Quoting::Outside, b'\n');
    text.iter().position(|&byte| {
        let opens = if DELIMITERS.contains(&previous) { b'\n' } else { previous };
        quoting = quoting.after(byte, opens, b'\n');
        previous = byte;
        byte == b'\n' && quoting == Quoting::Outside
    })
}

/// The fields of a line.
fn split(line: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoting, mut previous) = (Quoting::Outside, b'\n');
    line.split(move |&byte| {
        quoting = quoting.after(byte, previous, delimiter);
        previous = byte;
        byte == delimiter && quoting == Quoting::Outside
    })
}

/// The delimiter that parts a line into the most fields.
fn delimiter_of(line: &[u8]) -> u8 {
    // Where there are semicolons, a comma between two digits is a decimal comma.
    let commas_part = !line.contains(&b';')
        || memchr::memchr_iter(b',', line).any(|at| {
            let is_digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
            !(at > 0 && is_digit(at - 1) && is_digit(at + 1))
        });
    let fields = |&delimiter: &u8| {
        let parts = delimiter != b',' || commas_part;
        if parts { split(line, delimiter).count() } else { 0 }
    };
    // The first of equals.
    DELIMITERS.into_iter().rev().max_by_key(fields).unwrap_or(b',')
}

/// Whether a field of the first line is a number (also one with a decimal comma, which its row will be rejected for).
fn is_number(field: &[u8]) -> bool {
    let text = text_of(field).replace(',', ".");
    any_number(text.as_bytes()).is_some_and(f64::is_finite)
}
