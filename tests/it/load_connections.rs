//! Many connections: silent ones, and ones whose requests do not end.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::load_bodies::metric;
use crate::server::{Server, eventually, receive};

/// Opens a connection with a request in progress, whose body does not end.
fn busy(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    let head = "POST /overlays HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let expected = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, expected);
    stream
}

#[test]
fn silent_connections_are_closed_for_new_ones_the_longest_idle_first() {
    let server = Server::with(&[], "[server]\nmax_connections = 16\n");
    // So many that those in the backlog would wait longer than a test, if only the timeout of a head closed others.
    let mut silent: Vec<TcpStream> = (0..120).map(|_| server.connect()).collect();
    server.get("/health").ok(200);
    server.get("/cities/7/66/44.png").ok(200);
    // The first ones are closed, and the last ones still work.
    assert!(matches!(silent[0].read(&mut [0]), Ok(0) | Err(_)));
    assert!(matches!(silent[99].read(&mut [0]), Ok(0) | Err(_)));
    let last = silent.last_mut().unwrap();
    last.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(receive(last).status, 200);
    assert!(metric(&server, "kiln_connections") <= 16.0);
}

#[test]
fn a_request_in_progress_is_completed_although_others_need_its_place() {
    let server = Server::with(&[], "[server]\nmax_connections = 16\n");
    let mut first = busy(&server);
    let silent: Vec<TcpStream> = (0..40).map(|_| server.connect()).collect();
    server.get("/health").ok(200);
    first.write_all(b"{\"size\":1").unwrap();
    receive(&mut first).rejected(400, &[]);
    drop(silent);
}

#[test]
fn the_health_check_and_the_metrics_are_served_if_all_places_are_taken() {
    let server = Server::with(&[], "[server]\nmax_connections = 16\n[limits]\nbody_rate = 0\n");
    let taken: Vec<TcpStream> = (0..16).map(|_| busy(&server)).collect();
    for _ in 0..5 {
        server.get("/health").ok(200);
        assert!(metric(&server, "kiln_connections") >= 16.0);
        let reply = server.get("/cities/7/66/44.png");
        reply.rejected(503, &["server.max_connections", "retry later"]);
        assert_eq!((reply.header("retry-after"), reply.header("connection")), (Some("1"), Some("close")));
    }
    // Silent connections do not take the places of the health check.
    let silent: Vec<TcpStream> = (0..20).map(|_| server.connect()).collect();
    server.get("/health").ok(200);
    drop((taken, silent));
    eventually("a place is free", || server.get("/cities/7/66/44.png").status == 200);
}

#[test]
fn a_head_of_128_kib_is_served_and_a_longer_one_is_not() {
    let server = Server::with(&[], "");
    let status = |bytes: usize| {
        let start = "GET /health HTTP/1.1\r\nhost: localhost\r\nx: ";
        let rest = "a".repeat(bytes - start.len() - 4);
        let mut stream = server.connect();
        stream.write_all(format!("{start}{rest}\r\n\r\n").as_bytes()).unwrap();
        receive(&mut stream).status
    };
    assert_eq!((status(128 << 10), status((128 << 10) + 1), status(140_000)), (200, 431, 431));
}
