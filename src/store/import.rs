//! From a source to a segment, in memory that is bounded whatever the size.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::layer::{Change, StoredLayer};
use super::manifest::Description;
use super::merge::{Merging, merge};
use super::progress::{Progress, Stage};
use super::rows::Rows;
use super::segment::{Segment, SegmentEntry, SegmentWriter};
use super::staging::StagingDir;
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::source::{Query, ScanReport, Sink, Source};

/// Points that are to be added to a layer.
#[derive(Debug, Default)]
pub struct Batch(pub(super) Rows);

impl Batch {
    /// Takes in points, and answers how many of them lie beyond the edge of the Web Mercator world, 85.05° north or south:
    /// these are left out.
    pub fn add(&mut self, points: Points<'_>) -> usize {
        self.0.add(points)
    }

    /// How many points there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Imported {
    /// What the scan met.
    pub report: ScanReport,
    /// Valid points that were left out since they lie beyond the edge of the Web Mercator world, 85.05° north or south.
    pub beyond_map: u64,
    /// Points that were added.
    pub points: u64,
}

/// What becomes of the points that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They stay, and the new ones are added.
    #[default]
    Kept,
    /// The new ones take their place, all at once.
    Replaced,
}

/// Points that are sorted in memory at a time, by all workers together.
const SORTED_ROWS: usize = 1 << 23;

/// Brings all points of `source` that pass `query` into a layer, all of them or none. Where none passes, the layer stays as
/// it is.
pub(super) fn import(
    layer: &StoredLayer,
    source: &dyn Source,
    query: &Query<'_>,
    existing: Existing,
    description: Option<Description>,
    threads: usize,
    progress: &Progress,
) -> Result<Imported> {
    let staging = layer.staging_dir()?;
    progress.enter(Stage::Reading, 0);
    let stop = query.stop.or(Some(progress.stopped()));
    let query = Query { weights: true, times: true, categories: true, stop, ..query.clone() };
    let threads = threads.max(1);
    let beyond = AtomicU64::new(0);
    let runs = AtomicUsize::new(0);
    let mut workers: Vec<Worker> = (0..threads).map(|_| Worker::default()).collect();
    let scanned = {
        let take = |worker: &mut Worker, points: Points<'_>| -> Result<()> {
            beyond.fetch_add(worker.rows.add(points) as u64, Ordering::Relaxed);
            progress.advance(points.len() as u64);
            if worker.rows.len() >= SORTED_ROWS / threads {
                let rows = std::mem::take(&mut worker.rows);
                worker.runs.push(write_run(&staging, runs.fetch_add(1, Ordering::Relaxed), rows)?);
            }
            Ok(())
        };
        let take = &take;
        let mut sinks: Vec<_> = workers
            .iter_mut()
            .map(|worker| {
                move |points: Points<'_>| {
                    if progress.is_stopped() {
                        return ControlFlow::Break(());
                    }
                    match take(worker, points) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(error) => {
                            worker.failed = Some(error);
                            ControlFlow::Break(())
                        }
                    }
                }
            })
            .collect();
        let mut sinks: Vec<&mut Sink<'_>> = sinks.iter_mut().map(|sink| sink as &mut Sink<'_>).collect();
        source.scan(&query, &mut sinks)
    };
    // What went wrong while a run was written stopped the scan.
    if let Some(error) = workers.iter_mut().find_map(|worker| worker.failed.take()) {
        return Err(error);
    }
    let report = scanned?;
    if progress.is_stopped() {
        return Err(Error::Cancelled);
    }
    let how = Merging { expire_before_us: None, requests: &[], threads, progress: Some(progress) };
    let entry = finish(&staging, workers, &runs, how)?;
    let points = entry.as_ref().map_or(0, |entry| entry.rows);
    let imported = Imported { report, beyond_map: beyond.into_inner(), points };
    if progress.is_stopped() {
        return Err(Error::Cancelled);
    }
    if let Some(entry) = entry {
        let change = Change { added: vec![entry], existing, description, ..Change::default() };
        layer.commit(change, &[staging])?;
    }
    Ok(imported)
}

/// What one thread has gathered.
#[derive(Default)]
struct Worker {
    rows: Rows,
    runs: Vec<(String, SegmentEntry)>,
    failed: Option<Error>,
}

/// Sorts points and writes them to be merged later.
fn write_run(staging: &StagingDir, number: usize, mut rows: Rows) -> Result<(String, SegmentEntry)> {
    rows.sort();
    let name = format!("run-{number}");
    let mut writer = SegmentWriter::create(staging.path(), &name, rows.columns(), &[])?;
    writer.push(rows)?;
    let entry = writer.finish(false, false, 1, None)?;
    Ok((name, entry))
}

/// Makes one segment of what the workers have; none if that is nothing.
fn finish(
    staging: &StagingDir,
    workers: Vec<Worker>,
    next_run: &AtomicUsize,
    how: Merging<'_>,
) -> Result<Option<SegmentEntry>> {
    let is_small = workers.iter().all(|worker| worker.runs.is_empty())
        && workers.iter().map(|worker| worker.rows.len()).sum::<usize>() <= SORTED_ROWS / 2;
    if is_small {
        let mut all = Rows::default();
        for worker in workers {
            all.append(worker.rows);
        }
        if all.is_empty() {
            return Ok(None);
        }
        return segment_of(staging, all, true, how).map(Some);
    }
    let mut runs = Vec::new();
    std::thread::scope(|scope| -> Result<()> {
        let writers: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let number = next_run.fetch_add(1, Ordering::Relaxed);
                scope.spawn(move || -> Result<Vec<(String, SegmentEntry)>> {
                    let mut runs = worker.runs;
                    if !worker.rows.is_empty() {
                        runs.push(write_run(staging, number, worker.rows)?);
                    }
                    Ok(runs)
                })
            })
            .collect();
        for writer in writers {
            runs.extend(writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(())
    })?;
    let open = |(name, entry): &(String, SegmentEntry)| Segment::open(staging.path(), name, entry);
    let segments: Vec<Segment> = runs.iter().map(open).collect::<Result<_>>()?;
    let segments: Vec<&Segment> = segments.iter().collect();
    merge(&segments, staging.path(), StagingDir::RESULT, how).map(Some)
}

/// Writes points as the segment of a change; without bins it is on the disk sooner, and its points are summed up one by one.
pub(super) fn segment_of(
    staging: &StagingDir,
    mut rows: Rows,
    with_bins: bool,
    how: Merging<'_>,
) -> Result<SegmentEntry> {
    if let Some(progress) = how.progress {
        progress.enter(Stage::Binning, rows.len() as u64);
    }
    rows.sort();
    let mut writer = SegmentWriter::create(staging.path(), StagingDir::RESULT, rows.columns(), how.requests)?;
    writer.push(rows)?;
    writer.finish(with_bins, true, how.threads, how.progress)
}
