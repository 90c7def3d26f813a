//! What the tests of the readers share.

use std::io::Write;
use std::ops::ControlFlow;

use tempfile::NamedTempFile;

use super::{Query, ScanReport, Sink, Source};
use crate::error::Result;
use crate::geo::Points;

/// A temporary file that holds `content`.
pub(super) fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// The points of a source as `(lon, lat, weight)`, and its report.
pub(super) type Scanned = Result<(Vec<(f64, f64, f32)>, ScanReport)>;

/// The points of `source` as `(lon, lat, weight)`, 1 where it has no weights; each worker's behind the other's.
pub(super) fn scan(source: &dyn Source, query: &Query<'_>, workers: usize) -> Scanned {
    let mut seen = vec![Vec::new(); workers];
    let mut closures: Vec<_> = seen
        .iter_mut()
        .map(|seen| {
            move |batch: Points<'_>| {
                let weight = |i: usize| batch.weight().map_or(1.0, |weight| weight[i]);
                seen.extend((0..batch.len()).map(|i| (batch.lon()[i], batch.lat()[i], weight(i))));
                ControlFlow::Continue(())
            }
        })
        .collect();
    let mut sinks: Vec<&mut Sink<'_>> = closures.iter_mut().map(|closure| closure as &mut Sink<'_>).collect();
    let report = source.scan(query, &mut sinks);
    drop(sinks);
    drop(closures);
    report.map(|report| (seen.concat(), report))
}

/// A query that wants weights, of the member `weight` if one is named.
pub(super) fn weighted(weight: Option<&str>) -> Query<'static> {
    let mut query = Query { weights: true, ..Query::default() };
    query.columns.weight = weight.map(str::to_owned);
    query
}

/// The rejected rows with their reasons.
pub(super) fn rejections(report: &ScanReport) -> Vec<(u64, &str)> {
    report.rejections.iter().map(|rejection| (rejection.row, rejection.reason.as_str())).collect()
}
