//! The sink of the batches of a part, whose rows a function converts to points.

use std::ops::ControlFlow;

use arrow_array::RecordBatch;

use crate::source::batch::{Batch, Row};
use crate::source::row_sink::RowSink;
use crate::source::table::BatchSink;

/// Passes batches of at most [`Batch::ROWS`] rows to `convert`, which adds their rows to the row sink.
pub(super) struct ColumnSink<'a, 'i, 's, F> {
    pub(super) row_sink: &'a mut RowSink<'i, 's>,
    pub(super) convert: F,
}

impl<'i, 's, F> BatchSink for ColumnSink<'_, 'i, 's, F>
where
    F: FnMut(&RecordBatch, &mut RowSink<'i, 's>) -> ControlFlow<()>,
{
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        if batch.num_rows() <= Batch::ROWS {
            return (self.convert)(batch, self.row_sink);
        }
        (0..batch.num_rows()).step_by(Batch::ROWS).try_for_each(|start| {
            let rows = batch.slice(start, Batch::ROWS.min(batch.num_rows() - start));
            (self.convert)(&rows, self.row_sink)
        })
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.row_sink.reject(reason);
        self.row_sink.flow()
    }

    fn skip(&mut self, rows: u64) -> ControlFlow<()> {
        // A row without a time never passes a time filter.
        (0..rows).try_for_each(|_| self.row_sink.row(Row::default()))
    }

    fn advance(&mut self, bytes: u64) {
        self.row_sink.advance(bytes);
    }
}
