//! Places of points picked evenly from a layer.

use super::Snapshot;
use super::filter::Passed;
use kiln_core::error::{Error, Result};
use kiln_core::geo::fixed;
use kiln_core::source::Query;

impl Snapshot {
    /// The places, in degrees of longitude and latitude, of up to `count` of the points that pass `query`, picked evenly in
    /// their order.
    ///
    /// # Errors
    /// As [`cells`](Self::cells).
    pub fn sample(&self, query: &Query<'_>, count: usize) -> Result<Vec<(f64, f64)>> {
        self.check(query)?;
        let segments = self.passing(query);
        let is_filtered = segments.iter().any(|(_, filter)| filter.is_some());
        let units = if is_filtered {
            let mut kept = Decimated::new(count);
            let mut passed = Passed::default();
            for (segment, filter) in &segments {
                let everything = super::filter::Filter::everything();
                let filter = filter.as_ref().unwrap_or(&everything);
                for (batch, range) in segment.points.stretches(segment.all()) {
                    if query.is_stopped() {
                        return Err(Error::Cancelled);
                    }
                    filter.select(batch, range, false, &mut passed, |passed| {
                        passed.x.iter().zip(&passed.y).for_each(|(&x, &y)| kept.add((x, y)));
                    });
                }
            }
            kept.picked()
        } else {
            let total: u64 = segments.iter().map(|(segment, _)| segment.entry.rows).sum();
            let picked = (0..(count as u64).min(total)).map(|i| (2 * i + 1) * total / (2 * (count as u64).min(total)));
            let mut units = Vec::with_capacity(count);
            for rank in picked {
                let mut before = 0;
                for (segment, _) in &segments {
                    if rank < before + segment.entry.rows {
                        units.extend(
                            segment
                                .points
                                .stretches(rank - before..rank - before + 1)
                                .next()
                                .map(|(batch, range)| (batch.x[range.start], batch.y[range.start])),
                        );
                        break;
                    }
                    before += segment.entry.rows;
                }
            }
            units
        };
        Ok(units.into_iter().map(|(x, y)| fixed::from_fixed(x, y)).collect())
    }
}

/// Some of what comes by, evenly picked, however much it is.
pub struct Decimated<T> {
    kept: Vec<T>,
    count: usize,
    every: u64,
    seen: u64,
}

impl<T: Copy> Decimated<T> {
    /// Kept for each that is picked in the end.
    const SPARE: usize = 64;

    /// Picks up to `count`.
    pub fn new(count: usize) -> Self {
        Self { kept: Vec::new(), count, every: 1, seen: 0 }
    }

    /// Offers an item to the sample.
    pub fn add(&mut self, one: T) {
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == self.count * Self::SPARE {
                let mut stays = false;
                self.kept.retain(|_| {
                    stays = !stays;
                    stays
                });
                self.every *= 2;
            }
            if self.seen.is_multiple_of(self.every) {
                self.kept.push(one);
            }
        }
        self.seen += 1;
    }

    /// The items of the sample, in the order in which they came.
    pub fn picked(&self) -> Vec<T> {
        let picked = self.count.min(self.kept.len());
        (0..picked).map(|i| self.kept[(2 * i + 1) * self.kept.len() / (2 * picked)]).collect()
    }
}
