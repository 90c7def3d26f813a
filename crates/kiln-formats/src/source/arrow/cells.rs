//! The cells of columns, as what the points need them to be.

use std::fmt::Write;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use super::columns::is_text;
use crate::source::labels::Labels;
use crate::source::time;
use kiln_core::geo::{Categories, Points};

/// Appends what `to` makes of each of some rows; of a null it makes something, too.
fn extend<T: ArrowPrimitiveType, V>(
    array: &dyn Array,
    rows: Range<usize>,
    values: &mut Vec<V>,
    to: impl FnMut(&T::Native) -> V,
) {
    if let Some(array) = array.as_primitive_opt::<T>() {
        values.extend(array.values()[rows].iter().map(to));
    }
}

/// Puts the numbers of some rows into `values`; where a row is null, any number.
pub(super) fn numbers(array: &dyn Array, rows: Range<usize>, values: &mut Vec<f64>) {
    values.clear();
    match array.data_type() {
        DataType::Float64 => extend::<Float64Type, _>(array, rows, values, |&number| number),
        DataType::Float32 => extend::<Float32Type, _>(array, rows, values, |&number| number.into()),
        DataType::Float16 => extend::<Float16Type, _>(array, rows, values, |&number| number.into()),
        DataType::UInt64 => extend::<UInt64Type, _>(array, rows, values, |&number| number as f64),
        _ => integers(array, rows, values, |number| number as f64),
    }
}

/// Appends what `to` makes of the integers of some rows.
fn integers<V>(array: &dyn Array, rows: Range<usize>, values: &mut Vec<V>, mut to: impl FnMut(i64) -> V) {
    match array.data_type() {
        DataType::Int8 => extend::<Int8Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::Int16 => extend::<Int16Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::Int32 => extend::<Int32Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::Int64 => extend::<Int64Type, _>(array, rows, values, |&number| to(number)),
        DataType::UInt8 => extend::<UInt8Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::UInt16 => extend::<UInt16Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::UInt32 => extend::<UInt32Type, _>(array, rows, values, |&number| to(number.into())),
        DataType::UInt64 => extend::<UInt64Type, _>(array, rows, values, |&number| to(number as i64)),
        _ => {}
    }
}

/// The text of a row of a column of texts.
fn text(array: &dyn Array, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string_opt::<i32>()?.value(row)),
        DataType::LargeUtf8 => Some(array.as_string_opt::<i64>()?.value(row)),
        DataType::Utf8View => Some(array.as_string_view_opt()?.value(row)),
        _ => None,
    }
}

/// The times of some rows.
#[derive(Default)]
pub(super) struct Times {
    /// A time for each row, [`Points::NO_TIME`] where there is none.
    pub(super) time_us: Vec<i64>,
    /// The rows whose time cannot be read, counted from the first of them, and why.
    pub(super) flaws: Vec<(usize, String)>,
}

impl Times {
    pub(super) fn fill(&mut self, array: &dyn Array, rows: Range<usize>) {
        const DAY_US: i64 = 86_400_000_000;
        let Self { time_us, flaws } = self;
        time_us.clear();
        flaws.clear();
        match array.data_type() {
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => {
                    extend::<TimestampSecondType, _>(array, rows.clone(), time_us, |s| s.saturating_mul(1_000_000));
                }
                TimeUnit::Millisecond => {
                    extend::<TimestampMillisecondType, _>(array, rows.clone(), time_us, |ms| ms.saturating_mul(1000));
                }
                TimeUnit::Microsecond => extend::<TimestampMicrosecondType, _>(array, rows.clone(), time_us, |&us| us),
                TimeUnit::Nanosecond => {
                    extend::<TimestampNanosecondType, _>(array, rows.clone(), time_us, |ns| ns.div_euclid(1000));
                }
            },
            DataType::Date32 => extend::<Date32Type, _>(array, rows.clone(), time_us, |&day| i64::from(day) * DAY_US),
            DataType::Date64 => extend::<Date64Type, _>(array, rows.clone(), time_us, |ms| ms.saturating_mul(1000)),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::UInt64 => {
                let mut values = Vec::new();
                numbers(array, rows.clone(), &mut values);
                time_us.extend(values.iter().enumerate().map(|(index, &number)| {
                    let is_null = array.is_null(rows.start + index);
                    let reason = || format!("the time {number} is not a Unix time");
                    or_flaw(flaws, index, if is_null { None } else { Some(number) }, time::from_unix_number, reason)
                }));
            }
            data_type if is_text(data_type) => {
                time_us.extend(rows.clone().enumerate().map(|(index, row)| {
                    let text = text(array, row);
                    let reason = || format!("the time `{}` is not one in ISO 8601", text.unwrap_or_default());
                    or_flaw(flaws, index, text, time::parse_time_us, reason)
                }));
            }
            _ => integers(array, rows.clone(), time_us, time::from_unix_integer),
        }
        if array.null_count() > 0 {
            for (time_us, row) in time_us.iter_mut().zip(rows) {
                if array.is_null(row) {
                    *time_us = Points::NO_TIME;
                }
            }
        }
    }

    /// The time of a row, if it has one; or what is wrong with it.
    pub(super) fn at(&self, index: usize) -> Result<Option<i64>, &str> {
        match self.flaws.binary_search_by_key(&index, |flaw| flaw.0) {
            Ok(flaw) => Err(&self.flaws[flaw].1),
            Err(_) => Ok(self.time_us.get(index).copied().filter(|&time_us| time_us != Points::NO_TIME)),
        }
    }
}

/// The time that `read` finds in a cell; where there is a cell but no time in it, that is a flaw of the row at `index`.
fn or_flaw<T>(
    flaws: &mut Vec<(usize, String)>,
    index: usize,
    cell: Option<T>,
    read: impl FnOnce(T) -> Option<i64>,
    reason: impl FnOnce() -> String,
) -> i64 {
    let Some(cell) = cell else { return Points::NO_TIME };
    read(cell).unwrap_or_else(|| {
        flaws.push((index, reason()));
        Points::NO_TIME
    })
}

/// The categories of some rows.
#[derive(Default)]
pub(super) struct Names {
    codes: Vec<u32>,
    labels: Labels,
    /// Of the dictionary at hand: the codes of its values, as far as they were needed.
    known: Vec<Option<u32>>,
}

impl Names {
    /// Gets ready for another record batch, which may have another dictionary.
    pub(super) fn restart(&mut self, array: &ArrayRef) {
        self.known.clear();
        self.known.resize(array.as_any_dictionary_opt().map_or(0, |array| array.values().len()), None);
    }

    pub(super) fn fill(&mut self, array: &dyn Array, rows: Range<usize>) {
        if self.labels.are_many() {
            self.labels.forget_many();
            self.known.fill(None);
        }
        let Self { codes, labels, known } = self;
        codes.clear();
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            let values = dictionary.values();
            integers(dictionary.keys(), rows.clone(), codes, |key| match known.get_mut(key as usize) {
                Some(code) => *code.get_or_insert_with(|| labels.code(text(values, key as usize))),
                None => Categories::NONE,
            });
        } else if let Some(array) = array.as_boolean_opt() {
            let label = |row: usize| if array.value(row) { "true" } else { "false" };
            codes.extend(rows.clone().map(|row| labels.code(Some(label(row)))));
        } else if is_text(array.data_type()) {
            codes.extend(rows.clone().map(|row| labels.code(text(array, row))));
        } else {
            let mut digits = String::new();
            let mut label = |number: &dyn std::fmt::Display| {
                digits.clear();
                // Writing to a string cannot fail.
                let _ = write!(digits, "{number}");
                labels.code(Some(&digits))
            };
            match array.data_type() {
                DataType::UInt64 => extend::<UInt64Type, _>(array, rows.clone(), codes, |number| label(number)),
                _ => integers(array, rows.clone(), codes, |number| label(&number)),
            }
        }
        if array.null_count() > 0 {
            for (code, row) in codes.iter_mut().zip(rows) {
                if array.is_null(row) {
                    *code = Categories::NONE;
                }
            }
        }
    }

    pub(super) fn categories(&self) -> Categories<'_> {
        Categories { codes: &self.codes, names: self.labels.names() }
    }
}
