//! Points that are posted into layers of a running server.

use std::fmt::Write;
use std::io::Write as _;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::kiln::{data, kiln};
use crate::server::{Reply, Server, eventually};

/// A server with a small layer from a file, and without a store.
pub(crate) fn server(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("fixed.csv"), "lon,lat\n1,2\n").unwrap();
    std::fs::write(home.path().join("kiln.toml"), format!("{config}\n[layers.fixed]\ninput = \"fixed.csv\"\n"))
        .unwrap();
    Server::at(home, &[])
}

impl Server {
    pub(crate) fn put(&self, layer: &str, description: &Value) -> Reply {
        self.send("PUT", &format!("/{layer}"), &[], description.to_string().as_bytes())
    }

    pub(crate) fn points(&self, layer: &str, media_type: &str, body: impl AsRef<[u8]>) -> Reply {
        self.send("POST", &format!("/{layer}/points"), &[("content-type", media_type)], body.as_ref())
    }

    /// The value of a metric, or 0 if it is missing.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.get("/_/metrics").ok(200).body).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
    }

    /// The entry of a layer in the catalog.
    fn catalog_entry(&self, layer: &str) -> Option<Value> {
        let catalog = self.get("/catalog").ok(200).json();
        catalog["layers"].as_array().unwrap().iter().find(|listed| listed["name"] == layer).cloned()
    }

    /// The number of points and the sum of their weights.
    pub(crate) fn totals(&self, layer: &str) -> (u64, f64) {
        let statistics = self.get(&format!("/{layer}/statistics?zoom=0&radius=1")).ok(200).json();
        (statistics["points"].as_u64().unwrap(), statistics["weight"]["sum"].as_f64().unwrap_or(0.0))
    }
}

/// CSV text of `count` rows.
pub(crate) fn csv(count: usize) -> String {
    let mut text = String::from("lon,lat,weight\n");
    for i in 0..count {
        writeln!(text, "{}.5,{}.25,2", i % 50, i % 60).unwrap();
    }
    text
}

pub(crate) fn gzip(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content.as_ref()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_layer_is_created_shows_new_points_at_once_and_is_deleted() {
    let server = server("");
    let store = server.folder().join("store");
    assert!(!store.exists());
    server.points("trips", "text/csv", csv(1)).rejected(404, &["no layer `trips`", "PUT /trips creates it"]);
    assert!(
        !store.exists()
            || store.read_dir().unwrap().all(|entry| entry
                .unwrap()
                .file_name()
                .to_string_lossy()
                .starts_with("server."))
    );

    let created =
        server.put("trips", &json!({"title": "Taxi trips", "style": {"scheme": "fire", "radius": 30}})).ok(201);
    assert_eq!(created.header("location"), Some("/trips"));
    assert_eq!((&created.json()["points"], &created.json()["title"]), (&json!(0), &json!("Taxi trips")));
    assert_eq!(server.catalog_entry("trips").unwrap()["points"], 0);
    let tile_json = || server.get("/trips").ok(200).json();
    let (empty, tile) = (tile_json(), || server.get("/trips/3/4/3.png").ok(200));
    let before = tile();

    let reply = server.points("trips", "text/csv; charset=utf-8", csv(500)).ok(200).json();
    let expected = json!({"accepted": 500, "rejected": 0, "rejections": [], "remarks": [], "beyond_map": 0, "repeated": false,
        "version": reply["version"]});
    assert_eq!(reply, expected);
    // The points are visible at once: in the tile, its ETag, its URL, the catalog and the metrics.
    let after = tile();
    assert_ne!(before.body, after.body);
    assert_ne!(before.header("etag"), after.header("etag"));
    assert_ne!(empty["tiles"], tile_json()["tiles"]);
    assert_eq!(tile_json()["kiln"]["version"], reply["version"]);
    assert!(tile_json()["tiles"][0].as_str().unwrap().contains("scheme=fire"));
    let listed = server.catalog_entry("trips").unwrap();
    assert_eq!(
        (&listed["points"], &listed["version"], &listed["title"]),
        (&json!(500), &reply["version"], &json!("Taxi trips"))
    );
    assert_eq!(server.totals("trips"), (500, 1000.0));
    assert_eq!(server.metric("kiln_layer_points{layer=\"trips\"} "), 500);
    assert_eq!(server.metric("kiln_ingest_points_total{fate=\"Accepted\"} "), 500);
    assert_eq!(server.metric("kiln_layer_commits{layer=\"trips\"} "), 1);

    // A changed description is visible at once too, and the points are kept.
    let restyled = server.put("trips", &json!({"style": {"scheme": "viridis"}})).ok(200).json();
    assert_eq!((&restyled["points"], &restyled["title"]), (&json!(500), &Value::Null));
    assert_ne!(tile().body, after.body);
    assert!(tile_json()["tiles"][0].as_str().unwrap().contains("scheme=viridis"));
    let same = server.send("PUT", "/trips", &[], b"").ok(200).json();
    assert_eq!((&same["style"]["scheme"], &same["version"]), (&json!("viridis"), &restyled["version"]));

    server.send("DELETE", "/trips", &[], b"").ok(204);
    assert!(server.catalog_entry("trips").is_none() && !store.join("trips").exists());
    server.get("/trips").rejected(404, &["trips"]);
    server.send("DELETE", "/trips", &[], b"").rejected(404, &["trips"]);
    server.points("trips", "text/csv", csv(1)).rejected(404, &["PUT /trips"]);
    // A layer that is created again is empty.
    server.put("trips", &json!({"style": {"scheme": "fire", "radius": 30}})).ok(201);
    assert_eq!(tile().body, before.body);
}

#[test]
fn points_are_accepted_in_every_format_compressed_or_not() {
    let server = server("");
    server.put("all", &json!({})).ok(201);
    let geojson = json!({"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [10, 50]}, "properties": {"weight": 3}}]});
    let rows =
        json!([{"lon": 10, "lat": 50, "weight": 2, "time": "2024-05-01T12:00:00Z", "category": "bus"}, {"x": 1}]);
    let lines = "{\"lon\": 1, \"lat\": 2}\n{\"lon\": 3, \"lat\": 4}\n";
    let post = |headers: &[(&str, &str)], body: &[u8]| {
        let reply = server.send("POST", "/all/points", headers, body).ok(200).json();
        (reply["accepted"].as_u64().unwrap(), reply["rejected"].as_u64().unwrap())
    };
    let typed = |media_type: &'static str| [("content-type", media_type)];
    assert_eq!(post(&typed("text/csv"), csv(3).as_bytes()), (3, 0));
    assert_eq!(post(&typed("application/geo+json"), geojson.to_string().as_bytes()), (1, 0));
    assert_eq!(post(&typed("Application/JSON; charset=utf-8"), rows.to_string().as_bytes()), (1, 1));
    assert_eq!(post(&typed("application/x-ndjson"), lines.as_bytes()), (2, 0));
    // Without a specific media type, the format is detected from the content.
    for headers in
        [&[][..], &typed("application/x-www-form-urlencoded"), &typed("application/octet-stream"), &typed("text/plain")]
    {
        assert_eq!(post(headers, csv(3).as_bytes()), (3, 0));
        assert_eq!(post(headers, lines.as_bytes()), (2, 0));
        assert_eq!(post(headers, geojson.to_string().as_bytes()), (1, 0));
    }
    let (gzipped, zstd) = (gzip(csv(3)), zstd::encode_all(csv(3).as_bytes(), 1).unwrap());
    for encoding in ["gzip", "GZIP", "x-gzip"] {
        assert_eq!(post(&[("content-type", "text/csv"), ("content-encoding", encoding)], &gzipped), (3, 0));
    }
    assert_eq!(post(&[("content-type", "text/csv"), ("content-encoding", "zstd")], &zstd), (3, 0));
    assert_eq!(post(&[("content-encoding", "identity")], csv(3).as_bytes()), (3, 0));
    // Compression is detected from the content, too.
    assert_eq!(post(&typed("text/csv"), &gzipped), (3, 0));
    assert_eq!(post(&[], &zstd), (3, 0));

    let parquet = std::fs::read(data("cities.parquet")).unwrap();
    let path = "/cities-again/points?weight=population";
    server.put("cities-again", &json!({"weight": "population"})).ok(201);
    let reply = server.send("POST", path, &typed("application/vnd.apache.parquet"), &parquet).ok(200).json();
    assert_eq!(reply["accepted"], 135_233);
    // The weight column of the layer is the default for later requests.
    let (points, sum) = server.totals("cities-again");
    server.points("cities-again", "text/csv", "lon,lat,population\n1,2,1000\n").ok(200);
    assert_eq!(server.totals("cities-again"), (points + 1, sum + 1000.0));
    server.points("cities-again", "text/csv", csv(1)).rejected(400, &["population"]);
}

#[test]
fn a_long_body_is_read_as_a_stream() {
    let server = server("");
    server.put("long", &json!({})).ok(201);
    // Bodies above a megabyte are read as a stream. A chunked body does not announce its length.
    let text = csv(200_000);
    let mut stream = server.connect();
    let head = format!("POST /long/points HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", server.address());
    write!(stream, "{head}content-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    for piece in text.as_bytes().chunks(100_000) {
        write!(stream, "{:x}\r\n", piece.len()).unwrap();
        stream.write_all(piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(crate::server::receive(&mut stream).ok(200).json()["accepted"], 200_000);
    let headers = [("content-type", "text/csv"), ("content-encoding", "gzip")];
    assert_eq!(server.send("POST", "/long/points", &headers, &gzip(&text)).ok(200).json()["accepted"], 200_000);
    assert_eq!(server.totals("long"), (400_000, 800_000.0));
}

#[test]
fn rejected_rows_are_reported() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let reply = server.points("some", "text/csv", "lon,lat\n1,2\n1,95\nx,2\n1,89\n3,4\n").ok(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"], &reply["beyond_map"]), (&json!(2), &json!(2), &json!(1)));
    let rows: Vec<u64> =
        reply["rejections"].as_array().unwrap().iter().map(|rejection| rejection["row"].as_u64().unwrap()).collect();
    assert_eq!(rows, [2, 3]);
    assert!(reply["rejections"][0]["reason"].as_str().unwrap().contains("latitude 95"), "{reply}");
    let many = format!("lon,lat\n{}1,2\n", "1,95\n".repeat(1500));
    let reply = server.points("some", "text/csv", many).ok(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"]), (&json!(1), &json!(1500)));
    assert_eq!(reply["rejections"].as_array().unwrap().len(), 1000);
    // A request without a valid point is not an error, and changes nothing.
    let before = server.catalog_entry("some").unwrap();
    let reply = server.points("some", "text/csv", "lon,lat\n1,95\n").ok(200).json();
    assert_eq!((&reply["accepted"], &reply["version"]), (&json!(0), &before["version"]));
}

#[test]
fn points_of_concurrent_clients_are_all_stored_once() {
    const CLIENTS: usize = 8;
    const POSTS: usize = 12;
    let server = server("");
    server.put("busy", &json!({})).ok(201);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                for post in 0..POSTS {
                    let key = format!("{client}-{post}");
                    let headers = [("content-type", "text/csv"), ("idempotency-key", key.as_str())];
                    let send = || server.send("POST", "/busy/points", &headers, csv(100).as_bytes()).ok(200).json();
                    let (reply, again) = (send(), send());
                    assert_eq!((&reply["accepted"], &reply["repeated"]), (&json!(100), &json!(false)));
                    assert_eq!((&again["accepted"], &again["repeated"]), (&json!(100), &json!(true)));
                    server.get("/busy/2/2/1.png").ok(200);
                }
            });
        }
    });
    let count = (CLIENTS * POSTS * 100) as u64;
    assert_eq!(server.totals("busy"), (count, 2.0 * count as f64));
    assert_eq!(server.metric("kiln_ingest_repeated_requests_total "), (CLIENTS * POSTS) as u64);
    // Small segments are merged in the background, and their idempotency keys are kept.
    let segments = || server.metric("kiln_layer_segments{layer=\"busy\"} ");
    eventually("the segments are merged", || segments() < 8);
    let headers = [("content-type", "text/csv"), ("idempotency-key", "0-0")];
    let again = server.send("POST", "/busy/points", &headers, csv(100).as_bytes()).ok(200).json();
    assert_eq!(again["repeated"], true);
    server.send("POST", "/busy/points", &headers, csv(99).as_bytes()).rejected(422, &["Idempotency-Key"]);
    let others = server.send("POST", "/busy/points?weight=weight", &headers, csv(100).as_bytes());
    others.rejected(422, &["Idempotency-Key"]);
    assert_eq!(server.totals("busy").0, count);
}

#[test]
fn old_points_expire_automatically() {
    let server = server("");
    server.put("recent", &json!({})).ok(201);
    let rows = "lon,lat,time\n1,2,2001-01-01\n3,4,2001-01-02\n5,6,2999-01-01\n7,8,\n";
    assert_eq!(server.points("recent", "text/csv", rows).ok(200).json()["accepted"], 4);
    assert_eq!(server.put("recent?expire=true", &json!({"keep": "30d"})).ok(200).json()["keep"], "30d");
    eventually("the old points are gone", || server.totals("recent").0 == 2);
    assert_eq!(server.metric("kiln_store_expired_points_total "), 2);
}

#[test]
fn the_command_line_and_the_server_share_a_store() {
    let server = server("");
    server.put("shared", &json!({})).ok(201);
    server.points("shared", "text/csv", csv(10)).ok(200);
    std::fs::write(server.folder().join("more.csv"), csv(20)).unwrap();
    kiln(server.folder(), ["import", "more.csv", "--layer", "shared", "--append"]).done();
    server.points("shared", "text/csv", csv(30)).ok(200);
    assert_eq!(server.totals("shared"), (60, 120.0));
    kiln(server.folder(), ["drop", "shared", "--yes"]).done();
    server.points("shared", "text/csv", csv(1)).rejected(404, &["shared"]);
    // A second server cannot use the store.
    let second = Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(["serve", "-l", "127.0.0.1:0"])
        .current_dir(server.folder())
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("another server uses this store"));
}
