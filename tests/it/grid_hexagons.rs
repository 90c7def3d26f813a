//! Grids of H3 hexagons.

use std::fs;

use serde_json::Value;

use crate::kiln::kiln;

#[test]
fn hexagons_are_written_as_geojson_with_their_index() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // The example of the documentation of H3, two points in one cell, and one across the antimeridian.
    fs::write(home.join("points.csv"), "lon,lat\n-74.044444,40.689167\n-74.0444,40.6892\n179.9999,10\n").unwrap();
    let run = kiln(home, "grid points.csv --cells h3 --resolution 10 --format geojson -q".split(' '));
    let json: Value = serde_json::from_slice(&run.stdout).unwrap();
    let features = json["features"].as_array().unwrap();
    let count = |name: &str| {
        let feature = features.iter().find(|feature| feature["properties"]["cell"] == name);
        feature.map(|feature| feature["properties"]["count"].as_u64().unwrap())
    };
    assert_eq!((features.len(), count("8a2a1072b59ffff")), (2, Some(2)));
    for feature in features {
        let ring = feature["geometry"]["coordinates"][0].as_array().unwrap();
        assert!(ring.len() >= 7 && ring.first() == ring.last());
    }
    for (args, words) in [
        ("--cells h3 --resolution 10m", "0 to 15"),
        ("--cells h3 --resolution 16", "0 to 15"),
        ("--cells h3 --resolution 8 --omit-empty false", "hexagons without points"),
        ("--cells h3 --resolution 8 --crs plane", "on a plane"),
    ] {
        kiln(home, format!("grid points.csv {args}").split(' ')).failed(2, &[words]);
    }
}
