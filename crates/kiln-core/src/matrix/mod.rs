//! Matrices: points grouped by the values of two axes, such as the hour and the day of the week, as data.
//!
//! A [`MatrixRequest`] names the [`Axis`] of the columns (x) and of the rows (y). The result, a [`PointMatrix`], lists the
//! cells that have points. Counts are integers and weights are summed as fixed-point integers, so the result does not
//! depend on the order of the points or on the number of threads.

mod accumulator;
mod axis;
mod axis_index;
mod cell_sums;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use accumulator::MatrixAccumulator;
pub use axis::{Axis, AxisKeys, BinQuantity, NumberBins};

use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::geo::Points;
use crate::parameter::Parameter;
use crate::source::{Query, ScanReport, Source, scan_each};

/// A request for a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixRequest {
    /// The axis of the columns.
    pub x: Axis,
    /// The axis of the rows.
    pub y: Axis,
    /// The time zone of parts of time. Default: UTC.
    pub zone: TimeZone,
    /// A numeric column of a live table whose values are aggregated in place of the weights; only live tables support it.
    /// Rows without a value in it are skipped. Default: the weights.
    pub value: Option<String>,
    /// The maximum number of columns times rows. Default: 250,000.
    pub max_cells: usize,
}

impl MatrixRequest {
    /// The default of [`max_cells`](Self::max_cells).
    pub const MAX_CELLS: usize = 250_000;

    /// A request for the matrix of two axes, with times in UTC.
    pub fn new(x: Axis, y: Axis) -> Self {
        Self { x, y, zone: TimeZone::UTC, value: None, max_cells: Self::MAX_CELLS }
    }

    /// Sets the time zone.
    #[must_use]
    pub fn with_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Sets the column of the values.
    #[must_use]
    pub fn with_value(mut self, value: Option<String>) -> Self {
        self.value = value;
        self
    }

    /// Sets the maximum number of cells.
    #[must_use]
    pub fn with_max_cells(mut self, max_cells: usize) -> Self {
        self.max_cells = max_cells;
        self
    }

    /// The axes.
    pub fn axes(&self) -> [&Axis; 2] {
        [&self.x, &self.y]
    }

    /// `query` with the columns that the request needs. Weights are read if `query` does, or an axis needs them.
    #[must_use]
    pub fn query<'q>(&self, query: &Query<'q>) -> Query<'q> {
        let any = |needs: fn(&Axis) -> bool| self.axes().into_iter().any(needs);
        let query = query.clone();
        let weights = query.columns.weights || any(Axis::needs_weights);
        let query = query.with_weights(weights).with_times(any(Axis::needs_times));
        query.with_categories(any(Axis::needs_categories)).with_positions(any(Axis::needs_positions))
    }

    /// The error of more cells than the request allows.
    pub fn too_many_cells(&self) -> Error {
        let message = format!(
            "the matrix has more than {} cells, the limit; use axes with fewer values, or fewer points",
            self.max_cells
        );
        Error::invalid(Parameter::X, message)
    }
}

/// A cell that has points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatrixCell {
    /// The index of the column in [`PointMatrix::x`].
    pub x: u32,
    /// The index of the row in [`PointMatrix::y`].
    pub y: u32,
    /// The number of points, at least 1.
    pub count: u64,
    /// The sum of the weights.
    pub sum: f64,
    /// The maximum weight.
    pub max: f64,
}

/// The points of a query, grouped by two axes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointMatrix {
    /// The values of the x axis that points have, ascending.
    pub x: AxisKeys,
    /// The values of the y axis that points have, ascending.
    pub y: AxisKeys,
    /// The cells that have points, by row and column.
    pub cells: Vec<MatrixCell>,
    /// The number of points that are in no cell, because they have no value on an axis, such as no time.
    pub unplaced: u64,
    /// Whether the values are numbers of a table in double precision or decimals, rather than weights of 32 bits.
    pub has_doubles: bool,
    /// The report of the scan.
    pub report: ScanReport,
}

/// Implements [`PointSet::matrix`](crate::source::PointSet::matrix) by a scan of `source` on up to `threads` threads.
///
/// # Errors
/// As [`Source::scan`], and [`Error::Invalid`] for `x` if there are more cells than the request allows, or an axis or the
/// value is a column of a table.
pub fn scan_matrix(
    source: &(impl Source + ?Sized),
    query: &Query<'_>,
    request: &MatrixRequest,
    threads: usize,
) -> Result<PointMatrix> {
    let query = request.query(query);
    let mut workers = MatrixAccumulator::for_workers(request, threads)?;
    let report = scan_each(source, &query, &mut workers, |worker: &mut MatrixAccumulator<'_>, points: Points<'_>| {
        worker.add(points)?;
        query.flow()
    });
    // The error of a worker, which has stopped the scan, comes before that of the scan.
    let matrix = MatrixAccumulator::finish_all(workers)?;
    Ok(PointMatrix { report: report?, ..matrix })
}
