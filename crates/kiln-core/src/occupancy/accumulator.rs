//! Accumulation of points per group.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::{Cell, OccupancyGrid, OccupancyRequest, TimeBuckets};
use crate::error::{Error, Result};
use crate::geo::{Categories, Points};
use crate::parameter::Parameter;
use crate::raster::Sums;
use crate::source::ScanReport;

/// The key of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKey {
    /// The cell.
    pub cell: Cell,
    /// The period of time, or [`NO_PERIOD`](Self::NO_PERIOD).
    pub period: i64,
    /// The index of the category in [`OccupancyGrid::categories`], or [`Categories::NONE`].
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
}

/// The sums of a group. Weights are summed in units of [`Sums::UNIT`], which is exact.
#[derive(Clone, Copy, Debug)]
struct GroupSums {
    count: u64,
    weight_units: i128,
    weight_max: f32,
}

/// Accumulates points per group of an [`OccupancyRequest`].
#[derive(Debug)]
pub struct OccupancyAccumulator<'a> {
    request: &'a OccupancyRequest,
    times: TimeBuckets<'a>,
    groups: HashMap<GroupKey, GroupSums>,
    categories: Vec<Box<str>>,
    category_codes: HashMap<Box<str>, u32>,
    weighted: bool,
    failed: Option<Error>,
}

impl<'a> OccupancyAccumulator<'a> {
    /// An empty accumulator.
    pub fn new(request: &'a OccupancyRequest) -> Self {
        Self {
            request,
            times: TimeBuckets::new(&request.time),
            groups: HashMap::new(),
            categories: Vec::new(),
            category_codes: HashMap::new(),
            weighted: false,
            failed: None,
        }
    }

    /// Adds points. `Break` once there are more groups than the request allows, or a cell index is out of range;
    /// [`merge`](Self::merge) returns the error.
    pub fn add(&mut self, points: Points<'_>) -> ControlFlow<()> {
        self.add_each(points, |_| 1)
    }

    /// Adds each of `points` as many times as `copies` has for it, with the same result as [`add`](Self::add) of that
    /// many equal points.
    pub fn add_copies(&mut self, points: Points<'_>, copies: &[u32]) -> ControlFlow<()> {
        self.add_each(points, |index| copies[index])
    }

    fn add_each(&mut self, points: Points<'_>, copies: impl Fn(usize) -> u32) -> ControlFlow<()> {
        self.weighted |= points.weight().is_some();
        let names = points.category().filter(|_| self.request.by_category);
        let codes: Vec<u32> =
            names.iter().flat_map(|category| category.names).map(|name| self.category_code(name)).collect();
        for (index, (&x, &y)) in points.lon().iter().zip(points.lat()).enumerate() {
            let Some(cell) = self.request.cells.cell_at(x, y) else {
                let message = format!("the cells are too small for the coordinates {x}, {y}");
                self.failed = Some(Error::invalid(Parameter::RESOLUTION, message));
                return ControlFlow::Break(());
            };
            let period = points.time_us().map_or(GroupKey::NO_PERIOD, |times| self.times.period(times[index]));
            let code = names.and_then(|category| codes.get(category.codes[index] as usize));
            let key = GroupKey { cell, period, category: code.copied().unwrap_or(Categories::NONE) };
            let weight = points.weight().map_or(1.0, |weight| weight[index]);
            let copies = copies(index);
            let weight_units = to_units(weight) * i128::from(copies);
            self.add_to(key, GroupSums { count: u64::from(copies), weight_units, weight_max: weight })?;
        }
        ControlFlow::Continue(())
    }

    fn add_to(&mut self, key: GroupKey, sums: GroupSums) -> ControlFlow<()> {
        let max_groups = self.request.max_groups;
        self.groups
            .entry(key)
            .and_modify(|group| {
                group.count += sums.count;
                group.weight_units += sums.weight_units;
                group.weight_max = group.weight_max.max(sums.weight_max);
            })
            .or_insert(sums);
        if self.groups.len() <= max_groups {
            return ControlFlow::Continue(());
        }
        let message = format!("the points are in more than {max_groups} cells, the limit; use larger cells");
        self.failed = Some(Error::invalid(Parameter::RESOLUTION, message));
        ControlFlow::Break(())
    }

    fn category_code(&mut self, name: &str) -> u32 {
        if let Some(code) = self.category_codes.get(name) {
            return *code;
        }
        let code = self.categories.len() as u32;
        self.categories.push(name.into());
        self.category_codes.insert(name.into(), code);
        code
    }

    /// Adds the groups of another accumulator of the same request.
    ///
    /// # Errors
    /// The error of [`add`](Self::add) of either, or [`Error::Invalid`] for `resolution` if there are now more groups
    /// than the request allows.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if let Some(error) = other.failed {
            return Err(error);
        }
        self.weighted |= other.weighted;
        let codes: Vec<u32> = other.categories.iter().map(|name| self.category_code(name)).collect();
        for (key, sums) in other.groups {
            let category = codes.get(key.category as usize).copied().unwrap_or(Categories::NONE);
            if self.add_to(GroupKey { category, ..key }, sums).is_break() {
                break;
            }
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The grid of the groups. Categories are in alphabetical order.
    pub fn finish(self) -> OccupancyGrid {
        // A dictionary may have names that no point has.
        let mut is_used = vec![false; self.categories.len()];
        for key in self.groups.keys() {
            if let Some(is_used) = is_used.get_mut(key.category as usize) {
                *is_used = true;
            }
        }
        let mut order: Vec<u32> = (0..).zip(&is_used).filter(|(_, is_used)| **is_used).map(|(code, _)| code).collect();
        order.sort_unstable_by(|&a, &b| self.categories[a as usize].cmp(&self.categories[b as usize]));
        let mut rank = vec![0; self.categories.len()];
        for (position, &code) in order.iter().enumerate() {
            rank[code as usize] = position as u32;
        }
        let categories = order.iter().map(|&code| self.categories[code as usize].clone()).collect();
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(key, GroupSums { count, weight_units, weight_max })| {
                let category = rank.get(key.category as usize).copied().unwrap_or(Categories::NONE);
                let weight_sum = weight_units as f64 * Sums::UNIT;
                Group { key: GroupKey { category, ..key }, count, weight_sum, weight_max }
            })
            .collect();
        groups.sort_unstable_by_key(|group| group.key);
        OccupancyGrid { groups, categories, weighted: self.weighted, report: ScanReport::default() }
    }
}

/// A weight in units of [`Sums::UNIT`]. Weights beyond the maximum are clamped.
fn to_units(weight: f32) -> i128 {
    let max = f64::from(Points::MAX_WEIGHT);
    (f64::from(weight).clamp(-max, max) / Sums::UNIT).round_ties_even() as i128
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::occupancy::{CellSystem, TimeGrouping, scan_occupancy};
    use crate::source::{CoordinateSpace, MemorySource, Query};

    fn query() -> Query<'static> {
        Query::default().with_coordinate_space(CoordinateSpace::Plane).with_weights(true)
    }

    #[test]
    fn points_are_grouped_by_cell_period_and_category() {
        let (x, y) = ([0.1, 0.2, 0.6, -0.1, 0.3], [0.1, 0.4, 0.1, 0.0, 0.2]);
        let names = ["b".into(), "a".into(), "unused".into()];
        let points = Points::new(&x, &y).unwrap().with_weight(&[1.5, 2.0, 4.0, -1.0, 3.0]).unwrap();
        let points = points.with_time(&[0, 5, 12, Points::NO_TIME, 19]).unwrap();
        let points =
            points.with_category(Categories { codes: &[0, 0, 1, Categories::NONE, 1], names: &names }).unwrap();
        let request = OccupancyRequest::new(CellSystem::square(0.5).unwrap());
        let grid = scan_occupancy(&MemorySource(points), &query(), &request, 2).unwrap();
        let cells = |grid: &OccupancyGrid| {
            let row = |group: &Group| (group.key.cell.column, group.count, group.weight_sum, group.weight_max);
            grid.groups.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(cells(&grid), [(-1, 1, -1.0, -1.0), (0, 3, 6.5, 3.0), (1, 1, 4.0, 4.0)]);
        let request = request.with_time(TimeGrouping::Period { length_us: 10 }).with_categories(true);
        let grid = scan_occupancy(&MemorySource(points), &query(), &request, 2).unwrap();
        assert_eq!(grid.categories, ["a".into(), "b".into()]);
        let keys: Vec<_> =
            grid.groups.iter().map(|group| (group.key.cell.column, group.key.period, group.key.category)).collect();
        assert_eq!(keys, [(-1, GroupKey::NO_PERIOD, Categories::NONE), (0, 0, 1), (0, 1, 0), (1, 1, 0)]);
        assert_eq!((grid.total(), grid.weighted), (5, true));
    }

    #[test]
    fn more_groups_than_the_limit_are_an_error() {
        let x: Vec<f64> = (0..100).map(f64::from).collect();
        let points = MemorySource(Points::new(&x, &x).unwrap());
        let request = |max_groups| OccupancyRequest::new(CellSystem::Square { side: 1.0 }).with_max_groups(max_groups);
        assert_eq!(scan_occupancy(&points, &query(), &request(100), 2).unwrap().groups.len(), 100);
        let error = scan_occupancy(&points, &query(), &request(99), 2).unwrap_err().to_string();
        assert_eq!(error, "resolution: the points are in more than 99 cells, the limit; use larger cells");
    }
}
