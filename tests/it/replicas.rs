//! Replicas: servers that copy the layers in a bucket, and serve them whatever happens to it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io::{Read, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kiln::{Run, data, kiln, kiln_with_env};
use crate::s3_server::{S3Server, free_port, variables};
use crate::server::{Reply, Server, eventually};

/// A store with the bundled cities as a layer.
fn store_of_cities() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let cities = data("cities.parquet");
    kiln(home.path(), ["import", cities.to_str().unwrap(), "--layer", "cities", "--weight", "population"]).done();
    home
}

fn borrowed(variables: &[(String, String)]) -> Vec<(&str, &str)> {
    variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Publishes the layers of the store in a folder.
fn publish(home: &Path, to: &str, args: &[&str], variables: &[(String, String)]) -> Run {
    let args = ["publish", "--to", to].into_iter().chain(args.iter().copied());
    kiln_with_env(home, args, &borrowed(variables))
}

/// Starts a replica that checks the bucket every second.
fn replica(url: &str, variables: &[(String, String)]) -> Server {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), "[store]\nrefresh = \"1s\"\n").unwrap();
    let args = ["--store", url, "--cache", "cache"];
    Server::with_variables(home, "127.0.0.1:0", &args, &borrowed(variables))
}

fn ready_replica(url: &str, variables: &[(String, String)]) -> Server {
    let server = replica(url, variables);
    server.eventually("/health?ready", 200);
    server
}

fn points(server: &Server, layer: &str) -> Option<u64> {
    let catalog = server.get("/catalog").ok(200).json();
    let layers = catalog["layers"].as_array().unwrap().clone();
    layers.iter().find(|listed| listed["name"] == layer)?["points"].as_u64()
}

/// The status, entity tag and bytes of a response.
fn content(reply: &Reply) -> (u16, Option<String>, Vec<u8>) {
    (reply.status, reply.header("etag").map(str::to_owned), reply.body.clone())
}

#[test]
fn replicas_of_a_version_and_their_writer_answer_the_same_bytes() {
    let home = store_of_cities();
    let url = format!("file://{}/bucket", home.path().display());
    let summary = publish(home.path(), &url, &[], &[]).done();
    assert!(summary.contains("cities: published version") && summary.contains("uploaded 2 of 2 files"), "{summary}");
    let summary = publish(home.path(), &url, &["cities"], &[]).done();
    assert!(summary.contains("is published already"), "{summary}");
    let replicas = [(); 2].map(|()| ready_replica(&url, &[]));
    let writer = Server::at(home, &[]);
    for path in ["/cities/0/0/0.png", "/cities/4/8/5.png?scheme=fire", "/cities/statistics", "/cities/legend.png"] {
        let [one, other] = replicas.each_ref().map(|server| content(&server.get(path)));
        assert_eq!(one.0, 200, "{path}");
        assert!(one == other && one == content(&writer.get(path)), "{path}");
    }
    for server in &replicas {
        let put = server.send("PUT", "/stops", &[("content-type", "application/json")], b"{}");
        put.rejected(403, &["a replica of a bucket"]);
        assert_eq!(server.get("/catalog").json()["writes"]["access"], "closed");
        let health = server.get("/health?ready").ok(200).text().into_owned();
        assert!(health.starts_with("ready\nlast contact with the bucket "), "{health}");
        assert_eq!(server.metric("kiln_replica_ready "), 1);
        assert!(server.metric("kiln_replica_copied_bytes_total ") > 1_000_000);
        server.post("/overlays", &serde_json::json!({"layer": "cities", "size": 64})).ok(201);
    }
    // A second server cannot use the cache.
    let cache = replicas[0].folder().join("cache");
    kiln(writer.folder(), ["serve", "-l", "127.0.0.1:0", "--store", &url, "--cache", cache.to_str().unwrap()])
        .failed(1, &["another server uses this cache"]);
    kiln(writer.folder(), ["drop", "cities", "--yes", "--store", cache.to_str().unwrap()])
        .failed(1, &["the cache of a replica"]);
    kiln(writer.folder(), ["drop", "cities", "--yes", "--store", &url]).failed(1, &["kiln publish"]);
    // Commands read the copies.
    let list = kiln(replicas[0].folder(), ["layers", "--json", "--store", &url]);
    assert!(list.code == 1 && list.stderr.contains("store-cache"), "{}", list.stderr);
    let list = kiln(replicas[0].folder(), ["layers", "--json", "--store", cache.to_str().unwrap()]);
    assert!(list.code == 0 && String::from_utf8_lossy(&list.stdout).contains("\"cities\""));
}

#[test]
fn a_new_version_and_a_removal_reach_the_replicas() {
    let home = store_of_cities();
    let url = format!("file://{}/bucket", home.path().display());
    publish(home.path(), &url, &[], &[]).done();
    let server = ready_replica(&url, &[]);
    let before = points(&server, "cities").unwrap();
    fs::write(home.path().join("more.csv"), "lon,lat,population\n1,2,3\n4,5,6\n").unwrap();
    kiln(home.path(), ["import", "more.csv", "--layer", "cities", "--weight", "population", "--append"]).done();
    kiln(home.path(), ["import", "more.csv", "--layer", "stops"]).done();
    let summary = publish(home.path(), &url, &[], &[]).done();
    assert!(summary.contains("uploaded 1 of 3 files") && summary.contains("stops: published"), "{summary}");
    eventually("the new version", || points(&server, "cities") == Some(before + 2));
    eventually("the new layer", || points(&server, "stops") == Some(2));
    publish(home.path(), &url, &["--remove", "cities"], &[]).done();
    eventually("the removal", || points(&server, "cities").is_none());
    server.get("/cities/0/0/0.png").rejected(404, &["there is no layer `cities`"]);
    publish(home.path(), &url, &["--remove", "trips"], &[]).failed(1, &["no layer `trips`"]);
    publish(home.path(), &url, &["citties"], &[]).failed(1, &["no layer `citties`", "cities"]);
    publish(home.path(), "maps", &[], &[]).failed(1, &["not a URL", "s3://bucket/maps"]);
}

#[test]
fn a_server_publishes_its_changes() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("file://{}/bucket", home.path().display());
    fs::write(home.path().join("kiln.toml"), format!("[store]\npublish = \"{url}\"\nrefresh = \"1s\"\n")).unwrap();
    let writer = Server::at(home, &[]);
    let csv = [("content-type", "text/csv")];
    writer.send("PUT", "/trips/points", &csv, b"lon,lat\n1,2\n3,4\n").ok(201);
    let server = replica(&url, &[]);
    eventually("the layer", || points(&server, "trips") == Some(2));
    server.eventually("/health?ready", 200);
    writer.send("POST", "/trips/points", &csv, b"lon,lat\n5,6\n").ok(200);
    eventually("the new point", || points(&server, "trips") == Some(3));
    let rooms = br#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"a"},"geometry":{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,0]]]}}]}"#;
    let reply = writer.send("PUT", "/trips/rooms", &[("content-type", "application/geo+json")], rooms);
    assert!(reply.status < 300, "{}", reply.text());
    eventually("the rooms", || server.get("/catalog").json()["layers"][0]["rooms"] == 1);
    assert!(writer.metric("kiln_store_publications_total ") >= 3);
    // The same bucket can be published to by hand.
    let summary = kiln(writer.folder(), ["publish"]).done();
    assert!(summary.contains("is published already"), "{summary}");
    kiln(server.folder(), ["publish", "--store", "none"]).failed(2, &["--to: required", "store.publish"]);
}

#[test]
fn a_replica_starts_from_its_copy_while_the_bucket_is_away() {
    let s3 = S3Server::start();
    s3.create_bucket("maps");
    let (home, variables) = (store_of_cities(), s3.variables());
    let summary = publish(home.path(), "s3://maps/heat", &[], &variables).done();
    assert!(summary.trim_end().ends_with("s3://maps/heat"), "{summary}");
    let mut server = ready_replica("s3://maps/heat", &variables);
    let tile = content(&server.get("/cities/3/4/2.png"));
    s3.kill();
    server.restart();
    server.get("/health?ready").ok(200);
    assert!(content(&server.get("/cities/3/4/2.png")) == tile);
    eventually("the outage", || server.get("/health").text().contains("it cannot be read now"));
    assert_eq!(server.log().matches("the bucket cannot be read; the last versions").count(), 1, "{}", server.log());
    assert!(!server.log().contains("s3cretkey") && !server.get("/health").text().contains("127.0.0.1"));
}

/// What clients of replicas saw.
#[derive(Default)]
struct Observed {
    /// The bytes of each entity tag.
    contents: Mutex<BTreeMap<String, Vec<u8>>>,
    requests: AtomicUsize,
    stopped: AtomicBool,
}

impl Observed {
    /// Sends requests to a server until it is stopped.
    fn load(&self, server: &Server, thread: usize) {
        let paths: Vec<String> =
            (0..8).map(|x| format!("/cities/3/{x}/{}.png?scheme=fire", (x + thread) % 5 + 1)).collect();
        while !self.stopped.load(Ordering::Relaxed) {
            for path in &paths {
                let reply = server.get(path);
                assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                let tag = reply.header("etag").unwrap().to_owned();
                let mut contents = self.contents.lock().unwrap();
                let known = contents.entry(tag).or_insert_with(|| reply.body.clone());
                assert!(*known == reply.body, "{path}: other bytes with the same entity tag");
                self.requests.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[test]
fn no_request_notices_that_the_bucket_is_killed_or_a_version_swapped() {
    let s3 = S3Server::start();
    s3.create_bucket("maps");
    let (port, variables) = (s3.port(), s3.variables());
    let home = store_of_cities();
    publish(home.path(), "s3://maps", &[], &variables).done();
    let replicas = [(); 2].map(|()| ready_replica("s3://maps", &variables));
    let before = points(&replicas[0], "cities").unwrap();
    let observed = Observed::default();
    // The server of S3 runs until the logs are read: its end is another outage.
    let _s3 = std::thread::scope(|scope| {
        for (thread, server) in replicas.iter().cycle().take(4).enumerate() {
            let observed = &observed;
            scope.spawn(move || observed.load(server, thread));
        }
        // A failed assertion here ends the other threads, too.
        let _stop = StopOnDrop(&observed.stopped);
        let progress = |count: usize| {
            let target = observed.requests.load(Ordering::Relaxed) + count;
            eventually("requests", || observed.requests.load(Ordering::Relaxed) >= target);
        };
        progress(100);
        s3.kill();
        for server in &replicas {
            eventually("the outage", || server.get("/health?ready").ok(200).text().contains("it cannot be read now"));
        }
        progress(100);
        // Its objects are lost, so the layers are published again.
        let s3 = S3Server::start_at(port, &[]);
        s3.create_bucket("maps");
        progress(50);
        assert_eq!(points(&replicas[0], "cities"), Some(before));
        let mut rows = "lon,lat,population\n".to_owned();
        for n in 0..500 {
            writeln!(rows, "{},{},{}", n % 20, n % 37, n * 1000).unwrap();
        }
        fs::write(home.path().join("more.csv"), rows).unwrap();
        kiln(home.path(), ["import", "more.csv", "--layer", "cities", "--weight", "population", "--append"]).done();
        publish(home.path(), "s3://maps", &[], &variables).done();
        for server in &replicas {
            eventually("the new version", || points(server, "cities") == Some(before + 500));
            eventually("contact", || !server.get("/health").text().contains("cannot be read"));
        }
        progress(100);
        s3
    });
    for server in &replicas {
        let log = server.log();
        assert_eq!(log.matches("the bucket cannot be read; the last versions").count(), 1, "{log}");
        assert_eq!(log.matches("the bucket can be reached again").count(), 1, "{log}");
        assert!(!log.contains("s3cretkey"), "{log}");
    }
    let tiles = ["/cities/0/0/0.png", "/cities/3/4/2.png?scheme=fire", "/cities/5/16/10.png"];
    for path in tiles {
        let [one, other] = replicas.each_ref().map(|server| content(&server.get(path)));
        assert!(one == other, "{path}");
    }
}

/// Sets a flag at the end of a scope.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn wrong_buckets_and_credentials_are_errors_at_the_start() {
    let s3 = S3Server::start();
    s3.create_bucket("maps");
    let home = store_of_cities();
    let serve = |url: &str, variables: &[(String, String)]| {
        let args = ["serve", "-l", "127.0.0.1:0", "--store", url, "--cache", "cold"];
        kiln_with_env(home.path(), args, &borrowed(variables))
    };
    serve("s3://none/heat", &s3.variables()).failed(1, &["s3://none/", "the bucket none does not exist"]);
    publish(home.path(), "s3://none/heat", &[], &s3.variables()).failed(1, &["the bucket none does not exist"]);
    let denied = S3Server::start_at(free_port(), &[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]);
    denied.create_bucket("maps");
    serve("s3://maps/heat", &denied.variables()).failed(1, &["s3://maps/heat", "access denied", "AWS_ACCESS_KEY_ID"]);
    publish(home.path(), "s3://maps/heat", &[], &denied.variables()).failed(1, &["access denied"]);
    serve("s4://maps/heat", &[]).failed(1, &["the scheme s4:// is not supported", "s3://bucket/maps"]);
    serve("s3://ann:s3cret@maps/heat", &[]).failed(2, &["store.folder", "without a user"]);
    // The folder of a store is no cache.
    let args = ["serve", "-l", "127.0.0.1:0", "--store", "s3://maps", "--cache", "store"];
    kiln_with_env(home.path(), args, &borrowed(&s3.variables())).failed(1, &["the folder has layers of a store"]);
}

#[test]
fn a_bucket_that_does_not_answer_delays_neither_the_start_nor_the_end_of_a_replica() {
    // It accepts connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut variables = variables(silent.local_addr().unwrap().port());
    variables
        .extend([("AWS_TIMEOUT", "1"), ("AWS_MAX_ATTEMPTS", "1")].map(|(name, value)| (name.into(), value.into())));
    let home = store_of_cities();
    publish(home.path(), "s3://maps", &[], &variables).failed(1, &["s3://maps", "does not respond"]);
    let mut server = replica("s3://maps", &variables);
    let reply = server.get("/health?ready");
    reply.rejected(503, &["the bucket cannot be read, and its layers are not copied yet"]);
    assert_eq!(reply.json()["type"], "urn:kiln:replica-copying");
    server.get("/cities/0/0/0.png").rejected(503, &["not copied yet"]);
    server.get("/health").ok(200);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn a_replica_listens_before_its_bucket_answers_and_ends_once_it_denies_access() {
    let endpoint = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut variables = variables(endpoint.local_addr().unwrap().port());
    variables.push(("AWS_TIMEOUT".to_owned(), "600".to_owned()));
    // The test waits a minute for the server to listen.
    let mut server = replica("s3://maps", &variables);
    server.get("/health").ok(200);
    server.get("/health?ready").rejected(503, &["asking the bucket for its layers"]);
    std::thread::spawn(move || {
        for mut connection in endpoint.incoming().flatten() {
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close", body.len());
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
        }
    });
    assert_eq!(server.wait(), Some(1));
    let log = server.log();
    assert!(
        log.contains("kiln: s3://maps") && log.contains("access denied") && log.contains("AWS_ACCESS_KEY_ID"),
        "{log}"
    );
}

#[test]
fn a_manifest_that_contradicts_its_files_leaves_the_last_version() {
    let home = store_of_cities();
    let url = format!("file://{}/bucket", home.path().display());
    publish(home.path(), &url, &[], &[]).done();
    let server = ready_replica(&url, &[]);
    let tile = content(&server.get("/cities/3/4/2.png"));
    let path = home.path().join("bucket/cities/manifest.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let rows = manifest["layer"]["segments"][0]["rows"].as_u64().unwrap();
    manifest["layer"]["segments"][0]["rows"] = (rows + 1).into();
    let layer = manifest["layer"].to_string();
    fs::write(&path, format!("{{\"crc32\":{},\"layer\":{layer}}}", crc32(layer.as_bytes()))).unwrap();
    let health = || server.get("/health?ready").ok(200).text().into_owned();
    eventually("the problem", || health().contains("an earlier version of `cities` is served"));
    assert!(content(&server.get("/cities/3/4/2.png")) == tile);
    assert_eq!(server.metric("kiln_replica_problems "), 1);
    let log = server.log();
    assert!(log.contains("ERROR") && log.contains("the published version contradicts itself"), "{log}");
    assert!(server.get("/catalog").json()["layers"][0].get("damaged").is_none());
    publish(home.path(), &url, &["--force"], &[]).done();
    eventually("the end of the problem", || server.metric("kiln_replica_problems ") == 0);
}

#[test]
fn a_manifest_that_is_newer_than_the_server_leaves_the_last_version() {
    let home = store_of_cities();
    let url = format!("file://{}/bucket", home.path().display());
    publish(home.path(), &url, &[], &[]).done();
    let server = ready_replica(&url, &[]);
    let tile = content(&server.get("/cities/3/4/2.png"));
    let manifest = fs::read_to_string(home.path().join("store/cities/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let layer = manifest["layer"].to_string().replacen("\"format\":1", "\"format\":99", 1);
    let newer = format!("{{\"crc32\":{},\"layer\":{layer}}}", crc32(layer.as_bytes()));
    fs::write(home.path().join("bucket/cities/manifest.json"), newer).unwrap();
    eventually("the problem", || server.get("/health?ready").ok(200).text().contains("unsupported format 99"));
    assert!(content(&server.get("/cities/3/4/2.png")) == tile);
    assert_eq!(server.metric("kiln_replica_problems "), 1);
    // Two checks later, it was logged once.
    let checks = || server.metric("kiln_replica_last_contact_timestamp_seconds ");
    let before = checks();
    eventually("two checks", || checks() > before + 2);
    assert_eq!(server.log().matches("ERROR").count(), 1, "{}", server.log());
    // A replica without a copy is not ready, and lists the layer.
    let cold = replica(&url, &[]);
    eventually("the layer", || cold.get("/catalog").json()["unreadable"][0]["name"] == "cities");
    cold.get("/health?ready").rejected(503, &["not all layers of the bucket are copied yet: cities"]);
    publish(home.path(), &url, &[], &[]).failed(1, &["unsupported format 99", "--force"]);
    publish(home.path(), &url, &["--force"], &[]).done();
    cold.eventually("/health?ready", 200);
    eventually("the end of the problem", || server.metric("kiln_replica_problems ") == 0);
}

/// The checksum of a manifest.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn a_publication_that_is_killed_leaves_the_previous_version_or_the_new_one() {
    let home = store_of_cities();
    let bucket = home.path().join("bucket");
    let url = format!("file://{}", bucket.display());
    publish(home.path(), &url, &[], &[]).done();
    let server = ready_replica(&url, &[]);
    let mut expected = points(&server, "cities").unwrap();
    let mut killed = 0;
    for round in 0..12_u64 {
        fs::write(home.path().join("more.csv"), "lon,lat,population\n1,2,3\n").unwrap();
        kiln(home.path(), ["import", "more.csv", "--layer", "cities", "--weight", "population", "--append"]).done();
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_kiln"))
            .args(["publish", "-q", "--to", &url])
            .current_dir(home.path())
            .env_remove("KILN_STORE")
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(round * 5));
        let _ = child.kill();
        killed += u32::from(!child.wait().unwrap().success());
        // The bucket has a version that a replica without a copy can read.
        let cold = ready_replica(&url, &[]);
        let found = points(&cold, "cities").unwrap();
        assert!((expected..=expected + round + 1).contains(&found), "{found} points, {expected} before");
        assert!(cold.get("/catalog").json()["layers"][0].get("damaged").is_none());
    }
    assert!(killed > 0, "no publication was killed");
    publish(home.path(), &url, &[], &[]).done();
    expected += 12;
    let start = Instant::now();
    eventually("the last version", || points(&server, "cities") == Some(expected));
    assert!(start.elapsed() < Duration::from_secs(60));
}
