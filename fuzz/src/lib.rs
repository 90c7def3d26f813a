//! What the targets share: an input is read as a server reads the body of a request, and what a scan reports must add up.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Once;

use kiln_core::geo::{Bounds, Points, Polygon};
use kiln_core::source::{Filter, CoordinateSpace, Query, ReadOptions, Sink, Source};
use kiln_formats::source::{open, read, read_as};

/// Reads `data` as the body of a request with this media type, and scans it.
pub fn scan_as(data: &[u8], media_type: &str) {
    if let Ok(source) = read_as(data, Some(media_type), "body", &ReadOptions::default()) {
        scan(&*source);
    }
}

/// Reads `data` as standard input, whatever it holds, and scans it.
pub fn scan_any(data: &[u8]) {
    if let Ok(source) = read(data, "-", &ReadOptions::default()) {
        scan(&*source);
    }
}

/// Reads the file at `path`, and scans it.
pub fn scan_file(path: &Path) {
    if let Ok(source) = open(&path.to_string_lossy(), &ReadOptions::default()) {
        scan(&*source);
    }
}

/// Scans with all columns, with every filter, and on a plane.
fn scan(source: &dyn Source) {
    let all = Query::default().with_weights(true).with_times(true).with_categories(true);
    let whole = count(source, &all);
    let square = vec![vec![vec![[-20.0, -20.0], [50.0, -20.0], [50.0, 60.0], [-20.0, 60.0], [-20.0, -20.0]]]];
    let filter = Filter {
        start_us: Some(0),
        end_us: Some(1_800_000_000_000_000),
        categories: ["bus".to_owned(), "tram".to_owned()].into_iter().collect(),
        polygon: Polygon::new(&square).ok().map(Into::into),
        ..Filter::default()
    };
    let filtered = all.with_filter(filter).with_near(Bounds::new(-90.0, -45.0, 90.0, 45.0).ok());
    if let (Some(whole), Some(filtered)) = (whole, count(source, &filtered)) {
        assert!(filtered <= whole, "filters let {filtered} of {whole} points pass");
    }
    count(source, &Query::default().with_coordinate_space(CoordinateSpace::Plane));
}

/// How many points a scan delivers, where it comes to its end.
fn count(source: &dyn Source, query: &Query<'_>) -> Option<u64> {
    let mut points = 0;
    let mut sink = |batch: Points<'_>| {
        points += batch.len() as u64;
        let is_globe = query.columns.space == CoordinateSpace::Globe;
        for (&lon, &lat) in batch.lon().iter().zip(batch.lat()) {
            assert!(lon.is_finite() && lat.is_finite(), "a place is not finite: {lon}, {lat}");
            assert!(!is_globe || lon.abs() <= 360.0 && lat.abs() <= 90.0, "a place is beyond the globe: {lon}, {lat}");
        }
        assert!(
            batch
                .weight()
                .is_none_or(|weights| query.columns.weights && weights.iter().all(|weight| weight.is_finite()))
        );
        assert!(batch.time_us().is_none() || query.columns.times);
        if let Some(category) = batch.category() {
            let names = category.names.len() as u32;
            assert!(category.codes.iter().all(|&code| code < names || code == kiln_core::geo::Categories::NONE));
        }
        ControlFlow::Continue(())
    };
    let report = source.scan(query, &mut [&mut sink as &mut Sink<'_>]).ok()?;
    assert!(report.rejections.len() as u64 <= report.rejected.min(query.scan.max_rejections as u64));
    // One row may hold several points, as a MultiPoint does, and points beyond `near` may be left out.
    assert!(report.filtered + report.rejected <= report.read, "{report:?}");
    assert!(query.scan.near.is_some() || points == report.valid(), "{points} points, {report:?}");
    Some(report.valid())
}

/// Lets panics unwind: those of the Parquet and Arrow crates are caught by their readers. One that is not still ends the run.
pub fn let_readers_catch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}
