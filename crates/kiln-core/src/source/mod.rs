//! Sources of points: the traits, queries and reports, and points in memory.
//!
//! A [`Source`] is scanned by one worker thread per sink. Each sink belongs to one worker, so it needs no lock; with a
//! single sink, points are delivered in input order. A sink that returns [`ControlFlow::Break`] cancels the scan.

pub mod batch;
pub mod category_dictionary;
mod category_set;
mod comparison;
mod coordinate_space;
mod damaged_points;
mod filter_key;
mod filtered_points;
pub(crate) mod memory_source;
pub mod parts;
mod point_columns;
mod point_digest;
mod point_set;
mod points_within;
mod progress;
mod query;
mod read_options;
mod report;
mod resident_points;
pub mod role;
pub mod row_sink;
mod spatial_order;
#[cfg(test)]
#[allow(clippy::unwrap_used, dead_code, reason = "the tests of the readers in kiln-formats use the same file")]
mod testing;
pub mod time;

pub use category_set::{CategoryCollector, CategorySet, TooManyCategories};
pub use comparison::{Comparison, Operand, Operator};
pub use coordinate_space::CoordinateSpace;
pub use damaged_points::DamagedPoints;
pub use filtered_points::FilteredPoints;
pub use memory_source::MemorySource;
pub use point_columns::PointColumns;
pub use point_digest::PointDigest;
pub use point_set::{
    CategoryList, Description, PointSet, Provider, TableColumn, Totals, scan_cells, scan_count, scan_each, scan_range,
    scan_sample,
};
pub use points_within::{PointOrder, PointWithin, PointsWithin, points_within, points_within_tolerance};
pub use progress::Progress;
pub use query::{ColumnSelection, Columns, Filter, Query, ScanContext};
pub use read_options::{AxisOrder, Quote, ReadOptions};
pub use report::{IgnoredValues, Notice, Rejection, ScanReport};
pub use resident_points::ResidentPoints;
pub use role::Role;
pub use spatial_order::in_spatial_order;
pub use time::parse_time_us;

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::geo::Points;

/// The callback that receives the batches of a worker thread.
pub type Sink<'s> = dyn FnMut(Points<'_>) -> ControlFlow<()> + Send + 's;

/// A source of points.
pub trait Source: Send + Sync {
    /// Passes every valid point that matches `query` to `sinks`, on one worker thread per sink.
    ///
    /// Points are valid if their coordinates are in `query.columns.space`; the others are counted in the report.
    ///
    /// # Errors
    /// If the input cannot be read or lacks a column that `query` requires. Single invalid rows are not an error: they
    /// are counted, and the first of them are described in the [`ScanReport`].
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport>;
}

/// Converts an I/O error while reading `name`. An unexpected end of file means that the file changed.
pub fn read_error(name: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::input(name, "the file changed while it was read");
    }
    Error::io(name, "read", error)
}
