//! Import of a source as one new segment, in bounded memory.

use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::append::first_frame;
use super::bins::mixed_rows;
use super::expiry::Expiry;
use super::layer::{Change, ExistingPoints, StoredLayer, other_space};
use super::manifest::Description;
use super::merge::{SegmentOptions, merge, write_segment};
use super::progress::{Progress, Stage};
use super::rows::Rows;
use super::segment::{Segment, SegmentEntry, SegmentWriter};
use super::staging::StagingDir;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Frame, PointBins, Points};
use kiln_core::parallel::try_map;
use kiln_core::source::{Query, ScanReport, Sink, Source};

/// The outcome of an import.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImportReport {
    /// The report of the scan.
    pub report: ScanReport,
    /// Number of valid points that were skipped because they are beyond the edge of the Web Mercator world, 85.05°
    /// north or south; on a plane, outside the layer's square.
    pub beyond_map: u64,
    /// Number of points that were added.
    pub points: u64,
}

/// The number of points that all workers together sort in memory at a time; half as many bins.
const SORTED_ROWS: usize = 1 << 23;

impl StoredLayer {
    /// Imports the points of `source` that pass `query`, atomically and on up to `threads` threads, and sets the
    /// layer's description in the same commit, if one is given. Memory is bounded regardless of the number of points.
    /// If no points pass, the layer is unchanged, regardless of `existing`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the query reads another coordinate space than that of the layer. If reading the source or writing to the store fails, and [`Error::Cancelled`] if `progress` was stopped. The
    /// layer is unchanged then.
    pub fn import(
        &self,
        source: &dyn Source,
        query: &Query<'_>,
        existing: ExistingPoints,
        description: Option<Description>,
        threads: usize,
        progress: &Progress,
    ) -> Result<ImportReport> {
        let prepared = self.prepare_import(source, query, threads, progress)?;
        self.commit_import(prepared, existing, description)
    }

    /// Reads the points of `source` that pass `query` like [`import`](Self::import), without changing the layer:
    /// [`commit_import`](Self::commit_import) adds them.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn prepare_import(
        &self,
        source: &dyn Source,
        query: &Query<'_>,
        threads: usize,
        progress: &Progress,
    ) -> Result<PreparedImport> {
        self.free_if_full(self.prepare(source, query, threads, progress))
    }

    fn prepare(
        &self,
        source: &dyn Source,
        query: &Query<'_>,
        threads: usize,
        progress: &Progress,
    ) -> Result<PreparedImport> {
        let space = self.coordinate_space();
        if query.columns.space != space {
            return Err(other_space(space));
        }
        let staging = self.staging_dir()?;
        progress.enter(Stage::Reading, 0);
        let stop = query.scan.stop.or(Some(progress.stopped()));
        let query = query
            .clone()
            .with_weights(true)
            .with_times(true)
            .with_categories(true)
            .with_tracks(true)
            .with_bins(true)
            .with_stop(stop);
        let threads = threads.max(1);
        let beyond = AtomicU64::new(0);
        let runs = AtomicUsize::new(0);
        let (frame, kind) = (OnceLock::new(), OnceLock::new());
        let mut workers: Vec<Worker> = (0..threads).map(|_| Worker::default()).collect();
        let scanned = {
            let take = |worker: &mut Worker, points: Points<'_>| -> Result<()> {
                if points.is_empty() {
                    return Ok(());
                }
                let frame = if let Some(frame) = frame.get() {
                    *frame
                } else {
                    let chosen = self.frame_or(first_frame(space, points))?;
                    *frame.get_or_init(|| chosen)
                };
                let level = points.bins().map(|bins| bins.level);
                let first = *kind.get_or_init(|| level);
                if first != level {
                    return Err(mixed_rows(first, level));
                }
                worker.rows.frame = frame;
                beyond.fetch_add(worker.rows.add(points) as u64, Ordering::Relaxed);
                progress.advance(points.len() as u64);
                // A row of bins takes about twice the memory of a point.
                let sorted_rows = if level.is_some() { SORTED_ROWS / 2 } else { SORTED_ROWS };
                if worker.rows.len() >= sorted_rows / threads {
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
        // An error of writing a run has stopped the scan.
        if let Some(error) = workers.iter_mut().find_map(|worker| worker.failed.take()) {
            return Err(error);
        }
        let report = scanned?;
        if progress.is_stopped() {
            return Err(Error::Cancelled);
        }
        let options = SegmentOptions { requests: &[], threads, progress: Some(progress) };
        let (frame, level) = (frame.get().copied(), kind.get().copied().flatten());
        let entry = finish(&staging, workers, &runs, (frame.unwrap_or_default(), level), &options)?;
        let points = entry.as_ref().map_or(0, SegmentEntry::point_count);
        let imported = ImportReport { report, beyond_map: beyond.into_inner(), points };
        if progress.is_stopped() {
            return Err(Error::Cancelled);
        }
        Ok(PreparedImport { staging, entry, frame, level, imported })
    }

    /// Adds prepared points, atomically, and sets the layer's description in the same commit, if one is given. Without
    /// points, the layer is unchanged.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails. The layer is unchanged then.
    pub fn commit_import(
        &self,
        prepared: PreparedImport,
        existing: ExistingPoints,
        description: Option<Description>,
    ) -> Result<ImportReport> {
        let (imported, change, staged) = prepared.into_change(description);
        if !change.added.is_empty() {
            self.free_if_full(self.commit(Change { existing, ..change }, &staged))?;
        }
        Ok(imported)
    }
}

/// Points of an import that are not yet in the layer. They are discarded on drop.
#[derive(Debug)]
pub struct PreparedImport {
    staging: StagingDir,
    /// The segment of the points; `None` without points.
    entry: Option<SegmentEntry>,
    frame: Option<Frame>,
    /// The level of rows that stand for many points each.
    level: Option<u32>,
    imported: ImportReport,
}

impl PreparedImport {
    /// The change that adds the points, and the staging folders of its segments.
    pub(super) fn into_change(self, description: Option<Description>) -> (ImportReport, Change, Vec<StagingDir>) {
        let Self { staging, entry, frame, level, imported } = self;
        let change = Change { added: entry.into_iter().collect(), description, level, frame, ..Change::default() };
        (imported, change, vec![staging])
    }

    /// The level of the bins; `None` of single points.
    pub fn level(&self) -> Option<u32> {
        self.level
    }

    /// The report of the import.
    pub fn report(&self) -> &ImportReport {
        &self.imported
    }

    /// Counts the points with times before `before_us`, in microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`Error::Io`] if the points cannot be read.
    pub fn expiry(&self, before_us: i64) -> Result<Expiry> {
        let Some(entry) = &self.entry else { return Ok(Expiry::default()) };
        let frame = self.frame.unwrap_or_default();
        let segment = Segment::open(self.staging.path(), StagingDir::SEGMENT, entry, frame, self.level)?;
        Ok(Expiry::of_segment(&segment, before_us))
    }
}

/// The points of one thread.
#[derive(Default)]
struct Worker {
    rows: Rows,
    runs: Vec<(String, SegmentEntry)>,
    failed: Option<Error>,
}

/// Sorts points and writes them as a sorted run, which is merged later.
fn write_run(staging: &StagingDir, number: usize, mut rows: Rows) -> Result<(String, SegmentEntry)> {
    rows.sort_and_merge(PointBins::MAX_N);
    let name = format!("run-{number}");
    let mut writer = SegmentWriter::create(staging.path(), &name, rows.columns(), &[])?;
    writer.push(rows)?;
    let entry = writer.finish(false, false, 1, None)?;
    Ok((name, entry))
}

/// Writes the points of all workers as one segment; `None` if there are no points.
fn finish(
    staging: &StagingDir,
    workers: Vec<Worker>,
    next_run: &AtomicUsize,
    (frame, level): (Frame, Option<u32>),
    options: &SegmentOptions<'_>,
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
        return write_segment(staging, all, true, options).map(Some);
    }
    let runs = try_map(workers, options.threads, |Worker { rows, mut runs, .. }| {
        if !rows.is_empty() {
            runs.push(write_run(staging, next_run.fetch_add(1, Ordering::Relaxed), rows)?);
        }
        Ok(runs)
    })?;
    let runs = runs.concat();
    let open = |(name, entry): &(String, SegmentEntry)| Segment::open(staging.path(), name, entry, frame, level);
    let segments: Vec<Segment> = runs.iter().map(open).collect::<Result<_>>()?;
    let segments: Vec<&Segment> = segments.iter().collect();
    merge(&segments, staging, None, options).map(Some)
}
