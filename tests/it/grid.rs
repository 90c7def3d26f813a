//! Occupancy grids by HTTP.

#![allow(clippy::float_cmp, reason = "sums of integers are exact")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::server::Server;

/// Detections on two floors: x, y, time, category and weight. The cell of the first four is (0, 0) at 0.5 m.
pub(crate) const DETECTIONS: &str = "x,y,time,category,weight\n\
    0.1,0.1,2024-01-01T08:00:00Z,floor-1,1\n\
    0.2,0.4,2024-01-01T08:10:00Z,floor-1,2\n\
    0.3,0.3,2024-01-08T08:20:00Z,floor-1,6\n\
    0.499,0,2024-01-09T23:30:00Z,floor-1,3\n\
    0.5,0,2024-01-02T09:00:00Z,floor-1,4\n\
    -0.001,-0.001,2024-01-03T10:00:00Z,floor-1,5\n\
    5.25,3.75,2024-01-04T11:00:00Z,floor-1,7\n\
    9.9,7.9,2024-01-05T12:00:00Z,floor-2,8\n";

/// A server with the detections as the plane layer `office`, and the stops of a city as a layer on the globe.
pub(crate) fn office(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("office.csv", DETECTIONS);
    write("bare.csv", "x,y\n1,2\n3,4\n");
    write("stops.csv", "lon,lat,weight\n18.07,59.33,2\n18.0701,59.3301,4\n-0.1,51.5,1\n");
    let layers = "[layers.office]\ninput = \"office.csv\"\nprojection = \"plane\"\n\
                  [layers.bare]\ninput = \"bare.csv\"\nprojection = \"plane\"\n\
                  [layers.stops]\ninput = \"stops.csv\"\n";
    write("kiln.toml", &format!("{config}{layers}"));
    Server::at(home, &[])
}

/// The values of the cells by their centers, in text.
pub(crate) fn cells(grid: &Value) -> BTreeMap<String, f64> {
    let cells = grid["array_cells"].as_array().unwrap();
    let cell = |cell: &Value| (format!("{},{}", cell[0], cell[1]), cell[2].as_f64().unwrap());
    let all: BTreeMap<String, f64> = cells.iter().map(cell).collect();
    assert_eq!(all.len(), cells.len(), "a cell is listed twice");
    all
}

fn expected<const N: usize>(cells: [(&str, f64); N]) -> BTreeMap<String, f64> {
    cells.into_iter().map(|(center, value)| (center.to_owned(), value)).collect()
}

#[test]
fn a_grid_counts_points_by_half_open_cells() {
    let server = office("");
    let reply = server.get("/office/grid?resolution=0.5").ok(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let grid = reply.json();
    let centers =
        [("0.25,0.25", 4.0), ("0.75,0.25", 1.0), ("-0.25,-0.25", 1.0), ("5.25,3.75", 1.0), ("9.75,7.75", 1.0)];
    assert_eq!(cells(&grid), expected(centers));
    assert_eq!(
        grid["metadata"],
        json!({
            "type": "occupancy", "columns": ["x", "y", "value"], "resolution": 0.5, "unit": "points",
            "normalized": false, "cells": 5, "total_detections": 8, "total": 8, "max_value": 4,
            "bounds": {"min_x": -0.5, "max_x": 10, "min_y": -0.5, "max_y": 8}, "start": null, "end": null,
        })
    );
    assert_eq!(server.get("/office/grid?resolution=50cm").ok(200).json(), grid);
}

#[test]
fn the_grids_of_weeks_add_up_to_that_of_the_whole_span() {
    let server = office("");
    let grid = |start: &str, end: &str| {
        let query = format!("/office/grid?resolution=0.5&start={start}&stop={end}&space_id=floor-1");
        cells(&server.get(&query).ok(200).json())
    };
    let mut sums = grid("2024-01-01", "2024-01-08");
    for (center, value) in grid("2024-01-08", "2024-01-15") {
        *sums.entry(center).or_default() += value;
    }
    assert_eq!(sums, grid("2024-01-01", "2024-01-15"));
    assert_eq!(sums["0.25,0.25"], 4.0);
    assert!(!sums.contains_key("9.75,7.75"), "of another floor");
}

#[test]
fn the_value_is_a_count_or_of_the_weights() {
    let server = office("");
    for (kind, value, total, unit) in [
        ("occupancy", 4.0, json!(8), "points"),
        ("sum", 12.0, json!(36), "weight"),
        ("mean", 3.0, json!(4.5), "mean of weight"),
        ("max", 6.0, json!(8), "max of weight"),
    ] {
        let grid = server.get(&format!("/office/grid?resolution=0.5&heatmap_type={kind}")).ok(200).json();
        assert_eq!(cells(&grid)["0.25,0.25"], value, "{kind}");
        let metadata = &grid["metadata"];
        assert_eq!((&metadata["total"], &metadata["unit"], &metadata["type"]), (&total, &unit.into(), &kind.into()));
    }
    let grid = server.get("/office/grid?resolution=0.5&normalize=true").ok(200).json();
    assert_eq!((cells(&grid)["0.25,0.25"], cells(&grid)["5.25,3.75"]), (1.0, 0.25));
    assert_eq!(grid["metadata"]["max_value"], 4);
}

#[test]
fn dwell_is_the_time_until_the_next_detection_of_a_track() {
    let home = tempfile::tempdir().unwrap();
    let rows = "x,y,time,track\n0.1,0.1,2024-01-01T08:00:00Z,ann\n0.2,0.2,2024-01-01T08:00:20Z,ann\n\
                1.5,0.5,2024-01-01T08:00:50Z,ann\n1.5,0.5,2024-01-01T08:10:00Z,ann\n0.3,0.3,2024-01-01T08:00:10Z,bob\n\
                0.3,0.3,2024-01-01T08:00:15.5Z,bob\n";
    std::fs::write(home.path().join("tracks.csv"), rows).unwrap();
    let config = "[layers.tracks]\ninput = \"tracks.csv\"\ncrs = \"plane\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let grid = server.get("/tracks/grid?resolution=1&heatmap_type=dwell").ok(200).json();
    // The gap of more than nine minutes counts as one.
    assert_eq!(cells(&grid), expected([("0.5,0.5", 55.5), ("1.5,0.5", 60.0)]));
    assert_eq!((&grid["metadata"]["total"], &grid["metadata"]["unit"]), (&json!(115.5), &json!("seconds")));
    let heat = server.get("/tracks/grid?resolution=1&heatmap_type=dwell&picture=heat&size=32").ok(200);
    assert!(heat.header("kiln-span").unwrap().contains("seconds per m2"), "{:?}", heat.headers);
    let untracked = office("").get("/office/grid?resolution=1&heatmap_type=dwell");
    untracked.rejected(400, &["track"]);
}

#[test]
fn empty_cells_of_the_bounds_are_listed_on_request() {
    let server = office("");
    let grid = server.get("/office/grid?resolution=0.5&omit_empty=false&bounds=-0.5,0,1,1").ok(200).json();
    let listed = cells(&grid);
    assert_eq!((listed.len(), listed["0.25,0.25"], listed["-0.25,0.75"]), (6, 4.0, 0.0));
    let inside = server.get("/office/grid?resolution=0.5&bbox=0.2,0,0.499,1").ok(200).json();
    assert_eq!(cells(&inside), expected([("0.25,0.25", 2.0)]), "western edges are included, eastern ones are not");
    let all = server.get("/office/grid?resolution=1&omit_empty=false").ok(200).json();
    assert_eq!(all["metadata"]["cells"], 11 * 9);
    let means =
        server.get("/office/grid?resolution=1&omit_empty=false&heatmap_type=mean&bounds=1,1,3,2").ok(200).json();
    assert_eq!(means["array_cells"], json!([[1.5, 1.5, null], [2.5, 1.5, null]]));
}

#[test]
fn two_windows_are_compared_cell_by_cell_and_in_total() {
    let server = office("");
    let query =
        "/office/grid?resolution=0.5&category=floor-1&start=2024-01-08&end=2024-01-15&compare=2024-01-01/2024-01-08";
    let grid = server.get(query).ok(200).json();
    assert_eq!(grid["metadata"]["columns"], json!(["x", "y", "value", "compared", "difference", "ratio"]));
    let rows: BTreeMap<String, Value> = grid["array_cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (format!("{},{}", row[0], row[1]), json!(row.as_array().unwrap()[2..])))
        .collect();
    assert_eq!(rows["0.25,0.25"], json!([2, 2, 0, 1]));
    assert_eq!(rows["5.25,3.75"], json!([0, 1, -1, 0]));
    let swapped =
        "/office/grid?resolution=0.5&category=floor-1&start=2024-01-01&end=2024-01-08&compare=2024-01-08/2024-01-15";
    let swapped = server.get(swapped).ok(200).json();
    let there = swapped["array_cells"].as_array().unwrap().iter().find(|row| row[0] == 5.25).unwrap().clone();
    assert_eq!(there, json!([5.25, 3.75, 1, 0, 1, null]), "no ratio to 0");
    assert_eq!(
        grid["comparison"],
        json!({
            "value": 2, "compared": 5, "difference": -3, "ratio": 0.4, "total_detections": 5,
            "start": "2024-01-01T00:00:00Z", "end": "2024-01-08T00:00:00Z",
        })
    );
}

#[test]
fn a_profile_counts_per_hour_in_a_time_zone() {
    let server = office("");
    let profile = |query: &str| {
        let grid = server.get(&format!("/office/grid?resolution=1&category=floor-1&{query}")).ok(200).json();
        let values: Vec<f64> = serde_json::from_value(grid["profile"]["values"].clone()).unwrap();
        values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
            .map(|(hour, value)| (hour, *value))
            .collect::<Vec<_>>()
    };
    // 2024-01-01 was a Monday; Paris is an hour ahead of UTC in January.
    let week = profile("profile=hour_of_week&tz=Europe/Paris");
    assert_eq!(week, [(9, 3.0), (24 + 10, 1.0), (48, 1.0), (48 + 11, 1.0), (72 + 12, 1.0)]);
    let day = profile("profile=hour_of_day&tz=Europe/Paris");
    assert_eq!(day, [(0, 1.0), (9, 3.0), (10, 1.0), (11, 1.0), (12, 1.0)]);
    assert_eq!(profile("profile=hour_of_day&tz=UTC")[0], (8, 3.0));
}

#[test]
fn layers_on_the_globe_have_cells_of_meters() {
    let server = office("");
    let grid = server.get("/stops/grid?resolution=100m&heatmap_type=sum").ok(200).json();
    assert_eq!(grid["metadata"]["columns"], json!(["lon", "lat", "value"]));
    let cells = grid["array_cells"].as_array().unwrap();
    assert_eq!(cells.iter().map(|cell| cell[2].as_f64().unwrap()).sum::<f64>(), 7.0);
    let stockholm = cells.iter().find(|cell| cell[1].as_f64().unwrap() > 55.0).unwrap();
    assert!((stockholm[0].as_f64().unwrap() - 18.07).abs() < 0.002, "{stockholm}");
    let near = server.get("/stops/grid?resolution=1km&bounds=18,59,19,60").ok(200).json();
    assert_eq!((&near["metadata"]["total_detections"], &near["metadata"]["cells"]), (&json!(2), &json!(1)));
}

#[test]
fn hexagons_have_their_h3_index() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let home = tempfile::tempdir().unwrap();
    // The example of H3's documentation: the Statue of Liberty.
    std::fs::write(home.path().join("a.csv"), "lon,lat\n-74.044444,40.689167\n-74.044444,40.689167\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.a]\ninput = \"a.csv\"\n").unwrap();
    let server = Server::at(home, &[]);
    let path = "/a/grid?cells=h3&resolution=10";
    let grid = server.get(path).ok(200).json();
    assert_eq!(grid["metadata"]["columns"], json!(["lon", "lat", "value", "cell"]));
    let [cell] = &grid["array_cells"].as_array().unwrap()[..] else { panic!("{grid}") };
    assert_eq!((&cell[2], &cell[3]), (&json!(2), &json!("8a2a1072b59ffff")));
    let csv = String::from_utf8(server.get(&format!("{path}&format=csv")).ok(200).body).unwrap();
    assert!(csv.starts_with("lon,lat,value,cell\n") && csv.ends_with(",2,8a2a1072b59ffff\n"), "{csv}");
    let feature = server.get(&format!("{path}&format=geojson")).ok(200).json()["features"][0].clone();
    assert_eq!((&feature["properties"]["cell"], &feature["properties"]["count"]), (&cell[3], &json!(2)));
    assert_eq!(feature["geometry"]["coordinates"][0].as_array().unwrap().len(), 7);
    let parquet = server.get(&format!("{path}&format=parquet")).ok(200);
    let reader = SerializedFileReader::new(bytes::Bytes::from(parquet.body)).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    assert_eq!((row.get_long(3).unwrap(), row.get_string(4).unwrap().as_str()), (2, "8a2a1072b59ffff"));
    for picture in ["cells", "heat"] {
        server.get(&format!("/a/grid?cells=h3&resolution=5&picture={picture}&bounds=-75,40,-73,41&size=64")).ok(200);
    }
    for (query, words) in [
        ("cells=h3&resolution=16", &["resolution: `16` is not a resolution of H3", "0 to 15"][..]),
        ("cells=h3&resolution=0.5", &["resolution: `0.5` is not a resolution of H3"]),
        ("cells=h3&resolution=8m", &["resolution: `8m` is not a resolution of H3"]),
        ("cells=h3&resolution=8&omit_empty=false", &["omit_empty: hexagons without points are not listed; use true"]),
    ] {
        server.get(&format!("/a/grid?{query}")).rejected(400, words);
    }
    office("").get("/office/grid?cells=h3&resolution=8").rejected(400, &["cells: ", "on a plane", "square"]);
}

#[test]
fn formats_have_the_same_cells() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let server = office("");
    let query = "/office/grid?resolution=0.5&heatmap_type=mean";
    let expected = cells(&server.get(query).ok(200).json());

    let csv = server.get(&format!("{query}&format=csv")).ok(200);
    assert_eq!(csv.header("content-type"), Some("text/csv"));
    let text = String::from_utf8(csv.body).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("x,y,value"));
    let of_csv: BTreeMap<String, f64> = lines
        .map(|line| {
            let (center, value) = line.rsplit_once(',').unwrap();
            (center.to_owned(), value.parse().unwrap())
        })
        .collect();
    assert_eq!(of_csv, expected);

    let parquet = server.get(&format!("{query}&format=parquet")).ok(200);
    let reader = SerializedFileReader::new(bytes::Bytes::from(parquet.body)).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let of_parquet: BTreeMap<String, f64> = rows
        .map(|row| {
            let [x, y, value] = [0, 1, 2].map(|column| row.get_double(column).unwrap());
            assert!(row.get_long(3).unwrap() > 0);
            (format!("{x},{y}"), value)
        })
        .collect();
    assert_eq!(of_parquet, expected);

    let geojson = server.get(&format!("{query}&format=geojson")).ok(200);
    assert_eq!(geojson.header("content-type"), Some("application/geo+json"));
    let collection = geojson.json();
    assert_eq!(collection["coordinate_space"], "plane, in meters");
    let feature = collection["features"].as_array().unwrap().iter().find(|f| f["properties"]["count"] == 4).unwrap();
    assert_eq!(
        feature["geometry"]["coordinates"],
        json!([[[0.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5], [0.0, 0.0]]])
    );
    assert_eq!(feature["properties"]["value"], 3);
}

#[test]
fn a_current_copy_is_not_sent_again() {
    let server = office("");
    let first = server.get("/office/grid?resolution=0.5").ok(200);
    let tag = first.header("etag").unwrap().to_owned();
    assert!(first.header("cache-control").unwrap().contains("max-age"));
    let again = server.send("GET", "/office/grid?resolution=0.5", &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = server.send("GET", "/office/grid?resolution=0.25", &[("if-none-match", &tag)], b"").ok(200);
    assert_ne!(other.header("etag"), Some(tag.as_str()));
    // The cached bytes are the same.
    assert_eq!(server.get("/office/grid?resolution=0.5").ok(200).body, first.body);
}

#[test]
fn a_body_has_the_same_parameters() {
    let server = office("");
    let body = json!({"resolution": 0.5, "start": "2024-01-01", "end": "2024-01-08", "category": ["floor-1"], "omit_empty": true});
    let of_body = server.post("/office/grid", &body).ok(200).json();
    let query = "resolution=0.5&start=2024-01-01&end=2024-01-08&category=floor-1";
    assert_eq!(of_body, server.get(&format!("/office/grid?{query}")).ok(200).json());
    server.post("/office/grid?resolution=1", &json!({"resolution": 1})).rejected(400, &["in the body"]);
}
