//! The filter of released groups.

use std::ops::{ControlFlow, Range};

use crate::geo::Points;
use crate::source::Query;
use crate::source::batch::Batch;
use crate::source::memory_source::row_fields;
use crate::source::row_sink::find_passing;

/// Selects the groups of a block that match a query.
pub(super) struct GroupFilter<'p> {
    /// All groups, as points.
    points: Points<'p>,
    /// The number of copies of each of the points.
    copies: &'p [u32],
    passing: Vec<bool>,
    batch: Batch,
    batch_copies: Vec<u32>,
    /// The number of points of groups that do not match.
    pub(super) filtered: u64,
}

impl<'p> GroupFilter<'p> {
    /// A filter of groups: `points`, and the number of copies of each.
    pub(super) fn new(points: Points<'p>, copies: &'p [u32]) -> Self {
        let batch = Batch::new(row_fields(points));
        Self { points, copies, passing: Vec::new(), batch, batch_copies: Vec::new(), filtered: 0 }
    }

    /// Passes the groups of `block` that match `query` to `take`.
    pub(super) fn pass(
        &mut self,
        query: &Query<'_>,
        block: Range<usize>,
        take: impl FnOnce(Points<'_>, &[u32]) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (points, copies) = (self.points.slice(block.clone()), &self.copies[block]);
        find_passing(query, points, &mut self.passing);
        if self.passing.iter().all(|passes| *passes) {
            return take(points, copies);
        }
        self.batch.clear();
        self.batch.extend(points, &self.passing);
        self.batch_copies.clear();
        for (&copies, &passes) in copies.iter().zip(&self.passing) {
            if passes {
                self.batch_copies.push(copies);
            } else {
                self.filtered += u64::from(copies);
            }
        }
        if self.batch.len() == 0 {
            return ControlFlow::Continue(());
        }
        // The columns of a batch have equal lengths, so this cannot fail.
        let Ok(points) = self.batch.points() else { return ControlFlow::Break(()) };
        take(points, &self.batch_copies)
    }
}
