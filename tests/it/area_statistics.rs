//! Statistics of the points in a polygon, and distributions.

use std::fs;

use serde_json::{Value, json};

use crate::server::Server;

/// Five points; the last one is across the antimeridian.
const STOPS: &str = "lon,lat,weight,time,kind
18.0,59.3,1,2024-01-01T00:00:00Z,bus
18.1,59.4,5,2024-02-01T12:00:00Z,tram
18.2,59.5,3,2024-03-01T00:00:00Z,bus
30.0,59.5,9,2024-03-01T00:00:00Z,boat
-179.5,10,2,2024-01-15T00:00:00Z,bus
";

fn stops() -> Server {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("stops.csv"), STOPS).unwrap();
    let config = "[layers.stops]\ninput = \"stops.csv\"\nweight = \"weight\"\ntime = \"time\"\ncategory = \"kind\"\n";
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

fn polygon(west: f64, south: f64, east: f64, north: f64) -> Value {
    json!({"type": "Polygon", "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]})
}

#[test]
fn statistics_of_a_polygon_are_those_of_its_points() {
    let server = stops();
    let near = polygon(17.0, 59.0, 19.0, 60.0);
    let reply = server.post("/stops/statistics?bins=2", &near).ok(200).json();
    assert_eq!((&reply["points"], &reply["zooms"]), (&json!(3), &json!([])));
    assert_eq!(reply["weight"], json!({"sum": 9.0, "min": 1.0, "max": 5.0, "mean": 3.0}));
    assert_eq!(reply["bounds"], json!([[59.3, 18.0], [59.5, 18.2]]));
    assert_eq!(reply["categories"], json!({"names": ["bus", "tram"], "total": 2}));
    assert_eq!(
        reply["distributions"],
        json!({"weights": {"edges": [1.0, 3.0, 5.0], "points": [1, 2]},
            "times": {"start": "2024-01-01T00:00:00Z", "end": "2024-03-01T00:00:00Z", "points": [1, 2]},
            "categories": [{"name": "bus", "points": 2}, {"name": "tram", "points": 1}]})
    );
    // The filter applies to the points in the polygon.
    let bus = server.post("/stops/statistics?bins=2&category=bus&start=2024-02-01", &near).ok(200).json();
    assert_eq!((&bus["points"], &bus["weight"]["sum"]), (&json!(1), &json!(3.0)));
    assert_eq!(bus["distributions"]["weights"]["points"], json!([1, 0]));
    assert_eq!(server.post("/stops/statistics", &near).ok(200).json().get("distributions"), None);
    for across in [polygon(170.0, 0.0, 190.0, 20.0), polygon(-190.0, 0.0, -170.0, 20.0)] {
        assert_eq!(server.post("/stops/statistics", &across).ok(200).json()["points"], 1, "{across}");
    }
    let empty = server.post("/stops/statistics?bins=3", &polygon(0.0, 0.0, 1.0, 1.0)).ok(200).json();
    assert_eq!((&empty["points"], &empty["weight"]), (&json!(0), &Value::Null));
    assert_eq!(empty["distributions"], json!({"weights": null, "times": null, "categories": null}));
}

#[test]
fn distributions_of_a_layer_count_each_point_once() {
    let server = stops();
    let reply = server.get("/stops/statistics?zoom=0&bins=7").ok(200).json();
    for name in ["weights", "times"] {
        let counts: Vec<u64> = serde_json::from_value(reply["distributions"][name]["points"].clone()).unwrap();
        assert_eq!((counts.len(), counts.iter().sum::<u64>()), (7, 5), "{name}");
    }
    assert_eq!(reply["distributions"]["categories"][0], json!({"name": "bus", "points": 3}));
    let tram = server.get("/stops/statistics?zoom=0&bins=7&category=tram").ok(200).json();
    assert_eq!(tram["distributions"]["weights"]["points"], json!([1, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn bins_of_skewed_weights_have_equal_ratios() {
    let home = tempfile::tempdir().unwrap();
    let weights = std::iter::repeat_n("10", 998).chain(["0", "10000"]);
    let rows: Vec<String> = weights.map(|weight| format!("18,59,{weight}")).collect();
    fs::write(home.path().join("towns.csv"), format!("lon,lat,people\n{}\n", rows.join("\n"))).unwrap();
    fs::write(home.path().join("kiln.toml"), "[layers.towns]\ninput = \"towns.csv\"\nweight = \"people\"\n").unwrap();
    let reply = Server::at(home, &[]).get("/towns/statistics?zoom=0&bins=5").ok(200).json();
    let bins = &reply["distributions"]["weights"];
    let edges: Vec<f64> = serde_json::from_value(bins["edges"].clone()).unwrap();
    assert_eq!(bins["points"], json!([1, 998, 0, 0, 1]));
    assert_eq!((edges[0], edges[5]), (0.0, 10_000.0));
    let ratios: Vec<f64> = edges[1..].windows(2).map(|pair| pair[1] / pair[0]).collect();
    assert!(ratios.iter().all(|ratio| (ratio / ratios[0] - 1.0).abs() < 1e-9), "{edges:?}");
}

#[test]
fn invalid_requests_are_rejected() {
    let server = stops();
    let near = polygon(17.0, 59.0, 19.0, 60.0);
    server.post("/stops/statistics?bins=0", &near).rejected(400, &["bins"]);
    server.post("/stops/statistics?bins=501", &near).rejected(400, &["bins"]);
    server.get("/stops/statistics?bins=many").rejected(400, &["bins"]);
    server.post("/stops/statistics?zoom=3", &near).rejected(400, &["zoom"]);
    server.post("/stops/statistics", &json!({"type": "Point", "coordinates": [1, 2]})).rejected(400, &["Point"]);
    server.post("/missing/statistics", &near).rejected(404, &["missing"]);
    server.send("POST", "/stops/statistics", &[("content-type", "text/csv")], b"1,2").rejected(415, &["text/csv"]);
    server.send("POST", "/stops/statistics", &[], b"").rejected(400, &["GeoJSON"]);
}
