use ::flatgeobuf::geozero::{ColumnValue, GeomProcessor, GeozeroGeometry, PropertyProcessor};
use ::flatgeobuf::{FgbCrs, FgbWriter, FgbWriterOptions};

use super::super::table_testing::{columns, damage, points, scan, values};
use super::super::testing::file;
use super::*;

/// A geometry to write.
enum Shape {
    Point(f64, f64),
    MultiPoint(Vec<(f64, f64)>),
    LineString,
}

impl GeozeroGeometry for &Shape {
    fn process_geom<P: GeomProcessor>(&self, to: &mut P) -> ::flatgeobuf::geozero::error::Result<()> {
        match self {
            Shape::Point(x, y) => {
                to.point_begin(0)?;
                to.xy(*x, *y, 0)?;
                to.point_end(0)
            }
            Shape::MultiPoint(points) => {
                to.multipoint_begin(points.len(), 0)?;
                for (index, (x, y)) in points.iter().enumerate() {
                    to.xy(*x, *y, index)?;
                }
                to.multipoint_end(0)
            }
            Shape::LineString => {
                to.linestring_begin(true, 2, 0)?;
                to.xy(1.0, 2.0, 0)?;
                to.xy(3.0, 4.0, 1)?;
                to.linestring_end(true, 0)
            }
        }
    }
}

const PROPERTIES: [(&str, ColumnType, ColumnValue<'_>); 15] = [
    ("i8", ColumnType::Byte, ColumnValue::Byte(-1)),
    ("u8", ColumnType::UByte, ColumnValue::UByte(255)),
    ("bool", ColumnType::Bool, ColumnValue::Bool(true)),
    ("i16", ColumnType::Short, ColumnValue::Short(-2)),
    ("u16", ColumnType::UShort, ColumnValue::UShort(65535)),
    ("i32", ColumnType::Int, ColumnValue::Int(-3)),
    ("u32", ColumnType::UInt, ColumnValue::UInt(4_294_967_295)),
    ("i64", ColumnType::Long, ColumnValue::Long(9_007_199_254_740_993)),
    ("u64", ColumnType::ULong, ColumnValue::ULong(9_007_199_254_740_993)),
    ("f32", ColumnType::Float, ColumnValue::Float(0.5)),
    ("f64", ColumnType::Double, ColumnValue::Double(0.1)),
    ("text", ColumnType::String, ColumnValue::String("é")),
    ("json", ColumnType::Json, ColumnValue::Json("{}")),
    ("time", ColumnType::DateTime, ColumnValue::DateTime("2024-05-01T00:00:00Z")),
    ("bytes", ColumnType::Binary, ColumnValue::Binary(&[1, 2])),
];

/// A file of `shapes`; all but the first have the properties.
fn content(kind: GeometryType, shapes: &[Shape], write_index: bool) -> Vec<u8> {
    let crs = FgbCrs { code: 25832, ..FgbCrs::default() };
    let options = FgbWriterOptions {
        write_index,
        detect_type: false,
        promote_to_multi: false,
        crs,
        ..FgbWriterOptions::default()
    };
    let mut writer = FgbWriter::create_with_options("x", kind, options).unwrap();
    for (name, kind, _) in PROPERTIES {
        writer.add_column(name, kind, |_, _| {});
    }
    for (number, shape) in shapes.iter().enumerate() {
        writer
            .add_feature_geom(shape, |feature| {
                for (index, (name, _, value)) in PROPERTIES.iter().enumerate().filter(|_| number > 0) {
                    feature.property(index, name, value).unwrap();
                }
            })
            .unwrap();
    }
    let mut content = Vec::new();
    writer.write(&mut content).unwrap();
    content
}

fn open(content: impl AsRef<[u8]>) -> Result<(FlatGeobuf, tempfile::NamedTempFile)> {
    let file = file(content);
    Ok((FlatGeobuf::open(file.path(), "x.fgb".to_owned())?, file))
}

const NAMES: [&str; 16] = [
    "geometry", "i8", "u8", "bool", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "#f64", "text", "json", "time",
    "bytes",
];
const POINT: &str = "0101000000000000000000f03f0000000000000040";
const VALUES: &str =
    "-1 255 true -2 65535 -3 4294967295 9007199254740993 9007199254740993 0.5 0.1 é {} 2024-05-01T00:00:00Z 0102";

#[test]
fn features_are_rows_with_their_properties() {
    let shapes = [Shape::Point(1.0, 2.0), Shape::Point(1.0, 2.0)];
    let (table, _file) = open(content(GeometryType::Point, &shapes, false)).unwrap();
    let types = columns(&table);
    assert_eq!(types[..4], ["geometry: Binary", "i8: Int64", "u8: Int64", "bool: Utf8"]);
    assert_eq!(
        types[8..],
        [
            "i64: Int64",
            "u64: Float64",
            "f32: Float64",
            "f64: Float64",
            "text: Utf8",
            "json: Utf8",
            "time: Utf8",
            "bytes: Binary"
        ]
    );
    let metadata = table.schema().field(0).metadata();
    assert_eq!(metadata["ARROW:extension:name"], "geoarrow.wkb");
    assert_eq!(metadata["ARROW:extension:metadata"], r#"{"crs":"EPSG:25832"}"#);
    let rows = scan(&table, &NAMES, 1).unwrap();
    assert_eq!(values(&rows), [format!("{POINT}{}", " -".repeat(15)), format!("{POINT} {VALUES}")]);
    assert!(rows.bytes > 0);
}

#[test]
fn a_spatial_index_is_skipped() {
    let shapes: Vec<_> = (0..1000).map(|i| Shape::Point(f64::from(i % 360), 2.0)).collect();
    let (table, _file) = open(content(GeometryType::Point, &shapes, true)).unwrap();
    let rows = values(&scan(&table, &["#f64", "geometry"], 1).unwrap());
    assert_eq!(rows.len(), 1000);
    assert_eq!(rows.iter().filter(|row| **row == format!("0.1 {POINT}")).count(), 3);
}

#[test]
fn a_multipoint_is_one_row_and_other_geometries_are_rejected() {
    let shapes = [Shape::MultiPoint(vec![(1.0, 2.0), (1.0, 2.0)]), Shape::LineString, Shape::Point(1.0, 2.0)];
    let (table, _file) = open(content(GeometryType::Unknown, &shapes, false)).unwrap();
    let rows = scan(&table, &["geometry"], 1).unwrap().rows;
    assert_eq!(rows[0], Ok(vec![format!("010400000002000000{POINT}{POINT}")]));
    assert!(rows[1].as_ref().unwrap_err().starts_with("LineString is not a point; turn it into Point"));
    assert_eq!(rows[2], Ok(vec![POINT.to_owned()]));
}

#[test]
fn a_truncated_file_is_an_error() {
    let shapes: Vec<_> = (0..100).map(|i| Shape::Point(f64::from(i), 2.0)).collect();
    let complete = content(GeometryType::Point, &shapes, true);
    let message = |content: &[u8]| {
        let read = open(content).and_then(|(table, _file)| scan(&table, &["text"], 1));
        read.unwrap_err().to_string()
    };
    let lengths = [
        (complete.len() - 1, "exceeds the file or 64 MiB"),
        (3000, "index exceeds the file"),
        (100, "truncated?"),
        (8, "header is missing"),
        (6, "not a FlatGeobuf"),
    ];
    for (length, expected) in lengths {
        let message = message(&complete[..length]);
        assert!(message.starts_with("x.fgb: ") && message.contains(expected), "{message}");
    }
    let without_last = &complete[..complete.len() - last_feature_bytes(&complete)];
    assert_eq!(message(without_last), "x.fgb: it has 99 of 100 features; was the file truncated?");
}

/// The size of the last feature, including its size prefix.
fn last_feature_bytes(content: &[u8]) -> usize {
    let (table, _file) = open(content).unwrap();
    let (mut offset, mut last) = (table.start as usize, 0);
    while let Some(size) = content.get(offset..).and_then(<[u8]>::first_chunk) {
        last = 4 + u32::from_le_bytes(*size) as usize;
        offset += last;
    }
    last
}

#[test]
fn damaged_files_cause_only_errors() {
    for (kind, write_index) in [(GeometryType::Point, true), (GeometryType::Unknown, false)] {
        let mut shapes = vec![Shape::Point(1.0, 2.0), Shape::Point(3.0, 4.0)];
        if kind == GeometryType::Unknown {
            shapes.extend([Shape::MultiPoint(vec![(1.0, 2.0), (3.0, 4.0)]), Shape::LineString]);
        }
        damage(&content(kind, &shapes, write_index), 1000, |copy| {
            let Ok((table, _file)) = open(copy) else { return false };
            let names: Vec<_> = table.schema().fields().iter().map(|field| field.name().as_str()).collect();
            scan(&table, &names, 1).is_ok()
        });
    }
}

#[test]
fn points_have_their_times() {
    let shapes = [Shape::Point(500_000.0, 5_539_109.0), Shape::Point(500_000.0, 5_539_109.0)];
    let (points, rejected) = points(&content(GeometryType::Point, &shapes, false), "a.fgb");
    assert_eq!(rejected, Vec::<String>::new());
    // The central meridian of UTM zone 32.
    assert!(points.iter().all(|point| (point.0 - 9.0).abs() < 1e-9), "{points:?}");
    assert_eq!(points.iter().map(|point| point.1).collect::<Vec<_>>(), [None, Some(1_714_521_600_000_000)]);
}
