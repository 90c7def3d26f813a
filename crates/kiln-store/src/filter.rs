//! The filter of a query, for the points of a segment.

use std::ops::Range;

use super::points::PointBatch;
use super::segment::Segment;
use kiln_core::calendar::PartTable;
use kiln_core::geo::{Points, Polygon};
use kiln_core::simd::wide;
use kiln_core::source::Query;

/// A filter with the category codes of a segment.
#[derive(Clone, Debug)]
pub(super) struct Filter<'q> {
    /// The range of times that pass; `None` if all points pass, even those without a time.
    time_us: Option<Range<i64>>,
    /// The parts of the local time that pass; `None` if all points pass, even those without a time.
    time_parts: Option<PartTable<'q>>,
    /// Whether each category of the segment passes; `None` if all points pass.
    categories: Option<Vec<bool>>,
    polygon: Option<&'q Polygon>,
}

/// The columns of points that pass a filter; `weight` is empty without weights.
#[derive(Debug, Default)]
pub(super) struct SelectedPoints {
    pub(super) x: Vec<u32>,
    pub(super) y: Vec<u32>,
    pub(super) weight: Vec<f32>,
    /// Their rows in the batch.
    pub(super) rows: Vec<u32>,
}

impl<'q> Filter<'q> {
    /// The filter that all points pass.
    pub(super) fn everything() -> Self {
        Self { time_us: None, time_parts: None, categories: None, polygon: None }
    }

    /// The filter of a query for a segment: `None` if no points can pass, `Some(None)` if all pass.
    #[allow(clippy::option_option, reason = "none may pass, all do, or some")]
    pub(super) fn of(query: &'q Query<'_>, segment: &Segment) -> Option<Option<Self>> {
        let totals = &segment.entry.totals;
        let mut filter = Self { polygon: query.filter.polygon.as_deref(), ..Self::everything() };
        if query.filter.filters_time() {
            let range = query.filter.start_us.unwrap_or(Points::NO_TIME + 1)..query.filter.end_us.unwrap_or(i64::MAX);
            let [first, last] = totals.time_us?;
            if range.start > last || range.end <= first {
                return None;
            }
            let all_pass =
                totals.untimed == 0 && range.start <= first && (range.end > last || query.filter.end_us.is_none());
            filter.time_us = (!all_pass && query.filter.filters_time_range()).then_some(range.clone());
            if !query.filter.time_parts.is_empty() {
                let within = [range.start.max(first), last.min(range.end.saturating_sub(1))];
                let table = PartTable::new(&query.filter.time_parts, within);
                match table.uniform() {
                    Some(false) => return None,
                    // Points without a time do not pass the range, if there is one.
                    Some(true) if totals.untimed == 0 || filter.time_us.is_some() => {}
                    _ => filter.time_parts = Some(table),
                }
            }
        }
        if !query.filter.categories.is_empty() {
            let names = &segment.points.names;
            let mut passes = vec![false; names.list.len()];
            query
                .filter
                .categories
                .names()
                .iter()
                .filter_map(|name| names.find(name))
                .for_each(|code| passes[code as usize] = true);
            if !passes.contains(&true) {
                return None;
            }
            filter.categories = Some(passes);
        }
        let Self { time_us, time_parts, categories, polygon } = &filter;
        let is_active = time_us.is_some() || time_parts.is_some() || categories.is_some() || polygon.is_some();
        Some(is_active.then_some(filter))
    }

    /// The number of rows of `range` that pass the filter.
    pub(super) fn count(&self, batch: &PointBatch, range: Range<usize>) -> u64 {
        const CHUNK: usize = 1024;
        if let (Self { time_us: Some(times), time_parts: None, categories: None, polygon: None }, Some(time_us)) =
            (self, &batch.time_us)
        {
            return count_within(&time_us[range], times.start, times.end) as u64;
        }
        let mut passing = [0; CHUNK];
        let count = |start: usize| {
            let chunk = start..(start + CHUNK).min(range.end);
            let passing = &mut passing[..chunk.len()];
            self.test(batch, chunk, passing);
            passing.iter().map(|&passes| u64::from(passes)).sum::<u64>()
        };
        range.clone().step_by(CHUNK).map(count).sum()
    }

    /// The number of points that the rows of `range` that pass the filter stand for.
    pub(super) fn count_points(&self, batch: &PointBatch, range: Range<usize>) -> u64 {
        if batch.bins.is_none() {
            return self.count(batch, range);
        }
        let mut passing = vec![0; range.len()];
        self.test(batch, range.clone(), &mut passing);
        batch.points_of(range.zip(passing).filter(|(_, passes)| *passes == 1).map(|(row, _)| row))
    }

    /// Sets `passing` to 1 for the rows of `range` that pass the filter, and to 0 for the others.
    pub(super) fn test(&self, batch: &PointBatch, range: Range<usize>, passing: &mut [u8]) {
        self.test_time(batch, range.clone(), passing);
        match (&self.categories, &batch.category) {
            (None, _) => {}
            (Some(selected), Some(codes)) => {
                let mut only = (0..).zip(selected).filter(|(_, selected)| **selected).map(|(code, _)| code);
                match (codes.all(), only.next(), only.next()) {
                    (Some(codes), Some(code), None) => test_code(&codes[range.clone()], code, passing),
                    _ => {
                        for (row, passes) in range.clone().zip(&mut *passing) {
                            *passes &= u8::from(selected.get(codes.at(row) as usize).is_some_and(|passes| *passes));
                        }
                    }
                }
            }
            (Some(_), None) => passing.fill(0),
        }
        if let Some(polygon) = self.polygon {
            for (row, passes) in range.zip(passing).filter(|(_, passes)| **passes == 1) {
                let (x, y) = batch.position(row);
                *passes = u8::from(polygon.contains(x, y));
            }
        }
    }

    /// Like [`test`](Self::test), of the conditions on times only.
    fn test_time(&self, batch: &PointBatch, range: Range<usize>, passing: &mut [u8]) {
        if self.time_us.is_none() && self.time_parts.is_none() {
            return passing.fill(1);
        }
        let Some(time_us) = batch.time_us.as_ref().map(|time_us| &time_us[range]) else { return passing.fill(0) };
        passing.fill(1);
        if let Some(times) = &self.time_us {
            test_times(time_us, times.start, times.end, passing);
        }
        if let Some(table) = &self.time_parts {
            table.keep(time_us, passing);
        }
    }

    /// Passes the points of `range` that pass the filter to `take`, in chunks.
    pub(super) fn select(
        &self,
        batch: &PointBatch,
        range: Range<usize>,
        weights: bool,
        selected: &mut SelectedPoints,
        mut take: impl FnMut(&SelectedPoints),
    ) {
        const CHUNK: usize = 4096;
        let mut passing = [0; CHUNK];
        for start in range.clone().step_by(CHUNK) {
            let chunk = start..(start + CHUNK).min(range.end);
            selected.rows.clear();
            match (&self.time_us, &self.time_parts, &batch.time_us) {
                (None, None, _) => selected.rows.extend(chunk.start as u32..chunk.end as u32),
                (Some(range), None, Some(time)) => {
                    in_range(&time[chunk.clone()], range, chunk.start as u32, &mut selected.rows);
                }
                (_, Some(_), Some(_)) => {
                    let passing = &mut passing[..chunk.len()];
                    self.test_time(batch, chunk.clone(), passing);
                    append_passing(passing, chunk.start as u32, &mut selected.rows);
                }
                (_, _, None) => {}
            }
            if let (Some(passes), false) = (&self.categories, selected.rows.is_empty()) {
                match &batch.category {
                    Some(codes) => selected
                        .rows
                        .retain(|&row| passes.get(codes.at(row as usize) as usize).is_some_and(|passes| *passes)),
                    None => selected.rows.clear(),
                }
            }
            if let (Some(polygon), false) = (self.polygon, selected.rows.is_empty()) {
                selected.rows.retain(|&row| {
                    let (lon, lat) = batch.position(row as usize);
                    polygon.contains(lon, lat)
                });
            }
            if selected.rows.is_empty() {
                continue;
            }
            let rows = &selected.rows;
            selected.x.clear();
            selected.x.extend(rows.iter().map(|&row| batch.x[row as usize]));
            selected.y.clear();
            selected.y.extend(rows.iter().map(|&row| batch.y[row as usize]));
            selected.weight.clear();
            if let (Some(weight), true) = (&batch.weight, weights) {
                selected.weight.extend(rows.iter().map(|&row| weight[row as usize]));
            }
            take(selected);
        }
    }
}

/// Appends the rows whose times are within `range`. `first` is the row of the first time.
fn in_range(times: &[i64], range: &Range<i64>, first: u32, rows: &mut Vec<u32>) {
    const CHUNK: usize = 256;
    for (i, times) in times.chunks(CHUNK).enumerate() {
        let first = first + (i * CHUNK) as u32;
        match count_within(times, range.start, range.end) {
            0 => {}
            count if count == times.len() => rows.extend(first..first + count as u32),
            _ => rows.extend((first..).zip(times).filter(|(_, time)| range.contains(time)).map(|(row, _)| row)),
        }
    }
}

/// Appends the rows for which `passing` is 1. `first` is the row of the first one. Eight rows at a time are a mask whose
/// bits are visited, since branches would be mispredicted for times in any order, and a store per row would cost more.
fn append_passing(passing: &[u8], first: u32, rows: &mut Vec<u32>) {
    /// Times eight bytes of 0 or 1, its highest byte has bit i set if byte i is 1.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, rest) = passing.as_chunks::<8>();
    for (base, eight) in (first..).step_by(8).zip(eights) {
        let mut mask = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        while mask != 0 {
            rows.push(base + mask.trailing_zeros());
            mask &= mask - 1;
        }
    }
    let first = first + (passing.len() - rest.len()) as u32;
    rows.extend((first..).zip(rest).filter(|(_, passes)| **passes == 1).map(|(row, _)| row));
}

wide! {
    fn test_times(times: &[i64], start: i64, end: i64, passing: &mut [u8]) {
        for (passes, &time) in passing.iter_mut().zip(times) {
            *passes &= u8::from(time >= start) & u8::from(time < end);
        }
    }
}

wide! {
    fn test_code(codes: &[u32], code: u32, passing: &mut [u8]) {
        for (passes, &own) in passing.iter_mut().zip(codes) {
            *passes &= u8::from(own == code);
        }
    }
}

wide! {
    fn count_within(times: &[i64], start: i64, end: i64) -> usize {
        // Without short-circuit evaluation, so that the loop vectorizes.
        #[allow(clippy::needless_bitwise_bool)]
        times.iter().fold(0, |count, &time| count + usize::from((time >= start) & (time < end)))
    }
}
