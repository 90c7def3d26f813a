//! The adapter from tables to points: the one place that knows which column is which, and how values of any type become
//! coordinates, weights, times and categories.
//!
//! [`Plan::of`] finds the columns and decides how they are read, from the schema and where that says too little from the
//! first rows. An [`Adapter`] turns the batches of a part into points by this plan.

mod adapter;
mod categories;
mod find;
mod places;
mod plan;
mod sample;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod times;
mod values;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;

use self::adapter::Adapter;
use self::plan::Plan;
use super::batch::RowFields;
use super::parts::scan_parts;
use super::row_sink::RowSink;
use super::table::{BatchSink, Request, Table};
use super::{Query, ReadOptions, ScanReport, Sink, Source};
use kiln_core::error::Result;

/// The key in a field's metadata of the name of its extension type.
pub(super) const EXTENSION_NAME: &str = "ARROW:extension:name";
/// The key in a schema's metadata of a table whose numbers may have a decimal comma.
pub(super) const DECIMAL_COMMA: &str = "kiln:decimal_comma";
/// The key in a field's metadata of a JSON object that holds the coordinate reference system as `crs`.
pub(super) const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

/// The points of a table.
pub(super) struct TablePoints {
    table: Box<dyn Table>,
    options: ReadOptions,
}

impl TablePoints {
    /// The points of `table`, read as `options` say.
    pub(super) fn of(table: impl Table + 'static, options: &ReadOptions) -> Self {
        Self { table: Box::new(table), options: options.clone() }
    }
}

impl TablePoints {
    /// The report of a table in which no row has any column; `None` if a row could be read nonetheless.
    fn rejected(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<Option<ScanReport>> {
        let request = Request { columns: Vec::new(), workers: sinks.len(), time_range: None };
        let (scan, has_rows) = (self.table.scan(&request)?, AtomicBool::new(false));
        let report =
            scan_parts(self.table.name(), scan.parts(), query, RowFields::default(), sinks, |part, row_sink| {
                scan.read_part(part, &mut Rejected { row_sink, has_rows: &has_rows })
            })?;
        Ok((!has_rows.into_inner()).then_some(report))
    }
}

/// Takes the rejected rows of a part, and notes whether there are others.
struct Rejected<'a, 'i, 's> {
    row_sink: &'a mut RowSink<'i, 's>,
    has_rows: &'a AtomicBool,
}

impl BatchSink for Rejected<'_, '_, '_> {
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
        let plan = match Plan::of(&*self.table, &self.options, query) {
            // Without rows, the columns of a table that is not typed are not known.
            Err(error) if self.table.is_open() && self.table.schema().fields().is_empty() => {
                return self.rejected(query, sinks)?.ok_or(error);
            }
            plan => plan?,
        };
        let request = plan.request(query, sinks.len());
        let scan = self.table.scan(&request)?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(scan.bytes());
        }
        let name = self.table.name();
        let mut report = scan_parts(name, scan.parts(), query, plan.has(), sinks, |part, row_sink| {
            scan.read_part(part, &mut Adapter::new(&plan, row_sink))
        })?;
        plan.check(&report)?;
        report.notices = plan.notices();
        report.weight = plan.weight.as_ref().map(|weight| weight.name.clone());
        Ok(report)
    }
}
