//! Occupancy grids of a snapshot, counted in blocks of rows.
//!
//! Points are in Z-order, so most blocks of some tens of rows are within one cell: their rows that pass the filter are
//! counted without computing cells. Only the points of other blocks are mapped to cells one by one.

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
use kiln_core::source::{Query, ScanReport};

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
        let passing: u64 = segments.iter().map(|(segment, _)| segment.entry.rows).sum();
        let unweighted = if query.columns.weights { passing } else { 0 };
        let report =
            ScanReport { read: self.points(), filtered: self.points() - passing, unweighted, ..ScanReport::default() };
        Ok(OccupancyGrid { report, ..window.grid(request, &counts)? })
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
        let mut passing = [0; BLOCK];
        for start in rows.clone().step_by(BLOCK) {
            let block = start..(start + BLOCK).min(rows.end);
            let passing = &mut passing[..block.len()];
            if let Some(filter) = filter {
                filter.test(batch, block.clone(), passing);
                let count = sum(passing);
                if count == 0 {
                    continue;
                }
                match self.cell_of(batch, block.clone()) {
                    Some(cell) => self.counts[cell] += count,
                    None => self.add_each(batch, block, Some(passing)),
                }
            } else {
                match self.cell_of(batch, block.clone()) {
                    Some(cell) => self.counts[cell] += block.len() as u64,
                    None => self.add_each(batch, block, None),
                }
            }
        }
    }

    /// The index of the cell that contains all points of a block, if there is one in the window.
    fn cell_of(&self, batch: &PointBatch, block: Range<usize>) -> Option<usize> {
        let [west, east] = range(&batch.x[block.clone()]);
        let [north, south] = range(&batch.y[block]);
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

wide! {
    fn sum(passing: &[u8]) -> u64 {
        // A block has at most 64 rows.
        u64::from(passing.iter().fold(0u8, |sum, &passes| sum + passes))
    }
}
