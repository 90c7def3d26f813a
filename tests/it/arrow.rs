//! The Arrow files of a stored layer, read by pyarrow and polars as docs/store.md shows it.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::kiln::kiln;

/// More than one record batch of rows.
const POINTS: usize = 70_000;

/// Python code appended to an example of the documentation: prints its `points` as rows in the order of their weights,
/// and how many bytes pyarrow allocated to read them.
const PRINT_POINTS: &str = r#"
import sys

columns = points.to_pydict() if hasattr(points, "to_pydict") else points.to_dict(as_series=False)
columns["time"] = [time and time.isoformat() for time in columns["time"]]
rows = sorted(zip(*(columns[name] for name in ["weight", "lon", "lat", "time", "category"])), key=lambda row: row[0] or 0)
read = sum(table.nbytes for table in tables) if "tables" in globals() else 0
json.dump({"rows": rows, "read": read, "allocated": allocated, "about": about}, sys.stdout)
"#;

/// The text of the example before which code is inserted, and the code: it measures what pyarrow allocated to read the
/// files.
const MEASURE_ALLOCATION: (&str, &str) = (
    "points = pa.concat_tables",
    "allocated, about = pa.total_allocated_bytes(), tables[0].schema.metadata[b\"kiln\"].decode()\n",
);

/// The Python code blocks of docs/store.md.
fn documented_examples() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/store.md");
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("```python\n").skip(1);
    blocks.map(|block| block.split_once("```").unwrap().0.to_owned()).collect()
}

/// Runs a Python program, which may import pyarrow and polars, and returns the JSON that it prints.
pub(crate) fn python(folder: &Path, program: &str) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers/bin/python");
    let run = Command::new(&python).args(["-W", "error", "-c", program]).current_dir(folder).output();
    let output =
        run.unwrap_or_else(|error| panic!("cannot run {} ({error}): scripts/readers.sh installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_documented_examples_read_the_same_points_with_pyarrow_and_polars() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut text = String::from("lon,lat,weight,time,kind\n");
    let mut expected = vec![(0.0, 1.0, 2.0, None, None)];
    for i in 1..=POINTS {
        let (lon, lat) = (i as f64 * 0.005 - 179.0, (i * 7919 % POINTS) as f64 * 0.002 - 80.0);
        let minute =
            (i % 3 > 0).then(|| format!("2024-05-{:02}T{:02}:{:02}:00+00:00", 1 + i / 1440 % 31, i / 60 % 24, i % 60));
        let kind = ["bus", "tram", ""][i % 5 % 3];
        writeln!(text, "{lon},{lat},{i},{},{kind}", minute.as_deref().unwrap_or_default()).unwrap();
        expected.push((i as f64, lon, lat, minute, (!kind.is_empty()).then_some(kind)));
    }
    fs::write(folder.join("trips.csv"), text).unwrap();
    fs::write(folder.join("plain.csv"), "lon,lat\n1,2\n").unwrap();
    let roles = ["--weight", "weight", "--time", "time", "--category-column", "kind"];
    kiln(folder, ["import", "trips.csv", "--layer", "trips"].iter().chain(&roles)).done();
    // A segment without weights, times and categories.
    kiln(folder, ["import", "plain.csv", "--layer", "trips", "--append"]).done();

    let blocks = documented_examples();
    assert_eq!(blocks.len(), 2);
    for (block, library) in blocks.iter().zip(["pyarrow", "polars"]) {
        assert!(block.contains(&format!("import {library} as")), "{block}");
        let (anchor, measuring_code) = MEASURE_ALLOCATION;
        let mut program = format!("allocated, about = 0, ''\n{block}{PRINT_POINTS}");
        if library == "pyarrow" {
            assert!(block.contains(anchor), "{block}");
            program = program.replacen(anchor, &format!("{measuring_code}{anchor}"), 1);
        }
        let printed = python(folder, &program);
        let rows = printed["rows"].as_array().unwrap();
        assert_eq!(rows.len(), expected.len(), "{library}");
        for (row, (weight, lon, lat, time, kind)) in rows.iter().zip(&expected) {
            let near = |value: &Value, degrees: f64| (value.as_f64().unwrap() - degrees).abs() < 5e-8;
            assert!(near(&row[1], *lon) && near(&row[2], *lat), "{library}: {row} is not at {lon}, {lat}");
            let weight = if *weight == 0.0 { Value::Null } else { json!(weight) };
            assert_eq!([&row[0], &row[3], &row[4]], [&weight, &json!(time), &json!(kind)], "{library}");
        }
        if library == "pyarrow" {
            // Memory-mapped columns are not copied; copies would take 12 to 24 bytes per point.
            let [read, allocated] = ["read", "allocated"].map(|name| printed[name].as_u64().unwrap());
            assert!(read > 12 * POINTS as u64 && allocated < read / 100, "{allocated} of {read} bytes are copied");
            let metadata = printed["about"].as_str().unwrap();
            assert!(
                metadata.contains("lon = (x + 0.5) / 2^32 * 360 - 180"),
                "the metadata lacks the formula: {metadata}"
            );
        }
    }
}
