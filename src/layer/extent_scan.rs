//! A first pass over the points, before they are rendered.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::geo::Extent;
use crate::source::{MemorySource, PointColumns, Query, ScanReport, Source, scan_each};

/// The extent of all points, and the points themselves if there are at most [`MAX_KEPT`](Self::MAX_KEPT).
#[derive(Debug, Default)]
pub struct ExtentScan {
    /// The extent of the points.
    pub extent: Extent,
    /// The report of the scan.
    pub report: ScanReport,
    kept: Option<PointColumns>,
}

/// The result of one worker.
struct PartialScan {
    extent: Extent,
    /// `None` once the worker's limit was exceeded.
    kept: Option<PointColumns>,
}

impl ExtentScan {
    /// The maximum number of points kept in memory, so that the input is read only once. They take 20 bytes each.
    pub const MAX_KEPT: usize = 2_000_000;

    /// Scans the points of `source` that pass `query`. With one thread the kept points are in the order of the input.
    ///
    /// # Errors
    /// If the input cannot be read.
    pub fn of(source: &dyn Source, query: &Query<'_>, threads: usize) -> Result<Self> {
        let share = Self::MAX_KEPT / threads.max(1);
        let empty = || PartialScan { extent: Extent::default(), kept: Some(PointColumns::default()) };
        let mut partials: Vec<PartialScan> = (0..threads.max(1)).map(|_| empty()).collect();
        let report = scan_each(source, query, &mut partials, |partial, points| {
            partial.extent.add(points);
            if partial.kept.as_ref().is_some_and(|kept| kept.len() + points.len() > share) {
                partial.kept = None;
            }
            if let Some(kept) = &mut partial.kept {
                kept.add(points);
            }
            ControlFlow::Continue(())
        })?;
        let mut extent_scan = Self { extent: Extent::default(), report, kept: Some(PointColumns::default()) };
        for partial in partials {
            extent_scan.extent.merge(&partial.extent);
            extent_scan.kept = extent_scan.kept.zip(partial.kept).map(|(mut all, more)| {
                all.add(more.points());
                all
            });
        }
        Ok(extent_scan)
    }

    /// The points themselves, if they were kept.
    pub fn kept(&self) -> Option<MemorySource<'_>> {
        self.kept.as_ref().map(|kept| MemorySource(kept.points()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Points;

    #[test]
    fn a_scan_of_few_points_keeps_them() {
        let (lon, lat, weight) = ([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [0.5f32, 1.5, 2.5]);
        let points = Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap();
        let query = Query::default().with_weights(true);
        let extent_scan = ExtentScan::of(&MemorySource(points), &query, 2).unwrap();
        let kept = extent_scan.kept().unwrap().0;
        assert_eq!((kept.lon(), kept.lat(), kept.weight()), (&lon[..], &lat[..], Some(&weight[..])));
        assert_eq!(extent_scan.report.read, 3);
    }
}
