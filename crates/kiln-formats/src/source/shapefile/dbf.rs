//! The records of a `.dbf` file.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use encoding_rs::{Encoding, WINDOWS_1252};

use crate::source::read_error;
use crate::source::table::Request;
use crate::source::values::Value;
use kiln_core::error::{Error, Result};

/// A `.dbf` file.
#[derive(Debug)]
pub(super) struct Dbf {
    path: PathBuf,
    encoding: Option<&'static Encoding>,
    columns: Vec<Column>,
    first_record: u64,
    record_bytes: usize,
    records: u64,
}

#[derive(Debug)]
struct Column {
    name: String,
    field_type: FieldType,
    /// The offset of its values in a record.
    start: usize,
    bytes: usize,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FieldType {
    Text,
    Number,
    Date,
    Logical,
    /// A 32-bit integer.
    Integer,
}

impl FieldType {
    /// The type of a letter; `None` if it is not supported.
    fn from_letter(letter: u8) -> Option<Self> {
        match letter {
            b'C' => Some(Self::Text),
            b'N' | b'F' => Some(Self::Number),
            b'D' => Some(Self::Date),
            b'L' => Some(Self::Logical),
            b'I' | b'+' => Some(Self::Integer),
            _ => None,
        }
    }
}

impl Dbf {
    const HEADER_BYTES: usize = 32;
    const END_OF_COLUMNS: u8 = 0x0D;

    /// Opens the file at `path`. Texts are in `encoding`, else in that of the file's language driver.
    pub(super) fn open(path: PathBuf, encoding: Option<&'static Encoding>) -> Result<Self> {
        let failed = |error| Error::io(&path, "read", error);
        let file = File::open(&path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let mut head = Vec::new();
        // The size of the header is a 16-bit number.
        file.take(1 << 16).read_to_end(&mut head).map_err(failed)?;
        let damaged = || Error::input(&path, "the header is invalid; is the file damaged?");
        let number = |offset| head.get(offset..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes));
        let count = head.get(4..).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
        let (Some(count), Some(first_record), Some(record_bytes)) = (count, number(8), number(10)) else {
            return Err(damaged());
        };
        let encoding = encoding.or_else(|| encoding_of_driver(*head.get(29)?));
        let descriptions = head.get(Self::HEADER_BYTES..first_record.into()).ok_or_else(damaged)?;
        let mut columns = Vec::new();
        // The first byte of a record is the deletion flag.
        let mut start = 1;
        for description in descriptions.as_chunks::<32>().0 {
            if description[0] == Self::END_OF_COLUMNS {
                break;
            }
            let name = description[..11].split(|&byte| byte == 0).next().unwrap_or_default();
            let (letter, bytes) = (description[11], description[16].into());
            if let Some(field_type) = FieldType::from_letter(letter) {
                columns.push(Column { name: text(name, encoding), field_type, start, bytes });
            }
            start += bytes;
        }
        let record_bytes = usize::from(record_bytes);
        if start > record_bytes {
            return Err(damaged());
        }
        let complete = file_bytes.saturating_sub(first_record.into()) / record_bytes as u64;
        let records = complete.min(count.into());
        Ok(Self { encoding, columns, first_record: first_record.into(), record_bytes, records, path })
    }

    /// The names of the columns, and whether they are numeric.
    pub(super) fn columns(&self) -> impl Iterator<Item = (&str, bool)> {
        self.columns
            .iter()
            .map(|column| (&*column.name, matches!(column.field_type, FieldType::Number | FieldType::Integer)))
    }
}

/// Reads the records of a file one by one.
pub(super) struct Records<'d> {
    dbf: &'d Dbf,
    source: BufReader<File>,
    remaining: u64,
    record: Vec<u8>,
    /// The requested columns, with their values in the current record.
    values: Vec<(Option<&'d Column>, String)>,
}

impl<'d> Records<'d> {
    const BUFFER_BYTES: usize = 1 << 18;
    const DELETED: u8 = b'*';

    /// Opens the file of `dbf`. `first` is the index of its first column in the schema of the table.
    pub(super) fn open(dbf: &'d Dbf, request: &Request<'_>, first: usize) -> Result<Self> {
        let mut file = File::open(&dbf.path).map_err(|error| Error::io(&dbf.path, "read", error))?;
        file.seek(SeekFrom::Start(dbf.first_record)).map_err(|error| Error::io(&dbf.path, "read", error))?;
        let column = |index: Option<usize>| dbf.columns.get(index?.checked_sub(first)?);
        let values = request.columns.iter().map(|requested| (column(requested.index), String::new())).collect();
        let source = BufReader::with_capacity(Self::BUFFER_BYTES, file);
        Ok(Self { dbf, source, remaining: dbf.records, record: vec![0; dbf.record_bytes], values })
    }

    /// Reads the next record and returns whether it is deleted. After the last record, records are empty.
    pub(super) fn next(&mut self) -> Result<bool> {
        self.values.iter_mut().for_each(|(_, value)| value.clear());
        if self.remaining == 0 {
            return Ok(false);
        }
        self.remaining -= 1;
        let result = self.source.read_exact(&mut self.record);
        result.map_err(|error| read_error(&self.dbf.path.to_string_lossy(), error))?;
        for (column, value) in &mut self.values {
            if let Some(column) = column
                && let Some(bytes) = self.record.get(column.start..column.start + column.bytes)
            {
                column.write(bytes, self.dbf.encoding, value);
            }
        }
        Ok(self.record.first() == Some(&Self::DELETED))
    }

    /// The value of the requested column at `index`.
    pub(super) fn get(&self, index: usize) -> Value<'_> {
        self.values.get(index).map_or(Value::Null, |(_, value)| Value::Text(value))
    }
}

impl Column {
    /// Appends a value as text to `value`; nothing if it is missing.
    fn write(&self, bytes: &[u8], encoding: Option<&'static Encoding>, value: &mut String) {
        let trimmed = bytes.trim_ascii();
        match (self.field_type, trimmed) {
            (FieldType::Integer, _) => {
                value.extend(bytes.first_chunk().map(|bytes| i32::from_le_bytes(*bytes).to_string()));
            }
            (FieldType::Logical, [b'T' | b't' | b'Y' | b'y']) => value.push_str("true"),
            (FieldType::Logical, [b'F' | b'f' | b'N' | b'n']) => value.push_str("false"),
            // Asterisks mean that a number exceeds the width of the column; zeros mean a missing date.
            (FieldType::Logical, _)
            | (FieldType::Number, [b'*', ..])
            | (FieldType::Date, [b'0', b'0', b'0', b'0', ..]) => {}
            (FieldType::Date, [year @ .., m1, m2, d1, d2]) if trimmed.len() == 8 && trimmed.is_ascii() => {
                value.extend(year.iter().chain([b'-', *m1, *m2, b'-', *d1, *d2].iter()).map(|&byte| char::from(byte)));
            }
            (FieldType::Text | FieldType::Number | FieldType::Date, _) => value.push_str(&text(trimmed, encoding)),
        }
    }
}

/// Decodes a text from `encoding`; without one, from UTF-8 if it is valid, else from Windows-1252.
fn text(bytes: &[u8], encoding: Option<&'static Encoding>) -> String {
    let bytes = bytes.split(|&byte| byte == 0).next().unwrap_or_default().trim_ascii_end();
    match (encoding, str::from_utf8(bytes)) {
        (None, Ok(text)) => text.to_owned(),
        (encoding, _) => encoding.unwrap_or(WINDOWS_1252).decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The encoding of a label in a `.cpg` file: a WHATWG label, or the number of a code page or an ISO 8859 part.
pub(super) fn encoding_of_label(label: &str) -> Option<&'static Encoding> {
    let label = label.trim().trim_start_matches('\u{FEFF}').to_ascii_lowercase().replace(['_', ' '], "-");
    let number = label.trim_start_matches(|first: char| !first.is_ascii_digit());
    let code_page = || match number {
        "65001" => Some("utf-8".to_owned()),
        "932" => Some("shift_jis".to_owned()),
        "936" => Some("gbk".to_owned()),
        "949" => Some("euc-kr".to_owned()),
        "950" => Some("big5".to_owned()),
        "866" => Some("ibm866".to_owned()),
        "874" => Some("windows-874".to_owned()),
        _ => match number.strip_prefix("8859") {
            Some(part) => Some(format!("iso-8859-{}", part.trim_start_matches('-'))),
            None => number.starts_with("125").then(|| format!("windows-{number}")),
        },
    };
    Encoding::for_label(label.as_bytes()).or_else(|| Encoding::for_label(code_page()?.as_bytes()))
}

/// The encoding of a language driver ID.
fn encoding_of_driver(driver: u8) -> Option<&'static Encoding> {
    let label = match driver {
        0x03 | 0x57 | 0x58 | 0x59 => "1252",
        0x13 | 0x7B => "932",
        0x26 | 0x65 => "866",
        0x4D | 0x7A => "936",
        0x4E | 0x79 => "949",
        0x4F | 0x78 => "950",
        0x50 | 0x7C => "874",
        0x7D => "1255",
        0x7E => "1256",
        0xC8 => "1250",
        0xC9 => "1251",
        0xCA => "1254",
        0xCB => "1253",
        _ => return None,
    };
    encoding_of_label(label)
}
