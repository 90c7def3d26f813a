//! Groups of points.

use super::Cell;
use crate::geo::Points;
use crate::raster::Sums;

/// The key of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The cell.
    pub cell: Cell,
    /// The period of time, or [`NO_PERIOD`](Self::NO_PERIOD).
    pub period: i64,
    /// The index of the category in [`OccupancyGrid::categories`](super::OccupancyGrid::categories), or
    /// [`Categories::NONE`](crate::geo::Categories::NONE).
    pub category: u32,
}

impl GroupKey {
    /// The period of points without a time, and of all points without grouping by time.
    pub const NO_PERIOD: i64 = i64::MIN;
}

/// The points of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group {
    /// The key.
    pub key: GroupKey,
    /// The number of points, at least 1.
    pub count: u64,
    /// The sum of the weights.
    pub weight_sum: f64,
    /// The maximum weight.
    pub weight_max: f32,
    /// The time that tracks were present, in microseconds: see [`Dwell`](super::Dwell). 0 unless the request measures
    /// it.
    pub dwell_us: i64,
}

/// The sums of a group. Weights are summed in units of [`Sums::UNIT`], which is exact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupSums {
    pub(crate) count: u64,
    pub(crate) weight_units: i128,
    pub(crate) weight_max: f32,
}

impl GroupSums {
    /// A weight of 1 in units of [`Sums::UNIT`].
    const ONE_UNITS: i128 = (1.0 / Sums::UNIT) as i128;

    /// The sums of one point.
    pub(crate) fn of(weight: f32) -> Self {
        Self { count: 1, weight_units: to_units(weight), weight_max: weight }
    }

    /// The sums of `count` points of weight 1.
    pub(crate) fn ones(count: u64) -> Self {
        Self { count, weight_units: i128::from(count) * Self::ONE_UNITS, weight_max: 1.0 }
    }

    /// The sums of that many copies of the points.
    pub(crate) fn times(self, copies: u32) -> Self {
        Self {
            count: self.count * u64::from(copies),
            weight_units: self.weight_units * i128::from(copies),
            weight_max: self.weight_max,
        }
    }

    /// Adds the sums of other points.
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.weight_units += other.weight_units;
        self.weight_max = self.weight_max.max(other.weight_max);
    }

    /// The sum of the weights.
    pub(crate) fn weight_sum(self) -> f64 {
        self.weight_units as f64 * Sums::UNIT
    }

    /// The group of these sums.
    pub(crate) fn group(self, key: GroupKey) -> Group {
        Group { key, count: self.count, weight_sum: self.weight_sum(), weight_max: self.weight_max, dwell_us: 0 }
    }
}

/// A weight in units of [`Sums::UNIT`]. Weights beyond the maximum are clamped.
fn to_units(weight: f32) -> i128 {
    let max = f64::from(Points::MAX_WEIGHT);
    (f64::from(weight).clamp(-max, max) / Sums::UNIT).round_ties_even() as i128
}
