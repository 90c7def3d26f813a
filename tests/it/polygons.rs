//! Pictures of the points within a polygon.

use serde_json::{Value, json};

use crate::golden::Picture;
use crate::server::{Reply, Server};

const TILE: &str = "/stops/8/140/75.png";
const BBOX: &str = "/stops/bbox/17.5,59,18.5,60/200x200.png";

/// A server with a layer of three stops in a row.
fn stops() -> Server {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,kind\n18.0,59.3,bus\n18.1,59.4,tram\n18.2,59.5,bus\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    Server::at(home, &["stops.csv"])
}

fn rectangle(west: f64, south: f64, east: f64, north: f64) -> Value {
    let ring = json!([[west, south], [east, south], [east, north], [west, north], [west, south]]);
    json!({"type": "Polygon", "coordinates": [ring]})
}

/// Requests a picture of the points within `area` with a fixed span.
fn within(server: &Server, path: &str, area: &Value) -> Reply {
    let path = format!("{path}{}vmin=0&vmax=0.1", if path.contains('?') { '&' } else { '?' });
    server.send("POST", &path, &[("content-type", "application/geo+json")], area.to_string().as_bytes())
}

/// The share of visible pixels of a picture.
fn visible_share(reply: &Reply) -> f64 {
    assert_eq!(reply.header("content-type"), Some("image/png"), "{reply:?}");
    let picture = Picture::decode(std::io::Cursor::new(&reply.body)).unwrap();
    let pixels = picture.pixels.chunks(4);
    pixels.clone().filter(|pixel| pixel[3] > 0).count() as f64 / pixels.len() as f64
}

#[test]
fn only_points_within_the_polygon_are_rendered() {
    let server = stops();
    let (first, last) = (rectangle(17.9, 59.2, 18.05, 59.35), rectangle(18.15, 59.45, 18.3, 59.6));
    let both = json!({"type": "MultiPolygon", "coordinates": [first["coordinates"], last["coordinates"]]});
    let feature = |geometry: &Value| json!({"type": "Feature", "properties": {"name": "here"}, "geometry": geometry});
    for path in [TILE, BBOX] {
        let rendered = |area: &Value| within(&server, path, area).ok(200);
        let (one, other, two) = (rendered(&first), rendered(&last), rendered(&both));
        assert!(one.body != other.body && visible_share(&one) > 0.0 && visible_share(&two) > visible_share(&one));
        assert_eq!(rendered(&feature(&first)).body, one.body);
        // A polygon around all points changes nothing. Holes and filters exclude points.
        let all = server.get(&format!("{path}?vmin=0&vmax=0.1")).ok(200);
        assert_eq!(rendered(&rectangle(10.0, 50.0, 30.0, 70.0)).body, all.body);
        let mut ring = rectangle(10.0, 50.0, 30.0, 70.0);
        ring["coordinates"]
            .as_array_mut()
            .unwrap()
            .push(rectangle(18.05, 59.35, 18.15, 59.45)["coordinates"][0].clone());
        assert_eq!(rendered(&ring).body, two.body);
        let buses = server.get(&format!("{path}?vmin=0&vmax=0.1&category=bus")).ok(200);
        assert_eq!(buses.body, two.body);
        let trams = within(&server, &format!("{path}?category=tram"), &first).ok(200);
        assert!(visible_share(&trams) == 0.0);
    }
    // The same polygon is served from the cache.
    let metrics = || String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    let hits = |text: &str| {
        text.lines().find(|line| line.contains("cache_requests_total{outcome=\"Hit\"}")).map(str::to_owned)
    };
    let before = hits(&metrics());
    within(&server, TILE, &first).ok(200);
    assert_ne!(hits(&metrics()), before);
    let dense = within(&server, "/stops/8/140/75@2x.png?size=512", &first).ok(200);
    assert_eq!(Picture::decode(std::io::Cursor::new(&dense.body)).unwrap().width, 1024);
}

#[test]
fn an_overlay_shows_only_the_points_within_its_polygon() {
    let server = stops();
    let create = |more: Value| {
        let mut request = json!({"layer": "stops", "bounds": [[59, 17], [60, 19]], "size": 64});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/overlays", &request)
    };
    let area = rectangle(17.9, 59.2, 18.15, 59.45);
    let all = create(json!({})).ok(201).json();
    let some = create(json!({"polygon": area})).ok(201).json();
    assert_eq!((&all["points_drawn"], &some["points_drawn"]), (&json!(3), &json!(2)));
    assert_ne!(all["filename"], some["filename"]);
    assert_eq!(create(json!({"polygon": area})).ok(200).json()["filename"], some["filename"]);
    assert_eq!(create(json!({"polygon": area, "category": "bus"})).ok(201).json()["points_drawn"], 1);
    let points = create(json!({"polygon": area, "png": false})).ok(200).json();
    assert_eq!(points["points"], json!([[59.3, 18.0, 1.0], [59.4, 18.1, 1.0]]));
    // A legend whose span depends on the points has no URL of its own.
    assert_eq!(create(json!({"polygon": area, "curve": "eqhist"})).ok(201).json()["legend"], Value::Null);
    create(json!({"polygon": {"type": "Point", "coordinates": [1, 2]}})).rejected(400, &["polygon"]);
    create(json!({"layer": null, "points": [[1, 2]], "polygon": area}))
        .rejected(400, &["points", "apply to layers only"]);
}

#[test]
fn invalid_polygons_are_rejected() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("stops.csv"), "lon,lat\n18.0,59.3\n").unwrap();
    let layer = |name: &str, more: &str| format!("[layers.{name}]\ninput = \"stops.csv\"\n{more}");
    let config =
        ["[limits]\nbody = \"2kB\"\n", &layer("stops", ""), &layer("desks", "projection = \"plane\"\n")].concat();
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let area = rectangle(17.9, 59.2, 18.05, 59.35);
    for path in [TILE, BBOX] {
        let send = |content_type: &str, body: &str| {
            server.send("POST", path, &[("content-type", content_type)], body.as_bytes())
        };
        for content_type in
            ["application/geo+json", "application/json; charset=utf-8", "application/x-www-form-urlencoded"]
        {
            send(content_type, &area.to_string()).ok(200);
        }
        send("text/csv", "1,2").rejected(415, &["text/csv", "application/geo+json"]);
        for (body, word) in [
            ("", "empty"),
            ("{", "polygon"),
            ("[]", "polygon"),
            ("{\"type\":\"Point\",\"coordinates\":[1,2]}", "polygon"),
            ("{\"type\":\"Polygon\",\"coordinates\":[]}", "polygon"),
            ("{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1]]]}", "polygon"),
            ("{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,99],[0,0]]]}", "polygon"),
        ] {
            send("application/geo+json", body).rejected(400, &[word]);
        }
        server.send("POST", path, &[], b"\xff\xfe").rejected(400, &["UTF-8"]);
        send("application/geo+json", &" ".repeat(3000)).rejected(413, &["limits.body"]);
        let wrong = within(&server, &format!("{path}?radios=5"), &area);
        wrong.rejected(400, &["did you mean radius"]);
        within(&server, &path.replace("stops", "stop"), &area).rejected(404, &["stops"]);
        // If-None-Match applies to GET only.
        let reply = server.send("POST", path, &[("if-none-match", "*")], area.to_string().as_bytes());
        reply.ok(200);
    }
    within(&server, "/stops/8/140/75.webp", &area).rejected(400, &["PNG"]);
    within(&server, "/stops/8/140/75", &area).rejected(404, &[".png"]);
    // On a plane, positions are meters, which have no limits of degrees.
    let hall: Value = serde_json::from_str(&area.to_string().replace("90", "900")).unwrap();
    within(&server, "/desks/0/0/0.png", &hall).ok(200);
    within(&server, "/desks/bbox/0,0,9,9/9x9.png", &hall).ok(200);
}
