//! Servers that accept no writes: by their configuration, or without a token on a public address.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::kiln::kiln;
use crate::server::Server;

/// The method and path of each route that needs the right to write, from the guide, whose table a test compares with the router.
fn writes() -> Vec<(String, String)> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md")).unwrap();
    let routes = guide.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix("` | `write` |"));
    let routes = routes.map(|route| route.split_once(' ').unwrap());
    routes.map(|(method, path)| (method.to_owned(), path.replace("{layer}", "stored"))).collect()
}

/// A folder with a stored layer.
fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    fs::write(home.path().join("points.csv"), "lon,lat,weight,time\n1,2,3,2024-01-01T00:00:00Z\n").unwrap();
    kiln(home.path(), ["import", "points.csv", "--layer", "stored", "-q"]).done();
    home
}

/// The files of a folder with their content and the time of their last change.
fn files(folder: &Path) -> Vec<(String, Vec<u8>, SystemTime)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            let changed = path.metadata().unwrap().modified().unwrap();
            files.push((path.display().to_string(), fs::read(&path).unwrap(), changed));
        }
    }
    files.sort();
    files
}

/// A body that the route accepts where writes are open.
fn body(path: &str) -> (&'static str, &'static [u8]) {
    match path {
        "/stored" => ("application/json", b"{}"),
        "/stored/rooms" => ("application/geo+json", b"{\"type\": \"FeatureCollection\", \"features\": []}"),
        "/stored/floorplan" => ("image/png", include_bytes!("../../data/floor/plan.png")),
        _ => ("text/csv", b"lon,lat,weight,time\n5,6,7,2024-01-02T00:00:00Z\n"),
    }
}

fn reject_all(server: &Server, headers: &[(&str, &str)], word: &str) {
    let store = server.folder().join("store/stored");
    let before = files(&store);
    let writes = writes();
    assert!(writes.len() >= 9, "{writes:?}");
    for (method, path) in writes {
        // It reads a body, and changes nothing.
        if path == "/_/inspect" {
            continue;
        }
        let (media_type, body) = body(&path);
        let headers = [headers, &[("content-type", media_type)]].concat();
        for path in [path.clone(), path.replace("stored", "absent"), format!("{path}?bounds=0,0,9,9&before=2025")] {
            server.send(&method, &path, &headers, body).rejected(403, &[word]);
        }
    }
    let after = files(&store);
    let changed: Vec<_> = after.iter().filter(|file| !before.contains(file)).map(|(path, ..)| path).collect();
    assert!(changed.is_empty() && after.len() == before.len(), "a rejected write has changed {changed:?}");
    assert!(!server.folder().join("store/absent").exists());
    assert_eq!(server.get("/stored/statistics").ok(200).json()["points"], 1);
}

#[test]
fn a_read_only_server_rejects_every_write_also_with_the_token() {
    let server = Server::at(home("[server]\ntoken = \"t0ken\"\n[store]\nread_only = true\n"), &[]);
    reject_all(&server, &[("authorization", "Bearer t0ken")], "store.read_only");
}

#[test]
fn a_server_on_a_public_address_without_a_token_rejects_every_write() {
    let server = Server::listening(home(""), "0.0.0.0:0", &[]);
    reject_all(&server, &[], "KILN_TOKEN");
}
