//! Who may write and read: tokens, requests from this machine, host names and origins.

use std::io::Write;

use serde_json::Value;

use crate::ingest::csv;
use crate::kiln::kiln;
use crate::server::{Reply, Server, eventually, receive};

/// A server without a configured token, whose local clients need one.
const STRICT: &str = "[server]\nlocal_writes = false\n";

/// A server whose local clients need no token.
const LOCAL: &str = "[server]\nlocal_writes = true\n";

/// A request of each route that writes, or that answers an owner only.
const WRITES: [(&str, &str); 11] = [
    ("PUT", "/some"),
    ("DELETE", "/some"),
    ("POST", "/some/points"),
    ("PUT", "/some/points"),
    ("PUT", "/some/rooms"),
    ("DELETE", "/some/rooms"),
    ("PUT", "/some/floorplan?bounds=0,0,1,1"),
    ("DELETE", "/some/floorplan"),
    ("POST", "/_/inspect"),
    ("POST", "/jobs/none/run"),
    ("PUT", "/some?expire=1"),
];

impl Server {
    /// The token of the link that the server has printed.
    fn printed_token(&self) -> Option<String> {
        // The link is printed before the first request is accepted, and logged.
        self.get("/health").ok(200);
        eventually("the log has the request", || self.log().contains("/health"));
        let log = self.log();
        let link = format!("://{}/#token=", self.address());
        // A binary with the plain page, which cannot add layers, prints no link.
        let (_, rest) = log.split_once(&link).or_else(|| log.split_once("Authorization: Bearer "))?;
        Some(rest.split([' ', ';', '\n']).next().unwrap().to_owned())
    }

    /// Sends a request as it is, and returns the response.
    fn send_raw(&self, head: &str, body: &str) -> Reply {
        let mut stream = self.connect();
        let length = format!("content-length: {}\r\n", body.len());
        stream.write_all(format!("{head}{length}\r\n{body}").as_bytes()).unwrap();
        receive(&mut stream)
    }

    fn access(&self, headers: &[(&str, &str)]) -> Value {
        self.send("GET", "/catalog", headers, b"").ok(200).json()["writes"]["access"].clone()
    }
}

#[test]
fn without_a_configured_token_writes_need_the_one_of_the_printed_link() {
    let mut server = Server::with(&["--log-format", "json"], STRICT);
    let token = server.printed_token().expect("a link is printed");
    assert!(token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    assert_eq!(server.access(&[]), "token");
    for (method, path) in WRITES {
        let reply = server.send(method, path, &[], b"");
        assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"kiln\""), "{method} {path}");
        reply.rejected(401, &["header", "printed", "server.token", "server.local_writes"]);
    }
    assert!(!server.folder().join("store").exists());
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("origin", "https://maps.example")];
    server.send("PUT", "/some", &headers, b"").ok(201);
    server.send("POST", "/some/points", &headers, csv(2).as_bytes()).ok(200);
    server.send("POST", "/jobs/none/run", &headers, b"").rejected(404, &[]);
    // The token is in the link alone, and another one after a restart.
    assert_eq!(server.log().matches(&token).count(), 1, "{}", server.log());
    server.kill();
    let before = server.log().len();
    server.restart();
    server.get("/after").rejected(404, &[]);
    eventually("the log has the request", || server.log().contains("/after"));
    let log = server.log();
    assert!(log[before..].contains("To add layers") && !log[before..].contains(&token), "{log}");
    server.send("DELETE", "/some", &headers, b"").rejected(401, &["last started"]);
}

#[test]
fn a_link_is_printed_only_where_it_is_needed() {
    for config in
        ["[server]\ntoken = \"s3cret\"\n", LOCAL, "[store]\nread_only = true\n[server]\nlocal_writes = false\n"]
    {
        assert_eq!(Server::with(&[], config).printed_token(), None, "{config}");
    }
    let public = Server::listening(tempfile::tempdir().unwrap(), "0.0.0.0:0", &[]);
    assert_eq!(public.printed_token(), None);
    assert!(!public.log().contains("token"), "{}", public.log());
    for (method, path) in WRITES {
        public.send(method, path, &[], b"").rejected(403, &["KILN_TOKEN"]);
    }
}

#[test]
fn requests_of_proxies_and_foreign_pages_need_a_token_even_with_local_writes() {
    let server = Server::with(&[], LOCAL);
    let address = server.address();
    // nginx with its defaults.
    let nginx = format!("PUT /some HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n");
    server.send_raw(&nginx, "").rejected(403, &["server.token", "not through a proxy"]);
    let two = format!("PUT /some HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\nConnection: close\r\n");
    server.send_raw(&two, "").rejected(400, &["Host"]);
    let absolute = "PUT http://localhost/some HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n";
    server.send_raw(absolute, "").rejected(400, &["Host"]);
    let user = "PUT http://evil@localhost/some HTTP/1.1\r\nHost: evil@localhost\r\nConnection: close\r\n";
    server.send_raw(user, "").rejected(400, &["user"]);
    for header in [
        ("via", "1.1 proxy"),
        ("x-real-ip", "192.0.2.1"),
        ("forwarded", "for=192.0.2.1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("x_forwarded_for", "192.0.2.1"),
        ("x-azure-clientip", "192.0.2.1"),
        ("max-forwards", "10"),
        ("referer", "http://evil.example/"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for (method, path) in WRITES {
            server.send(method, path, &[header], b"").rejected(403, &["server.token"]);
        }
        assert_eq!(server.access(&[header]), "closed", "{header:?}");
    }
    assert!(!server.folder().join("store").exists());
    assert_eq!(server.access(&[("sec-fetch-site", "same-origin")]), "open");
    server
        .send("PUT", "/some", &[("sec-fetch-site", "same-origin"), ("origin", &format!("http://{address}"))], b"")
        .ok(201);
    server.send("PUT", "/other", &[("origin", "http://localhost:5173")], b"").ok(201);
    // A token that is sent must be valid.
    for (method, path) in WRITES {
        let wrong = server.send(method, path, &[("authorization", "Bearer wrong")], b"");
        wrong.rejected(401, &["invalid token", "server.local_writes"]);
    }

    // With a token, both may write: local clients, and those that send it.
    let both = Server::with(&[], "[server]\nlocal_writes = true\ntoken = \"s3cret\"\n");
    both.send("PUT", "/some", &[], b"").ok(201);
    both.send("PUT", "/other", &[("authorization", "Bearer wrong")], b"").rejected(401, &["invalid token"]);
    both.send("PUT", "/other", &[("via", "1.1 a")], b"").rejected(401, &["Bearer"]);
    both.send("PUT", "/other", &[("via", "1.1 a"), ("authorization", "Bearer s3cret")], b"").ok(201);
}

#[test]
fn local_writes_need_a_loopback_address() {
    let folder = tempfile::tempdir().unwrap();
    let serve = |listen: &str| kiln(folder.path(), ["serve", "-l", listen, "--local-writes"]);
    serve("0.0.0.0:0").failed(2, &["--local-writes", "server.local_writes", "server.token"]);
}

#[test]
fn a_server_on_a_loopback_address_answers_to_its_names_only() {
    let server = Server::start();
    let port = server.address().split_once(':').unwrap().1;
    for path in ["/catalog", "/cities/0/0/0.png", "/", "/nowhere", "/_/metrics"] {
        let words = ["evil.example", "server.hosts", "server.base_url", "server.trusted_proxies"];
        server.get_from(&format!("evil.example:{port}"), path, &[]).rejected(421, &words);
    }
    for host in [&format!("localhost:{port}"), "192.0.2.7", "[::1]:3000", "kiln.localhost"] {
        server.get_from(host, "/catalog", &[]).ok(200);
    }
    // The host of the request target counts too (RFC 9112).
    let target = "GET http://evil.example/catalog HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n";
    server.send_raw(target, "").rejected(421, &["evil.example"]);
    let none = server.send_raw("GET /catalog HTTP/1.0\r\n", "");
    assert_eq!(none.status, 200);

    let named = Server::with(&["--base-url", "https://maps.example/heat"], "[server]\nhosts = [\"*.tiles.example\"]\n");
    for (host, status) in [("maps.example", 200), ("a.tiles.example", 200), ("tiles.example", 421)] {
        assert_eq!(named.get_from(host, "/catalog", &[]).status, status, "{host}");
    }
    let public = Server::listening(tempfile::tempdir().unwrap(), "0.0.0.0:0", &[]);
    public.get_from("any.example", "/catalog", &[]).ok(200);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kiln.toml"), "[server]\nhosts = [\"https://a.example\"]\n").unwrap();
    kiln(folder.path(), ["config", "check"]).failed(2, &["kiln.toml:2", "server.hosts", "*.example.org"]);
}

#[test]
fn pages_of_foreign_origins_cannot_read_a_server_on_a_loopback_address() {
    let allowed = |server: &Server, origin: &str| {
        let reply = server.send("GET", "/cities/0/0/0.png", &[("origin", origin)], b"").ok(200);
        let allowed = reply.header("access-control-allow-origin").map(str::to_owned);
        (allowed, reply.header("vary").map(str::to_owned))
    };
    let server = Server::with(&["--base-url", "https://maps.example/heat"], "");
    for origin in ["http://localhost:5173", "http://127.0.0.1:8000", "https://maps.example"] {
        assert_eq!(allowed(&server, origin), (Some(origin.to_owned()), Some("origin".to_owned())));
    }
    for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
        assert_eq!(allowed(&server, origin), (None, Some("origin".to_owned())), "{origin}");
    }
    let open = Server::with(&[], "[server]\ncors_origins = [\"*\"]\n");
    assert_eq!(allowed(&open, "https://evil.example"), (Some("*".to_owned()), None));
    let none = Server::with(&[], "[server]\ncors_origins = []\n");
    assert_eq!(allowed(&none, "http://localhost:5173").0, None);
    let public = Server::listening(tempfile::tempdir().unwrap(), "0.0.0.0:0", &[]);
    assert_eq!(allowed(&public, "https://evil.example"), (Some("*".to_owned()), None));
}

#[test]
fn a_response_before_the_body_was_read_closes_the_connection() {
    let server = Server::with(&[], "[server]\ntoken = \"s3cret\"\n");
    let head = |method: &str, path: &str| format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    let body = "lon,lat\n1,2\n".repeat(1000);
    for (method, path) in
        [("POST", "/some/points"), ("PUT", "/some/points"), ("POST", "/nowhere/at/all"), ("PUT", "/health")]
    {
        let reply = server.send_raw(&head(method, path), &body);
        assert!([401, 404, 405].contains(&reply.status), "{method} {path}: {}", reply.status);
        assert_eq!(reply.header("connection"), Some("close"), "{method} {path}");
    }
    // A body that was read, or none, keeps the connection.
    let mut stream = server.connect();
    for _ in 0..2 {
        let query = "{\"layer\": \"cities\"}";
        let json = "content-type: application/json\r\n";
        let request = format!("{}{json}content-length: {}\r\n\r\n{query}", head("POST", "/queries"), query.len());
        stream.write_all(request.as_bytes()).unwrap();
        let reply = receive(&mut stream);
        assert_eq!((reply.status, reply.header("connection")), (201, None));
        stream.write_all(format!("{}\r\n", head("DELETE", "/some")).as_bytes()).unwrap();
        let reply = receive(&mut stream);
        assert_eq!((reply.status, reply.header("connection")), (401, None));
    }
}
