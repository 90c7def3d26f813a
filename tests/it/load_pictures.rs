//! Heavy pictures: cheap requests pass them, cancelled ones end, and their price is limited.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use crate::load_bodies::metric;
use crate::server::{Server, eventually};

/// A picture that takes minutes in a debug build, and half a minute in a release build.
fn heavy_path(radius_px: u32) -> String {
    format!("/cities/bbox/-180,-60,180,75/4096x4096.png?radius={radius_px}px&kernel=cone")
}

pub(crate) fn begin(server: &Server, path: &str) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
    stream
}

/// The numbers of running and of waiting renders.
pub(crate) fn renders(server: &Server) -> (f64, f64) {
    (metric(server, "kiln_render_working"), metric(server, "kiln_render_waiting"))
}

#[test]
fn cheap_tiles_pass_heavy_pictures_that_came_first() {
    for (threads, running) in [(1, 1.0), (2, 1.0), (4, 2.0)] {
        let server = Server::with(&[], &format!("[server]\nrender_threads = {threads}\ntimeout = \"10m\"\n"));
        let heavy: Vec<TcpStream> = (0..5).map(|i| begin(&server, &heavy_path(512 - i))).collect();
        eventually("the heavy pictures are there", || renders(&server) == (running, 5.0 - running));
        for x in 60..64 {
            server.get(&format!("/cities/7/{x}/44.png")).ok(200);
        }
        server.get("/health").ok(200);
        // All of them were there first, and none is complete. A tile is counted until shortly after its response.
        eventually("only heavy pictures are left", || renders(&server) == (running, 5.0 - running));
        drop(heavy);
    }
}

#[test]
fn a_cancelled_picture_frees_its_thread() {
    let server = Server::with(&[], "[server]\nrender_threads = 1\ntimeout = \"10m\"\n");
    let picture = |parameters: &str| format!("/cities/bbox/-180,-60,180,75/4096x4096.png?radius=512px&{parameters}");
    for parameters in
        ["kernel=cone&vmin=0&vmax=1", "kernel=cone", "kernel=gaussian&agg=mean&vmin=0&vmax=1", "agg=max&vmin=0&vmax=1"]
    {
        let stream = begin(&server, &picture(parameters));
        eventually("the picture is rendered", || renders(&server).0 > 0.5);
        drop(stream);
        eventually(parameters, || renders(&server) == (0.0, 0.0));
    }
}

#[test]
fn a_cancelled_polygon_of_many_corners_frees_its_thread() {
    let server = Server::with(&[], "[server]\nrender_threads = 1\ntimeout = \"10m\"\n");
    // Each parallel crosses most of the edges.
    let corner = |i: u32| {
        let angle = f64::from(i) / 99_998.0 * std::f64::consts::TAU;
        let radius = if i.is_multiple_of(2) { 60.0 } else { 20.0 };
        json!([2.5 * radius * angle.cos(), radius * angle.sin()])
    };
    let ring: Vec<_> = (0..99_998).chain([0]).map(corner).collect();
    let body = json!({"type": "Polygon", "coordinates": [ring]}).to_string();
    let mut stream = server.connect();
    let head = format!("POST /cities/statistics HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    eventually("the points are compared", || renders(&server).0 > 0.5);
    drop(stream);
    eventually("the thread is free", || renders(&server) == (0.0, 0.0));
}

#[test]
fn the_price_of_a_request_is_limited() {
    let server = Server::with(&[], "[limits]\nprice = 1000\n");
    server.get(&heavy_path(512)).rejected(400, &["limits.price", "1000", "smaller radius"]);
    let rendered = |server: &Server| metric(server, "kiln_request_price_count") as u64;
    assert_eq!(rendered(&server), 1);
    server.get("/cities/7/66/44.png").ok(200);
    let price = |path: &str| {
        let request = format!("uri={path} ");
        // The line is written after the response.
        let line = || server.log().lines().find(|line| line.contains(&request)).map(str::to_owned);
        eventually(path, || line().is_some());
        let line = line().unwrap();
        Some(line.split_once(" price=")?.1.split(' ').next()?.parse::<f64>().unwrap())
    };
    // The same price as in the detail of the error, and none for work without renders.
    let sum = metric(&server, "kiln_request_price_sum");
    let prices = price("/cities/7/66/44.png").unwrap() + price(&heavy_path(512)).unwrap();
    assert!((prices - sum).abs() < 1e-9, "{prices} {sum}");
    assert!(price(&heavy_path(512)).unwrap() > 1000.0);
    server.get("/health").ok(200);
    assert_eq!(price("/health"), None);
    // A response of the cache has none.
    server.get("/cities/7/66/44.png").ok(200);
    assert_eq!(rendered(&server), 2);
    let overlay = json!({"layer": "cities", "bounds": "world", "size": [4096, 4096], "radius": 500});
    server.post("/overlays", &overlay).rejected(400, &["limits.price"]);
}

#[test]
fn a_client_that_used_its_quota_gets_429_and_others_do_not() {
    let config = "[limits]\nclient_price = 20\n[server]\ntrusted_proxies = [\"loopback\"]\n";
    let server = Server::with(&[], config);
    let get = |client: &str, radius_px: u32| {
        let path = format!("/cities/bbox/0,40,20,60/512x512.png?radius={radius_px}px&vmin=0&vmax=1");
        server.send("GET", &path, &[("x-forwarded-for", client)], b"")
    };
    assert_eq!(get("192.0.2.1", 60).status, 200);
    let reply = get("192.0.2.1", 59);
    reply.rejected(429, &["limits.client_price", "retry later"]);
    assert!(reply.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    // A picture of the cache costs nothing, and other clients have quotas of their own.
    assert_eq!(get("192.0.2.1", 60).status, 200);
    assert_eq!(get("192.0.2.2", 59).status, 200);
    server.send("GET", "/health", &[("x-forwarded-for", "192.0.2.1")], b"").ok(200);
}
