//! Protection of points by a minimum count: points are replaced by the groups of at least `min_count` points.
//!
//! Points are grouped by cell, period of time and category. A group of fewer points than the minimum is dropped, and a
//! larger one is released: as that many equal points at the center of the cell, at the start of the period, each with
//! the mean weight of the group. [`ProtectedPoints`] contains the released groups only, so everything computed from it
//! is a function of released groups: the sums over any bounds, time range, polygon or categories are sums of whole
//! groups, and so is the difference of any two of them.

mod copies;
mod group_filter;
mod protected_points;
mod released;
mod released_times;

pub use protected_points::ProtectedPoints;
pub use released_times::check_released_times;

use crate::error::{Error, Result};
use crate::occupancy::{CellSystem, OccupancyRequest, TimeGrouping};
use crate::parameter::Parameter;
use crate::source::CoordinateSpace;

/// The settings of a protection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Protection {
    /// The minimum number of points of a released group, at least 2.
    min_count: u64,
    /// The side of a cell in meters, or plane units.
    cell_m: Option<f64>,
    /// The length of a period in microseconds; `None`: times are dropped.
    period_us: Option<i64>,
}

impl Protection {
    /// The default side of a cell on the globe, in meters.
    pub const GLOBE_CELL_M: f64 = 100.0;
    /// The default side of a cell on a plane, in plane units (meters).
    pub const PLANE_CELL_M: f64 = 1.0;
    /// The minimum side of a cell in meters, or plane units.
    pub const MIN_CELL_M: f64 = 0.001;
    /// The default length of a period in microseconds: a day.
    pub const PERIOD_US: i64 = 86_400_000_000;
    /// The maximum number of groups of a set of points, released or not, which bounds the memory for them.
    pub const MAX_GROUPS: usize = 10_000_000;

    /// A protection that releases groups of at least `min_count` points of the default cells and periods.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `min_count` if it is less than 2.
    pub fn new(min_count: u64) -> Result<Self> {
        if min_count < 2 {
            let message = format!("{min_count} protects nothing; expected a whole number of at least 2");
            return Err(Error::invalid(Parameter::MIN_COUNT, message));
        }
        Ok(Self { min_count, cell_m: None, period_us: Some(Self::PERIOD_US) })
    }

    /// Sets the side of a cell in meters, or plane units. Default: [`GLOBE_CELL_M`](Self::GLOBE_CELL_M), or
    /// [`PLANE_CELL_M`](Self::PLANE_CELL_M) on a plane.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `min_count_cell` if it is not a number from [`MIN_CELL_M`](Self::MIN_CELL_M).
    pub fn with_cell(mut self, cell_m: f64) -> Result<Self> {
        if !(cell_m.is_finite() && cell_m >= Self::MIN_CELL_M) {
            let message = format!("{cell_m} is not a length from 0.001 m");
            return Err(Error::invalid(Parameter::MIN_COUNT_CELL, message));
        }
        self.cell_m = Some(cell_m);
        Ok(self)
    }

    /// Sets the length of a period in microseconds; `None`: times are dropped. Default: a day.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `min_count_period` if it is less than 1.
    pub fn with_period(mut self, period_us: Option<i64>) -> Result<Self> {
        if period_us.is_some_and(|period_us| period_us < 1) {
            return Err(Error::invalid(Parameter::MIN_COUNT_PERIOD, "expected a length above 0"));
        }
        self.period_us = period_us;
        Ok(self)
    }

    /// The minimum number of points of a released group.
    pub fn min_count(&self) -> u64 {
        self.min_count
    }

    /// The length of a period in microseconds; `None`: times are dropped.
    pub fn period_us(&self) -> Option<i64> {
        self.period_us
    }

    /// The side of a cell in meters, or plane units.
    pub fn cell_m(&self, space: CoordinateSpace) -> f64 {
        self.cell_m.unwrap_or(match space {
            CoordinateSpace::Globe => Self::GLOBE_CELL_M,
            CoordinateSpace::Plane => Self::PLANE_CELL_M,
        })
    }

    /// The cells of points in `space`.
    fn cells(&self, space: CoordinateSpace) -> Result<CellSystem> {
        let cell_m = self.cell_m(space);
        match space {
            CoordinateSpace::Globe => CellSystem::ground(cell_m),
            CoordinateSpace::Plane => CellSystem::square(cell_m),
        }
    }

    /// The request for the groups of points in `space`.
    fn request(&self, space: CoordinateSpace) -> Result<OccupancyRequest> {
        let time = self.period_us.map_or(TimeGrouping::None, |length_us| TimeGrouping::Period { length_us });
        let request = OccupancyRequest::new(self.cells(space)?).with_time(time).with_categories(true);
        Ok(request.with_max_groups(Self::MAX_GROUPS))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
