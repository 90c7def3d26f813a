//! Tiles as a slippy map requests them.

use std::path::Path;

use crate::golden::{Picture, assert_same};
use crate::server::{Reply, Server};

/// A fixed span.
const FIXED: &str = "vmin=0&vmax=0.5&scheme=viridis&curve=sqrt";

fn picture(reply: &Reply) -> Picture {
    assert_eq!(reply.header("content-type"), Some("image/png"));
    Picture::decode(std::io::Cursor::new(&reply.body)).unwrap()
}

/// The latitude of the northern edge of a row of tiles at zoom `z`.
fn edge_lat(row: i32, z: u32) -> f64 {
    (std::f64::consts::PI * (1.0 - 2.0 * f64::from(row) / f64::from(1 << z))).sinh().atan().to_degrees()
}

/// The longitude of the western edge of a column of tiles, in any copy of the world.
fn edge_lon(column: i32, z: u32) -> f64 {
    f64::from(column) / f64::from(1 << z) * 360.0 - 180.0
}

/// Two by two tiles in one picture. Columns wrap around at the antimeridian.
fn mosaic(server: &Server, layer: &str, z: u32, [x, y]: [i32; 2], ending: &str) -> Picture {
    let tile = |x: i32, y: i32| {
        let x = x.rem_euclid(1 << z);
        picture(&server.get(&format!("/{layer}/{z}/{x}/{y}{ending}")).ok(200))
    };
    let tiles = [[tile(x, y), tile(x + 1, y)], [tile(x, y + 1), tile(x + 1, y + 1)]];
    let side = tiles[0][0].width;
    let pixels = (0..2 * side * 2 * side).map(|at| {
        let (column, row) = (at % (2 * side), at / (2 * side));
        let tile = &tiles[row / side][column / side];
        let start = 4 * (row % side * side + column % side);
        [tile.pixels[start], tile.pixels[start + 1], tile.pixels[start + 2], tile.pixels[start + 3]]
    });
    Picture::rgba(2 * side, 2 * side, pixels)
}

#[test]
fn four_tiles_equal_a_picture_of_the_same_bounds() {
    let server = Server::start();
    for (case, layer, z, corner, style) in [
        ("europe", "cities", 4, [8, 4], "radius=12"),
        ("city", "cities", 10, [529, 354], "radius=40&kernel=cone"),
        ("antimeridian", "earthquakes", 1, [1, 0], "radius=15"),
        ("fiji", "earthquakes", 5, [31, 17], "radius=30&agg=count"),
        ("arctic", "earthquakes", 2, [0, 0], "radius=20&agg=mean&vmin=2&vmax=5"),
        ("kilometers", "cities", 6, [33, 21], "radius=25km"),
        ("classic", "cities", 4, [8, 4], "blend=classic&dot_size=30"),
    ] {
        let fixed = match style {
            _ if style.contains("classic") => "scheme=fire".to_owned(),
            _ if style.contains("vmin") => FIXED.replace("vmin=0&vmax=0.5&", ""),
            _ => FIXED.to_owned(),
        };
        let [x, y] = corner;
        let (west, east) = (edge_lon(x, z), edge_lon(x + 2, z));
        let (south, north) = (edge_lat(y + 2, z), edge_lat(y, z));
        for dense in if case == "europe" { &["", "@2x", "@3x"][..] } else { &["", "@2x"] } {
            let tiles = mosaic(&server, layer, z, corner, &format!("{dense}.png?{style}&{fixed}"));
            let address = format!("/{layer}/bbox/{west},{south},{east},{north}/512x512{dense}.png?{style}&{fixed}");
            let single = picture(&server.get(&address).ok(200));
            assert!(single.pixels.chunks(4).any(|pixel| pixel[3] > 0), "{case}{dense} shows nothing");
            assert_same(&format!("tiles/{case}{dense}"), &single, &tiles);
        }
    }
}

#[test]
fn a_512_px_tile_equals_four_tiles_of_the_next_zoom() {
    let server = Server::start();
    for dense in ["", "@2x"] {
        let large = picture(&server.get(&format!("/cities/3/4/2{dense}.png?size=512&{FIXED}")).ok(200));
        let four = mosaic(&server, "cities", 4, [8, 4], &format!("{dense}.png?{FIXED}"));
        assert_same(&format!("tiles/512{dense}"), &four, &large);
    }
    // As many pixels as an @2x tile, but dots half as wide.
    let large = picture(&server.get(&format!("/cities/3/4/2.png?size=512&{FIXED}")).ok(200));
    let dense = picture(&server.get(&format!("/cities/3/4/2@2x.png?{FIXED}")).ok(200));
    assert_eq!((large.width, dense.width), (512, 512));
    assert_ne!(large, dense);
}

#[test]
fn tiles_are_cached_by_the_server_and_by_clients() {
    let server = Server::start();
    let path = "/cities/4/8/5.png?scheme=fire";
    let first = server.get(path).ok(200);
    assert_eq!(first.header("cache-control"), Some("public, max-age=60"));
    let tag = first.header("etag").unwrap();
    let again = server.get(path).ok(200);
    assert_eq!((&again.body, again.header("etag")), (&first.body, Some(tag)));
    let not_modified = server.send("GET", path, &[("if-none-match", tag)], b"").ok(304);
    assert_eq!((not_modified.body.len(), not_modified.header("etag")), (0, Some(tag)));
    let head = server.send("HEAD", path, &[], b"").ok(200);
    assert_eq!(head.header("content-length"), Some(first.body.len().to_string().as_str()));
    assert!(head.body.is_empty());
    let metrics = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    assert!(metrics.contains("kiln_cache_requests_total{outcome=\"Miss\"} 1\n"), "{metrics}");
    assert!(metrics.contains("route=\"/{layer}/{z}/{x}/{y}\",method=\"GET\",status=\"200\"} 2\n"), "{metrics}");
    // Each style, tile, size and pixel ratio has its own ETag.
    let mut etags = vec![tag.to_owned()];
    for path in [
        "/cities/4/8/5.png?scheme=omg",
        "/cities/4/8/6.png?scheme=fire",
        "/cities/4/8/5@2x.png?scheme=fire",
        "/cities/4/8/5.png?scheme=fire&size=512",
        "/earthquakes/4/8/5.png?scheme=fire",
    ] {
        server.send("GET", path, &[("if-none-match", tag)], b"").ok(200);
        etags.push(server.get(path).ok(200).header("etag").unwrap().to_owned());
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 6);
    // ETags are compared before a tile is rendered.
    let restarted = Server::start();
    restarted.send("GET", path, &[("if-none-match", tag)], b"").ok(304);
}

#[test]
fn tiles_with_the_version_in_their_url_are_immutable() {
    let server = Server::start();
    let catalog = server.get("/catalog").ok(200).json();
    let version = catalog["layers"][0]["version"].as_str().unwrap();
    let named = server.get(&format!("/cities/2/2/1.png?v={version}")).ok(200);
    assert_eq!(named.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let plain = server.get("/cities/2/2/1.png").ok(200);
    // GDAL appends endings to the URL of a picture, and to those of the files that it finds.
    server.get(&format!("/cities/2/2/1.png?v={version}.ovr")).rejected(400, &["v:", "TileJSON"]);
    let old = server.get("/cities/2/2/1.png?v=older").ok(200);
    for reply in [&plain, &old] {
        assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
        assert_eq!((&reply.body, reply.header("etag")), (&named.body, named.header("etag")));
    }
    let tag = named.header("etag").unwrap();
    let not_modified =
        server.send("GET", &format!("/cities/2/2/1.png?v={version}"), &[("if-none-match", tag)], b"").ok(304);
    assert!(not_modified.header("cache-control").unwrap().contains("immutable"));
    // The bbox route has no such parameter.
    server.get(&format!("/cities/bbox/0,40,10,50/32x32.png?v={version}")).rejected(400, &["v: unknown parameter"]);
}

#[test]
fn an_empty_tile_is_a_picture_or_status_204_or_404() {
    // In the middle of the South Pacific.
    let path = "/cities/6/8/44.png";
    let with = |status: &str| Server::with(&[], &format!("[server]\nempty_tile = {status}\n"));
    for server in [Server::start(), with("\"200\"")] {
        for (ending, side) in [(".png", 256), ("@2x.png", 512), (".png?size=512", 512)] {
            let empty = picture(&server.get(&path.replace(".png", ending)).ok(200));
            assert_eq!((empty.width, empty.height), (side, side));
            assert!(empty.pixels.iter().skip(3).step_by(4).all(|&alpha| alpha == 0));
        }
    }
    let (nothing, missing) = (with("204"), with("\"404\""));
    for _ in 0..2 {
        let reply = nothing.get(path).ok(204);
        assert_eq!((reply.body.len(), reply.header("content-type")), (0, None));
        assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
        let reply = missing.get(path);
        reply.rejected(404, &["tile is empty"]);
        assert_eq!(reply.header("cache-control"), Some("public, max-age=60"));
    }
    for server in [nothing, missing] {
        server.get("/cities/6/33/21.png").ok(200);
        // A tile with a background is never empty, and a bbox picture is always returned.
        picture(&server.get(&format!("{path}?background=white")).ok(200));
        picture(&server.get("/cities/bbox/-130,-56,-129,-55/32x32.png").ok(200));
        let classic = server.get(&format!("{path}?blend=classic"));
        assert!(matches!(classic.status, 204 | 404), "{classic:?}");
    }
}

#[test]
fn tiles_can_be_filtered() {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,weight,kind,time\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let server = Server::at(home, &["stops.csv"]);
    let rendered = |query: &str| server.get(&format!("/stops/8/140/75.png?vmin=0&vmax=1&{query}")).ok(200).body;
    let (all, bus, tram) = (rendered(""), rendered("category=bus"), rendered("category=tram"));
    assert!(all != bus && all != tram && bus != tram);
    assert_eq!((rendered("start=2024-01-15"), rendered("category=bus,tram")), (tram, all));
    server.get("/stops/8/140/75.png?category=bus&start=soon").rejected(400, &["start"]);
}

#[test]
fn invalid_tile_requests_are_rejected_with_the_accepted_values() {
    let server = Server::start();
    for (path, status, words) in [
        ("/cities/4/8/5", 404, &[".png"][..]),
        ("/cities/4/8/5.webp", 400, &["y:", "`5.webp`", "PNG"]),
        ("/cities/4/8/5.pbf", 400, &["y:", "PNG"]),
        ("/cities/4/8/5@5x.png", 400, &["y:", "`5@5x`", "@3x"]),
        ("/cities/4/8/x.png", 400, &["y:", "whole number"]),
        ("/cities/4/-8/5.png", 400, &["x:", "whole number"]),
        ("/cities/four/8/5.png", 400, &["z:", "whole number"]),
        ("/cities/25/0/0.png", 404, &["zoom 25 exceeds 24"]),
        ("/cities/4/16/5.png", 404, &["less than 16"]),
        ("/cities/4/8/16.png", 404, &["less than 16"]),
        ("/cities/4/99999999999999/0.png", 404, &["less than 16"]),
        ("/citys/4/8/5.png", 404, &["did you mean cities"]),
        ("/cities/4/8/5.png?size=300", 400, &["size:", "256", "512"]),
        ("/cities/4/8/5.png?projection=platecarree", 400, &["projection:", "mercator", "bbox"]),
        ("/cities/4/8/5.png?radios=5", 400, &["did you mean radius"]),
        ("/cities/4/8/5.png?radius=5&radius=6", 400, &["twice"]),
        ("/cities/4/8/5.png?radius=600", 400, &["radius:", "limits.radius_px"]),
        ("/cities/4/8/5@2x.png?radius=300", 400, &["radius:", "600"]),
        ("/cities/15/0/0.png?radius=100km", 400, &["radius:", "limits.radius_px"]),
        ("/cities/4/8/5.png?scheme=virids", 400, &["viridis"]),
        ("/cities/4/8/5.png?bounds=world", 400, &["bounds: unknown parameter"]),
        ("/cities/4/8/5.png?vmin=5&vmax=1", 400, &["vmin", "not below"]),
        ("/cities/4/8/5.png?start=2024&end=2023", 400, &["start", "before end"]),
        ("/cities/4/8/5.png?category=bus", 400, &["category", "no category column"]),
    ] {
        server.get(path).rejected(status, words);
        let same = server.send("GET", path, &[("if-none-match", "*")], b"");
        assert!(same.status == status || path.ends_with("category=bus"), "{path}: {same:?}");
    }
    let narrow = Server::with(&[], "[limits]\npixels = 100000\n");
    narrow.get("/cities/4/8/5.png").ok(200);
    narrow.get("/cities/4/8/5@2x.png").rejected(400, &["size:", "limits.pixels"]);
    server.send("DELETE", "/cities/4/8/5.png", &[], b"").rejected(405, &["Allow"]);
}

#[test]
fn etags_survive_a_restart_unless_the_colors_change() {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,weight,category\n18.07,59.33,2,bus\n17.64,59.86,1,tram\n";
    std::fs::write(home.path().join("trips.csv"), rows).unwrap();
    std::fs::create_dir(home.path().join("schemes")).unwrap();
    let scheme = |folder: &Path, colors: &str| std::fs::write(folder.join("schemes/mine.txt"), colors).unwrap();
    scheme(home.path(), "black\nwhite\n");
    let mut server = Server::at(home, &["trips.csv"]);
    let polygon = r#"{"type": "Polygon", "coordinates": [[[0, 40], [30, 40], [30, 70], [0, 70], [0, 40]]]}"#;
    let colored = [
        ("GET", "/trips/5/17/9.png?scheme=mine&category=bus", ""),
        ("GET", "/trips/bbox/10,55,20,62/300x200@2x.png?scheme=mine&vmax=3", ""),
        ("GET", "/trips/legend.png?scheme=mine&zoom=4", ""),
        ("POST", "/trips/5/17/9.png?scheme=mine", polygon),
        ("POST", "/trips/bbox/10,55,20,62/300x200.tif?scheme=mine", polygon),
    ];
    let plain = [
        ("GET", "/trips/5/17/9.png?radius=12.5&gradient=blue,red", ""),
        ("GET", "/trips/points?format=heat&category=bus,tram", ""),
        ("GET", "/assets/land.json", ""),
    ];
    let etags = |server: &Server, requests: &[(&str, &str, &str)]| -> Vec<String> {
        let tag = |(method, path, body): &(&str, &str, &str)| {
            let reply = server.send(method, path, &[("content-type", "application/json")], body.as_bytes()).ok(200);
            reply.header("etag").unwrap().to_owned()
        };
        requests.iter().map(tag).collect()
    };
    let before = (etags(&server, &colored), etags(&server, &plain));
    server.restart();
    assert_eq!((etags(&server, &colored), etags(&server, &plain)), before);
    scheme(server.folder(), "black\nred\n");
    server.restart();
    assert_eq!(etags(&server, &plain), before.1);
    for (now, before) in etags(&server, &colored).iter().zip(&before.0) {
        assert_ne!(now, before);
    }
}
