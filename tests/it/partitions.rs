//! Partitions: imports that replace the points of a day, and the folders of runs that engines write.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::crash_recovery::{assert_no_leftover_files, write_rows};
use crate::import::layer;
use crate::ingest::{csv, server};
use crate::kiln::{Run, kiln};

/// Writes the folder of a run with files of as many points.
fn write_run(folder: &Path, files: &[usize]) {
    fs::create_dir_all(folder).unwrap();
    for (number, count) in files.iter().enumerate() {
        write_rows(&folder.join(format!("part-{number:05}.csv")), *count, number as u32 + 1);
    }
    fs::write(folder.join("_SUCCESS"), "").unwrap();
    // The checksums that Spark writes beside its files.
    fs::write(folder.join(".part-00000.csv.crc"), "crc").unwrap();
}

fn import(home: &Path, input: &str, day: &str) -> Run {
    kiln(home, ["import", input, "--layer", "trips", "--partition", day])
}

fn points(home: &Path) -> Value {
    layer(home, "trips")["points"].clone()
}

/// The names of the partitions, with their numbers of points.
fn partitions(home: &Path) -> Value {
    let partitions = layer(home, "trips")["partitions"].clone();
    partitions.as_array().unwrap().iter().map(|found| json!([found["name"], found["points"]])).collect()
}

#[test]
fn an_import_replaces_its_partition_and_the_same_run_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_run(&home.join("bins/27/run=1"), &[100, 50]);
    write_run(&home.join("bins/28/run=1"), &[200]);
    import(home, "bins/27", "2026-11-27").done();
    import(home, "bins/28", "2026-11-28").done();
    assert_eq!(partitions(home), json!([["2026-11-27", 150], ["2026-11-28", 200]]));
    let before = layer(home, "trips");
    let again = import(home, "bins/28/run=1", "2026-11-28").done();
    assert!(again.contains("trips: the partition 2026-11-28 has the points of this run already"), "{again}");
    assert_eq!(layer(home, "trips"), before);
    // Late data: the day is run again.
    write_run(&home.join("late/28/run=2"), &[200, 7]);
    import(home, "late/28", "2026-11-28").done();
    assert_eq!(partitions(home), json!([["2026-11-27", 150], ["2026-11-28", 207]]));
    // Another way of reading the same files is another run.
    kiln(home, ["import", "late/28", "--layer", "trips", "--partition", "2026-11-28", "--weight", "none"]).done();
    assert_eq!(layer(home, "trips")["weight"]["sum"], 100.0 + 2.0 * 50.0 + 207.0);
    // Points without a partition are added to the layer as before.
    write_rows(&home.join("more.csv"), 30, 1);
    kiln(home, ["import", "more.csv", "--layer", "trips", "--append"]).done();
    kiln(home, ["compact", "trips"]).done();
    assert_eq!((points(home), partitions(home)), (json!(387), json!([["2026-11-27", 150], ["2026-11-28", 207]])));
    let described = String::from_utf8(kiln(home, ["layer", "trips"]).stdout).unwrap();
    assert!(described.contains("partitions  2: 2026-11-27 to 2026-11-28\n"), "{described}");
    assert_no_leftover_files(home);
}

#[test]
fn files_are_the_same_run_by_their_content() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 100, 1);
    fs::copy(home.join("a.csv"), home.join("b.csv")).unwrap();
    import(home, "a.csv", "day=1").done();
    assert!(import(home, "b.csv", "day=1").done().contains("already"));
    write_rows(&home.join("b.csv"), 100, 2);
    assert!(import(home, "b.csv", "day=1").done().contains("added 100 points"));
    // The same file as two partitions is there twice.
    import(home, "b.csv", "day=2").done();
    assert_eq!((points(home), layer(home, "trips")["weight"]["sum"].clone()), (json!(200), json!(400.0)));
}

#[test]
fn a_run_that_is_not_complete_or_has_other_totals_is_rejected() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let run = home.join("bins/28/run=1");
    write_run(&run, &[100, 50]);
    import(home, "bins/28", "28").done();
    let before = layer(home, "trips");
    let rejected = |input: &str, words: &[&str]| {
        import(home, input, "28").failed(1, words);
        kiln(home, ["import", input, "--layer", "new"]).failed(1, words);
        assert_eq!(layer(home, "trips"), before, "{words:?}");
    };
    write_rows(&run.join("part-00002.csv"), 10, 1);
    fs::remove_file(run.join("_SUCCESS")).unwrap();
    rejected("bins/28", &["bins/28/run=1: the run is not complete", "_SUCCESS is missing", "nothing was imported"]);
    fs::write(run.join("_SUCCESS"), "").unwrap();
    for (totals, words) in [
        (r#"{"rows": 161, "n": 160, "files": 3}"#, ["totals.json: `rows` is 161", "160 rows"]),
        (r#"{"rows": 160, "n": 161, "files": 3}"#, ["totals.json: `n` is 161", "160 points"]),
        (r#"{"rows": 160, "files": 2}"#, ["totals.json: `files` is 2", "3 files"]),
        (r#"{"rows": "many"}"#, ["totals.json: `rows` is \"many\"", "expected a whole number"]),
        (r#"{"n": -1}"#, ["totals.json: `n` is -1", "expected a whole number"]),
        (r#"{"n": null}"#, ["totals.json: `n` is null", "expected a whole number"]),
        (r#"{"files": 3.5}"#, ["totals.json: `files` is 3.5", "expected a whole number"]),
        (r#"{"level": 21}"#, ["totals.json: `level` is 21", "are"]),
        ("[]", ["totals.json: expected an object", "such as"]),
        ("[160, 160, 3]", ["totals.json: expected an object", "such as"]),
        ("7", ["totals.json: expected an object", "such as"]),
        (r#"{"rows": 160"#, ["totals.json: it is not JSON", "expected an object"]),
        (&" ".repeat(100_000), ["totals.json: it has more than 65536 bytes", "bytes"]),
    ] {
        fs::write(run.join("totals.json"), totals).unwrap();
        rejected("bins/28", &words);
    }
    fs::create_dir(run.join("_temporary")).unwrap();
    rejected("bins/28/run=1", &["the run is not complete"]);
    fs::remove_dir(run.join("_temporary")).unwrap();
    // Other engines name their files in other ways.
    fs::create_dir_all(home.join("other/run=3")).unwrap();
    write_rows(&home.join("other/run=3/Kx9b_0.csv"), 10, 1);
    rejected("other/run=3", &["other/run=3: the run is not complete", "_SUCCESS is missing"]);
    rejected("other", &["other/run=3: the run is not complete", "_SUCCESS is missing"]);
    fs::create_dir(home.join("empty")).unwrap();
    rejected("empty", &["empty: the folder has no files of points"]);
    write_run(&home.join("bins/28/run=2"), &[70]);
    rejected("bins/28", &["bins/28: two runs in one partition: run=1 and run=2"]);
    import(home, "bins/28/*/*.csv", "28").failed(1, &["two runs in one partition"]);
    rejected("bins", &["bins: it has folders, such as 28"]);
    kiln(home, ["import", "bins/28/run=2", "--layer", "trips", "--partition", "a b"])
        .failed(2, &["--partition", "a b"]);
    assert_eq!(layer(home, "trips"), before);
    fs::write(run.join("totals.json"), r#"{"rows": 160, "n": 160, "files": 3}"#).unwrap();
    import(home, "bins/28/run=1", "28").done();
    assert_eq!(points(home), 160);
}

#[cfg(unix)]
#[test]
fn a_folder_with_a_pipe_or_a_device_is_rejected_rather_than_read_forever() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_run(&home.join("run"), &[100]);
    import(home, "run", "28").done();
    let before = layer(home, "trips");
    for name in ["part-00001.csv", "totals.json"] {
        let path = home.join("run").join(name);
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        import(home, "run", "28").failed(1, &["run: ", name, "a pipe, socket or device", "regular files"]);
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        import(home, "run", "28").failed(1, &["run: ", name, "a pipe, socket or device", "regular files"]);
        fs::remove_file(&path).unwrap();
    }
    assert_eq!(layer(home, "trips"), before);
}

#[test]
fn partitions_expire_and_are_dropped_by_name() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 10, 1);
    for day in ["2026-11-26", "2026-11-27", "2026-11-28"] {
        import(home, "a.csv", day).done();
    }
    let expire = |args: &[&str]| kiln(home, ["expire", "trips", "--partition-before", "2026-11-28"].iter().chain(args));
    let summary = "20 points in 2 partitions before 2026-11-28, 2026-11-26 to 2026-11-27";
    assert!(expire(&["--dry-run"]).done().contains(&format!("trips: {summary}; nothing was removed")));
    expire(&[]).failed(2, &["--yes", summary]);
    assert_eq!(points(home), 30);
    assert!(expire(&["--yes"]).done().contains("removed 20 points of partitions before 2026-11-28, 10 kept"));
    assert!(expire(&["--yes"]).done().contains("removed 0 points"));
    let drop = |day: &str| kiln(home, ["drop", "trips", "--partition", day, "--yes"]);
    let dry = |args: &[&str]| kiln(home, ["drop", "trips", "--dry-run"].iter().chain(args));
    let summary = dry(&["--partition", "2026-11-28"]).done();
    assert!(summary.contains("trips: 10 points of the partition 2026-11-28; nothing was removed"), "{summary}");
    assert!(dry(&[]).done().contains("trips: the layer with 10 points; nothing was removed"));
    assert_eq!(points(home), 10);
    drop("2026-11-27").failed(1, &["no partition `2026-11-27`", "2026-11-28 to 2026-11-28"]);
    import(home, "a.csv", "2026-11-29").done();
    assert!(drop("2026-11-28").done().contains("trips: removed 10 points of the partition 2026-11-28"));
    assert_eq!(partitions(home), json!([["2026-11-29", 10]]));
    kiln(home, ["expire", "trips"]).failed(2, &["--older-than"]);
    assert_no_leftover_files(home);
}

#[test]
fn partitions_are_replaced_and_removed_over_http() {
    let server = server("");
    let put = |query: &str, rows: usize| server.send("PUT", &format!("/days/points?{query}"), &[], csv(rows).as_ref());
    put("partition=27", 10).ok(201);
    let first = put("partition=28", 20).ok(200).json();
    let again = put("partition=28", 20).ok(200).json();
    assert_eq!((&first["repeated"], &again["repeated"]), (&json!(false), &json!(true)));
    assert_eq!((&again["version"], server.totals("days").0), (&first["version"], 30));
    put("partition=28", 25).ok(200);
    assert_eq!(server.totals("days").0, 35);
    put("partition=a%20b", 25).rejected(400, &["partition", "1 to 100 characters"]);
    let delete = |query: &str| server.send("DELETE", &format!("/days/points?{query}"), &[], &[]);
    delete("").rejected(400, &["partition"]);
    delete("partition=26").rejected(404, &["no such partition"]);
    assert_eq!(delete("partition_before=28").ok(200).json()["removed"], 10);
    assert_eq!(delete("partition=28").ok(200).json()["removed"], 25);
    assert_eq!(server.totals("days").0, 0);
}

#[test]
fn an_older_run_replaces_a_newer_one_of_its_partition_only_by_a_flag() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let [old, new] = ["run=20261128T230000Z-5f3a9c1e", "run=20261129T010203Z-00c0ffee"];
    write_run(&home.join("bins").join(old), &[10]);
    write_run(&home.join("late").join(new), &[12]);
    import(home, &format!("bins/{old}"), "28").done();
    import(home, &format!("late/{new}"), "28").done();
    let older = format!("the partition 28 has the points of {new}, which is newer than {old}");
    import(home, &format!("bins/{old}"), "28").failed(2, &["--yes", &older, "nothing was imported"]);
    assert_eq!(points(home), 12);
    // It is the order within a partition.
    import(home, &format!("bins/{old}"), "27").done();
    kiln(home, ["import", "bins", "--layer", "trips", "--partition", "28", "--yes"]).done();
    assert_eq!(partitions(home), json!([["27", 10], ["28", 10]]));
}
