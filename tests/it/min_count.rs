//! Layers with a minimum count: no output depends on points that are not released.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::kiln::kiln;
use crate::server::{Reply, Server, eventually};

const MONDAY: &str = "2024-01-01T09:00:00Z";

/// Rows of a crowd around two places, on two days, in two categories: 40 points each.
pub(crate) fn crowd() -> String {
    let mut rows = String::from("lon,lat,weight,time,category\n");
    for (lon, lat) in [(18.06, 59.33), (18.25, 59.41)] {
        for (time, category) in [(MONDAY, "bus"), ("2024-01-02T17:30:00Z", "tram")] {
            for i in 0..40 {
                let (lon, lat) = (lon + f64::from(i % 7) * 1e-5, lat + f64::from(i % 5) * 1e-5);
                writeln!(rows, "{lon},{lat},{},{time},{category}", 1 + i % 3).unwrap();
            }
        }
    }
    rows
}

/// Rows that are not released: far away, on another day, in another category, and 4 of a place of their own.
pub(crate) fn lonely() -> String {
    let far = format!("-70.5,-33.4,999,{MONDAY},bus\n");
    let others = "18.06,59.33,7,2023-06-01T00:00:00Z,bus\n18.06,59.33,7,2024-01-01T09:00:00Z,secret\n";
    let four = format!("30.5,10.25,5,{MONDAY},bus\n").repeat(4);
    format!("{far}{others}{four}")
}

const CONFIG: &str = "
[server]
token = \"s3cret\"
[layers.files]
input = \"points.csv\"
min_count = 5
[layers.stored]
store = true
min_count = 5
[layers.wide]
input = \"points.csv\"
min_count = 5
min_count_cell = \"1km\"
min_count_period = \"1h\"
[layers.floor]
input = \"floor.csv\"
projection = \"plane\"
min_count = 5
[[jobs]]
name = \"files\"
layer = \"files\"
output = \"imgs/files.png\"
[[jobs]]
name = \"stored\"
layer = \"stored\"
output = \"imgs/stored.png\"
";

/// A folder with the configuration, a file of `rows`, and a stored layer of the same points.
fn home(rows: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kiln.toml"), CONFIG).unwrap();
    std::fs::write(home.path().join("points.csv"), rows).unwrap();
    // The same on a floor, in meters.
    std::fs::write(home.path().join("floor.csv"), rows.replace("lon,lat", "x,y")).unwrap();
    kiln(home.path(), ["import", "points.csv", "--layer", "stored", "-q"]).done();
    home
}

/// A request: method, path and query, and the body of a POST.
pub(crate) struct Sample(pub(crate) &'static str, pub(crate) String, pub(crate) Value);

/// Requests to each route that reads layers, by its path in the `OpenAPI` document.
#[allow(clippy::too_many_lines, reason = "a list")]
pub(crate) fn samples() -> BTreeMap<&'static str, Vec<Sample>> {
    let mut samples: BTreeMap<&str, Vec<Sample>> = BTreeMap::new();
    let filters = [
        "",
        "?start=2023-06-01&end=2023-06-02",
        "?start=2024-01-01&end=2024-01-02",
        "?start=2024-01-01T08:00:00Z",
        "?category=secret",
        "?category=bus",
    ];
    let tiles = ["0/0/0", "9/281/150", "16/36055/19275", "16/19933/39317", "16/38320/30890"];
    let styles = ["", "radius=40", "agg=sum", "agg=max", "blend=classic&radius=20"];
    let square = |west: f64, south: f64| {
        let (east, north) = (west + 0.5, south + 0.5);
        json!({"type": "Polygon",
               "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]]})
    };
    let areas = [square(-70.7, -33.6), square(18.0, 59.2), square(30.3, 10.1)];
    samples.insert("/catalog", vec![Sample("GET", "/catalog".into(), Value::Null)]);
    for (path, rest) in [
        ("/{layer}", ""),
        ("/{layer}/{z}/{x}/{y}.png", "/0/0/-1.png"),
        ("/{layer}/{z}/{x}/{y}.png", "/0/-1/0.png?radius=9"),
        ("/{layer}/{z}/{x}/{y}.png", "/3/0/-2.png?category=secret"),
        ("/{layer}/point/{lon},{lat}", "/point/18.1,59.3?z=4"),
        ("/{layer}/point/{lon},{lat}", "/point/-70.5,-33.4?z=4"),
        ("/{layer}/points", "/points"),
        ("/{layer}/points", "/points?bounds=-71,-34,-70,-33"),
        ("/{layer}/categories", "/categories?search=e"),
        ("/{layer}/statistics", "/statistics"),
        ("/{layer}/legend.json", "/legend.json?zoom=2"),
        ("/{layer}/frames", "/frames?every=1d"),
    ] {
        samples.entry(path).or_default().push(Sample("GET", format!("/floor{rest}"), Value::Null));
    }
    for grid in [
        "/files/grid?resolution=250m",
        "/stored/grid?resolution=1km&format=csv&heatmap_type=mean",
        "/wide/grid?resolution=1km&format=geojson&category=secret",
        "/floor/grid?resolution=0.25",
        "/floor/grid?resolution=2&heatmap_type=max&format=csv",
        "/floor/grid?resolution=1&heatmap_type=dwell",
        "/floor/grid?resolution=1&start=2023-06-01T00:00:00Z&end=2023-06-02T00:00:00Z",
    ] {
        samples.entry("/{layer}/grid").or_default().push(Sample("GET", grid.to_owned(), Value::Null));
    }
    let body = json!({"resolution": 5, "polygons": areas[0]});
    samples.entry("/{layer}/grid").or_default().push(Sample("POST", "/floor/grid".to_owned(), body));
    let detections = json!({
        "data_types": ["heatmap_v2"], "filter": {"space_id": "floor"},
        "window": {"heatmap_v2_options": {"grid_resolution": 0.5, "heatmap_type": "occupancy", "normalize": false}},
    });
    samples.entry("/v3/detections").or_default().push(Sample("POST", "/v3/detections".to_owned(), detections));
    for layer in ["files", "stored", "wide"] {
        let mut add = |path: &'static str, method: &'static str, rest: &str, body: Value| {
            samples.entry(path).or_default().push(Sample(method, format!("/{layer}{rest}"), body));
        };
        add("/{layer}", "GET", "", Value::Null);
        for (f, filter) in filters.into_iter().enumerate() {
            if layer == "wide" && f % 3 != 0 {
                continue;
            }
            let more = if filter.is_empty() { "?" } else { &format!("{filter}&") };
            add("/{layer}", "GET", filter, Value::Null);
            add("/{layer}/doc.kml", "GET", &format!("/doc.kml{filter}"), Value::Null);
            add("/{layer}/doc.kml", "GET", &format!("/doc.kml{more}tile=9/281/150"), Value::Null);
            add("/{layer}/qgis.qlr", "GET", &format!("/qgis.qlr{filter}"), Value::Null);
            for (t, tile) in tiles.iter().enumerate() {
                let style = styles[(f + t) % styles.len()];
                let query = if style.is_empty() { filter.to_owned() } else { format!("{more}{style}") };
                add("/{layer}/{z}/{x}/{y}.png", "GET", &format!("/{tile}.png{query}"), Value::Null);
            }
            for bounds in ["17,58,19,60", "-71,-34,-70,-33", "-180,-80,180,80"] {
                let path = "/{layer}/bbox/{bounds}/{size}";
                add(path, "GET", &format!("/bbox/{bounds}/200x200.png{filter}"), Value::Null);
                if f < 2 {
                    add(path, "GET", &format!("/bbox/{bounds}/200x200.tif{filter}"), Value::Null);
                }
                for format in ["geojson", "heat", "heatmapjs"] {
                    let rest = format!("/points{more}bounds={bounds}&format={format}");
                    add("/{layer}/points", "GET", &rest, Value::Null);
                }
            }
            add("/{layer}/points", "GET", &format!("/points{filter}"), Value::Null);
            if f % 2 == 0 {
                add("/{layer}/statistics", "GET", &format!("/statistics{filter}"), Value::Null);
            }
            add("/{layer}/matrix", "GET", &format!("/matrix{more}x=date&y=category"), Value::Null);
            add("/{layer}/matrix", "GET", &format!("/matrix{more}x=weekday&y=lat&agg=max&format=csv"), Value::Null);
            add("/{layer}/matrix", "GET", &format!("/matrix{more}x=value&y=none&format=svg"), Value::Null);
            add("/{layer}/matrix", "GET", &format!("/matrix{more}x=hour&weekdays=mon-wed"), Value::Null);
            add("/{layer}/legend.json", "GET", &format!("/legend.json{filter}"), Value::Null);
            add("/{layer}/legend.png", "GET", &format!("/legend.png{filter}"), Value::Null);
            add("/{layer}/categories", "GET", &format!("/categories{filter}"), Value::Null);
            add("/{layer}/frames", "GET", &format!("/frames{more}every=1d"), Value::Null);
            for place in ["18.06,59.33", "-70.5,-33.4", "30.5,10.25"] {
                for zoom in ["", "z=4", "z=18"] {
                    let rest = format!("/point/{place}{more}{zoom}");
                    add("/{layer}/point/{lon},{lat}", "GET", rest.trim_end_matches(['?', '&']), Value::Null);
                }
            }
            for area in areas.iter().filter(|_| [0, 4].contains(&f)) {
                add("/{layer}/{z}/{x}/{y}.png", "POST", &format!("/3/4/2.png{filter}"), area.clone());
                add("/{layer}/statistics", "POST", &format!("/statistics{more}bins=4"), area.clone());
                add(
                    "/{layer}/bbox/{bounds}/{size}",
                    "POST",
                    &format!("/bbox/-90,-60,90,70/300x300.png{filter}"),
                    area.clone(),
                );
            }
        }
        for area in &areas {
            for category in ["bus", "secret"] {
                let overlay = json!({"layer": layer, "polygon": area, "size": 300, "category": category});
                samples.entry("/overlays").or_default().push(Sample("POST", "/overlays".into(), overlay));
                let query = json!({"layer": layer, "polygon": area, "category": category});
                samples.entry("/queries").or_default().push(Sample("POST", "/queries".into(), query));
            }
        }
        for more in [json!({}), json!({"png": false}), json!({"bounds": [[-40, -80], [70, 40]]})] {
            let mut overlay = json!({"layer": layer, "size": [300, 300]});
            overlay.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            samples.entry("/overlays").or_default().push(Sample("POST", "/overlays".into(), overlay));
        }
        let comparison = json!([{"column": "weight", "op": ">", "value": 100}]);
        let query = json!({"layer": layer, "where": comparison});
        samples.entry("/queries").or_default().push(Sample("POST", "/queries".into(), query));
        for png in ["false", "true"] {
            let path =
                format!("/lib/heatmap.service.php?layer={layer}&png={png}&imgSize[]=300&imgSize[]=300&bounds[0][]=-40");
            let path = format!("{path}&bounds[0][]=-80&bounds[1][]=70&bounds[1][]=40");
            samples.entry("/lib/heatmap.service.php").or_default().push(Sample("GET", path, Value::Null));
        }
    }
    samples
}

/// Routes that read no layer; those of jobs, metrics and stored pictures have tests of their own.
const WITHOUT_LAYER: [&str; 16] = [
    "/_/inspect",
    "/_/metrics",
    "/health",
    "/imgs/{filename}",
    "/jobs",
    "/jobs/{name}/run",
    "/openapi.json",
    "/overlays/legend.png",
    "/sign",
    "/masks",
    "/matrix",
    "/matrix/{layer}",
    "/{layer}/floorplan",
    "/{layer}/floorplan.json",
    "/{layer}/rooms",
    "/{layer}/surface",
];

/// The random name of a temporary layer or a picture in a response.
pub(crate) fn random_name(reply: &Reply) -> Option<String> {
    let reply: Value = serde_json::from_slice(&reply.body).ok()?;
    let name = reply["id"].as_str().or_else(|| reply["filename"].as_str())?;
    Some(name.trim_end_matches(".png").to_owned())
}

/// The response without what differs between any two responses: dates, ids of requests and random names.
fn comparable(server: &Server, reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let name = random_name(reply).unwrap_or_else(|| "\0".to_owned());
    let text = |text: &str| text.replace(server.address(), "HOST").replace(&name, "NAME");
    let ignored = ["date", "x-request-id", "content-length"];
    let headers = reply.headers.iter().filter(|(name, _)| !ignored.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.clone(), text(value))).collect();
    let body = match std::str::from_utf8(&reply.body) {
        Ok(body) => {
            let mut body = text(body);
            if let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(&body) {
                // Times of this run.
                for name in ["expires_at", "request_id"] {
                    members.remove(name);
                }
                body = Value::Object(members).to_string();
            }
            body.into_bytes()
        }
        Err(_) => reply.body.clone(),
    };
    (reply.status, headers, body)
}

fn send(server: &Server, Sample(method, path, body): &Sample) -> Reply {
    if *method == "POST" { server.post(path, body) } else { server.get(path) }
}

#[test]
fn a_profile_needs_released_times_of_an_hour() {
    let server = Server::at(home(&crowd()), &[]);
    let grid = |layer: &str| server.get(&format!("/{layer}/grid?resolution=1km&profile=hour_of_day&tz=UTC"));
    for layer in ["files", "stored"] {
        let words =
            ["profile: the layer's times are released per 1d (min_count_period); the part hour needs 1h or less"];
        grid(layer).rejected(400, &words);
    }
    let profile = grid("wide").ok(200).json()["profile"]["values"].clone();
    assert_eq!((&profile[9], &profile[17], &profile[0]), (&json!(80), &json!(80), &json!(0)));
}

#[test]
fn every_route_returns_the_same_with_and_without_points_that_are_not_released() {
    let [with, without] = [crowd() + &lonely(), crowd()].map(|rows| Server::at(home(&rows), &[]));
    let openapi = with.get("/openapi.json").ok(200).json();
    let samples = samples();
    let mut compared = 0;
    for (path, methods) in openapi["paths"].as_object().unwrap() {
        if WITHOUT_LAYER.contains(&path.as_str()) || path.starts_with("/masks/") {
            continue;
        }
        let of_path = samples.get(path.as_str());
        let of_path = of_path.unwrap_or_else(|| panic!("add requests to {path} to `samples`: does it read a layer?"));
        let reads = methods.as_object().unwrap().keys().filter(|method| {
            let writes = ["put", "delete", "patch"].contains(&method.as_str())
                || (method.as_str(), path.as_str()) == ("post", "/{layer}/points");
            !writes && path.as_str() != "/lib/heatmap.service.php"
        });
        for method in reads {
            let is_sampled = of_path.iter().any(|Sample(sampled, ..)| sampled.eq_ignore_ascii_case(method));
            assert!(is_sampled, "add {method} requests to {path} to `samples`");
        }
        for sample in of_path {
            let replies = [&with, &without].map(|server| (server, send(server, sample)));
            let [with, without] = replies.each_ref().map(|(server, reply)| comparable(server, reply));
            let show = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
            let Sample(method, url, _) = sample;
            assert!(
                with == without,
                "{method} {url}: {:?} {}\n{:?} {}",
                with.1,
                show(&with.2),
                without.1,
                show(&without.2)
            );
            let can_fail = path == "/queries"
                || url.contains("secret")
                || url.contains("/grid")
                || url.contains("/matrix")
                || path == "/v3/detections";
            assert!(with.0 < 300 || can_fail && with.0 == 400, "{method} {url}: {}", show(&with.2));
            compared += usize::from(with.0 < 300);
            // A temporary layer is protected as the layer that it was made from, and pictures are on disk.
            let linked = replies.each_ref().map(|(server, reply)| {
                let name = random_name(reply).unwrap_or_default();
                let rests = match path.as_str() {
                    "/queries" if reply.status == 201 => {
                        ["0/0/0.png", "points", "statistics"].map(|r| format!("/{name}/{r}")).to_vec()
                    }
                    "/overlays" | "/lib/heatmap.service.php" if !name.is_empty() => vec![format!("/imgs/{name}.png")],
                    _ => Vec::new(),
                };
                rests.iter().map(|rest| server.get(rest).ok(200).body).collect::<Vec<_>>()
            });
            assert!(linked[0] == linked[1], "{url} {:?}", sample.2);
        }
    }
    assert!(compared > 300, "only {compared} requests succeeded");
    // The crowd is released, whole.
    let statistics = |layer: &str| with.get(&format!("/{layer}/statistics")).ok(200).json()["points"].clone();
    assert_eq!([statistics("files"), statistics("stored"), statistics("wide")], [json!(160), json!(160), json!(160)]);
    let features = with.get("/files/points?limit=1000").ok(200).json()["features"].as_array().unwrap().clone();
    let places: std::collections::BTreeSet<String> =
        features.iter().map(|point| point["geometry"].to_string()).collect();
    assert_eq!((features.len(), places.len()), (160, 2));
    assert!(features.iter().all(|point| point["geometry"]["coordinates"] != json!([18.06, 59.33])));
}

#[test]
fn jobs_metrics_and_changed_layers_do_not_depend_on_points_that_are_not_released() {
    let token = ("authorization", "Bearer s3cret");
    let servers = [crowd() + &lonely(), crowd()].map(|rows| Server::at(home(&rows), &[]));
    let pictures = servers.each_ref().map(|server| {
        ["files", "stored"].map(|job| {
            server.send("POST", &format!("/jobs/{job}/run"), &[token], b"").ok(202);
            let picture = server.images().join(format!("{job}.png"));
            eventually("the job has written its picture", || picture.exists());
            std::fs::read(picture).unwrap()
        })
    });
    assert!(pictures[0] == pictures[1]);
    let gauges = servers.each_ref().map(|server| {
        let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
        let lines: Vec<String> = text.lines().filter(|line| line.contains("layer=\"")).map(str::to_owned).collect();
        assert!(lines.len() >= 3, "{text}");
        lines.into_iter().collect::<std::collections::BTreeSet<_>>()
    });
    assert_eq!(gauges[0], gauges[1]);

    // Points that are added later are released once there are enough of them.
    let [server, _] = &servers;
    let row = format!("lon,lat,weight,time,category\n-70.5,-33.4,999,{MONDAY},bus\n");
    let add = || {
        let csv = ("content-type", "text/csv");
        server.send("POST", "/stored/points", &[token, csv], row.as_bytes()).ok(200).json()
    };
    let state = || server.get("/stored").ok(200).json()["kiln"].clone();
    let before = state();
    for _ in 0..3 {
        let reply = add();
        assert_eq!((reply["accepted"].clone(), &reply["version"]), (json!(1), &before["version"]));
    }
    let put = server.send("PUT", "/stored", &[token], b"").ok(200).json();
    assert_eq!((&put["points"], &put["version"]), (&json!(160), &before["version"]));
    assert_eq!(state(), before);
    // With the first of them, imported before, there are five.
    add();
    eventually("the points are released", || state()["points"] == json!(165));
    server.send("DELETE", "/stored", &[token], b"").ok(204);
    server.get("/stored").rejected(404, &["stored"]);
}

/// Runs `kiln` in a folder, and returns the contents of the files that it writes and what it prints, without times.
fn outputs(home: &Path, args: &[&str], file: &str) -> (Vec<u8>, String) {
    let path = home.join(file);
    let _ = std::fs::remove_file(&path);
    let run = kiln(home, args);
    assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
    // Times of the run.
    let is_stable =
        |word: &&str| !word.contains("/s") && !word.parse::<f64>().is_ok_and(|number| number.fract() != 0.0);
    let printed = run.stderr.split_whitespace().filter(is_stable).collect::<Vec<_>>().join(" ");
    (std::fs::read(&path).unwrap_or_default(), printed)
}

#[test]
fn every_command_that_reads_a_layer_writes_the_same() {
    let homes = [crowd() + &lonely(), crowd()].map(|rows| home(&rows));
    for layer in ["files", "stored", "wide"] {
        let commands: [(&[&str], &str); 6] = [
            (&["animate", layer, "-o", "d.png", "--every", "1d"], "d.png"),
            (&["export", layer, "-o", "e.pmtiles", "--zoom", "0-6"], "e.pmtiles"),
            (&["export", layer, "--bins", "f.parquet", "--zoom", "12-14"], "f.parquet"),
            (&["export", layer, "--bins", "g.parquet", "--zoom", "3", "--start", "2023-01-01"], "g.parquet"),
            (&["export", layer, "-o", "h.tif", "--zoom", "5"], "h.tif"),
            (&["batch", "--threads", "1"], "imgs/files.png"),
        ];
        for (args, file) in commands {
            let [with, without] = homes.each_ref().map(|home| outputs(home.path(), args, file));
            assert!(!with.0.is_empty(), "{args:?} wrote nothing");
            assert!(with == without, "{args:?}: {} / {}", with.1, without.1);
        }
    }
}

#[test]
fn a_section_of_a_stored_layer_protects_it_and_does_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let rejected = |config: &str, words: &[&str]| {
        std::fs::write(home.path().join("kiln.toml"), config).unwrap();
        kiln(home.path(), ["config", "check"]).failed(2, words);
    };
    rejected("[layers.a]\nstore = true\n", &["layers.a.store", "needs min_count"]);
    rejected("[layers.a]\nstore = true\nmin_count = 5\ntitle = \"A\"\n", &["layers.a.store", "description"]);
    rejected("[layers.a]\nstore = true\nmin_count = 5\ninput = \"a.csv\"\n", &["layers.a.store"]);
    rejected("[layers.a]\ninput = \"a.csv\"\nmin_count = 1\n", &["layers.a.min_count", "from 2 to"]);
    rejected(
        "[layers.a]\ninput = \"a.csv\"\nmin_count_cell = \"5m\"\n",
        &["layers.a.min_count_cell", "needs min_count"],
    );
    rejected("[layers.a]\ninput = \"a.csv\"\nmin_count = 5\nmin_count_cell = \"5px\"\n", &["min_count_cell", "100m"]);
    rejected("[layers.a]\ninput = \"a.csv\"\nmin_count = 5\nmin_count_period = \"0\"\n", &["min_count_period", "1h"]);
}

#[test]
fn released_points_of_a_stored_layer_are_kept_for_the_refresh_interval() {
    let home = tempfile::tempdir().unwrap();
    let config = "[server]\ntoken = \"s3cret\"\n[layers.live]\nstore = true\nmin_count = 2\nrefresh = \"1h\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let token = ("authorization", "Bearer s3cret");
    let points = || server.get("/live").ok(200).json()["kiln"]["points"].clone();
    server.send("PUT", "/live", &[token], b"").ok(201);
    assert_eq!(points(), json!(0));
    let rows = b"lon,lat\n1,1\n1,1\n1,1\n";
    server.send("POST", "/live/points", &[token, ("content-type", "text/csv")], rows).ok(200);
    assert_eq!(points(), json!(0));
}
