//! Sums per room.

use serde_json::{Value, json};

use crate::grid::{DETECTIONS, office};
use crate::server::Server;

fn feature(name: &str, [west, south, east, north]: [f64; 4]) -> Value {
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    json!({"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
}

/// Two adjacent rooms, and a zone that overlaps the first.
fn rooms() -> Value {
    let features = [
        feature("Lab", [0.0, 0.0, 0.5, 2.0]),
        feature("Hall", [0.5, 0.0, 6.0, 4.0]),
        feature("Desk", [0.0, 0.0, 0.25, 0.25]),
    ];
    json!({"type": "FeatureCollection", "features": features})
}

#[test]
fn rooms_are_summed_by_their_points_in_order() {
    let server = office("");
    let body = json!({"resolution": 1, "category": "floor-1", "heatmap_type": "sum", "polygons": rooms()});
    let grid = server.post("/office/grid", &body).ok(200).json();
    assert_eq!(
        grid["rooms"],
        json!([
            {"name": "Lab", "value": 12, "count": 4, "area_m2": 1, "value_per_m2": 12},
            {"name": "Hall", "value": 11, "count": 2, "area_m2": 22, "value_per_m2": 0.5},
            {"name": "Desk", "value": 1, "count": 1, "area_m2": 0.0625, "value_per_m2": 16},
        ]),
        "the point on the common edge is in the eastern room, and one in two rooms counts in both"
    );
    assert_eq!(grid["outside"], json!({"value": 5, "count": 1}));
    // The same by a body of GeoJSON alone.
    let geojson = [("content-type", "application/geo+json")];
    let path = "/office/grid?resolution=1&category=floor-1&heatmap_type=sum";
    assert_eq!(server.send("POST", path, &geojson, rooms().to_string().as_bytes()).ok(200).json(), grid);
    let typed = [("content-type", "application/json")];
    assert_eq!(server.send("POST", path, &typed, rooms().to_string().as_bytes()).ok(200).json(), grid);
}

#[test]
fn rooms_are_compared_and_have_profiles() {
    let server = office("");
    let body = json!({
        "resolution": 1, "start": "2024-01-08", "end": "2024-01-15", "compare": "2024-01-01/2024-01-08",
        "profile": "hour_of_day", "tz": "UTC", "polygons": rooms(),
    });
    let grid = server.post("/office/grid", &body).ok(200).json();
    let lab = &grid["rooms"][0];
    assert_eq!(
        [&lab["value"], &lab["compared"], &lab["difference"], &lab["ratio"], &lab["count"]],
        [&json!(2), &json!(2), &json!(0), &json!(1), &json!(2)]
    );
    let hours = |profile: &Value, hour: usize| [profile["values"][hour].clone(), profile["compared"][hour].clone()];
    assert_eq!(hours(&lab["profile"], 8), [json!(1), json!(2)]);
    assert_eq!(hours(&lab["profile"], 23), [json!(1), json!(0)]);
    assert_eq!(hours(&grid["profile"], 12), [json!(0), json!(1)]);
    // The detection of the other floor at noon, and that at the corner below the origin.
    assert_eq!(grid["outside"]["compared"], 2);
    assert_eq!(hours(&grid["outside"]["profile"], 12), [json!(0), json!(1)]);
}

#[test]
fn rooms_of_the_configuration_are_summed_on_request() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("office.csv"), DETECTIONS).unwrap();
    std::fs::write(home.path().join("rooms.geojson"), rooms().to_string()).unwrap();
    let config = "[layers.office]\ninput = \"office.csv\"\nprojection = \"plane\"\nrooms = \"rooms.geojson\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let grid = server.get("/office/grid?resolution=1&rooms=true").ok(200).json();
    assert_eq!((&grid["rooms"][0]["name"], &grid["rooms"][0]["value"]), (&json!("Lab"), &json!(4)));
    assert!(server.get("/office/grid?resolution=1").ok(200).json().get("rooms").is_none());
    // Those of the request take precedence.
    let other = json!({"type": "FeatureCollection", "features": [feature("All", [-9.0, -9.0, 99.0, 99.0])]});
    let grid = server.post("/office/grid", &json!({"resolution": 1, "polygons": other})).ok(200).json();
    assert_eq!((&grid["rooms"][0]["value"], &grid["outside"]["value"]), (&json!(8), &json!(0)));
}

#[test]
fn invalid_rooms_of_the_configuration_stop_the_server() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("office.csv"), DETECTIONS).unwrap();
    std::fs::write(home.path().join("rooms.geojson"), "{}").unwrap();
    let config = "[layers.office]\ninput = \"office.csv\"\nprojection = \"plane\"\nrooms = \"rooms.geojson\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let run = crate::kiln::kiln(home.path(), ["serve", "-l", "0"]);
    run.failed(1, &["rooms.geojson: not GeoJSON", "expected a FeatureCollection"]);
}
