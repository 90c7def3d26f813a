//! Times: one column, or a date column and a time-of-day column.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::adapter::describe_invalid;
use super::values::{decoded, is_blank, is_text, shown_value, times, to_microseconds, value_text};
use kiln_core::geo::Points;
use kiln_core::source::time::{TimeError, TimeReader};

/// The columns that times are read from, and how.
#[derive(Debug)]
pub(super) struct TimeColumn {
    /// The index of the time column in a batch.
    pub(super) column: usize,
    /// The index of the date column if `column` has times of day.
    pub(super) date: Option<usize>,
    pub(super) name: String,
    /// Whether the user named the column. Rows with an invalid time are then rejected.
    pub(super) is_named: bool,
    pub(super) reader: TimeReader,
}

impl TimeColumn {
    /// The times in microseconds since 1970-01-01 UTC, [`Points::NO_TIME`] for missing and
    /// [`INVALID_TIME`](super::values::INVALID_TIME) for invalid times.
    pub(super) fn read(&self, batch: &RecordBatch) -> Vec<i64> {
        let array = batch.column(self.column);
        match self.date {
            None => times(array, &self.reader),
            Some(date) => (0..array.len())
                .map(|row| to_microseconds(self.date_and_time(batch.column(date), array, row)))
                .collect(),
        }
    }

    fn date_and_time(&self, date: &ArrayRef, time: &ArrayRef, row: usize) -> Result<Option<i64>, TimeError> {
        let text = |array: &ArrayRef| if array.is_null(row) { String::new() } else { value_text(array, row) };
        self.reader.date_and_time(&text(date), &text(time))
    }

    /// Describes why the time of a row is invalid.
    pub(super) fn describe_invalid(&self, batch: &RecordBatch, row: usize) -> String {
        let (array, name) = (batch.column(self.column), &self.name);
        let (shown, error) = if let Some(date) = self.date {
            let date = batch.column(date);
            (
                format!("{} {}", shown_value(date, row), shown_value(array, row)),
                self.date_and_time(date, array, row).err(),
            )
        } else if is_blank(array, row) {
            (String::new(), None)
        } else {
            let value = decoded(&array.slice(row, 1));
            let error = match value.data_type() {
                data_type if is_text(data_type) => self.reader.parse(&value_text(&value, 0)).err(),
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => None,
                _ => Some(TimeError::NotInRange),
            };
            (shown_value(array, row), error)
        };
        match error {
            Some(error) => format!("{name}: {shown} {error}"),
            None => describe_invalid(array, name, row, "a time"),
        }
    }

    /// Whether rows with times from `first` to `last` may have a time in `start..end`.
    pub(super) fn may_match(&self, first: &ArrayRef, last: &ArrayRef, start: Option<i64>, end: Option<i64>) -> bool {
        let is_instant = matches!(first.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
            && self.date.is_none();
        let known =
            |array: &ArrayRef| times(array, &self.reader).first().copied().filter(|&us| us > Points::NO_TIME + 1);
        let (true, Some(first), Some(last)) = (is_instant, known(first), known(last)) else { return true };
        start.is_none_or(|start| last >= start) && end.is_none_or(|end| first < end)
    }
}
