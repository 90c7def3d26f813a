//! The first lines of a file: how it is split into records, the names of its columns, and where its rows begin.

use std::borrow::Cow;
use std::cmp::Reverse;

use encoding_rs::WINDOWS_1252;
use memchr::{memchr, memchr_iter};

use super::record::{Dialect, Record};
use super::text::with_line_feeds;
use crate::source::role::shown;
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::source::Quote;

/// The characters that separate fields, the likeliest first; spaces are tried after them.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Records from which the dialect and the names are found.
const SAMPLED_RECORDS: usize = 100;

/// The layout of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) dialect: Dialect,
    pub(super) has_carriage_returns: bool,
    /// The names of the columns; without a header `x`, `y`, `weight`, `4`, `5`, … where the first row is numbers alone, else
    /// `1`, `2`, ….
    pub(super) names: Vec<String>,
    /// Whether the names stand for what columns are by their order.
    pub(super) is_positional: bool,
    /// Where the first row begins, in bytes from the start of the file.
    pub(super) rows_start: usize,
    /// The number of line ends before that.
    pub(super) lines: u64,
    pub(super) notices: Vec<Message>,
}

impl Header {
    /// Longest start of a file that has no whole line.
    pub(super) const LONGEST_BYTES: usize = 1 << 20;

    /// The layout of the file called `name` that starts with `head`, and `is_whole` if that is all of it; `None`: more of the
    /// file is needed.
    pub(super) fn of(name: &str, head: &[u8], is_whole: bool, quote: Option<Quote>) -> Result<Option<Self>> {
        let has_carriage_returns = memchr(b'\n', head).is_none() && memchr(b'\r', head).is_some();
        let mut head = Cow::Borrowed(head);
        if has_carriage_returns {
            with_line_feeds(head.to_mut());
        }
        let mut start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let declared = declared_delimiter(&head[start..]);
        if declared.is_some() {
            start += memchr(b'\n', &head[start..]).map_or(head.len() - start, |end| end + 1);
        }
        let text = &head[start..];
        let quotes = quote != Some(Quote::None);
        let sample = |delimiter| Sample::of(text, is_whole, Dialect { delimiter, quotes, comments: false });
        let first = sample(declared.unwrap_or(b','));
        if first.rows.is_empty() {
            return if is_whole { Err(Error::input(name, "the file is empty")) } else { Ok(None) };
        }
        let one_column = sample(Dialect::ONE_COLUMN);
        let line = String::from_utf8_lossy(one_column.rows.first().map_or(&[][..], |row| row.field(0))).into_owned();
        let found = match declared {
            Some(_) => Some(first),
            None => {
                let separated = DELIMITERS.map(sample).into_iter().filter(Sample::is_separated);
                // The first of equals.
                let best = separated.min_by_key(|sample| (sample.first, Reverse(sample.rows[sample.first].fields.len())));
                best.or_else(|| Some(sample(b' ')).filter(Sample::is_spaced))
                    .or_else(|| Some(one_column).filter(Sample::is_geometries))
            }
        };
        let Some(found) = found else {
            let line = shown(&line);
            let message = format!("the first line is one column, {line}; expected columns separated by , ; | tabs or spaces");
            return Err(Error::input(name, message));
        };
        let mut header = found.into_header(text);
        header.rows_start += start;
        header.lines = memchr_iter(b'\n', &head[..header.rows_start]).count() as u64;
        header.has_carriage_returns = has_carriage_returns;
        Ok(Some(header))
    }
}

/// The delimiter that a first line `sep=;` declares, as Excel writes it.
fn declared_delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    match line {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] => Some(*delimiter),
        _ => None,
    }
}

/// A record of the first lines.
struct Row {
    fields: Vec<Vec<u8>>,
    start: usize,
    end: usize,
    /// The number of fields without an empty one at the end.
    len: usize,
}

impl Row {
    /// A field, empty beyond the last one.
    fn field(&self, column: usize) -> &[u8] {
        self.fields.get(column).map_or(&[], Vec::as_slice)
    }
}

/// What the first row of the sample is.
#[derive(Debug, PartialEq)]
enum FirstRow {
    /// The names of the columns.
    Names,
    /// Names, more likely than not, although there are numbers among them.
    NamesWithNumbers,
    /// A row of points, behind a comment with the names of the columns.
    BehindNames(usize),
    /// Numbers alone.
    Numbers,
    /// A row of points with texts in it.
    Values,
}

/// The first records of a file, split by one delimiter.
struct Sample {
    dialect: Dialect,
    rows: Vec<Row>,
    comments: Vec<Row>,
    /// The row that is the header, or the first one of points.
    first: usize,
    kind: FirstRow,
    /// The number of fields that most rows have.
    columns: usize,
}

impl Sample {
    fn of(text: &[u8], is_whole: bool, dialect: Dialect) -> Self {
        let (mut rows, mut comments) = (Vec::new(), Vec::new());
        let mut record = Record::new(dialect);
        let mut start = 0;
        while rows.len() + comments.len() < SAMPLED_RECORDS && start < text.len() {
            if text[start] == b'\n' {
                start += 1;
                continue;
            }
            let Some(length) = record.read(&text[start..], is_whole) else { break };
            let end = start + length;
            if !record.is_blank() {
                let fields = (0..record.len()).map(|index| record.field(index).trim_ascii().to_vec()).collect();
                let kind = if text[start] == b'#' { &mut comments } else { &mut rows };
                kind.push(Row { fields, start, end, len: record.len_without_trailing() });
            }
            start = end;
        }
        // Without a row, the header is the line that begins with `#`.
        if rows.is_empty() && is_whole {
            std::mem::swap(&mut rows, &mut comments);
            rows.iter_mut().for_each(|row| without_mark(&mut row.fields, dialect));
        }
        let columns = most_frequent(rows.iter().map(|row| row.len));
        let mut sample = Self { dialect, rows, comments, first: 0, kind: FirstRow::Names, columns };
        let has_number = |row: &Row| row.fields.iter().any(|field| is_number(field) && !is_year(field));
        // Lines with fewer fields are a title if a line with names follows.
        if let Some(first) = sample.rows.iter().position(|row| row.len >= columns)
            && !has_number(&sample.rows[first])
        {
            sample.first = first;
        }
        sample.kind = sample.kind_of_first();
        sample
    }

    fn kind_of_first(&self) -> FirstRow {
        let Some((first, following)) = self.rows[self.first.min(self.rows.len())..].split_first() else {
            return FirstRow::Names;
        };
        let numbers = || first.fields.iter().filter(|field| is_number(field));
        let has_numbers = numbers().any(|field| !is_year(field));
        if has_numbers && let Some(comment) = self.comments.iter().position(|comment| self.are_names(comment, first)) {
            return FirstRow::BehindNames(comment);
        }
        if numbers().count() == first.fields.len() && first.fields.len() >= 2 {
            return FirstRow::Numbers;
        }
        let is_geometry = self.dialect.delimiter == Dialect::ONE_COLUMN && is_geometry(first.field(0));
        if is_geometry {
            return FirstRow::Values;
        }
        // A column of numbers under a text has a name. Two numbers over numbers are no names, if they look like values.
        let are_numbers = |column: usize| {
            let mut values = following.iter().map(|row| row.field(column)).filter(|field| !field.is_empty()).peekable();
            values.peek().is_some() && values.all(is_number)
        };
        let (mut values, mut repeats) = (Vec::new(), false);
        for (column, field) in first.fields.iter().enumerate().filter(|(_, field)| !field.is_empty()) {
            match (is_number(field), are_numbers(column)) {
                (true, true) if !is_year(field) => values.push(field),
                (false, true) => return FirstRow::Names,
                (false, false) => repeats |= following.iter().any(|row| row.field(column) == field),
                _ => {}
            }
        }
        let fractions = values.iter().filter(|field| field.contains(&b'.') || field.contains(&b',')).count();
        let repeats = repeats || (1..values.len()).any(|i| values[..i].contains(&values[i]));
        match values.len() {
            0 | 1 => FirstRow::Names,
            _ if fractions >= 2 || repeats => FirstRow::Values,
            _ => FirstRow::NamesWithNumbers,
        }
    }

    /// Whether a comment has the names of the columns of `first`.
    fn are_names(&self, comment: &Row, first: &Row) -> bool {
        let mut fields = comment.fields.clone();
        without_mark(&mut fields, self.dialect);
        let is_name = |(index, field): (usize, &Vec<u8>)| {
            let begins = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || *byte == b'_';
            field.first().is_some_and(begins) || index == 0 && field == b"#"
        };
        comment.start < first.start && fields.len() == first.len && fields.iter().enumerate().all(is_name)
    }

    /// Whether the delimiter separates the fields of most rows.
    fn is_separated(&self) -> bool {
        let Some(first) = self.rows.get(self.first) else { return false };
        let has_digits_around = |pair: &[Vec<u8>]| {
            pair[0].last().is_some_and(u8::is_ascii_digit) && pair[1].first().is_some_and(u8::is_ascii_digit)
        };
        // Where there are other delimiters, a comma between two digits is a decimal comma.
        let are_decimal_commas = || {
            let others = |byte: &u8| DELIMITERS[1..].contains(byte);
            self.dialect.delimiter == b','
                && first.fields.iter().any(|field| field.iter().any(|byte| others(byte)))
                && first.fields.windows(2).all(has_digits_around)
        };
        self.columns >= 2 && first.len >= 2 && !are_decimal_commas()
    }

    /// Whether every row has the same number of words.
    fn is_spaced(&self) -> bool {
        let is_closed = |row: &Row| row.fields.last().is_some_and(|field| field.ends_with(b")"));
        self.columns >= 2
            && self.rows.len() + self.comments.len() >= 2
            && self.rows.iter().all(|row| row.fields.len() == self.columns)
            && !self.rows[1..].iter().any(is_closed)
    }

    /// Whether the rows are one column of geometries or of pairs of coordinates.
    fn is_geometries(&self) -> bool {
        let values = &self.rows[usize::from(self.kind != FirstRow::Values)..];
        !values.is_empty() && values.iter().all(|row| is_geometry(row.field(0)))
    }

    fn into_header(self, text: &[u8]) -> Header {
        let Self { mut dialect, rows, mut comments, first: first_index, kind, columns } = self;
        let first = &rows[first_index];
        let is_before = |comment: &&Row| comment.start < first.start;
        dialect.comments = comments.iter().filter(is_before).count() > usize::from(matches!(kind, FirstRow::BehindNames(_)));
        let line = |row: &Row| memchr_iter(b'\n', &text[..row.start]).count() + 1;
        let mut notices = Vec::new();
        if first_index > 0 {
            let (title, header) = (shown(&String::from_utf8_lossy(rows[0].field(0))), line(first));
            notices.push(format!("the lines before line {header}, {title} and so on, are skipped as a title").into());
        }
        let mut is_positional = false;
        let number = |index: usize| (index + 1).to_string();
        let names: Vec<String> = match kind {
            FirstRow::Numbers => {
                is_positional = true;
                let name = |index| ["x", "y", "weight"].get(index).map_or_else(|| number(index), ToString::to_string);
                (0..first.fields.len()).map(name).collect()
            }
            FirstRow::Values => {
                let row = line(first);
                notices.push(format!("line {row} is a row and no header; columns are named by their numbers, from 1").into());
                (0..columns.max(first.fields.len())).map(number).collect()
            }
            FirstRow::BehindNames(index) => {
                without_mark(&mut comments[index].fields, dialect);
                decode(&comments[index].fields, &mut notices)
            }
            FirstRow::Names => decode(&first.fields, &mut notices),
            FirstRow::NamesWithNumbers => {
                let header = line(first);
                notices.push(format!("line {header} is the header, although there are numbers in it").into());
                decode(&first.fields, &mut notices)
            }
        };
        let is_header = matches!(kind, FirstRow::Names | FirstRow::NamesWithNumbers);
        let rows_start = if is_header { first.end } else { first.start };
        Header { dialect, has_carriage_returns: false, names, is_positional, rows_start, lines: 0, notices }
    }
}

/// The texts of the names; those that are not UTF-8 are taken as Windows-1252.
fn decode(names: &[Vec<u8>], notices: &mut Vec<Message>) -> Vec<String> {
    let decoded: Vec<Cow<'_, str>> = names
        .iter()
        .map(|name| {
            str::from_utf8(name).map_or_else(|_| WINDOWS_1252.decode_without_bom_handling(name).0, Cow::Borrowed)
        })
        .collect();
    if let Some(index) = names.iter().position(|name| str::from_utf8(name).is_err()) {
        let name = shown(&decoded[index]);
        let text = format!("the header is not UTF-8: names such as {name} are read as windows-1252; set another with ");
        notices.push(message!(text, Parameter::ENCODING));
    }
    decoded.into_iter().map(Cow::into_owned).collect()
}

/// Removes the `#` before the first of the names; a name that is nothing else stays, unless spaces separate names.
fn without_mark(names: &mut Vec<Vec<u8>>, dialect: Dialect) {
    let Some(name) = names.first_mut() else { return };
    let rest = name.strip_prefix(b"#").map(<[u8]>::trim_ascii_start);
    match rest {
        Some([]) if dialect.delimiter == b' ' => drop(names.remove(0)),
        Some([]) | None => {}
        Some(rest) => *name = rest.to_vec(),
    }
}

/// Whether a field is a number, also one with a decimal comma.
fn is_number(field: impl AsRef<[u8]>) -> bool {
    let field = field.as_ref();
    let has_digit = field.iter().any(u8::is_ascii_digit);
    let with_point = || field.iter().map(|&byte| if byte == b',' { b'.' } else { byte }).collect::<Vec<_>>();
    has_digit && (fast_float2::parse::<f64, _>(field).is_ok() || fast_float2::parse::<f64, _>(with_point()).is_ok())
}

/// Whether a number may be a year, which names a column more often than other numbers.
fn is_year(field: &[u8]) -> bool {
    field.len() == 4 && matches!(field, [b'1', b'8' | b'9', ..] | [b'2', b'0' | b'1', ..])
}

/// Whether a text looks like a geometry or a pair of coordinates: WKT, GeoJSON, WKB in hexadecimal, `59.3, 18.1`.
fn is_geometry(text: &[u8]) -> bool {
    const POINT_DIGITS: usize = 42;
    let is_hex = text.len() >= POINT_DIGITS && text.iter().all(u8::is_ascii_hexdigit);
    is_hex || text.ends_with(b")") || text.starts_with(b"{") || text.contains(&b',')
}

/// The number that comes most often, the first of equals.
fn most_frequent(counts: impl Iterator<Item = usize> + Clone) -> usize {
    let frequency = |count: usize| counts.clone().filter(|&other| other == count).count();
    counts.clone().min_by_key(|&count| Reverse(frequency(count))).unwrap_or(0)
}
