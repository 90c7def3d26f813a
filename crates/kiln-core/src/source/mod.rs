//! Points in: what every source of points is, and those in memory.
//!
//! A [`Source`] is scanned by as many worker threads as it is given sinks. Each sink belongs to one worker, so a sink
//! needs no lock; with a single sink the points come in the order of the input. A sink that answers
//! [`ControlFlow::Break`] stops the scan.

pub mod batch;
pub mod category_dictionary;
mod comparison;
mod memory_source;
pub mod parts;
mod point_columns;
mod point_set;
mod progress;
mod query;
mod read_options;
mod report;
mod resident_points;
pub mod role;
pub mod row_sink;
#[cfg(test)]
#[allow(clippy::unwrap_used, dead_code, reason = "the tests of the readers in kiln-formats use the same file")]
mod testing;
pub mod time;

pub use comparison::{Comparison, Operand, Operator};
pub use memory_source::MemorySource;
pub use point_columns::PointColumns;
pub use point_set::{
    CategoryList, Description, PointSet, Provider, Totals, scan_cells, scan_count, scan_each, scan_sample,
};
pub use progress::Progress;
pub use query::{ColumnSelection, Columns, Filter, Query, ScanContext};
pub use read_options::{AxisOrder, Quote, ReadOptions};
pub use report::{IgnoredValues, Notice, Rejection, ScanReport};
pub use resident_points::{PointWithin, ResidentPoints, points_within};
pub use role::Role;
pub use time::parse_time_us;

use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::geo::Points;

/// What takes the batches of one worker thread.
pub type Sink<'s> = dyn FnMut(Points<'_>) -> ControlFlow<()> + Send + 's;

/// Where points come from.
pub trait Source: Send + Sync {
    /// Pushes every valid point that passes `query` into `sinks`, one worker thread per sink.
    ///
    /// Points that are pushed have passed the check of `query.columns.space`; the others are counted in the report.
    ///
    /// # Errors
    /// If the input cannot be read or does not hold what `query` needs. Single bad rows are no error: they are
    /// counted and the first of them are explained in the [`ScanReport`].
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport>;
}

/// Which coordinates are valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoordinateSpace {
    /// Degrees: |latitude| ≤ 90, |longitude| ≤ 360, both finite.
    #[default]
    Globe,
    /// Plane units: any finite number.
    Plane,
}

impl CoordinateSpace {
    /// Whether x comes around to where it began.
    pub fn wraps(self) -> bool {
        self == Self::Globe
    }
}

/// What an error while `name` is read means: a file that ends too early has changed.
pub fn read_error(name: &str, error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::input(name, "the file changed while it was read");
    }
    Error::io(name, "read", error)
}
