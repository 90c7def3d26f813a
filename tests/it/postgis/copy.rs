//! Whole tables, read by binary COPY.

use super::cluster::Cluster;
use crate::kiln::kiln;

/// More rows than are decoded in one chunk.
const ROWS: u32 = 30_000;

#[test]
fn every_row_of_a_table_is_copied_or_rejected_with_its_reason() {
    let database = Cluster::shared().database();
    // Some rows have no geometry, weight, time or category.
    database.sql(&format!(
        "CREATE TABLE stops (geom geometry(Point, 4326), weight float8, seen timestamptz, kind text);
         INSERT INTO stops SELECT CASE WHEN x % 1000 <> 0 THEN ST_SetSRID(ST_MakePoint(x / 1000.0, 50), 4326) END,
             CASE WHEN x % 1000 <> 1 THEN x % 7 END,
             CASE x % 100 WHEN 2 THEN NULL WHEN 3 THEN 'infinity' ELSE '2024-01-01'::timestamptz + x % 31 * interval '1 day' END,
             CASE x % 3 WHEN 0 THEN 'bus' WHEN 1 THEN 'tramøy' END
         FROM generate_series(1, {ROWS}) x"
    ));
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let table = |name: &str| format!("{}?table={name}", database.url());
    let columns = ["--weight", "weight", "--time", "seen", "--category-column", "kind"];
    let report = kiln(home, [&["import", &table("stops"), "--layer", "stops"][..], &columns].concat()).done();
    for words in ["read 30,000 rows, added 29,940 points", "60 rejected", "stops row 1: the weight is null"] {
        assert!(report.contains(words), "{report}");
    }
    // COPY takes no parameters, so a filter is read by a prepared statement; a view of the same rows is copied.
    database.sql(
        "CREATE VIEW bus AS SELECT * FROM stops WHERE kind = 'bus';
         CREATE VIEW week AS SELECT * FROM stops WHERE seen >= '2024-01-03 00:00+00' AND seen < '2024-01-10 00:00+00'",
    );
    let render = |name: &str, filter: &[&str]| {
        let (url, options) = (table(name), ["--bounds", "0,40,31,60", "--size", "128", "-o", "a.png"]);
        let summary = kiln(home, [&["render", &url][..], &columns, &options, filter].concat()).done();
        let points: String = summary.split_once("drew ").unwrap().1.chars().take_while(|c| *c != ' ').collect();
        (points, std::fs::read(home.join("a.png")).unwrap())
    };
    for (view, filter) in
        [("bus", &["--category", "bus"][..]), ("week", &["--start", "2024-01-03", "--end", "2024-01-10"])]
    {
        let (copied, filtered) = (render(view, &[]), render("stops", filter));
        assert!(copied == filtered && copied.0.len() > 3, "{view}: {} and {}", copied.0, filtered.0);
    }
}

#[test]
fn an_error_in_the_middle_of_a_copy_is_reported_and_leaves_no_layer() {
    let database = Cluster::shared().database();
    database.sql(&format!(
        "CREATE TABLE stops AS SELECT ST_SetSRID(ST_MakePoint(x / 1000.0, 50), 4326)::geometry(Point, 4326) AS geom, x
             FROM generate_series(1, {ROWS}) x;
         CREATE VIEW broken AS SELECT geom, 1 / (x - {}) AS weight FROM stops",
        ROWS - 5
    ));
    let home = tempfile::tempdir().unwrap();
    let url = format!("{}?table=broken", database.url());
    let run = kiln(home.path(), ["import", "-q", &url, "--layer", "broken"]);
    run.failed(1, &["postgres://kiln@127.0.0.1", "division by zero"]);
    let layers = kiln(home.path(), ["layers", "--json"]);
    assert!(!String::from_utf8_lossy(&layers.stdout).contains("broken"));
}
