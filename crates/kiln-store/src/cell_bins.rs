//! Sums per cell of a snapshot, in one pass over the Z-order of its segments.
//!
//! The keys are split into ranges of about a million points, at the edges of cells. The points of a range in all segments are
//! summed by one thread, so memory does not grow with the number of points or cells: only with the number of groups in a single
//! cell, its periods and categories.

use std::ops::Range;

use super::Snapshot;
use super::bins::BinColumns;
use super::filter::{Filter, SelectedPoints};
use super::merge::rows_between;
use super::points::{BATCH_ROWS, PointBatch};
use super::rows::Rows;
use super::scan::{rows_near, windows};
use super::segment::Segment;
use kiln_core::cell_bins::{BinChunk, BinCollector, BinRecord, BinsRequest, UnitColumns};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Categories;
use kiln_core::in_order::in_order;
use kiln_core::parameter::Parameter;
use kiln_core::source::{Query, ScanReport};

// Both are the code of a point without a category.
const _: () = assert!(Rows::NO_CATEGORY == Categories::NONE);

impl Snapshot {
    /// Sums the points that match `query` per group of `request`, on up to `threads` threads, and passes the sums to `take`
    /// in Z-order. Of points outside the bounds of interest of the query, any may be summed.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), [`Error::Invalid`] for `every` or `category` if no point has a time or a category for the
    /// groups, and the first error of `take`.
    pub fn cell_bins(
        &self,
        query: &Query<'_>,
        request: &BinsRequest,
        threads: usize,
        take: &mut dyn FnMut(BinChunk<'_>) -> Result<()>,
    ) -> Result<ScanReport> {
        self.check(query)?;
        self.check_groups(request)?;
        let passing = self.passing(query);
        let categories = if request.by_category { self.summary().categories } else { Vec::new() };
        let categories: Vec<Box<str>> = categories.into_iter().map(Into::into).collect();
        let bounds = query.scan.near.or_else(|| query.filter.polygon.as_ref().map(|polygon| polygon.bounds()));
        let windows = bounds.map(|bounds| windows(self.frame(), bounds));
        let segments: Vec<SegmentPass<'_>> = passing
            .iter()
            .map(|(segment, filter)| SegmentPass {
                segment,
                filter: filter.as_ref(),
                near: windows.as_deref().map(|windows| rows_near(segment, Some(windows))),
                category_map: category_map(segment, &categories),
            })
            .collect();
        let parts = parts(&segments, *request);
        let sum = |part: usize| Ok(sum_part(&segments, parts[part], query, *request));
        in_order(parts.len(), threads, sum, |_, (records, read)| {
            if query.is_stopped() {
                return Err(Error::Cancelled);
            }
            take(BinChunk { records, categories: &categories, read })
        })?;
        if query.is_stopped() {
            return Err(Error::Cancelled);
        }
        self.check_damage()?;
        Ok(self.scan_report(query, &passing))
    }

    /// Checks that points have the columns that the groups depend on, and that bins are not coarser than the groups.
    fn check_groups(&self, request: &BinsRequest) -> Result<()> {
        if let Some(level) = self.level().filter(|level| *level < request.level) {
            let message = format!(
                "the layer has bins of level {level}, of which finer cells are not known; cells of zoom z have level z + 8, or \
                 z + 9 at twice the density"
            );
            return Err(Error::invalid(Parameter::ZOOM, message));
        }
        let steps = self.segments.iter().filter_map(|segment| segment.entry.totals.time_step_us);
        if let (Some(length), Some(step)) = (request.period_us, steps.min())
            && length.cast_unsigned() % step != 0
        {
            let message = format!(
                "the times of the layer's bins are whole multiples of {} s, of which shorter periods are not known; use a \
                 multiple",
                step as f64 / 1e6
            );
            return Err(Error::invalid(Parameter::EVERY, message));
        }
        if self.segments.is_empty() {
            return Ok(());
        }
        if request.period_us.is_some() && !self.segments.iter().any(|segment| segment.points.is_timed()) {
            return Err(Error::invalid(Parameter::EVERY, "the layer's points have no times"));
        }
        if request.by_category && !self.segments.iter().any(|segment| segment.points.has_categories()) {
            return Err(Error::invalid(Parameter::BY_CATEGORY, "the layer's points have no categories"));
        }
        Ok(())
    }
}

/// A segment and what a query reads of it.
struct SegmentPass<'a> {
    segment: &'a Segment,
    filter: Option<&'a Filter<'a>>,
    /// The rows near the bounds of interest; `None`: all.
    near: Option<Vec<Range<u64>>>,
    /// The index in all categories of each category of the segment.
    category_map: Vec<u32>,
}

fn category_map(segment: &Segment, categories: &[Box<str>]) -> Vec<u32> {
    let names = segment.points.names.list.iter();
    names.map(|name| categories.binary_search(name).map_or(Categories::NONE, |index| index as u32)).collect()
}

/// Splits the keys into ranges (first, last inclusive) of about a million points each, at the edges of cells.
fn parts(segments: &[SegmentPass<'_>], request: BinsRequest) -> Vec<(u64, u64)> {
    /// Smaller in tests, which need several parts.
    const PART_BATCHES: usize = if cfg!(test) { 1 } else { (1 << 20) / BATCH_ROWS };
    let mut keys: Vec<u64> = segments.iter().flat_map(|pass| pass.segment.points.first_keys()).collect();
    keys.sort_unstable();
    let mut starts = vec![0];
    let cells = keys.chunks(PART_BATCHES).skip(1).map(|keys| request.first_key(request.cell_of(keys[0])));
    starts.extend(cells);
    starts.dedup();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([u64::MAX]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).collect()
}

/// The sums of the points with a range of keys, and the number of points that were read.
fn sum_part(
    segments: &[SegmentPass<'_>],
    (first, last): (u64, u64),
    query: &Query<'_>,
    request: BinsRequest,
) -> (Vec<BinRecord>, u64) {
    /// The number of records from which those of the same group are merged.
    const MIN_COMPACTED: usize = 1 << 20;
    let mut collector = BinCollector::new(request);
    let mut buffers = Buffers::default();
    let (mut read, mut max_records) = (0, MIN_COMPACTED);
    for pass in segments {
        let rows = rows_between(pass.segment, first, last);
        let all = [rows.clone()];
        let near = pass.near.as_deref().unwrap_or(&all);
        for near in near {
            let range = rows.start.max(near.start)..rows.end.min(near.end);
            if range.is_empty() {
                continue;
            }
            for (batch, range) in pass.segment.points.batch_ranges(range) {
                if query.is_stopped() {
                    return (Vec::new(), 0);
                }
                buffers.add(pass, batch, range, query.columns.weights, request, &mut collector);
                if collector.len() >= max_records {
                    collector.compact();
                    max_records = MIN_COMPACTED.max(2 * collector.len());
                }
            }
        }
        read = points_of(pass.segment, rows.end - rows.start).saturating_add(read);
        pass.segment.points.release(rows);
    }
    (collector.take(), read)
}

/// The number of points of some rows of a segment, about if they are bins.
fn points_of(segment: &Segment, rows: u64) -> u64 {
    let all = u128::from(segment.entry.rows.max(1));
    (u128::from(rows) * u128::from(segment.entry.point_count()) / all) as u64
}

/// Reused buffers of columns.
#[derive(Default)]
struct Buffers {
    selected: SelectedPoints,
    n: Vec<u64>,
    sum: Vec<f64>,
    max: Vec<f32>,
    time_us: Vec<i64>,
    category: Vec<u32>,
}

impl Buffers {
    /// Adds the rows of a batch that pass the filter of its segment.
    fn add(
        &mut self,
        pass: &SegmentPass<'_>,
        batch: &PointBatch,
        range: Range<usize>,
        weights: bool,
        request: BinsRequest,
        collector: &mut BinCollector,
    ) {
        const CHUNK: usize = 4096;
        let Self { selected, n, sum, max, time_us, category } = self;
        let map = |code: u32| pass.category_map.get(code as usize).copied().unwrap_or(Categories::NONE);
        let times = batch.time_us.as_ref().filter(|_| request.period_us.is_some());
        let codes = batch.category.as_ref().filter(|_| request.by_category);
        if let Some(filter) = pass.filter {
            filter.select(batch, range, weights, selected, |selected| {
                let rows = || selected.rows.iter().map(|&row| row as usize);
                time_us.clear();
                time_us.extend(times.into_iter().flat_map(|times| rows().map(|row| times[row])));
                category.clear();
                category.extend(codes.into_iter().flat_map(|codes| rows().map(|row| map(codes.at(row)))));
                let columns = UnitColumns {
                    x: &selected.x,
                    y: &selected.y,
                    weight: (!selected.weight.is_empty()).then_some(&selected.weight),
                    time_us: times.map(|_| &**time_us),
                    category: codes.map(|_| &**category),
                    ..UnitColumns::default()
                };
                collector.add(&match &batch.bins {
                    Some(bins) => {
                        bins.gather(rows(), n, sum, max);
                        let own = bins.weights.as_ref().map(|_| (&**sum, &**max));
                        with_bins(columns, n, own.filter(|_| weights))
                    }
                    None => columns,
                });
            });
            return;
        }
        for start in range.clone().step_by(CHUNK) {
            let rows = start..(start + CHUNK).min(range.end);
            category.clear();
            category.extend(codes.into_iter().flat_map(|codes| rows.clone().map(|row| map(codes.at(row)))));
            let columns = UnitColumns {
                x: &batch.x[rows.clone()],
                y: &batch.y[rows.clone()],
                weight: batch.weight.as_ref().filter(|_| weights).map(|weight| &weight[rows.clone()]),
                time_us: times.map(|times| &times[rows.clone()]),
                category: codes.map(|_| &**category),
                ..UnitColumns::default()
            };
            collector.add(&match &batch.bins {
                Some(bins) => {
                    let BinColumns { n: numbers, weights: own } = bins.slice(rows);
                    n.clear();
                    numbers.append_to(n);
                    with_bins(columns, n, own.filter(|_| weights))
                }
                None => columns,
            });
        }
    }
}

/// The columns of rows that stand for `n` points each, with the sums and maximums of their weights.
fn with_bins<'a>(columns: UnitColumns<'a>, n: &'a [u64], weights: Option<(&'a [f64], &'a [f32])>) -> UnitColumns<'a> {
    let (sum, weight) = weights.unzip();
    UnitColumns { n: Some(n), sum, weight, ..columns }
}
