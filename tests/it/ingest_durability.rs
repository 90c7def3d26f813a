//! Points that are posted while connections break and servers are killed.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::import::layer;
use crate::ingest::{csv, server};
use crate::server::eventually;

/// A request that posts `count` points with an idempotency key.
fn request(address: &str, key: &str, count: usize) -> Vec<u8> {
    let body = csv(count);
    let head = format!(
        "POST /kept/points HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: text/csv\r\n\
         idempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    head.into_bytes()
}

#[test]
fn a_repeated_request_counts_once() {
    let server = server("");
    server.put("kept", &json!({})).ok(201);
    for i in 0..40u64 {
        let key = format!("cut-{i}");
        let mut stream = server.connect();
        stream.write_all(&request(server.address(), &key, 100)).unwrap();
        // The client disconnects at any moment: before the points are read, while they are written, or after.
        std::thread::sleep(Duration::from_millis(i % 10));
        drop(stream);
        let headers = [("content-type", "text/csv"), ("idempotency-key", key.as_str())];
        let reply = server.send("POST", "/kept/points", &headers, csv(100).as_bytes()).ok(200).json();
        assert_eq!(reply["accepted"], 100);
    }
    eventually("no request is in progress", || server.metric("kiln_ingest_working ") == 0);
    assert_eq!(server.totals("kept"), (4000, 8000.0));
}

#[test]
fn a_killed_server_loses_no_acknowledged_point_and_counts_none_twice() {
    const KILLS: u64 = 32;
    const CLIENTS: usize = 3;
    const POINTS: u64 = 50;
    let mut server = server("");
    server.put("kept", &json!({})).ok(201);
    // The number of the next request of each client, which is how many of its requests were acknowledged.
    let mut next_requests = [0u64; CLIENTS];
    for kill in 0..KILLS {
        let (address, stop) = (server.address().to_owned(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for (client, post) in next_requests.iter_mut().enumerate() {
                let (address, stop) = (&address, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let Some(status) = posted(address, &format!("{client}-{post}")) else { return };
                        assert_eq!(status, 200);
                        *post += 1;
                    }
                });
            }
            // Varies over the duration of a few commits.
            std::thread::sleep(Duration::from_millis(5 + kill * 37 % 150));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        server.restart();
        let acknowledged = next_requests.iter().sum::<u64>() * POINTS;
        let (points, sum) = server.totals("kept");
        // Unacknowledged requests may be stored as well, completely or not at all.
        let unanswered =
            points.checked_sub(acknowledged).unwrap_or_else(|| panic!("{points} of {acknowledged} are left"));
        assert!(unanswered % POINTS == 0 && unanswered <= CLIENTS as u64 * POINTS, "{points}, {acknowledged}");
        assert!((sum - 2.0 * points as f64).abs() < 1e-6);
    }
    // Each client repeats its unacknowledged request. All requests count once.
    for (client, post) in next_requests.iter_mut().enumerate() {
        assert_eq!(posted(server.address(), &format!("{client}-{post}")), Some(200));
        *post += 1;
    }
    let posts = next_requests.iter().sum::<u64>();
    println!("{KILLS} kills, {posts} posts");
    assert_eq!(server.totals("kept"), (posts * POINTS, 2.0 * (posts * POINTS) as f64));
    assert!(posts > CLIENTS as u64, "nothing was written in between");
    assert_eq!(layer(server.folder(), "kept")["points"], posts * POINTS);
    // Temporary folders of killed servers are removed.
    let leftovers = std::fs::read_dir(server.folder().join("store")).unwrap();
    let leftovers: Vec<String> = leftovers.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    eventually("no request is in progress", || server.metric("kiln_ingest_working ") == 0);
    assert!(leftovers.iter().filter(|name| name.starts_with(".work-")).count() <= 2, "{leftovers:?}");
}

/// The status of a request, or `None` if the server is gone.
fn posted(address: &str, key: &str) -> Option<u16> {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.write_all(&request(address, key, 50)).ok()?;
    let mut reply = Vec::new();
    // A truncated reply is not an acknowledgment.
    stream.read_to_end(&mut reply).ok()?;
    let reply = String::from_utf8(reply).ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    serde_json::from_str::<serde_json::Value>(body).ok()?;
    head.split(' ').nth(1)?.parse().ok()
}
