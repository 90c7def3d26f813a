//! Occupancy grids: points grouped by cell and, optionally, by period of time and category, as data.
//!
//! A [`CellSystem`] divides the plane or the globe into cells, a [`TimeGrouping`] divides time, and an
//! [`OccupancyRequest`] combines them. The result, an [`OccupancyGrid`], lists the groups that have points. Counts are
//! integers and weights are summed as fixed-point integers, so the result does not depend on the order of the points or
//! on the number of threads, and the grids of consecutive time ranges add up to that of the whole range.

mod accumulator;
mod cell_system;
mod dense;
mod dwell;
mod fast_hash;
mod group;
#[cfg(feature = "h3")]
mod hexagon;
#[cfg(not(feature = "h3"))]
#[path = "no_hexagon.rs"]
mod hexagon;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod time_grouping;

pub use accumulator::OccupancyAccumulator;
pub use cell_system::{Cell, CellSystem};
pub use dense::CellWindow;
pub use dwell::Dwell;
pub(crate) use fast_hash::FastMap;
pub use group::{Group, GroupKey};
pub use time_grouping::{TimeBuckets, TimeGrouping};

use crate::error::{Error, Result};
use crate::geo::{Bounds, Points};
use crate::parameter::Parameter;
use crate::source::{Query, ScanReport, Source, scan_each};

/// A request for an occupancy grid.
#[derive(Clone, Debug)]
pub struct OccupancyRequest {
    /// The cells.
    pub cells: CellSystem,
    /// The grouping by time. Default: none. Points without a time are then in the group of [`GroupKey::NO_PERIOD`].
    pub time: TimeGrouping,
    /// Whether points are grouped by category. Default: `false`.
    pub by_category: bool,
    /// The measurement of dwell. Default: none.
    pub dwell: Option<Dwell>,
    /// The maximum number of groups. Default: 1,000,000.
    pub max_groups: usize,
    /// The maximum number of detections for dwell, of 24 bytes each. Default: 20,000,000.
    pub max_detections: usize,
}

impl OccupancyRequest {
    /// The default of [`max_groups`](Self::max_groups).
    pub const MAX_GROUPS: usize = 1_000_000;
    /// The default of [`max_detections`](Self::max_detections).
    pub const MAX_DETECTIONS: usize = 20_000_000;

    /// A request for the points per cell.
    pub fn new(cells: CellSystem) -> Self {
        Self {
            cells,
            time: TimeGrouping::None,
            by_category: false,
            dwell: None,
            max_groups: Self::MAX_GROUPS,
            max_detections: Self::MAX_DETECTIONS,
        }
    }

    /// `query` with the columns that the request needs.
    #[must_use]
    pub fn query<'q>(&self, query: &Query<'q>) -> Query<'q> {
        let query = query.clone().with_times(self.time.needs_times() || self.dwell.is_some());
        query.with_categories(self.by_category).with_tracks(self.dwell.is_some())
    }

    /// Whether groups are the cells alone, without periods, categories and dwell.
    pub fn is_by_cell(&self) -> bool {
        !self.time.needs_times() && !self.by_category && self.dwell.is_none()
    }

    /// The error of more groups than the request allows.
    fn too_many_groups(&self) -> Error {
        let message = format!("the points are in more than {} cells, the limit; use larger cells", self.max_groups);
        Error::invalid(Parameter::RESOLUTION, message)
    }

    /// Sets the grouping by time.
    #[must_use]
    pub fn with_time(mut self, time: TimeGrouping) -> Self {
        self.time = time;
        self
    }

    /// Sets whether points are grouped by category.
    #[must_use]
    pub fn with_categories(mut self, by_category: bool) -> Self {
        self.by_category = by_category;
        self
    }

    /// Sets the measurement of dwell.
    #[must_use]
    pub fn with_dwell(mut self, dwell: Option<Dwell>) -> Self {
        self.dwell = dwell;
        self
    }

    /// Sets the maximum number of detections for dwell.
    #[must_use]
    pub fn with_max_detections(mut self, max_detections: usize) -> Self {
        self.max_detections = max_detections;
        self
    }

    /// Sets the maximum number of groups.
    #[must_use]
    pub fn with_max_groups(mut self, max_groups: usize) -> Self {
        self.max_groups = max_groups;
        self
    }
}

/// The points of a query, grouped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OccupancyGrid {
    /// The groups that have points, in the order of their keys.
    pub groups: Vec<Group>,
    /// The names of the categories, which [`GroupKey::category`] indexes. Empty without grouping by category.
    pub categories: Vec<Box<str>>,
    /// Whether points have weights. Without weights, the weight of every point is 1.
    pub weighted: bool,
    /// The report of the scan.
    pub report: ScanReport,
}

impl OccupancyGrid {
    /// The number of points of all groups.
    pub fn total(&self) -> u64 {
        self.groups.iter().map(|group| group.count).sum()
    }
}

/// Implements [`PointSet::occupancy`](crate::source::PointSet::occupancy) by a scan of `source` on up to `threads`
/// threads. `bounds` of the points, if they are known, make the scan faster; they do not change the result.
///
/// # Errors
/// As [`Source::scan`], and [`Error::Invalid`] for `resolution` if there are more groups than
/// the request allows, for `start` if there are more detections for dwell than it allows, and for `track` or `time` if
/// the points lack what dwell is computed from.
pub fn scan_occupancy(
    source: &(impl Source + ?Sized),
    query: &Query<'_>,
    request: &OccupancyRequest,
    bounds: Option<Bounds>,
    threads: usize,
) -> Result<OccupancyGrid> {
    let query = request.query(query);
    let mut workers = OccupancyAccumulator::for_workers(request, &query, bounds, threads);
    let report =
        scan_each(source, &query, &mut workers, |worker: &mut OccupancyAccumulator<'_>, points: Points<'_>| {
            worker.add(points)?;
            query.flow()
        });
    let mut merged: Option<OccupancyAccumulator<'_>> = None;
    for worker in workers {
        // The error of a worker, which has stopped the scan, comes before that of the scan.
        match &mut merged {
            Some(merged) => merged.merge(worker)?,
            None => merged = Some(worker.checked()?),
        }
    }
    let report = report?;
    let grid = merged.map_or(Ok(OccupancyGrid::default()), OccupancyAccumulator::finish)?;
    Ok(OccupancyGrid { report, ..grid })
}
