//! The first rows of a table, from which it is decided how columns without types are read.

use std::ops::ControlFlow;

use arrow_array::RecordBatch;

use super::values::{for_each_text, is_text, unpacked, value_text};
use crate::source::table::{BatchSink, Form, Request, Requested, Table};
use kiln_core::error::Result;
use kiln_core::source::role::quoted;

/// The values of some columns in the first rows, as texts.
#[derive(Debug, Default)]
pub(super) struct Sample {
    columns: Vec<Requested>,
    values: Vec<Vec<Option<String>>>,
}

impl Sample {
    /// Rows that a sample has at most.
    const ROWS: usize = 1000;

    /// Reads the first rows of `columns`; without columns, nothing.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub(super) fn of(table: &dyn Table, columns: Vec<Requested>) -> Result<Self> {
        let mut sample = Self::default();
        read_texts(table, columns, |batch| {
            sample.values.resize(batch.num_columns(), Vec::new());
            for (column, values) in batch.columns().iter().zip(&mut sample.values) {
                let column = unpacked(column);
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

    /// The values of a column that are not blank, without the spaces around them.
    pub(super) fn values(&self, column: &Requested) -> impl Iterator<Item = &str> {
        let same = |known: &Requested| (known.index, &known.name) == (column.index, &column.name);
        let place = self.columns.iter().position(same);
        let values = place.and_then(|place| self.values.get(place)).into_iter().flatten();
        values.filter_map(|value| value.as_deref().map(str::trim)).filter(|value| !value.is_empty())
    }

    /// The first value of a column, for a message.
    pub(super) fn first(&self, column: &Requested) -> String {
        self.values(column).next().map(quoted).unwrap_or_default()
    }
}

/// Reads `columns` as texts, in the order of the rows, until `take` returns `true`; returns the columns.
///
/// # Errors
/// If the table cannot be read.
pub(super) fn read_texts(
    table: &dyn Table,
    columns: Vec<Requested>,
    take: impl FnMut(&RecordBatch) -> bool,
) -> Result<Vec<Requested>> {
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
    let columns = columns.into_iter().map(|column| Requested { form: Form::Text, ..column }).collect();
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
