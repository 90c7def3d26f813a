//! Rooms of layers in the store, and the 3-D page.

use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::server::{Reply, Server};

const ROOMS: &str = "/floor/rooms";

/// A square room of 10 m.
fn room(name: &str, west: f64) -> Value {
    let ring = [[west, 0.0], [west + 10.0, 0.0], [west + 10.0, 10.0], [west, 10.0], [west, 0.0]];
    json!({"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
}

fn rooms(features: &[Value]) -> String {
    json!({"type": "FeatureCollection", "features": features}).to_string()
}

fn put(server: &Server, path: &str, content_type: &str, body: &str) -> Reply {
    let length = body.len().to_string();
    server.send("PUT", path, &[("content-type", content_type), ("content-length", &length)], body.as_bytes())
}

/// A server with the stored layer `floor` and its three points.
fn stored() -> Server {
    let server = Server::with(&[], "");
    put(&server, "/floor", "application/json", r#"{"crs": "plane"}"#).ok(201);
    server.post("/floor/points", &json!([{"x": 1, "y": 1}, {"x": 2, "y": 9}, {"x": 15, "y": 5}])).ok(200);
    server
}

/// The number of rooms of the layer `floor` in the catalog; null if it is omitted.
fn listed(server: &Server) -> Value {
    let catalog = server.get("/catalog").ok(200).json();
    catalog["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == "floor").unwrap()["rooms"].clone()
}

#[test]
fn uploaded_rooms_are_listed_and_summed_until_they_are_removed() {
    let mut server = stored();
    server.get(ROOMS).rejected(404, &["`floor` has no rooms"]);
    assert_eq!(listed(&server), Value::Null);
    server.get("/floor/grid?resolution=1&rooms=true").rejected(400, &["the layer has no rooms"]);
    let text = rooms(&[room("Hall", 0.0), room("Lobby", 10.0)]);
    let created = put(&server, ROOMS, "application/geo+json", &text).ok(201);
    assert_eq!(created.header("location"), Some(ROOMS));
    for restarted in [false, true] {
        if restarted {
            server.restart();
        }
        let reply = server.get(ROOMS).ok(200);
        assert_eq!((reply.header("content-type"), &*reply.body), (Some("application/geo+json"), text.as_bytes()));
        assert_eq!(listed(&server), json!(2));
        let grid = server.get("/floor/grid?resolution=1&rooms=true").ok(200).json();
        let sums: Vec<_> =
            grid["rooms"].as_array().unwrap().iter().map(|room| (&room["name"], &room["value"])).collect();
        assert_eq!(sums, [(&json!("Hall"), &json!(2)), (&json!("Lobby"), &json!(1))]);
    }
    let grid = kiln(server.folder(), ["grid", "floor", "--resolution", "1", "--rooms", "--format", "json", "-q"]);
    let grid: Value = serde_json::from_slice(&grid.stdout).unwrap();
    assert_eq!((&grid["rooms"][0]["name"], &grid["rooms"][0]["value"]), (&json!("Hall"), &json!(2)));
    put(&server, ROOMS, "application/json", &rooms(&[room("Lobby", 10.0)])).ok(204);
    let grid = server.get("/floor/grid?resolution=1&rooms=true").ok(200).json();
    assert_eq!((grid["rooms"].as_array().unwrap().len(), &grid["outside"]["value"]), (1, &json!(2)));
    server.send("DELETE", ROOMS, &[], b"").ok(204);
    server.send("DELETE", ROOMS, &[], b"").rejected(404, &["no rooms"]);
    assert_eq!(listed(&server), Value::Null);
}

#[test]
fn invalid_rooms_change_nothing() {
    let server = stored();
    let text = rooms(&[room("Hall", 0.0)]);
    put(&server, ROOMS, "application/geo+json", &text).ok(201);
    let twice = rooms(&[room("Hall", 0.0), room("Hall", 10.0)]);
    for (content_type, body, status, words) in [
        ("application/geo+json", "{}", 400, "FeatureCollection"),
        ("application/geo+json", twice.as_str(), 400, "used twice"),
        ("application/geo+json", "\u{0}", 400, "not GeoJSON"),
        ("text/csv", text.as_str(), 415, "unsupported media type"),
    ] {
        put(&server, ROOMS, content_type, body).rejected(status, &[words]);
    }
    put(&server, "/nowhere/rooms", "application/geo+json", &text).rejected(404, &["nowhere"]);
    assert_eq!(server.get(ROOMS).ok(200).body, text.as_bytes());
    let read_from_files = Server::start();
    put(&read_from_files, "/cities/rooms", "application/geo+json", &text).rejected(409, &["layers.cities.rooms"]);
}

#[test]
fn the_surface_page_and_its_assets_are_served() {
    let server = stored();
    let page = server.get("/floor/surface").ok(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = String::from_utf8(page.body).unwrap();
    let assets: Vec<&str> = html.split('"').filter_map(|link| link.strip_prefix("../assets/")).collect();
    assert!(assets.len() >= 2, "{assets:?}");
    for asset in assets.into_iter().chain(["surface-mesh.js", "surface-scene.js"]) {
        server.get(&format!("/assets/{asset}")).ok(200);
    }
    server.get("/nowhere/surface").rejected(404, &["nowhere"]);
}
