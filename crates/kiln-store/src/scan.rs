//! Snapshots as sources of points.

use std::ops::{ControlFlow, Range};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Snapshot;
use super::bins::BinColumns;
use super::filter::{Filter, SelectedPoints};
use super::points::{BATCH_ROWS, PointBatch};
use super::segment::Segment;
use super::snapshot::points_of;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Bounds, Categories, Frame, PointBins, Points, fixed};
use kiln_core::parallel::spawn_each;
use kiln_core::source::{Query, ScanReport, Sink, Source};

impl Source for Snapshot {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        /// Rows per part, the unit of work of a thread.
        const PART_ROWS: u64 = BATCH_ROWS as u64;
        self.check(query)?;
        if !query.columns.bins {
            self.check_single_points("a list of points", "tiles, pictures or GET /{layer}/statistics")?;
        }
        let segments = self.passing(query);
        let windows = query.scan.near.map(|bounds| windows(self.frame(), bounds));
        let mut parts = Vec::new();
        for (index, (segment, _)) in segments.iter().enumerate() {
            for rows in rows_near(segment, windows.as_deref()) {
                parts.extend(
                    rows.clone()
                        .step_by(PART_ROWS as usize)
                        .map(|start| (index, start..(start + PART_ROWS).min(rows.end))),
                );
            }
        }
        let parts = Mutex::new(parts.into_iter());
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let (stopped, failed) = (AtomicBool::new(false), Mutex::new(None));
        spawn_each(sinks, |sink| {
            while let Some((index, rows)) = next() {
                if stopped.load(Ordering::Relaxed) || query.is_stopped() {
                    stopped.store(true, Ordering::Relaxed);
                    break;
                }
                let (segment, filter) = &segments[index];
                match push(segment, filter.as_ref(), rows, query, sink) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => stopped.store(true, Ordering::Relaxed),
                    Err(error) => {
                        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        stopped.store(true, Ordering::Relaxed);
                    }
                }
            }
        });
        if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        if stopped.into_inner() {
            return Err(Error::Cancelled);
        }
        self.check_damage()?;
        Ok(self.scan_report(query, &segments))
    }
}

impl Snapshot {
    /// The report of a scan of the segments that may contain points that pass.
    pub(super) fn scan_report(&self, query: &Query<'_>, segments: &[(&Segment, Option<Filter<'_>>)]) -> ScanReport {
        let passing = points_of(segments);
        let unweighted = if query.columns.weights && !self.is_weighted() { passing } else { 0 };
        ScanReport {
            read: self.points(),
            filtered: self.points().saturating_sub(passing),
            unweighted,
            ..ScanReport::default()
        }
    }
}

/// Passes the points of some rows that pass a filter to a sink.
fn push(
    segment: &Segment,
    filter: Option<&Filter<'_>>,
    rows: Range<u64>,
    query: &Query<'_>,
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>> {
    let mut columns = SinkColumns::default();
    for (batch, range) in segment.points.batch_ranges(rows) {
        let flow = columns.push(segment, batch, range, filter, query, sink)?;
        if flow.is_break() {
            return Ok(flow);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Reused buffers of the columns that sinks receive.
#[derive(Default)]
pub(super) struct SinkColumns {
    selected: SelectedPoints,
    lon: Vec<f64>,
    lat: Vec<f64>,
    time: Vec<i64>,
    codes: Vec<u32>,
    track: Vec<u64>,
    n: Vec<u64>,
    sum: Vec<f64>,
    max: Vec<f32>,
}

impl SinkColumns {
    /// Passes the rows of a batch of a segment that pass a filter to `sink`, in chunks, with the columns of the query.
    pub(super) fn push(
        &mut self,
        segment: &Segment,
        batch: &PointBatch,
        rows: Range<usize>,
        filter: Option<&Filter<'_>>,
        query: &Query<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<ControlFlow<()>> {
        /// Points per chunk.
        const CHUNK: usize = 8192;
        let names = &segment.points.names.list;
        let mut flow = Ok(ControlFlow::Continue(()));
        for start in rows.clone().step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(rows.end);
            let Some(filter) = filter else {
                flow = self.all(batch, chunk, names, segment.level, query).map(&mut *sink);
                if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                    return flow;
                }
                continue;
            };
            let mut selected = std::mem::take(&mut self.selected);
            filter.select(batch, chunk, query.columns.weights, &mut selected, |selected| {
                if matches!(flow, Ok(ControlFlow::Continue(()))) {
                    flow = self.selected(batch, selected, names, segment.level, query).map(&mut *sink);
                }
            });
            self.selected = selected;
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                return flow;
            }
        }
        flow
    }

    /// The points of `rows`, whose columns are those of the file where possible.
    fn all<'a>(
        &'a mut self,
        batch: &'a PointBatch,
        rows: Range<usize>,
        names: &'a [Box<str>],
        level: Option<u32>,
        query: &Query<'_>,
    ) -> Result<Points<'a>> {
        self.locate(batch, rows.clone(), query);
        let columns = &query.columns;
        let codes = batch.category.as_ref().filter(|_| columns.categories).map(|codes| {
            codes.all().map_or_else(
                || {
                    self.codes.clear();
                    self.codes.extend(rows.clone().map(|row| codes.at(row)));
                    &*self.codes
                },
                |codes| &codes[rows.clone()],
            )
        });
        let points = points(
            [&self.lon, &self.lat],
            batch.weight.as_ref().filter(|_| columns.weights).map(|weight| &weight[rows.clone()]),
            batch.time_us.as_ref().filter(|_| columns.times).map(|time| &time[rows.clone()]),
            batch.track.as_ref().filter(|_| columns.tracks).map(|track| &track[rows.clone()]),
            codes.map(|codes| Categories { codes, names }),
        )?;
        match (&batch.bins, level) {
            (Some(bins), Some(level)) => {
                let BinColumns { n, weights } = bins.slice(rows);
                self.n.clear();
                n.append_to(&mut self.n);
                with_bins(points, &self.n, weights, level, columns.weights)
            }
            _ => Ok(points),
        }
    }

    /// The selected points.
    fn selected<'a>(
        &'a mut self,
        batch: &PointBatch,
        selected: &'a SelectedPoints,
        names: &'a [Box<str>],
        level: Option<u32>,
        query: &Query<'_>,
    ) -> Result<Points<'a>> {
        let (rows, columns) = (|| selected.rows.iter().map(|&row| row as usize), &query.columns);
        self.locate(batch, rows(), query);
        let time = batch.time_us.as_ref().filter(|_| columns.times).map(|time| {
            self.time.clear();
            self.time.extend(rows().map(|row| time[row]));
            &*self.time
        });
        let track = batch.track.as_ref().filter(|_| columns.tracks).map(|track| {
            self.track.clear();
            self.track.extend(rows().map(|row| track[row]));
            &*self.track
        });
        let codes = batch.category.as_ref().filter(|_| columns.categories).map(|codes| {
            self.codes.clear();
            self.codes.extend(rows().map(|row| codes.at(row)));
            &*self.codes
        });
        let weight = (!selected.weight.is_empty()).then_some(&*selected.weight);
        if let Some(bins) = &batch.bins {
            bins.gather(rows(), &mut self.n, &mut self.sum, &mut self.max);
        }
        let points =
            points([&self.lon, &self.lat], weight, time, track, codes.map(|codes| Categories { codes, names }))?;
        match (&batch.bins, level) {
            (Some(bins), Some(level)) => {
                let weights = bins.weights.is_some().then_some((&*self.sum, &*self.max));
                with_bins(points, &self.n, weights, level, columns.weights)
            }
            _ => Ok(points),
        }
    }

    /// Sets the positions to those of `rows`, or to zeros if the query needs none.
    fn locate(&mut self, batch: &PointBatch, rows: impl ExactSizeIterator<Item = usize>, query: &Query<'_>) {
        if query.columns.without_positions {
            self.lon.resize(rows.len(), 0.0);
            self.lat.resize(rows.len(), 0.0);
        } else {
            batch.positions(rows, &mut self.lon, &mut self.lat);
        }
    }
}

/// Marks rows as bins of `level`, with their weights if `weights`.
fn with_bins<'a>(
    points: Points<'a>,
    n: &'a [u64],
    columns: Option<(&'a [f64], &'a [f32])>,
    level: u32,
    weights: bool,
) -> Result<Points<'a>> {
    match columns.filter(|_| weights) {
        Some((sum, max)) => points.with_weight(max)?.with_bins(PointBins { level, n, sum: Some(sum) }),
        None => points.with_bins(PointBins { level, n, sum: None }),
    }
}

/// Points of some columns.
fn points<'a>(
    [lon, lat]: [&'a [f64]; 2],
    weight: Option<&'a [f32]>,
    time_us: Option<&'a [i64]>,
    track: Option<&'a [u64]>,
    category: Option<Categories<'a>>,
) -> Result<Points<'a>> {
    let mut points = Points::new(lon, lat)?;
    if let Some(weight) = weight {
        points = points.with_weight(weight)?;
    }
    if let Some(time_us) = time_us {
        points = points.with_time(time_us)?;
    }
    if let Some(track) = track {
        points = points.with_track(track)?;
    }
    category.map_or(Ok(points), |category| points.with_category(category))
}

/// Bounds as windows in fixed-point units, `[[west, east], [north, south]]`, edges included. Bounds across the
/// antimeridian are two windows, bounds outside the frame of a plane none.
pub(super) fn windows(frame: Frame, bounds: Bounds) -> Vec<[[u32; 2]; 2]> {
    if let Frame::Plane(frame) = frame {
        return frame.window(bounds).into_iter().collect();
    }
    let to_fixed = |lon: f64, lat: f64| {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        fixed::to_fixed(Points::new(&[lon], &[lat.clamp(-89.9, 89.9)]).unwrap_or_default(), &mut x, &mut y);
        [x[0], y[0]]
    };
    let [north_west, south_east] = [to_fixed(bounds.west, bounds.north), to_fixed(bounds.east, bounds.south)];
    // One unit more on each side, because of rounding.
    let y = [north_west[1].saturating_sub(1), south_east[1].saturating_add(1)];
    let width = bounds.east - bounds.west;
    if !(0.0..360.0).contains(&width) {
        return vec![[[0, u32::MAX], y]];
    }
    let [west, east] = [north_west[0].saturating_sub(1), south_east[0].saturating_add(1)];
    if west <= east { vec![[[west, east], y]] } else { vec![[[west, u32::MAX], y], [[0, east], y]] }
}

/// Ranges of rows that include all rows within `windows`.
pub(super) fn rows_near(segment: &Segment, windows: Option<&[[[u32; 2]; 2]]>) -> Vec<Range<u64>> {
    let Some(windows) = windows else { return vec![segment.all()] };
    let mut found: Vec<Range<u64>> = Vec::new();
    descend(segment, windows, 0, 0, segment.all(), &mut found);
    found
}

fn descend(
    segment: &Segment,
    windows: &[[[u32; 2]; 2]],
    depth: u32,
    key: u64,
    rows: Range<u64>,
    found: &mut Vec<Range<u64>>,
) {
    /// The number of rows up to which filtering one by one is faster than splitting by location.
    const FEW_ROWS: u64 = 1 << 13;
    if rows.is_empty() {
        return;
    }
    let (x, y) = kiln_core::geo::morton::decode(key);
    let side_bits = 32 - depth;
    // Whether the node overlaps a window, and whether it is within the window.
    let overlap = |at: u32, [first, last]: [u32; 2]| {
        let start = u64::from(at) << side_bits;
        let end = (u64::from(at) + 1) << side_bits;
        (start <= u64::from(last) && end > u64::from(first), start >= u64::from(first) && end <= u64::from(last) + 1)
    };
    let mut overlapping =
        windows.iter().map(|window| (overlap(x, window[0]), overlap(y, window[1]))).filter(|(x, y)| x.0 && y.0);
    let Some(first) = overlapping.next() else { return };
    let is_within = first.0.1 && first.1.1 || overlapping.any(|(x, y)| x.1 && y.1);
    if is_within || rows.end - rows.start <= FEW_ROWS || depth == 32 {
        match found.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => found.push(rows),
        }
        return;
    }
    let mut start = rows.start;
    for child in key << 2..(key << 2) + 4 {
        let end = if child & 3 == 3 {
            rows.end
        } else {
            segment.points.first_at((child + 1) << (64 - 2 * (depth + 1)), start..rows.end)
        };
        descend(segment, windows, depth + 1, child, start..end, found);
        start = end;
    }
}
