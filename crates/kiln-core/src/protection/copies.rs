//! Batches of copies of points.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::geo::{Categories, Points};
use crate::source::batch::Batch;

/// Columns of copies of points.
#[derive(Default)]
pub(super) struct Copies {
    lon: Vec<f64>,
    lat: Vec<f64>,
    weight: Vec<f32>,
    time_us: Vec<i64>,
    codes: Vec<u32>,
}

impl Copies {
    /// Passes `copies` copies of the point at `index` to `take`, at most [`Batch::ROWS`] at a time.
    pub(super) fn add(
        &mut self,
        points: Points<'_>,
        index: usize,
        copies: u32,
        take: &mut impl FnMut(Points<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut rest = copies as usize;
        while rest > 0 {
            let count = rest.min(Batch::ROWS - self.lon.len());
            rest -= count;
            self.lon.extend(std::iter::repeat_n(points.lon()[index], count));
            self.lat.extend(std::iter::repeat_n(points.lat()[index], count));
            self.weight
                .extend(points.weight().into_iter().flat_map(|weight| std::iter::repeat_n(weight[index], count)));
            self.time_us.extend(points.time_us().into_iter().flat_map(|time| std::iter::repeat_n(time[index], count)));
            let codes = points.category().into_iter();
            self.codes.extend(codes.flat_map(|category| std::iter::repeat_n(category.codes[index], count)));
            if self.lon.len() == Batch::ROWS {
                self.flush(points, take)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Passes the remaining copies to `take`; `points` has the names of the categories.
    pub(super) fn flush(
        &mut self,
        points: Points<'_>,
        take: &mut impl FnMut(Points<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let copies = || -> Result<Points<'_>> {
            let mut copies = Points::new(&self.lon, &self.lat)?;
            if points.weight().is_some() {
                copies = copies.with_weight(&self.weight)?;
            }
            if points.time_us().is_some() {
                copies = copies.with_time(&self.time_us)?;
            }
            if let Some(Categories { names, .. }) = points.category() {
                copies = copies.with_category(Categories { codes: &self.codes, names })?;
            }
            Ok(copies)
        };
        // The columns have equal lengths, so this cannot fail.
        let Ok(copies) = copies() else { return ControlFlow::Break(()) };
        let flow = take(copies);
        self.lon.clear();
        self.lat.clear();
        self.weight.clear();
        self.time_us.clear();
        self.codes.clear();
        flow
    }
}
