//! Some of a layer's points, as a layer for a while.

use std::sync::Arc;

use crate::geo::{Bounds, Extent, Points, Polygon};
use crate::source::{Comparison, Query};

/// Which points of a layer are meant.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The first instant that passes, in microseconds since 1970-01-01 UTC.
    pub start_us: Option<i64>,
    /// The first instant that no longer passes, in microseconds since 1970-01-01 UTC.
    pub end_us: Option<i64>,
    /// The categories that pass; empty: all of them.
    pub categories: Vec<String>,
    /// The area whose points pass.
    pub polygon: Option<Arc<Polygon>>,
    /// What columns of a live table have to be.
    pub comparisons: Vec<Comparison>,
}

impl Selection {
    /// `query` for the points that are meant alone.
    #[must_use]
    pub fn of<'q>(&self, query: Query<'q>) -> Query<'q> {
        let mut query = query.narrowed(self.start_us, self.end_us, &self.categories, self.polygon.as_ref());
        query.comparisons.extend(self.comparisons.iter().cloned());
        query
    }

    /// Where the points are, as far as that is known without looking at them.
    pub(super) fn extent(&self, all: &Extent) -> Extent {
        let within = || {
            let own = self.polygon.as_ref()?.bounds();
            let all = all.bounds(true)?;
            let both = Bounds {
                west: own.west.max(all.west),
                south: own.south.max(all.south),
                east: own.east.min(all.east),
                north: own.north.min(all.north),
            };
            (both.west <= both.east && both.south <= both.north).then_some(both)
        };
        let Some(Bounds { west, south, east, north }) = within() else { return all.clone() };
        let mut extent = Extent::default();
        extent.add(Points::new(&[west, east], &[south, north]).unwrap_or_default());
        extent
    }
}
