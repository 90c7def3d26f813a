//! Counts of the points that are older than a time, before they are removed.

use super::append::Batch;
use super::filter::Filter;
use super::segment::Segment;
use super::snapshot::Snapshot;
use kiln_core::geo::Points;
use kiln_core::source::Query;

/// The number of points that a removal by age affects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// The number of all points.
    pub points: u64,
    /// The number of points that are too old. Points without a time are never too old.
    pub expired: u64,
    /// The first and the last time of all points.
    pub time_us: Option<[i64; 2]>,
}

impl Expiry {
    /// Whether at least half of the points are too old: more than points that arrive continuously lose at a time.
    pub fn is_large(&self) -> bool {
        self.expired > 0 && self.expired >= self.points.saturating_sub(self.expired)
    }

    /// The counts of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let time_us = match (self.time_us, other.time_us) {
            (Some([first, last]), Some([from, to])) => Some([first.min(from), last.max(to)]),
            (one, other) => one.or(other),
        };
        let [points, expired] = [[self.points, other.points], [self.expired, other.expired]];
        let sum = |[one, other]: [u64; 2]| one.saturating_add(other);
        Self { points: sum(points), expired: sum(expired), time_us }
    }

    /// The points of a segment with times before `before_us`.
    pub(super) fn of_segment(segment: &Segment, before_us: i64) -> Self {
        let query = Query::default().with_end(Some(before_us));
        let expired = match Filter::of(&query, segment) {
            None => 0,
            Some(None) => segment.entry.point_count(),
            Some(Some(filter)) => {
                let batches = segment.points.batch_ranges(segment.all());
                let counts = batches.map(|(batch, rows)| filter.count_points(batch, rows));
                counts.fold(0, u64::saturating_add)
            }
        };
        Self { points: segment.entry.point_count(), expired, time_us: segment.entry.totals.time_us }
    }
}

impl Snapshot {
    /// Counts the points with times before `before_us`, in microseconds since 1970-01-01 UTC.
    pub fn expiry(&self, before_us: i64) -> Expiry {
        let of = |segment: &std::sync::Arc<Segment>| Expiry::of_segment(segment, before_us);
        self.segments.iter().map(of).fold(Expiry::default(), Expiry::and)
    }
}

impl Batch {
    /// Counts the points with times before `before_us`, in microseconds since 1970-01-01 UTC.
    pub fn expiry(&self, before_us: i64) -> Expiry {
        let times = || self.rows.time_us.iter().copied().filter(|&time| time != Points::NO_TIME);
        let is_expired =
            |row: &usize| self.rows.time_us[*row] != Points::NO_TIME && self.rows.time_us[*row] < before_us;
        let expired = (0..self.rows.time_us.len()).filter(is_expired);
        let n = |row: usize| self.rows.n.get(row).copied().unwrap_or(1);
        Expiry {
            points: self.points(),
            expired: expired.fold(0, |sum: u64, row| sum.saturating_add(n(row))),
            time_us: times().min().zip(times().max()).map(|(first, last)| [first, last]),
        }
    }
}
