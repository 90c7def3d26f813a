//! Rejected write requests: invalid descriptions, unreadable bodies, missing authorization.

use std::io::Write;

use serde_json::json;

use crate::ingest::{csv, server};
use crate::server::{Server, eventually};

#[test]
fn invalid_layer_names_and_descriptions_are_rejected() {
    let server = server("");
    for name in ["catalog", "overlays", "_", "a.b", "a%20b", "%C3%A4", &"x".repeat(65)] {
        let reply = server.put(name, &json!({}));
        assert!(matches!(reply.status, 400 | 405), "{name}: {reply:?}");
    }
    server.put("fixed", &json!({})).rejected(409, &["fixed", "input files"]);
    server.send("DELETE", "/fixed", &[], b"").rejected(409, &["input files"]);
    server.points("fixed", "text/csv", csv(1)).rejected(409, &["input files"]);
    for (description, words) in [
        (json!({"titel": "x"}), &["titel", "did you mean title?"][..]),
        (json!({"keep": "0s"}), &["keep"]),
        (json!({"keep": 30}), &["keep: `30` has no unit; expected a time such as 90s, 30m, 1h or 30d"]),
        (json!({"keep": "30"}), &["keep: `30` has no unit"]),
        (json!({"keep": "soon"}), &["keep", "30m"]),
        (json!({"style": {"radius": "wide"}}), &["radius"]),
        (json!({"style": {"scheme": "nosuch"}}), &["scheme", "nosuch"]),
        (json!({"style": {"nosuch": 1}}), &["nosuch"]),
        (json!({"style": 1}), &["object"]),
        (json!({"title": "x".repeat(201)}), &["title", "200"]),
        (json!([1]), &["object"]),
    ] {
        server.put("new", &description).rejected(400, words);
    }
    server.get("/new").rejected(404, &["new"]);
    server.send("DELETE", "/new", &[], b"").rejected(404, &["new"]);
    server.send("PATCH", "/new", &[], b"").rejected(405, &["method"]);
}

#[test]
fn an_unreadable_body_adds_nothing() {
    let server = server("[limits]\ningest_body = \"20KiB\"\ningest_points = 500\n");
    server.put("some", &json!({})).ok(201);
    let typed = |media_type: &str, body: &str| server.points("some", media_type, body);
    typed("text/csv", "").rejected(400, &["input is empty"]);
    typed("text/csv", "a,b\n1,2\n").rejected(400, &["longitude"]);
    typed("application/json", "[[1,2],[3,").rejected(400, &["JSON"]);
    typed("application/vnd.apache.parquet", "PAR1").rejected(400, &["Parquet"]);
    typed("", "<html>").rejected(400, &["XML or HTML"]);
    typed("image/png", "x").rejected(415, &["image/png", "text/csv"]);
    typed("text/csv", &csv(501)).rejected(413, &["limits.ingest_points", "500"]);
    typed("text/csv", &format!("lon,lat\n1,2\n{}", " ".repeat(30_000))).rejected(413, &["limits.ingest_body", "20480"]);
    let with = |headers: &[(&str, &str)], body: &[u8]| server.send("POST", "/some/points", headers, body);
    with(&[("content-encoding", "br")], b"x").rejected(415, &["br", "gzip or zstd"]);
    with(&[("content-encoding", "gzip")], b"lon,lat\n1,2\n").rejected(400, &["decompressed"]);
    with(&[("content-encoding", "zstd")], b"lon,lat\n1,2\n").rejected(400, &["decompressed"]);
    let zstd = |content: &[u8]| zstd::encode_all(content, 3).unwrap();
    let compressed = zstd(csv(100).as_bytes());
    with(&[("content-encoding", "zstd")], &compressed[..compressed.len() - 5]).rejected(400, &["decompressed"]);
    with(&[("content-encoding", "zstd")], &zstd(&compressed)).rejected(400, &["compressed twice"]);
    // Compressed bodies count by their decompressed size, with or without a Content-Encoding header.
    let bomb = zstd(format!("lon,lat\n{}", "1,2\n".repeat(1 << 20)).as_bytes());
    assert!(bomb.len() < 20_000);
    with(&[("content-encoding", "zstd")], &bomb).rejected(413, &["limits.ingest_body"]);
    with(&[], &bomb).rejected(413, &["limits.ingest_body"]);
    let long_key = "k".repeat(256);
    for key in ["", "ä", &long_key] {
        with(&[("idempotency-key", key)], csv(1).as_bytes()).rejected(400, &["idempotency-key", "255"]);
    }
    server.send("POST", "/some/points?wieght=x", &[], csv(1).as_bytes()).rejected(400, &["wieght", "weight"]);
    server.send("POST", "/some/points?weight=x", &[], csv(1).as_bytes()).rejected(400, &["x"]);
    server.points("other", "text/csv", csv(1)).rejected(404, &["other"]);
    assert_eq!(server.totals("some").0, 0);
    assert_eq!(server.points("some", "text/csv", csv(500)).ok(200).json()["accepted"], 500);
}

#[test]
fn a_truncated_body_adds_nothing() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let text = csv(200_000);
    for sent in [100, 2_000_000] {
        for length in [format!("content-length: {}", text.len()), "transfer-encoding: chunked".to_owned()] {
            let mut stream = server.connect();
            let head = format!("POST /some/points HTTP/1.1\r\nhost: {}\r\n{length}\r\n\r\n", server.address());
            stream.write_all(head.as_bytes()).unwrap();
            if length.starts_with('t') {
                write!(stream, "{:x}\r\n", text.len()).unwrap();
            }
            stream.write_all(&text.as_bytes()[..sent.min(text.len() - 1)]).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            drop(stream);
        }
    }
    eventually("no request is in progress", || server.metric("kiln_ingest_working ") == 0);
    // The request for the metrics has a connection of its own.
    eventually("the connections are closed", || server.metric("kiln_connections ") <= 1);
    assert_eq!(server.totals("some").0, 0);
}

#[test]
fn writing_requires_the_token() {
    let server = server("[server]\ntoken = \"s3cret\"\n");
    let put = |headers: &[(&str, &str)]| server.send("PUT", "/some", headers, b"");
    let none = put(&[]);
    assert_eq!(none.header("www-authenticate"), Some("Bearer realm=\"kiln\""));
    none.rejected(401, &["Authorization: Bearer"]);
    let wrong = put(&[("authorization", "Bearer secret")]);
    assert!(wrong.header("www-authenticate").unwrap().contains("invalid_token"));
    wrong.rejected(401, &["invalid token"]);
    put(&[("authorization", "Basic s3cret")]).rejected(401, &[]);
    server.points("some", "text/csv", csv(1)).rejected(401, &[]);
    server.send("DELETE", "/some", &[], b"").rejected(401, &[]);
    let token = ("authorization", "Bearer s3cret");
    put(&[token]).ok(201);
    // With the token, cross-origin and proxied requests may write as well.
    let page = [token, ("origin", "https://maps.example"), ("x-forwarded-for", "192.0.2.1")];
    server.send("POST", "/some/points", &page, csv(5).as_bytes()).ok(200);
    assert_eq!(server.totals("some").0, 5);
    server.send("DELETE", "/some", &[token], b"").ok(204);
    let preflight_headers = [
        ("origin", "https://maps.example"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization"),
    ];
    let preflight = server.send("OPTIONS", "/some", &preflight_headers, b"").ok(200);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("PUT"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization"));
}

#[test]
fn a_public_server_without_a_token_and_a_read_only_one_accept_no_writes() {
    let public = Server::listening(tempfile::tempdir().unwrap(), "0.0.0.0:0", &[]);
    public.send("PUT", "/some", &[], b"").rejected(403, &["KILN_TOKEN"]);
    public.send("DELETE", "/some", &[], b"").rejected(403, &["KILN_TOKEN"]);
    public.points("some", "text/csv", csv(1)).rejected(403, &["KILN_TOKEN"]);
    assert!(!public.folder().join("store").exists());

    let reads = server("[store]\nread_only = true\n");
    reads.send("PUT", "/some", &[], b"").rejected(403, &["store.read_only"]);
    assert!(!reads.folder().join("store").exists());
}

#[test]
fn error_messages_name_parameters_and_no_flags() {
    let server = server("");
    server.put("some", &json!({})).ok(201);
    let post = |query: &str, body: &str| server.send("POST", &format!("/some/points?{query}"), &[], body.as_bytes());
    for (query, body, words) in [
        ("", "a,b\n1,2\n", &["longitude", "lon"][..]),
        ("lon=a", "a,b\n1,2\n", &["latitude", "lat"]),
        ("", "lon,lat,lat\n1,2,3\n", &["lat"]),
        ("lon=x", "lon,lat\n1,2\n", &["x"]),
        ("weight=w", "lon,lat\n1,2\n", &["w"]),
        ("time=w", "lon,lat\n1,2\n", &["w"]),
        ("category=w", "lon,lat\n1,2\n", &["w"]),
        ("", "[{\"a\": 1}]", &["lon"]),
    ] {
        let reply = post(query, body);
        if reply.status == 200 {
            let reason = &reply.json()["rejections"][0]["reason"];
            assert!(!reason.as_str().unwrap().contains("--"), "{query} {body}: {reason}");
        } else {
            reply.rejected(400, words);
        }
    }
    // Two servers start before the store exists. The first to write locks it.
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("store");
    let [first, second] = [0, 1].map(|_| Server::with(&["--store", store.to_str().unwrap()], ""));
    first.put("some", &json!({})).ok(201);
    second.put("other", &json!({})).rejected(409, &["another server", "read_only"]);
}
