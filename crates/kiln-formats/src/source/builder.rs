//! Columns built from rows of formats without types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{Float64Builder, StringBuilder};

use super::table::Form;

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
            Form::Number => Values::Numbers(Float64Builder::new()),
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

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        use arrow_array::builder::ArrayBuilder;
        match &self.values {
            Values::Numbers(numbers) => numbers.len(),
            Values::Texts(texts) => texts.len(),
        }
    }

    /// The column, and starts the next one.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match &mut self.values {
            Values::Numbers(numbers) => Arc::new(numbers.finish()),
            Values::Texts(texts) => {
                let column = Arc::new(texts.finish());
                if self.form == Form::Number {
                    self.values = Self::start(self.form);
                }
                column
            }
        }
    }
}
