//! The grace time of replaced and removed points on a folder that servers share.

use std::fs;
use std::path::Path;

use crate::crash_recovery::write_rows;
use crate::import::{files, layer};
use crate::kiln::{kiln, kiln_with_env};
use crate::server::{Server, eventually};

fn segments(home: &Path) -> Vec<String> {
    files(home).into_iter().filter(|file| file.ends_with(".points.arrow")).collect()
}

#[test]
fn a_server_that_reads_a_shared_folder_keeps_its_files_for_the_grace_time() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (file, count) in [("a.csv", 100), ("b.csv", 200)] {
        write_rows(&home.join(file), count, 1);
    }
    let with_grace = |grace: &str, args: &[&str]| kiln_with_env(home, args, &[("KILN_STORE_GRACE", grace)]).done();
    with_grace("1h", &["import", "a.csv", "--layer", "trips"]);
    let store = format!("[store]\nfolder = '{}'\nread_only = true\n", home.join("store").display());
    let reader = Server::with(&[], &store);
    reader.get("/trips/0/0/0.png").ok(200);
    with_grace("1h", &["import", "b.csv", "--layer", "trips", "--replace"]);
    assert_eq!(segments(home), ["trips/00000001.points.arrow", "trips/00000002.points.arrow"]);
    eventually("the reader has the new points", || reader.totals("trips").0 == 200);
    // A process without a grace time keeps what another one has removed, but not what it removes itself.
    with_grace("0", &["import", "a.csv", "--layer", "trips", "--replace"]);
    assert_eq!(segments(home), ["trips/00000001.points.arrow", "trips/00000003.points.arrow"]);
    with_grace("1h", &["drop", "trips", "--yes"]);
    kiln(home, ["layers"]).done();
    let kept = segments(home);
    assert!(kept.len() == 2 && kept.iter().all(|file| file.starts_with(".work-removed-")), "{kept:?}");
}

#[test]
fn the_files_are_removed_after_the_grace_time() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 100, 1);
    let with_grace = |args: &[&str]| kiln_with_env(home, args, &[("KILN_STORE_GRACE", "2s")]).done();
    with_grace(&["import", "a.csv", "--layer", "trips"]);
    with_grace(&["import", "a.csv", "--layer", "trips", "--replace"]);
    with_grace(&["import", "a.csv", "--layer", "stops"]);
    with_grace(&["drop", "stops", "--yes"]);
    eventually("only the used files are left", || {
        // Any command that writes sweeps the store.
        kiln(home, ["expire", "trips", "--older-than", "30d", "--dry-run"]);
        segments(home) == ["trips/00000002.points.arrow"]
    });
    assert_eq!(fs::read_dir(home.join("store")).unwrap().count(), 1);
    assert_eq!(layer(home, "trips")["points"], 100);
}
