//! The first lines of a file: how it is split into records, the names of its columns, and where its rows begin.

use std::borrow::Cow;
use std::cmp::Reverse;

use encoding_rs::WINDOWS_1252;
use memchr::{memchr, memchr_iter};

use super::record::{Dialect, Record};
use super::text::with_line_feeds;
use crate::source::role::quoted;
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
    /// The number of fields that most of the first rows have, with an empty one at the end.
    pub(super) usual_fields: usize,
    /// Whether the names stand for what columns are by their order.
    pub(super) is_positional: bool,
    /// Whether commas in numbers are decimal commas.
    pub(super) decimal_comma: bool,
    /// Where the first row begins, in bytes from the start of the file.
    pub(super) rows_start: usize,
    /// The number of line ends before that.
    pub(super) lines: u64,
    pub(super) notices: Vec<Message>,
}

impl Header {
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
        let quotes = quote != Some(Quote::None);
        let sample = |delimiter| Sample::of(&head, start, is_whole, Dialect { delimiter, quotes, comments: false });
        let lines = sample(Dialect::ONE_COLUMN);
        let Some(line) = lines.rows.first().map(|row| quoted(&String::from_utf8_lossy(&row.fields[0]))) else {
            return if is_whole { Err(Error::input(name, "the file is empty")) } else { Ok(None) };
        };
        let found = if let Some(delimiter) = declared {
            Some(sample(delimiter))
        } else {
            let separated = DELIMITERS.map(sample).into_iter().filter(Sample::is_separated);
            // The first of equals.
            let best = separated.min_by_key(|sample| (sample.first, Reverse(sample.rows[sample.first].fields.len())));
            let spaced = || Some(sample(b' ')).filter(Sample::is_spaced);
            best.or_else(spaced).or_else(|| Some(lines).filter(Sample::is_geometries))
        };
        let expected = "expected columns separated by , ; | tabs or spaces";
        let found = found.filter(|sample| !sample.rows.is_empty());
        let found =
            found.ok_or_else(|| Error::input(name, format!("the first line is one column, {line}; {expected}")))?;
        Ok(Some(Self { has_carriage_returns, ..found.into_header(&head) }))
    }
}

/// The delimiter that a first line `sep=;` declares, as Excel writes it.
fn declared_delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (delimiter, declaration) = line.split_last()?;
    declaration.eq_ignore_ascii_case(b"sep=").then_some(*delimiter)
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

    /// Whether these are the names of the columns of `row`.
    fn are_names_of(&self, row: &Row) -> bool {
        let begins = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || b"_#".contains(byte);
        self.fields.len() == row.len && self.fields.iter().all(|field| field.first().is_some_and(begins))
    }
}

/// Where the names of the columns are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    /// In the first row, where numbers make that doubtful or do not.
    First { is_doubtful: bool },
    /// In a comment before the first row.
    Comment(usize),
    /// Nowhere: the first row is numbers alone.
    Positional,
    /// Nowhere: the first row has texts in it.
    Numbered,
}

/// The first records of a file, split by one delimiter.
struct Sample {
    dialect: Dialect,
    rows: Vec<Row>,
    /// Lines that begin with `#`, which their first fields are without.
    comments: Vec<Row>,
    /// The row that is the header, or the first one of points.
    first: usize,
    names: Names,
    /// The number of fields that most rows have.
    columns: usize,
}

impl Sample {
    /// The first records of `head` from `at` on.
    fn of(head: &[u8], mut at: usize, is_whole: bool, dialect: Dialect) -> Self {
        let (mut rows, mut comments, mut record) = (Vec::new(), Vec::new(), Record::new(dialect));
        while rows.len() < SAMPLED_RECORDS && at < head.len() {
            if head[at] == b'\n' {
                at += 1;
                continue;
            }
            let Some(length) = record.read(&head[at..], is_whole) else { break };
            let fields = (0..record.len()).map(|index| record.field(index).trim_ascii().to_vec()).collect();
            let mut row = Row { fields, start: at, end: at + length, len: record.len_without_trailing() };
            at = row.end;
            if record.is_blank() {
                continue;
            }
            if head[row.start] == b'#' {
                match row.fields[0].strip_prefix(b"#").map(<[u8]>::trim_ascii_start) {
                    Some([]) if dialect.delimiter == b' ' => drop(row.fields.remove(0)),
                    // A name may be a mark and nothing else.
                    Some([]) | None => {}
                    Some(name) => row.fields[0] = name.to_vec(),
                }
                comments.push(row);
            } else {
                rows.push(row);
            }
        }
        if rows.is_empty() && is_whole {
            std::mem::swap(&mut rows, &mut comments);
        }
        let columns = most_frequent(&rows, |row| row.len);
        // Lines with fewer fields are a title if a line with names follows.
        let is_number = |field: &Vec<u8>| is_number(field) && !is_year(field);
        let first = rows.iter().position(|row| row.len >= columns).unwrap_or(0);
        let first = if rows.get(first).is_some_and(|row| row.fields.iter().any(is_number)) { 0 } else { first };
        let mut sample = Self { dialect, rows, comments, first, names: Names::Positional, columns };
        sample.names = sample.find_names();
        sample
    }

    fn find_names(&self) -> Names {
        let Some((first, following)) = self.rows.get(self.first..).and_then(<[Row]>::split_first) else {
            return Names::First { is_doubtful: false };
        };
        let is_value = |field: &&Vec<u8>| is_number(field) && !is_year(field);
        let (mut values, mut repeats) = (Vec::new(), false);
        for (column, field) in first.fields.iter().enumerate().filter(|(_, field)| !field.is_empty()) {
            let mut below = following.iter().map(|row| row.field(column)).filter(|field| !field.is_empty()).peekable();
            let are_numbers = below.peek().is_some() && below.all(is_number);
            // A column of numbers under a text has a name; a text with digits may be a code.
            if are_numbers && !field.iter().any(u8::is_ascii_digit) {
                return Names::First { is_doubtful: false };
            }
            values.extend(Some(field).filter(is_value).filter(|_| are_numbers));
            repeats |= !is_number(field) && following.iter().any(|row| row.field(column) == field);
        }
        let comment =
            self.comments.iter().position(|comment| comment.start < first.start && comment.are_names_of(first));
        if let (Some(comment), true) = (comment, first.fields.iter().any(|field| is_value(&field))) {
            return Names::Comment(comment);
        }
        if first.fields.len() >= 2 && first.fields.iter().all(|field| is_number(field)) {
            return Names::Positional;
        }
        // Two numbers over numbers are no names if they look like values.
        let fractions = values.iter().filter(|field| field.contains(&b'.') || field.contains(&b',')).count();
        repeats |= (1..values.len()).any(|i| values[..i].contains(&values[i]));
        let is_geometry = self.dialect.delimiter == Dialect::ONE_COLUMN && is_geometry(first.field(0));
        if is_geometry || values.len() >= 2 && (fractions >= 2 || repeats) {
            return Names::Numbered;
        }
        Names::First { is_doubtful: values.len() >= 2 }
    }

    /// Whether the delimiter is in the header and in at least half of the rows.
    fn is_separated(&self) -> bool {
        let Some(first) = self.rows.get(self.first) else { return false };
        // Where there are other delimiters, a comma between two digits is a decimal comma.
        let has_digits_around = |pair: &[Vec<u8>]| {
            pair[0].last().is_some_and(u8::is_ascii_digit) && pair[1].first().is_some_and(u8::is_ascii_digit)
        };
        let are_decimal_commas = self.dialect.delimiter == b','
            && first.fields.iter().flatten().any(|byte| DELIMITERS[1..].contains(byte))
            && first.fields.windows(2).all(has_digits_around);
        let separated = self.rows.iter().filter(|row| row.fields.len() >= 2).count();
        first.fields.len() >= 2 && 2 * separated >= self.rows.len() && !are_decimal_commas
    }

    /// Whether every row has the same number of words, and not because they are geometries.
    fn is_spaced(&self) -> bool {
        let is_closed = |row: &Row| row.fields.last().is_some_and(|field| field.ends_with(b")"));
        self.columns >= 2
            && self.rows.len() + self.comments.len() >= 2
            && self.rows.iter().all(|row| row.fields.len() == self.columns)
            && !self.rows[1..].iter().any(is_closed)
    }

    /// Whether the rows are one column of geometries or of pairs of coordinates.
    fn is_geometries(&self) -> bool {
        let values = &self.rows[usize::from(self.names != Names::Numbered)..];
        !values.is_empty() && values.iter().all(|row| is_geometry(row.field(0)))
    }

    fn into_header(self, head: &[u8]) -> Header {
        let Self { mut dialect, rows, comments, first: title_rows, names, columns } = self;
        let first = &rows[title_rows];
        let lines = |end: usize| memchr_iter(b'\n', &head[..end]).count() as u64;
        let line = lines(first.start) + 1;
        let mut notices = Vec::new();
        if title_rows > 0 {
            let title = quoted(&String::from_utf8_lossy(rows[0].field(0)));
            notices.push(format!("the lines before line {line}, {title} and so on, are skipped as a title").into());
        }
        match names {
            Names::Numbered => notices
                .push(format!("line {line} is a row and no header; columns are named by their numbers, from 1").into()),
            Names::First { is_doubtful: true } => {
                notices.push(format!("line {line} is the header, although there are numbers in it").into());
            }
            _ => {}
        }
        let is_positional = names == Names::Positional;
        let number = |index: usize| match ["x", "y", "weight"].get(index) {
            Some(name) if is_positional => (*name).to_owned(),
            _ => (index + 1).to_string(),
        };
        let (texts, rows_start) = match names {
            Names::First { .. } => (Some(&first.fields), first.end),
            Names::Comment(index) => (Some(&comments[index].fields), first.start),
            Names::Positional | Names::Numbered => (None, first.start),
        };
        let names = match texts {
            Some(texts) => texts.iter().map(|text| decode(text, &mut notices)).collect(),
            None => (0..first.fields.len().max(columns)).map(number).collect(),
        };
        let before = comments.iter().filter(|comment| comment.start < first.start).count();
        dialect.comments = before > usize::from(texts.is_some() && rows_start == first.start);
        let usual_fields = most_frequent(&rows, |row| row.fields.len());
        let lines = lines(rows_start);
        let has_decimals = |mark| rows.iter().flat_map(|row| &row.fields).any(|field| is_decimal(field, mark));
        let decimal_comma = dialect.delimiter != b',' && has_decimals(b',') && !has_decimals(b'.');
        let has_carriage_returns = false;
        Header {
            dialect,
            has_carriage_returns,
            names,
            usual_fields,
            is_positional,
            decimal_comma,
            rows_start,
            lines,
            notices,
        }
    }
}

/// The number that most rows have, the first of equals.
fn most_frequent(rows: &[Row], number: impl Fn(&Row) -> usize) -> usize {
    let frequency = |row: &Row| rows.iter().filter(|other| number(other) == number(row)).count();
    rows.iter().min_by_key(|row| Reverse(frequency(row))).map_or(0, number)
}

/// The text of a name; one that is not UTF-8 is read as Windows-1252, and one notice says so.
fn decode(name: &[u8], notices: &mut Vec<Message>) -> String {
    if let Ok(name) = str::from_utf8(name) {
        return name.to_owned();
    }
    let name = WINDOWS_1252.decode_without_bom_handling(name).0.into_owned();
    if !notices.iter().flat_map(Message::parameters).any(|parameter| parameter == Parameter::ENCODING) {
        let text = format!("names such as {} are not UTF-8 and read as windows-1252; set another with ", quoted(&name));
        notices.push(message!(text, Parameter::ENCODING));
    }
    name
}

/// Whether a field is digits on both sides of `mark`.
fn is_decimal(field: &[u8], mark: u8) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    let mut parts = digits.split(|&byte| byte == mark);
    let is_digits =
        |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    is_digits(parts.next()) && is_digits(parts.next()) && parts.next().is_none()
}

/// Whether a field is a number, also one with a decimal comma.
fn is_number(field: &[u8]) -> bool {
    let is_float = |text: &[u8]| fast_float2::parse::<f64, _>(text).is_ok();
    let with_point = || field.iter().map(|&byte| if byte == b',' { b'.' } else { byte }).collect::<Vec<_>>();
    // `nan` and `inf` are names.
    field.iter().any(u8::is_ascii_digit) && (is_float(field) || is_float(&with_point()))
}

/// Whether a number may be a year, which names a column more often than other numbers.
fn is_year(field: &[u8]) -> bool {
    field.len() == 4
        && field.iter().all(u8::is_ascii_digit)
        && matches!(field, [b'1', b'8' | b'9', ..] | [b'2', b'0' | b'1', ..])
}

/// Whether a text looks like a geometry or a pair of coordinates: WKT, GeoJSON, WKB in hexadecimal, `59.3, 18.1`.
fn is_geometry(text: &[u8]) -> bool {
    const POINT_DIGITS: usize = 42;
    let is_hex = text.len() >= POINT_DIGITS && text.iter().all(u8::is_ascii_hexdigit);
    is_hex || text.ends_with(b")") || text.starts_with(b"{") || text.contains(&b',')
}
