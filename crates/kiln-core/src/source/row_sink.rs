//! The row sink of readers: validates, filters, batches and counts rows.

use std::ops::ControlFlow;

use super::batch::{Batch, Row, RowFields};
use super::{CategorySet, CoordinateSpace, IgnoredValues, Query, Rejection, Role, ScanReport, Sink};
use crate::calendar::{LocalClock, TimePartFilter};
use crate::geo::{Categories, Points};
use crate::simd::wide;

/// Receives the rows of a part of an input, in order, and passes the valid points that match the query to a sink.
///
/// Every row must be passed exactly once, to [`row`](Self::row), [`columns`](Self::columns) or
/// [`reject`](Self::reject), so that the count is the number of the row within its part.
pub struct RowSink<'i, 's> {
    query: &'i Query<'i>,
    sink: &'i mut Sink<'s>,
    /// Points buffered for the sink.
    batch: Batch,
    /// A reused buffer: which rows of a slice match the query.
    passing: Vec<bool>,
    /// The clocks of the filters by parts of the time, which remember the offsets of their zones between rows.
    clocks: Vec<LocalClock<'i>>,
    report: ScanReport,
    reported_progress: u64,
}

impl<'i, 's> RowSink<'i, 's> {
    /// An empty row sink. `fields` are the optional fields of the rows.
    pub fn new(query: &'i Query<'i>, sink: &'i mut Sink<'s>, fields: RowFields) -> Self {
        // Fields that are only used by the filter are not passed on.
        let fields = RowFields {
            weight: fields.weight,
            time: fields.time && query.columns.times,
            category: fields.category && query.columns.categories,
            track: fields.track && query.columns.tracks,
        };
        Self {
            query,
            sink,
            batch: Batch::new(fields),
            passing: Vec::new(),
            clocks: query.filter.time_parts.iter().map(TimePartFilter::clock).collect(),
            report: ScanReport::default(),
            reported_progress: 0,
        }
    }

    /// Adds a row.
    #[inline]
    pub fn row(&mut self, row: Row<'_>) -> ControlFlow<()> {
        if !passes(self.query, &mut self.clocks, row.time_us, row.category) {
            self.filter(1);
            return ControlFlow::Continue(());
        }
        let weight = if self.batch.fields.weight { row.weight.unwrap_or(f64::NAN) as f32 } else { 1.0 };
        if !(is_valid(self.query.columns.space, row.lon, row.lat) && weight.abs() <= Points::MAX_WEIGHT) {
            self.reject(|| describe_invalid(self.query.columns.space, row.lon, row.lat, weight));
            return ControlFlow::Continue(());
        }
        if self.query.filter.polygon.as_ref().is_some_and(|polygon| !polygon.contains(row.lon, row.lat)) {
            self.filter(1);
            return ControlFlow::Continue(());
        }
        self.report.read += 1;
        self.report.wrapped += u64::from(self.query.columns.space.wraps() && row.lon.abs() > 180.0);
        self.batch.push(row);
        if self.batch.is_full() { self.flush() } else { ControlFlow::Continue(()) }
    }

    /// Adds rows as columns, without copying slices in which all rows are valid and match.
    pub fn columns(&mut self, points: Points<'_>) -> ControlFlow<()> {
        let mut start = 0;
        while start < points.len() {
            let slice = points.slice(start..start + Batch::ROWS);
            start += slice.len();
            self.slice(slice)?;
        }
        ControlFlow::Continue(())
    }

    /// Adds valid rows that stand for many points each.
    pub fn bins(&mut self, points: Points<'_>) -> ControlFlow<()> {
        if points.is_empty() {
            return ControlFlow::Continue(());
        }
        if !self.query.filter.is_active() {
            return self.pass_on(points);
        }
        let mut passing = std::mem::take(&mut self.passing);
        find_passing(self.query, points, &mut passing);
        let mut start = 0;
        let mut flow = self.flow();
        // Runs of rows that pass, or do not.
        while start < passing.len() && flow.is_continue() {
            let passes = passing[start];
            let end = start + passing[start..].iter().take_while(|other| **other == passes).count();
            if passes {
                flow = self.pass_on(points.slice(start..end));
            } else {
                self.filter(end - start);
            }
            start = end;
        }
        self.passing = passing;
        flow
    }

    /// Adds at most [`Batch::ROWS`] rows.
    fn slice(&mut self, points: Points<'_>) -> ControlFlow<()> {
        if !all_valid(self.query.columns.space, points) {
            return (0..points.len()).try_for_each(|i| self.row(Row::of(points, i)));
        }
        // A few rows are buffered with the following ones, so that sinks do not receive tiny batches.
        let is_tiny = points.len() < Batch::ROWS / 4;
        if !is_tiny && !self.query.filter.is_active() {
            return self.pass_on(points);
        }
        let mut passing = std::mem::take(&mut self.passing);
        find_passing(self.query, points, &mut passing);
        let count: usize = passing.iter().map(|&passes| usize::from(passes)).sum();
        if !is_tiny && count == points.len() {
            self.passing = passing;
            return self.pass_on(points);
        }
        self.filter(points.len() - count);
        self.report.read += count as u64;
        self.report.wrapped += self.count_wrapped(points, Some(&passing));
        if self.batch.len() + count > Batch::ROWS {
            self.flush()?;
        }
        self.batch.extend(points, &passing);
        self.passing = passing;
        if self.batch.is_full() {
            return self.flush();
        }
        // A sink that is not called cannot cancel the scan.
        if self.query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Passes valid points on without copying.
    fn pass_on(&mut self, points: Points<'_>) -> ControlFlow<()> {
        self.flush()?;
        self.report.read += points.len() as u64;
        self.report.wrapped += self.count_wrapped(points, None);
        let points = if self.batch.fields.time { points } else { points.without_time() };
        let points = if self.batch.fields.category { points } else { points.without_category() };
        let points = if self.batch.fields.track { points } else { points.without_track() };
        (self.sink)(points)
    }

    /// The number of points with a longitude beyond ±180° among those that are `passing`, or among all.
    fn count_wrapped(&self, points: Points<'_>, passing: Option<&[bool]>) -> u64 {
        if !self.query.columns.space.wraps() || all_within(points.lon(), 180.0) {
            return 0;
        }
        let passes = |index: usize| passing.is_none_or(|passing| passing[index]);
        let wrapped = points.lon().iter().enumerate().filter(|&(index, lon)| lon.abs() > 180.0 && passes(index));
        wrapped.count() as u64
    }

    /// Counts rows that do not match the filter.
    fn filter(&mut self, rows: usize) {
        self.report.read += rows as u64;
        self.report.filtered += rows as u64;
    }

    /// Counts an invalid row. `reason` is only called for the first rows, whose reasons are reported.
    #[cold]
    pub fn reject(&mut self, reason: impl FnOnce() -> String) {
        self.report.read += 1;
        self.report.rejected += 1;
        if self.report.rejections.len() < self.query.scan.max_rejections {
            let row = self.report.read;
            self.report.rejections.push(Rejection { input: String::new(), row, reason: reason() });
        }
    }

    /// Counts an ignored value of the next row. `describe` returns the name of the column and why the value is invalid;
    /// it is only called for the first value of a role.
    #[cold]
    pub fn ignore(&mut self, role: Role, describe: impl FnOnce() -> (String, String)) {
        if let Some(ignored) = self.report.ignored.iter_mut().find(|ignored| ignored.role == role) {
            ignored.values += 1;
            return;
        }
        let (column, reason) = describe();
        let row = self.report.read + 1;
        self.report.ignored.push(IgnoredValues { input: String::new(), column, role, values: 1, row, reason });
    }

    /// `Break` if the scan is cancelled; for readers to check after a row that is not passed on.
    pub fn flow(&self) -> ControlFlow<()> {
        self.query.flow()
    }

    /// The number of rows so far.
    pub fn rows(&self) -> u64 {
        self.report.read
    }

    /// Adds `bytes`, and the rows since the last call, to the progress of the query.
    pub fn advance(&mut self, bytes: u64) {
        if let Some(progress) = self.query.scan.progress {
            progress.advance(bytes, self.report.read - self.reported_progress);
            self.reported_progress = self.report.read;
        }
    }

    /// Passes the last batch on and returns the report, in which rows are numbered from 1 within the part.
    pub fn finish(mut self) -> (ScanReport, ControlFlow<()>) {
        let flow = self.flush();
        (self.report, flow)
    }

    fn flush(&mut self) -> ControlFlow<()> {
        if self.batch.len() == 0 {
            return ControlFlow::Continue(());
        }
        // The columns of a batch have equal lengths, so this cannot fail.
        let Ok(points) = self.batch.points() else { return ControlFlow::Break(()) };
        let flow = (self.sink)(points);
        self.batch.clear();
        flow
    }
}

/// Whether a time and category match the query, with a clock per filter by parts of the time. A row without a time matches
/// no time range.
fn passes(query: &Query<'_>, clocks: &mut [LocalClock<'_>], time_us: Option<i64>, category: Option<&str>) -> bool {
    let after_start = query.filter.start_us.is_none_or(|start| time_us.is_some_and(|time| time >= start));
    let before_end = query.filter.end_us.is_none_or(|end| time_us.is_some_and(|time| time < end));
    let mut in_parts = query.filter.time_parts.iter().zip(clocks);
    let in_parts = in_parts.all(|(filter, clock)| time_us.is_some_and(|time| filter.matches(clock, time)));
    let is_in = |category: &str| query.filter.categories.contains(category);
    after_start && before_end && in_parts && (!query.filter.filters_category() || category.is_some_and(is_in))
}

/// Sets `passing` to whether each of the valid `points` matches the query.
pub(crate) fn find_passing(query: &Query<'_>, points: Points<'_>, passing: &mut Vec<bool>) {
    passing.clear();
    if let Some(polygon) = &query.filter.polygon {
        // Many vertices take long for a batch. A cancelled scan returns an error, whatever passes.
        polygon.contains_until(points.lon(), points.lat(), passing, || query.is_stopped());
    }
    // All points match if there is no polygon.
    passing.resize(points.len(), true);
    if query.filter.filters_time() {
        // Points without a time match no time range.
        let first = query.filter.start_us.unwrap_or(i64::MIN).max(Points::NO_TIME + 1);
        let last = query.filter.end_us.map_or(i64::MAX, |end| end.saturating_sub(1));
        match points.time_us() {
            Some(time_us) => keep_times_within(passing, time_us, first, last),
            None => passing.fill(false),
        }
        for filter in &query.filter.time_parts {
            let mut clock = filter.clock();
            for (passes, &time_us) in passing.iter_mut().zip(points.time_us().unwrap_or_default()) {
                *passes = *passes && filter.matches(&mut clock, time_us);
            }
        }
    }
    if query.filter.filters_category() {
        keep_categories(passing, points.category(), &query.filter.categories);
    }
}

/// Clears `passing` for the points whose category is not `selected`.
fn keep_categories(passing: &mut [bool], categories: Option<Categories<'_>>, selected: &CategorySet) {
    let Some(Categories { codes, names }) = categories else { return passing.fill(false) };
    if names.len() <= codes.len() {
        // Each name is looked up once.
        let is_selected: Vec<bool> = names.iter().map(|name| selected.contains(name)).collect();
        for (passes, &code) in passing.iter_mut().zip(codes) {
            *passes &= is_selected.get(code as usize).is_some_and(|is_selected| *is_selected);
        }
        return;
    }
    for (passes, &code) in passing.iter_mut().zip(codes).filter(|(passes, _)| **passes) {
        *passes = names.get(code as usize).is_some_and(|name| selected.contains(name));
    }
}

wide! {
    fn keep_times_within(passing: &mut [bool], time_us: &[i64], first: i64, last: i64) {
        for (passes, time) in passing.iter_mut().zip(time_us) {
            *passes &= (first..=last).contains(time);
        }
    }
}

#[inline]
fn is_valid(space: CoordinateSpace, lon: f64, lat: f64) -> bool {
    match space {
        // NaN compares false, so it is invalid too.
        CoordinateSpace::Globe => lon.abs() <= 360.0 && lat.abs() <= 90.0,
        CoordinateSpace::Plane => lon.is_finite() && lat.is_finite(),
    }
}

fn all_valid(space: CoordinateSpace, points: Points<'_>) -> bool {
    let (max_x, max_y) = match space {
        CoordinateSpace::Globe => (360.0, 90.0),
        CoordinateSpace::Plane => (f64::MAX, f64::MAX),
    };
    all_within(points.lon(), max_x)
        && all_within(points.lat(), max_y)
        && points.weight().is_none_or(|weight| all_weights_within(weight, Points::MAX_WEIGHT))
}

wide! {
    fn all_within(values: &[f64], max: f64) -> bool {
        // No early exit, so that the loop vectorizes; NaN compares false.
        values.iter().fold(true, |ok, value| ok & (value.abs() <= max))
    }
}

wide! {
    fn all_weights_within(values: &[f32], max: f32) -> bool {
        values.iter().fold(true, |ok, value| ok & (value.abs() <= max))
    }
}

/// Describes why a row is invalid.
fn describe_invalid(space: CoordinateSpace, lon: f64, lat: f64, weight: f32) -> String {
    if !lon.is_finite() || !lat.is_finite() {
        format!("the coordinates {lon}, {lat} are not finite")
    } else if space == CoordinateSpace::Globe && lat.abs() > 90.0 {
        let hint = if lon.abs() <= 90.0 { "; are longitude and latitude swapped?" } else { "" };
        format!("latitude {lat} is beyond ±90{hint}")
    } else if space == CoordinateSpace::Globe && lon.abs() > 360.0 {
        format!("longitude {lon} is beyond ±360")
    } else if weight.is_finite() {
        format!("the weight {weight} is beyond ±{:e}; divide the weights by some number", Points::MAX_WEIGHT)
    } else {
        format!("the weight {weight} is not a finite number")
    }
}
