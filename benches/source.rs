//! Reading of points from files.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kiln::geo::Points;
use kiln::source::{Query, ReadOptions, Sink, open};

const ROWS: u64 = 2_000_000;

/// Formats a longitude, a latitude and a weight as a row.
type RowFormat = dyn Fn(f64, f64, u64) -> String;

/// Writes `ROWS` rows of longitude, latitude and weight, formatted by `row`.
fn write(path: &Path, row: &RowFormat) {
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    writeln!(file, "lon,lat,w").unwrap();
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    for i in 0..ROWS {
        writeln!(file, "{}", row(random() * 360.0 - 180.0, random() * 180.0 - 90.0, i % 9 + 1)).unwrap();
    }
    file.flush().unwrap();
}

fn scan(path: &Path, workers: usize, weights: bool) -> u64 {
    let mut sinks = vec![
        |points: Points<'_>| {
            black_box(points);
            ControlFlow::Continue(())
        };
        workers
    ];
    let mut sinks: Vec<&mut Sink<'_>> = sinks.iter_mut().map(|sink| sink as &mut Sink<'_>).collect();
    let csv = open(path.to_str().unwrap(), &ReadOptions::default()).unwrap();
    csv.scan(&Query::default().with_weights(weights), &mut sinks).unwrap().read
}

fn csv(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("csv");
    group.sample_size(20);
    let six_decimals = |lon, lat, weight| format!("{lon:.6},{lat:.6},{weight}");
    let all_digits = |lon, lat, weight| format!("{lon},{lat},{weight}");
    let quoted = |lon, lat, weight| format!("\"{lon:.6}\",\"{lat:.6}\",\"{weight}\"");
    let files: [(&str, &RowFormat); 3] =
        [("six decimals", &six_decimals), ("all digits", &all_digits), ("quoted", &quoted)];
    for (name, row) in files {
        let path = folder.path().join(name);
        write(&path, row);
        group.throughput(Throughput::Bytes(path.metadata().unwrap().len()));
        for workers in [1, 2] {
            group.bench_function(BenchmarkId::new(name, workers), |bencher| {
                bencher.iter(|| scan(&path, workers, false));
            });
        }
        group.bench_function(BenchmarkId::new(format!("{name}, weighted"), 2), |bencher| {
            bencher.iter(|| scan(&path, 2, true));
        });
    }
    group.finish();
}

criterion_group!(benches, csv);
criterion_main!(benches);
