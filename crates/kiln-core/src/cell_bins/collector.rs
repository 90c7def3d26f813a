//! Collects points into records of sums.

use std::ops::Range;

use super::record::max_of;
use super::{BinGroup, BinRecord, BinsRequest, ExactSum};
use crate::geo::{Categories, Points, morton};

/// Columns of points in units of a [`Frame`](crate::geo::Frame).
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitColumns<'a> {
    /// The units to the east.
    pub x: &'a [u32],
    /// The units to the south.
    pub y: &'a [u32],
    /// Weights; `None` if every point weighs 1. Of rows that stand for many points, the greatest weights; NaN if unknown.
    pub weight: Option<&'a [f32]>,
    /// The numbers of points of rows that stand for many points; `None` if each row is one point.
    pub n: Option<&'a [u64]>,
    /// The sums of the weights of such rows; `None` if every point weighs 1.
    pub sum: Option<&'a [f64]>,
    /// Times in microseconds, or [`Points::NO_TIME`]; `None` if no point has a time.
    pub time_us: Option<&'a [i64]>,
    /// Categories, or [`Categories::NONE`]; `None` if no point has a category.
    pub category: Option<&'a [u32]>,
}

/// Sums points per group. The memory is that of the records: consecutive points of a group are one record, others are
/// merged by [`compact`](Self::compact).
#[derive(Debug, Default)]
pub struct BinCollector {
    request: BinsRequest,
    records: Vec<BinRecord>,
    current: Option<(BinGroup, u64, f32)>,
    sum: ExactSum,
    keys: Vec<u64>,
}

impl BinCollector {
    /// An empty collector.
    pub fn new(request: BinsRequest) -> Self {
        Self { request, ..Self::default() }
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.records.len() + usize::from(self.current.is_some())
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds points.
    pub fn add(&mut self, points: &UnitColumns<'_>) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.resize(points.x.len(), 0);
        morton::keys(points.x, points.y, &mut keys);
        let times = self.request.period_us.and(points.time_us);
        let categories = if self.request.by_category { points.category } else { None };
        if times.is_none() && categories.is_none() {
            self.add_cells(&keys, points);
        } else {
            for (i, &key) in keys.iter().enumerate() {
                let group = BinGroup {
                    cell: self.request.cell_of(key),
                    time_us: times.map_or(Points::NO_TIME, |times| self.period(times[i])),
                    category: categories.map_or(Categories::NONE, |categories| categories[i]),
                };
                self.enter(group);
                self.count(points, i..i + 1);
            }
        }
        self.keys = keys;
    }

    /// Adds a record of sums.
    pub fn add_record(&mut self, record: BinRecord) {
        self.close();
        self.records.push(record);
    }

    /// Adds points that are grouped by cell alone.
    fn add_cells(&mut self, keys: &[u64], points: &UnitColumns<'_>) {
        let mut start = 0;
        while start < keys.len() {
            let cell = self.request.cell_of(keys[start]);
            let end = keys[start..].iter().position(|&key| self.request.cell_of(key) != cell);
            let end = end.map_or(keys.len(), |length| start + length);
            self.enter(BinGroup { cell, time_us: Points::NO_TIME, category: Categories::NONE });
            self.count(points, start..end);
            start = end;
        }
    }

    /// Adds rows to the current group.
    #[inline]
    fn count(&mut self, points: &UnitColumns<'_>, rows: Range<usize>) {
        let Some((_, n, max)) = &mut self.current else { return };
        let own = points.n.map_or(rows.len() as u64, |n| n[rows.clone()].iter().copied().fold(0, u64::saturating_add));
        *n = n.saturating_add(own);
        match (points.weight, points.sum) {
            (Some(weights), None) => {
                for &weight in &weights[rows] {
                    self.sum.add(f64::from(weight));
                    *max = max.max(weight);
                }
            }
            (Some(weights), Some(sums)) => {
                for (&weight, &sum) in weights[rows.clone()].iter().zip(&sums[rows]) {
                    self.sum.add(sum);
                    *max = max_of(*max, weight);
                }
            }
            (None, _) => {
                self.sum.add(own as f64);
                *max = max.max(1.0);
            }
        }
    }

    /// Makes `group` the current group.
    #[inline]
    fn enter(&mut self, group: BinGroup) {
        if self.current.is_none_or(|(current, ..)| current != group) {
            self.close();
            self.current = Some((group, 0, f32::NEG_INFINITY));
        }
    }

    /// Appends the records of the current group.
    fn close(&mut self) {
        if let Some((group, mut n, mut max)) = self.current.take() {
            for sum in self.sum.parts() {
                self.records.push(BinRecord { group, n, sum, max });
                (n, max) = (0, f32::NEG_INFINITY);
            }
            self.sum.clear();
        }
    }

    /// The begin of the period of a time.
    fn period(&self, time_us: i64) -> i64 {
        match self.request.period_us {
            Some(length) if time_us != Points::NO_TIME => {
                let length = length.max(1);
                time_us.div_euclid(length).saturating_mul(length)
            }
            _ => Points::NO_TIME,
        }
    }

    /// Sorts the records, and merges those of the same group.
    pub fn compact(&mut self) {
        self.close();
        // Stable, because that merges runs in linear time.
        if !self.records.is_sorted_by_key(|record| record.group) {
            self.records.sort_by_key(|record| record.group);
        }
        let mut merged = 0;
        let mut start = 0;
        while start < self.records.len() {
            let group = self.records[start].group;
            let length = self.records[start..].iter().position(|record| record.group != group);
            let end = length.map_or(self.records.len(), |length| start + length);
            if end - start == 1 {
                self.records[merged] = self.records[start];
                merged += 1;
            } else {
                let (mut n, mut max) = (0u64, f32::NEG_INFINITY);
                for record in &self.records[start..end] {
                    self.sum.add(record.sum);
                    n = n.saturating_add(record.n);
                    max = max_of(max, record.max);
                }
                // Not more parts than there were records of them, so `merged` does not pass `end`; one that cannot be placed
                // would be lost, so all records are kept then.
                if self.sum.parts().count() <= end - start {
                    for sum in self.sum.parts() {
                        self.records[merged] = BinRecord { group, n, sum, max };
                        merged += 1;
                        (n, max) = (0, f32::NEG_INFINITY);
                    }
                } else {
                    self.records.copy_within(start..end, merged);
                    merged += end - start;
                }
                self.sum.clear();
            }
            start = end;
        }
        self.records.truncate(merged);
    }

    /// The sorted records, which are removed.
    pub fn take(&mut self) -> Vec<BinRecord> {
        self.compact();
        std::mem::take(&mut self.records)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Bin, for_each_bin};
    use super::*;

    fn bins(records: &[BinRecord]) -> Vec<Bin> {
        let mut bins = Vec::new();
        for_each_bin(records, |bin| {
            bins.push(bin);
            Ok::<(), ()>(())
        })
        .unwrap();
        bins
    }

    #[test]
    fn points_are_summed_per_cell_period_and_category() {
        let request = BinsRequest { level: 1, period_us: Some(10), by_category: true };
        let mut collector = BinCollector::new(request);
        let east = 1 << 31;
        collector.add(&UnitColumns {
            x: &[east, 0, east, east, 7],
            y: &[0; 5],
            weight: Some(&[1.0, 2.0, 4.0, 8.0, 16.0]),
            time_us: Some(&[-1, 5, -10, 0, Points::NO_TIME]),
            category: Some(&[3, 1, 3, 3, Categories::NONE]),
            ..UnitColumns::default()
        });
        let found: Vec<_> = bins(&collector.take())
            .into_iter()
            .map(|Bin { group, n, sum, max }| (group.cell, group.time_us, group.category, n, sum, max))
            .collect();
        let expected = [
            (0, Points::NO_TIME, Categories::NONE, 1, 16.0, 16.0),
            (0, 0, 1, 1, 2.0, 2.0),
            (1, -10, 3, 2, 5.0, 4.0),
            (1, 0, 3, 1, 8.0, 8.0),
        ];
        assert_eq!(found, expected);
        assert!(collector.is_empty());
    }

    #[test]
    fn rows_that_stand_for_many_points_count_as_many() {
        let mut collector = BinCollector::new(BinsRequest { level: 2, ..BinsRequest::default() });
        let (n, sum) = ([5, 7, 1], [0.1, 2.0, 9.0]);
        let east = u32::MAX;
        let weight = [0.25, 1.5, f32::NAN];
        let rows = UnitColumns { x: &[0, 1, east], y: &[0, 1, 0], n: Some(&n), ..UnitColumns::default() };
        collector.add(&UnitColumns { weight: Some(&weight), sum: Some(&sum), ..rows });
        let found = bins(&collector.take());
        let [west, far] = [found[0], found[1]];
        assert_eq!((west.n, west.sum.to_bits(), west.max.to_bits()), (12, 2.1f64.to_bits(), 1.5f32.to_bits()));
        assert!((far.n, far.sum.to_bits()) == (1, 9f64.to_bits()) && far.max.is_nan());
        // Without weights, every point weighs 1.
        collector.add(&rows);
        let found = bins(&collector.take());
        let [west, far] = [found[0], found[1]];
        assert_eq!([west.sum.to_bits(), far.sum.to_bits()], [12f64.to_bits(), 1f64.to_bits()]);
    }

    #[test]
    fn levels_0_and_32_are_the_world_and_the_units() {
        for (level, cells) in [(0, vec![(0, 2)]), (32, vec![(0, 1), (u64::MAX, 1)])] {
            let mut collector = BinCollector::new(BinsRequest { level, ..BinsRequest::default() });
            collector.add(&UnitColumns { x: &[u32::MAX, 0], y: &[u32::MAX, 0], ..UnitColumns::default() });
            let found: Vec<_> = bins(&collector.take()).iter().map(|bin| (bin.group.cell, bin.n)).collect();
            assert_eq!(found, cells);
        }
    }

    proptest! {
        #[test]
        fn any_order_and_any_compaction_gives_the_same_bins(
            points in prop::collection::vec((0u32..4, 0u32..4, prop_oneof![
                any::<f32>().prop_filter("finite", |weight| weight.is_finite()), Just(0.1f32), -9f32..9.0,
            ]), 1..80),
            compactions in prop::collection::vec(any::<bool>(), 80),
        ) {
            let all = |points: &[(u32, u32, f32)], compactions: &[bool]| {
                let mut collector = BinCollector::new(BinsRequest { level: 31, ..BinsRequest::default() });
                for ((x, y, weight), is_compacted) in points.iter().zip(compactions) {
                    collector.add(&UnitColumns { x: &[*x], y: &[*y], weight: Some(&[*weight]), ..UnitColumns::default() });
                    if *is_compacted {
                        collector.compact();
                    }
                }
                bins(&collector.take())
            };
            let reversed: Vec<_> = points.iter().rev().copied().collect();
            let found = all(&points, &compactions);
            prop_assert_eq!(&found, &all(&reversed, &[false; 80]));
            prop_assert_eq!(found.iter().map(|bin| bin.n).sum::<u64>(), points.len() as u64);
            prop_assert!(found.is_sorted_by_key(|bin| bin.group.cell));
        }
    }
}
