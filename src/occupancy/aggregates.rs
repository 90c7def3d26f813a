//! Aggregates of a set of points.

use super::Group;

/// Aggregates of a set of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aggregates {
    /// The number of points.
    pub count: u64,
    /// The sum of the weights; without weights, that of ones.
    pub weight_sum: f64,
    /// The maximum weight; negative infinity of no points.
    pub weight_max: f64,
    /// The time of presence in microseconds; 0 unless it is measured.
    pub dwell_us: i64,
}

impl Default for Aggregates {
    fn default() -> Self {
        Self { count: 0, weight_sum: 0.0, weight_max: f64::NEG_INFINITY, dwell_us: 0 }
    }
}

impl Aggregates {
    /// Adds the points of a disjoint set.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.weight_sum += other.weight_sum;
        self.weight_max = self.weight_max.max(other.weight_max);
        self.dwell_us += other.dwell_us;
    }

    /// Those of the points in `self` and not in the subset `part`. The maximum weight is unknown: NaN, unless no points
    /// remain, or all do.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        let count = self.count.saturating_sub(part.count);
        let weight_max = match (count, part.count) {
            (0, _) => f64::NEG_INFINITY,
            (_, 0) => self.weight_max,
            _ => f64::NAN,
        };
        let (weight_sum, dwell_us) = (self.weight_sum - part.weight_sum, (self.dwell_us - part.dwell_us).max(0));
        Self { count, weight_sum, weight_max, dwell_us }
    }
}

impl From<&Group> for Aggregates {
    fn from(group: &Group) -> Self {
        let Group { count, weight_sum, weight_max, dwell_us, .. } = *group;
        Self { count, weight_sum, weight_max: weight_max.into(), dwell_us }
    }
}
