//! What a map asks of a layer beside its pictures.

use serde_json::{Value, json};

use crate::server::{Reply, Server};

/// The path and query of an absolute address of this server.
fn path_of<'a>(url: &'a Value, server: &str) -> &'a str {
    let url = url.as_str().unwrap();
    url.strip_prefix(server).unwrap_or_else(|| panic!("{url} does not begin with {server}"))
}

/// The address of a tile, as a client makes it of the template.
fn tile_of(template: &str, [z, x, y]: [u32; 3]) -> String {
    let filled = template.replace("{z}", &z.to_string()).replace("{x}", &x.to_string());
    let filled = filled.replace("{y}", &y.to_string());
    assert!(!filled.contains(['{', '}', ' ']), "{filled}");
    filled
}

/// A server of a few stops, with categories and times.
fn stops(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,boardings,kind,time\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01T12:30:00Z\n\
                18.2,59.5,3,bus,2024-03-01\n18.3,abc,1,bus,2024-03-01\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let config = format!("{config}[layers.stops]\ninput = \"stops.csv\"\nweight = \"boardings\"\n");
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

/// A server of a floor plan.
fn desks() -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("desks.csv"), "x,y\n120,40\n1500,900\n").unwrap();
    let config = "[layers.desks]\ninput = \"desks.csv\"\nprojection = \"plane\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

#[test]
fn tile_json_leads_to_tiles_and_legends() {
    let server = Server::start();
    let reply = server.get("/cities").ok(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    let told = reply.json();
    assert_eq!((&told["tilejson"], &told["scheme"]), (&json!("3.0.0"), &json!("xyz")));
    assert_eq!(
        (&told["name"], &told["minzoom"], &told["maxzoom"]),
        (&json!("Cities by population"), &json!(0), &json!(24))
    );
    let [west, south, east, north]: [f64; 4] = serde_json::from_value(told["bounds"].clone()).unwrap();
    assert!((west, east) == (-180.0, 180.0) && south < -80.0 && north > 80.0 && north < 85.06, "{told}");
    assert_eq!(told["center"][2], 2);
    assert_eq!(told["attribution"], "GeoNames, CC BY 4.0");
    assert!(told.get("vector_layers").is_none());
    let version: Vec<&str> = told["version"].as_str().unwrap().split('.').collect();
    assert!(version.len() == 3 && version.iter().all(|part| part.parse::<u32>().is_ok()), "{version:?}");
    let catalog = server.get("/catalog").ok(200).json();
    let layer = &catalog["layers"][0];
    assert_eq!(
        (&told["kiln"]["points"], &told["kiln"]["weighted"], &told["kiln"]["version"], &told["kiln"]["bounds"]),
        (&json!(135_233), &json!(true), &layer["version"], &layer["bounds"])
    );

    let host = format!("http://{}", server.address());
    let template = path_of(&told["tiles"][0], &host);
    let tile = server.get(&tile_of(template, [4, 8, 5])).ok(200);
    assert!(tile.header("cache-control").unwrap().contains("immutable"));
    assert_eq!(tile.body, server.get("/cities/4/8/5.png").ok(200).body);
    let legend = server.get(path_of(&told["legend"], &host)).ok(200);
    assert_eq!(legend.header("content-type"), Some("image/png"));
    assert!(server.get(path_of(&told["kiln"]["legend_json"], &host)).ok(200).json()["colors"].is_array());
}

#[test]
fn tile_json_carries_the_style_that_it_is_asked_for() {
    let server = stops("");
    let host = format!("http://{}", server.address());
    let asked = "gradient=transparent,blue,lime%2060%25,red&radius=30&opacity=50%25&agg=count&size=512\
                 &category=tram,bus&start=2024-01-15&vmin=0&vmax=2.5";
    let told = server.get(&format!("/stops?{asked}")).ok(200).json();
    let template = path_of(&told["tiles"][0], &host);
    for word in ["size=512", "radius=30px", "start=2024-01-15T00:00:00Z", "v=", "true_scale=59"] {
        assert!(template.contains(word), "{word}: {template}");
    }
    let [z, x, y] = [8, 140, 75];
    let of_template = server.get(&tile_of(template, [z, x, y])).ok(200);
    assert_eq!(of_template.body, server.get(&format!("/stops/{z}/{x}/{y}.png?{asked}")).ok(200).body);
    let legend = server.get(path_of(&told["kiln"]["legend_json"], &host)).ok(200).json();
    assert_eq!(legend["span"], json!({"vmin": 0.0, "vmax": 2.5, "unit": "points per km² at 59°N", "curve": "linear"}));
    // A deeper map is needed for half the size.
    let zoom = |query: &str| server.get(&format!("/stops?{query}")).ok(200).json()["center"][2].as_u64().unwrap();
    assert_eq!(zoom("size=256"), zoom("size=512") + 1);

    for (query, words) in [
        ("radios=5", ["radios", "did you mean radius"]),
        ("scheme=firre", ["scheme", "fire"]),
        ("size=100", ["size", "256"]),
        ("vmin=3&vmax=1", ["vmin", "not below"]),
        ("radius=6000", ["radius", "limits.radius_px"]),
        ("projection=platecarree", ["projection", "mercator"]),
        ("v=5", ["v", "no such parameter"]),
        ("blend=classic&curve=log", ["curve", "classic"]),
    ] {
        server.get(&format!("/stops?{query}")).refused(400, &words);
    }
    server.get("/stop").refused(404, &["did you mean stops"]);
    desks().get("/desks").refused(400, &["on the globe"]);
}

#[test]
fn tile_json_knows_where_tiles_show_anything() {
    let server = stops("");
    let told = server.get("/stops?radius=40").ok(200).json();
    let [west, south, east, north]: [f64; 4] = serde_json::from_value(told["bounds"].clone()).unwrap();
    let (lon, lat, zoom): (f64, f64, i32) = serde_json::from_value(told["center"].clone()).unwrap();
    assert!(west < 18.0 && east > 18.2 && south < 59.3 && north > 59.5, "{told}");
    assert!((lon - 18.1).abs() < 1e-6 && (lat - 59.4).abs() < 0.01, "{told}");
    assert_eq!(told["kiln"]["bounds"], json!([[59.3, 18.0], [59.5, 18.2]]));
    // Two zooms further out than the middle one, all dots are within the bounds.
    let tiles = 1 << (zoom - 2);
    let column = |lon: f64| ((lon + 180.0) / 360.0 * f64::from(tiles)).floor() as i32;
    let row = |lat: f64| {
        let world = 0.5 - lat.to_radians().tan().asinh() / std::f64::consts::TAU;
        (world * f64::from(tiles)).floor() as i32
    };
    let (columns, rows) = (column(west)..=column(east), row(north)..=row(south));
    let mut shown = 0;
    for x in columns.start() - 1..=columns.end() + 1 {
        for y in rows.start() - 1..=rows.end() + 1 {
            let tile = server.get(&format!("/stops/{}/{x}/{y}.png?radius=40&vmin=0&vmax=0.000001", zoom - 2)).ok(200);
            let picture = crate::golden::Picture::decode(std::io::Cursor::new(tile.body)).unwrap();
            let shows = picture.pixels.chunks(4).any(|pixel| pixel[3] > 0);
            assert!(!shows || columns.contains(&x) && rows.contains(&y), "{x}/{y} shows a dot");
            shown += u32::from(shows);
        }
    }
    assert!(shown > 0);
    // A radius on the ground fits so many zooms.
    let deep = server.get("/stops?radius=10km").ok(200).json();
    let maxzoom = deep["maxzoom"].as_u64().unwrap();
    assert!((5..20).contains(&maxzoom), "{deep}");
    let at = |zoom: u64| server.get(&format!("/stops/{zoom}/0/0.png?radius=10km"));
    at(maxzoom).ok(200);
    at(maxzoom + 1).refused(400, &["limits.radius_px"]);
}

#[test]
fn addresses_are_absolute_and_proxies_are_not_believed() {
    let server = stops("");
    let from = |host: &str| {
        server.get_from(host, "/stops", &[("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "https")])
    };
    let tiles = |reply: Reply| reply.ok(200).json()["tiles"][0].as_str().unwrap().to_owned();
    assert!(tiles(from("maps.example:8080")).starts_with("http://maps.example:8080/stops/{z}/"));
    assert!(tiles(from("[::1]:3000")).starts_with("http://[::1]:3000/stops/{z}/"));
    for bad in ["", "a b", "a\"><script>", "a/b", "user@host"] {
        from(bad).refused(400, &["host", "server.base_url"]);
    }
    let behind = stops("[server]\nbase_url = \"https://maps.example/heat/\"\n");
    let told = behind.get_from("other.example", "/stops", &[]).ok(200).json();
    assert!(told["tiles"][0].as_str().unwrap().starts_with("https://maps.example/heat/stops/{z}/{x}/{y}.png?"));
    assert!(told["legend"].as_str().unwrap().starts_with("https://maps.example/heat/stops/legend.png?"));
}

#[test]
fn the_servers_own_pages_are_no_layers() {
    let server = Server::start();
    for page in ["/docs", "/catalog", "/health", "/openapi.json", "/favicon.ico", "/_/metrics"] {
        assert!(server.get(page).ok(200).header("content-type").is_some(), "{page}");
    }
    server.get("/overlays").refused(405, &["Allow"]);
    server.get("/robots.txt").refused(404, &["no layer `robots.txt`"]);
    server.get("/cities/").refused(404, &["no such address"]);
}
