//! Exports of sums per cell, as other software reads and computes them.
#![cfg(unix)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::arrow::python;
use crate::export::home;
use crate::kiln::kiln;

/// Points in clusters, some without a time or a category, with weights whose sums are not floating-point numbers.
fn write_trips(path: &Path, rows: std::ops::Range<usize>) {
    let mut text = String::from("lon,lat,weight,time,category\n");
    for i in rows {
        let at = |factor: f64, width: f64| ((i as f64 * factor).fract() - 0.5) * width;
        let width = if i % 3 == 0 { 340.0 } else { 0.3 };
        let (lon, lat) = (at(0.618_034, width), at(0.414_214, width.min(168.0)));
        let weight = if i % 97 == 5 { 1e12 } else { (i % 70) as f64 * 0.1 - 1.0 };
        let time = if i % 10 == 0 { String::new() } else { format!("2024-03-{:02}T{:02}:10:00Z", i % 28 + 1, i % 24) };
        let category = ["bus", "", "tram", "ferry"][i % 4];
        writeln!(text, "{lon:.5},{lat:.5},{weight},{time},{category}").unwrap();
    }
    fs::write(path, text).unwrap();
}

/// A folder with trips in a file, in a layer of one segment, and in a layer of several in another order.
fn trips() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    write_trips(&path.join("trips.csv"), 0..3000);
    for (i, rows) in [2000..3000, 0..700, 700..2000].into_iter().enumerate() {
        let file = format!("part-{i}.csv");
        write_trips(&path.join(&file), rows);
        kiln(path, ["import", &file, "--layer", "parts", "--append"]).done();
    }
    kiln(path, ["import", "trips.csv", "--layer", "whole"]).done();
    home
}

/// Python code that sums the rows of trips.csv per group, with the formulas of the map projection and exact sums, and prints
/// the differences from a table: `path`, `levels`, `every` in seconds, `by_category` and the filter `keep` come before it.
const COMPARE: &str = r"
import csv, datetime, json, math, struct
import pyarrow.parquet as pq

def cell(lon, lat, level):
    u = (lon / 360 + 0.5) % 1.0
    v = 0.5 - math.asinh(math.tan(math.radians(lat))) / (2 * math.pi)
    return math.floor(u * 2**level), math.floor(v * 2**level)

def z_order(x, y):
    return sum(((x >> i & 1) << 2 * i) | ((y >> i & 1) << 2 * i + 1) for i in range(32))

epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
groups = {}
for row in csv.DictReader(open('trips.csv')):
    if not keep(row):
        continue
    weight = struct.unpack('f', struct.pack('f', float(row['weight'])))[0]
    time = None
    if every and row['time']:
        seconds = (datetime.datetime.fromisoformat(row['time'].replace('Z', '+00:00')) - epoch).total_seconds()
        time = epoch + datetime.timedelta(seconds=seconds // every * every)
    category = row['category'] or None if by_category else None
    for level in levels:
        group = (level, *cell(float(row['lon']), float(row['lat']), level), time, category)
        groups.setdefault(group, []).append(weight)
expected = {group: (len(w), math.fsum(w), max(w)) for group, w in groups.items() if len(w) >= at_least}
table = pq.read_table(path)
rows = table.to_pylist()
found = {(r['level'], r['cell_x'], r['cell_y'], r.get('time'), r.get('category')): (r['n'], r['weight'], r['max_weight'])
         for r in rows}
order = [(r['level'], z_order(r['cell_x'], r['cell_y']), str(r.get('time') or ''), r.get('category') is None, r.get('category') or '')
         for r in rows]
print(json.dumps({
    'rows': len(rows),
    'duplicates': len(rows) - len(found),
    'different': [str(group) for group in expected.keys() | found.keys() if expected.get(group) != found.get(group)][:5],
    'sorted': order == sorted(order),
    'types': [str(field.type) for field in table.schema],
    'names': table.schema.names,
}))
";

#[test]
fn sums_per_cell_are_those_that_python_computes() {
    let home = trips();
    let home = home.path();
    let plain = ["level", "cell_x", "cell_y", "n", "weight", "max_weight"];
    let grouped = [&plain[..], &["time", "category"]].concat();
    for (args, settings, names) in [
        (
            &["--zoom", "3-5"][..],
            "levels, every, by_category, at_least, keep = [11, 12, 13], 0, False, 1, lambda r: True",
            &plain[..],
        ),
        (
            &["--zoom", "8", "--dense"],
            "levels, every, by_category, at_least, keep = [17], 0, False, 1, lambda r: True",
            &plain,
        ),
        (
            &["--zoom", "0", "--every", "7d", "--by-category"],
            "levels, every, by_category, at_least, keep = [8], 7 * 86400, True, 1, lambda r: True",
            &grouped,
        ),
        (
            &["--zoom", "5", "--at-least", "3", "--start", "2024-03-05", "--end", "2024-03-20", "--category", "bus"],
            "levels, every, by_category, at_least, keep = [13], 0, False, 3, lambda r: '2024-03-05' <= r['time'] < '2024-03-20' and r['category'] == 'bus'",
            &plain,
        ),
    ] {
        let mut tables = Vec::new();
        for (layer, threads) in [("whole", "1"), ("parts", "3"), ("trips.csv", "2")] {
            let run =
                kiln(home, [&["export", layer, "--bins", "a.parquet", "--threads", threads][..], args].concat()).done();
            let read = python(home, &format!("path = 'a.parquet'\n{settings}\n{COMPARE}"));
            assert!(read["rows"].as_u64().unwrap() > 8, "{read}");
            let rows = read["rows"].as_u64().unwrap();
            let noun = if names.len() > plain.len() { "rows" } else { "cells" };
            assert!(
                run.contains(&format!("{noun}, ")) && (rows > 999 || run.contains(&format!(": {rows} {noun}"))),
                "{run}"
            );
            assert_eq!(read["different"], json!([]), "{layer} {args:?}");
            assert_eq!((&read["duplicates"], &read["sorted"]), (&json!(0), &json!(true)), "{layer} {args:?}");
            assert_eq!(read["names"], json!(names), "{layer} {args:?}");
            let types = ["int32", "int32", "int32", "int64", "double", "float", "timestamp[us, tz=UTC]", "string"];
            assert_eq!(read["types"], json!(types[..names.len()]), "{layer} {args:?}");
            tables.push(fs::read(home.join("a.parquet")).unwrap());
        }
        // Byte for byte, whatever the order of the rows and the number of threads.
        assert!(tables.len() > 1 && tables.iter().all(|table| *table == tables[0]), "{args:?}");
    }
}

#[test]
fn points_without_weights_have_no_columns_of_weights_and_cells_of_level_32_have_64_bits() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "lon,lat\n179.999999999,-85\n1,2\n1,2\n0,89\n").unwrap();
    kiln(home, ["import", "a.csv", "--layer", "a"]).done();
    let program = "import json, pyarrow.parquet as pq\n\
        table = pq.read_table('a.parquet')\n\
        print(json.dumps([[str(field.type) for field in table.schema], table.to_pylist()]))";
    for layer in ["a", "a.csv"] {
        let run = kiln(home, ["export", layer, "--bins", "a.parquet", "--zoom", "23", "--dense"]).done();
        assert!(run.contains("exported 3 points of a, zoom 23: 2 cells, "), "{run}");
        let [types, rows] = &python(home, program).as_array().unwrap().clone()[..] else { panic!() };
        assert_eq!(*types, json!(["int32", "int64", "int64", "int64"]), "{layer}");
        let at = |share: f64| (share * 2f64.powi(32)) as u64;
        let north = 0.5 - 2f64.to_radians().tan().asinh() / std::f64::consts::TAU;
        assert_eq!(rows[0], json!({"level": 32, "cell_x": at(181.0 / 360.0), "cell_y": at(north), "n": 2}));
        assert_eq!((&rows[1]["cell_x"], &rows[1]["n"]), (&json!(u32::MAX), &json!(1)));
    }
}

#[test]
fn exported_sums_are_those_of_the_layer_that_is_made_of_them() {
    let home = trips();
    let home = home.path();
    fs::write(home.join("plain.csv"), "lon,lat\n18.07,59.33\n18.07,59.33\n-120,10\n").unwrap();
    kiln(home, ["import", "plain.csv", "--layer", "plain"]).done();
    let read = |name: &str| fs::read(home.join(name)).unwrap();
    for (layer, args) in [
        ("whole", &["--zoom", "9"][..]),
        ("whole", &["--zoom", "24"]),
        ("plain", &["--zoom", "7", "--dense"]),
        ("parts", &["--zoom", "2", "--every", "1d", "--by-category"]),
    ] {
        kiln(home, [&["export", layer, "--bins", "a.parquet"][..], args].concat()).done();
        kiln(home, ["import", "a.parquet", "--layer", "bins", "--replace"]).done();
        kiln(home, [&["export", "bins", "--bins", "b.parquet"][..], args].concat()).done();
        assert!(read("a.parquet") == read("b.parquet"), "{layer} {args:?}");
    }
    // Sums of coarser cells and longer periods, too, if those of the bins did not have to be rounded.
    let mild = fs::read_to_string(home.join("trips.csv")).unwrap().replace(",1000000000000,", ",7,");
    fs::write(home.join("mild.csv"), mild).unwrap();
    kiln(home, ["import", "mild.csv", "--layer", "mild"]).done();
    let grouped = ["export", "mild", "--zoom", "2", "--every", "1d", "--by-category", "--bins", "a.parquet"];
    kiln(home, grouped).done();
    kiln(home, ["import", "a.parquet", "--layer", "bins", "--replace"]).done();
    for args in [
        &["--zoom", "0"][..],
        &["--zoom", "1", "--every", "7d"],
        &["--zoom", "2", "--category", "tram", "--end", "2024-03-09"],
    ] {
        kiln(home, [&["export", "mild", "--bins", "a.parquet"][..], args].concat()).done();
        kiln(home, [&["export", "bins", "--bins", "b.parquet"][..], args].concat()).done();
        assert!(read("a.parquet") == read("b.parquet"), "{args:?}");
    }
    let export = |args: &[&str]| kiln(home, [&["export", "bins", "--bins", "b.parquet"][..], args].concat());
    export(&["--zoom", "3"]).failed(2, &["--zoom: the layer has bins of level 10"]);
    export(&["--zoom", "2", "--every", "1h"])
        .failed(2, &["--every: the times of the layer's bins are whole multiples of 86400 s"]);
}

#[test]
fn bounds_select_cells_by_their_centers() {
    let home = home();
    let home = home.path();
    for layer in ["spots", "points.csv"] {
        let bounds = "--bounds=170,-50,-100,70";
        let summary = kiln(home, ["export", layer, "--bins", "c.parquet", "--zoom", "3", bounds]).done();
        assert!(summary.contains("exported 2 points of ") && summary.contains(", zoom 3: 2 cells"), "{summary}");
        // The center of the cell of the point at 179.99, -40 is at 179.912.
        let [outside, inside] = ["--bounds=179.95,-50,180,70", "--bounds=179.9,-50,179.95,70"]
            .map(|bounds| kiln(home, ["export", layer, "--bins", "c.parquet", "--zoom", "3", bounds]).done());
        assert!(outside.contains("exported 0 points") && inside.contains("exported 1 point"), "{outside}{inside}");
    }
}

#[test]
fn invalid_exports_of_sums_are_rejected_in_one_line() {
    let home = home();
    let home = home.path();
    fs::write(home.join("old.parquet"), "old").unwrap();
    for (args, words) in [
        (&["--bins", "a.csv"][..], "not a .parquet"),
        (&["--bins", "old.parquet", "--scheme", "fire"], "have no style"),
        (&["--bins", "old.parquet", "-o", "a.png"], "cannot be used with"),
        (&["--bins", "old.parquet", "--every", "1d"], "--every: the layer's points have no times"),
        (&["--bins", "old.parquet", "--every", "0s"], "--every: expected a duration of at least 1s"),
        (&["--bins", "old.parquet", "--by-category"], "--by-category: the layer's points have no categories"),
        (&["-o", "a.pmtiles", "--by-category"], "--bins: required by --every, --by-category, --at-least and --dense"),
        (&["-o", "a.pmtiles", "--dense"], "--bins"),
    ] {
        kiln(home, [&["export", "spots", "--zoom", "1"][..], args].concat()).failed(2, &[words]);
    }
    let dense = ["export", "spots", "--zoom", "24", "--dense", "--bins", "old.parquet"];
    kiln(home, dense).failed(2, &["--zoom: the finest cells are the pixels of zoom 24"]);
    let by_category = ["export", "points.csv", "--zoom", "1", "--by-category", "--bins", "old.parquet"];
    kiln(home, by_category).failed(2, &["--by-category: the points have no categories"]);
    kiln(home, ["export", "points.csv", "--zoom", "1", "--every", "1d", "--bins", "old.parquet"]).failed(1, &["time"]);
    kiln(home, ["export", "spots", "--zoom", "1", "--bins", "none/a.parquet"])
        .failed(1, &["none/a.parquet: cannot write"]);
    assert_eq!(fs::read(home.join("old.parquet")).unwrap(), b"old");
}

#[test]
fn killed_exports_of_bins_leave_the_old_file_and_can_be_repeated() {
    let home = home();
    let home = home.path();
    let args = ["export", "spots", "-q", "--zoom", "0-24", "--bins", "out.parquet"];
    let start = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(args).current_dir(home).env_remove("KILN_STORE").stdin(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let started = Instant::now();
    assert!(start().wait().unwrap().success());
    let duration = started.elapsed();
    let out = home.join("out.parquet");
    let expected = fs::read(&out).unwrap();
    let mut kills = 0;
    for kill in 0..12 {
        fs::write(&out, "old").unwrap();
        let started = Instant::now();
        let mut child = start();
        while child.try_wait().unwrap().is_none() && started.elapsed() < duration.mul_f64(f64::from(kill) / 12.0) {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        let is_killed = child.wait().unwrap().code().is_none();
        let found = fs::read(&out).unwrap();
        assert!(found == expected || is_killed && found == b"old", "killed at {kill}");
        kills += usize::from(is_killed && found == b"old");
        assert!(start().wait().unwrap().success());
        assert!(fs::read(&out).unwrap() == expected, "killed at {kill}");
    }
    assert!(kills > 4, "only {kills} were killed");
    println!("{kills} killed");
}

#[test]
fn the_documented_query_computes_the_centers_of_cells() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/export.md")).unwrap();
    let query = page.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    let home = home();
    let home = home.path();
    kiln(home, ["export", "spots", "--bins", "cities-bins.parquet", "--zoom", "12"]).done();
    let program = format!(
        "import duckdb, json\n\
         rows = duckdb.sql('''{query}''').fetchall()\n\
         print(json.dumps([list(row) for row in rows]))"
    );
    let rows: Value = python(home, &program);
    let west = rows.as_array().unwrap().iter().find(|row| row[0].as_f64().unwrap() < -100.0).unwrap();
    let [lon, lat] = [0, 1].map(|index| west[index].as_f64().unwrap());
    assert!((lon + 120.0).abs() < 2e-4 && (lat - 62.0).abs() < 2e-4, "{west}");
}
