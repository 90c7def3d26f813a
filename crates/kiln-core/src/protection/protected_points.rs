//! Released points as a point set.

use std::hash::Hasher;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use twox_hash::XxHash64;

use super::Protection;
use super::copies::Copies;
use super::group_filter::GroupFilter;
use super::released::Released;
use super::released_times::{check_filter, check_released_times};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Extent, Points};
use crate::matrix::{Axis, MatrixAccumulator, MatrixRequest, PointMatrix};
use crate::occupancy::{OccupancyAccumulator, OccupancyGrid, OccupancyRequest, scan_occupancy};
use crate::parallel::spawn_each;
use crate::parameter::{Message, Parameter};
use crate::raster::{Bins, Cells, Reduction};
use crate::source::memory_source::row_fields;
use crate::source::parts::scan_parts;
use crate::source::{
    CategoryList, Comparison, CoordinateSpace, DamagedPoints, Description, PointSet, Query, ScanReport, Sink, Source,
    Totals,
};

/// The released points of a set of points: see the [module](super).
///
/// It contains neither the original points nor their number, and its version depends on the released groups, the
/// settings and the description alone.
#[derive(Debug)]
pub struct ProtectedPoints {
    released: Released,
    protection: Protection,
    description: Description,
    /// The name of the weight column.
    weight: Option<String>,
    version: String,
    space: CoordinateSpace,
    points: u64,
    suppressed: u64,
    damage: Option<DamagedPoints>,
}

/// Blocks that a worker takes at a time.
const PART_BLOCKS: usize = 64;

impl ProtectedPoints {
    /// The released points of a point set. The coordinate space and columns are those of `query`.
    ///
    /// # Errors
    /// If the points cannot be read; [`Error::Input`] if there are more than [`Protection::MAX_GROUPS`] groups;
    /// [`Error::Cancelled`] if the query is cancelled.
    pub fn of(points: &dyn PointSet, query: &Query<'_>, protection: &Protection, threads: usize) -> Result<Self> {
        let space = query.columns.space;
        if let Some(level) = points.bin_level() {
            let message = format!(
                "a layer of bins, here of level {level}, has no single points to count; leave out cells of few points \
                 where the bins are summed"
            );
            return Err(Error::invalid(Parameter::MIN_COUNT, message));
        }
        let query = query.clone().with_weights(points.is_weighted());
        let grid = points.occupancy(&query, &protection.request(space)?, points.concurrency(threads));
        let weight = points.report().weight;
        let released = Self::new(grid.map_err(too_many_groups)?, space, protection, points.description(), weight)?;
        // The number of points that are left out is not that of released points.
        let damage = points.damage().map(|damage| DamagedPoints { points: None, ..damage });
        Ok(Self { damage, ..released })
    }

    /// The released points of a source, and the report of its scan.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_source(
        source: &(impl Source + ?Sized),
        query: &Query<'_>,
        protection: &Protection,
        threads: usize,
    ) -> Result<(Self, ScanReport)> {
        let space = query.columns.space;
        let query = query.clone().with_weights(true);
        let grid =
            scan_occupancy(source, &query, &protection.request(space)?, None, threads).map_err(too_many_groups)?;
        let report = grid.report.clone();
        let weight = report.weight.clone();
        Ok((Self::new(grid, space, protection, Description::default(), weight)?, report))
    }

    fn new(
        grid: OccupancyGrid,
        space: CoordinateSpace,
        protection: &Protection,
        description: Description,
        weight: Option<String>,
    ) -> Result<Self> {
        let total = grid.total();
        let released = Released::of(grid, protection.cells(space)?, protection)?;
        let points = released.total();
        let description = Description { comparable: Vec::new(), ..description };
        let mut hasher = XxHash64::with_seed(0);
        released.hash(&mut hasher);
        hasher.write(format!("{protection:?} {space:?} {weight:?} {description:?}").as_bytes());
        let version = format!("{:016x}", hasher.finish());
        Ok(Self {
            released,
            protection: *protection,
            description,
            weight,
            version,
            space,
            points,
            suppressed: total - points,
            damage: None,
        })
    }

    /// The number of points that are not released. For the operator of a layer: it must not be published.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// The number of released groups.
    pub fn groups(&self) -> usize {
        self.released.len()
    }

    /// Rejects a query that depends on more than the released `points`.
    fn check(&self, query: &Query<'_>, points: Points<'_>) -> Result<()> {
        if !query.filter.comparisons.is_empty() {
            return Err(comparisons_unsupported());
        }
        let time_us = self.totals().and_then(|totals| totals.time_us);
        query.filter.time_parts.iter().try_for_each(|filter| check_filter(&self.protection, filter, time_us))?;
        // Rejects what every scan rejects.
        scan_parts("", 0, query, row_fields(points), &mut [], |_, _| Ok(ControlFlow::Continue(()))).map(drop)
    }

    /// The blocks of groups near the bounds of interest, in parts that a worker takes at a time.
    fn parts(&self, query: &Query<'_>) -> Vec<Vec<Range<usize>>> {
        let wraps = query.columns.space.wraps();
        let near = |block: &Extent| query.scan.near.is_none_or(|bounds| block.intersects(bounds, wraps));
        self.released.blocks(near).chunks(PART_BLOCKS).map(<[_]>::to_vec).collect()
    }

    /// Passes the groups that match `query`, as points with their number of copies, to `take`, with the state of the
    /// worker, one thread per state.
    fn fold<S: Send>(
        &self,
        query: &Query<'_>,
        states: &mut [S],
        take: impl Fn(&mut S, Points<'_>, &[u32]) -> ControlFlow<()> + Sync,
    ) -> Result<ScanReport> {
        let points = self.released.points()?;
        self.check(query, points)?;
        let points = if query.columns.weights { points } else { points.without_weight() };
        let parts = self.parts(query);
        let (next, filtered, is_stopped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        spawn_each(states.iter_mut().take(parts.len().max(1)), |state| {
            let mut worker = GroupFilter::new(points, self.released.copies());
            while let (false, Some(part)) =
                (is_stopped.load(Ordering::Relaxed), parts.get(next.fetch_add(1, Ordering::Relaxed)))
            {
                let flow = part.iter().try_for_each(|block| {
                    query.flow()?;
                    worker.pass(query, block.clone(), |points, copies| take(state, points, copies))
                });
                if flow.is_break() {
                    is_stopped.store(true, Ordering::Relaxed);
                    return;
                }
            }
            filtered.fetch_add(worker.filtered as usize, Ordering::Relaxed);
        });
        if query.is_stopped() {
            return Err(Error::Cancelled);
        }
        let filtered = filtered.into_inner() as u64;
        let unweighted = if query.columns.weights && !self.released.is_weighted() { self.points - filtered } else { 0 };
        Ok(ScanReport { read: self.points, filtered, unweighted, ..self.report() })
    }
}

impl Source for ProtectedPoints {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        let points = self.released.points()?;
        self.check(query, points)?;
        let points = if query.columns.weights { points } else { points.without_weight() };
        let parts = self.parts(query);
        let copies = self.released.copies();
        let mut report = scan_parts("", parts.len(), query, row_fields(points), sinks, |part, row_sink| {
            let mut batch = Copies::default();
            let mut take = |points: Points<'_>| row_sink.columns(points);
            for index in parts[part].iter().cloned().flatten() {
                if batch.add(points, index, copies[index], &mut take).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(batch.flush(points, &mut take))
        })?;
        // Points of skipped blocks count as read.
        report.read = self.points;
        if query.columns.weights && !self.released.is_weighted() {
            report.unweighted = report.valid();
        }
        report.weight.clone_from(&self.weight);
        Ok(report)
    }
}

impl PointSet for ProtectedPoints {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn extent(&self) -> &Extent {
        self.released.extent()
    }

    fn coordinate_space(&self) -> CoordinateSpace {
        self.space
    }

    fn points(&self) -> u64 {
        self.points
    }

    fn is_weighted(&self) -> bool {
        self.released.is_weighted()
    }

    fn description(&self) -> Description {
        self.description.clone()
    }

    /// The number of released points only: rejected rows and invalid values are those of single points.
    fn report(&self) -> ScanReport {
        ScanReport { read: self.points, weight: self.weight.clone(), ..ScanReport::default() }
    }

    fn damage(&self) -> Option<DamagedPoints> {
        self.damage.clone()
    }

    fn totals(&self) -> Option<Totals> {
        let points = self.released.points().ok()?;
        let weight = points.weight().map(|weights| {
            let (mut sum, mut min, mut max) = (0.0, f64::INFINITY, f64::NEG_INFINITY);
            for (&weight, &copies) in weights.iter().zip(self.released.copies()) {
                let weight = f64::from(weight);
                (sum, min, max) = (sum + weight * f64::from(copies), min.min(weight), max.max(weight));
            }
            [sum, min, max]
        });
        let times = || points.time_us().into_iter().flatten().copied().filter(|&time_us| time_us != Points::NO_TIME);
        let time_us = times().min().zip(times().max()).map(|(first, last)| [first, last]);
        Some(Totals { points: self.points, weight, time_us })
    }

    fn categories(&self, _stop: Option<&AtomicBool>) -> Result<Option<CategoryList>> {
        let first: Vec<String> = self.released.names().iter().map(ToString::to_string).collect();
        let total = first.len() as u64;
        Ok(Some(CategoryList { first, total }))
    }

    fn is_aggregated(&self) -> bool {
        true
    }

    fn cells(
        &self,
        query: &Query<'_>,
        canvas: &Canvas,
        reduction: Reduction,
        _radius_px: f64,
        threads: usize,
    ) -> Result<(Cells, ScanReport)> {
        /// Groups per thread from which another thread is worth its own bins.
        const GROUPS_PER_THREAD: usize = 200_000;
        // One more pixel on each side, for rounding.
        let query = query.clone().with_near(Some(canvas.grow(1).bounds()));
        let threads = threads.min(self.released.len() / GROUPS_PER_THREAD).max(1);
        let mut workers: Vec<Bins> = (0..threads).map(|_| Bins::new(canvas, reduction)).collect();
        let report = self.fold(&query, &mut workers, |bins, points, copies| {
            bins.add_copies(points, copies);
            ControlFlow::Continue(())
        })?;
        let mut workers = workers.into_iter();
        let mut bins = workers.next().unwrap_or_else(|| Bins::new(canvas, reduction));
        for worker in workers {
            bins.merge(worker)?;
        }
        Ok((bins.into_cells(), report))
    }

    fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, threads: usize) -> Result<OccupancyGrid> {
        let mut workers: Vec<_> = (0..threads.max(1)).map(|_| OccupancyAccumulator::new(request)).collect();
        let report = self.fold(query, &mut workers, OccupancyAccumulator::add_copies);
        let mut merged = OccupancyAccumulator::new(request);
        for worker in workers {
            merged.merge(worker)?;
        }
        Ok(OccupancyGrid { report: report?, ..merged.finish()? })
    }

    fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, threads: usize) -> Result<PointMatrix> {
        let time_us = self.totals().and_then(|totals| totals.time_us);
        for (axis, parameter) in [(&request.x, Parameter::X), (&request.y, Parameter::Y)] {
            if let Axis::Time(part) = axis {
                check_released_times(&self.protection, *part, &request.zone, time_us, parameter)?;
            }
        }
        let mut workers = MatrixAccumulator::for_workers(request, threads)?;
        let report = self.fold(&request.query(query), &mut workers, MatrixAccumulator::add_copies);
        let matrix = MatrixAccumulator::finish_all(workers)?;
        Ok(PointMatrix { report: report?, ..matrix })
    }

    fn count(&self, query: &Query<'_>) -> Result<u64> {
        let mut counts = [0];
        self.fold(query, &mut counts, |count, _, copies| {
            *count += copies.iter().map(|&copies| u64::from(copies)).sum::<u64>();
            ControlFlow::Continue(())
        })?;
        Ok(counts[0])
    }

    fn check_comparison(&self, _comparison: &Comparison) -> Result<()> {
        Err(comparisons_unsupported())
    }
}

/// The error of a comparison, which could select a single point of a group.
fn comparisons_unsupported() -> Error {
    Error::invalid(
        Parameter::WHERE,
        "a layer with min_count releases no columns to compare; use start, end or category",
    )
}

/// Converts the error of too many groups, which names the resolution of a grid, to one of the settings.
fn too_many_groups(error: Error) -> Error {
    match error {
        Error::Invalid { parameter: Parameter::RESOLUTION, .. } => {
            let max = Protection::MAX_GROUPS;
            let message: Message = format!(
                "the points are in more than {max} groups of cell, period and category, the limit of min_count; set a \
                 larger min_count_cell, or a longer min_count_period"
            )
            .into();
            Error::invalid(Parameter::MIN_COUNT_CELL, message)
        }
        other => other,
    }
}
