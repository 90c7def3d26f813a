//! Routes of a layer besides pictures: TileJSON, points, values at a position, statistics.

use serde_json::{Value, json};

use crate::server::{Reply, Server};

/// The path and query of an absolute URL of this server.
fn path_of<'a>(url: &'a Value, server: &str) -> &'a str {
    let url = url.as_str().unwrap();
    url.strip_prefix(server).unwrap_or_else(|| panic!("{url} does not begin with {server}"))
}

/// The URL of a tile, filled into the template as clients do.
fn tile_of(template: &str, [z, x, y]: [u32; 3]) -> String {
    let filled = template.replace("{z}", &z.to_string()).replace("{x}", &x.to_string());
    let filled = filled.replace("{y}", &y.to_string());
    assert!(!filled.contains(['{', '}', ' ']), "{filled}");
    filled
}

/// A server with a layer of a few stops, which have categories and times.
fn stops(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,boardings,kind,time\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01T12:30:00Z\n\
                18.2,59.5,3,bus,2024-03-01\n18.3,abc,1,bus,2024-03-01\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let config = format!("{config}[layers.stops]\ninput = \"stops.csv\"\nweight = \"boardings\"\n");
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

/// A server with a layer on a plane.
fn desks() -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("desks.csv"), "x,y\n120,40\n1500,900\n").unwrap();
    let config = "[layers.desks]\ninput = \"desks.csv\"\nprojection = \"plane\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

#[test]
fn tilejson_links_to_tiles_and_legends() {
    let server = Server::start();
    let reply = server.get("/cities").ok(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    let tile_json = reply.json();
    assert_eq!((&tile_json["tilejson"], &tile_json["scheme"]), (&json!("3.0.0"), &json!("xyz")));
    assert_eq!(
        (&tile_json["name"], &tile_json["minzoom"], &tile_json["maxzoom"]),
        (&json!("Cities by population"), &json!(0), &json!(24))
    );
    let [west, south, east, north]: [f64; 4] = serde_json::from_value(tile_json["bounds"].clone()).unwrap();
    assert!((west, east) == (-180.0, 180.0) && south < -80.0 && north > 80.0 && north < 85.06, "{tile_json}");
    assert_eq!(tile_json["center"][2], 2);
    assert_eq!(tile_json["attribution"], "GeoNames, CC BY 4.0");
    assert!(tile_json.get("vector_layers").is_none());
    let version: Vec<&str> = tile_json["version"].as_str().unwrap().split('.').collect();
    assert!(version.len() == 3 && version.iter().all(|part| part.parse::<u32>().is_ok()), "{version:?}");
    let catalog = server.get("/catalog").ok(200).json();
    let layer = &catalog["layers"][0];
    assert_eq!(
        (
            &tile_json["kiln"]["points"],
            &tile_json["kiln"]["weighted"],
            &tile_json["kiln"]["version"],
            &tile_json["kiln"]["bounds"]
        ),
        (&json!(135_233), &json!(true), &layer["version"], &layer["bounds"])
    );

    let host = format!("http://{}", server.address());
    let template = path_of(&tile_json["tiles"][0], &host);
    let tile = server.get(&tile_of(template, [4, 8, 5])).ok(200);
    assert!(tile.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(tile.body, server.get("/cities/4/8/5.png").ok(200).body);
    let legend = server.get(path_of(&tile_json["legend"], &host)).ok(200);
    assert_eq!(legend.header("content-type"), Some("image/png"));
    assert!(server.get(path_of(&tile_json["kiln"]["legend_json"], &host)).ok(200).json()["colors"].is_array());
}

#[test]
fn tilejson_contains_the_requested_style() {
    let server = stops("");
    let host = format!("http://{}", server.address());
    let style = "gradient=transparent,blue,lime%2060%25,red&radius=30&opacity=50%25&agg=count&size=512\
                 &category=tram,bus&start=2024-01-15&vmin=0&vmax=2.5";
    let tile_json = server.get(&format!("/stops?{style}")).ok(200).json();
    let template = path_of(&tile_json["tiles"][0], &host);
    for word in ["size=512", "radius=30px", "start=2024-01-15T00:00:00Z", "v="] {
        assert!(template.contains(word), "{word}: {template}");
    }
    let [z, x, y] = [8, 140, 75];
    let of_template = server.get(&tile_of(template, [z, x, y])).ok(200);
    assert_eq!(of_template.body, server.get(&format!("/stops/{z}/{x}/{y}.png?{style}")).ok(200).body);
    let legend = server.get(path_of(&tile_json["kiln"]["legend_json"], &host)).ok(200).json();
    assert_eq!(legend["span"], json!({"vmin": 0.0, "vmax": 2.5, "unit": "points per km²", "curve": "linear"}));
    // Tiles of half the size need one zoom more.
    let zoom = |query: &str| server.get(&format!("/stops?{query}")).ok(200).json()["center"][2].as_u64().unwrap();
    assert_eq!(zoom("size=256"), zoom("size=512") + 1);

    for (query, words) in [
        ("radios=5", ["radios", "did you mean radius"]),
        ("scheme=firre", ["scheme", "fire"]),
        ("size=100", ["size", "256"]),
        ("vmin=3&vmax=1", ["vmin", "not below"]),
        ("radius=6000", ["radius", "limits.radius_px"]),
        ("projection=platecarree", ["projection", "mercator"]),
        ("v=5", ["v", "unknown parameter"]),
        ("blend=classic&curve=log", ["curve", "classic"]),
    ] {
        server.get(&format!("/stops?{query}")).rejected(400, &words);
    }
    server.get("/stop").rejected(404, &["did you mean stops"]);
}

#[test]
fn tilejson_bounds_contain_every_tile_that_is_not_empty() {
    let server = stops("");
    let tile_json = server.get("/stops?radius=40").ok(200).json();
    let [west, south, east, north]: [f64; 4] = serde_json::from_value(tile_json["bounds"].clone()).unwrap();
    let (lon, lat, zoom): (f64, f64, i32) = serde_json::from_value(tile_json["center"].clone()).unwrap();
    assert!(west < 18.0 && east > 18.2 && south < 59.3 && north > 59.5, "{tile_json}");
    assert!((lon - 18.1).abs() < 1e-6 && (lat - 59.4).abs() < 0.01, "{tile_json}");
    assert_eq!(tile_json["kiln"]["bounds"], json!([[59.3, 18.0], [59.5, 18.2]]));
    // Two zooms below that of the center, all dots are within the bounds.
    let tiles = 1 << (zoom - 2);
    let column = |lon: f64| ((lon + 180.0) / 360.0 * f64::from(tiles)).floor() as i32;
    let row = |lat: f64| {
        let world = 0.5 - lat.to_radians().tan().asinh() / std::f64::consts::TAU;
        (world * f64::from(tiles)).floor() as i32
    };
    let (columns, rows) = (column(west)..=column(east), row(north)..=row(south));
    let mut visible = 0;
    for x in columns.start() - 1..=columns.end() + 1 {
        for y in rows.start() - 1..=rows.end() + 1 {
            let tile = server.get(&format!("/stops/{}/{x}/{y}.png?radius=40&vmin=0&vmax=0.000001", zoom - 2)).ok(200);
            let picture = crate::golden::Picture::decode(std::io::Cursor::new(tile.body)).unwrap();
            let is_visible = picture.pixels.chunks(4).any(|pixel| pixel[3] > 0);
            assert!(!is_visible || columns.contains(&x) && rows.contains(&y), "{x}/{y} shows a dot");
            visible += u32::from(is_visible);
        }
    }
    assert!(visible > 0);
    // A radius in kilometers limits the maximum zoom.
    let deep = server.get("/stops?radius=10km").ok(200).json();
    let maxzoom = deep["maxzoom"].as_u64().unwrap();
    assert!((5..20).contains(&maxzoom), "{deep}");
    let at = |zoom: u64| server.get(&format!("/stops/{zoom}/0/{}.png?radius=10km", 1u64 << (zoom - 1)));
    at(maxzoom).ok(200);
    at(maxzoom + 1).rejected(400, &["limits.radius_px"]);
}

#[test]
fn urls_are_absolute_and_untrusted_proxy_headers_are_ignored() {
    let server = stops("[server]\nhosts = [\"maps.example\"]\n");
    let from = |host: &str| {
        server.get_from(host, "/stops", &[("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")])
    };
    let tiles = |reply: Reply| reply.ok(200).json()["tiles"][0].as_str().unwrap().to_owned();
    assert!(tiles(from("maps.example:8080")).starts_with("http://maps.example:8080/stops/{z}/"));
    assert!(tiles(from("[::1]:3000")).starts_with("http://[::1]:3000/stops/{z}/"));
    for bad in ["", "a b", "a\"><script>", "a/b", "user@host"] {
        from(bad).rejected(400, &["Host"]);
    }
    let proxied = stops("[server]\nbase_url = \"https://maps.example/heat/\"\n");
    let tile_json = proxied.get_from("maps.example", "/stops", &[]).ok(200).json();
    assert!(tile_json["tiles"][0].as_str().unwrap().starts_with("https://maps.example/heat/stops/{z}/{x}/{y}.png?"));
    assert!(tile_json["legend"].as_str().unwrap().starts_with("https://maps.example/heat/stops/legend.png?"));
}

#[test]
fn reserved_paths_are_not_layers() {
    let server = Server::start();
    for page in ["/docs", "/catalog", "/health", "/openapi.json", "/favicon.ico", "/_/metrics"] {
        assert!(server.get(page).ok(200).header("content-type").is_some(), "{page}");
    }
    server.get("/overlays").rejected(405, &["Allow"]);
    server.get("/robots.txt").rejected(404, &["no layer `robots.txt`"]);
    server.get("/cities/nothing").rejected(404, &["unknown path"]);
}

#[test]
fn points_are_returned_in_the_requested_format() {
    let server = stops("");
    let all = server.get("/stops/points").ok(200);
    assert_eq!(all.header("content-type"), Some("application/geo+json"));
    assert_eq!((all.header("kiln-total"), all.header("kiln-truncated")), (Some("3"), Some("false")));
    assert_eq!(all.header("kiln-order"), Some("sample"));
    let feature = |lon: f64, lat: f64, weight: f64, time: &str, category: &str| {
        let properties = json!({"weight": weight, "time": time, "category": category});
        json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]}, "properties": properties})
    };
    let features = json!([
        feature(18.0, 59.3, 1.0, "2024-01-01T00:00:00Z", "bus"),
        feature(18.1, 59.4, 5.0, "2024-02-01T12:30:00Z", "tram"),
        feature(18.2, 59.5, 3.0, "2024-03-01T00:00:00Z", "bus"),
    ]);
    let expected =
        json!({"type": "FeatureCollection", "features": features, "total": 3, "truncated": false, "order": "sample"});
    assert_eq!(all.json(), expected);
    let heat = server.get("/stops/points?format=heat&bounds=18.05,59,19,60").ok(200);
    assert_eq!(heat.header("content-type"), Some("application/json"));
    assert_eq!(
        heat.json(),
        json!({"columns": ["lat", "lng", "weight"], "points": [[59.4, 18.1, 5.0], [59.5, 18.2, 3.0]], "total": 2, "truncated": false, "order": "sample"})
    );
    let map = server.get("/stops/points?format=heatmapjs&limit=2&order=weight").ok(200);
    assert_eq!(map.header("kiln-truncated"), Some("true"));
    assert_eq!(
        map.json(),
        json!({"max": 5.0, "data": [
                {"lat": 59.4, "lng": 18.1, "value": 5.0, "time": "2024-02-01T12:30:00Z", "category": "tram"},
                {"lat": 59.5, "lng": 18.2, "value": 3.0, "time": "2024-03-01T00:00:00Z", "category": "bus"}],
            "total": 3, "truncated": true, "order": "weight"})
    );
    let filtered = server.get("/stops/points?category=bus&start=2024-02-15&format=heat").ok(200).json();
    assert_eq!(filtered["points"], json!([[59.5, 18.2, 3.0]]));
    let none = server.get("/stops/points?bounds=0,0,1,1&format=heatmapjs").ok(200).json();
    assert_eq!(none, json!({"max": 1.0, "data": [], "total": 0, "truncated": false, "order": "sample"}));
    assert_eq!(server.get("/stops/points?limit=0").ok(200).json()["features"], json!([]));

    // The client has the current version.
    let tag = all.header("etag").unwrap();
    let not_modified = server.send("GET", "/stops/points", &[("if-none-match", tag)], b"").ok(304);
    assert!(not_modified.body.is_empty());
    server.send("GET", "/stops/points?limit=1", &[("if-none-match", tag)], b"").ok(200);
    let from = server.send("GET", "/stops/points", &[("origin", "https://maps.example")], b"").ok(200);
    let exposed = from.header("access-control-expose-headers").unwrap().to_ascii_lowercase();
    assert!(exposed.contains("kiln-total") && exposed.contains("kiln-truncated"), "{exposed}");
}

#[test]
fn the_number_of_points_is_limited_and_invalid_parameters_are_rejected() {
    let server = Server::with(&[], "[limits]\nanswer_points = 3\n");
    let capped = server.get("/earthquakes/points?format=heat&limit=1000").ok(200).json();
    assert_eq!(capped["points"].as_array().unwrap().len(), 3);
    assert_eq!((&capped["total"], &capped["truncated"]), (&json!(1707), &json!(true)));
    // Across the antimeridian, longitudes continue beyond 180°.
    for bounds in ["175,-30,-175,-10", "175,-30,185,-10"] {
        let fiji = server.get(&format!("/earthquakes/points?format=heat&bounds={bounds}")).ok(200).json();
        assert!(fiji["total"].as_u64().unwrap() > 3, "{fiji}");
        for point in fiji["points"].as_array().unwrap() {
            let lon = point[1].as_f64().unwrap();
            assert!((175.0..=185.0).contains(&lon), "{fiji}");
        }
    }
    for (query, words) in [
        ("format=kml", ["format", "geojson"]),
        ("limit=-1", ["limit", "whole number"]),
        ("limit=many", ["limit", "whole number"]),
        ("bounds=1,2,3", ["bounds", "west,south,east,north"]),
        ("bounds=1,5,3,4", ["bounds", "south"]),
        ("scheme=fire", ["scheme", "unknown parameter"]),
        ("start=soon", ["start", "2024-05-01"]),
        ("limit=1&limit=2", ["limit", "twice"]),
    ] {
        server.get(&format!("/earthquakes/points?{query}")).rejected(400, &words);
    }
    Server::start().get("/cities/points?category=x").rejected(400, &["category", "no category column"]);
    server.get("/earthquake/points").rejected(404, &["did you mean earthquakes"]);
    let plan = desks().get("/desks/points?bounds=0,0,1000,1000").ok(200).json();
    assert_eq!(plan["features"][0]["geometry"]["coordinates"], json!([120.0, 40.0]));
    assert_eq!(plan["features"][0]["properties"], json!({}));
}

#[test]
fn the_value_at_a_position_is_that_of_its_pixel() {
    let server = stops("");
    let at = |position: &str, query: &str| server.get(&format!("/stops/point/{position}?{query}")).ok(200).json();
    let reply = at("18.1,59.4", "z=12&agg=max&radius=10");
    assert_eq!((&reply["value"], &reply["unit"]), (&json!(5.0), &json!("max of boardings")));
    assert_eq!((&reply["points"], &reply["z"], &reply["radius_px"]), (&json!(1), &json!(12), &json!(10.0)));
    assert_eq!((&reply["lon"], &reply["lat"]), (&json!(18.1), &json!(59.4)));
    // At zoom 12 a pixel is 38.2 m wide at the equator.
    let radius_m = reply["radius_m"].as_f64().unwrap();
    assert!((radius_m - 382.2 * 59.4_f64.to_radians().cos()).abs() < 0.1, "{reply}");
    let nothing = at("18.15,59.4", "z=12&agg=max&radius=10");
    assert_eq!((&nothing["value"], &nothing["points"]), (&Value::Null, &json!(0)));
    let nothing = at("18.15,59.4", "z=12&radius=10");
    assert_eq!((&nothing["value"], &nothing["unit"]), (&json!(0.0), &json!("boardings per km²")));
    // At zoom 0 all three stops are within the radius.
    let mean = |reply: &Value| reply["value"].as_f64().unwrap();
    let far = at("18.1,59.4", "z=0&agg=mean");
    assert!((mean(&far) - 3.0).abs() < 1e-5 && far["points"] == 3, "{far}");
    let buses = at("18.1,59.4", "z=0&agg=mean&category=bus");
    assert!((mean(&buses) - 2.0).abs() < 1e-5 && buses["points"] == 2, "{buses}");
    assert_eq!(at("378.1,59.4", "z=3")["value"], at("18.1,59.4", "z=3")["value"]);
    assert_eq!(at("18.1,59.4", "")["z"], server.get("/stops").ok(200).json()["center"][2]);

    // The value is what the tile's colors encode: if it is `vmax`, the pixel has the hottest color.
    let value = at("18.1,59.4", "z=9&radius=30")["value"].as_f64().unwrap();
    let pixel = |vmax: f64| {
        let world = 0.5 - 59.4_f64.to_radians().tan().asinh() / std::f64::consts::TAU;
        let (x, y) = ((18.1 / 360.0 + 0.5) * 512.0 * 256.0, world * 512.0 * 256.0);
        let (x, y) = (x as usize, y as usize);
        let gray = "gradient=black,white&radius=30&vmin=0";
        let path = format!("/stops/9/{}/{}.png?{gray}&vmax={vmax}", x / 256, y / 256);
        let tile = server.get(&path).ok(200);
        let tile = crate::golden::Picture::decode(std::io::Cursor::new(tile.body)).unwrap();
        tile.pixels[4 * (y % 256 * 256 + x % 256)]
    };
    assert_eq!(pixel(value), 255);
    assert!((126..=129).contains(&pixel(2.0 * value)), "{}", pixel(2.0 * value));
    // Parameters that only map values to colors do not change the value.
    for more in ["vmin=1000&curve=log", "vmax=-5", "scheme=fire&opacity=0.5", "normalize=max"] {
        assert_eq!(at("18.1,59.4", &format!("z=9&radius=30&{more}"))["value"], value, "{more}");
    }
}

#[test]
fn invalid_positions_zooms_and_styles_are_rejected() {
    let server = stops("");
    for (path, words) in [
        ("18.1,86?z=3", ["lat", "`86`"]),
        ("18.1,-85.06", ["lat", "`-85.06`"]),
        ("541,5", ["lon", "`541`"]),
        ("18.1", ["lon,lat", "`18.1`"]),
        ("a,b", ["lon", "`a`"]),
        ("18.1,inf", ["lat", "`inf`"]),
        ("18.1,59.4?z=25", ["z", "24"]),
        ("18.1,59.4?z=-1", ["z", "0 to 24; only a layer on a plane"]),
        ("18.1,59.4?size=512", ["size", "unknown parameter"]),
        ("18.1,59.4?radius=9999", ["radius", "limits.radius_px"]),
        ("18.1,59.4?blend=classic", ["blend", "no values"]),
        ("18.1,59.4?scheme=none", ["scheme", "none"]),
        ("18.1,59.4?vmin=2&vmax=1", ["vmin", "not below"]),
        ("18.1,59.4?projection=platecarree", ["projection", "mercator"]),
    ] {
        server.get(&format!("/stops/point/{path}")).rejected(400, &words);
    }
    server.get("/stop/point/18.1,59.4").rejected(404, &["stops"]);
}

#[test]
fn the_categories_at_a_position_are_those_of_nearby_points() {
    let server = stops("");
    let at = |query: &str| server.get(&format!("/stops/point/18.1,59.4?{query}")).ok(200).json();
    // At zoom 0 all stops are within the radius; at zoom 12, only one.
    assert_eq!(
        at("z=0&categories=5")["categories"],
        json!([{"name": "bus", "points": 2}, {"name": "tram", "points": 1}])
    );
    assert_eq!(at("z=0&categories=1")["categories"], json!([{"name": "bus", "points": 2}]));
    assert_eq!(at("z=12&categories=5")["categories"], json!([{"name": "tram", "points": 1}]));
    assert_eq!(at("z=0&categories=5&category=bus")["categories"], json!([{"name": "bus", "points": 2}]));
    assert_eq!(at("z=0")["categories"], Value::Null);
    server.get("/stops/point/18.1,59.4?categories=51").rejected(400, &["categories", "50"]);
    let bundled = Server::start();
    assert_eq!(bundled.get("/cities/point/18.07,59.33?z=7&categories=5").ok(200).json()["categories"], json!([]));
}

#[test]
fn the_values_within_bounds_are_returned_as_a_geotiff() {
    let server = Server::start();
    let address = "/cities/bbox/-12,35,32,60/400x300.tif?agg=count";
    let reply = server.get(address).ok(200);
    assert_eq!(reply.header("content-type"), Some("image/tiff"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cities.tif");
    std::fs::write(&path, &reply.body).unwrap();
    let info = crate::geotiff::gdalinfo(&path);
    assert_eq!(info["size"], json!([400, 300]));
    assert!(info["coordinateSystem"]["wkt"].as_str().unwrap().contains("3857"), "{info}");
    let corner: Vec<f64> = serde_json::from_value(info["cornerCoordinates"]["lowerLeft"].clone()).unwrap();
    let west_m = -12.0 / 180.0 * std::f64::consts::PI * 6_378_137.0;
    assert!((corner[0] - west_m).abs() < 1.0, "{corner:?}");
    let band = &info["bands"][0];
    assert_eq!(band["type"], "Float32");
    // The pixels sum up to the number of points within the bounds, but for dots that cross the edge.
    let sum = band["mean"].as_f64().unwrap() * 400.0 * 300.0;
    let total = server.get("/cities/points?bounds=-12,35,32,60&limit=0").ok(200).json()["total"].as_f64().unwrap();
    assert!((sum / total - 1.0).abs() < 0.02, "{sum} of {total}");
    let tag = reply.header("etag").unwrap();
    server.send("GET", address, &[("if-none-match", tag)], b"").ok(304);
    assert_ne!(server.get("/cities/bbox/-12,35,32,60/400x300.png?agg=count").ok(200).header("etag"), Some(tag));
    server.get("/cities/bbox/-12,35,32,60/400x300.jpg").rejected(400, &["800x600.tif"]);
}

#[test]
fn statistics_summarize_points_and_values() {
    let server = stops("");
    let version = server.get("/stops").ok(200).json()["kiln"]["version"].clone();
    let unfiltered = server.get("/stops/statistics?zoom=3").ok(200);
    assert_eq!(unfiltered.header("content-type"), Some("application/json"));
    let mut unfiltered = unfiltered.json();
    let zooms = unfiltered["zooms"].take();
    assert_eq!(
        unfiltered,
        json!({"points": 3, "weight": {"sum": 9.0, "min": 1.0, "max": 5.0, "mean": 3.0},
            "bounds": [[59.3, 18.0], [59.5, 18.2]],
            "time": {"start": "2024-01-01T00:00:00Z", "end": "2024-03-01T00:00:00Z"},
            "categories": {"names": ["bus", "tram"], "total": 2}, "version": version, "zooms": null})
    );
    let legend = server.get("/stops/legend.json?zoom=3").ok(200).json();
    assert_eq!(zooms.as_array().unwrap().len(), 1);
    assert_eq!((&zooms[0]["z"], &zooms[0]["vmax"]), (&json!(3), &legend["span"]["vmax"]));
    assert_eq!(zooms[0]["unit"], legend["span"]["unit"]);
    let percentiles: Vec<f64> = ["p1", "p5", "p25", "p50", "p75", "p95", "p99"]
        .iter()
        .map(|share| zooms[0]["percentiles"][share].as_f64().unwrap())
        .collect();
    assert!(percentiles.is_sorted() && percentiles[0] > 0.0, "{percentiles:?}");
    // By default, `vmax` is the 99th percentile.
    assert!((percentiles[6] / legend["span"]["vmax"].as_f64().unwrap() - 1.0).abs() < 0.05, "{percentiles:?}");
    let bars = |zoom: &Value| -> Vec<f64> { serde_json::from_value(zoom["histogram"].clone()).unwrap() };
    let shares = bars(&zooms[0]);
    assert_eq!(shares.len(), 32);
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && shares[0] > 0.5 && shares[31] > 0.0, "{shares:?}");
    // With a much higher `vmax`, nearly all pixels are in the first bar. A given span has a histogram as well.
    let wide = server.get("/stops/statistics?zoom=3&vmin=0&vmax=1e9").ok(200).json();
    assert_eq!((&wide["zooms"][0]["vmax"], &wide["zooms"][0]["percentiles"]), (&json!(1e9), &Value::Null));
    assert!((bars(&wide["zooms"][0])[0] - 1.0).abs() < 1e-9, "{wide}");
    let all = server.get("/stops/statistics").ok(200).json();
    assert_eq!(all["zooms"].as_array().unwrap().len(), 13);
    let of_categories =
        server.get("/stops/statistics?category=bus,tram&start=2024-02-01&end=2024-03-01&zoom=0").ok(200);
    let mut some = of_categories.json();
    assert_eq!(some["zooms"].take().as_array().unwrap().len(), 1);
    assert_eq!(
        some,
        json!({"points": 1, "weight": {"sum": 5.0, "min": 5.0, "max": 5.0, "mean": 5.0},
            "bounds": [[59.4, 18.1], [59.4, 18.1]],
            "time": {"start": "2024-02-01T12:30:00Z", "end": "2024-02-01T12:30:00Z"},
            "categories": {"names": ["tram"], "total": 1}, "version": version, "zooms": null})
    );
    let none = server.get("/stops/statistics?category=ferry&zoom=1-2").ok(200).json();
    assert_eq!(
        (&none["points"], &none["weight"], &none["bounds"], &none["time"]),
        (&json!(0), &Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!((&none["zooms"][1]["percentiles"], &none["zooms"][1]["histogram"]), (&Value::Null, &Value::Null));
    assert_eq!(none["categories"], Value::Null);
    for (query, words) in [("zoom=9-3", "zoom"), ("zoom=25", "0 to 24"), ("zoom=x", "0-10")] {
        server.get(&format!("/stops/statistics?{query}")).rejected(400, &["zoom", words]);
    }
    server.get("/stops/legend.json?zoom=25").rejected(400, &["zoom", "24"]);
    server.get("/stops/legend.json?zoom=2&bounds=world").rejected(400, &["zoom", "bounds"]);
    let bundled = Server::start();
    let cities = bundled.get("/cities/statistics").ok(200).json();
    assert_eq!((&cities["points"], &cities["time"]), (&json!(135_233), &Value::Null));
    assert_eq!(cities["categories"], Value::Null);
    bundled.get("/cities/statistics?category=x").rejected(400, &["category", "no category column"]);
    bundled.get("/cities/statistics?bounds=world").rejected(400, &["bounds", "unknown parameter"]);
    bundled.get("/city/statistics").rejected(404, &["cities"]);
    let plan = desks().get("/desks/statistics").ok(200).json();
    assert_eq!((&plan["points"], &plan["weight"]), (&json!(2), &Value::Null));
    assert_eq!(plan["bounds"], json!([[40.0, 120.0], [900.0, 1500.0]]));
}
