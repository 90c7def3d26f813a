//! Points that are older than the retention of their layer: no command removes them unasked.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::import::{files, layer};
use crate::ingest::server;
use crate::kiln::{Run, kiln, kiln_with_input};
use crate::server::{Server, eventually};

/// CSV text of `old` points of 2024, and `recent` points of the far future.
fn rows(old: usize, recent: usize) -> String {
    let mut text = String::from("lon,lat,time\n");
    for i in 0..old + recent {
        let year = if i < old { 2024 } else { 2999 };
        writeln!(text, "{},{},{year}-05-{:02}T08:00:00Z", i % 170, i % 80, 1 + i % 28).unwrap();
    }
    text
}

fn import(home: &Path, csv: &str, args: &[&str]) -> Run {
    let import = ["import", "-", "--layer", "trips"];
    kiln_with_input(home, import.iter().chain(args), csv.as_bytes())
}

#[test]
fn an_import_that_its_retention_would_empty_is_rejected_and_nothing_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let numbers =
        ["--keep: 1,200 of 1,200 points are before 2", "2024-05-01T08:00:00Z", "2024-05-28T08:00:00Z", "--yes"];
    import(home, &rows(1200, 0), &["--keep", "30d"]).failed(2, &numbers);
    assert_eq!(files(home), Vec::<String>::new(), "the layer is not created");
    // Half of the points is a large part, and less is not.
    import(home, &rows(2, 2), &["--keep", "30d"]).failed(2, &["2 of 4 points"]);
    assert!(import(home, &rows(1, 2), &["--keep", "30d"]).done().contains("added 3 points"));
    // Points without a time are kept forever.
    let untimed = "lon,lat,time\n1,2,\n3,4,\n";
    import(home, untimed, &["--replace", "--keep", "1s"]).done();
    assert_eq!(layer(home, "trips")["points"], 2);
    let version = layer(home, "trips")["version"].clone();
    for args in [&["--replace", "--keep", "30d"][..], &["--append", "--keep", "30d"], &["--append"], &["--replace"]] {
        import(home, &rows(1200, 0), args).failed(2, &["1,200 of 1,200 points", "`trips`", "nothing was imported"]);
        assert_eq!(layer(home, "trips")["version"], version, "{args:?}");
    }
    import(home, &rows(1200, 0), &["--replace", "--keep", "30d", "--yes"]).done();
    let stored = layer(home, "trips");
    assert_eq!((&stored["points"], &stored["keep_s"]), (&1200.into(), &2_592_000.into()));
}

#[test]
fn a_new_retention_counts_the_points_that_are_in_the_layer_already() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    import(home, &rows(90, 0), &[]).done();
    import(home, &rows(0, 10), &["--append", "--keep", "30d"]).failed(2, &["90 of 100 points"]);
    // An append without rows only describes the layer.
    import(home, "lon,lat,time\n", &["--append", "--keep", "30d"]).failed(2, &["90 of 90 points"]);
    assert_eq!((&layer(home, "trips")["points"], &layer(home, "trips")["keep_s"]), (&90.into(), &json!(null)));
    import(home, &rows(0, 10), &["--append", "--keep", "36500d"]).done();
    // The old points are lost by the retention that was set before, not by this import.
    import(home, &rows(0, 10), &["--append", "--keep", "30d", "--yes"]).done();
    import(home, &rows(0, 10), &["--append"]).done();
    import(home, &rows(0, 10), &["--append", "--keep", "30d"]).done();
    assert_eq!(layer(home, "trips")["points"], 130);
}

#[test]
fn expire_prints_what_it_would_remove_and_requires_a_confirmation() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    import(home, &rows(30, 10), &[]).done();
    let expire = |args: &[&str]| kiln(home, ["expire", "trips", "--older-than", "30d"].iter().chain(args));
    expire(&[]).failed(
        2,
        &["--yes", "30 of 40 points are older than 30d, before 2", "2024-05-01T08:00:00Z", "nothing was removed"],
    );
    let summary = expire(&["--dry-run"]).done();
    assert!(summary.contains("30 of 40 points") && summary.contains("nothing was removed"), "{summary}");
    expire(&["--dry-run", "--yes"]).failed(2, &["--dry-run", "--yes"]);
    assert_eq!(layer(home, "trips")["points"], 40);
    assert!(expire(&["--yes"]).done().contains("trips: removed 30 points older than 30d, before "));
    // Nothing to remove is nothing to ask.
    assert!(expire(&[]).done().contains("removed 0 points"));
    assert_eq!(layer(home, "trips")["points"], 10);
}

/// Runs `kiln` in a terminal, and types `answer` at the question.
fn in_terminal(home: &Path, answer: &str, args: &[&str]) -> (i32, String) {
    const SCRIPT: &str = "
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try:
        read = os.read(fd, 4096)
    except OSError:
        break
    if not read:
        break
    seen += read
    if read.rstrip().endswith(b'[y/N]'):
        os.write(fd, sys.argv[1].encode())
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";
    let run = Command::new("python3")
        .args(["-c", SCRIPT, answer, env!("CARGO_BIN_EXE_kiln")])
        .args(args)
        .current_dir(home)
        .output()
        .unwrap();
    (run.status.code().unwrap(), String::from_utf8(run.stdout).unwrap())
}

#[cfg(unix)]
#[test]
fn a_person_in_a_terminal_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    std::fs::write(home.join("old.csv"), rows(60, 0)).unwrap();
    let import = ["import", "old.csv", "--layer", "trips", "--keep", "30d"];
    let (code, text) = in_terminal(home, "n\n", &import);
    assert!(code == 1 && text.contains("60 of 60 points") && text.contains("nothing was imported"), "{code} {text}");
    // Ctrl-C at the question.
    assert_eq!(in_terminal(home, "\u{3}", &import).0, 130);
    assert_eq!(files(home), Vec::<String>::new());
    assert_eq!(in_terminal(home, "y\n", &import).0, 0);
    let expire = ["expire", "trips", "--older-than", "30d"];
    let (code, text) = in_terminal(home, "\n", &expire);
    assert!(
        code == 1 && text.contains("60 of 60 points") && text.contains("trips: nothing was removed"),
        "{code} {text}"
    );
    assert_eq!(in_terminal(home, "\u{3}", &expire).0, 130);
    assert_eq!(layer(home, "trips")["points"], 60);
    let (code, text) = in_terminal(home, "yes\n", &expire);
    assert!(code == 0 && text.contains("removed 60 points"), "{code} {text}");
    assert_eq!(in_terminal(home, "n\n", &["drop", "trips"]).0, 1);
    assert_eq!(in_terminal(home, "y\n", &["drop", "trips"]).0, 0);
    assert_eq!(files(home), Vec::<String>::new());
}

#[test]
fn the_server_warns_before_it_removes_a_large_part_of_a_layer() {
    let server = server("");
    let put = |name: &str, keep: &str| server.put(&format!("{name}?expire=true"), &json!({"keep": keep}));
    for (name, old, recent) in [("all", 4, 0), ("few", 1, 9)] {
        server.put(name, &json!({})).ok(201);
        let reply = server.points(name, "text/csv", rows(old, recent)).ok(200).json();
        assert_eq!(reply["remarks"], json!([]));
        assert_eq!(put(name, "36500d").ok(200).json()["expired"], 0);
        assert_eq!(put(name, "30d").ok(200).json()["expired"], old);
        eventually("the old points are removed", || server.totals(name).0 == recent as u64);
    }
    let log = server.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("retention")).collect();
    let [warning] = &warnings[..] else { panic!("{log}") };
    for part in ["WARN", "all", "expired=4", "points=4", "30d", "2024-05-01T08:00:00Z"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    let reply = server.points("few", "text/csv", rows(3, 1)).ok(200).json();
    let remark = reply["remarks"][0].as_str().unwrap();
    assert!(remark.contains("3 of 4 points are older than 30d"), "{remark}");
}

#[test]
fn a_server_whose_clock_has_jumped_removes_no_points_until_the_time_is_confirmed() {
    let home = tempfile::tempdir().unwrap();
    import(home.path(), &rows(4, 2), &["--keep", "30d", "--yes"]).done();
    // The last check of the clock was long ago, so the time of today is a jump.
    let readings = r#"{"plausible_s":1700000000,"jumped_s":null}"#;
    std::fs::write(home.path().join("store/server.clock"), readings).unwrap();
    let mut server = Server::at(home, &[]);
    eventually("a warning is logged", || server.log().contains("the clock has jumped"));
    let log = server.log();
    let warning = log.lines().find(|line| line.contains("the clock has jumped")).unwrap();
    for part in ["WARN", "trips", r#"before="2023-11-14T22:13:20Z""#, "expired=4", "points=6"] {
        assert!(warning.contains(part), "{part}: {warning}");
    }
    assert_eq!(server.totals("trips").0, 6);
    server.restart();
    eventually("it is logged again", || server.log().matches("the clock has jumped").count() == 2);
    assert_eq!(server.totals("trips").0, 6, "a restart confirms nothing");
    // A point of now does.
    let now = jiff::Timestamp::now();
    server.points("trips", "text/csv", format!("lon,lat,time\n1,2,{now}\n")).ok(200);
    server.restart();
    eventually("the old points are removed", || server.totals("trips").0 == 3);
}

#[test]
fn a_request_that_would_empty_a_layer_by_its_retention_is_a_conflict_until_it_is_confirmed() {
    let server = server("");
    let put = |path: &str, keep: &str| server.put(path, &json!({"title": "New", "keep": keep}));
    server.put("trips", &json!({"title": "Old"})).ok(201);
    server.points("trips", "text/csv", rows(3, 3)).ok(200);
    let words = [
        "keep: 3 of 6 points are before 2",
        "all times are 2024-05-01T08:00:00Z to 2999-05-06T08:00:00Z",
        "with the keep 30d",
        "the layer is unchanged",
        "?expire=true",
    ];
    put("trips", "30d").rejected(409, &words);
    put("trips?expire=false", "30d").rejected(409, &words);
    put("trips?expires=true", "30d").rejected(400, &["did you mean expire?"]);
    put("trips?expire=maybe", "30d").rejected(400, &["expire: `maybe`", "neither true nor false"]);
    assert_eq!((server.totals("trips").0, &layer(server.folder(), "trips")["title"]), (6, &json!("Old")));
    // Less than half of the points is not a large part.
    server.points("trips", "text/csv", rows(0, 1)).ok(200);
    assert_eq!(put("trips", "30d").ok(200).json()["expired"], 3);
    eventually("the old points are removed", || server.totals("trips").0 == 4);
    // A retention that is not shorter loses nothing by itself.
    server.points("trips", "text/csv", rows(30, 0)).ok(200);
    put("trips", "30d").ok(200);
    eventually("the old points are removed again", || server.totals("trips").0 == 4);
    server.put("trips", &json!({})).ok(200);
    server.points("trips", "text/csv", rows(30, 0)).ok(200);
    put("trips", "30d").rejected(409, &["30 of 34 points"]);
    assert_eq!(put("trips?expire=true", "30d").ok(200).json()["expired"], 30);
    eventually("the confirmed removal is done", || server.totals("trips").0 == 4);
}

#[test]
fn an_upload_of_old_points_has_a_remark_like_added_points() {
    let server = server("");
    server.put("trips", &json!({"keep": "30d"})).ok(201);
    let upload = |rows: String| {
        let headers = [("content-type", "text/csv")];
        server.send("PUT", "/trips/points", &headers, rows.as_bytes()).ok(200).json()["remarks"].clone()
    };
    assert_eq!(upload(rows(0, 4)), json!([]));
    let remark = "3 of 4 points are older than 30d, the keep of the layer, and are removed within the hour";
    assert_eq!(upload(rows(3, 1)), json!([remark]));
}

#[test]
fn times_of_no_end_are_printed_as_times() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    import(home, "lon,lat,time\n1,2,2024-05-01\n3,4,9999-12-31\n", &[]).done();
    for args in [&["layers"][..], &["layer", "trips"], &["expire", "trips", "--older-than", "30d", "--dry-run"]] {
        let run = kiln(home, args);
        let printed = String::from_utf8_lossy(&run.stdout).into_owned() + &run.done();
        assert!(printed.contains("9999-12-31") && !printed.contains('µ'), "{args:?}: {printed}");
    }
}
