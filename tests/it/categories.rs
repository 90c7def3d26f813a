//! The categories of a layer, with their numbers of points.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::server::Server;

/// Sixty lines; line n has 61 - n points. Two points have no line.
fn stops() -> String {
    let mut rows = String::from("lon,lat,time,line\n");
    for line in 1..=60 {
        for day in 0..=60 - line {
            let month = 1 + day % 12;
            writeln!(rows, "18.0,59.3,2024-{month:02}-01T00:00:00Z,Line {line:02}").unwrap();
        }
    }
    rows + "18.0,59.3,2024-01-01T00:00:00Z,\n18.0,59.3,2024-01-01T00:00:00Z,\n"
}

fn server() -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("stops.csv"), stops()).unwrap();
    std::fs::write(home.path().join("bare.csv"), "lon,lat\n1,2\n").unwrap();
    let config = "[layers.files]\ninput = \"stops.csv\"\ntime = \"time\"\ncategory = \"line\"\n\
                  [layers.bare]\ninput = \"bare.csv\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let import = ["import", "stops.csv", "--layer", "stored", "--time", "time", "--category-column", "line", "-q"];
    crate::kiln::kiln(home.path(), import).done();
    Server::at(home, &[])
}

fn names(reply: &Value) -> Vec<&str> {
    reply["categories"].as_array().unwrap().iter().map(|each| each["name"].as_str().unwrap()).collect()
}

#[test]
fn the_categories_with_the_most_points_are_listed_first() {
    let server = server();
    for layer in ["files", "stored"] {
        let reply = server.get(&format!("/{layer}/categories")).ok(200).json();
        assert_eq!(names(&reply).len(), 50, "{layer}");
        assert_eq!(reply["categories"][0], json!({"name": "Line 01", "points": 60}), "{layer}");
        let counts = [&reply["matching"], &reply["total"], &reply["without_category"]];
        assert_eq!(counts, [&json!(60), &json!(60), &json!(2)], "{layer}");
        let all = server.get(&format!("/{layer}/categories?limit=1000")).ok(200).json();
        assert_eq!(names(&all).len(), 60, "{layer}");
    }
    let bare = server.get("/bare/categories").ok(200).json();
    assert_eq!(bare, json!({"categories": [], "matching": 0, "total": 0, "without_category": 1}));
}

#[test]
fn a_search_finds_categories_beyond_the_first() {
    let server = server();
    for layer in ["files", "stored"] {
        let reply = server.get(&format!("/{layer}/categories?search=line%205&limit=3")).ok(200).json();
        assert_eq!(names(&reply), ["Line 50", "Line 51", "Line 52"], "{layer}");
        assert_eq!((&reply["matching"], &reply["total"]), (&json!(10), &json!(60)), "{layer}");
    }
}

#[test]
fn the_filter_applies_to_the_points_that_are_counted() {
    let server = server();
    for layer in ["files", "stored"] {
        let january = server.get(&format!("/{layer}/categories?months=1&search=Line%2001")).ok(200).json();
        assert_eq!(january["categories"], json!([{"name": "Line 01", "points": 5}]), "{layer}");
        let chosen = server.get(&format!("/{layer}/categories?category=Line%2002,Line%2060")).ok(200).json();
        assert_eq!((names(&chosen), &chosen["without_category"]), (vec!["Line 02", "Line 60"], &json!(0)), "{layer}");
    }
}

#[test]
fn invalid_parameters_are_rejected() {
    let server = server();
    server.get("/files/categories?limit=0").rejected(400, &["limit"]);
    server.get("/files/categories?limit=1001").rejected(400, &["limit", "1 to 1000"]);
    server.get("/files/categories?find=a").rejected(400, &["find", "search"]);
    server.get("/bare/categories?months=1").rejected(400, &["months", "no time column"]);
    server.get("/nowhere/categories").rejected(404, &["nowhere"]);
}
