//! Tiles, shading and descriptions of layers on a plane.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::golden::{Picture, assert_same};
use crate::server::{Reply, Server};

/// A server with the layer `floor`: 600 visitors of a floor of 40 m × 24 m, west and south of which is the origin, in a
/// cluster of the north and a thin spread elsewhere, and a few south-west of the origin.
fn floor() -> Server {
    let home = tempfile::tempdir().unwrap();
    let mut rows = "x,y,dwell,time,space\n".to_owned();
    let mut random = Random(7);
    for index in 0..600 {
        let (x, y) = match index % 3 {
            0 => (12.0 + 3.0 * random.share(), 15.0 + 4.0 * random.share()),
            1 => (40.0 * random.share(), 24.0 * random.share()),
            _ => (-9.0 * random.share(), -5.0 * random.share()),
        };
        let space = ["lobby", "hall"][index % 2];
        writeln!(rows, "{x:.3},{y:.3},{},2024-05-0{}T10:00:00Z,{space}", 1 + index % 9, 1 + index % 4).unwrap();
    }
    std::fs::write(home.path().join("floor.csv"), rows).unwrap();
    let config = "[layers.floor]\ninput = \"floor.csv\"\nprojection = \"plane\"\nweight = \"dwell\"\ncategory = \"space\"\n\
                  [layers.point]\ninput = \"point.csv\"\nprojection = \"plane\"\n";
    std::fs::write(home.path().join("point.csv"), "x,y\n3,4\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

/// A linear congruential generator (Knuth, MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / f64::from(1u32 << 31)
    }

    fn within(&mut self, first: i64, end: i64) -> i64 {
        first + (self.share() * (end - first) as f64) as i64
    }
}

fn picture(reply: &Reply) -> Picture {
    assert_eq!(reply.header("content-type"), Some("image/png"));
    Picture::decode(std::io::Cursor::new(&reply.body)).unwrap()
}

/// The URL of the bounds of `count` × `count` tiles from tile (x, y).
fn bbox_of(zoom: i32, [x, y]: [i64; 2], count: i64, size: &str) -> String {
    let meters = |index: i64| index as f64 * 256.0 / 2f64.powi(zoom);
    let [west, south, east, north] = [meters(x), -meters(y + count), meters(x + count), -meters(y)];
    format!("/floor/bbox/{west},{south},{east},{north}/{size}.png")
}

/// Two by two tiles in one picture.
fn mosaic(server: &Server, zoom: i32, [x, y]: [i64; 2], ending: &str) -> Picture {
    let tile = |x: i64, y: i64| picture(&server.get(&format!("/floor/{zoom}/{x}/{y}{ending}")).ok(200));
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

/// The number of distinct colors of a picture.
fn colors(picture: &Picture) -> usize {
    picture.pixels.chunks(4).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn four_tiles_equal_a_picture_of_twice_the_size() {
    let server = floor();
    let mut random = Random(3);
    let mut occupied = 0;
    for case in 0..15 {
        let zoom = random.within(-3, 8) as i32;
        // A corner of tiles near the points, at any zoom.
        let scale = 2f64.powi(zoom) / 256.0;
        let at =
            |from: f64, to: f64, random: &mut Random| ((from + (to - from) * random.share()) * scale).floor() as i64;
        let corner = [at(-9.0, 40.0, &mut random) - 1, at(-24.0, 5.0, &mut random) - 1];
        let query = ["radius=12", "radius=1.5m", "agg=count&curve=sqrt", "agg=mean&radius=8", "curve=eqhist"][case % 4];
        let (ending, size) = if case % 3 == 0 { ("@2x", "512x512@2x") } else { ("", "512x512") };
        let tiles = mosaic(&server, zoom, corner, &format!("{ending}.png?{query}"));
        let whole = picture(&server.get(&format!("{}?{query}", bbox_of(zoom, corner, 2, size))).ok(200));
        assert_same(&format!("plane {case}: {zoom} {corner:?} {query}"), &whole, &tiles);
        occupied += u32::from(colors(&tiles) > 8);
    }
    assert!(occupied >= 10, "only {occupied} of the pictures have points");
}

#[test]
fn a_tile_and_a_picture_of_its_bounds_are_the_same_bytes() {
    let server = floor();
    for (zoom, x, y) in [(4, 0, -2), (4, -1, 0), (0, 0, -1), (-2, -1, -1), (6, 3, -4), (7, 6, -9)] {
        for query in ["", "?curve=log&scheme=viridis", "?radius=2m&agg=max", "?vmin=0&vmax=3"] {
            let tile = server.get(&format!("/floor/{zoom}/{x}/{y}.png{query}")).ok(200);
            let bbox = server.get(&format!("{}{query}", bbox_of(zoom, [x, y], 1, "256x256"))).ok(200);
            assert!(tile.body == bbox.body, "{zoom}/{x}/{y} {query}");
        }
    }
    // Tiles of 512 pixels have the bounds of those of 256.
    let large = server.get("/floor/4/0/-2.png?size=512").ok(200);
    assert!(large.body == server.get(&bbox_of(4, [0, -2], 1, "512x512")).ok(200).body);
}

#[test]
fn tiles_north_of_the_origin_have_negative_rows() {
    let server = floor();
    // The single point (3, 4) is at pixel column 48 and row 256 − 64 of the tile north-east of the origin at zoom 4.
    let tile = picture(&server.get("/point/4/0/-1.png?radius=6").ok(200));
    let alpha = |column: usize, row: usize| tile.pixels[4 * (row * 256 + column) + 3];
    assert!(alpha(48, 192) > 0 && alpha(48, 64) == 0 && alpha(208, 192) == 0);
    for empty in ["0/0", "-1/-1", "-1/0"] {
        assert_eq!(colors(&picture(&server.get(&format!("/point/4/{empty}.png?radius=6")).ok(200))), 1, "{empty}");
    }
}

#[test]
fn pictures_of_one_scale_and_their_legends_have_one_span() {
    let server = floor();
    let span = |path: &str| server.get(path).ok(200).json()["span"].clone();
    let expected = span("/floor/legend.json?zoom=4&radius=12");
    assert!(expected["vmax"].as_f64().unwrap() > 0.0, "{expected}");
    // 16 pixels per meter, of the cluster and of the thin spread.
    for (bounds, size) in [("0,0,32,16", "512x256"), ("-16,-16,0,0", "256x256"), ("30,1,33,5", "48x64")] {
        assert_eq!(span(&format!("/floor/legend.json?bounds={bounds}&size={size}&radius=12")), expected, "{bounds}");
        let [west, south, east, north]: [f64; 4] = serde_json::from_str(&format!("[{bounds}]")).unwrap();
        let size: Vec<u32> = size.split('x').map(|side| side.parse().unwrap()).collect();
        let request = json!({"layer": "floor", "bounds": [[south, west], [north, east]], "size": size, "radius": 12});
        assert_eq!(server.post("/overlays", &request).ok(201).json()["span"], expected, "{bounds}");
    }
    assert_ne!(span("/floor/legend.json?zoom=6&radius=12"), expected);
    let png = |path: &str| server.get(path).ok(200).body;
    assert!(
        png("/floor/legend.png?zoom=4&radius=12") == png("/floor/legend.png?bounds=0,0,32,16&size=512x256&radius=12")
    );
    assert_eq!(span("/floor/legend.json?zoom=4&blend=classic&dot_size=20"), Value::Null);
    server.get("/floor/4/0/-1.png?blend=classic&dot_size=20").ok(200);
}

#[test]
fn invalid_tiles_of_a_plane_are_rejected() {
    let server = floor();
    for (path, status, words) in [
        ("25/0/0.png", 404, &["zoom 25", "-20 to 24"][..]),
        ("-21/0/0.png", 404, &["zoom -21"]),
        ("0/274877906944/0.png", 404, &["too far from the origin"]),
        ("0/0/-99999999999999999999.png", 404, &["too far from the origin"]),
        ("0/0/1.5.png", 400, &["y:", "whole number"]),
        ("0/+1/0.png", 400, &["x:", "whole number"]),
        ("0/0/-1@5x.png", 400, &["pixel ratio"]),
        ("0/0/-1.png?projection=mercator", 400, &["projection:", "plane"]),
        ("20/0/0.png?radius=10m", 400, &["radius:", "limits.radius_px"]),
    ] {
        server.get(&format!("/floor/{path}")).rejected(status, words);
    }
    // The outermost tiles are empty, not errors.
    for path in ["24/-274877906944/274877906943.png", "-20/0/0.png", "24/0/-1.png"] {
        server.get(&format!("/floor/{path}")).ok(200);
    }
}

#[test]
fn tiles_of_a_plane_are_cached_by_their_etag() {
    let server = floor();
    let version = server.get("/floor").ok(200).json()["kiln"]["version"].as_str().unwrap().to_owned();
    let path = format!("/floor/4/0/-2.png?v={version}");
    let tile = server.get(&path).ok(200);
    let tag = tile.header("etag").unwrap().to_owned();
    assert!(tile.header("cache-control").unwrap().contains("immutable"));
    let again = server.send("GET", &path, &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    for other in ["/floor/4/0/-1.png", "/floor/4/0/2.png", "/floor/-4/0/-2.png", "/floor/4/0/-2@2x.png"] {
        assert_ne!(server.get(other).ok(200).header("etag"), Some(&*tag), "{other}");
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("point.csv"), "x,y\n3,4\n").unwrap();
    let config = "[server]\nempty_tile = 204\n[layers.point]\ninput = \"point.csv\"\nprojection = \"plane\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    server.get("/point/4/5/5.png").ok(204);
    server.get("/point/4/0/-1.png").ok(200);
}

#[test]
fn tilejson_of_a_plane_is_in_meters() {
    let server = floor();
    let reply = server.get("/floor?radius=6").ok(200).json();
    assert_eq!((&reply["crs"], &reply["scheme"]), (&json!("plane"), &json!("xyz")));
    // About 49 m: 196 pixels at zoom 2, and 784 at zoom 4.
    assert_eq!((&reply["minzoom"], &reply["maxzoom"], &reply["center"][2]), (&json!(2), &json!(7), &json!(4)));
    let [west, south, east, north]: [f64; 4] = serde_json::from_value(reply["bounds"].clone()).unwrap();
    // The reach of a dot at zoom 2: 6 · 5/3 + 1 pixels of 25 cm.
    assert!((-11.8..-11.0).contains(&west) && (-7.8..-7.0).contains(&south), "{reply}");
    assert!((42.0..=42.75).contains(&east) && (26.0..=26.75).contains(&north), "{reply}");
    let center = reply["center"][0].as_f64().unwrap();
    assert!((15.0..16.5).contains(&center), "{reply}");
    let corners = &reply["kiln"]["bounds"];
    assert_eq!(corners, &server.get("/catalog").ok(200).json()["layers"][0]["bounds"]);
    let host = format!("http://{}", server.address());
    let template = reply["tiles"][0].as_str().unwrap().strip_prefix(&host).unwrap().to_owned();
    let tile = template.replace("{z}", "4").replace("{x}", "0").replace("{y}", "-1");
    assert!(server.get(&tile).ok(200).body == server.get("/floor/4/0/-1.png?radius=6").ok(200).body);
    let point = server.get("/point").ok(200).json();
    assert_eq!(point["center"], json!([3.0, 4.0, 7]));
    // A radius in meters has a limit in pixels.
    let limited = server.get("/floor?radius=20m").ok(200).json();
    assert!(limited["maxzoom"].as_i64().unwrap() < 7, "{limited}");
    let globe = Server::start();
    assert_eq!(globe.get("/cities").ok(200).json().get("crs"), None);
    let crs = |server: &Server| server.get("/catalog").ok(200).json()["layers"][0]["crs"].clone();
    assert_eq!((crs(&server), crs(&globe)), (json!("plane"), json!("EPSG:4326")));
}

#[test]
fn values_statistics_and_frames_of_a_plane_are_those_of_its_tiles() {
    let server = floor();
    let at = |location: &str, query: &str| server.get(&format!("/floor/point/{location}?{query}")).ok(200).json();
    let value = at("13.5,17", "z=4&radius=12&categories=2");
    assert_eq!((&value["x"], &value["y"], &value["z"]), (&json!(13.5), &json!(17.0), &json!(4)));
    assert_eq!((value.get("lon"), &value["radius_px"], &value["radius_m"]), (None, &json!(12.0), &json!(0.75)));
    assert!(value["value"].as_f64().unwrap() > 0.0 && value["points"].as_u64().unwrap() > 0, "{value}");
    assert!(value["percentile"].as_f64().unwrap() > 50.0, "{value}");
    assert_eq!(value["categories"].as_array().unwrap().len(), 2);
    let outside = at("30,-20", "z=4&radius=12");
    assert_eq!((&outside["value"], &outside["points"]), (&json!(0.0), &json!(0)));
    // The value is that of the tile: with it as vmax, the pixel has the hottest color.
    let vmax = value["value"].as_f64().unwrap();
    let tile = picture(&server.get(&format!("/floor/4/0/-2.png?radius=12&vmin=0&vmax={vmax}&scheme=gray")).ok(200));
    let pixel = 4 * ((512 - 17 * 16) * 256 + 216);
    assert_eq!(tile.pixels[pixel], 255);
    let default = at("13.5,17", "");
    assert_eq!(default["z"], server.get("/floor").ok(200).json()["center"][2]);
    for (path, words) in [
        ("13.5", &["x,y", "`13.5`"][..]),
        ("13.5,inf", &["y", "finite"]),
        ("a,1", &["x", "`a`"]),
        ("1e300,1", &["x", "too far"]),
        ("1,1?z=25", &["z", "-20 to 24"]),
    ] {
        server.get(&format!("/floor/point/{path}")).rejected(400, words);
    }

    let statistics = server.get("/floor/statistics?radius=12").ok(200).json();
    let zooms: Vec<i64> =
        statistics["zooms"].as_array().unwrap().iter().map(|zoom| zoom["z"].as_i64().unwrap()).collect();
    assert_eq!((zooms, &statistics["points"]), ((2..=7).collect(), &json!(600)));
    let span = server.get("/floor/legend.json?zoom=4&radius=12").ok(200).json()["span"].clone();
    assert_eq!((&statistics["zooms"][2]["vmax"], &statistics["zooms"][2]["unit"]), (&span["vmax"], &span["unit"]));
    let some = server.get("/floor/statistics?zoom=-3--1").ok(200).json();
    assert_eq!((some["zooms"].as_array().unwrap().len(), &some["zooms"][0]["z"]), (3, &json!(-3)));
    assert_eq!(server.get("/floor/statistics?zoom=-2").ok(200).json()["zooms"][0]["z"], -2);
    for zoom in ["-21", "25", "3-1", "1-", "x", ""] {
        server.get(&format!("/floor/statistics?zoom={zoom}")).rejected(400, &["zoom", "-20 to 24"]);
    }

    let frames = server.get("/floor/frames?every=1d&zoom=4&radius=12").ok(200).json();
    assert_eq!((&frames["zoom"], frames["frames"].as_array().unwrap().len()), (&json!(4), 4));
    assert!(frames["span"]["vmax"].as_f64().unwrap() > 0.0, "{frames}");
    let points = server.get("/floor/points?bounds=-20,-20,0,0").ok(200).json();
    assert_eq!(points["total"], 200);
}
