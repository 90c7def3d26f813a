//! Invalid and hostile requests, sent over a real socket.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};

use crate::server::{Server, eventually, receive};

fn overlay(more: &Value) -> Value {
    let mut request = json!({"layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [64, 64]});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// Asserts that the server still renders.
fn assert_renders(server: &Server) {
    server.get("/cities/bbox/0,40,10,50/32x32.png").ok(200);
}

#[test]
fn every_invalid_parameter_is_named() {
    let server = Server::start();
    let cases: &[(Value, &str, &str)] = &[
        (json!({"bounds": [[60, -12], [35, 32]]}), "bounds", "south"),
        (json!({"bounds": [[35, -12], [60]]}), "bounds", "[[south, west], [north, east]]"),
        (json!({"bounds": "1,2,3"}), "bounds", "west,south,east,north"),
        (json!({"bounds": [0, 1e300, 1, 2e300]}), "bounds", ""),
        (json!({"bounds": [[-10, -9000], [10, 9000]]}), "bounds", "around the world"),
        (json!({"bounds": {"a": 1}}), "bounds", ""),
        (json!({"size": [100_000, 100_000]}), "size", "limits.pixels"),
        (json!({"size": 100_000}), "size", "pixels"),
        (json!({"size": [0, 5]}), "size", "no pixels"),
        (json!({"size": [-5, 5]}), "size", "whole pixels"),
        (json!({"size": "big"}), "size", "800x600"),
        (json!({"radius": 1e9}), "radius", "limits.radius_px"),
        (json!({"radius": "900000km"}), "radius", "limits.radius_px"),
        (json!({"radius": -1}), "radius", "above 0"),
        (json!({"radius": [1]}), "radius", "string or a number"),
        (json!({"dotSize": 1e30}), "dotSize", "at most"),
        (json!({"dotSize": 9000}), "dot_size", "limits.radius_px"),
        (json!({"kernel": "square"}), "kernel", "gaussian"),
        (json!({"blend": "multiply"}), "blend", "classic"),
        (json!({"agg": "median"}), "agg", "mean"),
        (json!({"scheme": "virids"}), "scheme", "viridis"),
        (json!({"gradient": "transparent"}), "gradient", "2 colors"),
        (json!({"gradient": "red,blue", "scheme": "fire"}), "gradient", "not both"),
        (json!({"opacity": 1.5}), "opacity", "between 0 and 1"),
        (json!({"transparent_low": "much"}), "transparent_low", ""),
        (json!({"background": "nowhere"}), "background", ""),
        (json!({"normalize": "p101"}), "normalize", ""),
        (json!({"vmin": 5, "vmax": 1}), "vmin", "not below"),
        (json!({"vmax": "NaN"}), "vmax", "finite"),
        (json!({"rescale": "5"}), "rescale", "0,50"),
        (json!({"curve": "cubic"}), "curve", "eqhist"),
        (json!({"curve": "log", "blend": "classic"}), "curve", "classic"),
        (json!({"true_scale": 91}), "true_scale", "85"),
        (json!({"projection": "peters"}), "projection", "mercator"),
        (json!({"projection": "plane"}), "projection", "globe"),
        (json!({"start": "soon"}), "start", "2024-05-01"),
        (json!({"start": "2024", "end": "2023"}), "start", "before end"),
        (json!({"category": 5.5, "png": "maybe"}), "png", "true nor false"),
        (json!({"colour": "red"}), "colour", "unknown parameter"),
        (json!({"points": [[1, 2]]}), "points", "not both"),
        (json!({"layer": null}), "layer", "cities, earthquakes"),
        (json!({"layer": null, "points": "none"}), "points", ""),
        (json!({"layer": null, "points": []}), "points", ""),
        (json!({"layer": null, "points": [["a", "b"]]}), "points", "row 1"),
    ];
    for (more, parameter, word) in cases {
        let reply = server.post("/overlays", &overlay(more));
        assert_eq!(reply.status, 400, "{more}: {reply:?}");
        reply.rejected(400, &[word]);
        assert_eq!(reply.json()["parameter"], *parameter, "{more}: {}", reply.json());
    }
    server.post("/overlays", &overlay(&json!({"layer": "citys"}))).rejected(404, &["cities"]);
    // A layer without categories or times cannot be filtered by them.
    server.post("/overlays", &overlay(&json!({"category": "x"}))).rejected(400, &["category"]);
    server.post("/overlays", &overlay(&json!({"start": "2024", "png": false}))).rejected(400, &["start"]);
    assert!(server.files().is_empty());
    assert_renders(&server);
}

#[test]
fn paths_and_query_strings_have_the_same_limits_as_bodies() {
    let server = Server::start();
    for (path, status, word) in [
        ("/cities/bbox/-12,35,32,60/100000x100000.png", 400, "limits.pixels"),
        ("/cities/bbox/-12,35,32,60/64x64.gif", 400, "800x600.png"),
        ("/cities/bbox/-12,35,32,60/64.png", 400, "800x600.png"),
        ("/cities/bbox/-12,35,32/64x64.png", 400, "west,south,east,north"),
        ("/cities/bbox/-12,60,32,35/64x64.png", 400, "south"),
        ("/cities/bbox/-12,35,32,60/64x64.png?radius=1e9", 400, "limits.radius_px"),
        ("/cities/bbox/-12,35,32,60/64x64.png?radios=5", 400, "did you mean radius"),
        ("/cities/bbox/-12,35,32,60/64x64.png?radius=5&radius=6", 400, "twice"),
        ("/cities/bbox/-12,35,32,60/64x64.png?scheme=%ff", 400, "UTF-8"),
        ("/cities/bbox/-12,35,32,60/64x64.png?scheme=%5", 400, "hexadecimal"),
        ("/town/bbox/-12,35,32,60/64x64.png", 404, "no layer"),
        ("/cities/legend.png?pixel_ratio=100", 400, "from 0.5 to 8"),
        ("/cities/legend.json?size=100000x100000", 400, ""),
        ("/overlays/legend.png?vmin=0", 400, "vmax"),
        ("/overlays/legend.png?vmin=0&vmax=5&curve=eqhist", 400, "eqhist"),
        ("/town", 404, "no layer"),
        ("/cities/nowhere/else", 404, "/docs"),
        ("/imgs/", 404, ""),
        ("/imgs/1732158000-67e5504410b1426f9247bb680e5fe0c8.png", 404, "does not exist, or has expired"),
        ("/assets/page.txt", 404, "no such file"),
    ] {
        server.get(path).rejected(status, &[word]);
    }
    let reply = server.send("DELETE", "/overlays", &[], b"");
    reply.rejected(405, &["Allow"]);
    assert_eq!(reply.header("allow"), Some("POST"));
    assert_renders(&server);
}

#[test]
fn overlong_texts_are_rejected() {
    let server = Server::start();
    let long = "x".repeat(1_000_000);
    server.post("/overlays", &overlay(&json!({"scheme": long}))).rejected(400, &["longer than"]);
    server.post("/overlays", &json!({"layer": long})).rejected(400, &["longer than"]);
    server.get(&format!("/{}/legend.png", &long[..5000])).rejected(404, &["at most 64 bytes"]);
    server.get(&format!("/overlays/legend.png?vmin=0&vmax=1&unit={}", &long[..5000])).rejected(400, &["longer than"]);
    server.get(&format!("/cities/legend.png?title={}", &long[..5000])).rejected(400, &["longer than"]);
    let reply = server.send("GET", "/health", &[("x-request-id", &long[..5000])], b"").ok(200);
    assert!(reply.header("x-request-id").unwrap().len() < 100);
    let twice = br#"{"layer": "cities", "layer": "earthquakes"}"#;
    server.send("POST", "/overlays", &[("content-type", "application/json")], twice).rejected(400, &["twice"]);
}

#[test]
fn files_outside_the_image_folder_are_not_served() {
    let server = Server::start();
    std::fs::write(server.folder().join("secret.png"), "secret").unwrap();
    std::fs::write(server.images().join("note.png"), "not a picture of ours").unwrap();
    std::fs::write(server.images().join(".kiln-abc.part"), "unfinished").unwrap();
    #[cfg(unix)]
    {
        let link = server.images().join("1732158000-67e5504410b1426f9247bb680e5fe0c9.png");
        std::os::unix::fs::symlink(server.folder().join("secret.png"), link).unwrap();
    }
    for name in [
        "../secret.png",
        "..%2fsecret.png",
        "%2e%2e/secret.png",
        "..%5csecret.png",
        "%2fetc%2fpasswd",
        "note.png",
        ".kiln-abc.part",
        "1732158000-67e5504410b1426f9247bb680e5fe0c8.png%00.png",
        "+1732158000-67e5504410b1426f9247bb680e5fe0c8.png",
        "1732158000-67e5504410b1426f9247bb680e5fe0c9.png",
    ] {
        let reply = server.get(&format!("/imgs/{name}"));
        assert!(reply.status == 404 || reply.status == 400, "{name}: {reply:?}");
        assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{name}");
    }
}

/// A gzip stream of `part`, repeated: `part` is compressed once, since a gigabyte takes an unoptimized encoder a minute.
fn repeated_in_gzip(part: &[u8], times: usize) -> Vec<u8> {
    /// Magic bytes, deflate, no flags, no time, no hint, unknown system.
    const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    /// An empty last block with the static code.
    const END: [u8; 2] = [3, 0];
    let mut blocks = Vec::with_capacity(part.len() + 64);
    // After a full flush, the next block refers to no bytes before it, and begins at a whole byte.
    let mut encoder = Compress::new(Compression::best(), false);
    encoder.compress_vec(part, &mut blocks, FlushCompress::Full).unwrap();
    assert_eq!(encoder.total_in(), part.len() as u64);
    let mut part_checksum = crc32fast::Hasher::new();
    part_checksum.update(part);
    let mut checksum = crc32fast::Hasher::new();
    (0..times).for_each(|_| checksum.combine(&part_checksum));
    let length = (part.len() * times) as u32;
    [&HEAD[..], &blocks.repeat(times), &END, &checksum.finalize().to_le_bytes(), &length.to_le_bytes()].concat()
}

#[test]
fn a_repeated_gzip_stream_is_valid() {
    let stream = repeated_in_gzip(b"some words, ", 3);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*stream).read_to_string(&mut text).unwrap();
    assert_eq!(text, "some words, some words, some words, ");
}

#[test]
fn malformed_oversized_and_decompression_bomb_bodies_are_rejected() {
    let server = Server::with(&[], "[limits]\nbody = \"1MB\"\npoints = 1000\n");
    let json = ("content-type", "application/json");
    for broken in
        ["", "{", "[]", "{\"layer\": cities}", "\u{0}", "{\"layer\":\"cities\",}", "null", "{\"size\": 1e999}"]
    {
        let reply = server.send("POST", "/overlays", &[json], broken.as_bytes());
        assert_eq!(reply.status, 400, "{broken}: {reply:?}");
        reply.rejected(400, &[]);
    }
    let deep = format!("{{\"points\": {}", "[".repeat(100_000));
    server.send("POST", "/overlays", &[json], deep.as_bytes()).rejected(400, &[]);
    server.send("POST", "/overlays", &[("content-type", "image/png")], b"x").rejected(415, &["image/png"]);
    server.send("POST", "/overlays", &[json, ("content-encoding", "br")], b"x").rejected(415, &["gzip"]);
    server.send("POST", "/overlays", &[json, ("content-encoding", "gzip")], b"not gzip").rejected(400, &[]);
    let long = vec![b' '; 3_000_000];
    server.send("POST", "/overlays", &[json], &long).rejected(413, &["limits.body"]);
    let bomb = repeated_in_gzip(&long, 330);
    assert!(bomb.len() < 1_000_000, "{}", bomb.len());
    let start = Instant::now();
    server.send("POST", "/overlays", &[json, ("content-encoding", "gzip")], &bomb).rejected(413, &["limits.body"]);
    assert!(start.elapsed() < Duration::from_secs(30));
    let many: Vec<[u32; 2]> = (0..1001).map(|i| [i % 90, i % 80]).collect();
    server.post("/overlays", &json!({"points": many})).rejected(413, &["limits.points"]);
    // A valid compressed body is accepted.
    let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
    compressed.write_all(overlay(&json!({})).to_string().as_bytes()).unwrap();
    let compressed = compressed.finish().unwrap();
    server.send("POST", "/overlays", &[json, ("content-encoding", "gzip")], &compressed).ok(201);
    assert_renders(&server);
}

#[test]
fn malformed_http_gets_a_4xx_response_or_a_closed_connection() {
    let server = Server::start();
    for garbage in
        ["\r\n\r\n\r\n", "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET  /  HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}"]
    {
        let mut stream = server.connect();
        stream.write_all(garbage.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert!(reply.is_empty() || reply.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&reply));
    }
    let long = format!("/cities/bbox/-12,35,32,60/64x64.png?scheme={}", "x".repeat(100_000));
    let mut stream = server.connect();
    let _ = stream.write_all(format!("GET {long} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes());
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    let reply = String::from_utf8_lossy(&reply);
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 4"), "{}", &reply[..200.min(reply.len())]);
    assert_renders(&server);
}

#[test]
fn a_stalled_request_body_times_out_and_blocks_no_other_request() {
    let server = Server::with(&[], "[server]\ntimeout = \"1s\"\n");
    // The rest of the body is never sent.
    let mut slow = server.connect();
    slow.write_all(
        b"POST /overlays HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
    )
    .unwrap();
    assert_renders(&server);
    let reply = receive(&mut slow);
    reply.rejected(503, &["server.timeout"]);
    assert!(reply.header("retry-after").is_some());
}

#[test]
fn a_client_that_stops_reading_is_disconnected() {
    let server = Server::with(&[], "[server]\ntimeout = \"1s\"\n");
    let connections = || {
        let text = String::from_utf8(server.eventually("/_/metrics", 200).body).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("kiln_connections ")).unwrap().to_owned();
        line.parse::<u32>().unwrap()
    };
    // More bytes than the socket buffers hold.
    let length = server.eventually("/assets/land.json", 200).body.len();
    let count = (64 << 20) / length;
    let mut stalled = server.connect();
    stalled.write_all("GET /assets/land.json HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(count).as_bytes()).unwrap();
    stalled.peek(&mut [0]).unwrap();
    eventually("the client is disconnected", || connections() == 1);
    let mut reply = Vec::new();
    let _ = stalled.read_to_end(&mut reply);
    assert!(!reply.is_empty() && reply.len() < count * length, "{} bytes came", reply.len());
}

#[test]
fn a_render_is_canceled_when_its_client_disconnects() {
    // One render thread and no queue: while a render runs, any other is rejected.
    let config = "[server]\nrender_threads = 1\nqueue = 0\n[limits]\npixels = 90000000\n";
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let rows: Vec<String> = (0..400_000).map(|i| format!("{},{},a", i % 360 - 180, i % 150 - 75)).collect();
    std::fs::write(home.path().join("many.csv"), format!("lon,lat,category\n{}\n", rows.join("\n"))).unwrap();
    let server = Server::at(home, &["many.csv"]);
    let request = json!({"layer": "many", "bounds": "world", "size": [9000, 9000], "radius": 500, "kernel": "cone", "agg": "max"});
    let body = request.to_string();
    let start = Instant::now();
    let mut stream = server.connect();
    let head = format!(
        "POST /overlays HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let is_rendering = || {
        let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
        text.contains("\nkiln_render_working 1\n")
    };
    eventually("the render begins", is_rendering);
    let small = "/many/bbox/0,0,10,10/32x32.png";
    // Half of the threads, and at least one, are for light requests.
    let busy = server.get("/many/bbox/-180,-60,180,60/4000x3000.png?radius=500&kernel=cone&agg=max");
    busy.rejected(503, &["retry later"]);
    assert_eq!(busy.header("retry-after"), Some("1"));
    server.get(small).ok(200);
    drop(stream);
    eventually("the render stops", || !is_rendering());
    server.get(small).ok(200);
    eprintln!("stopped after {:?}", start.elapsed());
    assert!(server.files().is_empty(), "the canceled render wrote a picture");
}

#[cfg(unix)]
#[test]
fn a_deleted_image_folder_is_created_again_and_a_write_error_is_reported() {
    let server = Server::start();
    // A deleted folder is created again. If it cannot be created, the request fails.
    std::fs::remove_dir_all(server.images()).unwrap();
    server.post("/overlays", &overlay(&json!({"radius": 3}))).ok(201);
    std::fs::remove_dir_all(server.images()).unwrap();
    std::fs::write(server.images(), "a file").unwrap();
    let reply = server.post("/overlays", &overlay(&json!({})));
    reply.rejected(500, &["log"]);
    assert!(reply.json()["request_id"].as_str().unwrap().len() > 8);
    assert!(!String::from_utf8_lossy(&reply.body).contains("imgs"), "the response contains a path");
    std::fs::remove_file(server.images()).unwrap();
    server.post("/overlays", &overlay(&json!({}))).ok(201);
    assert_renders(&server);
}
