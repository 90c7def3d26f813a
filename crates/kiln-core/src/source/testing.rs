//! Helpers for the tests of readers.

use std::io::Write;
use std::ops::ControlFlow;

use tempfile::NamedTempFile;

use super::{PointColumns, Points, Query, Result, ScanReport, Sink, Source};

/// A temporary file with `content`.
pub(super) fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// The points of a source as `(lon, lat, weight)`, and its report.
pub(super) type Scanned = Result<(Vec<(f64, f64, f32)>, ScanReport)>;

/// The points of `source` as `(lon, lat, weight)`, in worker order. The weight is 1 if the source has no weights.
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

/// The longitude, time and category of a point.
pub(super) type Marked = (f64, Option<i64>, Option<String>);

/// A query that selects times and categories.
pub(super) fn marked() -> Query<'static> {
    Query::default().with_times(true).with_categories(true)
}

/// The points of `source` with their times and categories, scanned by one worker.
pub(super) fn scan_marked(source: &dyn Source, query: &Query<'_>) -> Result<(Vec<Marked>, ScanReport)> {
    let (columns, report) = gather(source, query)?;
    let points = columns.points();
    let time = |i: usize| points.time_us().map(|time_us| time_us[i]).filter(|&time_us| time_us != Points::NO_TIME);
    let name = |i: usize| points.category().and_then(|category| category.name(i)).map(str::to_owned);
    Ok(((0..points.len()).map(|i| (points.lon()[i], time(i), name(i))).collect(), report))
}

/// The points of `source`, scanned by one worker.
pub(super) fn gather(source: &dyn Source, query: &Query<'_>) -> Result<(PointColumns, ScanReport)> {
    let mut columns = PointColumns::default();
    let mut sink = |batch: Points<'_>| {
        columns.add(batch);
        ControlFlow::Continue(())
    };
    let report = source.scan(query, &mut [&mut sink])?;
    Ok((columns, report))
}

/// The expected result of [`scan_marked`].
pub(super) fn marks(expected: &[(f64, Option<i64>, Option<&str>)]) -> Vec<Marked> {
    expected.iter().map(|&(lon, time_us, name)| (lon, time_us, name.map(str::to_owned))).collect()
}

/// A query that selects weights, from the column `weight`, or from the default column if `None`.
pub(super) fn weighted(weight: Option<&str>) -> Query<'static> {
    let mut query = Query::default().with_weights(true);
    query.columns.names.weight = weight.map(str::to_owned);
    query
}

/// The rejected rows and their reasons.
pub(super) fn rejections(report: &ScanReport) -> Vec<(u64, &str)> {
    report.rejections.iter().map(|rejection| (rejection.row, rejection.reason.as_str())).collect()
}
