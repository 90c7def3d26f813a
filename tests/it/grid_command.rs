//! `kiln grid`.

#![allow(clippy::float_cmp, reason = "sums of integers are exact")]

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::grid::{DETECTIONS, cells};
use crate::kiln::{Run, kiln};

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("office.csv"), DETECTIONS).unwrap();
    let rooms = json!({"type": "FeatureCollection", "features": [{
        "type": "Feature", "properties": {"name": "Lab"},
        "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [0.5, 0], [0.5, 2], [0, 2], [0, 0]]]},
    }]});
    fs::write(home.path().join("rooms.geojson"), rooms.to_string()).unwrap();
    home
}

fn grid(home: &Path, args: &str) -> Run {
    kiln(home, ["grid", "office.csv", "--crs", "plane"].into_iter().chain(args.split(' ')))
}

#[test]
fn a_grid_is_printed_as_csv() {
    let home = home();
    let run = grid(home.path(), "--resolution 0.5 --category floor-1 --start 2024-01-01 --end 2024-01-08");
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert_eq!(text, "x,y,value\n-0.25,-0.25,1\n0.25,0.25,2\n0.75,0.25,1\n5.25,3.75,1\n");
    assert!(run.done().contains("5 points in 4 cells"));
}

#[test]
fn files_have_the_format_of_their_extension() {
    let home = home();
    for name in ["grid.json", "grid.csv", "grid.parquet", "grid.geojson", "grid.png"] {
        grid(home.path(), &format!("--resolution 0.5 -o {name}")).done();
    }
    let read = |name: &str| fs::read(home.path().join(name)).unwrap();
    let json: Value = serde_json::from_slice(&read("grid.json")).unwrap();
    assert_eq!(cells(&json)["0.25,0.25"], 4.0);
    assert!(read("grid.parquet").starts_with(b"PAR1") && read("grid.png").starts_with(b"\x89PNG"));
    let geojson: Value = serde_json::from_slice(&read("grid.geojson")).unwrap();
    assert_eq!(geojson["features"].as_array().unwrap().len(), 5);
    let summary = grid(home.path(), "--resolution 0.5 --picture terrain -o terrain.png").done();
    assert!(summary.contains("m of height per unit") && summary.contains("bounds -0.5,-0.5,10,8"), "{summary}");
    grid(home.path(), "--resolution 0.5 -o grid.xlsx").failed(2, &["--output", ".json, .csv, .parquet"]);
    assert!(!home.path().join("grid.xlsx").exists());
}

#[test]
fn rooms_profiles_and_comparisons_are_in_json() {
    let home = home();
    let args = "--resolution 1 --format json -q --polygons rooms.geojson --profile hour_of_day --tz UTC \
                --start 2024-01-08 --end 2024-01-15 --compare 2024-01-01/2024-01-08";
    let run = grid(home.path(), args);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let json: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&json["rooms"][0]["value"], &json["rooms"][0]["compared"]), (&json!(2), &json!(2)));
    assert_eq!((&json["comparison"]["compared"], &json["profile"]["values"][23]), (&json!(6), &json!(1)));
    grid(home.path(), "--resolution 1 --polygons rooms.geojson").failed(2, &["--rooms: csv has cells only"]);
}

#[test]
fn layers_of_the_configuration_are_found_by_name() {
    let home = home();
    let config = "[layers.office]\ninput = \"office.csv\"\nprojection = \"plane\"\nrooms = \"rooms.geojson\"\n";
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    for args in [&["grid", "office"][..], &["grid", "--layer", "office"]] {
        let run = kiln(home.path(), args.iter().chain(&["--resolution", "1", "--rooms", "--format", "json", "-q"]));
        let json: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!((&json["metadata"]["total_detections"], &json["rooms"][0]["value"]), (&json!(8), &json!(4)));
    }
    kiln(home.path(), ["grid", "ofice", "--resolution", "1"]).failed(1, &["there is no layer `ofice`"]);
}

#[test]
fn errors_name_the_flags() {
    let home = home();
    for (args, words) in [
        ("--heatmap-type mean --weight none --resolution 1", &["--heatmap-type: the points have no weights"][..]),
        ("--resolution -1", &["--resolution", "`-1` is not above 0"]),
        ("--resolution 1 --profile hour_of_week", &["--tz: missing; --profile needs a time zone"]),
        ("--resolution 1 --category floor_1", &["--category: there are no points of `floor_1`", "floor-1"]),
        ("--resolution 1 --start 2024-02-01 --end 2024-01-01", &["--start: not before --end"]),
        (
            "--resolution 0.00001 --omit-empty false",
            &["--resolution: ", "the finest resolution for these bounds is 0.0"],
        ),
        ("--resolution 1 --scheme fire", &["--scheme: the flag applies to pictures"]),
        ("", &["--resolution: missing"]),
    ] {
        let args: Vec<&str> = args.split(' ').filter(|arg| !arg.is_empty()).collect();
        let run = kiln(home.path(), [&["grid", "office.csv", "--crs", "plane"], &args[..]].concat());
        run.failed(2, words);
    }
}
