//! NumPy's `.npy`: a header in the syntax of a Python dictionary, followed by the array in its memory layout.
//!
//! Format: numpy.lib.format, versions 1.0 to 3.0. The header has only three keys; the crate `npyz` would add 14 dependencies to
//! parse it.

use half::f16;

use super::ReadArrayOptions;
use super::shape::{Numbers, Order, by, mask, sides};
use crate::Mask;
use crate::limit::Reason;

const MAGIC: &[u8] = b"\x93NUMPY";
/// The maximum size of a header in bytes: the limit of NumPy for untrusted files.
const MAX_HEADER_BYTES: usize = 10_000;
/// The maximum number of dimensions in NumPy.
const MAX_DIMENSIONS: usize = 64;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let (header, data) = split(bytes)?;
    let header = Header::parse(header)?;
    let element = Element::parse(&header.descr)?;
    sides(&header.shape, options.channels_first)?;
    let cells = options.limits.cells(&header.shape)?;
    let needed = cells.checked_mul(element.size());
    let data = needed.and_then(|needed| data.get(..needed)).ok_or_else(|| {
        format!(
            "truncated file: the header declares {} numbers of {} bytes, but only {} bytes follow",
            by(&header.shape),
            element.size(),
            data.len()
        )
    })?;
    mask(&header.shape, header.order, element.numbers(data), options)
}

/// Splits a file into the header and the data.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("not an .npy file: it does not start with \\x93NUMPY")?;
    let [major, _minor, rest @ ..] = rest else { return Err(truncated("version")) };
    let (length, rest) = match (major, rest) {
        (1, [a, b, rest @ ..]) => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        (2 | 3, [a, b, c, d, rest @ ..]) => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        (1..=3, _) => return Err(truncated("length of the header")),
        _ => return Err(format!("unsupported version {major} of the .npy format; expected 1 to 3")),
    };
    if length > MAX_HEADER_BYTES {
        return Err(format!("its header of {length} bytes exceeds the limit of {MAX_HEADER_BYTES}"));
    }
    rest.split_at_checked(length).ok_or_else(|| truncated("header"))
}

fn truncated(part: &str) -> String {
    format!("truncated file: it ends within the {part}")
}

struct Header {
    descr: String,
    order: Order,
    shape: Vec<usize>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "its header is not text".to_owned())?;
        let mut scanner = Scanner { text: text.trim() };
        let (mut descr, mut order, mut shape) = (None, None, None);
        scanner.expect('{')?;
        while !scanner.take('}') {
            let key = scanner.string()?;
            scanner.expect(':')?;
            match key {
                "descr" if scanner.starts_with('[') => {
                    return Err(
                        "a structured array has several values a cell; save one field: array['field']".to_owned()
                    );
                }
                "descr" => descr = Some(scanner.string()?.to_owned()),
                "fortran_order" => {
                    order = Some(if scanner.word("True") {
                        Order::ColumnMajor
                    } else if scanner.word("False") {
                        Order::RowMajor
                    } else {
                        return Err(scanner.unexpected("True or False"));
                    });
                }
                "shape" => shape = Some(scanner.tuple()?),
                _ => return Err(format!("its header has the unknown key `{}`", shorten(key))),
            }
            if !scanner.take(',') && !scanner.starts_with('}') {
                return Err(scanner.unexpected("a comma or }"));
            }
        }
        let missing = |key: &str| format!("its header has no `{key}`");
        Ok(Self {
            descr: descr.ok_or_else(|| missing("descr"))?,
            order: order.ok_or_else(|| missing("fortran_order"))?,
            shape: shape.ok_or_else(|| missing("shape"))?,
        })
    }
}

/// A scanner of the rest of a header.
struct Scanner<'t> {
    text: &'t str,
}

impl<'t> Scanner<'t> {
    fn starts_with(&mut self, sign: char) -> bool {
        self.text = self.text.trim_start();
        self.text.starts_with(sign)
    }

    fn take(&mut self, sign: char) -> bool {
        let is_there = self.starts_with(sign);
        if is_there {
            self.text = &self.text[sign.len_utf8()..];
        }
        is_there
    }

    fn word(&mut self, word: &str) -> bool {
        self.text = self.text.trim_start();
        let rest = self.text.strip_prefix(word);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&sign.to_string())) }
    }

    fn unexpected(&self, expected: &str) -> String {
        format!("its header is invalid at `{}`: expected {expected}", shorten(self.text))
    }

    fn string(&mut self) -> Result<&'t str, String> {
        self.text = self.text.trim_start();
        let quote = self.text.chars().next().filter(|sign| matches!(sign, '\'' | '"'));
        let parts = quote.and_then(|quote| self.text[1..].split_once(quote));
        let (string, rest) = parts.ok_or_else(|| self.unexpected("a string"))?;
        self.text = rest;
        Ok(string)
    }

    fn tuple(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut sides = Vec::new();
        while !self.take(')') {
            self.text = self.text.trim_start();
            let digits = self.text.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.text.split_at(digits);
            if number.is_empty() || sides.len() == MAX_DIMENSIONS {
                return Err(self.unexpected("a nonnegative integer, in at most 64 dimensions"));
            }
            // The suffix of Python 2's long integers.
            self.text = rest.strip_prefix('L').unwrap_or(rest);
            sides.push(number.parse().map_err(|_| format!("a side of {} cells exceeds every limit", shorten(number)))?);
            if !self.take(',') && !self.starts_with(')') {
                return Err(self.unexpected("a comma or )"));
            }
        }
        Ok(sides)
    }
}

/// The start of a text, for a message.
fn shorten(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

/// The type of the numbers.
#[derive(Clone, Copy)]
struct Element {
    kind: Kind,
    is_big_endian: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl Element {
    /// Reads `<f4`: the order of bytes, the kind, and the bytes of a number.
    fn parse(descr: &str) -> Result<Self, String> {
        let (order, kind) = match descr.chars().next() {
            Some(order @ ('<' | '>' | '=' | '|')) => (order, &descr[1..]),
            _ => ('|', descr),
        };
        let kind = match kind {
            "b1" | "?" => Kind::Bool,
            "i1" => Kind::I8,
            "u1" => Kind::U8,
            "i2" => Kind::I16,
            "u2" => Kind::U16,
            "i4" => Kind::I32,
            "u4" => Kind::U32,
            "i8" => Kind::I64,
            "u8" => Kind::U64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ => {
                let what = match kind.chars().next() {
                    Some('O') => "object arrays contain pickled Python objects, which are not unpickled".to_owned(),
                    Some('c') => "complex numbers have no order; save their abs() or real".to_owned(),
                    Some('M' | 'm') => "times are unsupported; save array.astype('f8')".to_owned(),
                    Some('S' | 'U' | 'a') => "strings are unsupported".to_owned(),
                    Some('V') => {
                        "a structured array has several values a cell; save one field: array['field']".to_owned()
                    }
                    _ => format!("unknown type `{}`", shorten(descr)),
                };
                return Err(format!("{what}; expected bool, int8 to int64, uint8 to uint64 or float16 to float64"));
            }
        };
        let element = Self { kind, is_big_endian: order == '>' };
        if order == '|' && element.size() > 1 {
            return Err(format!("the type `{}` has no byte order; expected < or >", shorten(descr)));
        }
        Ok(element)
    }

    fn size(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    /// The numbers of whole elements.
    fn numbers(self, data: &[u8]) -> Numbers {
        macro_rules! read {
            ($type:ty, $variant:ident, $convert:expr) => {{
                let (chunks, _) = data.as_chunks::<{ size_of::<$type>() }>();
                let convert = $convert;
                Numbers::$variant(if self.is_big_endian {
                    chunks.iter().map(|bytes| convert(<$type>::from_be_bytes(*bytes))).collect()
                } else {
                    chunks.iter().map(|bytes| convert(<$type>::from_le_bytes(*bytes))).collect()
                })
            }};
        }
        match self.kind {
            Kind::Bool => Numbers::Single(data.iter().map(|byte| f32::from(u8::from(*byte != 0))).collect()),
            Kind::I8 => read!(i8, Single, f32::from),
            Kind::U8 => read!(u8, Single, f32::from),
            Kind::I16 => read!(i16, Single, f32::from),
            Kind::U16 => read!(u16, Single, f32::from),
            Kind::I32 => read!(i32, Double, f64::from),
            Kind::U32 => read!(u32, Double, f64::from),
            Kind::I64 => read!(i64, Double, |number| number as f64),
            Kind::U64 => read!(u64, Double, |number| number as f64),
            Kind::F16 => read!(f16, Single, f16::to_f32),
            Kind::F32 => read!(f32, Single, |number: f32| number),
            Kind::F64 => read!(f64, Double, |number: f64| number),
        }
    }
}
