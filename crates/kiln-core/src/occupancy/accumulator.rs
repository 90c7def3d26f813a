//! Accumulation of points per group.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::dense::{CellWindow, DenseSums};
use super::dwell::Detections;
use super::fast_hash::FastMap;
use super::group::{Group, GroupKey, GroupSums};
use super::{OccupancyGrid, OccupancyRequest, TimeBuckets};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Categories, Points};
use crate::parameter::Parameter;
use crate::source::{Query, ScanReport};

/// Accumulates points per group of an [`OccupancyRequest`].
#[derive(Debug)]
pub struct OccupancyAccumulator<'a> {
    request: &'a OccupancyRequest,
    times: TimeBuckets<'a>,
    /// The groups of a window of cells, if the window is known and small.
    dense: Option<DenseSums>,
    /// The other groups.
    sparse: FastMap<GroupKey, GroupSums>,
    categories: Vec<Box<str>>,
    category_codes: HashMap<Box<str>, u32>,
    weighted: bool,
    detections: Option<Detections>,
    failed: Option<Error>,
}

impl<'a> OccupancyAccumulator<'a> {
    /// Points per chunk.
    const CHUNK: usize = 1024;

    /// An empty accumulator.
    pub fn new(request: &'a OccupancyRequest) -> Self {
        Self::with_detections(request, &Arc::default())
    }

    /// An empty accumulator. `detections` counts the detections for dwell of all workers.
    fn with_detections(request: &'a OccupancyRequest, detections: &Arc<AtomicUsize>) -> Self {
        let detections =
            request.dwell.map(|dwell| Detections::new(dwell, request.max_detections, Arc::clone(detections)));
        Self {
            request,
            times: TimeBuckets::new(&request.time),
            dense: None,
            sparse: FastMap::default(),
            categories: Vec::new(),
            category_codes: HashMap::new(),
            weighted: false,
            detections,
            failed: None,
        }
    }

    /// Empty accumulators for the `workers` threads of a scan, which are faster for points within `bounds`, if these
    /// have few cells. The bounds do not change the result.
    pub fn for_workers(
        request: &'a OccupancyRequest,
        query: &Query<'_>,
        bounds: Option<Bounds>,
        workers: usize,
    ) -> Vec<Self> {
        let workers = workers.max(1);
        let cell_bytes = if query.columns.weights { DenseSums::WEIGHTED_CELL_BYTES } else { DenseSums::CELL_BYTES };
        let max_cells = CellWindow::MAX_BYTES / cell_bytes / workers;
        let bounds = bounds.and_then(|bounds| query.bounds_of_interest(bounds));
        let dense = || bounds.and_then(|bounds| DenseSums::new(request.cells, bounds, max_cells));
        let detections = Arc::default();
        (0..workers).map(|_| Self { dense: dense(), ..Self::with_detections(request, &detections) }).collect()
    }

    /// Adds points. `Break` once there are more groups or detections than the request allows, or a cell index is out of
    /// range; [`merge`](Self::merge) returns the error.
    pub fn add(&mut self, points: Points<'_>) -> ControlFlow<()> {
        self.add_all(points, None)
    }

    /// Adds each of `points` as many times as `copies` has for it, with the same result as [`add`](Self::add) of that
    /// many equal points.
    pub fn add_copies(&mut self, points: Points<'_>, copies: &[u32]) -> ControlFlow<()> {
        self.add_all(points, Some(copies))
    }

    fn add_all(&mut self, points: Points<'_>, copies: Option<&[u32]>) -> ControlFlow<()> {
        self.weighted |= points.weight().is_some();
        let names = points.category().filter(|_| self.request.by_category);
        let codes: Vec<u32> =
            names.iter().flat_map(|category| category.names).map(|name| self.category_code(name)).collect();
        for start in (0..points.len()).step_by(Self::CHUNK) {
            let chunk = points.slice(start..start + Self::CHUNK);
            let copies = copies.and_then(|copies| copies.get(start..start + chunk.len()));
            self.add_chunk(chunk, copies, &codes)?;
        }
        ControlFlow::Continue(())
    }

    /// Adds up to [`CHUNK`](Self::CHUNK) points. `codes` are the own codes of their categories.
    fn add_chunk(&mut self, points: Points<'_>, copies: Option<&[u32]>, codes: &[u32]) -> ControlFlow<()> {
        let mut at = [CellWindow::OUTSIDE; Self::CHUNK];
        let at = &mut at[..points.len()];
        if let Some(dense) = &mut self.dense {
            dense.window.locate(points.lon(), points.lat(), at);
            let is_grouped = points.category().is_some() && self.request.by_category
                || points.time_us().is_some() && self.request.time.needs_times();
            if !is_grouped
                && copies.is_none()
                && points.weight().is_none()
                && !at.contains(&CellWindow::OUTSIDE)
                && let Some(layer) = dense.layer(GroupKey::NO_PERIOD, Categories::NONE)
            {
                dense.count(layer, at);
                self.check_groups()?;
                return self.add_detections(points, codes);
            }
        }
        self.add_each(points, copies, codes, at)?;
        self.add_detections(points, codes)
    }

    /// Adds the detections of tracks, if the request measures dwell. All points are in cells.
    fn add_detections(&mut self, points: Points<'_>, codes: &[u32]) -> ControlFlow<()> {
        let Self { request, times, detections, failed, .. } = self;
        let Some(detections) = detections else { return ControlFlow::Continue(()) };
        let category = points.category().filter(|_| request.by_category);
        let key = |index: usize| {
            let cell = request.cells.cell_at(points.lon()[index], points.lat()[index]).unwrap_or_default();
            let period = points.time_us().map_or(GroupKey::NO_PERIOD, |time_us| times.period(time_us[index]));
            let code = category.and_then(|category| codes.get(category.codes[index] as usize));
            GroupKey { cell, period, category: code.copied().unwrap_or(Categories::NONE) }
        };
        match detections.add(points, key) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                *failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Adds points one by one. `at` are their indices in the window.
    fn add_each(&mut self, points: Points<'_>, copies: Option<&[u32]>, codes: &[u32], at: &[u32]) -> ControlFlow<()> {
        let category = points.category().filter(|_| self.request.by_category);
        // Consecutive points are often in the same group.
        let mut run: Option<(GroupKey, GroupSums)> = None;
        for (index, &at) in at.iter().enumerate() {
            let period = points.time_us().map_or(GroupKey::NO_PERIOD, |times| self.times.period(times[index]));
            let code = category.and_then(|category| codes.get(category.codes[index] as usize));
            let code = code.copied().unwrap_or(Categories::NONE);
            let sums = points.weight().map_or_else(|| GroupSums::ones(1), |weight| GroupSums::of(weight[index]));
            let sums = copies.map_or(sums, |copies| sums.times(copies[index]));
            if sums.count == 0 {
                continue;
            }
            if at != CellWindow::OUTSIDE
                && let Some(dense) = &mut self.dense
                && let Some(layer) = dense.layer(period, code)
            {
                dense.add(layer, at, sums, points.weight().is_some());
                continue;
            }
            let (x, y) = (points.lon()[index], points.lat()[index]);
            let Some(cell) = self.request.cells.cell_at(x, y) else {
                let message = format!("the cells are too small for the coordinates {x}, {y}");
                self.failed = Some(Error::invalid(Parameter::RESOLUTION, message));
                return ControlFlow::Break(());
            };
            let key = GroupKey { cell, period, category: code };
            match &mut run {
                Some((last, run)) if *last == key => run.add(sums),
                _ => {
                    if let Some((key, sums)) = run.replace((key, sums)) {
                        add_to(&mut self.sparse, key, sums);
                    }
                }
            }
        }
        if let Some((key, sums)) = run {
            add_to(&mut self.sparse, key, sums);
        }
        self.check_groups()
    }

    /// `Break` with an error if there are more groups than the request allows.
    fn check_groups(&mut self) -> ControlFlow<()> {
        let groups = self.sparse.len() + self.dense.as_ref().map_or(0, DenseSums::occupied);
        if groups <= self.request.max_groups {
            return ControlFlow::Continue(());
        }
        self.failed = Some(self.request.too_many_groups());
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

    /// The accumulator, unless [`add`](Self::add) failed.
    ///
    /// # Errors
    /// The error of [`add`](Self::add).
    pub fn checked(mut self) -> Result<Self> {
        self.failed.take().map_or(Ok(self), Err)
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
        let category = |key: GroupKey| codes.get(key.category as usize).copied().unwrap_or(Categories::NONE);
        let translate = |key: GroupKey| GroupKey { category: category(key), ..key };
        if let (Some(detections), Some(other)) = (&mut self.detections, other.detections) {
            detections.merge(other, translate);
        }
        let mut add = |key: GroupKey, sums: GroupSums| {
            let key = translate(key);
            if let Some(dense) = &mut self.dense {
                let at = dense.window.index(key.cell);
                if at != CellWindow::OUTSIDE
                    && let Some(layer) = dense.layer(key.period, key.category)
                {
                    dense.add(layer, at, sums, other.weighted);
                    return;
                }
            }
            add_to(&mut self.sparse, key, sums);
        };
        if let Some(dense) = &other.dense {
            dense.for_each(&mut add);
        }
        other.sparse.into_iter().for_each(|(key, sums)| add(key, sums));
        let _ = self.check_groups();
        self.failed.take().map_or(Ok(()), Err)
    }

    /// The grid of the groups. Categories are in alphabetical order.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `track` or `time` if the points lack what dwell is computed from.
    pub fn finish(self) -> Result<OccupancyGrid> {
        let mut sums: Vec<(GroupKey, GroupSums)> = Vec::new();
        if let Some(dense) = &self.dense {
            dense.for_each(|key, group| sums.push((key, group)));
        }
        sums.extend(self.sparse);
        // A dictionary may have names that no point has.
        let mut is_used = vec![false; self.categories.len()];
        for (key, _) in &sums {
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
        let ranked = |key: GroupKey| {
            let category = rank.get(key.category as usize).copied().unwrap_or(Categories::NONE);
            GroupKey { category, ..key }
        };
        let mut groups: Vec<Group> = sums.into_iter().map(|(key, sums)| sums.group(ranked(key))).collect();
        groups.sort_unstable_by_key(|group| group.key);
        if let Some(detections) = self.detections {
            detections.finish(&mut groups, ranked)?;
        }
        Ok(OccupancyGrid { groups, categories, weighted: self.weighted, report: ScanReport::default() })
    }
}

fn add_to(groups: &mut FastMap<GroupKey, GroupSums>, key: GroupKey, sums: GroupSums) {
    groups.entry(key).and_modify(|group| group.add(sums)).or_insert(sums);
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
        let grid = scan_occupancy(&MemorySource(points), &query(), &request, None, 2).unwrap();
        let cells = |grid: &OccupancyGrid| {
            let row = |group: &Group| (group.key.cell.column, group.count, group.weight_sum, group.weight_max);
            grid.groups.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(cells(&grid), [(-1, 1, -1.0, -1.0), (0, 3, 6.5, 3.0), (1, 1, 4.0, 4.0)]);
        let request = request.with_time(TimeGrouping::Period { length_us: 10 }).with_categories(true);
        let grid = scan_occupancy(&MemorySource(points), &query(), &request, None, 2).unwrap();
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
        assert_eq!(scan_occupancy(&points, &query(), &request(100), None, 2).unwrap().groups.len(), 100);
        let error = scan_occupancy(&points, &query(), &request(99), None, 2).unwrap_err().to_string();
        assert_eq!(error, "resolution: the points are in more than 99 cells, the limit; use larger cells");
    }
}
