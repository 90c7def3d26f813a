//! Conversion of columns of any type to categories.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::cast;
use arrow_schema::DataType;

use super::values::{decoded, for_each_text, is_text, value_text};
use crate::source::category_dictionary::CategoryDictionary;
use kiln_core::geo::Categories;

/// The categories of a batch. The buffers are reused for the next batch.
#[derive(Debug, Default)]
pub(super) struct CategoryColumn {
    codes: Vec<u32>,
    labels: CategoryDictionary,
}

impl CategoryColumn {
    /// Replaces the categories with those of `array`.
    pub(super) fn fill(&mut self, array: &ArrayRef) {
        if self.labels.is_large() {
            self.labels.clear_if_large();
        }
        let Self { codes, labels } = self;
        codes.clear();
        if let Some(dictionary) = array.as_any_dictionary_opt()
            && is_text(array.data_type())
            && !dictionary.values().is_empty()
        {
            let mut value_codes = Vec::with_capacity(dictionary.values().len());
            for_each_text(dictionary.values(), |name| value_codes.push(labels.code(name.map(str::trim))));
            let code = |key: usize| value_codes.get(key).copied().unwrap_or(Categories::NONE);
            codes.extend(dictionary.normalized_keys().into_iter().map(code));
        } else {
            fill_plain(&decoded(array), codes, labels);
        }
        if let Some(nulls) = array.logical_nulls() {
            for (row, code) in codes.iter_mut().enumerate() {
                if nulls.is_null(row) {
                    *code = Categories::NONE;
                }
            }
        }
    }

    /// The categories.
    pub(super) fn categories(&self) -> Categories<'_> {
        Categories { codes: &self.codes, names: self.labels.names() }
    }
}

fn fill_plain(array: &ArrayRef, codes: &mut Vec<u32>, labels: &mut CategoryDictionary) {
    let mut text = String::new();
    let mut number = |labels: &mut CategoryDictionary, value: &dyn std::fmt::Display| {
        text.clear();
        // Writing to a string cannot fail.
        let _ = write!(text, "{value}");
        labels.code(Some(&text))
    };
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            for_each_text(array, |name| codes.push(labels.code(name.map(str::trim))));
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => match cast(array, &DataType::Utf8) {
            Ok(texts) => fill_plain(&texts, codes, labels),
            Err(_) => codes.resize(array.len(), Categories::NONE),
        },
        DataType::Float64 => {
            codes.extend(array.as_primitive::<Float64Type>().values().iter().map(|value| number(labels, value)));
        }
        data_type if data_type.is_integer() && *data_type != DataType::UInt64 => match cast(array, &DataType::Int64) {
            Ok(integers) => {
                codes.extend(integers.as_primitive::<Int64Type>().values().iter().map(|value| number(labels, value)));
            }
            Err(_) => codes.resize(array.len(), Categories::NONE),
        },
        _ => codes.extend((0..array.len()).map(|row| labels.code(Some(&value_text(array, row))))),
    }
}
