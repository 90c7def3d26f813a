//! Conversion of columns of any type to tracks.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::values::{decoded, for_each_text, is_text, value_text};
use kiln_core::geo::Points;

/// The tracks of a column: [`Points::NO_TRACK`] for null and blank values. The number of a track is that of its text, so
/// it does not depend on the type of the column.
pub(super) fn tracks(array: &ArrayRef) -> Vec<u64> {
    let mut tracks = if let Some(dictionary) = array.as_any_dictionary_opt()
        && is_text(array.data_type())
        && !dictionary.values().is_empty()
    {
        let values = plain(dictionary.values());
        let track = |key: usize| values.get(key).copied().unwrap_or(Points::NO_TRACK);
        dictionary.normalized_keys().into_iter().map(track).collect()
    } else {
        plain(&decoded(array))
    };
    if let Some(nulls) = array.logical_nulls() {
        for (row, track) in tracks.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *track = Points::NO_TRACK;
            }
        }
    }
    tracks
}

/// The tracks of an array that is not dictionary-encoded, with any value for null.
fn plain(array: &ArrayRef) -> Vec<u64> {
    let mut text = String::new();
    let mut number = |value: &dyn std::fmt::Display| {
        text.clear();
        // Writing to a string cannot fail.
        let _ = write!(text, "{value}");
        Points::track_id(&text)
    };
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let mut tracks = Vec::with_capacity(array.len());
            for_each_text(array, |text| {
                tracks.push(text.map_or(Points::NO_TRACK, |text| Points::track_id(text.trim())));
            });
            tracks
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => match cast(array, &DataType::Utf8) {
            Ok(texts) => plain(&texts),
            Err(_) => vec![Points::NO_TRACK; array.len()],
        },
        DataType::Float64 => array.as_primitive::<Float64Type>().values().iter().map(|value| number(value)).collect(),
        data_type if data_type.is_integer() && *data_type != DataType::UInt64 => match cast(array, &DataType::Int64) {
            Ok(integers) => integers.as_primitive::<Int64Type>().values().iter().map(|value| number(value)).collect(),
            Err(_) => vec![Points::NO_TRACK; array.len()],
        },
        _ => (0..array.len()).map(|row| Points::track_id(value_text(array, row).trim())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{
        DictionaryArray, Float64Array, Int32Array, LargeStringArray, StringArray, UInt8Array, UInt64Array,
    };

    use super::*;

    #[test]
    fn the_same_id_is_the_same_track_in_columns_of_any_type() {
        let dictionary: DictionaryArray<Int8Type> = [Some("17"), None, Some("4")].into_iter().collect();
        let arrays: [ArrayRef; 7] = [
            Arc::new(StringArray::from(vec![Some(" 17"), None, Some("4")])),
            Arc::new(LargeStringArray::from(vec!["17", " ", "4 "])),
            Arc::new(Int32Array::from(vec![Some(17), None, Some(4)])),
            Arc::new(UInt8Array::from(vec![Some(17), None, Some(4)])),
            Arc::new(UInt64Array::from(vec![Some(17), None, Some(4)])),
            Arc::new(Float64Array::from(vec![Some(17.0), None, Some(4.0)])),
            Arc::new(dictionary),
        ];
        let expected = [Points::track_id("17"), Points::NO_TRACK, Points::track_id("4")];
        for array in arrays {
            assert_eq!(tracks(&array), expected, "{}", array.data_type());
        }
    }
}
