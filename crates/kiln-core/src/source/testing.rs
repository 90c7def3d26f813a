//! What the tests of the readers share.

use std::io::Write;
use std::ops::ControlFlow;

use tempfile::NamedTempFile;

use super::{PointColumns, Points, Query, Result, ScanReport, Sink, Source};

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

/// A point's longitude, time and category.
pub(super) type Marked = (f64, Option<i64>, Option<String>);

/// A query that wants times and categories.
pub(super) fn marked() -> Query<'static> {
    Query::default().with_times(true).with_categories(true)
}

/// The points of `source` with their times and categories, by one worker.
pub(super) fn scan_marked(source: &dyn Source, query: &Query<'_>) -> Result<(Vec<Marked>, ScanReport)> {
    let (gathered, report) = gather(source, query)?;
    let points = gathered.points();
    let time = |i: usize| points.time_us().map(|time_us| time_us[i]).filter(|&time_us| time_us != Points::NO_TIME);
    let name = |i: usize| points.category().and_then(|category| category.name(i)).map(str::to_owned);
    Ok(((0..points.len()).map(|i| (points.lon()[i], time(i), name(i))).collect(), report))
}

/// The points of `source`, by one worker.
pub(super) fn gather(source: &dyn Source, query: &Query<'_>) -> Result<(PointColumns, ScanReport)> {
    let mut gathered = PointColumns::default();
    let mut sink = |batch: Points<'_>| {
        gathered.add(batch);
        ControlFlow::Continue(())
    };
    let report = source.scan(query, &mut [&mut sink])?;
    Ok((gathered, report))
}

/// What [`scan_marked`] answers, in short.
pub(super) fn marks(expected: &[(f64, Option<i64>, Option<&str>)]) -> Vec<Marked> {
    expected.iter().map(|&(lon, time_us, name)| (lon, time_us, name.map(str::to_owned))).collect()
}

/// A query that wants weights, of the member `weight` if one is named.
pub(super) fn weighted(weight: Option<&str>) -> Query<'static> {
    let mut query = Query::default().with_weights(true);
    query.columns.names.weight = weight.map(str::to_owned);
    query
}

/// The rejected rows with their reasons.
pub(super) fn rejections(report: &ScanReport) -> Vec<(u64, &str)> {
    report.rejections.iter().map(|rejection| (rejection.row, rejection.reason.as_str())).collect()
}
