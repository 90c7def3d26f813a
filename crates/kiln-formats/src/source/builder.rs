//! Columns built from rows of formats without types.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};

use super::table::{BatchSink, Form, PartResult, Requested};
use kiln_core::error::Error;
use kiln_core::source::batch::Batch;

/// A batch of the requested columns, built row by row.
#[derive(Debug)]
pub(super) struct BatchBuilder {
    columns: Vec<(Requested, ColumnBuilder)>,
    rows: usize,
}

impl BatchBuilder {
    /// A batch without a row.
    pub(super) fn new(columns: &[Requested]) -> Self {
        let columns = columns.iter().map(|column| (column.clone(), ColumnBuilder::new(column.form))).collect();
        Self { columns, rows: 0 }
    }

    /// Adds a row, of which `field` returns the text of each column.
    #[inline]
    pub(super) fn push<'f>(&mut self, field: impl Fn(&Requested) -> &'f [u8]) {
        for (requested, column) in &mut self.columns {
            column.push_field(field(requested));
        }
        self.rows += 1;
    }

    /// Whether it has as many rows as serve best.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.rows >= Batch::ROWS
    }

    /// Hands the rows, if there are any, to `rows`, and starts the next batch. Messages call the input `name`.
    pub(super) fn flush(&mut self, name: &str, rows: &mut dyn BatchSink) -> PartResult {
        let columns = self.columns.iter_mut().map(|(column, values)| (&*column, values.finish()));
        hand_on(name, columns, std::mem::take(&mut self.rows), rows)
    }
}

/// Hands a batch of rows, if there are any, to `sink`: the values of each requested column. Messages call the input `name`.
pub(super) fn hand_on<'c>(
    name: &str,
    columns: impl Iterator<Item = (&'c Requested, ArrayRef)>,
    rows: usize,
    sink: &mut dyn BatchSink,
) -> PartResult {
    if rows == 0 {
        return Ok(ControlFlow::Continue(()));
    }
    let field =
        |(column, array): (&Requested, ArrayRef)| (Field::new(&column.name, array.data_type().clone(), true), array);
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.map(field).unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    Ok(sink.batch(&batch.map_err(|error| Error::input(name, error.to_string()))?))
}

/// A column of one batch: numbers as long as all of its values are, else texts; null where a row has no value.
#[derive(Debug)]
pub(super) struct ColumnBuilder {
    form: Form,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Numbers(Float64Builder),
    Texts(StringBuilder),
}

impl ColumnBuilder {
    /// A column without a value.
    pub(super) fn new(form: Form) -> Self {
        Self { form, values: Self::start(form) }
    }

    fn start(form: Form) -> Values {
        match form {
            Form::Number => Values::Numbers(Float64Builder::with_capacity(Batch::ROWS)),
            Form::Text => Values::Texts(StringBuilder::new()),
        }
    }

    /// Adds a row without a value.
    #[inline]
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.append_null(),
            Values::Texts(texts) => texts.append_null(),
        }
    }

    /// Adds a number.
    #[inline]
    pub(super) fn push_number(&mut self, number: f64) {
        match &mut self.values {
            Values::Numbers(numbers) => numbers.append_value(number),
            Values::Texts(texts) => texts.append_value(number.to_string()),
        }
    }

    /// Adds the text of a field without the white space around it: no value if it is empty, and with replacements for what is
    /// not UTF-8. Quotes around a number, or behind white space (`1, "a"`), do not matter.
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
        let may_be_quoted = self.form == Form::Number || field.first().is_some_and(u8::is_ascii_whitespace);
        let inner = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        match inner.filter(|inner| may_be_quoted || inner.is_empty()).map_or(text, <[u8]>::trim_ascii) {
            [] => self.push_null(),
            text => self.push_text(&String::from_utf8_lossy(text)),
        }
    }

    /// Adds a text, which is a number where numbers are wanted and it is one in the way that `f64` is written.
    #[inline]
    pub(super) fn push_text(&mut self, text: &str) {
        if let Values::Numbers(numbers) = &mut self.values {
            match fast_float2::parse(text) {
                Ok(number) => return numbers.append_value(number),
                Err(_) => self.turn_into_texts(),
            }
        }
        if let Values::Texts(texts) = &mut self.values {
            texts.append_value(text);
        }
    }

    #[cold]
    fn turn_into_texts(&mut self) {
        if let Values::Numbers(numbers) = &mut self.values {
            let mut texts = StringBuilder::new();
            for number in &numbers.finish() {
                texts.append_option(number.map(|number| number.to_string()));
            }
            self.values = Values::Texts(texts);
        }
    }

    /// The column, and starts the next one.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut std::mem::replace(&mut self.values, Self::start(self.form)) {
            Values::Numbers(numbers) => Arc::new(numbers.finish()),
            Values::Texts(texts) => Arc::new(texts.finish()),
        }
    }
}

/// The plain decimal `text`, such as `-12.345678` or `7`: an optional minus and at most 15 digits, with a point between two of
/// them or none; `None` for anything else, which may be a number nonetheless.
///
/// It is the `f64` nearest to the decimal: the digits make an integer that an `f64` holds exactly, the power of ten is exact
/// too, so their quotient is rounded once (W. Clinger, How to read floating point numbers accurately, 1990).
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
    fn coordinates_as_people_write_them_are_plain() {
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
        fn a_plain_decimal_is_what_the_standard_library_reads(text in "-?[0-9]{0,17}(\\.[0-9]{0,17})?") {
            if let Some(number) = plain_decimal(text.as_bytes()) {
                prop_assert_eq!(Some(number.to_bits()), text.parse::<f64>().ok().map(f64::to_bits));
            }
        }
    }
}
