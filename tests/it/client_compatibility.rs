//! Requests as browsers, map libraries and caches send them.

use crate::golden::Picture;
use crate::ingest::csv;
use crate::server::{Reply, Server};

fn width(reply: &Reply) -> usize {
    Picture::decode(std::io::Cursor::new(&reply.body)).unwrap().width
}

#[test]
fn a_preflight_allows_every_requested_header_and_no_credentials() {
    let server = Server::with(&[], "[server]\ncors_origins = [\"*\"]\n");
    let origin = ("origin", "https://maps.example");
    let method = ("access-control-request-method", "GET");
    for requested in ["x-requested-with", "authorization,idempotency-key", "x-api-key, cache-control, pragma"] {
        let headers = [origin, method, ("access-control-request-headers", requested)];
        let reply = server.send("OPTIONS", "/cities/0/0/0.png", &headers, b"").ok(200);
        assert_eq!(reply.header("access-control-allow-headers"), Some(requested));
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
        assert_eq!(reply.header("vary"), Some("access-control-request-headers"));
    }
    let tile = server.send("GET", "/cities/0/0/0.png", &[origin], b"").ok(200);
    assert_eq!((tile.header("vary"), tile.header("access-control-allow-credentials")), (None, None));

    let narrow = Server::with(&[], "[server]\ncors_origins = [\"https://maps.example\", \"https://b.example\"]\n");
    let headers = [origin, method, ("access-control-request-headers", "x-api-key")];
    let reply = narrow.send("OPTIONS", "/cities", &headers, b"").ok(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://maps.example"));
    let varies: Vec<&str> =
        reply.headers.iter().filter(|(name, _)| name == "vary").map(|(_, value)| value.as_str()).collect();
    assert_eq!(varies, ["origin", "access-control-request-headers"]);
    assert_eq!(narrow.send("GET", "/cities/0/0/0.png", &[origin], b"").ok(200).header("vary"), Some("origin"));
    let other = [("origin", "https://other.example"), method, ("access-control-request-headers", "x-api-key")];
    assert_eq!(narrow.send("OPTIONS", "/cities", &other, b"").header("access-control-allow-origin"), None);
}

#[test]
fn cache_busting_parameters_are_ignored_and_other_unknown_parameters_rejected() {
    let server = Server::start();
    for path in ["/cities/4/8/5.png", "/cities/bbox/0,40,10,50/32x32.png", "/cities/points", "/cities/legend.png"] {
        let plain = server.get(&format!("{path}?category=")).ok(200);
        assert!(plain.header("etag").is_some() || path.ends_with("legend.png"));
        let misses = server.metric("kiln_cache_requests_total{outcome=\"Miss\"} ");
        for buster in
            ["_=1714521600", "t=1", "ts=2", "cb=3", "cachebust=4", "cachebuster=5", "nocache=6", "_", "t=1&t=2"]
        {
            let busted = server.get(&format!("{path}?{buster}&category=")).ok(200);
            assert_eq!((&busted.body, busted.header("etag")), (&plain.body, plain.header("etag")), "{path} {buster}");
        }
        // No picture was rendered again.
        assert_eq!(server.metric("kiln_cache_requests_total{outcome=\"Miss\"} "), misses, "{path}");
    }
    let tag = server.get("/cities/4/8/5.png").ok(200).header("etag").unwrap().to_owned();
    server.send("GET", "/cities/4/8/5.png?_=99", &[("if-none-match", &tag)], b"").ok(304);
    for path in ["/cities", "/catalog", "/cities/point/18.07,59.33", "/cities/statistics", "/cities/frames"] {
        let (plain, busted) = (server.get(path), server.get(&format!("{path}?_=1714")));
        assert_eq!((plain.status, plain.body), (busted.status, busted.body), "{path}");
    }
    for (query, word) in
        [("token=x", "token"), ("access_token=x", "access_token"), ("_t=1", "_t"), ("radios=5", "radius")]
    {
        server.get(&format!("/cities/4/8/5.png?{query}")).rejected(400, &["unknown parameter", word]);
    }
    server.send("POST", "/cities/points?_=1", &[], b"lon,lat\n1,2\n").rejected(409, &["input files"]);
}

#[test]
fn trailing_slashes_of_paths_are_ignored() {
    let server = Server::start();
    for (path, query) in [
        ("/cities", "?radius=5"),
        ("/cities/4/8/5.png", "?scheme=fire"),
        ("/catalog", ""),
        ("/cities/points", "?limit=3"),
    ] {
        let plain = server.get(&format!("{path}{query}")).ok(200);
        for slashes in ["/", "//"] {
            assert_eq!(server.get(&format!("{path}{slashes}{query}")).ok(200).body, plain.body, "{path}");
        }
    }
    let redirected = server.get("/docs/");
    assert_eq!((redirected.status, redirected.header("location")), (308, Some("../docs")));
    server.get("/docs").ok(200);
    server.get("/nowhere/at/all/").rejected(404, &["/docs"]);
    server.send("PUT", "/some/", &[], b"").ok(201);
    assert_eq!(server.points("some/points/", "text/csv", csv(1)).status, 404);
    assert_eq!(server.send("POST", "/some/points/", &[], csv(1).as_bytes()).ok(200).json()["accepted"], 1);
}

/// The centroid of the visible pixels, and their number.
fn visible_pixels(reply: &Reply) -> ([f64; 2], usize) {
    let picture = Picture::decode(std::io::Cursor::new(&reply.body)).unwrap();
    let visible: Vec<usize> = (0..picture.width * picture.height).filter(|at| picture.pixels[4 * at + 3] > 0).collect();
    let mean = |coordinate: &dyn Fn(usize) -> usize| {
        visible.iter().map(|at| coordinate(*at) as f64 + 0.5).sum::<f64>() / visible.len() as f64
    };
    ([mean(&|at| at % picture.width), mean(&|at| at / picture.width)], visible.len())
}

#[test]
fn pictures_for_dense_screens_have_more_pixels_of_the_same_map() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("one.csv"), "lon,lat\n18.07,59.33\n").unwrap();
    let server = Server::at(home, &["one.csv"]);
    let tile = |suffix: &str| server.get(&format!("/one/3/4/2{suffix}.png?radius=12&kernel=uniform")).ok(200);
    let ([x, y], visible) = visible_pixels(&tile(""));
    for ratio in 2..=4 {
        let dense = tile(&format!("@{ratio}x"));
        assert_eq!(width(&dense), 256 * ratio);
        // The dot has the same position in the picture, and `ratio`² times the pixels.
        let (center, dense_visible) = visible_pixels(&dense);
        for (dense, plain) in center.into_iter().zip([x, y]) {
            assert!((dense / ratio as f64 - plain).abs() < 0.5, "@{ratio}x: {center:?} {x} {y}");
        }
        let relative_area = dense_visible as f64 / visible as f64 / (ratio * ratio) as f64;
        assert!((0.9..1.1).contains(&relative_area), "@{ratio}x: {dense_visible} pixels, {visible} otherwise");
        let dense = format!("/one/bbox/-12,35,32,70/60x50@{ratio}x.png?radius=20");
        let dots = 20 * ratio;
        let wide = format!("/one/bbox/-12,35,32,70/{}x{}.png?radius={dots}", 60 * ratio, 50 * ratio);
        assert_eq!(server.get(&dense).ok(200).body, server.get(&wide).ok(200).body, "@{ratio}x");
    }
    server.get("/one/4/8/5@4x.png?radius=129").rejected(400, &["radius:", "516", "limits.radius_px"]);
    for unknown in ["@1x", "@5x", "@x", "@2.5x", "@2x@2x"] {
        server.get(&format!("/one/4/8/5{unknown}.png")).rejected(400, &["y:", "@2x, @3x or @4x"]);
        server.get(&format!("/one/bbox/-12,35,32,60/300x250{unknown}.png")).rejected(400, &["size"]);
    }
}

#[test]
fn fractional_zooms_are_rounded_to_the_nearest_integer() {
    let server = Server::start();
    let at = |z: &str| server.get(&format!("/cities/point/18.07,59.33?z={z}")).ok(200).json();
    for (fraction, rounded) in [("10.7", "11"), ("10.5", "11"), ("10.49", "10"), ("10.0", "10"), ("0.2", "0")] {
        assert_eq!(at(fraction), at(rounded), "{fraction}");
        assert_eq!(at(fraction)["z"].to_string(), rounded);
    }
    let legend = |zoom: &str| server.get(&format!("/cities/legend.json?zoom={zoom}")).ok(200).body;
    assert_eq!(legend("3.6"), legend("4"));
    for bad in ["24.1", "-0.1", "x", "nan"] {
        server.get(&format!("/cities/point/18.07,59.33?z={bad}")).rejected(400, &["z:", "a number from 0 to 24"]);
    }
}
