//! The first lines of a file: detection of the dialect, the column names and the start of the rows.

use std::borrow::Cow;
use std::cmp::Reverse;

use encoding_rs::WINDOWS_1252;
use memchr::{memchr, memchr_iter};

use super::record::{Dialect, Record};
use super::text::replace_carriage_returns;
use crate::source::role::{Role, quoted};
use kiln_core::error::{Error, Result};
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::source::Quote;

/// The delimiters to try, the most likely first. Spaces are tried last.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The number of records that the dialect and the names are detected from.
const SAMPLED_RECORDS: usize = 100;

/// The layout of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) dialect: Dialect,
    pub(super) has_carriage_returns: bool,
    /// The names of the columns. Without a header: `x`, `y`, `weight`, `4`, `5`, … if the first row has only numbers,
    /// otherwise `1`, `2`, ….
    pub(super) names: Vec<String>,
    /// The most frequent number of fields in the first rows, including an empty one at the end.
    pub(super) usual_fields: usize,
    /// Whether the columns are identified by their position.
    pub(super) is_positional: bool,
    /// Whether commas in numbers are decimal commas.
    pub(super) decimal_comma: bool,
    /// The byte offset of the first row in the file.
    pub(super) rows_start: usize,
    /// The number of line ends before the first row.
    pub(super) lines: u64,
    pub(super) notices: Vec<Message>,
}

impl Header {
    /// Detects the layout of a file that starts with `head`. `is_complete`: `head` is the whole file; otherwise the
    /// result is `None` if more of the file is needed. `name` is the input name for messages.
    ///
    /// # Errors
    /// [`Error::Input`] if the file is empty or has no recognizable columns.
    pub(super) fn of(name: &str, head: &[u8], is_complete: bool, quote: Option<Quote>) -> Result<Option<Self>> {
        let has_carriage_returns = memchr(b'\n', head).is_none() && memchr(b'\r', head).is_some();
        let mut head = Cow::Borrowed(head);
        if has_carriage_returns {
            replace_carriage_returns(head.to_mut());
        }
        let mut start = if head.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let declared = declared_delimiter(&head[start..]);
        if declared.is_some() {
            start += memchr(b'\n', &head[start..]).map_or(head.len() - start, |end| end + 1);
        }
        let quotes = quote != Some(Quote::None);
        let sample = |delimiter| Sample::of(&head, start, is_complete, Dialect { delimiter, quotes, comments: false });
        let lines = sample(Dialect::ONE_COLUMN);
        let Some(line) = lines.rows.first().map(|row| quoted(&String::from_utf8_lossy(&row.fields[0]))) else {
            return if is_complete { Err(Error::input(name, "the input is empty")) } else { Ok(None) };
        };
        let found = if let Some(delimiter) = declared {
            Some(sample(delimiter))
        } else {
            let separated = DELIMITERS.map(sample).into_iter().filter(Sample::is_separated);
            // In a tie, the first delimiter.
            let best = separated.min_by_key(|sample| (sample.first, Reverse(sample.rows[sample.first].fields.len())));
            let spaced = || Some(sample(b' ')).filter(Sample::is_spaced);
            best.or_else(spaced).or_else(|| Some(lines).filter(Sample::is_only_column))
        };
        let expected = "expected columns separated by , ; | tabs or spaces";
        let found = found.filter(|sample| !sample.rows.is_empty());
        let found = found
            .ok_or_else(|| Error::input(name, format!("the first line has only one column, {line}; {expected}")))?;
        Ok(Some(Self { has_carriage_returns, ..found.into_header(&head) }))
    }
}

/// The delimiter declared in a first line such as `sep=;`, which Excel writes.
fn declared_delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let (delimiter, declaration) = line.split_last()?;
    declaration.eq_ignore_ascii_case(b"sep=").then_some(*delimiter)
}

/// A record of the sample.
struct Row {
    fields: Vec<Vec<u8>>,
    start: usize,
    end: usize,
    /// The number of fields, excluding an empty one at the end.
    len: usize,
}

impl Row {
    /// A field; empty if the row is shorter.
    fn field(&self, column: usize) -> &[u8] {
        self.fields.get(column).map_or(&[], Vec::as_slice)
    }

    /// Whether the fields look like the names of the columns of `row`.
    fn are_names_of(&self, row: &Row) -> bool {
        let starts_name = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii() || b"_#".contains(byte);
        self.fields.len() == row.len && self.fields.iter().all(|field| field.first().is_some_and(starts_name))
    }
}

/// The location of the column names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Names {
    /// In the first row. Doubtful if the row contains numbers.
    First { is_doubtful: bool },
    /// In a comment before the first row.
    Comment(usize),
    /// None: the first row has only numbers.
    Positional,
    /// None: the first row has values, some of them strings.
    Numbered,
}

/// The first records of a file, split with one delimiter.
struct Sample {
    dialect: Dialect,
    rows: Vec<Row>,
    /// Lines that begin with `#`, which is removed from the first field.
    comments: Vec<Row>,
    /// The index of the header, or of the first row without one.
    first: usize,
    names: Names,
    /// The most frequent number of fields.
    columns: usize,
}

impl Sample {
    /// Reads the first records of `head`, starting at `at`.
    fn of(head: &[u8], mut at: usize, is_complete: bool, dialect: Dialect) -> Self {
        let (mut rows, mut comments, mut record) = (Vec::new(), Vec::new(), Record::new(dialect));
        while rows.len() < SAMPLED_RECORDS && at < head.len() {
            if head[at] == b'\n' {
                at += 1;
                continue;
            }
            let Some(length) = record.read(&head[at..], is_complete) else { break };
            let fields = (0..record.len()).map(|index| record.field(index).trim_ascii().to_vec()).collect();
            let mut row = Row { fields, start: at, end: at + length, len: record.len_without_trailing() };
            at = row.end;
            if record.is_blank() {
                continue;
            }
            if head[row.start] == b'#' {
                match row.fields[0].strip_prefix(b"#").map(<[u8]>::trim_ascii_start) {
                    Some([]) if dialect.delimiter == b' ' => drop(row.fields.remove(0)),
                    // A column may be called `#`.
                    Some([]) | None => {}
                    Some(name) => row.fields[0] = name.to_vec(),
                }
                comments.push(row);
            } else {
                rows.push(row);
            }
        }
        if rows.is_empty() && is_complete {
            std::mem::swap(&mut rows, &mut comments);
        }
        let columns = most_frequent(&rows, |row| row.len);
        // Lines with fewer fields before a line of names are a title.
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
            // A string above a column of numbers is its name, unless it has digits and may be a code.
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
        // Numbers above numbers are values, not names, if at least two have fractions or repeat.
        let fractions = values.iter().filter(|field| field.contains(&b'.') || field.contains(&b',')).count();
        repeats |= (1..values.len()).any(|i| values[..i].contains(&values[i]));
        let is_geometry = self.dialect.delimiter == Dialect::ONE_COLUMN && is_geometry(first.field(0));
        if is_geometry || values.len() >= 2 && (fractions >= 2 || repeats) {
            return Names::Numbered;
        }
        Names::First { is_doubtful: values.len() >= 2 }
    }

    /// Whether the header and at least half of the rows contain the delimiter.
    fn is_separated(&self) -> bool {
        let Some(first) = self.rows.get(self.first) else { return false };
        // If there are other delimiters, commas between digits are decimal commas.
        let has_digits_around = |pair: &[Vec<u8>]| {
            pair[0].last().is_some_and(u8::is_ascii_digit) && pair[1].first().is_some_and(u8::is_ascii_digit)
        };
        let are_decimal_commas = self.dialect.delimiter == b','
            && first.fields.iter().flatten().any(|byte| DELIMITERS[1..].contains(byte))
            && first.fields.windows(2).all(has_digits_around);
        let separated = self.rows.iter().filter(|row| row.fields.len() >= 2).count();
        first.fields.len() >= 2 && 2 * separated >= self.rows.len() && !are_decimal_commas
    }

    /// Whether all rows have the same number of words and are not geometries.
    fn is_spaced(&self) -> bool {
        let is_closed = |row: &Row| row.fields.last().is_some_and(|field| field.ends_with(b")"));
        self.columns >= 2
            && self.rows.len() + self.comments.len() >= 2
            && self.rows.iter().all(|row| row.fields.len() == self.columns)
            && !self.rows[1..].iter().any(is_closed)
    }

    /// Whether the rows are a single column of geometries or of times, of which other columns are not needed.
    fn is_only_column(&self) -> bool {
        self.is_geometry_column() || self.is_time_column()
    }

    /// Whether the rows are a name and a single column of times: the name is a usual one, or all values look like dates.
    fn is_time_column(&self) -> bool {
        let Some((name, values)) = self.rows.split_first() else { return false };
        let is_usual = |usual: &&str| name.field(0).eq_ignore_ascii_case(usual.as_bytes());
        let is_named = Role::Time.usual_names().iter().any(is_usual);
        let are_dates = || !values.is_empty() && values.iter().all(|row| is_date(row.field(0)));
        is_named || !is_date(name.field(0)) && are_dates()
    }

    /// Whether the rows are a single column of geometries or coordinate pairs.
    fn is_geometry_column(&self) -> bool {
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
            notices.push(format!("the lines before line {line}, starting with {title}, are skipped as a title").into());
        }
        match names {
            Names::Numbered => notices
                .push(format!("line {line} is a row, not a header; columns are named by their numbers, from 1").into()),
            Names::First { is_doubtful: true } => {
                notices.push(format!("line {line} is read as the header, although it contains numbers").into());
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

/// The most frequent value of `number`; in a tie, the first.
fn most_frequent(rows: &[Row], number: impl Fn(&Row) -> usize) -> usize {
    let frequency = |row: &Row| rows.iter().filter(|other| number(other) == number(row)).count();
    rows.iter().min_by_key(|row| Reverse(frequency(row))).map_or(0, number)
}

/// Decodes a column name. One that is not UTF-8 is read as Windows-1252, with one notice for all.
fn decode(name: &[u8], notices: &mut Vec<Message>) -> String {
    if let Ok(name) = str::from_utf8(name) {
        return name.to_owned();
    }
    let name = WINDOWS_1252.decode_without_bom_handling(name).0.into_owned();
    if !notices.iter().flat_map(Message::parameters).any(|parameter| parameter == Parameter::ENCODING) {
        let text = format!(
            "column names such as {} are not UTF-8 and are read as windows-1252; set another encoding with ",
            quoted(&name)
        );
        notices.push(message!(text, Parameter::ENCODING));
    }
    name
}

/// Whether a field is a number with digits on both sides of the decimal separator `mark`.
fn is_decimal(field: &[u8], mark: u8) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    let mut parts = digits.split(|&byte| byte == mark);
    let is_digits =
        |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    is_digits(parts.next()) && is_digits(parts.next()) && parts.next().is_none()
}

/// Whether a field is a number, possibly with a decimal comma.
fn is_number(field: &[u8]) -> bool {
    let is_float = |text: &[u8]| fast_float2::parse::<f64, _>(text).is_ok();
    let with_point = || field.iter().map(|&byte| if byte == b',' { b'.' } else { byte }).collect::<Vec<_>>();
    // Without a digit, `nan` and `inf` are names.
    field.iter().any(u8::is_ascii_digit) && (is_float(field) || is_float(&with_point()))
}

/// Whether a number may be a year, 1800 to 2199, which is often a column name.
fn is_year(field: &[u8]) -> bool {
    field.len() == 4
        && field.iter().all(u8::is_ascii_digit)
        && matches!(field, [b'1', b'8' | b'9', ..] | [b'2', b'0' | b'1', ..])
}

/// Whether a field looks like a date, with or without a time: digits with separators.
fn is_date(text: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_digit() || b"-/:.+TZ ".contains(byte);
    text.first().is_some_and(u8::is_ascii_digit)
        && text.iter().all(is_part)
        && text.iter().filter(|byte| b"-/:".contains(byte)).count() >= 2
}

/// Whether a field looks like a geometry or a coordinate pair: WKT, GeoJSON, hexadecimal WKB, `59.3, 18.1`.
fn is_geometry(text: &[u8]) -> bool {
    const WKB_POINT_DIGITS: usize = 42;
    let is_hex = text.len() >= WKB_POINT_DIGITS && text.iter().all(u8::is_ascii_hexdigit);
    is_hex || text.ends_with(b")") || text.starts_with(b"{") || text.contains(&b',')
}
