//! Layers on a plane in meters, such as floor plans: imported, configured and posted.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::import::layer;
use crate::ingest::server;
use crate::kiln::{kiln, kiln_with_input};
use crate::server::Server;

/// Positions on a floor of 40 m × 30 m, beyond the degrees of the globe, with centimeters and with odd numbers.
fn floor(count: usize) -> String {
    let mut text = String::from("x,y,time,space_id\n");
    for i in 0..count {
        let (x, y) = (f64::from(i as u32 % 4000) / 100.0 + 980.0, f64::from(i as u32 % 977) * 0.03 - 500.0);
        writeln!(text, "{x},{y},2024-05-01T{:02}:00:00Z,{}", i % 24, ["hall", "lobby"][i % 2]).unwrap();
    }
    text
}

/// A picture with a fixed span, as that of a layer is computed from a sample in the order of its points.
fn picture(server: &Server, layer: &str) -> Vec<u8> {
    let path = format!("/{layer}/bbox/980,-500,1020,-470/160x120.png?radius=9&vmin=1&vmax=900");
    server.get(&path).ok(200).body
}

fn catalog(server: &Server, name: &str) -> Value {
    let catalog = server.get("/catalog").ok(200).json();
    catalog["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == name).cloned().unwrap()
}

fn import(home: &Path, args: &[&str]) -> crate::kiln::Run {
    kiln(home, [&["import"], args].concat())
}

#[test]
fn an_imported_plane_layer_has_the_pictures_of_the_same_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("floor.csv"), floor(30_000)).unwrap();
    let columns = ["--category-column", "space_id"];
    import(home.path(), &[&["floor.csv", "--layer", "stored", "--crs", "plane"], &columns[..]].concat()).done();
    import(home.path(), &["floor.csv", "--layer", "guarded", "--crs", "plane", "--time", "none"]).done();
    let stored = layer(home.path(), "stored");
    assert_eq!((&stored["points"], &stored["crs"]), (&json!(30_000), &json!("plane")));
    assert_eq!(stored["bounds"], json!([980.0, -500.0, 1019.99, -500.0 + 976.0 * 0.03]));
    let listed = kiln(home.path(), ["layers"]);
    assert!(String::from_utf8(listed.stdout).unwrap().contains("plane"));
    // The key crs of a layer is the same as the older projection.
    let config = "[layers.crs]\ninput = \"floor.csv\"\ncrs = \"plane\"\ncategory = \"space_id\"\n\
                  [layers.projection]\ninput = \"floor.csv\"\nprojection = \"plane\"\ncategory = \"space_id\"\n\
                  [layers.guarded]\nstore = true\nmin_count = 2\nmin_count_cell = \"10m\"\n";
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let expected = picture(&server, "projection");
    assert_eq!(picture(&server, "stored"), expected);
    assert_eq!(picture(&server, "crs"), expected);
    let entry = catalog(&server, "stored");
    assert_eq!((&entry["crs"], &entry["projections"]), (&json!("plane"), &json!(["plane"])));
    let statistics = server.get("/stored/statistics").ok(200).json();
    assert_eq!((&statistics["points"], &statistics["weight"]), (&json!(30_000), &Value::Null));
    assert_eq!(statistics["bounds"][0], json!([-500.0, 980.0]));
    let found = server.get("/stored/points?bounds=980,-500,980.05,-400&format=geojson").ok(200).json();
    let expected = server.get("/projection/points?bounds=980,-500,980.05,-400&format=geojson").ok(200).json();
    assert_eq!(found["total"], expected["total"]);
    assert!(found["total"].as_u64().unwrap() > 0);
    // A polygon in meters filters stored points and those of files alike.
    let hall = br#"{"type":"Polygon","coordinates":[[[985,-499],[1010,-499],[1010,-480],[985,-499]]]}"#;
    let path = |layer: &str| format!("/{layer}/bbox/980,-500,1020,-470/160x120.png?category=hall&vmin=1&vmax=900");
    let within =
        |layer: &str| server.send("POST", &path(layer), &[("content-type", "application/json")], hall).ok(200).body;
    assert_eq!(within("stored"), within("crs"));
    assert_ne!(within("stored"), server.get(&path("stored")).ok(200).body);
    let tile = |layer: &str| server.get(&format!("/{layer}/0/3/1.png?radius=9&vmin=1&vmax=900")).ok(200).body;
    assert_eq!(tile("stored"), tile("crs"));
    // The released points of a stored layer are on its plane.
    let entry = catalog(&server, "guarded");
    assert_eq!((&entry["crs"], &entry["points"]), (&json!("plane"), &json!(30_000)));
    assert!(entry["bounds"][0][1].as_f64().unwrap() >= 980.0, "{entry}");
}

#[test]
fn imports_into_a_layer_of_the_other_space_are_rejected() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("floor.csv"), floor(50)).unwrap();
    fs::write(home.join("world.csv"), "lon,lat\n18.07,59.33\n").unwrap();
    fs::write(home.join("bad.csv"), "x,y\n1.5,2.5\nNaN,1\n1,inf\n1e9,0\n").unwrap();
    import(home, &["floor.csv", "--layer", "floor", "--crs", "plane"]).done();
    import(home, &["world.csv", "--layer", "world"]).done();
    // Points for a plane layer are on its plane without the flag.
    import(home, &["floor.csv", "--layer", "floor", "--append"]).done();
    assert_eq!(layer(home, "floor")["points"], 100);
    import(home, &["floor.csv", "--layer", "world", "--append", "--crs", "plane"])
        .failed(2, &["--crs", "the layer is on the globe"]);
    import(home, &["world.csv", "--layer", "floor", "--append", "--crs", "EPSG:3857"])
        .failed(1, &["--crs applies to points on the globe, not on a plane"]);
    let summary = import(home, &["bad.csv", "--layer", "bad", "--crs", "plane"]).done();
    assert!(summary.contains("added 1 point to bad, 1 outside the square of the layer dropped"), "{summary}");
    assert!(summary.contains("2 rejected") && summary.contains("not finite"), "{summary}");
    kiln(home, ["render", "floor.csv", "--crs", "plane", "-o", "a.png"]).done();
    kiln(home, ["render", "floor.csv", "--projection", "plane", "-o", "b.png"]).done();
    assert_eq!(fs::read(home.join("a.png")).unwrap(), fs::read(home.join("b.png")).unwrap());
    kiln(home, ["render", "floor.csv", "--crs", "plane", "--projection", "mercator", "-o", "a.png"])
        .failed(2, &["--projection", "the points are on a plane"]);
    kiln(home, ["export", "floor", "-o", "floor.pmtiles", "--zoom", "0-3"]).failed(2, &["this layer is on a plane"]);
    let stdin = kiln_with_input(home, ["import", "-", "--layer", "piped", "--crs", "PLANE"], b"x,y\n500,600\n");
    stdin.done();
    assert_eq!(layer(home, "piped")["bounds"], json!([500.0, 600.0, 500.0, 600.0]));
}

#[test]
fn x_and_y_without_a_coordinate_reference_system_are_degrees_with_a_remark() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("floor.csv"), "x,y,space_id\n5,6,hall\n7,8,lobby\n").unwrap();
    let remark = "x and y were read as longitude and latitude in degrees; for meters on a plane use --crs plane";
    assert!(import(home, &["floor.csv", "--layer", "world"]).done().contains(remark));
    assert_eq!(layer(home, "world")["categories"]["first"], json!(["hall", "lobby"]));
    assert!(kiln(home, ["render", "floor.csv", "-o", "a.png"]).done().contains(remark));
    for args in [&["--crs", "plane"][..], &["--crs", "EPSG:4326"], &["--lon", "x", "--lat", "y"]] {
        let args = [&["floor.csv", "--layer", "other", "--replace"], args].concat();
        let summary = import(home, &args).done();
        assert!(!summary.contains("degrees"), "{summary}");
        kiln(home, ["drop", "other", "--yes"]).done();
    }
    import(home, &["floor.csv", "--layer", "world", "--replace", "--crs", "plane"])
        .failed(2, &["--crs", "`kiln drop world --yes`"]);
    for crs in ["meters", "simple"] {
        import(home, &["floor.csv", "--layer", "new", "--crs", crs]).failed(1, &["in meters on a plane, use plane"]);
    }
}

#[test]
fn plane_layers_are_created_by_requests() {
    let server = server("");
    let created = server.put("floor", &json!({"title": "Floor 2", "crs": "plane"})).ok(201).json();
    assert_eq!(created["crs"], "plane");
    let reply = server.points("floor", "text/csv", "x,y\n1000.25,-2000.5\nNaN,3\n9e8,0\n").ok(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"], &reply["beyond_map"]), (&json!(1), &json!(1), &json!(1)));
    let bounds = catalog(&server, "floor")["bounds"].clone();
    assert_eq!(bounds, json!([[-2000.5, 1000.25], [-2000.5, 1000.25]]));
    // The first points on a plane create the layer.
    let send = |path: &str, body: &str| server.send("POST", path, &[("content-type", "text/csv")], body.as_bytes());
    send("/lobby/points?crs=EPSG:3857", "x,y\n5,6\n").rejected(404, &["PUT /lobby creates it"]);
    send("/lobby/points?crs=plane", "x,y\n500.5,600.25\n").ok(200);
    send("/lobby/points?crs=plane", "x,y\n-500.5,-600.25\n").ok(200);
    assert_eq!(catalog(&server, "lobby")["bounds"], json!([[-600.25, -500.5], [600.25, 500.5]]));
    send("/fixed/points?crs=plane", "x,y\n5,6\n").rejected(409, &["read from input files"]);
    // The space of an empty layer can change, that of a layer with points cannot.
    server.put("room", &json!({})).ok(201);
    send("/room/points?crs=plane", "x,y\n5,6\n").rejected(400, &["crs", "the layer is on the globe"]);
    assert_eq!(server.put("room", &json!({"crs": "plane"})).ok(200).json()["crs"], "plane");
    send("/room/points", "x,y\n500,600\n").ok(200);
    server.put("room", &json!({"crs": "EPSG:4326"})).rejected(409, &["the points of the layer are in plane"]);
    let described = server.put("room", &json!({"title": "Room"})).ok(200).json();
    assert_eq!((&described["crs"], &described["points"]), (&json!("plane"), &json!(1)));
    server.put("room", &json!({"crs": "EPSG:25832"})).rejected(400, &["crs", "plane"]);
}
