//! Points in memory as a source.

use super::batch::RowFields;
use super::parts::scan_parts;
use super::{Query, ScanReport, Sink, Source};
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::parameter::Parameter;

/// Borrowed columns as a [`Source`]. A query that filters by time or category is an error if the column is missing, and so is
/// one of single points if the rows stand for many points each.
#[derive(Clone, Copy, Debug)]
pub struct MemorySource<'a>(pub Points<'a>);

impl MemorySource<'_> {
    /// Points that a worker scans at a time.
    const PART_POINTS: usize = 1 << 17;
}

impl Source for MemorySource<'_> {
    fn scan(&self, query: &Query<'_>, sinks: &mut [&mut Sink<'_>]) -> Result<ScanReport> {
        check_filters(self.0, query)?;
        let are_bins = self.0.bins().is_some();
        if are_bins && !query.columns.bins {
            let message = "these rows in memory are bins, each of several points, but this needs single points";
            return Err(Error::invalid(Parameter::POINTS, message));
        }
        let points = if query.columns.weights { self.0 } else { self.0.without_weight() };
        let parts = points.len().div_ceil(Self::PART_POINTS);
        scan_parts("", parts, query, row_fields(points), sinks, |part, row_sink| {
            let start = part * Self::PART_POINTS;
            let part = points.slice(start..start + Self::PART_POINTS);
            Ok(if are_bins { row_sink.bins(part) } else { row_sink.columns(part) })
        })
    }
}

/// The optional fields of `points`.
pub(crate) fn row_fields(points: Points<'_>) -> RowFields {
    RowFields {
        weight: points.weight().is_some(),
        time: points.time_us().is_some(),
        category: points.category().is_some(),
        track: points.track().is_some(),
    }
}

/// Checks that `points` have the columns that `query` filters by.
pub(super) fn check_filters(points: Points<'_>, query: &Query<'_>) -> Result<()> {
    let missing = match row_fields(points) {
        RowFields { time: false, .. } if query.filter.filters_time() => "time",
        RowFields { category: false, .. } if query.filter.filters_category() => "category",
        _ => return Ok(()),
    };
    Err(Error::invalid(Parameter::POINTS, format!("these points in memory have no {missing} to filter by")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::Arc;

    use super::super::testing;
    use super::*;
    use crate::geo::{Categories, PointBins, Polygon};
    use crate::source::CoordinateSpace;

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
        let report = MemorySource(points).scan(&Query::default().with_weights(true), &mut sinks).unwrap();
        drop(sinks);
        (seen.concat(), report)
    }

    #[test]
    fn valid_points_are_delivered_once_and_the_others_are_reported() {
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
    fn times_and_categories_are_delivered_and_filtered() {
        let count = 20_000;
        let lon: Vec<f64> = (0..count).map(|i| f64::from(i) / 100.0).collect();
        let times: Vec<i64> = (0..count).map(|i| if i % 3 == 0 { Points::NO_TIME } else { i64::from(i) }).collect();
        let names: [Box<str>; 3] = ["x".into(), "a".into(), "b".into()];
        let codes: Vec<u32> = (0..count as u32).map(|i| [1, 2, Categories::NONE][i as usize % 3]).collect();
        let mut lat = vec![0.0; lon.len()];
        lat[9000] = f64::NAN;
        let points = Points::new(&lon, &lat).unwrap().with_time(&times).unwrap();
        let points = points.with_category(Categories { codes: &codes, names: &names }).unwrap();
        let mark = |i: i32| {
            let time_us = (i % 3 != 0).then_some(i64::from(i));
            (f64::from(i) / 100.0, time_us, [Some("a"), Some("b"), None][i as usize % 3])
        };
        let expected = |passes: &dyn Fn(i32) -> bool| {
            let all = (0..count).filter(|&i| i != 9000 && passes(i)).map(mark);
            testing::marks(&all.collect::<Vec<_>>())
        };
        let seen = |query: &Query<'_>| testing::scan_marked(&MemorySource(points), query).unwrap();
        assert!(seen(&testing::marked()).0 == expected(&|_| true));
        let query = testing::marked().with_start(Some(100)).with_end(Some(15_001));
        let (in_time, report) = seen(&query);
        assert!(in_time == expected(&|i| i % 3 != 0 && (100..=15_000).contains(&i)));
        assert_eq!((report.read, report.rejected, report.valid()), (20_000, 0, in_time.len() as u64));
        let query = query.with_category_filter(vec!["b".to_owned(), "c".to_owned()]);
        assert!(seen(&query).0 == expected(&|i| i % 3 == 1 && (100..=15_000).contains(&i)));
        assert!(seen(&testing::marked().with_end(Some(i64::MIN))).0.is_empty());
        let (gathered, _) = testing::gather(&MemorySource(points), &query.with_times(false)).unwrap();
        assert!(gathered.points().time_us().is_none() && gathered.points().category().is_some());
    }

    #[test]
    fn points_outside_a_polygon_are_filtered_and_invalid_ones_rejected() {
        let ring = vec![[10.0, -1.0], [20.0, -1.0], [20.0, 1.0], [10.0, 1.0], [10.0, -1.0]];
        let polygon = Some(Arc::new(Polygon::new(&[vec![ring]]).unwrap()));
        let count = 30_000;
        let lon: Vec<f64> = (0..count).map(|i| f64::from(i) / 1000.0).collect();
        let mut lat = vec![0.0; lon.len()];
        (lat[15_000], lat[25_000]) = (f64::NAN, 95.0);
        let times: Vec<i64> = (0..i64::from(count)).collect();
        let points = Points::new(&lon, &lat).unwrap().with_time(&times).unwrap();
        let query = testing::marked().with_polygon(polygon);
        let (seen, report) = testing::scan_marked(&MemorySource(points), &query).unwrap();
        let inside: Vec<_> =
            (10_000..20_000).filter(|&i| i != 15_000).map(|i| (lon[i], Some(times[i]), None)).collect();
        assert!(seen == inside);
        assert_eq!((report.read, report.filtered, report.rejected), (30_000, 19_999, 2));
        let query = query.with_start(Some(12_000)).with_end(Some(12_345));
        let (seen, report) = testing::scan_marked(&MemorySource(points), &query).unwrap();
        assert!(seen == inside[2000..2345]);
        assert_eq!((report.valid(), report.rejected), (345, 0));
        let plane = query.clone().with_coordinate_space(CoordinateSpace::Plane);
        let message = testing::gather(&MemorySource(points), &plane).unwrap_err().to_string();
        assert_eq!(message, "polygon: a polygon in degrees cannot filter points on a plane");
        // The same ring on a plane also contains points beyond the degrees of the globe.
        let ring = vec![[10.0, -1.0], [20.0, -1.0], [20.0, 100.0], [10.0, 100.0], [10.0, -1.0]];
        let polygon = Some(Arc::new(Polygon::on_plane(&[vec![ring]]).unwrap()));
        lat[12_001] = 99.0;
        let points = Points::new(&lon, &lat).unwrap().with_time(&times).unwrap();
        let (seen, _) = testing::scan_marked(&MemorySource(points), &plane.with_polygon(polygon.clone())).unwrap();
        assert!(seen == inside[2000..2345]);
        let message = testing::gather(&MemorySource(points), &query.with_polygon(polygon)).unwrap_err().to_string();
        assert_eq!(message, "polygon: a polygon on a plane cannot filter points on the globe");
    }

    #[test]
    fn rows_with_and_without_invalid_ones_are_filtered_by_the_same_parts_of_the_time() {
        const HOUR_US: i64 = 3_600_000_000;
        let zone = jiff::tz::TimeZone::get("Asia/Kolkata").unwrap();
        let filter = crate::calendar::TimePartFilter::new("7-9".parse().ok(), None, None, zone).unwrap();
        let query = Query::default().with_times(true).with_time_parts(vec![filter]);
        let times: Vec<i64> = (0..48).map(|hour| hour * HOUR_US).chain([Points::NO_TIME]).collect();
        let lon = vec![1.0; times.len()];
        let passing = |lat: &[f64]| {
            let mut found = Vec::new();
            let mut sink = |points: Points<'_>| {
                found.extend(points.time_us().unwrap().iter().map(|time_us| time_us / HOUR_US));
                ControlFlow::Continue(())
            };
            let points = Points::new(&lon, lat).unwrap().with_time(&times).unwrap();
            MemorySource(points).scan(&query, &mut [&mut sink]).unwrap();
            found
        };
        // The offset is 5:30: 2:00, 3:00 and 4:00 UTC are 7:30, 8:30 and 9:30.
        let mut lat = vec![2.0; times.len()];
        assert_eq!(passing(&lat), [2, 3, 4, 26, 27, 28]);
        lat[3] = 99.0;
        assert_eq!(passing(&lat), [2, 4, 26, 27, 28]);
    }

    #[test]
    fn a_cancelled_scan_ends_although_no_row_passes() {
        use std::sync::atomic::AtomicBool;
        let lon = vec![0.0; 1_000_000];
        let times = vec![0; lon.len()];
        let points = Points::new(&lon, &lon).unwrap().with_time(&times).unwrap();
        let (cancelled, running) = (AtomicBool::new(true), AtomicBool::new(false));
        let query = |stop| Query::default().with_start(Some(1)).with_stop(Some(stop));
        assert_eq!(testing::gather(&MemorySource(points), &query(&running)).unwrap().1.filtered, 1_000_000);
        assert!(matches!(testing::gather(&MemorySource(points), &query(&cancelled)), Err(Error::Cancelled)));
    }

    #[test]
    fn a_filter_by_a_missing_column_is_an_error() {
        let points = Points::new(&[1.0], &[2.0]).unwrap().with_time(&[3]).unwrap();
        let query = Query::default().with_end(Some(9));
        assert_eq!(testing::gather(&MemorySource(points), &query).unwrap().0.len(), 1);
        let query = query.with_category_filter(vec!["a".to_owned()]);
        let message = testing::gather(&MemorySource(points), &query).unwrap_err().to_string();
        assert_eq!(message, "points: these points in memory have no category to filter by");
    }

    #[test]
    fn a_sink_that_breaks_stops_the_scan() {
        let lon = vec![0.0; 1_000_000];
        let mut batches = 0;
        let mut sink = |_: Points<'_>| {
            batches += 1;
            ControlFlow::Break(())
        };
        let stopped = MemorySource(Points::new(&lon, &lon).unwrap()).scan(&Query::default(), &mut [&mut sink]);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        assert_eq!(batches, 1);
    }

    #[test]
    fn bins_are_passed_on_to_queries_that_accept_them() {
        let points = Points::new(&[1.0, 2.0], &[3.0, 4.0]).unwrap();
        let points = points.with_bins(PointBins { level: 9, n: &[5, 7], sum: None }).unwrap();
        let source = MemorySource(points);
        let mut found = Vec::new();
        let mut sink = |points: Points<'_>| {
            found.extend((0..points.len()).map(|row| points.points_of(row)));
            ControlFlow::Continue(())
        };
        let error = source.scan(&Query::default(), &mut [&mut sink]).unwrap_err().to_string();
        assert!(error.contains("are bins") && error.contains("single points"), "{error}");
        source.scan(&Query::default().with_bins(true), &mut [&mut sink]).unwrap();
        assert_eq!((found, points.points_of(2), points.slice(1..2).points_of(0)), (vec![5, 7], 0, 7));
    }
}
