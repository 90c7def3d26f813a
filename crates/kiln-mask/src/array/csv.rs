//! CSV: one line of numbers per row, without a header.

use super::ReadArrayOptions;
use super::shape::{Numbers, Order, mask};
use crate::Mask;
use crate::limit::Reason;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Skips empty lines and comments, such as the header of numpy.savetxt.
    let lines = bytes.split(|byte| *byte == b'\n').enumerate().map(|(index, line)| (index + 1, line.trim_ascii()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    let mut delimiter = None;
    let (mut numbers, mut rows, mut columns) = (Vec::new(), 0_usize, None);
    for (number, line) in lines {
        let delimiter = *delimiter.get_or_insert_with(|| Delimiter::of(line));
        let before = numbers.len();
        delimiter.for_each_field(line, |column, field| {
            if numbers.len() == options.limits.max_cells {
                return Err(options.limits.too_many_numbers());
            }
            let value = parse(field).ok_or_else(|| {
                let field = field[..field.len().min(20)].escape_ascii();
                format!("line {number}, column {column}: invalid number `{field}`; expected numbers without a header")
            })?;
            numbers.push(value);
            Ok(())
        })?;
        let length = numbers.len() - before;
        let expected = *columns.get_or_insert(length);
        if length != expected {
            return Err(format!("line {number}: {length} numbers; expected {expected}, as in the lines before").into());
        }
        rows += 1;
    }
    mask(&[rows, columns.unwrap_or(0)], Order::RowMajor, Numbers::Double(numbers), options)
}

/// Parses a number; empty fields, `null`, `na` and `n/a` are no data.
fn parse(field: &[u8]) -> Option<f64> {
    if let Ok(number) = fast_float2::parse(field) {
        return Some(number);
    }
    let is_missing = [&b""[..], b"null", b"na", b"n/a"].iter().any(|missing| field.eq_ignore_ascii_case(missing));
    is_missing.then_some(f64::NAN)
}

/// The delimiter between numbers.
#[derive(Clone, Copy)]
enum Delimiter {
    Byte(u8),
    /// One or more.
    Spaces,
}

impl Delimiter {
    /// Detects the delimiter of a line: a tab, semicolon or comma, in this order of preference, or else spaces.
    fn of(line: &[u8]) -> Self {
        b"\t;,".iter().find(|sign| line.contains(sign)).map_or(Self::Spaces, |sign| Self::Byte(*sign))
    }

    /// Calls `each` with the fields of a line, counted from 1.
    fn for_each_field(
        self,
        line: &[u8],
        mut each: impl FnMut(usize, &[u8]) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        match self {
            Self::Byte(delimiter) => {
                let fields = line.split(|byte| *byte == delimiter).enumerate();
                fields.map(|(index, field)| (index + 1, field.trim_ascii())).try_for_each(|(at, field)| each(at, field))
            }
            Self::Spaces => {
                let fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty()).enumerate();
                fields.map(|(index, field)| (index + 1, field)).try_for_each(|(at, field)| each(at, field))
            }
        }
    }
}
