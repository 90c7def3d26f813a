//! Bounds in EPSG:3857, such as `{bbox-epsg-3857}` of Mapbox and MapLibre.

use serde_json::json;

use crate::server::Server;

const HALF_M: f64 = 20_037_508.342_789_244;

/// The bounds of a tile in meters, as MapLibre substitutes them for `{bbox-epsg-3857}`.
fn bbox(zoom: u32, x: u32, y: u32) -> String {
    let meters = |index: u32| f64::from(index) * 2.0 * HALF_M / f64::from(1_u32 << zoom) - HALF_M;
    let y = (1 << zoom) - 1 - y;
    format!("{},{},{},{}", meters(x), meters(y), meters(x + 1), meters(y + 1))
}

#[test]
fn a_raster_source_of_bounds_in_meters_has_the_bytes_of_the_tiles() {
    let server = Server::start();
    for (zoom, x, y) in [(0, 0, 0), (2, 2, 1), (5, 16, 10), (9, 263, 176), (14, 8365, 5645)] {
        for query in ["", "&scheme=fire&radius=9", "&radius=2km"] {
            let tile =
                server.get(&format!("/cities/{zoom}/{x}/{y}.png?{}", query.trim_start_matches('&'))).ok(200).body;
            for crs in ["3857", "EPSG:3857", "epsg:3857"] {
                let path = format!("/cities/bbox/{}/256x256.png?crs={crs}{query}", bbox(zoom, x, y));
                assert!(server.get(&path).ok(200).body == tile, "{path} differs from the tile");
            }
        }
        let large = server.get(&format!("/cities/{zoom}/{x}/{y}.png?size=512")).ok(200).body;
        let path = format!("/cities/bbox/{}/512x512.png?crs=3857", bbox(zoom, x, y));
        assert!(server.get(&path).ok(200).body == large, "{path} differs from the tile");
    }
}

#[test]
fn all_routes_with_bounds_accept_their_reference_system() {
    let server = Server::start();
    let (degrees, meters) = ("0,0,90,66.51326044311186", format!("0,0,{},{}", HALF_M / 2.0, HALF_M / 2.0));
    for route in [
        "points?limit=50&",
        "points?limit=50&order=weight&format=heat&",
        "legend.json?size=256&",
        "grid?resolution=200km&",
        "matrix?x=weight&y=weight&",
    ] {
        let get = |more: String| server.get(&format!("/cities/{route}{more}"));
        let plain = get(format!("bounds={degrees}"));
        let body = plain.ok(200).body;
        assert!(get(format!("bounds={meters}&crs=EPSG:3857")).ok(200).body == body, "{route}");
        assert!(get(format!("bounds={degrees}&crs=EPSG:4326")).ok(200).body == body, "{route}");
        get(format!("bounds={meters}&crs=EPSG:25832")).rejected(400, &["crs", "EPSG:4326", "EPSG:3857"]);
        assert!(get(format!("bounds={meters}")).status == 400 || !route.starts_with("legend"), "{route}");
    }
    let overlay = |bounds: &str, crs: &str| {
        let body = json!({"layer": "cities", "bounds": bounds, "size": 128, "crs": crs});
        server.post("/overlays", &body).json()["filename"].clone()
    };
    assert_eq!(overlay(&meters, "EPSG:3857"), overlay(degrees, "EPSG:4326"));
    // The whole world is the same in any system.
    let world = |crs: &str| server.get(&format!("/cities/bbox/world/64x64.png?{crs}")).ok(200).body;
    assert!(world("crs=3857") == world(""));
}

#[test]
fn a_layer_on_a_plane_rejects_other_reference_systems() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("desks.csv"), "x,y\n120,40\n1500,900\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.desks]\ninput = \"desks.csv\"\ncrs = \"plane\"\n").unwrap();
    let server = Server::at(home, &[]);
    server.get("/desks/bbox/0,0,1600,1000/160x100.png").ok(200);
    for path in ["/desks/bbox/0,0,1600,1000/160x100.png?crs=3857", "/desks/points?crs=EPSG:4326&bounds=0,0,9,9"] {
        server.get(path).rejected(400, &["crs", "plane"]);
    }
}
