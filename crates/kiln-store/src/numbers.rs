//! The numbers of points of rows of bins: a column of the narrowest type in which those of a file are exact.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, UInt8Array, UInt16Array, UInt32Array, UInt64Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType;

use kiln_core::error::{Error, Result};
use kiln_core::geo::PointBins;
use kiln_core::parameter::Parameter;

/// The type of a column of numbers of points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberType {
    U8,
    U16,
    U32,
    U64,
}

/// A column of numbers of points.
#[derive(Debug)]
pub(super) enum Numbers {
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
}

/// Some rows of a column of numbers of points.
#[derive(Clone, Copy, Debug)]
pub(super) enum NumberSlice<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
}

impl NumberType {
    /// The narrowest type for numbers up to `max`.
    pub(super) fn of(max: u64) -> Self {
        match max {
            0..=0xFF => Self::U8,
            0x100..=0xFFFF => Self::U16,
            0x1_0000..=0xFFFF_FFFF => Self::U32,
            _ => Self::U64,
        }
    }

    /// The greatest number of points of a row in a column of this type.
    pub(super) fn max(self) -> u64 {
        match self {
            Self::U8 => u64::from(u8::MAX),
            Self::U16 => u64::from(u16::MAX),
            Self::U32 => u64::from(u32::MAX),
            Self::U64 => PointBins::MAX_N,
        }
    }

    /// The Arrow type of the column.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::U8 => DataType::UInt8,
            Self::U16 => DataType::UInt16,
            Self::U32 => DataType::UInt32,
            Self::U64 => DataType::UInt64,
        }
    }

    /// A column of `numbers`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a number exceeds the type.
    pub(super) fn array(self, numbers: &[u64]) -> Result<ArrayRef> {
        fn narrowed<N: TryFrom<u64>>(numbers: &[u64]) -> Result<Vec<N>> {
            let narrowed = numbers.iter().map(|&number| N::try_from(number)).collect::<std::result::Result<_, _>>();
            narrowed.map_err(|_| {
                let message = "the number of points of a row exceeds that of its segment";
                Error::invalid(Parameter::POINTS, message)
            })
        }
        Ok(match self {
            Self::U8 => Arc::new(UInt8Array::from(narrowed::<u8>(numbers)?)),
            Self::U16 => Arc::new(UInt16Array::from(narrowed::<u16>(numbers)?)),
            Self::U32 => Arc::new(UInt32Array::from(narrowed::<u32>(numbers)?)),
            Self::U64 => Arc::new(UInt64Array::from(numbers.to_vec())),
        })
    }
}

impl Numbers {
    /// The numbers of a column of a file, which are not copied; `None` if it has another type.
    pub(super) fn read(column: &ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::UInt8 => Self::U8(column.as_primitive_opt::<UInt8Type>()?.values().clone()),
            DataType::UInt16 => Self::U16(column.as_primitive_opt::<UInt16Type>()?.values().clone()),
            DataType::UInt32 => Self::U32(column.as_primitive_opt::<UInt32Type>()?.values().clone()),
            _ => Self::U64(column.as_primitive_opt::<UInt64Type>()?.values().clone()),
        })
    }

    /// The number of points of a row.
    #[inline]
    pub(super) fn get(&self, row: usize) -> u64 {
        match self {
            Self::U8(numbers) => u64::from(numbers[row]),
            Self::U16(numbers) => u64::from(numbers[row]),
            Self::U32(numbers) => u64::from(numbers[row]),
            Self::U64(numbers) => numbers[row],
        }
    }

    /// Some rows.
    pub(super) fn slice(&self, rows: Range<usize>) -> NumberSlice<'_> {
        match self {
            Self::U8(numbers) => NumberSlice::U8(&numbers[rows]),
            Self::U16(numbers) => NumberSlice::U16(&numbers[rows]),
            Self::U32(numbers) => NumberSlice::U32(&numbers[rows]),
            Self::U64(numbers) => NumberSlice::U64(&numbers[rows]),
        }
    }
}

impl NumberSlice<'_> {
    /// Appends the numbers to `numbers`.
    pub(super) fn append_to(self, numbers: &mut Vec<u64>) {
        match self {
            Self::U8(own) => numbers.extend(own.iter().map(|&number| u64::from(number))),
            Self::U16(own) => numbers.extend(own.iter().map(|&number| u64::from(number))),
            Self::U32(own) => numbers.extend(own.iter().map(|&number| u64::from(number))),
            Self::U64(own) => numbers.extend_from_slice(own),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_type_are_read_as_they_were_written() {
        for (max, bytes) in [(1, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (0xFFFF_FFFF, 4), (1 << 32, 8)] {
            let number_type = NumberType::of(max);
            let column = number_type.array(&[1, max, 7]).unwrap();
            assert_eq!(column.data_type().primitive_width(), Some(bytes), "{max}");
            let numbers = Numbers::read(&column).unwrap();
            assert_eq!([0, 1, 2].map(|row| numbers.get(row)), [1, max, 7]);
            let mut rows = vec![9];
            numbers.slice(1..3).append_to(&mut rows);
            assert_eq!(rows, [9, max, 7]);
            assert!(number_type == NumberType::U64 || number_type.array(&[number_type.max() + 1]).is_err());
        }
    }
}
