//! Errors at startup, removal of expired images, and graceful shutdown.

use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::server::{Server, eventually, receive};

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn image_name(created_s: u64, id: u32) -> String {
    format!("{created_s}-67e5504410b1426f9247bb68{id:08x}.png")
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found.and_then(|value| value.trim().parse::<f64>().ok()).unwrap_or(0.0) as u64
}

#[test]
fn expired_and_unfinished_images_are_removed_and_other_files_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let imgs = home.path().join("imgs");
    fs::create_dir(&imgs).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(9000);
    let (old, young) = (image_name(now_s() - 9000, 1), image_name(now_s() - 60, 2));
    for file in [old.as_str(), young.as_str(), ".kiln-abc.part", "holiday.png", "1732158000.png"] {
        fs::write(imgs.join(file), "bytes").unwrap();
        fs::File::options().write(true).open(imgs.join(file)).unwrap().set_modified(long_ago).unwrap();
    }
    let server = Server::at(home, &[]);
    eventually("the cleanup", || server.files().len() == 3);
    assert_eq!(server.files(), ["1732158000.png", young.as_str(), "holiday.png"].map(str::to_owned));
    eventually("the counters", || metric(&server, "kiln_images_removed_total{reason=\"Expired\"}") == 1);
    assert_eq!(metric(&server, "kiln_images_removed_total{reason=\"Unfinished\"}"), 1);
    assert_eq!(metric(&server, "kiln_images_removed_bytes_total"), 5);
    // Expired images are not served either.
    server.get(&format!("/imgs/{old}")).rejected(404, &[]);
}

#[test]
fn the_oldest_images_above_the_limit_are_removed_and_a_removed_image_is_rendered_again() {
    let home = tempfile::tempdir().unwrap();
    let imgs = home.path().join("imgs");
    fs::create_dir(&imgs).unwrap();
    for id in 0..5 {
        fs::write(imgs.join(image_name(now_s() - 100 - u64::from(id), id)), "bytes").unwrap();
    }
    fs::write(home.path().join("kiln.toml"), "[images]\nmax_count = 2\nsweep_every = \"1s\"\n").unwrap();
    let server = Server::at(home, &[]);
    eventually("the cleanup", || server.files().len() == 2);
    assert!(
        server.files().contains(&image_name(now_s() - 100, 0))
            || server.files().iter().all(|file| file.ends_with("0.png") || file.ends_with("1.png"))
    );
    let request = json!({"layer": "cities", "size": 64});
    let first = server.post("/overlays", &request).ok(201).json();
    fs::remove_file(server.images().join(first["filename"].as_str().unwrap())).unwrap();
    let again = server.post("/overlays", &request).ok(201).json();
    assert_ne!(first["filename"], again["filename"]);
    server.get(again["url"].as_str().unwrap()).ok(200);
}

#[test]
fn an_image_is_served_until_it_expires() {
    let server = Server::with(&["--ttl", "2s"], "[images]\nsweep_every = \"1s\"\n");
    let request = json!({"layer": "cities", "size": 64});
    let first = server.post("/overlays", &request).ok(201).json();
    let until = first["expires_at"].as_u64().unwrap();
    while now_s() < until {
        server.get(first["url"].as_str().unwrap()).ok(200);
        std::thread::sleep(Duration::from_millis(200));
    }
    // The same request now renders a new image. Clients that have just received the first URL may still fetch that
    // image.
    let next = server.post("/overlays", &request).ok(201).json();
    assert_ne!(first["filename"], next["filename"]);
}

#[cfg(unix)]
#[test]
fn requests_in_progress_are_answered_before_shutdown() {
    let mut server = Server::start();
    // The signal arrives when half of the request is sent.
    let body = json!({"layer": "cities", "bounds": "world", "size": [512, 512]}).to_string();
    let mut stream = server.connect();
    let head = format!(
        "POST /overlays HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let (reply, exit_code) = std::thread::scope(|scope| {
        let stopping = scope.spawn(|| server.stop());
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(&body.as_bytes()[10..]).unwrap();
        (receive(&mut stream), stopping.join().unwrap())
    });
    assert_eq!((reply.status, exit_code), (201, Some(0)));
    assert_eq!(server.files().len(), 1);
}

#[test]
fn invalid_inputs_and_options_are_reported_at_startup() {
    let folder = tempfile::tempdir().unwrap();
    let kiln = |args: &[&str]| crate::kiln::kiln(folder.path(), ["serve", "-l", "127.0.0.1:0"].iter().chain(args));
    kiln(&["missing.csv"]).failed(1, &["missing.csv", "No such file"]);
    fs::write(folder.path().join("bad.csv"), "lon,lat\nx,y\n").unwrap();
    kiln(&["bad.csv"]).failed(1, &["bad.csv", "row 1"]);
    fs::write(folder.path().join("gtfs.csv"), "stop,place\n1,2\n").unwrap();
    kiln(&["gtfs.csv"]).failed(1, &["gtfs.csv", "name one with --lon"]);
    kiln(&["--ttl", "soon"]).failed(2, &["ttl", "1h"]);
    fs::write(folder.path().join("file"), "").unwrap();
    kiln(&["--images", "file/imgs"]).failed(1, &["file/imgs"]);
    fs::write(folder.path().join("kiln.toml"), "[server]\nlistn = \"x\"\n").unwrap();
    kiln(&[]).failed(2, &["kiln.toml:2", "listn", "listen"]);
    fs::write(folder.path().join("kiln.toml"), "[layers.a]\ninput = \"p.csv\"\nstyle = { scheme = \"firre\" }\n")
        .unwrap();
    fs::write(folder.path().join("p.csv"), "lon,lat\n1,2\n").unwrap();
    kiln(&[]).failed(2, &["layers.a.style", "firre", "fire"]);
    fs::remove_file(folder.path().join("kiln.toml")).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    crate::kiln::kiln(folder.path(), ["serve", "-l", &address]).failed(1, &["listen", &address]);
}
