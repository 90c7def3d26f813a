//! The cells of one column, batch by batch, as what the points need them to be.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::Int96;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, FloatType, Int32Type, Int64Type,
    Int96Type,
};
use parquet::errors::Result;
use parquet::file::statistics::Statistics;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use crate::source::time;

/// A column chunk about to be read.
pub(super) struct Chunk {
    pub(super) column: ColumnDescPtr,
    pub(super) pages: Box<dyn PageReader>,
}

/// Yields the cells of a column chunk in order.
pub(super) trait Cells<V> {
    /// Appends the next cells: at most `rows` definition levels and, for the cells that are not null, values. Answers
    /// how many rows there were.
    fn read(&mut self, rows: usize, levels: &mut Vec<i16>, values: &mut Vec<V>) -> Result<usize>;

    /// Passes over `rows` rows; answers how many there were.
    fn skip(&mut self, rows: usize) -> Result<usize>;
}

/// Cells wanted as they are stored.
struct Straight<T: DataType>(ColumnReaderImpl<T>);

impl<T: DataType> Cells<T::T> for Straight<T> {
    fn read(&mut self, rows: usize, levels: &mut Vec<i16>, values: &mut Vec<T::T>) -> Result<usize> {
        Ok(self.0.read_records(rows, Some(levels), None, values)?.0)
    }

    fn skip(&mut self, rows: usize) -> Result<usize> {
        self.0.skip_records(rows)
    }
}

/// Cells wanted as something else than what is stored.
struct Mapped<T: DataType, F> {
    reader: ColumnReaderImpl<T>,
    stored: Vec<T::T>,
    map: F,
}

impl<T: DataType, V, F: Fn(&T::T) -> V> Cells<V> for Mapped<T, F> {
    fn read(&mut self, rows: usize, levels: &mut Vec<i16>, values: &mut Vec<V>) -> Result<usize> {
        self.stored.clear();
        let (rows, ..) = self.reader.read_records(rows, Some(levels), None, &mut self.stored)?;
        values.extend(self.stored.iter().map(&self.map));
        Ok(rows)
    }

    fn skip(&mut self, rows: usize) -> Result<usize> {
        self.reader.skip_records(rows)
    }
}

fn reader<T: DataType>(chunk: Chunk) -> ColumnReaderImpl<T> {
    get_typed_column_reader(get_column_reader(chunk.column, chunk.pages))
}

fn mapped<T: DataType, V>(chunk: Chunk, map: impl Fn(&T::T) -> V + 'static) -> Box<dyn Cells<V>> {
    Box::new(Mapped { reader: reader::<T>(chunk), stored: Vec::new(), map })
}

/// How a column stores numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Double,
    Float,
    Half,
    /// An integer that is to be divided by `unit`.
    Int32 {
        signed: bool,
        unit: f64,
    },
    /// An integer that is to be divided by `unit`.
    Int64 {
        signed: bool,
        unit: f64,
    },
    /// A big-endian integer of fixed length that is to be divided by `unit`.
    Fixed {
        unit: f64,
    },
    /// A big-endian integer of any length that is to be divided by `unit`.
    Variable {
        unit: f64,
    },
}

impl Number {
    /// How `column` stores numbers; `None` if it does not.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        let stored = column.physical_type();
        // Older files have the converted type alone.
        let (signed, scale) = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Float16), _) => {
                return (stored == Type::FIXED_LEN_BYTE_ARRAY && column.type_length() == 2).then_some(Self::Half);
            }
            (Some(LogicalType::Decimal(decimal)), _) => (true, Some(decimal.scale)),
            (None, ConvertedType::DECIMAL) => (true, Some(column.type_scale())),
            (Some(LogicalType::Integer(integer)), _) => (integer.is_signed, None),
            (
                None,
                ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
            ) => (false, None),
            (
                None,
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64,
            ) => (true, None),
            _ => return None,
        };
        let unit = 10f64.powi(scale.unwrap_or(0));
        match stored {
            Type::DOUBLE => Some(Self::Double),
            Type::FLOAT => Some(Self::Float),
            Type::INT32 => Some(Self::Int32 { signed, unit }),
            Type::INT64 => Some(Self::Int64 { signed, unit }),
            Type::FIXED_LEN_BYTE_ARRAY if scale.is_some() => Some(Self::Fixed { unit }),
            Type::BYTE_ARRAY if scale.is_some() => Some(Self::Variable { unit }),
            _ => None,
        }
    }

    /// The numbers of a chunk as 64-bit floats.
    pub(super) fn cells(self, chunk: Chunk) -> Box<dyn Cells<f64>> {
        match self {
            Self::Double => Box::new(Straight(reader::<DoubleType>(chunk))),
            other => other.cells_as(chunk, |number| number),
        }
    }

    /// The numbers of a chunk as what `to` makes of them.
    pub(super) fn cells_as<V: 'static>(self, chunk: Chunk, to: impl Fn(f64) -> V + 'static) -> Box<dyn Cells<V>> {
        match self {
            Self::Double => mapped::<DoubleType, _>(chunk, move |&v| to(v)),
            Self::Float => mapped::<FloatType, _>(chunk, move |&v| to(v.into())),
            Self::Half => mapped::<FixedLenByteArrayType, _>(chunk, move |v| to(half(v.data()))),
            Self::Int32 { signed: true, unit } => mapped::<Int32Type, _>(chunk, move |&v| to(f64::from(v) / unit)),
            Self::Int32 { unit, .. } => mapped::<Int32Type, _>(chunk, move |&v| to(f64::from(v as u32) / unit)),
            Self::Int64 { signed: true, unit } => mapped::<Int64Type, _>(chunk, move |&v| to(v as f64 / unit)),
            Self::Int64 { unit, .. } => mapped::<Int64Type, _>(chunk, move |&v| to(v as u64 as f64 / unit)),
            Self::Fixed { unit } => mapped::<FixedLenByteArrayType, _>(chunk, move |v| to(big_endian(v.data()) / unit)),
            Self::Variable { unit } => mapped::<ByteArrayType, _>(chunk, move |v| to(big_endian(v.data()) / unit)),
        }
    }
}

/// An IEEE half float, little-endian; NaN if it is not two bytes long.
fn half(bytes: &[u8]) -> f64 {
    let Ok(bytes) = <[u8; 2]>::try_from(bytes) else { return f64::NAN };
    let bits = u16::from_le_bytes(bytes);
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// A two's complement integer of any length, rounded.
fn big_endian(bytes: &[u8]) -> f64 {
    let negative = bytes.first().is_some_and(|&first| first >= 128);
    let flip = if negative { 255 } else { 0 };
    // A negative number is minus (its complement plus one).
    let size = bytes.iter().fold(0.0, |sum, &byte| sum * 256.0 + f64::from(byte ^ flip));
    if negative { -size - 1.0 } else { size }
}

/// An instant in microseconds since 1970-01-01 UTC, or why there is none.
pub(super) type Instant = std::result::Result<i64, String>;

/// The instants of a chunk.
pub(super) enum Instants {
    /// Each cell is one.
    Sure(Box<dyn Cells<i64>>),
    /// A cell may be none.
    Doubtful(Box<dyn Cells<Instant>>),
}

/// How a column stores instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Clock {
    /// 64-bit ticks since 1970.
    Ticks(TimeUnit),
    /// Days since 1970.
    Days,
    /// The 96-bit timestamps of old Hive and Spark files.
    Julian,
    /// ISO 8601.
    Text,
    /// Numbers of seconds, milliseconds or microseconds since 1970.
    Unix(Number),
}

const DAY_US: i64 = 86_400_000_000;

fn to_us(unit: TimeUnit) -> fn(i64) -> i64 {
    match unit {
        TimeUnit::MILLIS => |ticks| ticks.saturating_mul(1000),
        TimeUnit::MICROS => |ticks| ticks,
        TimeUnit::NANOS => |ticks| ticks.div_euclid(1000),
    }
}

impl Clock {
    /// How `column` stores instants; `None` if it does not.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
            (Type::INT64, Some(LogicalType::Timestamp(timestamp)), _) => Some(Self::Ticks(timestamp.unit)),
            (Type::INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Some(Self::Ticks(TimeUnit::MILLIS)),
            (Type::INT64, None, ConvertedType::TIMESTAMP_MICROS) => Some(Self::Ticks(TimeUnit::MICROS)),
            (Type::INT32, Some(LogicalType::Date), _) | (Type::INT32, None, ConvertedType::DATE) => Some(Self::Days),
            (Type::INT96, ..) => Some(Self::Julian),
            _ if is_text(column) => Some(Self::Text),
            _ => Number::of(column).map(Self::Unix),
        }
    }

    /// The instants of a chunk.
    pub(super) fn cells(self, chunk: Chunk) -> Instants {
        match self {
            Self::Ticks(TimeUnit::MICROS) => Instants::Sure(Box::new(Straight(reader::<Int64Type>(chunk)))),
            Self::Ticks(unit) => {
                let to_us = to_us(unit);
                Instants::Sure(mapped::<Int64Type, _>(chunk, move |&ticks| to_us(ticks)))
            }
            Self::Days => Instants::Sure(mapped::<Int32Type, _>(chunk, |&days| i64::from(days) * DAY_US)),
            Self::Julian => Instants::Sure(mapped::<Int96Type, _>(chunk, Int96::to_micros)),
            Self::Unix(Number::Int64 { signed: true, unit: 1.0 }) => {
                Instants::Sure(mapped::<Int64Type, _>(chunk, |&number| time::from_unix_integer(number)))
            }
            Self::Unix(number) => Instants::Doubtful(number.cells_as(chunk, |number| {
                time::from_unix_number(number).ok_or_else(|| format!("the time {number} is not a Unix time"))
            })),
            Self::Text => Instants::Doubtful(mapped::<ByteArrayType, _>(chunk, |text| {
                let text = String::from_utf8_lossy(text.data());
                time::parse_time_us(&text).ok_or_else(|| format!("the time `{text}` is not one in ISO 8601"))
            })),
        }
    }

    /// The first and the last instant of a chunk in microseconds, if its statistics tell.
    pub(super) fn range_us(self, statistics: &Statistics) -> Option<(i64, i64)> {
        match (self, statistics) {
            (Self::Ticks(unit), Statistics::Int64(ticks)) => {
                let to_us = to_us(unit);
                Some((to_us(*ticks.min_opt()?), to_us(*ticks.max_opt()?)))
            }
            (Self::Days, Statistics::Int32(days)) => {
                Some((i64::from(*days.min_opt()?) * DAY_US, i64::from(*days.max_opt()?) * DAY_US))
            }
            _ => None,
        }
    }
}

/// How a column stores categories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Label {
    Text,
    Boolean,
    Int32 { signed: bool },
    Int64 { signed: bool },
}

impl Label {
    /// How `column` stores categories; `None` if it does not.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        match Number::of(column) {
            _ if is_text(column) => Some(Self::Text),
            _ if column.physical_type() == Type::BOOLEAN => Some(Self::Boolean),
            Some(Number::Int32 { signed, unit: 1.0 }) => Some(Self::Int32 { signed }),
            Some(Number::Int64 { signed, unit: 1.0 }) => Some(Self::Int64 { signed }),
            _ => None,
        }
    }

    /// The categories of a chunk, as text.
    pub(super) fn cells(self, chunk: Chunk) -> Box<dyn Cells<ByteArray>> {
        let text = |text: String| ByteArray::from(text.into_bytes());
        match self {
            Self::Text => Box::new(Straight(reader::<ByteArrayType>(chunk))),
            Self::Boolean => mapped::<BoolType, _>(chunk, move |&v| text(v.to_string())),
            Self::Int32 { signed: true } => mapped::<Int32Type, _>(chunk, move |&v| text(v.to_string())),
            Self::Int32 { .. } => mapped::<Int32Type, _>(chunk, move |&v| text((v as u32).to_string())),
            Self::Int64 { signed: true } => mapped::<Int64Type, _>(chunk, move |&v| text(v.to_string())),
            Self::Int64 { .. } => mapped::<Int64Type, _>(chunk, move |&v| text((v as u64).to_string())),
        }
    }
}

/// The geometries of a chunk, as they are stored.
pub(super) fn geometries(chunk: Chunk) -> Box<dyn Cells<ByteArray>> {
    Box::new(Straight(reader::<ByteArrayType>(chunk)))
}

/// Whether `column` holds bytes that are not said to be anything but text.
fn is_text(column: &ColumnDescriptor) -> bool {
    let by_type = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::String | LogicalType::Enum), _) => true,
        (None, converted) => matches!(converted, ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM),
        _ => false,
    };
    by_type && column.physical_type() == Type::BYTE_ARRAY
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_and_long_integers_are_exact() {
        let halves = [(0x3C00, 1.0), (0xC580, -5.5), (0x0001, 2f64.powi(-24)), (0x7BFF, 65504.0), (0x8000, -0.0)];
        for (bits, value) in halves {
            assert_eq!(half(&u16::to_le_bytes(bits)), value, "{bits:x}");
        }
        assert_eq!(half(&[0, 0x7C]), f64::INFINITY);
        assert!(half(&[1, 0x7C]).is_nan() && half(&[1]).is_nan());
        for value in [0i128, 1, -1, 127, -128, 1 << 40, -(1 << 40) - 1, -12_345_678_901] {
            assert_eq!(big_endian(&value.to_be_bytes()), value as f64);
        }
        assert_eq!(big_endian(&[0x80]), -128.0);
        assert_eq!(big_endian(&[]), 0.0);
    }
}
