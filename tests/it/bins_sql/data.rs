//! Points of the tests, also those that an import rejects.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;

/// The number of random points: `KILN_BINS_POINTS`, or enough for some cells with several points at every zoom.
pub(super) fn count() -> usize {
    std::env::var("KILN_BINS_POINTS").map_or(100_000, |text| text.parse().expect("KILN_BINS_POINTS is a number"))
}

/// The greatest weight that becomes a valid 32-bit weight: it rounds to 2^44.
const MAX_WEIGHT: f64 = ((1u64 << 44) + (1 << 20)) as f64;

/// The longitude, the latitude and the weight of a row.
type Row = (Option<f64>, Option<f64>, Option<f64>);

/// A row, and whether an import accepts it.
type Limit = (Option<f64>, Option<f64>, Option<f64>, bool);

/// Positions and weights at the limits.
const LIMITS: [Limit; 25] = [
    (Some(360.0), Some(0.0), Some(1.0), true),
    (Some(-360.0), Some(0.0), Some(1.0), true),
    (Some(180.0), Some(0.0), Some(-2.5), true),
    (Some(-180.0), Some(0.0), Some(0.0), true),
    (Some(-1e-300), Some(1e-300), Some(1e-300), true),
    (Some(179.999_999_999_999_97), Some(-1e-16), Some(1.0), true),
    (Some(1.0), Some(85.051_128_779_806_59), Some(1.0), true),
    (Some(1.0), Some(-85.051_128_779_806_59), Some(1.0), true),
    // Alone in their cells at every zoom: a sum of these and of others would not be exact.
    (Some(2.0), Some(85.0), Some(MAX_WEIGHT), true),
    (Some(2.0), Some(-85.0), Some(-MAX_WEIGHT), true),
    (Some(360.000_000_000_000_06), Some(0.0), Some(1.0), false),
    (Some(-361.0), Some(0.0), Some(1.0), false),
    (Some(1.0), Some(85.051_128_779_806_6), Some(1.0), false),
    (Some(1.0), Some(-86.0), Some(1.0), false),
    (Some(1.0), Some(91.0), Some(1.0), false),
    (Some(2.0), Some(1.0), Some(MAX_WEIGHT + 1.0), false),
    (Some(2.0), Some(1.0), Some(1e300), false),
    (Some(f64::NAN), Some(1.0), Some(1.0), false),
    (Some(f64::INFINITY), Some(1.0), Some(1.0), false),
    (Some(1.0), Some(f64::NAN), Some(1.0), false),
    (None, Some(1.0), Some(1.0), false),
    (Some(1.0), None, Some(1.0), false),
    (Some(1.0), Some(1.0), None, false),
    (Some(1.0), Some(1.0), Some(f64::NAN), false),
    (Some(1.0), Some(1.0), Some(f64::NEG_INFINITY), false),
];

/// Writes `count` random points and those of [`LIMITS`] to a Parquet file with the columns `lon`, `lat`, `fare`, `paid_at`
/// and `kind`; returns the number of points that an import accepts.
pub(super) fn write_random(path: &Path, count: usize) -> usize {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut rows: Vec<(Option<f64>, Option<f64>, Option<f64>)> =
        LIMITS.iter().map(|&(lon, lat, weight, _)| (lon, lat, weight)).collect();
    for i in 0..count {
        // Even on the sphere; every third one is in a town, so that cells of deep zooms have several points.
        let (lon, lat) = if i % 3 > 0 {
            (random() * 360.0 - 180.0, (random() * 1.992 - 0.996).asin().to_degrees())
        } else {
            (18.0 + random() * 0.05, 59.3 + random() * 0.05)
        };
        // The sums are exact, and so independent of the order: 32-bit weights of at least 1, in total below 2^29.
        rows.push((Some(lon), Some(lat), Some(1.0 + random() * 500.0)));
    }
    let accepted = count + LIMITS.iter().filter(|(.., is_accepted)| *is_accepted).count();
    // From 1965 to 2003, so that some times are before 1970; some rows have none.
    let times: Vec<Option<i64>> =
        (0..rows.len()).map(|i| (i % 11 > 0).then(|| (random() * 1.2e15 - 1.5e14) as i64)).collect();
    let kinds = [Some("bus"), Some(" tram "), Some(""), Some("  "), None, Some("O'Hare \"é\" \\")];
    let kinds = (0..rows.len()).map(|i| kinds[i / 3 % kinds.len()]).collect::<StringArray>();
    let column = |of: fn(&Row) -> Option<f64>| -> ArrayRef { Arc::new(rows.iter().map(of).collect::<Float64Array>()) };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("lon", column(|row| row.0), true),
        ("lat", column(|row| row.1), true),
        ("fare", column(|row| row.2), true),
        ("paid_at", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")) as ArrayRef, true),
        ("kind", Arc::new(kinds) as ArrayRef, true),
    ])
    .unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    accepted
}
