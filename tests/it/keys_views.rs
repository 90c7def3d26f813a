//! Keys with a filter: every response is that of a server which has the points of the key alone.

use serde_json::Value;

use crate::keys::{SECRET_A, hash_of_a};
use crate::kiln::kiln;
use crate::min_count::{Sample, crowd, lonely, random_name, samples};
use crate::server::{Reply, Server};

/// The layers of the samples, with `more` in each section.
pub(crate) fn config(more: &str, keys: &str) -> String {
    // A stored layer has a section only if it has a key of its own.
    let stored = if more.is_empty() { String::new() } else { format!("[layers.stored]\nstore = true\n{more}") };
    format!(
        "[layers.files]\ninput = \"points.csv\"\n{more}{stored}[layers.wide]\ninput = \"points.csv\"\n{more}\
         [layers.floor]\ninput = \"floor.csv\"\nprojection = \"plane\"\n{more}{keys}"
    )
}

pub(crate) fn serve(rows: &str, config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    std::fs::write(home.path().join("points.csv"), rows).unwrap();
    std::fs::write(home.path().join("floor.csv"), rows.replace("lon,lat", "x,y")).unwrap();
    kiln(home.path(), ["import", "points.csv", "--layer", "stored", "-q"]).done();
    Server::at(home, &[])
}

/// The rows of which `is_seen`, by their fields.
pub(crate) fn rows(is_seen: impl Fn(&[&str]) -> bool) -> String {
    let all = crowd() + &lonely();
    let mut lines = all.lines();
    let mut rows = lines.next().unwrap().to_owned() + "\n";
    for line in lines.filter(|line| is_seen(&line.split(',').collect::<Vec<_>>())) {
        rows.extend([line, "\n"]);
    }
    rows
}

pub(crate) fn send(server: &Server, Sample(method, path, body): &Sample, headers: &[(&str, &str)]) -> Reply {
    let mut headers = headers.to_vec();
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    if *method == "POST" {
        headers.push(("content-type", "application/json"));
    }
    server.send(method, path, &headers, &body)
}

const AS_A: [(&str, &str); 1] = [("authorization", SECRET_A.1)];

/// Removes what differs between servers: versions, random names, and times of this run.
fn without_versions(value: &mut Value, server: &Server, name: &str) {
    match value {
        Value::Object(members) => {
            for key in ["version", "expires_at", "request_id", "writes", "access"] {
                members.remove(key);
            }
            members.values_mut().for_each(|value| without_versions(value, server, name));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| without_versions(value, server, name)),
        Value::String(text) => {
            let mut kept = text.replace(server.address(), "HOST").replace(name, "NAME");
            if let Some(start) = kept.find("v=") {
                kept.truncate(start);
            }
            *text = kept;
        }
        _ => {}
    }
}

pub(crate) fn comparable(server: &Server, reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let name = random_name(reply).unwrap_or_else(|| "\0".to_owned());
    let is_data = |name: &str| name == "content-type" || name.starts_with("kiln-");
    let headers = reply.headers.iter().filter(|(name, _)| is_data(name)).cloned().collect();
    let body = match serde_json::from_slice::<Value>(&reply.body) {
        Ok(mut json) => {
            without_versions(&mut json, server, &name);
            json.to_string().into_bytes()
        }
        Err(_) if reply.header("content-type").is_some_and(|kind| kind.ends_with("xml")) => {
            let text = reply.text().replace(server.address(), "HOST");
            // KML documents have the versions of their tiles.
            let mut parts = text.split("v=");
            let first = parts.next().unwrap_or_default().to_owned();
            let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-'));
            rest.fold(first, |text, part| text + "v=" + part).into_bytes()
        }
        Err(_) => reply.body.clone(),
    };
    (reply.status, headers, body)
}

/// Compares each response to the key with `filter` on all points with that of a server of `rows` alone. Returns the number
/// of successes.
fn compare(filter: &str, rows: &str, own: &str) -> usize {
    let key =
        format!("[keys.a]\nhash = \"{}\"\nrights = [\"read\", \"queries\"]\nfilter = {{ {filter} }}\n", hash_of_a());
    let shared = serve(&(crowd() + &lonely()), &config("", &key));
    let alone = serve(rows, &config(own, ""));
    let mut compared = 0;
    for sample in samples().into_values().flatten() {
        let replies = [send(&shared, &sample, &AS_A), send(&alone, &sample, &[])];
        let [seen, expected] = [comparable(&shared, &replies[0]), comparable(&alone, &replies[1])];
        let Sample(method, path, body) = &sample;
        let show = |body: &[u8]| String::from_utf8_lossy(body).chars().take(2000).collect::<String>();
        assert!(
            seen == expected,
            "{filter}: {method} {path} {body}:\n{:?} {}\n{:?} {}",
            seen.1,
            show(&seen.2),
            expected.1,
            show(&expected.2)
        );
        compared += usize::from(seen.0 < 300);
        // What it links to.
        let servers = [(&shared, &AS_A[..]), (&alone, &[])];
        let linked = servers.iter().zip(&replies).map(|((server, headers), reply)| {
            let name = random_name(reply).unwrap_or_default();
            let rests = match path.as_str() {
                "/queries" if reply.status == 201 => {
                    ["0/0/0.png", "points", "statistics"].map(|rest| format!("/{name}/{rest}")).to_vec()
                }
                _ if !name.is_empty() && reply.status < 300 => vec![format!("/imgs/{name}.png")],
                _ => Vec::new(),
            };
            let get = |rest: &String| comparable(server, &server.send("GET", rest, headers, b"").ok(200));
            rests.iter().map(get).collect::<Vec<_>>()
        });
        let linked: Vec<_> = linked.collect();
        assert!(linked[0] == linked[1], "{filter}: {path} {body}");
    }
    compared
}

#[test]
fn a_key_with_categories_sees_a_layer_of_these_points_alone() {
    assert!(compare("category = [\"bus\"]", &rows(|fields| fields[4] == "bus"), "") > 300);
}

#[test]
fn a_key_with_a_time_range_sees_a_layer_of_these_points_alone() {
    let filter = "start = \"2024-01-01\", end = \"2024-01-02\"";
    assert!(compare(filter, &rows(|fields| fields[3].starts_with("2024-01-01")), "") > 300);
}

#[test]
fn a_key_with_a_minimum_count_sees_a_layer_with_it() {
    let filter = "category = [\"bus\", \"secret\"], min_count = 5";
    let seen = rows(|fields| ["bus", "secret"].contains(&fields[4]));
    assert!(compare(filter, &seen, "min_count = 5\n") > 300);
}

#[test]
fn a_key_with_a_filter_does_not_notice_changes_of_other_points() {
    let key = format!("[keys.a]\nhash = \"{}\"\nfilter = {{ category = [\"north\"] }}\n", hash_of_a());
    let home = tempfile::tempdir().unwrap();
    let (token, csv) = ("[server]\ntoken = \"t0ken\"\n", ("content-type", "text/csv"));
    std::fs::write(home.path().join("kiln.toml"), format!("{token}[store]\nfolder = \"store\"\n{key}")).unwrap();
    let server = Server::at(home, &[]);
    let write = |method: &str, rows: &str| {
        let body = format!("lon,lat,weight,time,category\n{rows}");
        let owner = ("authorization", "Bearer t0ken");
        server.send(method, "/shared/points", &[owner, csv], body.as_bytes())
    };
    let north = "10,50,2,2024-05-01T10:00:00Z,north\n11,51,3,2024-05-02T10:00:00Z,north\n";
    write("PUT", &format!("{north}12,52,4,2024-05-03T10:00:00Z,south\n")).ok(201);
    // Everything that the key can read but the times of responses.
    let read = || {
        let paths = ["/shared", "/shared/statistics", "/catalog", "/shared/0/0/0.png", "/shared/categories"];
        paths.map(|path| {
            let reply = server.send("GET", path, &AS_A, b"").ok(200);
            let headers = reply.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
            (headers.cloned().collect::<Vec<_>>(), String::from_utf8_lossy(&reply.body).into_owned())
        })
    };
    let before = read();
    assert!(before[0].1.contains("\"version\"") || before[0].1.contains("v="), "{}", before[0].1);
    for _ in 0..3 {
        write("POST", "13,53,5,2024-05-04T10:00:00Z,south\n").ok(200);
        assert_eq!(read(), before);
    }
    let compacted = kiln(server.folder(), ["compact", "shared"]);
    assert_eq!(compacted.code, 0, "{}", compacted.stderr);
    assert_eq!(read(), before);
    // Each column of its own points changes the version.
    let mut versions = vec![before[0].clone()];
    for row in ["10,50,2,2024-05-01T10:00:00Z,north\n", "10,50,2,2024-05-01T11:00:00Z,north\n"] {
        write("POST", row).ok(200);
        let now = read();
        assert!(now.iter().zip(&before).enumerate().all(|(at, (now, before))| now != before || at == 2), "{now:?}");
        assert!(!versions.contains(&now[0]));
        versions.push(now[0].clone());
    }
}

#[test]
fn a_key_with_bounds_sees_no_point_beyond_them() {
    let key = format!("[keys.a]\nhash = \"{}\"\nfilter = {{ bounds = [18, 59, 19, 60] }}\n", hash_of_a());
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("points.csv"), crowd() + &lonely()).unwrap();
    std::fs::write(home.path().join("kiln.toml"), format!("[layers.files]\ninput = \"points.csv\"\n{key}")).unwrap();
    let server = Server::at(home, &[]);
    let get = |path: &str| server.send("GET", path, &AS_A, b"");
    // The crowd of 160, and two lonely points in the same place.
    let statistics = get("/files/statistics").ok(200).json();
    assert_eq!((&statistics["points"], &statistics["weight"]["max"]), (&162.into(), &7.0.into()));
    let points = get("/files/points?bounds=-180,-80,180,80&limit=1000").ok(200);
    assert_eq!(points.header("kiln-total"), Some("162"));
    // A polygon of the request cannot replace that of the key.
    let world = serde_json::json!({"type": "Polygon", "coordinates": [[[-90, -60], [90, -60], [90, 70], [-90, 70], [-90, -60]]]});
    let reply = send(&server, &Sample("POST", "/files/statistics".into(), world), &AS_A);
    reply.rejected(400, &["polygon", "already limited to an area"]);
}
