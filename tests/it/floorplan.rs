//! Floor plans: images below layers on a plane.

use std::io::{Cursor, Write};
use std::path::Path;

use image::{DynamicImage, ImageFormat};
use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::server::{Reply, Server};

/// An image of 80 × 48 pixels.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(80, 48).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG whose header declares `width` × `height` black pixels, with all of their data.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; width.div_ceil(8) as usize];
    (0..height).for_each(|_| stream.write_all(&row).unwrap());
    stream.finish().unwrap();
    drop(writer);
    bytes
}

const URL: &str = "/floor/floorplan?bounds=0,-2.5,40,21.5";

fn put(server: &Server, url: &str, content_type: &str, body: &[u8]) -> Reply {
    let length = body.len().to_string();
    server.send("PUT", url, &[("content-type", content_type), ("content-length", &length)], body)
}

/// A server with the stored layers `floor`, on a plane, and `map`, on the globe.
fn stored() -> Server {
    let server = Server::with(&[], "");
    let layer = |name: &str, body: &Value| {
        let body = body.to_string();
        let length = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", &*length)];
        server.send("PUT", name, &headers, body.as_bytes()).ok(201);
    };
    layer("/floor", &json!({"crs": "plane"}));
    layer("/map", &json!({}));
    server
}

/// The floor plan of the layer `floor` in the catalog; null if it is omitted.
fn listed(server: &Server) -> Value {
    let catalog = server.get("/catalog").ok(200).json();
    catalog["layers"].as_array().unwrap().iter().find(|layer| layer["name"] == "floor").unwrap()["floorplan"].clone()
}

#[test]
fn an_uploaded_plan_is_served_until_it_is_removed() {
    let mut server = stored();
    server.get("/floor/floorplan").rejected(404, &["`floor` has no floor plan"]);
    server.get("/floor/floorplan.json").rejected(404, &["no floor plan"]);
    let png = encoded(ImageFormat::Png);
    let created = put(&server, URL, "image/png", &png).ok(201);
    assert_eq!(created.header("location"), Some("/floor/floorplan"));
    let described = created.json();
    assert_eq!(described["bounds"], json!([[-2.5, 0.0], [21.5, 40.0]]));
    assert_eq!(
        (&described["width"], &described["height"], &described["media_type"], &described["bytes"]),
        (&json!(80), &json!(48), &json!("image/png"), &json!(png.len()))
    );
    for restarted in [false, true] {
        if restarted {
            server.restart();
        }
        assert_eq!(server.get("/floor/floorplan.json").ok(200).json(), described);
        assert_eq!(listed(&server), described);
        let image = server.get("/floor/floorplan").ok(200);
        assert!(image.body == png);
        assert_eq!(image.header("content-type"), Some("image/png"));
        assert_eq!(image.header("x-content-type-options"), Some("nosniff"));
        assert!(!image.header("cache-control").unwrap().contains("immutable"));
        let pinned = server.get(described["url"].as_str().unwrap()).ok(200);
        assert!(pinned.body == png && pinned.header("cache-control").unwrap().contains("immutable"));
        let tag = image.header("etag").unwrap();
        let cached = server.send("GET", "/floor/floorplan", &[("if-none-match", tag)], b"");
        assert_eq!((cached.status, cached.body.len(), cached.header("etag")), (304, 0, Some(tag)));
    }
    let tag = |server: &Server| server.get("/floor/floorplan").ok(200).header("etag").unwrap().to_owned();
    let first = tag(&server);
    // Other bounds of the same image are another version, and so is another image.
    let moved = put(&server, "/floor/floorplan?bounds=1,0,41,24", "image/png", &png).ok(200);
    assert!(moved.header("location").is_none() && moved.json()["url"] != described["url"]);
    assert_ne!(tag(&server), first);
    // The content determines the format, not the header.
    for (format, content_type) in [(ImageFormat::Jpeg, "image/jpeg"), (ImageFormat::WebP, "image/webp")] {
        let body = encoded(format);
        for declared in ["application/octet-stream", "image/png"] {
            assert_eq!(put(&server, URL, declared, &body).ok(200).json()["media_type"], content_type);
        }
        let image = server.get("/floor/floorplan").ok(200);
        assert!(image.body == body && image.header("content-type") == Some(content_type));
    }
    server.send("DELETE", "/floor/floorplan", &[], b"").ok(204);
    server.send("DELETE", "/floor/floorplan", &[], b"").rejected(404, &["no floor plan"]);
    server.get("/floor/floorplan").rejected(404, &["no floor plan"]);
    assert_eq!(listed(&server), Value::Null);
}

#[test]
fn a_plan_goes_with_its_layer_and_survives_writes() {
    let server = stored();
    put(&server, URL, "image/png", &encoded(ImageFormat::Png)).ok(201);
    for x in 1..4 {
        let body = format!("x,y\n{x},2\n");
        server
            .send(
                "POST",
                "/floor/points",
                &[("content-type", "text/csv"), ("content-length", &body.len().to_string())],
                body.as_bytes(),
            )
            .ok(200);
    }
    kiln(server.folder(), ["compact", "floor", "-q"]).done();
    server.get("/floor/floorplan").ok(200);
    server.send("DELETE", "/floor", &[], b"").ok(204);
    server.get("/floor/floorplan").rejected(404, &["floor"]);
    let body = "{\"crs\":\"plane\"}";
    server
        .send("PUT", "/floor", &[("content-type", "application/json"), ("content-length", "15")], body.as_bytes())
        .ok(201);
    server.get("/floor/floorplan").rejected(404, &["no floor plan"]);
}

#[test]
fn invalid_uploads_are_rejected_and_change_nothing() {
    let server = stored();
    let png = encoded(ImageFormat::Png);
    put(&server, URL, "image/png", &png).ok(201);
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    for (url, content_type, body, status, words) in [
        (URL, "image/svg+xml", &svg[..], 415, &["image/svg+xml", "expected a PNG, JPEG or WebP"][..]),
        (URL, "image/png", svg, 415, &["expected a PNG, JPEG or WebP"]),
        (URL, "text/html", &png, 415, &["text/html", "PNG, JPEG or WebP"]),
        (URL, "image/png", b"II*\0\x08\0\0\0", 415, &["PNG, JPEG or WebP"]),
        (URL, "image/png", b"", 415, &["PNG, JPEG or WebP"]),
        (URL, "image/png", &png[..png.len() / 2], 400, &["invalid image"]),
        (URL, "image/png", &bomb(20_000, 20_000), 413, &["limits.pixels", "20000 × 20000"]),
        ("/floor/floorplan", "image/png", &png, 400, &["bounds: missing", "west,south,east,north"]),
        ("/floor/floorplan?bounds=0,0,40", "image/png", &png, 400, &["bounds:"]),
        (
            "/floor/floorplan?bounds=40,0,0,24",
            "image/png",
            &png,
            400,
            &["bounds: west (40) must be less than east (0)"],
        ),
        ("/floor/floorplan?bounds=0,5,40,5", "image/png", &png, 400, &["bounds: south"]),
        ("/floor/floorplan?bounds=0,0,inf,5", "image/png", &png, 400, &["bounds:", "finite"]),
        ("/floor/floorplan?bounds=0,0,1,1&x=1", "image/png", &png, 400, &["unknown parameter"]),
        ("/map/floorplan?bounds=0,0,1,1", "image/png", &png, 409, &["`map` is on the globe"]),
        ("/flor/floorplan?bounds=0,0,1,1", "image/png", &png, 404, &["did you mean floor"]),
    ] {
        put(&server, url, content_type, body).rejected(status, words);
    }
    server.get("/map/floorplan").rejected(404, &["on the globe"]);
    server.send("DELETE", "/map/floorplan", &[], b"").rejected(409, &["on the globe"]);
    server.get("/floor/floorplan?x=1").rejected(400, &["unknown parameter"]);
    assert!(server.get("/floor/floorplan").ok(200).body == png);
    let small = Server::with(&[], "[limits]\nfloorplan_body = \"1KiB\"\n");
    let create = [("content-type", "application/json"), ("content-length", "15")];
    small.send("PUT", "/floor", &create, b"{\"crs\":\"plane\"}").ok(201);
    put(&small, URL, "image/png", &[0; 2000]).rejected(413, &["limits.floorplan_body", "1024 bytes"]);
}

#[test]
fn writes_of_plans_need_the_token() {
    let server = Server::with(&[], "[server]\ntoken = \"secret\"\n");
    let token = ("authorization", "Bearer secret");
    let body = b"{\"crs\":\"plane\"}";
    server.send("PUT", "/floor", &[token, ("content-length", "15")], body).ok(201);
    let png = encoded(ImageFormat::Png);
    let length = png.len().to_string();
    let length = ("content-length", length.as_str());
    server.send("PUT", URL, &[length], &png).rejected(401, &["token"]);
    server.send("PUT", URL, &[length, ("authorization", "Bearer wrong")], &png).rejected(401, &["invalid token"]);
    server.send("PUT", URL, &[length, token], &png).ok(201);
    server.send("DELETE", "/floor/floorplan", &[], b"").rejected(401, &["token"]);
    server.get("/floor/floorplan").ok(200);
    server.send("DELETE", "/floor/floorplan", &[token], b"").ok(204);
}

#[test]
fn a_plan_that_cannot_be_written_or_read_is_reported() {
    let server = stored();
    let png = encoded(ImageFormat::Png);
    put(&server, URL, "image/png", &png).ok(201);
    // A folder in place of the temporary file.
    let folder = server.folder().join("store/floor");
    std::fs::create_dir(folder.join("floorplan.new")).unwrap();
    put(&server, "/floor/floorplan?bounds=0,0,1,1", "image/png", &png).rejected(500, &["internal error"]);
    assert_eq!(server.get("/floor/floorplan.json").ok(200).json()["bounds"], json!([[-2.5, 0.0], [21.5, 40.0]]));
    std::fs::write(folder.join("floorplan"), "{}\n").unwrap();
    server.get("/floor/floorplan").rejected(503, &["damaged"]);
    assert_eq!(listed(&server), Value::Null);
    assert!(server.log().contains("floor/floorplan"), "{}", server.log());
}

/// Writes points, an image and a config with `plan` as the floor plan of the layer `floor`.
fn configure(folder: &Path, plan: &str) {
    std::fs::write(folder.join("floor.csv"), "x,y\n3,4\n").unwrap();
    std::fs::write(folder.join("floor.png"), encoded(ImageFormat::Png)).unwrap();
    let config = format!("[layers.floor]\ninput = \"floor.csv\"\nprojection = \"plane\"\n{plan}\n");
    std::fs::write(folder.join("kiln.toml"), config).unwrap();
}

#[test]
fn layers_of_files_have_the_plan_of_the_config() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "[layers.floor.floorplan]\nimage = \"floor.png\"\nbounds = [0, -2.5, 40, 24]");
    let server = Server::at(home, &[]);
    let plan = server.get("/floor/floorplan.json").ok(200).json();
    assert_eq!((&plan["bounds"], &plan["width"]), (&json!([[-2.5, 0.0], [24.0, 40.0]]), &json!(80)));
    assert_eq!(listed(&server), plan);
    let image = server.get(plan["url"].as_str().unwrap()).ok(200);
    assert!(image.body == encoded(ImageFormat::Png) && image.header("content-type") == Some("image/png"));
    put(&server, URL, "image/png", &image.body).rejected(409, &["input files", "layers.floor.floorplan"]);
    server.send("DELETE", "/floor/floorplan", &[], b"").rejected(409, &["layers.floor.floorplan"]);
}

#[test]
fn an_invalid_plan_of_the_config_is_reported_with_its_key() {
    for (plan, words) in [
        (
            "floorplan = { image = \"none.png\", bounds = [0, 0, 1, 1] }",
            &["layers.floor.floorplan.image", "cannot read"][..],
        ),
        (
            "floorplan = { image = \"floor.csv\", bounds = [0, 0, 1, 1] }",
            &["layers.floor.floorplan.image", "PNG, JPEG or WebP"],
        ),
        (
            "floorplan = { image = \"floor.png\", bounds = [1, 0, 1, 1] }",
            &["layers.floor.floorplan.bounds", "west (1)"],
        ),
        ("floorplan = { image = \"floor.png\", bounds = [0, 0, 1] }", &["layers.floor.floorplan.bounds", "in meters"]),
        (
            "floorplan = { image = \"floor.png\", bounds = [0, 0, 1, \"x\"] }",
            &["layers.floor.floorplan.bounds", "in meters"],
        ),
        ("floorplan = { image = \"floor.png\" }", &["layers.floor.floorplan.bounds", "missing"]),
        ("floorplan = { bounds = [0, 0, 1, 1] }", &["layers.floor.floorplan.image", "missing"]),
        (
            "floorplan = { image = \"floor.png\", bound = [0, 0, 1, 1] }",
            &["layers.floor.floorplan.bound", "did you mean bounds?"],
        ),
        ("floorplan = \"floor.png\"", &["layers.floor.floorplan", "write [layers.floor.floorplan]"]),
    ] {
        let home = tempfile::tempdir().unwrap();
        configure(home.path(), plan);
        let run = kiln(home.path(), ["serve", "-l", "127.0.0.1:0"]);
        assert_ne!(run.code, 0, "{plan}");
        for word in words {
            assert!(run.stderr.contains(word), "`{word}` is missing: {}", run.stderr);
        }
    }
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "floorplan = { image = \"floor.png\", bounds = [0, 0, 1, 1] }");
    let config = std::fs::read_to_string(home.path().join("kiln.toml")).unwrap().replace("\"plane\"", "\"globe\"");
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let run = kiln(home.path(), ["serve", "-l", "127.0.0.1:0"]);
    assert!(
        run.code != 0 && run.stderr.contains("layers.floor.floorplan: the layer is on the globe"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_plan_of_the_config_may_precede_a_stored_layer() {
    let home = tempfile::tempdir().unwrap();
    configure(home.path(), "");
    let plan = "floorplan = { image = \"floor.png\", bounds = [0, 0, 40, 24] }";
    std::fs::write(home.path().join("kiln.toml"), format!("[layers.floor]\nstore = true\n{plan}\n")).unwrap();
    let mut server = Server::at(home, &[]);
    let create = |server: &Server, body: &str| {
        let length = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", &*length)];
        server.send("PUT", "/floor", &headers, body.as_bytes()).ok(201);
    };
    create(&server, "{\"crs\": \"plane\"}");
    for restarted in [false, true] {
        if restarted {
            server.restart();
        }
        let described = server.get("/floor/floorplan.json").ok(200).json();
        assert_eq!(described["bounds"], json!([[0.0, 0.0], [24.0, 40.0]]));
    }
    server.send("DELETE", "/floor", &[], b"").ok(204);
    create(&server, "{}");
    let run = kiln(server.folder(), ["serve", "-l", "127.0.0.1:0", "--read-only"]);
    assert!(run.code != 0 && run.stderr.contains("the layer is on the globe"), "{}", run.stderr);
}
