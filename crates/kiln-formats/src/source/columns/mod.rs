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

use self::adapter::Adapter;
use self::plan::Plan;
use super::parts::scan_parts;
use super::table::Table;
use super::{Query, ReadOptions, ScanReport, Sink, Source};
use kiln_core::error::Result;

/// The key in a field's metadata of the name of its extension type.
pub(super) const EXTENSION_NAME: &str = "ARROW:extension:name";
/// The key in a field's metadata of a JSON object that holds the coordinate reference system as `crs`.
pub(super) const EXTENSION_METADATA: &str = "ARROW:extension:metadata";

/// The points of a table.
pub(super) struct Points {
    table: Box<dyn Table>,
    options: ReadOptions,
}

impl Points {
    /// The points of `table`, read as `options` say.
    pub(super) fn of(table: impl Table + 'static, options: &ReadOptions) -> Self {
        Self { table: Box::new(table), options: options.clone() }
    }
}

impl Source for Points {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let plan = Plan::of(&*self.table, &self.options, query)?;
        let request = plan.request(query, sinks.len());
        let scan = self.table.scan(&request)?;
        if let Some(progress) = query.scan.progress {
            progress.expect_bytes(scan.bytes());
        }
        let name = self.table.name();
        let mut report = scan_parts(name, scan.parts(), query, plan.has(), sinks, |part, intake| {
            scan.read_part(part, &mut Adapter::new(&plan, intake))
        })?;
        plan.check(&report)?;
        report.notices = plan.notices();
        report.weight = plan.weight.as_ref().map(|weight| weight.name.clone());
        Ok(report)
    }
}
