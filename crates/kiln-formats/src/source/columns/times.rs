//! Times: one column, or one of dates and one of times of day.

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::adapter::explain;
use super::values::{is_blank, is_text, or_missing, shown_value, times, unpacked, value_text};
use kiln_core::geo::Points;
use kiln_core::source::time::{TimeError, TimeReader};

/// How the times of rows are read.
#[derive(Debug)]
pub(super) struct TimeColumn {
    /// Its place among the columns of a batch.
    pub(super) column: usize,
    /// The column of the dates where `column` has times of day.
    pub(super) date: Option<usize>,
    pub(super) name: String,
    /// Whether the user names it: a row whose time cannot be read is then rejected.
    pub(super) is_named: bool,
    pub(super) reader: TimeReader,
}

impl TimeColumn {
    /// The times in microseconds since 1970-01-01 UTC, [`Points::NO_TIME`] where there is none and
    /// [`UNREADABLE`](super::values::UNREADABLE) where it cannot be read.
    pub(super) fn read(&self, batch: &RecordBatch) -> Vec<i64> {
        let array = batch.column(self.column);
        match self.date {
            None => times(array, &self.reader),
            Some(date) => {
                (0..array.len()).map(|row| or_missing(self.date_and_time(batch.column(date), array, row))).collect()
            }
        }
    }

    fn date_and_time(&self, date: &ArrayRef, time: &ArrayRef, row: usize) -> Result<Option<i64>, TimeError> {
        let text = |array: &ArrayRef| if array.is_null(row) { String::new() } else { value_text(array, row) };
        self.reader.date_and_time(&text(date), &text(time))
    }

    /// Says what is wrong with the time of a row.
    pub(super) fn explain(&self, batch: &RecordBatch, row: usize) -> String {
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
            let value = unpacked(&array.slice(row, 1));
            let error = match value.data_type() {
                data_type if is_text(data_type) => self.reader.parse(&value_text(&value, 0)).err(),
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => None,
                _ => Some(TimeError::NotInRange),
            };
            (shown_value(array, row), error)
        };
        match error {
            Some(error) => format!("{name}: {shown} {error}"),
            None => explain(array, name, row, "a time"),
        }
    }

    /// Whether rows whose times lie between two values may have one from `start` to before `end`.
    pub(super) fn may_hold(&self, first: &ArrayRef, last: &ArrayRef, start: Option<i64>, end: Option<i64>) -> bool {
        let is_instant = matches!(first.data_type(), DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
            && self.date.is_none();
        let known =
            |array: &ArrayRef| times(array, &self.reader).first().copied().filter(|&us| us > Points::NO_TIME + 1);
        let (true, Some(first), Some(last)) = (is_instant, known(first), known(last)) else { return true };
        start.is_none_or(|start| last >= start) && end.is_none_or(|end| first < end)
    }
}
