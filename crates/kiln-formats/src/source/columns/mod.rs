//! The adapter from tables to points: it assigns columns to roles and converts values of any type to coordinates,
//! weights, times, categories and tracks.
//!
//! [`Plan::of`] selects the columns and decides how to read them, from the schema and, if that is not enough, from the
//! first rows. An [`Adapter`] converts the batches of a part to points according to this plan.

mod adapter;
mod bins;
mod categories;
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

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;

use self::adapter::Adapter;
use self::bins::BinTable;
pub use self::describe::DescribedColumn;
pub(super) use self::describe::{TableDescription, describe};
use self::plan::Plan;
use super::batch::RowFields;
use super::parts::scan_parts;
use super::row_sink::RowSink;
use super::table::{BatchSink, Request, Table};
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
                scan.read_part(part, &mut RejectionCounter { row_sink, has_rows: &has_rows })
            })?;
        Ok((!has_rows.into_inner()).then_some(report))
    }
}

/// Records the rejected rows of a part, and whether there are valid rows.
struct RejectionCounter<'a, 'i, 's> {
    row_sink: &'a mut RowSink<'i, 's>,
    has_rows: &'a AtomicBool,
}

impl BatchSink for RejectionCounter<'_, '_, '_> {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        self.has_rows.fetch_or(batch.num_rows() > 0, Ordering::Relaxed);
        self.row_sink.flow()
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.row_sink.reject(reason);
        self.row_sink.flow()
    }

    fn skip(&mut self, _: u64) -> ControlFlow<()> {
        self.row_sink.flow()
    }

    fn advance(&mut self, bytes: u64) {
        self.row_sink.advance(bytes);
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
            scan.read_part(part, &mut Adapter::new(&plan, row_sink))
        })?;
        plan.check(&report)?;
        report.notices = plan.notices();
        report.weight = plan.weight.as_ref().map(|weight| weight.name.clone());
        Ok(report)
    }
}
