use rusqlite::Connection;
use tempfile::TempDir;

use super::super::table_testing::{columns, damage, points, scan, scan_some, values};
use super::super::testing::file;
use super::*;

/// A database in `folder` that `sql` creates.
fn database(folder: &TempDir, sql: &str) -> PathBuf {
    let path = folder.path().join("a b%?#.gpkg");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(sql).unwrap();
    path
}

fn open(path: &Path, table: Option<&str>) -> Result<GeoPackage> {
    let options = ReadOptions { records: table.map(str::to_owned), ..ReadOptions::default() };
    GeoPackage::open(path, "x.gpkg".to_owned(), &options)
}

fn message(path: &Path, table: Option<&str>) -> String {
    open(path, table).unwrap_err().to_string()
}

/// The SQL of a GeoPackage with the table `places`.
const PACKAGE: &str = "
    PRAGMA page_size = 512;
    CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,
        organization_coordsys_id INTEGER, definition TEXT);
    INSERT INTO gpkg_spatial_ref_sys VALUES ('a', 25832, 'epsg', 25832, 'PROJCS[]'), ('b', 100000, 'x', 1, 'GEOGCS[\"y\"]'),
        ('c', 0, 'NONE', 0, 'undefined');
    CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT, srs_id INTEGER);
    INSERT INTO gpkg_geometry_columns VALUES ('places', 'geom', 'POINT', 25832);
    CREATE TABLE places (fid INTEGER PRIMARY KEY, geom POINT, mag REAL, name TEXT(20), at DATETIME, ok BOOLEAN,
        raw BLOB, any);
    INSERT INTO places VALUES
        (1, X'47500001000000000101000000000000000000F03F0000000000000040', 1.5, 'a', '2024-05-01', 1, X'0102', 7),
        (3, X'475000030000000000000000000000000000000000000000000000000000000000000000000000000101000000', 'x', NULL, 0, NULL, 'y', X'00'),
        (9007199254740993, NULL, 2, '', NULL, 0, NULL, 9007199254740993);";

#[test]
fn the_only_feature_table_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let package = open(&database(&folder, PACKAGE), None).unwrap();
    assert_eq!(
        columns(&package),
        [
            "fid: Int64",
            "geom: Binary",
            "mag: Float64",
            "name: Utf8",
            "at: Utf8",
            "ok: Int64",
            "raw: Binary",
            "any: Utf8"
        ]
    );
    let metadata = package.schema().field(1).metadata();
    assert_eq!(metadata["ARROW:extension:name"], "geoarrow.wkb");
    assert_eq!(metadata["ARROW:extension:metadata"], r#"{"crs":"EPSG:25832"}"#);
    for workers in 1..=3 {
        let rows = scan(&package, &["fid", "geom", "#mag", "name", "at", "#ok", "raw", "any"], workers).unwrap();
        assert_eq!(
            values(&rows),
            [
                "1 47500001000000000101000000000000000000f03f0000000000000040 1.5 a 2024-05-01 1 0102 7",
                "3 475000030000000000000000000000000000000000000000000000000000000000000000000000000101000000 x - 0 - - -",
                "9007199254740993 - 2 - - 0 - 9007199254740993",
            ],
            "{workers} workers"
        );
    }
}

#[test]
fn a_reference_system_without_a_code_has_its_definition_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(&folder, PACKAGE);
    for (id, crs) in [(100_000, Some(r#"{"crs":"GEOGCS[\"y\"]"}"#)), (0, None), (7, Some(r#"{"crs":"EPSG:7"}"#))] {
        let connection = Connection::open(&path).unwrap();
        connection.execute("UPDATE gpkg_geometry_columns SET srs_id = ?1", [id]).unwrap();
        let package = open(&path, None).unwrap();
        let metadata = package.schema().field(1).metadata().get("ARROW:extension:metadata");
        assert_eq!(metadata.map(String::as_str), crs);
    }
}

#[test]
fn one_of_several_tables_must_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let more = "INSERT INTO gpkg_geometry_columns VALUES ('other', 'g', 'POINT', 0); CREATE TABLE other (g);
        CREATE TABLE notes (lon, lat); INSERT INTO notes VALUES (1, 2.5); CREATE VIEW v AS SELECT * FROM notes;";
    let path = database(&folder, &[PACKAGE, more].concat());
    assert_eq!(message(&path, None), "x.gpkg: there are several tables: places, other; name one with records");
    assert_eq!(message(&path, Some("v")), "x.gpkg: there is no table `v`; expected places, other");
    assert_eq!(scan(&open(&path, Some("places")).unwrap(), &[], 1).unwrap().rows.len(), 3);
    assert_eq!(values(&scan(&open(&path, Some("notes")).unwrap(), &["#lon", "#lat"], 1).unwrap()), ["1 2.5"]);
    assert_eq!(scan(&open(&path, Some("other")).unwrap(), &["g"], 2).unwrap().rows, []);
}

#[test]
fn other_sqlite_databases_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let rows =
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT i, i / 100.0 FROM n";
    let path =
        database(&folder, &format!("CREATE TABLE \"a \"\"b\" (lon, rowid REAL); INSERT INTO \"a \"\"b\" {rows}"));
    let table = open(&path, None).unwrap();
    for workers in 1..=2 {
        let rows = scan(&table, &["#lon", "#rowid"], workers).unwrap();
        assert_eq!(rows.rows.len(), 20_000);
        assert_eq!(values(&rows)[12_345], "12345 123.45");
        assert!(rows.bytes > 0);
    }
    assert_eq!(scan_some(&table, &["#lon"], 1, Some(1)).unwrap().rows.len(), 8192);
}

#[test]
fn rows_in_the_write_ahead_log_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(&folder, "CREATE TABLE t (a INTEGER); PRAGMA journal_mode = wal;");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("INSERT INTO t VALUES (5)").unwrap();
    assert_eq!(values(&scan(&open(&path, None).unwrap(), &["a"], 1).unwrap()), ["5"]);
}

#[test]
fn other_files_and_empty_databases_are_errors() {
    let text = file(b"SQLite format 3\0lon,lat\n1,2\n");
    assert_eq!(message(text.path(), None), "x.gpkg: the database cannot be read: file is not a database");
    let folder = tempfile::tempdir().unwrap();
    assert!(message(&database(&folder, "PRAGMA user_version = 1"), None).ends_with("there is no table with points"));
}

#[test]
fn damaged_files_cause_only_errors() {
    let folder = tempfile::tempdir().unwrap();
    let more = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)
        INSERT INTO places SELECT NULL, X'4750000100000000', i, 'some text', i, i, X'00', i FROM n;";
    let original = std::fs::read(database(&folder, &[PACKAGE, more].concat())).unwrap();
    damage(&original, 1000, |copy| {
        let file = file(copy);
        let Ok(package) = open(file.path(), None) else { return false };
        let names: Vec<_> = package.schema().fields().iter().map(|field| field.name().as_str()).collect();
        scan(&package, &names, 2).is_ok()
    });
}

#[test]
fn points_are_transformed_to_degrees() {
    let folder = tempfile::tempdir().unwrap();
    // 10° E, 50° N in UTM zone 32.
    let delete = "DELETE FROM places;";
    let insert = "INSERT INTO places (geom, at, name) VALUES
        (X'4750000100000000010100000052B81EE524722141E926317449215541', '2024-05-01', 'a');";
    let content = std::fs::read(database(&folder, &[PACKAGE, delete, insert].concat())).unwrap();
    let (points, rejected) = points(&content, "a.gpkg");
    assert_eq!(rejected, Vec::<String>::new());
    assert!((points[0].0 - 10.0).abs() < 1e-6, "{points:?}");
}
