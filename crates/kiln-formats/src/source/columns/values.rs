//! Conversion of Arrow arrays of any type to numbers, times and strings.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float64Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_cast::display::array_value_to_string;
use arrow_schema::{DataType, TimeUnit};

use crate::source::role::quoted;
use kiln_core::geo::Points;
use kiln_core::source::time::{TimeError, TimeReader};

/// Whether values of a type are strings.
pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(values_type(data_type), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// Whether values of a type are numbers.
pub(super) fn is_number(data_type: &DataType) -> bool {
    let data_type = values_type(data_type);
    data_type.is_integer() || data_type.is_floating() || data_type.is_decimal()
}

/// The value type of a dictionary-encoded or run-end encoded type; other types unchanged.
pub(super) fn values_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values_type(values),
        DataType::RunEndEncoded(_, values) => values_type(values.data_type()),
        other => other,
    }
}

/// Decodes a dictionary-encoded or run-end encoded array; others are returned unchanged.
pub(super) fn decoded(array: &ArrayRef) -> ArrayRef {
    let values = values_type(array.data_type());
    if values == array.data_type() { Arc::clone(array) } else { cast_or_null(array, values) }
}

/// Casts an array; all values are null if the cast is not supported.
fn cast_or_null(array: &ArrayRef, to: &DataType) -> ArrayRef {
    cast(array, to).unwrap_or_else(|_| arrow_array::new_null_array(to, array.len()))
}

/// Calls `take` with the string of each row of a string column, `None` for null.
pub(super) fn for_each_text(array: &dyn Array, mut take: impl FnMut(Option<&str>)) {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().for_each(take),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().for_each(take),
        DataType::Utf8View => array.as_string_view().iter().for_each(take),
        _ => (0..array.len()).for_each(|_| take(None)),
    }
}

/// Calls `take` with the bytes of each row of a binary or string column, `None` for null.
pub(super) fn for_each_bytes(array: &dyn Array, mut take: impl FnMut(Option<&[u8]>)) {
    match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().iter().for_each(take),
        DataType::LargeBinary => array.as_binary::<i64>().iter().for_each(take),
        DataType::BinaryView => array.as_binary_view().iter().for_each(take),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().iter().for_each(take),
        _ => for_each_text(array, |text| take(text.map(str::as_bytes))),
    }
}

/// The numbers of a column: NaN for null and other values. Strings are parsed by `parse`.
pub(super) fn numbers(array: &ArrayRef, parse: impl Fn(&str) -> Option<f64>) -> Cow<'_, [f64]> {
    if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
        if numbers.null_count() == 0 {
            return Cow::Borrowed(numbers.values());
        }
        return Cow::Owned(numbers.iter().map(|number| number.unwrap_or(f64::NAN)).collect());
    }
    if is_text(array.data_type()) {
        let mut numbers = Vec::with_capacity(array.len());
        for_each_text(&decoded(array), |text| numbers.push(text.and_then(&parse).unwrap_or(f64::NAN)));
        return Cow::Owned(numbers);
    }
    let cast = cast_or_null(&decoded(array), &DataType::Float64);
    Cow::Owned(cast.as_primitive::<Float64Type>().iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}

/// A sentinel for an invalid time.
pub(super) const INVALID_TIME: i64 = Points::NO_TIME + 1;

/// The times of a column in microseconds since 1970-01-01 UTC, [`Points::NO_TIME`] for missing and [`INVALID_TIME`] for
/// invalid times.
pub(super) fn times(array: &ArrayRef, reader: &TimeReader) -> Vec<i64> {
    const DAY_US: i64 = 86_400_000_000;
    let array = &decoded(array);
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            map_values::<TimestampSecondType>(array, |s| s.checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            map_values::<TimestampMillisecondType>(array, |ms| ms.checked_mul(1000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => map_values::<TimestampMicrosecondType>(array, Some),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            map_values::<TimestampNanosecondType>(array, |ns| Some(ns.div_euclid(1000)))
        }
        DataType::Date32 => map_values::<Date32Type>(array, |day| Some(i64::from(day) * DAY_US)),
        DataType::Date64 => map_values::<Date64Type>(array, |ms| ms.checked_mul(1000)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let mut times = Vec::with_capacity(array.len());
            for_each_text(array, |text| {
                times.push(text.map_or(Points::NO_TIME, |text| to_microseconds(reader.parse(text))));
            });
            times
        }
        DataType::UInt64 => {
            map_values::<UInt64Type>(array, |value| reader.integer(i64::try_from(value).unwrap_or(i64::MAX)).ok())
        }
        data_type if data_type.is_integer() => {
            map_values::<Int64Type>(&cast_or_null(array, &DataType::Int64), |value| reader.integer(value).ok())
        }
        _ => map_values::<Float64Type>(&cast_or_null(array, &DataType::Float64), |value| {
            Some(to_microseconds(reader.number(value)))
        }),
    }
}

/// Converts a parsed time to microseconds or the sentinel for a missing or invalid one.
pub(super) fn to_microseconds(read: Result<Option<i64>, TimeError>) -> i64 {
    read.map_or(INVALID_TIME, |time_us| time_us.unwrap_or(Points::NO_TIME))
}

fn map_values<T: ArrowPrimitiveType>(array: &dyn Array, read: impl Fn(T::Native) -> Option<i64>) -> Vec<i64> {
    let Some(array) = array.as_primitive_opt::<T>() else { return vec![INVALID_TIME; array.len()] };
    let read = |value| read(value).unwrap_or(INVALID_TIME);
    if array.null_count() == 0 {
        return array.values().iter().map(|&value| read(value)).collect();
    }
    array.iter().map(|value| value.map_or(Points::NO_TIME, read)).collect()
}

/// Whether the value of a row is null or a blank string.
pub(super) fn is_blank(array: &ArrayRef, row: usize) -> bool {
    array.is_null(row) || (is_text(array.data_type()) && value_text(array, row).trim().is_empty())
}

/// The value of a row as a string.
pub(super) fn value_text(array: &ArrayRef, row: usize) -> String {
    array_value_to_string(array, row).unwrap_or_default()
}

/// The value of a row for a message: strings in quotes, other values unchanged.
pub(super) fn shown_value(array: &ArrayRef, row: usize) -> String {
    let text = value_text(array, row);
    if is_text(array.data_type()) { quoted(&text) } else { text }
}
