//! The filter of a query on a segment.

use std::ops::Range;

use super::points::Batch;
use super::segment::Segment;
use kiln_core::geo::{Points, Polygon, fixed};
use kiln_core::simd::wide;
use kiln_core::source::Query;

/// A filter with the category numbers of a segment.
#[derive(Clone, Debug)]
pub(super) struct Filter<'q> {
    /// The first instant that passes, and the first that no longer does; `None` where all pass, even those without a time.
    time_us: Option<Range<i64>>,
    /// Whether each category of the segment passes; `None` where all points do.
    categories: Option<Vec<bool>>,
    polygon: Option<&'q Polygon>,
}

/// Points that passed, as columns; without weights the last one is empty.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) x: Vec<u32>,
    pub(super) y: Vec<u32>,
    pub(super) weight: Vec<f32>,
    /// Their rows in the batch.
    pub(super) rows: Vec<u32>,
}

impl<'q> Filter<'q> {
    /// A filter that all points pass.
    pub(super) fn everything() -> Self {
        Self { time_us: None, categories: None, polygon: None }
    }

    /// The filter of a query on a segment. `None`: no point of it can pass. A filter that all pass is `Some(None)`.
    #[allow(clippy::option_option, reason = "none may pass, all do, or some")]
    pub(super) fn of(query: &'q Query<'_>, segment: &Segment) -> Option<Option<Self>> {
        let totals = &segment.entry.totals;
        let mut filter = Self { time_us: None, categories: None, polygon: query.filter.polygon.as_deref() };
        if query.filter.start_us.is_some() || query.filter.end_us.is_some() {
            let range = query.filter.start_us.unwrap_or(Points::NO_TIME + 1)..query.filter.end_us.unwrap_or(i64::MAX);
            let [first, last] = totals.time_us?;
            if range.start > last || range.end <= first {
                return None;
            }
            let all =
                totals.untimed == 0 && range.start <= first && (range.end > last || query.filter.end_us.is_none());
            filter.time_us = (!all).then_some(range);
        }
        if !query.filter.categories.is_empty() {
            let names = &segment.points.names;
            let mut passes = vec![false; names.list.len()];
            query
                .filter
                .categories
                .iter()
                .filter_map(|name| names.find(name))
                .for_each(|number| passes[number as usize] = true);
            if !passes.contains(&true) {
                return None;
            }
            filter.categories = Some(passes);
        }
        let any = filter.time_us.is_some() || filter.categories.is_some() || filter.polygon.is_some();
        Some(any.then_some(filter))
    }

    /// Passes the points of `range` that match to `take`, in chunks.
    pub(super) fn select(
        &self,
        batch: &Batch,
        range: Range<usize>,
        weights: bool,
        passed: &mut Passed,
        mut take: impl FnMut(&Passed),
    ) {
        const CHUNK: usize = 4096;
        for start in range.clone().step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(range.end);
            passed.rows.clear();
            match (&self.time_us, &batch.time_us) {
                (None, _) => passed.rows.extend(chunk.start as u32..chunk.end as u32),
                (Some(range), Some(time)) => {
                    in_range(&time[chunk.clone()], range, chunk.start as u32, &mut passed.rows);
                }
                (Some(_), None) => {}
            }
            if let (Some(passes), false) = (&self.categories, passed.rows.is_empty()) {
                match &batch.category {
                    Some(codes) => passed
                        .rows
                        .retain(|&row| passes.get(codes.at(row as usize) as usize).is_some_and(|passes| *passes)),
                    None => passed.rows.clear(),
                }
            }
            if let (Some(polygon), false) = (self.polygon, passed.rows.is_empty()) {
                passed.rows.retain(|&row| {
                    let (lon, lat) = fixed::from_fixed(batch.x[row as usize], batch.y[row as usize]);
                    polygon.contains(lon, lat)
                });
            }
            if passed.rows.is_empty() {
                continue;
            }
            let rows = &passed.rows;
            passed.x.clear();
            passed.x.extend(rows.iter().map(|&row| batch.x[row as usize]));
            passed.y.clear();
            passed.y.extend(rows.iter().map(|&row| batch.y[row as usize]));
            passed.weight.clear();
            if let (Some(weight), true) = (&batch.weight, weights) {
                passed.weight.extend(rows.iter().map(|&row| weight[row as usize]));
            }
            take(passed);
        }
    }
}

/// Appends the numbers, from `first` on, of the times within a range.
fn in_range(times: &[i64], range: &Range<i64>, first: u32, rows: &mut Vec<u32>) {
    const STRETCH: usize = 256;
    for (i, times) in times.chunks(STRETCH).enumerate() {
        let first = first + (i * STRETCH) as u32;
        match count_within(times, range.start, range.end) {
            0 => {}
            count if count == times.len() => rows.extend(first..first + count as u32),
            _ => rows.extend((first..).zip(times).filter(|(_, time)| range.contains(time)).map(|(row, _)| row)),
        }
    }
}

wide! {
    fn count_within(times: &[i64], start: i64, end: i64) -> usize {
        // No early exit, so that the loop vectorizes.
        #[allow(clippy::needless_bitwise_bool)]
        times.iter().fold(0, |count, &time| count + usize::from((time >= start) & (time < end)))
    }
}
