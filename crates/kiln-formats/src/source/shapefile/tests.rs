use std::path::PathBuf;

use tempfile::TempDir;

use super::super::table_testing::{columns, damage, points, scan, scan_some, values};
use super::super::testing::{marked, scan_marked};
use super::*;

const POINT: &str = "0101000000000000000000f03f0000000000000040";

/// A shape of a type with `content`.
fn shape(kind: i32, content: &[u8]) -> Vec<u8> {
    let words = content.len() as i32 / 2 + 2;
    [&1_i32.to_be_bytes(), &words.to_be_bytes(), &kind.to_le_bytes(), content].concat()
}

/// The coordinates of `points`.
fn ordinates(points: &[f64]) -> Vec<u8> {
    points.iter().flat_map(|ordinate| ordinate.to_le_bytes()).collect()
}

/// The content of a multipoint shape: bounding box, number of points, and points.
fn multipoint(points: &[f64]) -> Vec<u8> {
    [[0; 32].as_slice(), &(points.len() as i32 / 2).to_le_bytes(), &ordinates(points)].concat()
}

fn shp(shapes: &[Vec<u8>]) -> Vec<u8> {
    let shapes = shapes.concat();
    let mut header = vec![0; 100];
    header[..4].copy_from_slice(&9994_i32.to_be_bytes());
    header[24..28].copy_from_slice(&(shapes.len() as i32 / 2 + 50).to_be_bytes());
    [header, shapes].concat()
}

/// A `.dbf` file with a zero date, `columns` (name, type, width) and `records`, which start with the deletion flag.
fn dbf(driver: u8, columns: &[(&str, u8, u8)], records: &[Vec<u8>]) -> Vec<u8> {
    let mut content = vec![0; 32];
    let record_bytes = 1 + columns.iter().map(|column| u16::from(column.2)).sum::<u16>();
    content[0] = 3;
    content[4..8].copy_from_slice(&(records.len() as u32).to_le_bytes());
    content[8..10].copy_from_slice(&(33 + 32 * columns.len() as u16).to_le_bytes());
    content[10..12].copy_from_slice(&record_bytes.to_le_bytes());
    content[29] = driver;
    for (name, kind, bytes) in columns {
        let mut column = [0; 32];
        column[..name.len()].copy_from_slice(name.as_bytes());
        (column[11], column[16]) = (*kind, *bytes);
        content.extend(column);
    }
    content.push(0x0D);
    content.extend(records.concat());
    content.push(0x1A);
    content
}

/// Writes the files of a shapefile and returns the path of its `.shp` file, the first one.
fn write(folder: &TempDir, files: &[(&str, &[u8])]) -> PathBuf {
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder.path().join(files[0].0)
}

fn open(path: &Path) -> Result<Shapefile> {
    Shapefile::open(path, "x.shp".to_owned(), &ReadOptions::default())
}

/// A record of [`COLUMNS`].
fn record(flag: char, name: &str, time: &str, mag: &str, day: &str, ok: char) -> Vec<u8> {
    format!("{flag}{name:<6}{time:>12}{mag:>4}{day:<8}...{ok}").into_bytes()
}

const COLUMNS: [(&str, u8, u8); 6] =
    [("name", b'C', 6), ("time", b'F', 12), ("mag", b'N', 4), ("day", b'D', 8), ("odd", b'G', 3), ("ok", b'L', 1)];

#[test]
fn shapes_have_the_values_of_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = [
        shape(1, &ordinates(&[1.0, 2.0])),
        shape(1, &ordinates(&[3.0, 4.0])),
        shape(0, &[]),
        shape(11, &ordinates(&[1.0, 2.0, 9.0, 9.0])),
        shape(21, &ordinates(&[1.0, 2.0, 9.0])),
        shape(8, &multipoint(&[1.0, 2.0, 1.0, 2.0])),
        shape(18, &[multipoint(&[1.0, 2.0]), vec![0; 24]].concat()),
        shape(3, &[7; 60]),
        shape(1, &ordinates(&[1.0, 2.0])),
    ];
    let mut records = [
        record(' ', "first", "1700000001", "1.5", "20240501", 'T'),
        record('*', "gone", "1700000002", "2.5", "20240502", 'T'),
        record(' ', "?t?", "", "", "00000000", '?'),
        record(' ', "", "1.5e3", "****", "", 'f'),
        record(' ', "e", "", "", "", ' '),
        record(' ', "f", "", "", "", ' '),
        record(' ', "g", "", "", "", ' '),
        record(' ', "line", "", "", "", ' '),
    ];
    (records[2][1], records[2][3]) = (0xE9, 0xE9);
    let records = dbf(0x57, &COLUMNS, &records);
    let path = write(&folder, &[("a.SHP", &shp(&shapes)), ("a.DBF", &records), ("a.prj", b"GEOGCS[\"x\"]\n")]);
    let shapefile = open(&path).unwrap();
    assert_eq!(
        columns(&shapefile),
        ["geometry: Binary", "name: Utf8", "time: Float64", "mag: Float64", "day: Utf8", "ok: Utf8"]
    );
    let metadata = shapefile.schema().field(0).metadata();
    assert_eq!(metadata["ARROW:extension:metadata"], r#"{"crs":"GEOGCS[\"x\"]"}"#);
    let rows = scan(&shapefile, &["geometry", "name", "#time", "#mag", "day", "ok"], 1).unwrap();
    let row = |text: String| Ok(text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(
        rows.rows,
        [
            row(format!("{POINT} first 1700000001 1.5 2024-05-01 true")),
            Err("the record in the .dbf file is deleted".to_owned()),
            row("- été - - - -".to_owned()),
            row(format!("{POINT} - 1500 - - false")),
            row(format!("{POINT} e - - - -")),
            row(format!("010400000002000000{POINT}{POINT} f - - - -")),
            row(format!("010400000001000000{POINT} g - - - -")),
            Err(GeometryError::NotAPoint("LineString".into()).to_string()),
            row(format!("{POINT} - - - - -")),
        ]
    );
    assert_eq!(rows.bytes, shp(&shapes).len() as u64);
}

#[test]
fn a_shapefile_without_a_dbf_file_has_only_the_geometry() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = vec![shape(1, &ordinates(&[1.0, 2.0])); 20_000];
    let shapefile = open(&write(&folder, &[("a.shp", &shp(&shapes))])).unwrap();
    assert_eq!(columns(&shapefile), ["geometry: Binary"]);
    assert_eq!(shapefile.schema().field(0).metadata().get("ARROW:extension:metadata"), None);
    assert_eq!(scan(&shapefile, &["geometry"], 2).unwrap().rows.len(), 20_000);
    assert_eq!(scan_some(&shapefile, &["geometry"], 1, Some(1)).unwrap().rows.len(), 8192);
}

#[test]
fn texts_are_decoded_by_the_dbf_or_cpg_file_or_the_options() {
    let shapes = shp(&[shape(1, &ordinates(&[1.0, 2.0]))]);
    for (driver, label, text, expected) in [
        (0xC9, "", b"\xE9".as_slice(), "й"),
        (0xC9, "UTF-8\n", "é".as_bytes(), "é"),
        (0, "1251", b"\xE9", "й"),
        (0, "ANSI 1251", b"\xE9", "й"),
        (0, "ISO 8859-2", b"\xE8", "č"),
        (0, "88592", b"\xE8", "č"),
        (0, "65001", "é".as_bytes(), "é"),
        (0, "unheard of", "é".as_bytes(), "é"),
        (0, "", b"\xE9", "é"),
        (0x4D, "", b"\xC4\xE3", "你"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut record = vec![b' '; 7];
        record[1..=text.len()].copy_from_slice(text);
        let records = dbf(driver, &COLUMNS[..1], &[record]);
        let path = write(&folder, &[("a.shp", &shapes), ("a.dbf", &records), ("a.cpg", label.as_bytes())]);
        assert_eq!(values(&scan(&open(&path).unwrap(), &["name"], 1).unwrap()), [expected], "{driver:x} {label}");
        let options = ReadOptions { encoding: Some("koi8-r".to_owned()), ..ReadOptions::default() };
        let named = Shapefile::open(&path, String::new(), &options).unwrap();
        assert_eq!(values(&scan(&named, &["name"], 1).unwrap()), [encoding_rs::KOI8_R.decode(text).0]);
    }
}

#[test]
fn inconsistent_sizes_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let complete = shp(&[shape(1, &ordinates(&[1.0, 2.0])), shape(1, &ordinates(&[1.0, 2.0]))]);
    let message = |content: &[u8]| {
        let read = open(&write(&folder, &[("a.shp", content)])).and_then(|table| scan(&table, &["geometry"], 1));
        read.unwrap_err().to_string()
    };
    assert_eq!(message(&complete[..150]), "x.shp: truncated file: 150 bytes, but the header declares 156");
    for length in [0, 4, 99] {
        assert!(message(&complete[..length]).starts_with("x.shp: not a shapefile"));
    }
    let invalid = "x.shp: the shape at byte 128 has an invalid size; is the file damaged?";
    for (offset, bytes) in
        [(132, [0, 0, 0, 1]), (132, [0x7F, 0xFF, 0xFF, 0xFF]), (136, [9, 9, 0, 0]), (136, [8, 0, 0, 0])]
    {
        let mut content = complete.clone();
        content[offset..offset + 4].copy_from_slice(&bytes);
        assert_eq!(message(&content), invalid);
    }
    let mut points = shp(&[shape(1, &ordinates(&[1.0, 2.0])), shape(8, &multipoint(&[1.0, 2.0]))]);
    points[172] = 2;
    assert_eq!(message(&points), invalid);
    std::fs::write(folder.path().join("a.dbf"), [3; 40]).unwrap();
    assert!(message(&complete).ends_with("a.dbf: the header is invalid; is the file damaged?"));
}

#[test]
fn damaged_files_cause_only_errors() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = shp(&[
        shape(1, &ordinates(&[1.0, 2.0])),
        shape(8, &multipoint(&[1.0, 2.0, 3.0, 4.0])),
        shape(5, &[7; 60]),
        shape(18, &[multipoint(&[1.0, 2.0]), vec![0; 24]].concat()),
    ]);
    let records = dbf(0, &COLUMNS, &vec![record(' ', "first", "1700000001", "1.5", "20240501", 'T'); 4]);
    for (name, original) in [("a.shp", &shapes), ("a.dbf", &records)] {
        write(&folder, &[("a.shp", &shapes), ("a.dbf", &records)]);
        damage(original, 1000, |copy| {
            std::fs::write(folder.path().join(name), copy).unwrap();
            let Ok(shapefile) = open(&folder.path().join("a.shp")) else { return false };
            let names: Vec<_> = shapefile.schema().fields().iter().map(|field| field.name().as_str()).collect();
            scan(&shapefile, &names, 1).is_ok()
        });
    }
}

#[test]
fn points_of_a_request_body_are_read() {
    let shapes = [
        shape(1, &ordinates(&[1.0, 2.0])),
        shape(8, &multipoint(&[3.0, 4.0, 5.0, 6.0])),
        shape(5, &[7; 60]),
        shape(0, &[]),
    ];
    let (points, rejected) = points(&shp(&shapes), "body");
    assert_eq!(points, [1.0, 3.0, 5.0].map(|lon| (lon, None, None)));
    assert_eq!(rejected.len(), 2);
}

#[test]
fn the_encoding_of_the_options_applies_only_to_texts() {
    let folder = tempfile::tempdir().unwrap();
    let shapes = shp(&[shape(1, &ordinates(&[1.0, 2.0]))]);
    let records = dbf(0, &[("type", b'C', 1)], &[vec![b' ', 0xE9]]);
    let path = write(&folder, &[("a.shp", &shapes), ("a.dbf", &records)]);
    let options = ReadOptions { encoding: Some("windows-1251".to_owned()), ..ReadOptions::default() };
    let source = super::super::open(path.to_str().unwrap(), &options).unwrap();
    let (points, _) = scan_marked(&*source, &marked()).unwrap();
    assert_eq!(points, [(1.0, None, Some("й".to_owned()))]);
}
