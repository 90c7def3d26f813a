//! The server's pages, API description and metrics, and its URLs behind proxies.

use std::collections::BTreeSet;

use crate::server::Server;

#[test]
fn pages_and_their_assets_are_served() {
    let server = Server::start();
    for page in ["/", "/docs", "/matrix/cities"] {
        let reply = server.get(page).ok(200);
        assert!(reply.header("content-type").unwrap().starts_with("text/html"));
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
        let html = String::from_utf8(reply.body).unwrap();
        let links = html.split(['"', '\'']).map(|link| link.trim_start_matches("../").trim_start_matches("./"));
        let links = links.filter(|link| link.starts_with("assets/"));
        let links: BTreeSet<&str> = links.collect();
        assert!(links.len() >= 2, "{page}: {links:?}");
        for link in links {
            server.get(&format!("/{link}")).ok(200);
        }
        assert!(!html.contains("http://") || html.contains("w3.org"), "{page} asks another host");
    }
    let json = server.get("/assets/land.json").ok(200);
    assert_eq!(json.header("content-type"), Some("application/json"));
    let tag = json.header("etag").unwrap();
    server.send("GET", "/assets/land.json", &[("if-none-match", tag)], b"").ok(304);
    assert_eq!(server.get("/docs/").status, 308);
    assert_eq!(server.get("/health").ok(200).body, b"OK\n");
    server.get("/favicon.ico").ok(200);
    server.get("/matrix/nowhere").rejected(404, &["nowhere"]);
}

#[test]
fn the_guide_is_served_as_markdown_with_a_table_of_contents_for_language_models() {
    let server = Server::start();
    let contents = server.get("/llms.txt").ok(200);
    assert_eq!(contents.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = contents.text();
    assert!(text.starts_with("# Kiln\n\n> "), "{text}");
    let links: Vec<&str> = text.split("](").skip(1).map(|rest| rest.split_once(')').unwrap().0).collect();
    assert!(links.len() > 30 && links.contains(&"docs/coming-from/leaflet-heat.md"), "{links:?}");
    for link in links {
        let page = server.get(&format!("/{link}")).ok(200);
        if link.contains(".md") {
            assert_eq!(page.header("content-type"), Some("text/markdown; charset=utf-8"));
            let tag = page.header("etag").unwrap();
            server.send("GET", &format!("/{link}"), &[("if-none-match", tag)], b"").ok(304);
        }
    }
    server.get("/docs/nothing.md").rejected(404, &["/llms.txt"]);
    server.get("/docs/../Cargo.toml").rejected(404, &[]);
}

#[test]
fn the_configured_basemap_is_listed_and_allowed_by_the_content_security_policy() {
    let config = "[page]\nbasemap = \"https://{s}.tiles.example/{z}/{x}/{y}.png\"\nattribution = \"Example Maps\"\n";
    let server = Server::with(&[], config);
    let page = &server.get("/catalog").ok(200).json()["page"];
    assert_eq!(page["basemap"], "https://{s}.tiles.example/{z}/{x}/{y}.png");
    assert_eq!(page["attribution"], "Example Maps");
    let page = server.get("/").ok(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("img-src 'self' data: blob: https://*.tiles.example;"), "{policy}");
    let bare = Server::start();
    assert!(bare.get("/catalog").ok(200).json()["page"]["basemap"].is_null());
    assert!(!bare.get("/").header("content-security-policy").unwrap().contains("example"));
}

#[test]
fn texts_are_compressed_and_pictures_are_not() {
    let server = Server::start();
    let gzip = [("accept-encoding", "gzip, br")];
    let page = server.send("GET", "/assets/leaflet.js", &gzip, b"");
    assert_eq!((page.status, page.header("content-encoding")), (200, Some("gzip")));
    let picture = server.send("GET", "/cities/bbox/0,40,10,50/300x300.png", &gzip, b"");
    assert_eq!((picture.status, picture.header("content-encoding")), (200, None));
}

#[test]
fn cross_origin_requests_are_allowed_and_get_the_request_id() {
    let server = Server::with(&[], "[server]\ncors_origins = [\"*\"]\n");
    let from = [("origin", "https://maps.example"), ("x-request-id", "my-own-id")];
    let reply = server.send("GET", "/catalog", &from, b"").ok(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.header("x-request-id"), Some("my-own-id"));
    let preflight_headers = [("origin", "https://maps.example"), ("access-control-request-method", "POST")];
    let preflight = server.send("OPTIONS", "/overlays", &preflight_headers, b"").ok(200);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    let narrow = Server::with(&[], "[server]\ncors_origins = [\"https://maps.example\"]\n");
    let other = narrow.send("GET", "/catalog", &[("origin", "https://other.example")], b"").ok(200);
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[test]
fn every_path_of_the_openapi_document_is_routed() {
    let server = Server::start();
    let api = server.get("/openapi.json").ok(200).json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in api["paths"].as_object().unwrap().keys() {
        let path = path
            .replace("{layer}", "cities")
            .replace("{bounds}", "0,40,10,50")
            .replace("{size}", "32x32.png")
            .replace("{z}/{x}/{y}", "4/8/5")
            .replace("{lon},{lat}", "18.07,59.33")
            .replace("{filename}", "1732158000-67e5504410b1426f9247bb680e5fe0c8.png");
        let reply = server.get(&path);
        // Any documented status may be returned, but the router must know the path.
        assert!(reply.header("x-request-id").is_some(), "{path}");
        let text = String::from_utf8_lossy(&reply.body);
        assert!(!text.contains("unknown path"), "{path}: {text}");
    }
    assert!(api["paths"]["/overlays"]["post"]["responses"]["201"].is_object());
    for operation in api["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values()) {
        assert!(operation.as_object().unwrap().values().all(|member| !member.is_null()), "{operation}");
    }
    let zoom = api["paths"]["/{layer}/{z}/{x}/{y}.png"]["get"]["parameters"].as_array().unwrap();
    let zoom = zoom.iter().find(|parameter| parameter["name"] == "z").unwrap();
    assert_eq!(zoom["schema"]["maximum"], 24);
}

#[test]
fn every_url_begins_with_the_configured_base() {
    let server = Server::with(&["--base-url", "https://maps.example/heat"], "");
    let overlay = server.post("/overlays", &serde_json::json!({"layer": "cities", "size": 64})).ok(201).json();
    assert!(overlay["url"].as_str().unwrap().starts_with("https://maps.example/heat/imgs/"));
    assert!(overlay["legend"].as_str().unwrap().starts_with("https://maps.example/heat/overlays/legend.png?"));
}

#[test]
fn requests_and_renders_are_counted() {
    let server = Server::start();
    server.get("/cities/bbox/0,40,10,50/32x32.png").ok(200);
    server.get("/cities/bbox/0,40,10,50/32x32.png").ok(200);
    server.get("/nowhere/at/all");
    let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    for line in [
        "kiln_http_requests_total{route=\"/{layer}/bbox/{bounds}/{size}\",method=\"GET\",status=\"200\"} 2",
        "kiln_http_requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1",
        "kiln_cache_requests_total{outcome=\"Hit\"} 1",
        "kiln_cache_requests_total{outcome=\"Miss\"} 1",
        "kiln_render_seconds_count 1",
        "kiln_layer_points{layer=\"cities\"} 135233",
    ] {
        assert!(text.contains(line), "`{line}` is missing:\n{text}");
    }
}

#[test]
fn every_url_begins_with_the_base_that_a_trusted_proxy_forwards() {
    let forwarded = [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "maps.example"),
        ("x-forwarded-prefix", "/heat"),
        ("x-forwarded-for", "192.0.2.7"),
    ];
    let base = "https://maps.example/heat/";
    let begins = |url: &serde_json::Value, base: &str| {
        assert!(url.as_str().unwrap().starts_with(base), "{url} does not begin with {base}");
    };
    let config = "[server]\ntoken = \"s3cret\"\nhosts = [\"kiln\", \"maps.example\"]\n";
    let server = Server::with(&["--trusted-proxies", "192.0.2.0/24,loopback"], config);
    let tile_json = server.get_from("kiln:3000", "/cities", &forwarded).ok(200).json();
    begins(&tile_json["tiles"][0], base);
    begins(&tile_json["legend"], base);
    begins(&server.get_from("kiln:3000", "/cities", &forwarded[..1]).ok(200).json()["legend"], "https://kiln:3000/");
    let rfc_7239 = [("forwarded", "for=192.0.2.7;proto=https;host=maps.example")];
    begins(&server.get_from("kiln:3000", "/cities", &rfc_7239).ok(200).json()["tiles"][0], "https://maps.example/");
    begins(&server.get_from("kiln:3000", "/cities", &[]).ok(200).json()["tiles"][0], "http://kiln:3000/");

    // Each client gets the URL of the same picture relative to its own base.
    let overlay = serde_json::json!({"layer": "cities", "size": 64}).to_string();
    let post = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("content-type", "application/json")]].concat();
        let reply = server.send("POST", "/overlays", &headers, overlay.as_bytes());
        assert_eq!(reply.header("location"), reply.json()["url"].as_str());
        reply.json()
    };
    let (proxied, direct) = (post(&forwarded), post(&[]));
    begins(&proxied["url"], &format!("{base}imgs/"));
    begins(&proxied["legend"], &format!("{base}overlays/legend.png?"));
    begins(&direct["url"], "/imgs/");
    assert_eq!(proxied["filename"], direct["filename"]);
    let query = serde_json::json!({"layer": "cities"}).to_string();
    let query = server.send("POST", "/queries", &forwarded, query.as_bytes()).ok(201);
    begins(&query.json()["tiles"][0], base);
    assert!(query.header("location").unwrap().starts_with(base));
    let token = [&forwarded[..], &[("authorization", "Bearer s3cret")]].concat();
    assert_eq!(server.send("PUT", "/some", &token, b"").ok(201).header("location"), Some(&*format!("{base}some")));
    // The OpenAPI document and the pages use relative URLs, which are valid behind any prefix.
    let api = server.get_from("kiln:3000", "/openapi.json", &forwarded).ok(200).json();
    assert_eq!(api["servers"][0]["url"], ".");
    assert_eq!(server.get_from("kiln:3000", "/docs/", &forwarded).header("location"), Some("../docs"));

    let hosts = "[server]\nhosts = [\"kiln\", \"maps.example\"]\n";
    let untrusted = Server::with(&["--trusted-proxies", "192.0.2.0/24,private"], hosts);
    begins(&untrusted.get_from("kiln:3000", "/cities", &forwarded).ok(200).json()["tiles"][0], "http://kiln:3000/");
    let fixed = Server::with(&["--trusted-proxies", "loopback", "--base-url", "https://own.example"], hosts);
    begins(&fixed.get_from("kiln:3000", "/cities", &forwarded).ok(200).json()["tiles"][0], "https://own.example/");
}
