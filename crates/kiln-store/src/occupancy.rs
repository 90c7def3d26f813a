//! Occupancy grids of a snapshot, counted in blocks of rows.
//!
//! Points are in Z-order: all rows between two rows are in the smallest node of the quadtree with both. Ranges of rows
//! are halved until their node is within one cell; the positions between the two rows are then not even read. Only the
//! points of blocks of [`BLOCK`] rows across the edge of a cell are mapped to cells one by one.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Snapshot;
use super::filter::Filter;
use super::points::PointBatch;
use super::scan::rows_near;
use super::segment::Segment;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Bounds, PlaneFrame};
use kiln_core::occupancy::{CellWindow, OccupancyGrid, OccupancyRequest, scan_occupancy};
use kiln_core::parallel::spawn_each;
use kiln_core::simd::wide;
use kiln_core::source::Query;

/// Rows of a block.
const BLOCK: usize = 64;

impl Snapshot {
    /// Groups the points that match `query` as `request` describes. Counts per square of a plane are faster than other
    /// groups.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `resolution` if there are more groups than the request
    /// allows.
    pub fn occupancy(&self, query: &Query<'_>, request: &OccupancyRequest, threads: usize) -> Result<OccupancyGrid> {
        self.check_single_points("a grid", "tiles, pictures or GET /{layer}/statistics")?;
        let bounds = self.extent().bounds(false);
        let is_weighted = query.columns.weights && self.is_weighted();
        let window = match (self.frame().plane(), bounds) {
            (Some(frame), Some(bounds)) if request.is_by_cell() && !is_weighted => {
                let bounds = query.bounds_of_interest(bounds);
                bounds.and_then(|bounds| Some((frame, bounds, CellWindow::new(request, bounds, threads)?)))
            }
            _ => None,
        };
        let Some((frame, interest, window)) = window else {
            return scan_occupancy(self, query, request, bounds, threads);
        };
        self.check(query)?;
        let segments = self.passing(query);
        let counts = count(&segments, query, frame, interest, &window, threads)?;
        self.check_damage()?;
        Ok(OccupancyGrid { report: self.scan_report(query, &segments), ..window.grid(request, &counts)? })
    }
}

/// Counts the points of `segments` per cell of `window`, on up to `threads` threads.
fn count(
    segments: &[(&Segment, Option<Filter<'_>>)],
    query: &Query<'_>,
    frame: PlaneFrame,
    bounds: Bounds,
    window: &CellWindow,
    threads: usize,
) -> Result<Vec<u64>> {
    // Without bounds, all rows are read.
    let is_bounded = query.scan.near.is_some() || query.filter.polygon.is_some();
    let windows = is_bounded.then(|| frame.window(bounds).into_iter().collect::<Vec<_>>());
    let mut parts: Vec<(usize, &PointBatch, Range<usize>)> = Vec::new();
    for (index, (segment, _)) in segments.iter().enumerate() {
        for rows in rows_near(segment, windows.as_deref()) {
            parts.extend(segment.points.batch_ranges(rows).map(|(batch, rows)| (index, batch, rows)));
        }
    }
    let next = AtomicUsize::new(0);
    let threads = threads.min(parts.len()).max(1);
    let mut workers: Vec<Counter<'_>> = (0..threads).map(|_| Counter::new(frame, window)).collect();
    spawn_each(workers.iter_mut(), |worker| {
        while let Some((index, batch, rows)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            if query.is_stopped() {
                break;
            }
            worker.add(batch, rows.clone(), segments[*index].1.as_ref());
        }
    });
    if query.is_stopped() {
        return Err(Error::Cancelled);
    }
    let mut workers = workers.into_iter();
    let mut counts = workers.next().map_or_else(Vec::new, |worker| worker.counts);
    for worker in workers {
        counts.iter_mut().zip(worker.counts).for_each(|(count, other)| *count += other);
    }
    // The last counters are those of points outside.
    counts.truncate(window.len());
    Ok(counts)
}

/// The counts of one thread.
struct Counter<'w> {
    frame: PlaneFrame,
    window: &'w CellWindow,
    /// The number of points of each cell, followed by [`OUTSIDE`](Self::OUTSIDE) counters of other points.
    counts: Vec<u64>,
}

impl<'w> Counter<'w> {
    /// The number of counters of points outside. Consecutive points use different ones, because a counter is loaded
    /// faster if it was not just stored.
    const OUTSIDE: usize = 8;

    fn new(frame: PlaneFrame, window: &'w CellWindow) -> Self {
        Self { frame, window, counts: vec![0; window.len() + Self::OUTSIDE] }
    }

    /// Adds the rows of a batch that pass the filter.
    fn add(&mut self, batch: &PointBatch, rows: Range<usize>, filter: Option<&Filter<'_>>) {
        if rows.len() <= BLOCK {
            return self.add_block(batch, rows, filter);
        }
        let (x, y) = node(batch, rows.start, rows.end - 1);
        if let Some(cell) = self.cell_of(batch, x, y) {
            self.counts[cell] += filter.map_or(rows.len() as u64, |filter| filter.count(batch, rows));
            return;
        }
        let middle = rows.start + (rows.len() / 2).next_multiple_of(BLOCK);
        self.add(batch, rows.start..middle, filter);
        self.add(batch, middle..rows.end, filter);
    }

    /// Adds the rows of a block that pass the filter.
    fn add_block(&mut self, batch: &PointBatch, block: Range<usize>, filter: Option<&Filter<'_>>) {
        if block.is_empty() {
            return;
        }
        if let Some(cell) = self.cell_of(batch, range(&batch.x[block.clone()]), range(&batch.y[block.clone()])) {
            self.counts[cell] += filter.map_or(block.len() as u64, |filter| filter.count(batch, block));
        } else if let Some(filter) = filter {
            let mut passing = [0; BLOCK];
            let passing = &mut passing[..block.len()];
            filter.test(batch, block.clone(), passing);
            if passing.contains(&1) {
                self.add_each(batch, block, Some(passing));
            }
        } else {
            self.add_each(batch, block, None);
        }
    }

    /// The index of the cell that contains all points of a rectangle of units, if there is one in the window.
    fn cell_of(&self, batch: &PointBatch, [west, east]: [u32; 2], [north, south]: [u32; 2]) -> Option<usize> {
        // The exact position of a point may be anywhere before the next unit.
        let end = u32::from(batch.exact(0..0).is_some());
        let (west_m, south_m) = self.frame.position(west, south);
        let (east_m, north_m) = self.frame.position(east.checked_add(end)?, north.checked_sub(end)?);
        let mut at = [0; 2];
        self.window.locate(&[west_m, east_m], &[south_m, north_m], &mut at);
        (at[0] == at[1] && at[0] != CellWindow::OUTSIDE).then_some(at[0] as usize)
    }

    /// Adds the rows of a block one by one; `passing` are 1 for those that pass and 0 for the others.
    fn add_each(&mut self, batch: &PointBatch, block: Range<usize>, passing: Option<&[u8]>) {
        let mut at = [0; BLOCK];
        let at = &mut at[..block.len()];
        if let Some([x, y]) = batch.exact(block.clone()) {
            self.window.locate(x, y, at);
        } else {
            let (mut x, mut y) = ([0.0; BLOCK], [0.0; BLOCK]);
            let (x, y) = (&mut x[..block.len()], &mut y[..block.len()]);
            self.frame.positions(&batch.x[block.clone()], &batch.y[block], x, y);
            self.window.locate(x, y, at);
        }
        let outside = self.window.len() as u32;
        for (index, at) in at.iter().enumerate() {
            let passes = passing.is_none_or(|passing| passing[index] == 1);
            let cell = if passes { (*at).min(outside) } else { outside };
            let spare = if cell == outside { index % Self::OUTSIDE } else { 0 };
            self.counts[cell as usize + spare] += 1;
        }
    }
}

wide! {
    fn range(units: &[u32]) -> [u32; 2] {
        units.iter().fold([u32::MAX, 0], |[min, max], &unit| [min.min(unit), max.max(unit)])
    }
}

/// The ranges of x and y of the smallest node of the quadtree that contains the points of two rows, and so all rows
/// between them. Of the bits of a level, that of y is the first one in a key.
fn node(batch: &PointBatch, first: usize, last: usize) -> ([u32; 2], [u32; 2]) {
    let (x, y) = (batch.x[first], batch.y[first]);
    let (in_x, in_y) = (x ^ batch.x[last], y ^ batch.y[last]);
    let bits = 32 - (in_x | in_y).leading_zeros();
    let below = |bits: u32| 1u32.checked_shl(bits).map_or(u32::MAX, |next| next - 1);
    // If only x differs in the highest bit that differs, all rows have the same bit of y.
    let bits_of_y = if in_y > below(bits.saturating_sub(1)) { bits } else { bits.saturating_sub(1) };
    let range = |unit: u32, mask: u32| [unit & !mask, unit | mask];
    (range(x, below(bits)), range(y, below(bits_of_y)))
}
