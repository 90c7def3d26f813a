//! Request bodies that do not end: their memory, their rate, and the requests of others.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::server::{Server, eventually, receive};

/// The value of a metric; 0 if it is missing.
pub(crate) fn metric(server: &Server, name: &str) -> f64 {
    let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0.0, |value| value.trim().parse().unwrap())
}

/// The resident memory of a server in MB.
#[cfg(target_os = "linux")]
fn resident_mb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() >> 10
}

/// The start of a gzip body of 15 MB of JSON, some 20 kB, without its end.
fn endless() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(br#"{"points": ["#).unwrap();
    (0..2600).for_each(|_| encoder.write_all(&b"[1,2],".repeat(1000)).unwrap());
    encoder.flush().unwrap();
    encoder.get_ref().clone()
}

/// Sends the start of a body that does not end. The server may respond before it has received all of it.
fn begin(server: &Server, path: &str, headers: &str, start: &[u8]) -> TcpStream {
    let mut stream = server.connect();
    let length = start.len() + 9;
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(start);
    stream
}

const GZIP_JSON: &str = "content-type: application/json\r\ncontent-encoding: gzip\r\n";

#[test]
fn compressed_bodies_that_do_not_end_share_a_budget_and_others_are_served() {
    let server = Server::with(&[], "[limits]\nbodies = \"64MiB\"\nbody_rate = 0\n[server]\ntimeout = \"2m\"\n");
    let body = endless();
    // Without the budget, they are 1.5 GB.
    let hung: Vec<TcpStream> = (0..100).map(|_| begin(&server, "/overlays", GZIP_JSON, &body)).collect();
    let held = || metric(&server, "kiln_request_bodies_bytes");
    eventually("a body is in memory", || held() > 15e6);
    server.get("/health").ok(200);
    server.get("/cities/7/66/44.png").ok(200);
    eventually("the others are rejected", || {
        metric(&server, r#"kiln_http_requests_total{route="/overlays",method="POST",status="503"}"#) >= 95.0
    });
    assert!(held() <= f64::from(64 << 20));
    #[cfg(target_os = "linux")]
    assert!(resident_mb(&server) < 500, "{} MB", resident_mb(&server));
    drop(hung);
    eventually("the bodies are dropped", || held() == 0.0);
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    eventually("the memory is returned", || resident_mb(&server) < 160);
    server.post("/overlays", &json!({"layer": "cities", "size": 64})).ok(201);
}

#[test]
fn a_body_beyond_the_budget_gets_503_and_can_be_retried() {
    let server = Server::with(&[], "[limits]\nbodies = \"20MiB\"\nbody_rate = 0\n[server]\ntimeout = \"2m\"\n");
    let body = endless();
    let polygon = r#"{"type": "Polygon", "coordinates": [[[5, 45], [20, 45], [20, 55], [5, 55], [5, 45]]]}"#;
    let padded = [&b" ".repeat(10 << 20)[..], polygon.as_bytes()].concat();
    let hung = begin(&server, "/overlays", GZIP_JSON, &body);
    eventually("the body is in memory", || metric(&server, "kiln_request_bodies_bytes") > 15e6);
    let geojson = ("content-type", "application/geo+json");
    for path in ["/cities/7/66/44.png", "/cities/statistics", "/cities/grid", "/cities/bbox/5,45,20,55/64x64.png"] {
        let reply = server.send("POST", path, &[geojson], &padded);
        reply.rejected(503, &["limits.bodies", "retry later"]);
        assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("1"), Some("close")), "{path}");
    }
    for path in ["/queries", "/matrix", "/v3/detections", "/overlays", "/_/inspect", "/twine.heatmap.php"] {
        server.send("POST", path, &[], &padded).rejected(503, &["limits.bodies"]);
    }
    // A smaller one has room, as has an upload that is kept on disk.
    server.send("POST", "/cities/statistics", &[geojson], polygon.as_bytes()).ok(200);
    let upload = server.send("POST", "/masks", &[("content-type", "text/csv")], &b"1,2,3,4,5,6,7,8\n".repeat(600_000));
    assert_ne!(upload.status, 503, "{}", String::from_utf8_lossy(&upload.body));
    drop(hung);
    eventually("the body is dropped", || metric(&server, "kiln_request_bodies_bytes") == 0.0);
    server.send("POST", "/cities/statistics", &[geojson], &padded).ok(200);
}

#[test]
fn a_body_below_the_minimum_rate_gets_408_on_every_route() {
    let server = Server::with(&[], "[limits]\nbody_rate = \"1MB\"\n");
    server.send("PUT", "/trips", &[("content-type", "application/json")], b"{}").ok(201);
    let starts = [
        ("/overlays", "content-type: application/json\r\n", b"[".to_vec()),
        ("/matrix", GZIP_JSON, endless()),
        ("/masks", "content-type: text/csv\r\n", b"1,2".to_vec()),
        ("/trips/points", "content-type: text/csv\r\n", b"lon,lat".to_vec()),
        ("/trips/points", "content-type: multipart/form-data; boundary=b\r\n", b"--b".to_vec()),
    ];
    let begin = |(path, headers, start): &(&'static str, &str, Vec<u8>)| (*path, begin(&server, path, headers, start));
    let slow: Vec<_> = starts.iter().map(begin).collect();
    for (path, mut stream) in slow {
        let reply = receive(&mut stream);
        reply.rejected(408, &["limits.body_rate", "1000000"]);
        assert_eq!(reply.header("connection"), Some("close"), "{path}");
        // The connection ends, although the client goes on.
        let _ = stream.write_all(b"3");
        assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "{path}");
    }
    let request = json!({"layer": "cities", "size": 64});
    server.post("/overlays", &request).ok(201);
}

#[test]
fn a_line_of_json_is_limited_like_a_line_of_csv() {
    let server = Server::start();
    server.send("PUT", "/trips", &[("content-type", "application/json")], b"{}").ok(201);
    let long = format!(r#"{{"lon": 1, "lat": 2, "note": "{}"}}"#, "x".repeat(5 << 20));
    let short = r#"{"lon": 3, "lat": 4}"#;
    for (media_type, body) in [
        ("application/x-ndjson", format!("{short}\n{long}\n{short}\n")),
        ("text/csv", format!("lon,lat,note\n3,4,\n1,2,\"{}\"\n", "x".repeat(5 << 20))),
    ] {
        let reply = server.send("POST", "/trips/points", &[("content-type", media_type)], body.as_bytes());
        reply.rejected(400, &["4 MiB"]);
    }
    let line = format!(r#"{{"lon": 1, "lat": 2, "note": "{}"}}"#, "x".repeat(3 << 20));
    let body = format!("{short}\n{line}\n");
    let reply = server.send("POST", "/trips/points", &[("content-type", "application/x-ndjson")], body.as_bytes());
    assert_eq!(reply.ok(200).json()["accepted"], 2);
}
