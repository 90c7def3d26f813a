//! Files are written with the `arrow-ipc` crate and read back; one was written by pyarrow.

// `Array::from_iter` names the type of the array.
#![allow(clippy::unwrap_used, clippy::panic, clippy::from_iter_instead_of_collect)]

mod columns;
mod damage;

use std::sync::Arc;

use arrow_array::types::{Int8Type, UInt32Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
    Float16Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray,
    NullArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt64Array,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};

use super::*;
use crate::source::columns::TablePoints;
use crate::source::testing::{self, Marked, Scanned, marked, marks, rejections, weighted};
use crate::source::{Columns, Query, ReadOptions, ScanReport, Source, read_as};
use kiln_core::geo::Points;
use kiln_core::source::Progress;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn floats(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn file_with(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn stream_with(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

/// The batches in both formats.
fn both(batches: &[RecordBatch]) -> [Vec<u8>; 2] {
    [file_with(batches, IpcWriteOptions::default()), stream_with(batches, IpcWriteOptions::default())]
}

fn compressed(codec: Option<CompressionType>) -> IpcWriteOptions {
    IpcWriteOptions::default().try_with_compression(codec).unwrap()
}

fn source(path: &Path) -> Result<TablePoints> {
    Ok(TablePoints::of(Arrow::open(path, "points.arrow".to_owned())?, &ReadOptions::default()))
}

fn scan_with(file: &[u8], query: &Query<'_>, workers: usize) -> Scanned {
    let file = testing::file(file);
    testing::scan(&source(file.path())?, query, workers)
}

fn scan(file: &[u8], query: &Query<'_>) -> Scanned {
    scan_with(file, query, 1)
}

fn scan_marked(file: &[u8], query: &Query<'_>) -> (Vec<Marked>, ScanReport) {
    let file = testing::file(file);
    testing::scan_marked(&source(file.path()).unwrap(), query).unwrap()
}

fn error(file: &[u8], query: &Query<'_>) -> String {
    scan(file, query).unwrap_err().to_string()
}

#[test]
fn files_and_streams_agree_with_and_without_compression() {
    let rows = 50_000;
    let part = |start: usize| {
        let rows = start..start + rows / 5;
        batch(vec![
            ("name", Arc::new(StringArray::from_iter_values(rows.clone().map(|i| format!("row {i}"))))),
            ("lon", floats(rows.clone().map(|i| (i % 3600) as f64 / 10.0 - 180.0))),
            ("lat", floats(rows.clone().map(|i| (i % 1800) as f64 / 10.0 - 90.0))),
            ("w", Arc::new(Float32Array::from_iter(rows.map(|i| (i % 1000 != 7).then_some((i % 5) as f32))))),
        ])
    };
    let batches: Vec<RecordBatch> = (0..5).map(|i| part(i * rows / 5)).collect();
    let reference = scan(&file_with(&batches, IpcWriteOptions::default()), &weighted(Some("w"))).unwrap();
    assert_eq!((reference.0.len(), reference.1.rejected), (49_950, 50));
    assert_eq!(reference.0[8], (-179.1, -89.1, 4.0));
    for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        for file in [file_with(&batches, compressed(codec)), stream_with(&batches, compressed(codec))] {
            assert!(scan(&file, &weighted(Some("w"))).unwrap() == reference, "{codec:?}");
        }
    }
    let progress = Progress::default();
    let query = weighted(Some("w")).with_progress(Some(&progress));
    for workers in 2..=3 {
        let (mut points, report) = scan_with(&stream_with(&batches, compressed(None)), &query, workers).unwrap();
        let mut expected = reference.0.clone();
        points.sort_by(|a, b| a.partial_cmp(b).unwrap());
        expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert!(points == expected && report == reference.1, "{workers} workers");
    }
    let (total, done, points) = progress.snapshot();
    assert_eq!((total, points), (done, 100_000));
}

#[test]
fn a_file_of_pyarrow_is_read() {
    // Sixty rows in two record batches, compressed with LZ4, with a dictionary.
    let file = include_bytes!("tests/stops.feather");
    let mut query = marked().with_weights(true);
    query.columns.names.weight = Some("count".to_owned());
    let (seen, report) = scan_marked(file, &query);
    let expected: Vec<(f64, Option<i64>, Option<&str>)> = (0..60)
        .filter(|i| *i != 7)
        .map(|i| {
            let time_us = (i % 10 != 0).then_some(1_700_000_000_000_000 + i);
            (i as f64 / 4.0, time_us, (i % 7 != 6).then(|| ["bus", "tram", "ferry"][i as usize % 3]))
        })
        .collect();
    assert_eq!(seen, marks(&expected));
    assert_eq!(rejections(&report), [(8, "count is empty")]);
    let trams = marked().with_category_filter(vec!["tram".to_owned()]).with_start(Some(1_700_000_000_000_030));
    let (seen, report) = scan_marked(file, &trams);
    assert_eq!(seen.iter().map(|mark| mark.0).collect::<Vec<_>>(), [7.75, 9.25, 10.75, 11.5, 12.25, 13.0, 14.5]);
    assert_eq!((report.read, report.filtered), (60, 53));
    let points = scan(file, &weighted(None)).unwrap().0;
    assert_eq!(points[1], (0.25, 0.125, 1.0));
}

#[test]
fn media_types_of_files_and_streams_are_recognized() {
    let [file, stream] = both(&[batch(vec![("x", floats([1.5])), ("y", floats([2.5]))])]);
    for (body, media_type) in [
        (&file, "application/vnd.apache.arrow.file"),
        (&stream, "application/vnd.apache.arrow.stream"),
        (&stream, "application/octet-stream"),
    ] {
        let source = read_as(&body[..], Some(media_type), "-", &ReadOptions::default()).unwrap();
        let (points, _) = testing::scan(&*source, &Query::default(), 1).unwrap();
        assert_eq!(points, [(1.5, 2.5, 1.0)], "{media_type}");
    }
}

#[test]
fn small_record_batches_are_merged() {
    let batches: Vec<RecordBatch> =
        (0..500).map(|i| batch(vec![("x", floats([f64::from(i) / 2.0, 0.5])), ("y", floats([1.0, 2.0]))])).collect();
    let mut sizes = Vec::new();
    let mut sink = |points: Points<'_>| {
        sizes.push(points.len());
        ControlFlow::Continue(())
    };
    let file = testing::file(stream_with(&batches, compressed(None)));
    let source = source(file.path()).unwrap();
    source.scan(&Query::default(), &mut [&mut sink]).unwrap();
    assert_eq!(sizes, [1000]);
}

#[test]
fn a_sink_that_breaks_stops_the_scan() {
    let column = || floats((0..100_000).map(|_| 0.0));
    let file = testing::file(file_with(&[batch(vec![("x", column()), ("y", column())])], compressed(None)));
    let source = source(file.path()).unwrap();
    let mut stop = |_: Points<'_>| ControlFlow::Break(());
    assert!(matches!(source.scan(&Query::default(), &mut [&mut stop]), Err(Error::Cancelled)));
}

#[test]
fn a_file_without_rows_is_not_an_error() {
    let empty = batch(vec![("lon", floats([])), ("lat", floats([]))]);
    for file in both(&[empty]) {
        for workers in 1..=2 {
            assert_eq!(scan_with(&file, &Query::default(), workers).unwrap(), (vec![], ScanReport::default()));
        }
    }
    let schema = batch(vec![("lon", floats([])), ("lat", floats([]))]).schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
    writer.finish().unwrap();
    assert_eq!(scan(&writer.into_inner().unwrap(), &Query::default()).unwrap(), (vec![], ScanReport::default()));
}
