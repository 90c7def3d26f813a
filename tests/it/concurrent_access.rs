//! Several processes that use one store: concurrent imports, and commands while a server runs.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::import::{files, layer};
use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// A running import that waits for the rest of its rows.
struct PendingImport(Child);

impl PendingImport {
    /// The number of rows that are already written to its input.
    const ROWS: usize = 20;

    fn begin(home: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
            .args(["import", "-", "-q", "--layer"])
            .args(args)
            .current_dir(home)
            .env_remove("KILN_STORE")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // More than the buffer of a pipe: once all is written, the import has read some of it, which it does only after
        // it has checked whether the layer exists.
        let row = format!("1,1,{}\n", "-".repeat(10_000));
        let text = "lon,lat,note\n".to_owned() + &row.repeat(Self::ROWS);
        child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        Self(child)
    }

    /// Writes `more` rows and ends the input; returns the exit code and the standard error.
    fn end(mut self, more: usize) -> (Option<i32>, String) {
        self.0.stdin.take().unwrap().write_all("1,1,-\n".repeat(more).as_bytes()).unwrap();
        let run = self.0.wait_with_output().unwrap();
        (run.status.code(), String::from_utf8(run.stderr).unwrap())
    }
}

const DONE: (Option<i32>, String) = (Some(0), String::new());

#[test]
fn concurrent_imports_into_a_layer_succeed_or_fail_with_a_reason() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let [first, second] = [(); 2].map(|()| PendingImport::begin(home, &["new"]));
    assert_eq!(second.end(20), DONE);
    let (code, message) = first.end(10);
    assert!(code == Some(2) && message.contains("there is a layer `new` already"), "{message}");
    assert_eq!(layer(home, "new")["points"], PendingImport::ROWS + 20);

    let [first, second] = [(); 2].map(|()| PendingImport::begin(home, &["new", "--append"]));
    assert_eq!((second.end(3), first.end(4)), (DONE, DONE));
    assert_eq!(layer(home, "new")["points"], 3 * PendingImport::ROWS + 27);

    // The last to finish wins.
    let replaced = PendingImport::begin(home, &["new", "--replace"]);
    let appended = PendingImport::begin(home, &["new", "--append"]);
    assert_eq!((appended.end(5), replaced.end(6)), (DONE, DONE));
    assert_eq!(layer(home, "new")["points"], PendingImport::ROWS + 6);

    let late = PendingImport::begin(home, &["new", "--append"]);
    kiln(home, ["drop", "new", "--yes"]).done();
    let (code, message) = late.end(10);
    assert!(code == Some(1) && message.contains("store/new: the layer was removed concurrently"), "{message}");
    assert_eq!(files(home), Vec::<String>::new());
}

/// The number of points of a layer that a server serves.
fn served(server: &Server, layer: &str) -> Value {
    server.get(&format!("/{layer}/statistics")).json()["points"].clone()
}

#[test]
fn a_running_server_serves_changes_made_by_commands() {
    let server = Server::at(tempfile::tempdir().unwrap(), &[]);
    let home = server.folder().to_owned();
    for (file, rows) in [("a.csv", 30), ("b.csv", 500)] {
        fs::write(home.join(file), "lon,lat,weight\n".to_owned() + &"1,1,2\n".repeat(rows)).unwrap();
    }
    let run = |args: &[&str]| kiln(&home, args).done();
    let shows = |points: u64| eventually(&format!("{points} points are served"), || served(&server, "live") == points);
    server.get("/live/statistics").rejected(404, &["live"]);
    run(&["import", "a.csv", "--layer", "live"]);
    shows(30);
    run(&["import", "b.csv", "--layer", "live", "--append"]);
    shows(530);
    assert!(server.get("/catalog").ok(200).json()["layers"].to_string().contains("live"));
    let listed: Value = serde_json::from_slice(&kiln(&home, ["layers", "--json"]).stdout).unwrap();
    assert_eq!((&listed[0]["points"], &listed[0]["segments"]), (&json!(530), &json!(2)));
    run(&["compact", "live"]);
    shows(530);
    run(&["import", "b.csv", "--layer", "live", "--replace"]);
    shows(500);
    run(&["drop", "live", "--yes"]);
    server.get("/live/statistics").rejected(404, &["live"]);
    // Another layer of the same name, with the same segment numbers.
    run(&["import", "a.csv", "--layer", "live"]);
    shows(30);
}

#[test]
fn a_damaged_layer_does_not_affect_others_and_can_be_replaced() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    fs::write(folder.join("a.csv"), "lon,lat\n".to_owned() + &"1,1\n".repeat(30)).unwrap();
    for name in ["whole", "lost", "worn"] {
        kiln(folder, ["import", "a.csv", "--layer", name]).done();
    }
    kiln(folder, ["import", "a.csv", "--layer", "worn", "--append"]).done();
    fs::write(folder.join("store/worn/00000001.points.arrow"), "no arrow").unwrap();
    // A manifest that was changed after it was written, by a failing disk or by hand.
    let manifest = folder.join("store/lost/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("\"rows\":30", "\"rows\":29");
    fs::write(&manifest, text).unwrap();
    let before = files(folder);
    for args in [
        &["layer", "lost"][..],
        &["import", "a.csv", "--layer", "lost", "--append"],
        &["import", "a.csv", "--layer", "lost", "--replace"],
        &["import", "a.csv", "--layer", "lost"],
        &["compact", "lost"],
        &["expire", "lost", "--older-than", "1d", "--yes"],
    ] {
        kiln(folder, args).failed(1, &["store/lost/manifest.json: it is damaged", "checksum"]);
    }
    assert_eq!(files(folder), before);

    let server = Server::at(home, &[]);
    let folder = server.folder().to_owned();
    assert_eq!((served(&server, "whole"), served(&server, "worn")), (json!(30), json!(30)));
    let reply = server.get("/lost/statistics");
    reply.rejected(503, &["the manifest of the layer is damaged"]);
    let body = String::from_utf8(reply.body).unwrap();
    assert!(!body.contains("store/"), "the response contains a path: {body}");
    let catalog = server.get("/catalog").ok(200).json()["layers"].to_string();
    assert!(catalog.contains("whole") && catalog.contains("worn") && !catalog.contains("lost"), "{catalog}");

    kiln(&folder, ["import", "a.csv", "--layer", "worn", "--replace"]).done();
    kiln(&folder, ["drop", "lost", "--yes"]).done();
    kiln(&folder, ["import", "a.csv", "--layer", "lost"]).done();
    for name in ["worn", "lost"] {
        assert_eq!((&layer(&folder, name)["points"], &layer(&folder, name)["segments"]), (&json!(30), &json!(1)));
        eventually("all points are served", || served(&server, name) == 30);
    }
    assert_eq!(kiln(&folder, ["layers"]).code, 0);
}
