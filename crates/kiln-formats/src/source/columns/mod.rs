//! The adapter from tables to points: it assigns columns to roles and converts values of any type to coordinates,
//! weights, times, categories and tracks.
//!
//! [`Plan::of`] selects the columns and decides how to read them, from the schema and, if that is not enough, from the
//! first rows. An [`Adapter`] converts the batches of a part to points according to this plan.

mod adapter;
mod bins;
mod categories;
mod column_sink;
mod coordinates;
mod describe;
mod find;
mod plan;
mod quadbin;
mod sample;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod times;
mod tracks;
mod values;

use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;

use self::adapter::Adapter;
use self::bins::BinTable;
use self::column_sink::ColumnSink;
pub use self::describe::DescribedColumn;
pub(super) use self::describe::{TableDescription, describe};
use self::plan::Plan;
use super::batch::RowFields;
use super::parts::scan_parts;
use super::row_sink::RowSink;
use super::table::{Request, Table};
use super::{Query, ReadOptions, ScanReport, Sink, Source};
use kiln_core::error::Result;

/// The key of the extension type name in field metadata.
pub(super) const EXTENSION_NAME: &str = "ARROW:extension:name";
/// The key in schema metadata that marks a table with decimal commas.
pub(super) const DECIMAL_COMMA: &str = "kiln:decimal_comma";
/// The key in field metadata of a JSON object whose member `crs` is the coordinate reference system.
pub(super) const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

/// A table as a source of points.
pub(super) struct TablePoints {
    table: Box<dyn Table>,
    options: ReadOptions,
}

impl TablePoints {
    /// A source that reads `table` with `options`.
    pub(super) fn new(table: Box<dyn Table>, options: &ReadOptions) -> Self {
        Self { table, options: options.clone() }
    }

    #[cfg(test)]
    pub(super) fn of(table: impl Table + 'static, options: &ReadOptions) -> Self {
        Self::new(Box::new(table), options)
    }
}

impl TablePoints {
    /// Reads a table without known columns and returns the report of its rejected rows; `None` if a row could be read.
    fn scan_rejected(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<Option<ScanReport>> {
        let request = Request { columns: Vec::new(), workers: sinks.len(), time_range: None };
        let (scan, has_rows) = (self.table.scan(&request)?, AtomicBool::new(false));
        let report =
            scan_parts(self.table.name(), scan.parts(), query, RowFields::default(), sinks, |part, row_sink| {
                let convert = |batch: &RecordBatch, row_sink: &mut RowSink<'_, '_>| {
                    has_rows.fetch_or(batch.num_rows() > 0, Ordering::Relaxed);
                    row_sink.flow()
                };
                scan.read_part(part, &mut ColumnSink { row_sink, convert })
            })?;
        Ok((!has_rows.into_inner()).then_some(report))
    }
}

impl Source for TablePoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if let Some(bins) = BinTable::find(&*self.table, query)? {
            return bins.scan(&*self.table, &self.options, query, sinks);
        }
        let plan = match Plan::of(&*self.table, &self.options, query) {
            // The columns of an open table are unknown if its first rows are all invalid.
            Err(error) if self.table.is_open() && self.table.schema().fields().is_empty() => {
                return self.scan_rejected(query, sinks)?.ok_or(error);
            }
            plan => plan?,
        };
        let request = plan.request(query, sinks.len());
        let scan = self.table.scan(&request)?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(scan.bytes());
        }
        let name = self.table.name();
        let mut report = scan_parts(name, scan.parts(), query, plan.row_fields(), sinks, |part, row_sink| {
            let mut adapter = Adapter::new(&plan);
            let convert = |batch: &RecordBatch, row_sink: &mut RowSink<'_, '_>| adapter.push_rows(batch, row_sink);
            scan.read_part(part, &mut ColumnSink { row_sink, convert })
        })?;
        plan.check(&report)?;
        report.notices = plan.notices();
        report.weight = plan.weight.as_ref().map(|weight| weight.name.clone());
        Ok(report)
    }
}
