//! Damaged layers of the store: reported everywhere, and left out only on request.

use std::fmt::Write as _;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::crash_recovery::write_rows;
use crate::import::layer;
use crate::kiln::kiln;
use crate::server::Server;

/// A store with the layer `worn` of two segments, of 3000 points each, and the layer `whole`.
fn store() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    write_rows(&home.path().join("a.csv"), 3000, 1);
    kiln(home.path(), ["import", "a.csv", "--layer", "worn"]).done();
    kiln(home.path(), ["import", "a.csv", "--layer", "worn", "--append"]).done();
    kiln(home.path(), ["import", "a.csv", "--layer", "whole"]).done();
    home
}

fn first_segment(home: &Path) -> PathBuf {
    home.join("store/worn/00000001.points.arrow")
}

/// Flips a bit of a file.
fn flip(path: &Path, at: impl Fn(usize) -> usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    let at = at(bytes.len());
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_bit_of_any_metadata_ends_no_command_and_the_server_starts() {
    let home = store();
    let path = first_segment(home.path());
    let original = fs::read(&path).unwrap();
    // In the schema, at the start of the first batch, and in the footer.
    for (at, bit) in [(120, 2), (965, 7), (1400, 0), (original.len() - 200, 4), (original.len() - 12, 6)] {
        flip(&path, |_| at, bit);
        let run = kiln(home.path(), ["layers"]);
        run.failed(1, &["damaged: worn;"]);
        let verified = kiln(home.path(), ["layer", "worn", "--verify"]);
        verified.failed(1, &["1 segment damaged: ", "00000001.points.arrow: "]);
        fs::write(&path, &original).unwrap();
    }
    flip(&path, |_| 965, 7);
    let server = Server::at(home, &[]);
    assert_eq!(server.get("/whole/statistics").ok(200).json()["points"], 3000);
    assert_eq!(server.get("/worn/statistics").ok(200).json()["points"], 3000);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn a_damaged_segment_is_reported_by_every_description_of_its_layer() {
    let home = store();
    let health = |server: &Server| server.get("/health?ready");
    let mut server = Server::at(home, &[]);
    assert_eq!(health(&server).ok(200).body, b"ready\n");
    for path in ["/catalog", "/worn", "/worn/statistics"] {
        assert!(!server.get(path).ok(200).json().to_string().contains("damaged"), "{path}");
    }
    server.kill();
    flip(&first_segment(server.folder()), |length| length / 2, 0);
    server.restart();
    assert_eq!(server.get("/health").ok(200).body, b"OK\n");
    let reason = "00000001.points.arrow: it is damaged: the checksum does not match";
    let not_ready = health(&server);
    assert_eq!(not_ready.json()["type"], "urn:kiln:layer-damaged");
    not_ready.rejected(503, &["the layer `worn` is damaged: 00000001.points.arrow: the checksum does not match"]);
    assert_eq!(server.get("/health?ready=false").ok(200).body, b"OK\n");
    server.get("/health?ready=maybe").rejected(400, &["ready: `maybe` is not true or false"]);
    let damage = json!({"segments": 1, "points": 3000, "reasons": [reason]});
    let catalog = server.get("/catalog").ok(200).json();
    let [whole, worn] = &catalog["layers"].as_array().unwrap()[..] else { panic!("{catalog}") };
    assert_eq!((whole.get("damaged"), worn.get("damaged")), (None, Some(&damage)));
    assert_eq!(server.get("/worn/statistics").ok(200).json()["damaged"], damage);
    assert_eq!(server.get("/worn").ok(200).json()["kiln"]["damaged"], damage);
    assert_eq!(server.metric("kiln_damaged_segments{layer=\"worn\"} "), 1);
    assert_eq!(server.metric("kiln_damaged_points{layer=\"worn\"} "), 3000);
    let log = server.log();
    assert!(log.contains("ERROR") && log.contains("store/worn/00000001.points.arrow"), "{log}");
    // A layer that cannot be opened at all.
    flip(&server.folder().join("store/whole/manifest.json"), |length| length / 2, 1);
    server.restart();
    health(&server).rejected(503, &["the layer `whole` is damaged: manifest.json: "]);
    assert_eq!(server.metric("kiln_damaged_segments{layer=\"whole\"} "), 1);
}

#[test]
fn commands_on_a_damaged_layer_fail_unless_they_leave_the_damage_out() {
    let home = store();
    let home = home.path();
    flip(&first_segment(home), |length| length / 2, 0);
    let job = "[[jobs]]\nname = \"j\"\nlayer = \"worn\"\nsize = 64\noutput = \"j.png\"\n";
    fs::write(home.join("kiln.toml"), job).unwrap();
    let missing = ["worn: 3,000 points in 1 damaged segment", "--skip-damaged"];
    for (command, output) in [
        (&["export", "worn", "--zoom", "0", "-o", "tiles.pmtiles"][..], "tiles.pmtiles"),
        (&["export", "worn", "--zoom", "0", "--bins", "bins.parquet"], "bins.parquet"),
        (&["grid", "worn", "--resolution", "1000km", "-o", "grid.csv"], "grid.csv"),
        (&["matrix", "worn", "--x", "lon", "--y", "lat", "-o", "matrix.csv"], "matrix.csv"),
    ] {
        kiln(home, command).failed(1, &missing);
        assert!(!home.join(output).exists(), "{output}");
        let run = kiln(home, [command, &["--skip-damaged"]].concat());
        assert!(run.done().contains("3,000 points in 1 damaged segment of `worn` left out"));
        assert!(home.join(output).exists(), "{output}");
    }
    let batch = kiln(home, ["batch"]);
    for words in ["1 damaged segment, such as 00000001.points.arrow", "set skip_damaged", "1 of 1 job failed: j"] {
        assert!(batch.code == 1 && batch.stderr.contains(words), "{}", batch.stderr);
    }
    assert!(!home.join("j.png").exists());
    fs::write(home.join("kiln.toml"), format!("{job}skip_damaged = true\n")).unwrap();
    assert!(kiln(home, ["batch"]).done().contains("leave out 1 damaged segment"));
    assert!(home.join("j.png").exists());
    fs::write(home.join("kiln.toml"), job.replace("layer = \"worn\"", "input = \"a.csv\"\nskip_damaged = true"))
        .unwrap();
    kiln(home, ["batch"]).failed(2, &["skip_damaged: no effect without a layer"]);
}

#[test]
fn a_damaged_segment_is_restored_from_a_copy_or_removed_for_good() {
    let home = store();
    let home = home.path();
    let path = first_segment(home);
    let copy = fs::read(&path).unwrap();
    flip(&path, |length| length / 2, 0);
    kiln(home, ["layers"]).failed(1, &["damaged: worn;"]);
    // A compaction keeps the file, and says so, as other changes do.
    let note = "note: 3,000 points in 1 damaged segment of `worn` cannot be read; `kiln layer worn` prints details";
    assert!(kiln(home, ["compact", "worn"]).done().contains(note));
    assert_eq!(kiln(home, ["compact", "--all"]).done().matches("note: ").count(), 1);
    fs::write(home.join("none.csv"), "lon,lat\n").unwrap();
    assert!(kiln(home, ["import", "none.csv", "--layer", "worn", "--append"]).done().contains(note));
    assert!(!kiln(home, ["import", "a.csv", "--layer", "whole", "--append"]).done().contains("damaged"));
    fs::write(&path, copy).unwrap();
    let verified = kiln(home, ["layer", "worn", "--verify"]);
    assert!(String::from_utf8_lossy(&verified.stdout).contains("all checksums match"), "{}", verified.stderr);
    assert!(kiln(home, ["compact", "worn", "--drop-damaged"]).done().contains("no damaged segments"));
    write_rows(&home.join("b.csv"), 100, 2);
    kiln(home, ["import", "b.csv", "--layer", "worn", "--append"]).done();
    let last = home.join("store/worn");
    let mut names: Vec<PathBuf> = fs::read_dir(last).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|name| name.to_string_lossy().ends_with("points.arrow"));
    names.sort();
    fs::remove_file(names.pop().unwrap()).unwrap();
    kiln(home, ["compact", "worn", "--drop-damaged"])
        .failed(2, &["--yes", "1 damaged segment of worn with 100 points"]);
    kiln(home, ["layers"]).failed(1, &["damaged: worn;"]);
    let dropped = kiln(home, ["compact", "worn", "--drop-damaged", "--yes"]);
    assert!(dropped.done().contains("removed 1 damaged segment with 100 points"));
    assert_eq!(layer(home, "worn")["points"], 6000);
    kiln(home, ["compact", "--drop-damaged", "--all"]).failed(2, &["--all"]);
}

#[test]
fn a_layer_of_which_all_points_are_damaged_is_an_error_and_keeps_the_output() {
    let home = store();
    let home = home.path();
    fs::write(home.join("timed.csv"), "lon,lat,time\n1,2,2024-05-01T00:00:00Z\n2,3,2024-05-02T00:00:00Z\n").unwrap();
    kiln(home, ["import", "timed.csv", "--layer", "timed"]).done();
    let commands = [
        (&["export", "timed", "--zoom", "0", "-o", "tiles.pmtiles"][..], "tiles.pmtiles"),
        (&["grid", "timed", "--resolution", "1000km", "-o", "grid.csv"], "grid.csv"),
        (&["matrix", "timed", "--x", "lon", "--y", "lat", "-o", "matrix.csv"], "matrix.csv"),
        (&["animate", "timed", "--every", "1d", "--size", "64", "-o", "days.gif"], "days.gif"),
    ];
    for (command, _) in commands {
        kiln(home, command).done();
    }
    let job = "[[jobs]]\nname = \"j\"\nlayer = \"timed\"\nsize = 64\noutput = \"j.png\"\nskip_damaged = true\n";
    fs::write(home.join("kiln.toml"), job).unwrap();
    kiln(home, ["batch"]).done();
    flip(&home.join("store/timed/00000001.points.arrow"), |length| length / 2, 0);
    for (command, output) in commands {
        let before = fs::read(home.join(output)).unwrap();
        let run = kiln(home, [command, &["--skip-damaged"]].concat());
        run.failed(
            1,
            &["timed: all points of the layer are damaged, 2 points in 1 damaged segment", "`kiln layer timed`"],
        );
        assert_eq!(fs::read(home.join(output)).unwrap(), before, "{output}");
    }
    let picture = fs::read(home.join("j.png")).unwrap();
    let batch = kiln(home, ["batch"]);
    assert!(
        batch.code == 1 && batch.stderr.contains("no points are left without 1 damaged segment"),
        "{}",
        batch.stderr
    );
    assert_eq!(fs::read(home.join("j.png")).unwrap(), picture);
}

#[test]
fn damage_that_is_met_while_reading_names_the_remedies() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // A segment above 32 MB is not verified when it is opened.
    let mut rows = String::from("lon,lat,weight,time\n");
    for row in 0..1_800_000_u32 {
        let (lon, lat) = (f64::from(row % 1800) / 10.0, f64::from(row / 1800) / 20.0);
        writeln!(rows, "{lon},{lat},{},2024-05-0{}T00:00:00Z", row % 7, row % 9 + 1).unwrap();
    }
    fs::write(home.join("big.csv"), rows).unwrap();
    kiln(home, ["import", "big.csv", "--layer", "big"]).done();
    let segment = home.join("store/big/00000001.points.arrow");
    assert!(fs::metadata(&segment).unwrap().len() > 32 << 20);
    flip(&segment, |length| length / 2, 0);
    kiln(home, ["layers"]).done();
    let expected = ["00000001.points.arrow: it is damaged: ", "--skip-damaged", "`kiln layer big --verify`"];
    for command in [
        &["export", "big", "--bins", "bins.parquet", "--zoom", "14", "--bounds", "0,0,180,50"][..],
        &["grid", "big", "--resolution", "1000km", "-o", "grid.csv"],
        &["matrix", "big", "--x", "lon", "--y", "lat", "-o", "matrix.csv"],
        &["animate", "big", "--every", "1d", "--size", "64", "-o", "days.gif"],
    ] {
        kiln(home, command).failed(1, &expected);
    }
    kiln(home, ["layer", "big", "--verify"]).failed(1, &["1 segment damaged: ", "the checksum does not match"]);
}

#[test]
fn a_damaged_manifest_is_unavailable_with_a_hint_and_logged_once() {
    let home = store();
    flip(&home.path().join("store/worn/manifest.json"), |length| length / 2, 1);
    let hint = ["manifest.json: it is damaged: ", "`kiln drop worn --yes`", "backup"];
    for args in [
        &["layer", "worn"][..],
        &["import", "a.csv", "--layer", "worn", "--replace"],
        &["compact", "worn", "--drop-damaged", "--yes"],
        &["export", "worn", "--zoom", "0", "-o", "tiles.pmtiles"],
    ] {
        kiln(home.path(), args).failed(1, &hint);
    }
    let server = Server::at(home, &[]);
    let json = [("content-type", "application/json")];
    for (method, path, headers, body) in [
        ("GET", "/worn", &[][..], ""),
        ("GET", "/worn/statistics", &[], ""),
        ("GET", "/worn/0/0/0.png", &[], ""),
        ("PUT", "/worn", &json, "{}"),
        ("POST", "/worn/points", &json, "[{\"lon\": 1, \"lat\": 2}]"),
        ("PUT", "/worn/points", &[("content-type", "text/csv")], "lon,lat\n1,2\n"),
        ("DELETE", "/worn", &[], ""),
    ] {
        let reply = server.send(method, path, headers, body.as_bytes());
        assert_eq!(reply.json()["type"], "urn:kiln:layer-damaged", "{method} {path}");
        reply.rejected(503, &["the manifest of the layer is damaged", "`kiln drop worn`"]);
    }
    for _ in 0..2 {
        let catalog = server.get("/catalog").ok(200).json();
        let layers = catalog["layers"].to_string();
        assert!(layers.contains("whole") && !layers.contains("worn"), "{layers}");
        let unreadable = catalog["unreadable"].as_array().unwrap();
        assert!(unreadable.len() == 1 && unreadable[0]["name"] == "worn", "{unreadable:?}");
        assert!(
            unreadable[0]["reason"].as_str().unwrap().starts_with("manifest.json: it is damaged: "),
            "{unreadable:?}"
        );
        assert!(unreadable[0]["remedy"].as_str().unwrap().contains("`kiln drop worn`"), "{unreadable:?}");
    }
    let log = server.log();
    let lines: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("manifest.json")).collect();
    assert!(lines.len() == 1 && lines[0].contains("the layer is not served: "), "{log}");
    // The repair that the hint names.
    kiln(server.folder(), ["drop", "worn", "--yes"]).done();
    kiln(server.folder(), ["import", "a.csv", "--layer", "worn"]).done();
    assert_eq!(server.get("/worn/statistics").ok(200).json()["points"], 3000);
    assert!(server.get("/catalog").ok(200).json().get("unreadable").is_none());
}
