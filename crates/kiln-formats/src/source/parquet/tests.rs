//! Files are written with the `parquet` crate and read back.

#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

mod columns;
mod geometry;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::source::columns::TablePoints;
use crate::source::{Columns, CoordinateSpace, Query, ReadOptions, ScanReport, Sink, Source, read_as, testing};
use kiln_core::geo::Points;
use kiln_core::source::Progress;

/// Writes the cells of one column of a row group.
type Column = Box<dyn Fn(&mut SerializedColumnWriter<'_>)>;

fn column<T: DataType>(cells: impl IntoIterator<Item = Option<T::T>>) -> Column {
    let cells: Vec<Option<T::T>> = cells.into_iter().collect();
    Box::new(move |writer| {
        let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
        let values: Vec<T::T> = cells.iter().flatten().cloned().collect();
        writer.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
    })
}

fn non_null<T: DataType>(cells: impl IntoIterator<Item = T::T>) -> Column {
    column::<T>(cells.into_iter().map(Some))
}

fn bytes(cells: impl IntoIterator<Item = Vec<u8>>) -> Column {
    non_null::<ByteArrayType>(cells.into_iter().map(ByteArray::from))
}

fn texts(cells: &[&str]) -> Column {
    bytes(cells.iter().map(|cell| cell.as_bytes().to_vec()))
}

fn doubles(cells: &[f64]) -> Column {
    non_null::<DoubleType>(cells.iter().copied())
}

/// A file with the columns `fields` and the row groups `groups`.
fn write(properties: WriterPropertiesBuilder, fields: &str, groups: &[Vec<Column>]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message points {{ {fields} }}")).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    for group in groups {
        let mut row_group = file.next_row_group().unwrap();
        for write in group {
            let mut writer = row_group.next_column().unwrap().unwrap();
            write(&mut writer);
            writer.close().unwrap();
        }
        row_group.close().unwrap();
    }
    file.into_inner().unwrap()
}

fn plain(fields: &str, columns: Vec<Column>) -> Vec<u8> {
    write(WriterProperties::builder(), fields, &[columns])
}

fn geo_metadata(geo: &str) -> WriterPropertiesBuilder {
    let pair = KeyValue::new("geo".to_owned(), geo.to_owned());
    WriterProperties::builder().set_key_value_metadata(Some(vec![pair]))
}

type ScannedPoints = Vec<(f64, f64, f32)>;

fn source(path: &Path) -> Result<TablePoints> {
    Ok(TablePoints::of(Parquet::open(path, "points.parquet".to_owned())?, &ReadOptions::default()))
}

fn scan_path(path: &Path, query: &Query<'_>, workers: usize) -> Result<(ScannedPoints, ScanReport)> {
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
    let report = source(path)?.scan(query, &mut sinks)?;
    drop(sinks);
    Ok((seen.concat(), report))
}

fn scan_with(file: &[u8], query: &Query<'_>, workers: usize) -> Result<(ScannedPoints, ScanReport)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.parquet");
    fs::write(&path, file).unwrap();
    scan_path(&path, query, workers)
}

fn scan(file: &[u8], query: &Query<'_>) -> Result<(ScannedPoints, ScanReport)> {
    scan_with(file, query, 1)
}

fn weighted() -> Query<'static> {
    Query::default().with_weights(true)
}

fn error(file: &[u8], query: &Query<'_>) -> String {
    scan(file, query).unwrap_err().to_string()
}

fn reasons(report: &ScanReport) -> Vec<(u64, &str)> {
    report.rejections.iter().map(|rejection| (rejection.row, rejection.reason.as_str())).collect()
}

#[test]
fn all_number_types_are_read() {
    let fields =
        "optional float Longitude; required int32 LAT (DECIMAL(9, 3)); optional int64 value (INTEGER(64, false));";
    let file = plain(
        fields,
        vec![
            non_null::<FloatType>([1.5, -2.25]),
            Box::new(|writer| {
                writer.typed::<Int32Type>().write_batch(&[45_125, -45_125], None, None).unwrap();
            }),
            non_null::<Int64Type>([7, -1]),
        ],
    );
    let (seen, report) = scan(&file, &testing::weighted(Some("value"))).unwrap();
    assert_eq!(seen, [(1.5, 45.125, 7.0)]);
    // Read without its sign, the second weight is greater than a weight may be.
    assert_eq!((report.read, report.rejected), (2, 1));
    assert!(reasons(&report)[0].1.contains("18446744"), "{report:?}");

    let fields = "optional int64 lon (DECIMAL(18, 6)); optional fixed_len_byte_array(5) lat (DECIMAL(10, 2)); \
                  optional int32 w (INTEGER(8, true));";
    let fixed = |value: i64| FixedLenByteArray::from(value.to_be_bytes()[3..].to_vec());
    let lat = non_null::<FixedLenByteArrayType>([fixed(8999), fixed(-8999)]);
    let file =
        plain(fields, vec![non_null::<Int64Type>([12_500_000, -12_500_000]), lat, non_null::<Int32Type>([100, -100])]);
    assert_eq!(scan(&file, &weighted()).unwrap().0, [(12.5, 89.99, 100.0), (-12.5, -89.99, -100.0)]);

    let fields = "optional fixed_len_byte_array(2) x (FLOAT16); optional binary y (DECIMAL(4, 1)); \
                  optional int32 count (INTEGER(32, false));";
    let half = |bits: u16| FixedLenByteArray::from(bits.to_le_bytes().to_vec());
    let x = non_null::<FixedLenByteArrayType>([half(0x3C00), half(0xC580)]);
    let file = plain(fields, vec![x, bytes([vec![0xFF], vec![1, 0]]), non_null::<Int32Type>([1, -1])]);
    assert_eq!(scan(&file, &weighted()).unwrap().0, [(1.0, -0.1, 1.0), (-5.5, 25.6, u32::MAX as f32)]);
}

#[test]
fn nulls_are_rejected_with_their_row_numbers() {
    let fields = "optional double lon; optional double lat; optional float weight;";
    let group = |weight: Option<f32>| {
        vec![
            column::<DoubleType>([Some(1.0), None, Some(3.0), Some(4.0)]),
            column::<DoubleType>([Some(1.0), Some(2.0), None, Some(4.0)]),
            column::<FloatType>([Some(1.0), Some(2.0), Some(3.0), weight]),
        ]
    };
    let file = write(WriterProperties::builder(), fields, &[group(Some(4.0)), group(None)]);
    for workers in 1..=3 {
        let (mut seen, report) = scan_with(&file, &testing::weighted(Some("weight")), workers).unwrap();
        seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert_eq!(seen, [(1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (4.0, 4.0, 4.0)]);
        assert_eq!((report.read, report.rejected), (8, 5));
        let expected = [
            (2, "lon is empty"),
            (3, "lat is empty"),
            (6, "lon is empty"),
            (7, "lat is empty"),
            (8, "weight is empty"),
        ];
        assert_eq!(reasons(&report), expected);
        assert_eq!(report.rejections[0].input, "points.parquet");
    }
    // A null in a weight column that the query does not name does not reject the row.
    let (seen, report) = scan(&file, &weighted()).unwrap();
    assert_eq!((seen.len(), seen[3], report.rejected), (4, (4.0, 4.0, 1.0), 4));
    assert_eq!((report.ignored[0].values, report.ignored[0].row), (1, 8));
    // A null weight does not matter if no weights are requested.
    assert_eq!(scan(&file, &Query::default()).unwrap().1.rejected, 4);
}

#[test]
fn codecs_encodings_page_versions_and_dictionaries_agree() {
    let rows = 20_000;
    let fields = "optional double lon; optional double lat; optional float w;";
    let columns = || {
        vec![
            column::<DoubleType>((0..rows).map(|i| (i % 7 != 0).then_some((i % 180) as f64))),
            non_null::<DoubleType>((0..rows).map(|i| (i % 90) as f64 + 0.5)),
            non_null::<FloatType>((0..rows).map(|i| (i % 3) as f32)),
        ]
    };
    let reference = scan(&plain(fields, columns()), &weighted()).unwrap();
    assert_eq!(reference.0.len(), 17_142);
    assert_eq!(reference.1.rejected, 2858);
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(parquet::basic::GzipLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(parquet::basic::ZstdLevel::default()),
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for encoding in [None, Some(Encoding::PLAIN), Some(Encoding::BYTE_STREAM_SPLIT)] {
                let builder = WriterProperties::builder()
                    .set_compression(codec)
                    .set_writer_version(version)
                    .set_dictionary_enabled(encoding.is_none())
                    .set_data_page_row_count_limit(3001)
                    .set_write_batch_size(1000);
                let builder = encoding.map_or(builder.clone(), |encoding| builder.set_encoding(encoding));
                let file = write(builder, fields, &[columns()]);
                assert_eq!(scan(&file, &weighted()).unwrap(), reference, "{codec} {version:?} {encoding:?}");
            }
        }
    }
}

#[test]
fn workers_share_a_row_group_and_read_each_row_once() {
    let rows = 300_000u32;
    let fields = "optional double lon; optional double lat; optional int32 w;";
    let builder = || WriterProperties::builder().set_data_page_row_count_limit(7000).set_write_batch_size(500);
    let columns = vec![
        non_null::<DoubleType>((0..rows).map(|i| f64::from(i) / 1000.0)),
        column::<DoubleType>((0..rows).map(|i| (i % 1000 != 999).then_some(f64::from(i % 50)))),
        non_null::<Int32Type>((0..rows).map(|i| i as i32 % 11)),
    ];
    let file = write(builder().set_column_data_page_size_limit("lat".into(), 3000), fields, &[columns]);
    let progress = Progress::default();
    let query = weighted().with_progress(Some(&progress));
    let reference = scan(&file, &query).unwrap();
    let (total, done, points) = progress.snapshot();
    assert_eq!((total, points), (done, 300_000));
    assert_eq!((reference.1.read, reference.1.rejected), (300_000, 300));
    assert_eq!(reference.1.rejections[1].row, 2000);
    for workers in 2..=4 {
        let (mut seen, report) = scan_with(&file, &weighted(), workers).unwrap();
        seen.sort_by(|a, b| a.partial_cmp(b).unwrap());
        assert!(seen == reference.0, "{workers} workers");
        assert_eq!(report, reference.1);
    }
}

#[test]
fn a_row_group_is_split_into_ranges_of_rows() {
    let rows = 300_000u32;
    let columns =
        vec![non_null::<DoubleType>((0..rows).map(f64::from)), non_null::<DoubleType>((0..rows).map(f64::from))];
    let file = testing::file(plain("optional double x; optional double y;", columns));
    let file = Parquet::open(file.path(), String::new()).unwrap();
    for (workers, parts) in [(1, 1), (2, 4)] {
        let request = Request { columns: Vec::new(), workers, time_range: None };
        assert_eq!(file.scan(&request).unwrap().parts(), parts);
    }
}

#[test]
fn a_file_without_rows_is_not_an_error() {
    let fields = "optional double lon; optional double lat;";
    let groups = [vec![], vec![vec![doubles(&[]), doubles(&[])]]];
    for groups in groups {
        for workers in 1..=2 {
            let file = write(WriterProperties::builder(), fields, &groups);
            assert_eq!(scan_with(&file, &Query::default(), workers).unwrap(), (vec![], ScanReport::default()));
        }
    }
}

#[test]
fn media_types_of_parquet_are_recognized() {
    let file = plain("required double x; required double y;", vec![doubles(&[1.5]), doubles(&[2.5])]);
    for media_type in ["application/vnd.apache.parquet", "application/x-parquet", "application/octet-stream"] {
        let source = read_as(&file[..], Some(media_type), "-", &ReadOptions::default()).unwrap();
        let (points, _) = testing::scan(&*source, &Query::default(), 1).unwrap();
        assert_eq!(points, [(1.5, 2.5, 1.0)], "{media_type}");
    }
}

#[test]
fn other_files_and_truncated_files_are_errors() {
    assert!(error(b"lon,lat\n1,2\n", &Query::default()).contains("not a Parquet file"));
    assert!(error(b"", &Query::default()).contains("not a Parquet file"));
    let complete = plain("optional double lon; optional double lat;", vec![doubles(&[1.0]), doubles(&[1.0])]);
    let message = error(&complete[..complete.len() - 1], &Query::default());
    assert!(message.contains("not a complete Parquet file: "), "{message}");
    assert!(message.contains("was it still being written?"), "{message}");
    let missing = Parquet::open(Path::new("/nowhere/points.parquet"), String::new()).unwrap_err();
    assert!(matches!(missing, Error::Io { action: "read", .. }));
}

#[test]
fn a_page_that_does_not_match_its_checksum_is_an_error() {
    // Twelve rows with page checksums, PLAIN encoded and not compressed, written by Arrow C++.
    let file = include_bytes!("tests/checksums.parquet");
    let rows: Vec<(f64, f64, f32)> = (0..12).map(|i| (f64::from(i) + 0.5, f64::from(i) * 2.0, 1.0)).collect();
    assert_eq!(scan(file, &Query::default()).unwrap().0, rows);
    let values =
        |of: fn(&(f64, f64, f32)) -> f64| -> Vec<u8> { rows.iter().flat_map(|row| of(row).to_le_bytes()).collect() };
    for values in [values(|row| row.0), values(|row| row.1)] {
        let start = file.windows(values.len()).position(|window| window == values).unwrap();
        for offset in start..start + values.len() {
            let mut damaged = file.to_vec();
            damaged[offset] ^= 1;
            let message = error(&damaged, &Query::default());
            let expected = "points.parquet: row group 0 cannot be read: ";
            assert!(message.starts_with(expected) && message.contains("Page CRC"), "{message}");
        }
    }
}

#[test]
fn a_file_that_changes_between_scans_is_an_error() {
    let fields = "optional double lon; optional double lat;";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.parquet");
    let original = plain(fields, vec![doubles(&[1.0]), doubles(&[1.0])]);
    for changed in [&original[..original.len() - 1], &[&original[..], b"more"].concat()] {
        fs::write(&path, &original).unwrap();
        let file = source(&path).unwrap();
        fs::write(&path, changed).unwrap();
        let mut sink = |_: Points<'_>| ControlFlow::Continue(());
        let error = file.scan(&Query::default(), &mut [&mut sink]).unwrap_err();
        assert_eq!(error.to_string(), "points.parquet: the file changed while it was read");
    }
}

#[test]
fn damage_at_any_offset_is_an_error_or_harmless() {
    let fields = "optional double lon; required double lat; optional float w; optional binary kind (STRING);";
    let rows = 60;
    let columns = || -> Vec<Column> {
        vec![
            column::<DoubleType>((0..rows).map(|i| (i % 5 != 0).then_some(i as f64))),
            Box::new(move |writer| {
                let values: Vec<f64> = (0..rows).map(|i| i as f64).collect();
                writer.typed::<DoubleType>().write_batch(&values, None, None).unwrap();
            }),
            non_null::<FloatType>((0..rows).map(|i| (i % 3) as f32)),
            bytes((0..rows).map(|i| vec![b'a' + i as u8 % 3])),
        ]
    };
    let query = weighted().with_category_filter(vec!["a".to_owned()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.parquet");
    let try_scan = |file: &[u8]| {
        fs::write(&path, file).unwrap();
        match scan_path(&path, &query, 2) {
            Ok(_) | Err(Error::Input { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    };
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let builder = WriterProperties::builder()
            .set_writer_version(version)
            .set_compression(Compression::SNAPPY)
            .set_data_page_row_count_limit(25)
            .set_write_batch_size(10);
        let file = write(builder, fields, &[columns(), columns()]);
        for offset in (0..file.len()).step_by(2) {
            if offset % 16 == 0 {
                try_scan(&file[..offset]);
            }
            let mut damaged = file.clone();
            damaged[offset] ^= [0x01, 0x80, 0xFF][offset % 3];
            try_scan(&damaged);
        }
    }
}
