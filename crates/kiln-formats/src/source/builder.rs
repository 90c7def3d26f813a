//! Builders of Arrow columns for formats without column types.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};

use super::table::{BatchSink, PartResult, RequestedColumn, ValueType};
use kiln_core::error::Error;
use kiln_core::source::batch::Batch;

/// A batch of the requested columns, built row by row.
#[derive(Debug)]
pub(super) struct BatchBuilder {
    columns: Vec<(RequestedColumn, ColumnBuilder)>,
    rows: usize,
}

impl BatchBuilder {
    /// An empty batch of `columns`.
    pub(super) fn new(columns: &[RequestedColumn]) -> Self {
        let columns = columns.iter().map(|column| (column.clone(), ColumnBuilder::new(column.value_type))).collect();
        Self { columns, rows: 0 }
    }

    /// Adds a row. `field` returns the text of each column.
    #[inline]
    pub(super) fn push<'f>(&mut self, field: impl Fn(&RequestedColumn) -> &'f [u8]) {
        for (requested, column) in &mut self.columns {
            column.push_field(field(requested));
        }
        self.rows += 1;
    }

    /// Whether the batch has reached [`Batch::ROWS`].
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.rows >= Batch::ROWS
    }

    /// Sends the buffered rows, if any, to `rows` and starts the next batch. `name` is the input name for messages.
    pub(super) fn flush(&mut self, name: &str, rows: &mut dyn BatchSink) -> PartResult {
        let columns = self.columns.iter_mut().map(|(column, values)| (&*column, values.finish()));
        send_batch(name, columns, std::mem::take(&mut self.rows), rows)
    }
}

/// Sends a batch of `rows` rows with the given columns to `sink`, unless `rows` is 0. `name` is the input name for
/// messages.
pub(super) fn send_batch<'c>(
    name: &str,
    columns: impl Iterator<Item = (&'c RequestedColumn, ArrayRef)>,
    rows: usize,
    sink: &mut dyn BatchSink,
) -> PartResult {
    if rows == 0 {
        return Ok(ControlFlow::Continue(()));
    }
    let field = |(column, array): (&RequestedColumn, ArrayRef)| {
        (Field::new(&column.name, array.data_type().clone(), true), array)
    };
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.map(field).unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    Ok(sink.batch(&batch.map_err(|error| Error::input(name, error.to_string()))?))
}

/// A column of one batch: numbers if all of its values are numbers, otherwise strings; null for a row without a value.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    value_type: ValueType,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Numbers(Float64Builder),
    Strings(StringBuilder),
}

impl ColumnBuilder {
    /// An empty column.
    pub(super) fn new(value_type: ValueType) -> Self {
        Self { value_type, values: Self::start(value_type) }
    }

    fn start(value_type: ValueType) -> Values {
        match value_type {
            ValueType::Number => Values::Numbers(Float64Builder::with_capacity(Batch::ROWS)),
            ValueType::Text => Values::Strings(StringBuilder::new()),
        }
    }

    /// Adds a null.
    #[inline]
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.append_null(),
            Values::Strings(strings) => strings.append_null(),
        }
    }

    /// Adds a number.
    #[inline]
    pub(super) fn push_number(&mut self, number: f64) {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.append_value(number),
            Values::Strings(strings) => strings.append_value(number.to_string()),
        }
    }

    /// Adds the text of a field, trimmed: null if it is empty, with invalid UTF-8 replaced. Quotes are removed from
    /// numbers and after white space (`1, "a"`).
    #[inline]
    pub(super) fn push_field(&mut self, field: &[u8]) {
        if let (Values::Numbers(numbers), Some(number)) = (&mut self.values, plain_decimal(field)) {
            return numbers.append_value(number);
        }
        let text = field.trim_ascii();
        if let Values::Numbers(numbers) = &mut self.values
            && let Ok(number) = fast_float2::parse(text)
        {
            return numbers.append_value(number);
        }
        let may_be_quoted = self.value_type == ValueType::Number || field.first().is_some_and(u8::is_ascii_whitespace);
        let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        match inner.filter(|inner| may_be_quoted || inner.is_empty()).map_or(text, <[u8]>::trim_ascii) {
            [] => self.push_null(),
            text => self.push_text(&String::from_utf8_lossy(text)),
        }
    }

    /// Adds a string, as a number if the column has numbers and the string parses as `f64`.
    #[inline]
    pub(super) fn push_text(&mut self, text: &str) {
        if let Values::Numbers(numbers) = &mut self.values {
            match fast_float2::parse(text) {
                Ok(number) => return numbers.append_value(number),
                Err(_) => self.convert_to_strings(),
            }
        }
        if let Values::Strings(strings) = &mut self.values {
            strings.append_value(text);
        }
    }

    #[cold]
    fn convert_to_strings(&mut self) {
        if let Values::Numbers(numbers) = &mut self.values {
            let mut strings = StringBuilder::new();
            for number in &numbers.finish() {
                strings.append_option(number.map(|number| number.to_string()));
            }
            self.values = Values::Strings(strings);
        }
    }

    /// Returns the column and starts the next one.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut std::mem::replace(&mut self.values, Self::start(self.value_type)) {
            Values::Numbers(numbers) => Arc::new(numbers.finish()),
            Values::Strings(strings) => Arc::new(strings.finish()),
        }
    }
}

/// Parses a plain decimal such as `-12.345678` or `7`: an optional minus and at most 15 digits, optionally with a point
/// between two of them. Returns `None` for any other text, which may still be a number in another notation.
///
/// The result is the `f64` nearest to the decimal: the digits form an integer that `f64` represents exactly, and so is
/// the power of ten, so their quotient is rounded once (W. Clinger, How to read floating point numbers accurately,
/// 1990).
#[inline]
fn plain_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (first, last) = (digits.first()?, digits.last()?);
    if digits.len() > POWERS.len() || !first.is_ascii_digit() || !last.is_ascii_digit() {
        return None;
    }
    let (mut integer, mut decimals, mut points) = (0_u64, 0, 0_usize);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            integer = integer * 10 + u64::from(digit);
            decimals += points;
        } else if byte == b'.' && points == 0 {
            points = 1;
        } else {
            return None;
        }
    }
    if points == 0 && digits.len() == POWERS.len() {
        return None;
    }
    let magnitude = integer as f64 / POWERS[decimals];
    Some(if is_negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usual_coordinates_are_plain_decimals() {
        for text in ["0", "7", "-120.535318", "14.2", "-0.0", "123456789012345", "0.00000000000001", "12345678.1234567"]
        {
            assert_eq!(plain_decimal(text.as_bytes()).map(f64::to_bits), text.parse().ok().map(f64::to_bits), "{text}");
        }
        for text in ["", "-", ".", ".5", "5.", "+1", "1e3", "1.2.3", " 1", "1 ", "1-2", "1234567890123456", "nan"] {
            assert_eq!(plain_decimal(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn plain_decimals_parse_as_in_the_standard_library(text in "-?[0-9]{0,17}(\\.[0-9]{0,17})?") {
            if let Some(number) = plain_decimal(text.as_bytes()) {
                prop_assert_eq!(Some(number.to_bits()), text.parse::<f64>().ok().map(f64::to_bits));
            }
        }
    }
}
