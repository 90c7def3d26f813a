//! The first rows of a table, used to decide how to read columns without types.

use std::ops::ControlFlow;

use arrow_array::RecordBatch;

use super::values::{decoded, for_each_text, is_text, value_text};
use crate::source::table::{BatchSink, Request, RequestedColumn, Table, ValueType};
use kiln_core::error::Result;
use kiln_core::source::role::quoted;

/// The values of some columns in the first rows, as strings.
#[derive(Debug, Default)]
pub(super) struct Sample {
    columns: Vec<RequestedColumn>,
    values: Vec<Vec<Option<String>>>,
}

impl Sample {
    /// The number of rows after which reading stops.
    const ROWS: usize = 1000;

    /// Reads the first rows of `columns`. Without columns, the sample is empty and nothing is read.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub(super) fn of(table: &dyn Table, columns: Vec<RequestedColumn>) -> Result<Self> {
        let mut sample = Self::default();
        read_strings(table, columns, |batch| {
            sample.values.resize(batch.num_columns(), Vec::new());
            for (column, values) in batch.columns().iter().zip(&mut sample.values) {
                let column = decoded(column);
                if is_text(column.data_type()) {
                    for_each_text(&column, |text| values.push(text.map(str::to_owned)));
                } else {
                    let text = |row| (!column.is_null(row)).then(|| value_text(&column, row));
                    values.extend((0..column.len()).map(text));
                }
            }
            sample.values.first().is_some_and(|values| values.len() >= Self::ROWS)
        })
        .map(|columns| Self { columns, ..sample })
    }

    /// The values of a column, trimmed and without blank ones.
    pub(super) fn values(&self, column: &RequestedColumn) -> impl Iterator<Item = &str> {
        let same = |known: &RequestedColumn| (known.index, &known.name) == (column.index, &column.name);
        let index = self.columns.iter().position(same);
        let values = index.and_then(|index| self.values.get(index)).into_iter().flatten();
        values.filter_map(|value| value.as_deref().map(str::trim)).filter(|value| !value.is_empty())
    }

    /// The first value of a column, for a message.
    pub(super) fn first(&self, column: &RequestedColumn) -> String {
        self.values(column).next().map(quoted).unwrap_or_default()
    }
}

/// Reads `columns` as strings, in row order, until `take` returns `true`. Returns the columns.
///
/// # Errors
/// If the table cannot be read.
pub(super) fn read_strings(
    table: &dyn Table,
    columns: Vec<RequestedColumn>,
    take: impl FnMut(&RecordBatch) -> bool,
) -> Result<Vec<RequestedColumn>> {
    struct Sink<T>(T);
    impl<T: FnMut(&RecordBatch) -> bool> BatchSink for Sink<T> {
        fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
            if (self.0)(batch) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn reject(&mut self, _: &dyn Fn() -> String) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn skip(&mut self, _: u64) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn advance(&mut self, _: u64) {}
    }
    if columns.is_empty() {
        return Ok(columns);
    }
    let columns = columns.into_iter().map(|column| RequestedColumn { value_type: ValueType::Text, ..column }).collect();
    let request = Request { columns, workers: 1, time_range: None };
    let scan = table.scan(&request)?;
    let mut sink = Sink(take);
    for part in 0..scan.parts() {
        if scan.read_part(part, &mut sink)?.is_break() {
            break;
        }
    }
    drop(scan);
    Ok(request.columns)
}
