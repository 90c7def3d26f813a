//! `GET /{layer}/points` of more points than the limit: a sample, or the points with the greatest weights.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::postgis::cluster::Cluster;
use crate::server::Server;

/// 4,000 points from north to south, in input order: weights ascend, each fourth point is a tram, and each fifth has no time.
const POINTS: usize = 4000;

/// A server with the points as a layer of a file, as a layer of the store, and without weights.
fn server() -> Server {
    let home = tempfile::tempdir().unwrap();
    let mut rows = String::from("lon,lat,weight,time,kind\n");
    for i in 0..POINTS {
        let (lat, lon) = (60.0 - i as f64 * 0.02, (i * 37 % 100) as f64 * 0.1);
        let time = if i % 5 == 0 { "" } else { "2024-05-01T12:00:00Z" };
        writeln!(rows, "{lon},{lat:.2},{i},{time},{}", if i % 4 == 0 { "tram" } else { "bus" }).unwrap();
    }
    std::fs::write(home.path().join("a.csv"), &rows).unwrap();
    std::fs::write(home.path().join("bare.csv"), "lon,lat,when\n1,2,soon\n3,4,later\n").unwrap();
    let columns = ["--weight", "weight", "--time", "time", "--category-column", "kind"];
    kiln(home.path(), [&["import", "a.csv", "--layer", "stored", "-q"], &columns[..]].concat()).done();
    let config = "[layers.file]\ninput = \"a.csv\"\nweight = \"weight\"\n[layers.bare]\ninput = \"bare.csv\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

fn latitudes(reply: &Value) -> Vec<f64> {
    let features = reply["features"].as_array().unwrap();
    features.iter().map(|feature| feature["geometry"]["coordinates"][1].as_f64().unwrap()).collect()
}

#[test]
fn a_limit_takes_a_fair_sample_of_the_points_within_the_bounds() {
    let server = server();
    for layer in ["file", "stored"] {
        let path = format!("/{layer}/points?limit=400");
        let reply = server.get(&path).ok(200);
        assert_eq!((reply.header("kiln-truncated"), reply.header("kiln-order")), (Some("true"), Some("sample")));
        let sample = reply.json();
        assert_eq!(
            (&sample["total"], &sample["truncated"], &sample["order"]),
            (&json!(POINTS), &json!(true), &json!("sample"))
        );
        assert_eq!(sample, server.get(&path).ok(200).json(), "the same request has the same sample");
        let found = latitudes(&sample);
        assert_eq!((found.len(), found.iter().map(ToString::to_string).collect::<BTreeSet<_>>().len()), (400, 400));
        // The latitudes are uniform from -20° to 60°: 100 of the sample are expected in each quarter, ± 4 standard deviations.
        for quarter in 0..4 {
            let (south, north) = (-20.0 + 20.0 * f64::from(quarter), 20.0 * f64::from(quarter));
            let count = found.iter().filter(|lat| (south..north).contains(*lat)).count();
            assert!((67..=133).contains(&count), "{layer}: {count} of 400 are from {south}° to {north}°");
        }
        let trams =
            sample["features"].as_array().unwrap().iter().filter(|it| it["properties"]["category"] == "tram").count();
        assert!((67..=133).contains(&trams), "{layer}: {trams} of 400 are trams");
        // Only points within the bounds that pass the filter are sampled.
        let north =
            server.get(&format!("/{layer}/points?limit=100&bounds=-1,39.99,11,60.01&category=tram")).ok(200).json();
        assert_eq!((latitudes(&north).len(), &north["total"]), (100, &json!(251)), "{layer}");
        assert!(latitudes(&north).iter().all(|lat| *lat > 39.99));
    }
}

#[test]
fn the_heaviest_points_are_those_with_the_greatest_weights() {
    let server = server();
    for layer in ["file", "stored"] {
        for format in ["geojson", "heat", "heatmapjs"] {
            let path = format!("/{layer}/points?limit=3&order=weight&format={format}");
            let reply = server.get(&path).ok(200).json();
            let weights: Vec<f64> = match format {
                "geojson" => reply["features"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|it| it["properties"]["weight"].as_f64().unwrap())
                    .collect(),
                "heat" => reply["points"].as_array().unwrap().iter().map(|it| it[2].as_f64().unwrap()).collect(),
                _ => reply["data"].as_array().unwrap().iter().map(|it| it["value"].as_f64().unwrap()).collect(),
            };
            assert_eq!(weights, [3999.0, 3998.0, 3997.0], "{path}");
            assert_eq!((&reply["order"], &reply["total"]), (&json!("weight"), &json!(POINTS)), "{path}");
        }
    }
    server.get("/bare/points?order=weight").rejected(400, &["order", "no weights"]);
    server.get("/file/points?order=north").rejected(400, &["order", "neither sample nor weight"]);
}

#[test]
fn points_keep_their_times_and_categories_and_none_is_lost_for_an_invalid_time() {
    let server = server();
    for layer in ["file", "stored"] {
        let reply = server.get(&format!("/{layer}/points?bounds=-1,59.95,11,60.01")).ok(200).json();
        let mut properties: Vec<Value> =
            reply["features"].as_array().unwrap().iter().map(|feature| feature["properties"].clone()).collect();
        properties.sort_by(|one, other| one["weight"].as_f64().unwrap().total_cmp(&other["weight"].as_f64().unwrap()));
        let time = "2024-05-01T12:00:00Z";
        let expected = [
            json!({"weight": 0.0, "category": "tram"}),
            json!({"weight": 1.0, "category": "bus", "time": time}),
            json!({"weight": 2.0, "category": "bus", "time": time}),
        ];
        assert_eq!(properties, expected, "{layer}");
    }
    // A column of times that cannot be read must not hide the points.
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("odd.csv"), "lon,lat,when\n1,2,2024-05-01\n3,4,soon\n5,6,\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.odd]\ninput = \"odd.csv\"\ntime = \"when\"\n").unwrap();
    let odd = Server::at(home, &[]);
    let points = odd.get("/odd/points").ok(200).json();
    assert_eq!((&points["total"], latitudes(&points)), (&json!(3), vec![2.0, 4.0, 6.0]));
    assert_eq!(server.get("/bare/points").ok(200).json()["total"], json!(2));
}

#[test]
fn points_of_overlays_are_a_sample_too() {
    let home = tempfile::tempdir().unwrap();
    let rows: Vec<String> = (0..1000).map(|i| format!("{},{}", i % 10, 50.0 - f64::from(i) * 0.05)).collect();
    std::fs::write(home.path().join("a.csv"), format!("lon,lat\n{}\n", rows.join("\n"))).unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[limits]\nanswer_points = 100\n[layers.a]\ninput = \"a.csv\"\n")
        .unwrap();
    let server = Server::at(home, &[]);
    let reply = server.post("/overlays", &json!({"layer": "a", "png": false})).ok(200).json();
    let points = reply["points"].as_array().unwrap();
    assert_eq!((points.len(), &reply["total"], &reply["truncated"]), (100, &json!(1000), &json!(true)));
    let south = points.iter().filter(|point| point[0].as_f64().unwrap() < 25.0).count();
    assert!((30..=70).contains(&south), "{south} of 100 points are in the south, where half of them are");
}

/// Points whose extreme coordinates are between the positions that a store has.
const EDGES: [[f64; 2]; 5] = [
    [18.060_1, 59.33],
    [18.060_123_456_7, 59.330_000_001],
    [-0.127_7, -33.9],
    [3.3, 59.339_999_912_345_6],
    [18.060_123_45, -33.900_000_01],
];

/// Requires that the bounds of the catalog, those of the file and the default contain all points.
fn require_points_at_the_edges(server: &Server, layer: &str, points: &[[f64; 2]]) {
    let catalog = server.get("/catalog").ok(200).json();
    let listed = catalog["layers"].as_array().unwrap().iter().find(|listed| listed["name"] == layer).unwrap();
    let [[south, west], [north, east]]: [[f64; 2]; 2] = serde_json::from_value(listed["bounds"].clone()).unwrap();
    let edge = |axis: usize, of: fn(f64, f64) -> f64| points.iter().map(|point| point[axis]).reduce(of).unwrap();
    let exact = [edge(0, f64::min), edge(1, f64::min), edge(0, f64::max), edge(1, f64::max)];
    let queries = [[west, south, east, north], exact]
        .map(|[west, south, east, north]| format!("?bounds={west},{south},{east},{north}"));
    // Bounds of a request have an area.
    let with_area = queries.iter().map(String::as_str).filter(|_| points.len() > 1);
    for query in with_area.chain([""]) {
        let found = server.get(&format!("/{layer}/points{query}")).ok(200).json();
        assert_eq!(found["total"], points.len(), "{layer}{query}: {found}");
    }
}

#[test]
fn points_at_the_edges_of_the_bounds_are_within_them() {
    let home = tempfile::tempdir().unwrap();
    let csv = |points: &[[f64; 2]]| {
        points.iter().fold("lon,lat\n".to_owned(), |text, [lon, lat]| format!("{text}{lon},{lat}\n"))
    };
    // One point, whose bounds have no extent, and points on both sides of the antimeridian.
    let (one, pacific) = ([EDGES[1]], [[179.912_345_678_9, -16.123_456_789], [-179.912_345_678_9, -17.987_654_321]]);
    for (name, points) in [("edges", &EDGES[..]), ("one", &one), ("pacific", &pacific)] {
        std::fs::write(home.path().join(format!("{name}.csv")), csv(points)).unwrap();
        kiln(home.path(), ["import", &format!("{name}.csv"), "--layer", &format!("stored_{name}"), "-q"]).done();
    }
    let layers = ["edges", "one", "pacific"].map(|name| format!("[layers.{name}]\ninput = \"{name}.csv\"\n"));
    std::fs::write(home.path().join("kiln.toml"), layers.concat()).unwrap();
    let server = Server::at(home, &[]);
    for prefix in ["", "stored_"] {
        require_points_at_the_edges(&server, &format!("{prefix}edges"), &EDGES);
        require_points_at_the_edges(&server, &format!("{prefix}one"), &one);
    }
    for layer in ["pacific", "stored_pacific"] {
        assert_eq!(server.get(&format!("/{layer}/points")).ok(200).json()["total"], 2);
        let exact = "bounds=179.9123456789,-17.987654321,-179.9123456789,-16.123456789";
        assert_eq!(server.get(&format!("/{layer}/points?{exact}")).ok(200).json()["total"], 2, "{layer}");
    }
    // A point a few centimeters outside of the bounds is not within them.
    let found = server.get("/stored_one/points?bounds=18.0601244,59.3,18.1,59.4").ok(200).json();
    assert_eq!(found["total"], 0);
}

#[test]
fn points_of_a_table_at_the_edges_of_the_bounds_are_within_them() {
    let database = Cluster::shared().database();
    let rows = EDGES.map(|[lon, lat]| format!("(ST_SetSRID(ST_MakePoint({lon}, {lat}), 4326))"));
    database.sql(&format!(
        "CREATE TABLE edges (place geometry(Point, 4326)); INSERT INTO edges VALUES {}; CREATE INDEX ON edges USING gist (place)",
        rows.join(", ")
    ));
    let server = Server::with(&[&database.url()], "");
    require_points_at_the_edges(&server, "edges", &EDGES);
}
