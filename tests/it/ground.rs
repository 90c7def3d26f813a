//! Kilometers and values per km², which hold at every latitude and need no pinned parameter.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::geotiff::gdalinfo;
use crate::golden::{Picture, assert_same, check};
use crate::kiln::{data, kiln};
use crate::server::{Server, eventually};

/// West, south, east and north of a tile.
fn tile_bounds(z: u32, x: u32, y: u32) -> [f64; 4] {
    let tiles = f64::from(1 << z);
    let lon = |column: u32| f64::from(column) / tiles * 360.0 - 180.0;
    let lat = |row: u32| (std::f64::consts::PI * (1.0 - 2.0 * f64::from(row) / tiles)).sinh().atan().to_degrees();
    [lon(x), lat(y + 1), lon(x + 1), lat(y)]
}

#[test]
fn a_picture_of_the_bounds_of_a_tile_equals_the_tile_without_pinned_parameters() {
    let server = Server::start();
    let tiles = [("cities", 2, 2, 1), ("cities", 5, 17, 9), ("cities", 7, 70, 36), ("earthquakes", 3, 0, 2)];
    for style in [
        "radius=60km",
        "radius=20",
        "radius=40km&kernel=cone&curve=eqhist",
        "radius=50km&agg=mean&normalize=max",
        "radius=30km&kernel=quartic&agg=max",
        "radius=60km&units=per_px",
    ] {
        for (layer, z, x, y) in tiles {
            let [west, south, east, north] = tile_bounds(z, x, y);
            let tile = server.get(&format!("/{layer}/{z}/{x}/{y}.png?{style}")).ok(200).body;
            let picture = server.get(&format!("/{layer}/bbox/{west},{south},{east},{north}/256x256.png?{style}"));
            assert!(picture.ok(200).body == tile, "{layer}/{z}/{x}/{y} {style}");
        }
    }
}

/// A server of one layer with these rows of longitude, latitude and weight.
fn server_of(rows: &[(f64, f64, f64)]) -> Server {
    let home = tempfile::tempdir().unwrap();
    let mut csv = "lon,lat,weight\n".to_owned();
    for (lon, lat, weight) in rows {
        writeln!(csv, "{lon},{lat},{weight}").unwrap();
    }
    std::fs::write(home.path().join("dots.csv"), csv).unwrap();
    Server::at(home, &["dots.csv"])
}

#[test]
fn a_dot_has_the_same_value_and_size_at_every_latitude() {
    let lats = [0.0, 45.0, 70.0, -80.0];
    let dots: Vec<_> = (-3i32..).zip(lats).map(|(i, lat)| (f64::from(i) * 30.0, lat, 5.0)).collect();
    let server = server_of(&dots);
    let value = |lon: f64, lat: f64| {
        let reply = server.get(&format!("/dots/point/{lon},{lat}?z=11&radius=10km")).ok(200).json();
        assert_eq!(reply["unit"], "weight per km²");
        reply
    };
    // The peak of a Gaussian with a standard deviation of a third of the radius.
    let sigma_km = 10.0 / 3.0;
    let peak = 5.0 / (2.0 * std::f64::consts::PI * sigma_km * sigma_km);
    let km_per_degree = 6378.137 * std::f64::consts::PI / 180.0;
    for (lon, lat, _) in dots {
        let center = value(lon, lat);
        assert!((center["value"].as_f64().unwrap() / peak - 1.0).abs() < 0.01, "{lat}: {center}");
        assert!((center["radius_m"].as_f64().unwrap() - 10_000.0).abs() < 1e-6, "{center}");
        assert_eq!(center["points"], 1);
        // At one standard deviation to the north and to the east.
        let degrees = sigma_km / km_per_degree;
        for (lon, lat) in [(lon, lat + degrees), (lon + degrees / lat.to_radians().cos(), lat)] {
            let share = value(lon, lat)["value"].as_f64().unwrap() / center["value"].as_f64().unwrap();
            assert!((share - (-0.5f64).exp()).abs() < 0.015, "{lat}: {share}");
        }
        // Points are counted within 10 km.
        for (km, points) in [(9.9, 1), (10.1, 0)] {
            assert_eq!(value(lon, lat + km / km_per_degree)["points"], points, "{lat}: {km} km");
            let east = km / km_per_degree / lat.to_radians().cos();
            assert_eq!(value(lon + east, lat)["points"], points, "{lat}: {km} km to the east");
        }
    }
}

#[test]
fn legends_statistics_and_frames_have_the_same_unit_at_every_latitude() {
    let server = Server::start();
    let unit = |path: &str, pointer: &str| {
        let json = server.get(path).ok(200).json();
        json.pointer(pointer).unwrap_or_else(|| panic!("{path} has no {pointer}: {json}")).as_str().unwrap().to_owned()
    };
    assert_eq!(unit("/cities/legend.json?zoom=3", "/span/unit"), "population per km²");
    assert_eq!(unit("/cities/legend.json?bounds=10,60,20,70&size=100x100", "/span/unit"), "population per km²");
    assert_eq!(unit("/earthquakes/legend.json?zoom=3&agg=count", "/span/unit"), "points per km²");
    assert_eq!(unit("/cities/legend.json?zoom=3&units=per_m2", "/span/unit"), "population per m²");
    assert_eq!(unit("/cities/legend.json?zoom=3&units=per_px", "/span/unit"), "population per pixel");
    assert_eq!(unit("/cities/statistics", "/zooms/0/unit"), "population per km²");
    assert_eq!(unit("/earthquakes/frames?every=7d&agg=count&zoom=1", "/span/unit"), "points per km²");
    let span = |units: &str| {
        let legend = server.get(&format!("/cities/legend.json?zoom=3&radius=100km&units={units}")).ok(200).json();
        legend["span"]["vmax"].as_f64().unwrap()
    };
    assert!((span("per_km2") / span("per_m2") / 1e6 - 1.0).abs() < 1e-4);
    server.get("/cities/legend.json?zoom=3&units=per_mile").rejected(400, &["units", "per_km2, per_m2, per_px"]);
    server.get("/cities/0/0/0.png?blend=classic&units=per_px").rejected(400, &["units", "classic"]);
}

#[test]
fn dense_tiles_have_the_colors_of_single_ones_in_every_unit() {
    let server = Server::start();
    for units in ["per_km2", "per_px"] {
        let of = |ratio: &str| {
            let tile = server.get(&format!("/cities/4/8/5{ratio}.png?radius=100km&units={units}&gradient=black,white"));
            Picture::decode(std::io::Cursor::new(&tile.ok(200).body)).unwrap()
        };
        let (single, dense) = (of(""), of("@2x"));
        let mean = |picture: &Picture| {
            picture.pixels.iter().map(|value| f64::from(*value)).sum::<f64>() / picture.pixels.len() as f64
        };
        assert!((mean(&single) / mean(&dense) - 1.0).abs() < 0.01, "{units}: {} {}", mean(&single), mean(&dense));
    }
}

fn band(path: &Path) -> (f64, Value) {
    let report = gdalinfo(path);
    let [width, height] = [0, 1].map(|axis| report["size"][axis].as_f64().unwrap());
    let band = report["bands"][0].clone();
    let mean: f64 = band["metadata"][""]["STATISTICS_MEAN"].as_str().unwrap().parse().unwrap();
    (mean * width * height, band)
}

#[test]
fn the_band_of_a_geotiff_sums_to_the_weights_unless_another_unit_is_requested() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("dots.csv"), "lon,lat,weight\n10,60,3\n11,61,4\n12,62,5.5\n").unwrap();
    let path = home.path().join("a.tif");
    let render = |more: &[&str]| {
        let args = ["render", "dots.csv", "-o", "a.tif", "--radius=50km", "--bounds=0,55,22,67", "--size=500"];
        kiln(home.path(), [&args[..], more].concat()).done()
    };
    let summary = render(&[]);
    assert!(summary.contains("weight per pixel"), "{summary}");
    assert!((band(&path).0 - 12.5).abs() < 1e-4, "{}", band(&path).0);
    let summary = render(&["--units=per_km2"]);
    assert!(summary.contains("weight per km²"), "{summary}");
    // 12.5 within about 22 by 12 degrees at 61° N, which is 1.6 million km² of 237 thousand pixels.
    assert!(band(&path).0 < 5.0, "{}", band(&path).0);

    let server = Server::at(home, &["dots.csv"]);
    let file = server.folder().join("b.tif");
    let bounds = "/dots/bbox/0,55,22,67/500x560.tif?radius=50km";
    std::fs::write(&file, server.get(bounds).ok(200).body).unwrap();
    assert!((band(&file).0 - 12.5).abs() < 1e-4, "{}", band(&file).0);
    // A limit of the colors does not affect values, even one that no value per pixel reaches.
    assert!(server.get(&format!("{bounds}&vmin=3")).ok(200).body == std::fs::read(&file).unwrap());
    std::fs::write(&file, server.get(&format!("{bounds}&units=per_km2")).ok(200).body).unwrap();
    assert!(band(&file).0 < 5.0, "{}", band(&file).0);
}

#[test]
fn pictures_of_the_command_line_equal_those_of_the_server_and_of_an_export() {
    let server = Server::start();
    let [west, south, east, north] = tile_bounds(6, 34, 18);
    let bounds = format!("--bounds={west},{south},{east},{north}");
    let tile = server.get("/cities/6/34/18.png?radius=30km&agg=count&curve=linear&vmin=0&vmax=0.1").ok(200).body;
    let tile = Picture::decode(std::io::Cursor::new(&tile)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let cities = data("cities.parquet");
    let limits = ["--radius=30km", "--agg=count", "--vmin=0", "--vmax=0.1"];
    let args = ["render", cities.to_str().unwrap(), "-o", "a.png", &bounds, "--size=256x256"];
    let summary = kiln(home.path(), args.iter().chain(&limits)).done();
    assert!(summary.contains("span 0 to 0.1 points per km² ("), "{summary}");
    assert_same("ground/render", &tile, &Picture::read(&home.path().join("a.png")).unwrap());
    let args = ["export", cities.to_str().unwrap(), "-o", "tiles", "--zoom=6", &bounds];
    kiln(home.path(), args.iter().chain(&limits)).done();
    assert_same("ground/export", &tile, &Picture::read(&home.path().join("tiles/6/34/18.png")).unwrap());
}

#[test]
fn dots_on_the_ground_at_all_latitudes() {
    let home = tempfile::tempdir().unwrap();
    let lats = [-80, -65, -40, 0, 40, 65, 80, 86];
    let rows: String = lats.iter().flat_map(|lat| [(-170, lat), (-100, lat), (0, lat), (175, lat)]).fold(
        "lon,lat\n".to_owned(),
        |mut rows, (lon, lat)| {
            writeln!(rows, "{lon},{lat}").unwrap();
            rows
        },
    );
    std::fs::write(home.path().join("dots.csv"), rows).unwrap();
    for (projection, kernel, bounds, size) in [
        ("mercator", "gaussian", "--bounds=-180,-85,180,85", "--size=400"),
        ("mercator", "uniform", "--bounds=-180,-85,180,85", "--size=400"),
        ("platecarree", "gaussian", "--bounds=-180,-90,180,90", "--size=600"),
        ("platecarree", "cone", "--bounds=-180,-90,180,90", "--size=600"),
    ] {
        let args = ["render", "dots.csv", "-o", "a.png", "--radius=800km", "--projection", projection, bounds, size];
        kiln(home.path(), args.iter().chain(&["--kernel", kernel, "--vmax=2e-6", "--vmin=0"])).done();
        let picture = Picture::read(&home.path().join("a.png")).unwrap();
        check(&format!("ground/{projection}-{kernel}"), &picture);
    }
}

#[test]
fn points_at_the_edge_of_the_map_and_tiny_radii_keep_their_weight() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.tif");
    let sum = |lat: &str, args: &[&str]| {
        std::fs::write(home.path().join("dot.csv"), format!("lon,lat,weight\n0,{lat},3\n")).unwrap();
        kiln(home.path(), [&["render", "dot.csv", "-o", "a.tif", "--bounds=world"], args].concat()).done();
        band(&path).0
    };
    for lat in ["-90", "90", "-89.9", "0"] {
        let found = sum(lat, &["--projection=platecarree", "--size=360x180", "--radius=500km"]);
        assert!((found - 3.0).abs() < 1e-4, "{lat}: {found}");
    }
    // Most of such a dot is within the map.
    for lat in ["-85.05112877980659", "85.05112877980659", "85.05"] {
        let found = sum(lat, &["--size=512x512", "--radius=500km"]);
        assert!((1.0..3.0).contains(&found), "{lat}: {found}");
    }
    for radius in ["1e-300m", "1e-37m", "1e-9m", "0.1m"] {
        for kernel in ["gaussian", "cone", "triangular"] {
            let found = sum("50", &["--size=64x64", "--radius", radius, "--kernel", kernel]);
            assert!((found - 3.0).abs() < 1e-4, "{radius} {kernel}: {found}");
        }
    }
}

#[test]
fn windows_of_the_grid_equal_its_tiles_at_every_zoom() {
    let server = Server::start();
    let style = "kernel=uniform&radius=1&agg=count&units=per_px&vmin=0&vmax=9";
    // At zoom 8, single precision ends; deeper, bounds in degrees have rounding errors of a visible part of a pixel.
    for (z, x, y) in [(7, 65, 44), (8, 131, 88), (8, 130, 89), (9, 263, 177), (14, 8409, 5687), (19, 269_094, 181_990)]
    {
        let [west, south, east, north] = tile_bounds(z, x, y);
        let tile = server.get(&format!("/cities/{z}/{x}/{y}.png?{style}")).ok(200).body;
        let picture = server.get(&format!("/cities/bbox/{west},{south},{east},{north}/256x256.png?{style}"));
        assert!(picture.ok(200).body == tile, "{z}/{x}/{y}");
    }
}

#[test]
fn true_scale_has_no_effect_and_is_reported_as_deprecated() {
    let server = Server::start();
    let plain = server.get("/cities/5/17/9.png?radius=60km").ok(200);
    let scaled = server.get("/cities/5/17/9.png?radius=60km&true_scale=60").ok(200);
    assert!(plain.body == scaled.body && plain.header("etag") == scaled.header("etag"));
    assert_eq!((plain.header("deprecation"), scaled.header("deprecation")), (None, Some("@1795996800")));
    let notice = "true_scale is deprecated, and will be an error in the next version";
    eventually(notice, || server.log().contains(notice));
    let tiles = server.get("/cities?true_scale=60").ok(200).json()["tiles"][0].as_str().unwrap().to_owned();
    assert!(!tiles.contains("true_scale"), "{tiles}");
    server.post("/overlays", &json!({"layer": "cities", "true_scale": 60, "size": 64})).ok(201);
    server.get("/cities/5/17/9.png?true_scale=86").rejected(400, &["true_scale", "-85 to 85"]);
    let openapi = server.get("/openapi.json").ok(200).json();
    let parameters = openapi.pointer("/paths/~1{layer}~1{z}~1{x}~1{y}.png/get/parameters").unwrap().as_array().unwrap();
    let deprecated: Vec<_> = parameters.iter().filter(|parameter| parameter["deprecated"] == true).collect();
    assert!(deprecated.len() == 1 && deprecated[0]["name"] == "true_scale", "{deprecated:?}");

    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a.csv"), "lon,lat\n1,2\n").unwrap();
    let args = ["render", "a.csv", "-o", "a.png", "--true-scale=50"];
    let summary = kiln(home.path(), args).done();
    assert!(
        summary.contains("note: --true-scale is deprecated, and will be an error in the next version"),
        "{summary}"
    );
    let config = "[layers.a]\ninput = \"a.csv\"\nstyle = { true_scale = 50, radius = \"5km\" }\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let run = kiln(home.path(), ["config", "check"]);
    assert!(run.code == 0 && run.stderr.contains("the style of the layer `a`: true_scale is deprecated"));
    let server = Server::at(home, &[]);
    eventually(notice, || server.log().contains(&format!("the style of the layer `a`: {notice}")));
    server.get("/a/3/4/3.png").ok(200);
}

#[test]
fn the_zooms_of_a_layer_end_before_a_dot_near_a_pole_is_reduced() {
    let maxzoom = |server: &Server| server.get("/dots?radius=1km").ok(200).json()["maxzoom"].as_u64().unwrap();
    // At the equator, 1 km has 419 pixels at zoom 16, and 837 at zoom 17, above the limit of 512.
    assert_eq!(maxzoom(&server_of(&[(10.0, 0.0, 1.0)])), 16);
    assert_eq!(maxzoom(&server_of(&[(10.0, 60.0, 1.0)])), 16);
    // At 80° N, it has 1,206 pixels at zoom 15.
    assert_eq!(maxzoom(&server_of(&[(10.0, 80.0, 1.0)])), 14);
    let server = server_of(&[(10.0, 80.0, 1.0)]);
    server
        .get("/dots/17/0/0.png?radius=1km")
        .rejected(400, &["radius", "837 pixels at the equator", "limits.radius_px"]);
    // Where a dot would be reduced, an error is better than another radius.
    let [west, south, east, north] = [9.99, 79.99, 10.01, 80.01];
    let picture = |px: u32| server.get(&format!("/dots/bbox/{west},{south},{east},{north}/{px}x{px}.png?radius=1km"));
    picture(200).ok(200);
    picture(2300).rejected(400, &["radius", "1000m has ", "at a latitude of 80.00", "at most 1024"]);
    // Rows without points are no error, at any latitude.
    server.get("/dots/16/0/0.png?radius=1km&vmin=0&vmax=1").ok(200);
    server.get("/dots/legend.json?zoom=16&radius=1km").rejected(400, &["radius", "at a latitude of", "at most 1024"]);
    let zooms = server.get("/dots/statistics?radius=1km&zoom=13-16").ok(200).json()["zooms"].clone();
    let zooms: Vec<_> = zooms.as_array().unwrap().iter().map(|zoom| zoom["z"].as_u64().unwrap()).collect();
    assert_eq!(zooms, [13, 14]);
    let bounds = server.get("/dots?radius=10km").ok(200).json()["bounds"].clone();
    // 1.67 radii are 0.15 degrees of latitude, and 0.87 of longitude at 80.15° N.
    let [west, south, east, north] = [0, 1, 2, 3].map(|edge| bounds[edge].as_f64().unwrap());
    let near = |found: f64, expected: f64| (found - expected).abs() < 0.01;
    assert!(near(south, 79.85) && near(north, 80.15) && near(east - 10.0, 0.88) && near(10.0 - west, 0.88), "{bounds}");
}
