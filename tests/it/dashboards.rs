//! The URLs of docs/gis.md, docs/bi.md and of the files to import, and the frames of other sites.

use std::path::Path;

use crate::server::Server;

/// The documents, and the number of URLs in each.
const FILES: [(&str, usize); 4] = [
    ("docs/gis.md", 6),
    ("docs/bi.md", 8),
    ("examples/qgis/connections.xml", 1),
    ("examples/grafana/dashboard.json", 2),
];

/// The servers of the documents; the last one is the variable of the dashboard.
const SERVERS: [&str; 4] = ["http://127.0.0.1:3000", "https://maps.example.org", "localhost:3000", "${kiln}"];

/// What clients and shells put in place of placeholders.
const PLACEHOLDERS: [(&str, &str); 15] = [
    ("{z}", "12"),
    ("{x}", "2253"),
    ("{y}", "1205"),
    ("{r}", "@2x"),
    ("{level}", "12"),
    ("{col}", "2253"),
    ("{row}", "1205"),
    ("{layer}", "stops"),
    ("${radius}", "40"),
    ("${__from}", "1714521600000"),
    ("${__to}", "1714608000000"),
    ("$(((now - 86400) * 1000))", "1714521600000"),
    ("${now}000", "1714608000000"),
    ("&amp;", "&"),
    ("\\u0026", "&"),
];

/// The paths and query strings of the URLs of a text.
fn paths(text: &str) -> Vec<String> {
    let text = PLACEHOLDERS.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut found = Vec::new();
    for server in SERVERS {
        for (at, _) in text.match_indices(server) {
            let rest = &text[at + server.len()..];
            let end = rest.find(|c: char| c.is_whitespace() || "\"'`<>()[],;#".contains(c)).unwrap_or(rest.len());
            // Bounds and positions have commas.
            let path = match rest[..end].rsplit_once('/') {
                Some((_, last)) if last.parse::<f64>().is_ok() => {
                    let end = rest.find(|c: char| c.is_whitespace() || "\"'`".contains(c)).unwrap_or(rest.len());
                    &rest[..end]
                }
                _ => &rest[..end],
            };
            found.push(if path.is_empty() { "/".to_owned() } else { path.trim_end_matches('.').to_owned() });
        }
    }
    found
}

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_urls_of_the_documents_and_of_the_files_to_import_are_those_of_the_server() {
    let home = tempfile::tempdir().unwrap();
    let rows = "lat,lon,weight,time\n59.3293,18.0686,1,2024-05-01T12:00:00Z\n59.36,17.945,0.1,2024-04-01T12:00:00Z\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    let server = Server::at(home, &["stops.csv"]);
    for (file, count) in FILES {
        let found = paths(&std::fs::read_to_string(root(file)).unwrap());
        assert!(found.len() >= count, "{file}: only {found:?}");
        for path in found {
            let reply = server.get(&path);
            assert_eq!(reply.status, 200, "{file}: {path}: {}", reply.text());
        }
    }
    // The time range of the dashboard is that of the tile: the first point, without the one of April.
    let of_all = server.get("/stops/points").json();
    let in_range = server.get("/stops/points?start=1714521600000&end=1714608000000").json();
    assert_eq!((&of_all["total"], &in_range["total"]), (&2.into(), &1.into()));
}

#[test]
fn other_sites_may_show_the_pages_in_a_frame_if_the_configuration_lists_them() {
    let policy = |server: &Server, path: &str| {
        let reply = server.get(path).ok(200);
        let policy = reply.header("content-security-policy").unwrap();
        policy.split("; ").find(|part| part.starts_with("frame-ancestors")).unwrap().to_owned()
    };
    let plain = Server::start();
    let listed = Server::with(&[], "[page]\nframe_ancestors = [\"https://a.example\", \"http://127.0.0.1:8088\"]\n");
    for path in ["/", "/matrix/cities", "/cities/surface"] {
        assert_eq!(policy(&plain, path), "frame-ancestors 'self'");
        assert_eq!(policy(&listed, path), "frame-ancestors 'self' https://a.example http://127.0.0.1:8088");
    }
    // The pages of the documentation of the API send requests with the token that a reader enters.
    assert_eq!(policy(&listed, "/docs"), "frame-ancestors 'self'");
    for bad in ["https://a.example/path", "a.example", "https://a.example; script-src *", "https://*.a.example"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("kiln.toml"), format!("[page]\nframe_ancestors = [\"{bad}\"]\n")).unwrap();
        let check = crate::kiln::kiln(home.path(), ["config", "check"]);
        check.failed(2, &["page.frame_ancestors", "is not a list of origins"]);
    }
}
