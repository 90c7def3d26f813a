//! Matrices of a snapshot, accumulated from the columns of its files.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Snapshot;
use super::points::PointBatch;
use super::scan::{SinkColumns, rows_near, windows};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Points;
use kiln_core::matrix::{MatrixAccumulator, MatrixRequest, PointMatrix};
use kiln_core::parallel::spawn_each;
use kiln_core::source::Query;

impl Snapshot {
    /// Groups the points that match `query` by the axes of `request`, on up to `threads` threads.
    ///
    /// # Errors
    /// As [`cells`](Self::cells), and [`Error::Invalid`] for `x` if there are more cells than the request allows, and for
    /// `x`, `y` or `value` if it is a column of a table.
    pub fn matrix(&self, query: &Query<'_>, request: &MatrixRequest, threads: usize) -> Result<PointMatrix> {
        self.check(query)?;
        if self.level().is_some() {
            return self.matrix_of_bins(query, request);
        }
        let query = request.query(query);
        let segments = self.passing(&query);
        // Points outside the bounds of a polygon do not pass.
        let bounds = query.scan.near.or_else(|| query.filter.polygon.as_ref().map(|polygon| polygon.bounds()));
        let windows = bounds.map(|bounds| windows(self.frame(), bounds));
        let mut parts: Vec<(usize, &PointBatch, Range<usize>)> = Vec::new();
        for (index, (segment, _)) in segments.iter().enumerate() {
            for rows in rows_near(segment, windows.as_deref()) {
                parts.extend(segment.points.batch_ranges(rows).map(|(batch, rows)| (index, batch, rows)));
            }
        }
        let (next, stopped, failed) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        let mut workers = MatrixAccumulator::for_workers(request, threads.min(parts.len()))?;
        spawn_each(workers.iter_mut(), |worker| {
            let mut columns = SinkColumns::default();
            while let Some((index, batch, rows)) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (segment, filter) = &segments[*index];
                // The names of categories are those of the segment.
                let mut sink = |points: Points<'_>| {
                    worker.add_from(*index, points)?;
                    query.flow()
                };
                let flow = columns.push(segment, batch, rows.clone(), filter.as_ref(), &query, &mut sink);
                match flow {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => stopped.store(true, Ordering::Relaxed),
                    Err(error) => {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        // The error of a worker, which has stopped the others, comes before the cancellation.
        let matrix = MatrixAccumulator::finish_all(workers)?;
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if stopped.into_inner() {
            return Err(Error::Cancelled);
        }
        self.check_damage()?;
        Ok(PointMatrix { report: self.scan_report(&query, &segments), ..matrix })
    }
}
