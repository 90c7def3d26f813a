//! JSON: a list of rows, each a list of numbers, or of lists of channels.
//!
//! Does not use `serde_json`, because Python's `json.dumps` writes `NaN` and `Infinity`, which are not valid JSON.

use super::shape::{Numbers, Order, by, mask};
use super::{Limits, ReadArrayOptions};
use crate::Mask;
use crate::limit::Reason;

/// Rows, columns and channels.
const MAX_DEPTH: usize = 3;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = Reader { bytes, at: 0, numbers: Vec::new(), shape: Vec::new(), limits: options.limits };
    reader.list(0)?;
    if let Some(byte) = reader.next_byte() {
        return Err(
            format!("byte {}: `{}` follows the end of the list", reader.at, char::from(byte).escape_default()).into()
        );
    }
    let shape: Vec<usize> = reader.shape.iter().map(|side| side.unwrap_or(0)).collect();
    if shape.len() < 2 {
        return Err(format!("a list of {} numbers; expected a list of rows, each a list of numbers", by(&shape)).into());
    }
    mask(&shape, Order::RowMajor, Numbers::Double(reader.numbers), options)
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    numbers: Vec<f64>,
    /// The length of the lists at each depth, once one has ended.
    shape: Vec<Option<usize>>,
    limits: Limits,
}

impl Reader<'_> {
    /// Skips white space, and returns the next byte without consuming it.
    fn next_byte(&mut self) -> Option<u8> {
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        self.bytes.get(self.at).copied()
    }

    /// Reads a list whose first byte is next.
    fn list(&mut self, depth: usize) -> Result<(), Reason> {
        if depth == self.shape.len() {
            self.shape.push(None);
        }
        if self.next_byte() != Some(b'[') {
            return Err(self.unexpected("[, the start of a list"));
        }
        self.at += 1;
        let mut length = 0;
        if self.next_byte() == Some(b']') {
            self.at += 1;
            return self.end(depth, 0);
        }
        loop {
            if self.next_byte() == Some(b'[') {
                if depth + 1 == MAX_DEPTH || self.has_numbers_at(depth) {
                    return Err(format!("byte {}: a list where a number is expected", self.at).into());
                }
                self.list(depth + 1)?;
            } else {
                if depth + 1 < self.shape.len() {
                    return Err(format!("byte {}: a number where a list is expected", self.at).into());
                }
                self.number()?;
            }
            length += 1;
            match self.next_byte() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return self.end(depth, length);
                }
                _ => return Err(self.unexpected(", or ]")),
            }
        }
    }

    /// Whether numbers, and not lists, are in the lists at a depth.
    fn has_numbers_at(&self, depth: usize) -> bool {
        depth + 1 == self.shape.len() && !self.numbers.is_empty()
    }

    fn end(&mut self, depth: usize, length: usize) -> Result<(), Reason> {
        match self.shape[depth] {
            Some(first) if first != length => {
                Err(format!("byte {}: a list of {length} elements; expected {first}, as in the lists before", self.at)
                    .into())
            }
            _ => {
                self.shape[depth] = Some(length);
                Ok(())
            }
        }
    }

    fn number(&mut self) -> Result<(), Reason> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take_while(|byte| !matches!(byte, b',' | b']' | b' ' | b'\t' | b'\r' | b'\n')).count();
        let number = match &rest[..length] {
            b"null" | b"NaN" | b"nan" => f64::NAN,
            b"Infinity" => f64::INFINITY,
            b"-Infinity" => f64::NEG_INFINITY,
            text if text.iter().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(byte)) => {
                fast_float2::parse(text).map_err(|_| self.unexpected("a number or null"))?
            }
            _ => return Err(self.unexpected("a number or null")),
        };
        if self.numbers.len() == self.limits.max_cells {
            return Err(self.limits.too_many_numbers());
        }
        self.at += length;
        self.numbers.push(number);
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> Reason {
        let found = &self.bytes[self.at..self.bytes.len().min(self.at + 20)];
        let message = match found {
            [] => format!("the file ends at byte {}, expected {expected}", self.at),
            found => format!("byte {}: `{}` is not {expected}", self.at, found.escape_ascii()),
        };
        message.into()
    }
}
