//! Points that are in memory already.

use super::parts::scan_parts;
use super::{Query, ScanReport, Sink, Source};
use crate::error::{Error, Result};
use crate::geo::Points;

/// Borrowed columns as a [`Source`]. They have no time and no category, so a query that asks for either is an error.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'a>(pub Points<'a>);

impl Memory<'_> {
    /// Points a worker takes at a time.
    const PART_POINTS: usize = 1 << 17;
}

impl Source for Memory<'_> {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        if query.start_us.is_some() || query.end_us.is_some() || !query.categories.is_empty() {
            return Err(Error::invalid("points", "points in memory have no time or category to filter by"));
        }
        let points = if query.weights { self.0 } else { Points::new(self.0.lon(), self.0.lat())? };
        let parts = points.len().div_ceil(Self::PART_POINTS);
        scan_parts("", parts, query, points.weight().is_some(), sinks, |part, intake| {
            let start = part * Self::PART_POINTS;
            Ok(intake.columns(points.slice(start..start + Self::PART_POINTS)))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    fn scan(points: Points<'_>, workers: usize) -> (Vec<(f64, f64, f32)>, ScanReport) {
        let mut seen = vec![Vec::new(); workers];
        let mut closures: Vec<_> = seen
            .iter_mut()
            .map(|seen| {
                move |batch: Points<'_>| {
                    let weight = |i: usize| batch.weight().map_or(1.0, |w| w[i]);
                    seen.extend((0..batch.len()).map(|i| (batch.lon()[i], batch.lat()[i], weight(i))));
                    ControlFlow::Continue(())
                }
            })
            .collect();
        let mut sinks: Vec<&mut Sink<'_>> = closures.iter_mut().map(|c| c as &mut Sink<'_>).collect();
        let report = Memory(points).scan(&Query { weights: true, ..Query::default() }, &mut sinks).unwrap();
        drop(sinks);
        (seen.concat(), report)
    }

    #[test]
    fn valid_points_arrive_once_and_the_others_are_explained() {
        let lon: Vec<f64> = (0..300_000).map(|i| (i % 360) as f64 - 180.0).collect();
        let mut lat = vec![45.0; lon.len()];
        lat[7] = f64::NAN;
        lat[200_000] = 120.0;
        let mut weight = vec![2.0f32; lon.len()];
        weight[299_999] = f32::INFINITY;
        for workers in 1..=3 {
            let (seen, report) = scan(Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap(), workers);
            assert_eq!((seen.len(), report.read, report.rejected), (299_997, 300_000, 3));
            let rows: Vec<u64> = report.rejections.iter().map(|r| r.row).collect();
            assert_eq!(rows, [8, 200_001, 300_000]);
            assert!(report.rejections[1].reason.contains("beyond ±90"), "{}", report.rejections[1].reason);
        }
    }

    #[test]
    fn a_sink_that_breaks_stops_the_scan() {
        let lon = vec![0.0; 1_000_000];
        let mut batches = 0;
        let mut sink = |_: Points<'_>| {
            batches += 1;
            ControlFlow::Break(())
        };
        let stopped = Memory(Points::new(&lon, &lon).unwrap()).scan(&Query::default(), &mut [&mut sink]);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert_eq!(batches, 1);
    }
}
