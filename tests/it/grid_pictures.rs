//! Pictures of occupancy grids.

use std::io::Cursor;

use crate::golden::Picture;
use crate::grid::office;
use crate::server::{Reply, Server};

fn picture(reply: Reply) -> Picture {
    let reply = reply.ok(200);
    assert_eq!(reply.header("content-type"), Some("image/png"));
    Picture::decode(Cursor::new(reply.body)).unwrap()
}

/// The RGBA of a pixel.
fn at(picture: &Picture, x: usize, y: usize) -> [u8; 4] {
    let start = 4 * (y * picture.width + x);
    picture.pixels[start..start + 4].try_into().unwrap()
}

fn bounds(server: &Server, path: &str) -> Vec<f64> {
    let reply = server.get(path).ok(200);
    reply.header("kiln-bounds").unwrap().split(',').map(|edge| edge.parse().unwrap()).collect()
}

#[test]
fn cells_are_squares_of_whole_pixels_with_exact_edges() {
    let server = office("");
    let path = "/office/grid?resolution=0.5&format=png&cell_px=8&bounds=-0.5,-0.5,1,1";
    let cells = picture(server.get(path));
    assert_eq!((cells.width, cells.height), (24, 24));
    assert_eq!(bounds(&server, path), [-0.5, -0.5, 1.0, 1.0]);
    // North is up: the cell of the origin is in the middle, the one of four points.
    let hot = at(&cells, 8, 15);
    for y in 0..24 {
        for x in 0..24 {
            let is_hot = (8..16).contains(&x) && (8..16).contains(&y);
            let is_cold = (16..24).contains(&x) && (8..16).contains(&y) || x < 8 && y >= 16;
            let pixel = at(&cells, x, y);
            match (is_hot, is_cold) {
                (true, _) => assert_eq!(pixel, hot, "{x},{y}"),
                (_, true) => assert!(pixel != hot && pixel[3] == 255, "{x},{y}: {pixel:?}"),
                _ => assert_eq!(pixel[3], 0, "{x},{y}: an empty cell is transparent"),
            }
        }
    }
    let sized = picture(server.get("/office/grid?resolution=0.5&format=png&size=100&bounds=-0.5,-0.5,1,1"));
    assert_eq!((sized.width, sized.height), (99, 99), "33 pixels per cell");
    // Without bounds, the picture has the extent of the layer.
    assert_eq!(bounds(&server, "/office/grid?resolution=0.5&format=png"), [-0.5, -0.5, 10.0, 8.0]);
}

#[test]
fn empty_cells_in_the_list_are_transparent() {
    let server = office("");
    let path = "/office/grid?resolution=0.5&format=png&cell_px=1&omit_empty=false&bounds=2,2,4,4";
    assert!(picture(server.get(path)).pixels.chunks(4).all(|pixel| pixel[3] == 0));
}

#[test]
fn differences_diverge_from_no_difference() {
    let server = office("");
    let path = "/office/grid?resolution=0.5&format=png&cell_px=1&bounds=-0.5,-0.5,6,4&category=floor-1\
                &start=2024-01-08&end=2024-01-15&compare=2024-01-01/2024-01-08";
    let reply = server.get(path);
    assert_eq!(reply.header("kiln-span"), Some("-1,1 points"));
    let cells = picture(reply);
    // As many in both weeks, and fewer in the second.
    let (same, fewer) = (at(&cells, 1, 7), at(&cells, 11, 0));
    assert!(same.iter().all(|channel| *channel > 250), "white: {same:?}");
    assert!(fewer[2] > 200 && fewer[0] < 10, "blue: {fewer:?}");
    let faded = picture(server.get(&format!("{path}&opacity=value")));
    assert_eq!((at(&faded, 1, 7)[3], at(&faded, 11, 0)[3]), (0, 255));
}

#[test]
fn smoothed_pictures_and_contours_surround_the_points() {
    let server = office("");
    let path = "/office/grid?resolution=0.5&picture=heat&size=200x160&bounds=0,0,10,8&radius=1m";
    let heat = picture(server.get(path));
    assert_eq!((heat.width, heat.height), (200, 160));
    assert_eq!(bounds(&server, path), [0.0, 0.0, 10.0, 8.0]);
    // The point at 5.25, 3.75 is at pixel 105, 85 from the north.
    assert!(at(&heat, 105, 85)[3] > 50 && at(&heat, 50, 20)[3] == 0);

    let contours = picture(server.get(&path.replace("heat", "contours")));
    let lines = contours.pixels.chunks(4).filter(|pixel| pixel[3] > 0).count();
    assert!((50..16_000).contains(&lines), "{lines}");
    let geojson = server.get(&format!("{}&format=geojson", path.replace("heat", "contours"))).ok(200).json();
    let features = geojson["features"].as_array().unwrap();
    assert!(features.len() >= 3 && geojson["coordinate_space"] == "plane, in meters");
    for feature in features {
        assert_eq!(feature["geometry"]["type"], "LineString");
        assert!(feature["properties"]["value"].as_f64().unwrap() > 0.0);
        let positions: Vec<[f64; 2]> = serde_json::from_value(feature["geometry"]["coordinates"].clone()).unwrap();
        assert!(positions.iter().all(|[x, y]| (0.0..=10.0).contains(x) && (0.0..=8.0).contains(y)));
    }
}

#[test]
fn terrain_has_the_heights_of_the_stated_scale() {
    let server = office("");
    let path = "/office/grid?resolution=0.5&picture=terrain&size=100x80&bounds=0,0,10,8&radius=1m";
    let highest = |path: &str| {
        let reply = server.get(path).ok(200);
        let scale: f64 = reply.header("kiln-height-scale").unwrap().parse().unwrap();
        let max: f64 = reply.header("kiln-span").unwrap().split([',', ' ']).nth(1).unwrap().parse().unwrap();
        let height = |pixel: &[u8]| {
            f64::from(u32::from(pixel[0]) * 65_536 + u32::from(pixel[1]) * 256 + u32::from(pixel[2])) * 0.1 - 10_000.0
        };
        let picture = Picture::decode(Cursor::new(reply.body)).unwrap();
        let heights = picture.pixels.chunks(4).map(height);
        let (low, high) = heights.fold((f64::MAX, f64::MIN), |(low, high), height| (low.min(height), high.max(height)));
        assert!(low.abs() < 0.06 && (high - max * scale).abs() < 0.06, "{low} {high} {max} {scale}");
        high
    };
    assert!((highest(path) - 1000.0).abs() < 0.06);
    assert!(highest(&format!("{path}&height_scale=2")) < 100.0);
}

#[test]
fn layers_on_the_globe_are_drawn_in_web_mercator() {
    let server = office("");
    let cells = picture(server.get("/stops/grid?resolution=100km&format=png&bounds=-10,40,30,65&size=64"));
    assert!(cells.width == 64 || cells.height == 64);
    assert!(cells.pixels.chunks(4).any(|pixel| pixel[3] > 0) && cells.pixels.chunks(4).any(|pixel| pixel[3] == 0));
    let heat = picture(server.get("/stops/grid?resolution=100km&picture=heat&bounds=-10,40,30,65&size=64"));
    assert!(heat.pixels.chunks(4).any(|pixel| pixel[3] > 0));
}
