//! Write requests while the disk is read-only or full: 503 or 507, nothing is lost, and they work again afterwards.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::masks_http::{npy, photo, url};
use crate::server::{Reply, Server};
use crate::store_failures::SmallDisk;

const CONFIG: &str =
    "[store]\nfolder = \"disk/store\"\n[images]\nfolder = \"disk/imgs\"\n[masks]\nfolder = \"disk/masks\"\n";
const JSON: &str = "application/json";
const NPY: &str = "application/x-npy";
const PLAN: &str = "/floor/floorplan?bounds=0,0,40,30";
const ROOMS: &str = r#"{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"Hall"},
    "geometry":{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,4],[0,0]]]}}]}"#;

fn send(server: &Server, method: &str, path: &str, content_type: &str, body: &[u8]) -> Reply {
    let length = body.len().to_string();
    server.send(method, path, &[("content-type", content_type), ("content-length", &length)], body)
}

/// Requests that write: method, path, content type and body. Those of `number` differ from those of another number.
fn writes(mask: &str, number: usize) -> Vec<(&'static str, String, &'static str, Vec<u8>)> {
    let points = json!([{"x": 1, "y": 1}, {"x": 2, "y": 3}]).to_string().into_bytes();
    let large: Vec<_> = (0..20_000).map(|i| json!({"x": f64::from(i % 150) / 10.0, "y": i % 20})).collect();
    let values = npy(64, 64, &vec![number as f32; 64 * 64]);
    let overlay = json!({"layer": "map", "bounds": "world", "size": 300 + number, "radius": 9});
    vec![
        ("POST", "/floor/points".into(), JSON, points.clone()),
        ("POST", "/floor/points".into(), JSON, json!(large).to_string().into_bytes()),
        ("PUT", "/floor/points".into(), JSON, points),
        ("PUT", "/floor".into(), JSON, json!({"crs": "plane", "title": format!("{number}")}).to_string().into_bytes()),
        ("PUT", format!("/new-{number}"), JSON, b"{}".to_vec()),
        ("PUT", "/floor/rooms".into(), "application/geo+json", ROOMS.as_bytes().to_vec()),
        ("PUT", PLAN.into(), "image/png", photo(40, 30 + number as u32)),
        ("POST", "/masks".into(), NPY, values.clone()),
        ("PUT", format!("{mask}/mask"), NPY, values),
        ("PUT", format!("{mask}/background"), "image/png", photo(64, 64)),
        ("POST", "/overlays".into(), JSON, overlay.to_string().into_bytes()),
    ]
}

/// Sends all writes, and expects the status of each.
fn all(server: &Server, mask: &str, number: usize, status: impl Fn(u16) -> bool, name: &str) {
    for (method, path, content_type, body) in writes(mask, number) {
        let reply = send(server, method, &path, content_type, &body);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(status(reply.status), "{method} {path}: {} {text}\n{}", reply.status, server.log());
        if !name.is_empty() {
            assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{method} {path}: {text}");
            assert_eq!(reply.json()["type"], format!("urn:kiln:{name}"), "{method} {path}");
            assert!(!text.contains("disk/"), "no paths: {text}");
        }
    }
}

/// A read-only view of a folder at its own path, removed on drop. A disk cannot be made read-only while the server has
/// its lock open.
struct ReadOnly<'a>(&'a Path);

impl<'a> ReadOnly<'a> {
    fn mount(at: &'a Path) -> Self {
        for options in [&["--bind"][..], &["-o", "remount,bind,ro"]] {
            let mut command = Command::new("mount");
            command.args(options);
            if options.len() == 1 {
                command.arg(at);
            }
            assert!(command.arg(at).status().unwrap().success(), "{options:?}");
        }
        Self(at)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn writes_to_a_disk_that_becomes_read_only_or_full_are_unavailable_until_it_is_writable_again() {
    const DISK_KIB: u32 = 16 * 1024;
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    let Some(_mounted) = SmallDisk::mount(&disk, DISK_KIB) else {
        println!("no file system can be mounted here: the test needs the permission to mount one");
        return;
    };
    fs::write(home.path().join("kiln.toml"), CONFIG).unwrap();
    let server = Server::at(home, &[]);
    send(&server, "PUT", "/floor", JSON, br#"{"crs": "plane"}"#).ok(201);
    send(&server, "POST", "/floor/points", JSON, json!([{"x": 5, "y": 5}]).to_string().as_bytes()).ok(200);
    send(&server, "PUT", "/map", JSON, b"{}").ok(201);
    send(&server, "POST", "/map/points", JSON, json!([{"lon": 5, "lat": 5}]).to_string().as_bytes()).ok(200);
    let mask = send(&server, "POST", "/masks", NPY, &npy(64, 64, &vec![0.0; 64 * 64])).ok(201).json();
    let mask = url(&mask, "mask").to_owned();
    all(&server, &mask, 1, |status| status < 300, "");
    let points = || server.get("/floor/statistics").ok(200).json()["points"].as_u64().unwrap();
    let before = points();

    let read_only = ReadOnly::mount(&disk);
    all(&server, &mask, 2, |status| status == 503, "store-read-only");
    for path in ["/floor", "/floor/rooms", "/floor/floorplan", &mask] {
        let reply = server.send("DELETE", path, &[], b"");
        assert_eq!((path, reply.status), (path, 503), "{}", server.log());
    }
    assert_eq!(points(), before);
    drop(read_only);
    all(&server, &mask, 3, |status| status < 300, "");
    let before = points();

    let filler = disk.join("filler");
    fs::write(&filler, vec![1; 2 * 1024 * DISK_KIB as usize]).unwrap_err();
    all(&server, &mask, 4, |status| status == 507, "disk-full");
    assert_eq!(points(), before);
    fs::remove_file(&filler).unwrap();
    all(&server, &mask, 5, |status| status < 300, "");
    assert!(points() > 0);
}

#[test]
fn a_store_whose_folder_is_replaced_is_not_ready_until_a_write_uses_the_new_one() {
    let server = Server::with(&[], "");
    let put = |path: &str| send(&server, "PUT", path, JSON, b"{}");
    put("/trips").ok(201);
    assert_eq!(server.get("/health?ready").ok(200).body, b"ready\n");
    let store = server.folder().join("store");
    fs::remove_dir_all(&store).unwrap();
    server.get("/health?ready").rejected(503, &["the folder of the store was removed or replaced"]);
    assert_eq!(server.get("/health").ok(200).body, b"OK\n");
    put("/trips").ok(201);
    assert!(server.log().contains("WARN the folder of the store was removed or replaced; the server uses the new one"));
    server.get("/health?ready").ok(200);
    // Another server has claimed the next one.
    fs::remove_dir_all(&store).unwrap();
    let other = kiln::store::Store::open_for_server(&store).unwrap();
    other.claim().unwrap();
    put("/more").rejected(409, &["another server uses this store"]);
    server.get("/health?ready").rejected(503, &["replaced"]);
    assert_eq!(other.names().unwrap(), Vec::<String>::new());
    drop(other);
    put("/more").ok(201);
    server.get("/health?ready").ok(200);
}
