//! Commands that import, list, compact, expire and drop stored layers.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::kiln::{Run, data, kiln, kiln_with_env, kiln_with_input};
use crate::server::eventually;

/// The output of `kiln layer NAME --json --verify`.
pub(crate) fn layer(home: &Path, name: &str) -> Value {
    let run = kiln(home, ["layer", name, "--json", "--verify"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    serde_json::from_slice(&run.stdout).unwrap()
}

fn printed(run: Run) -> String {
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    String::from_utf8(run.stdout).unwrap()
}

/// The paths of all files in the store, including hidden ones.
pub(crate) fn files(home: &Path) -> Vec<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.push(name);
            }
        }
    }
    let mut found = Vec::new();
    walk(&home.join("store"), "", &mut found);
    found.sort();
    found
}

/// CSV text of `count` rows with a weight of 2, times one minute apart, and three categories in turn.
fn rows(count: usize) -> String {
    let mut text = String::from("lon,lat,weight,time,kind\n");
    for i in 0..count {
        let (lon, lat) = (i as i32 % 358 - 179, i as i32 % 160 - 80);
        let (hour, minute, kind) = (i / 60 % 24, i % 60, ["bus", "tram", "ferry"][i % 3]);
        writeln!(text, "{lon}.5,{lat}.25,2,2024-05-01T{hour:02}:{minute:02}:00Z,{kind}").unwrap();
    }
    text
}

#[test]
fn a_layer_is_created_extended_compacted_expired_and_dropped() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), rows(6000)).unwrap();
    let summary = kiln(
        home,
        ["import", "a.csv", "--layer", "stops", "--title", "Stops", "--keep", "30d", "--style", "radius=9px", "-y"],
    )
    .done();
    for words in
        ["read 6,000 rows, added 6,000 points to stops; in ", "points/s; the layer has 6,000 points in 1 segment, "]
    {
        assert!(summary.contains(words), "{summary}");
    }
    let created = layer(home, "stops");
    assert_eq!(
        (&created["points"], &created["segments"], &created["title"]),
        (&6000.into(), &1.into(), &"Stops".into())
    );
    assert_eq!(
        created["weight"],
        serde_json::json!({"name": "weight", "sum": 12000.0, "min": 2.0, "max": 2.0, "mean": 2.0})
    );
    let times = serde_json::json!({"first": "2024-05-01T00:00:00Z", "last": "2024-05-01T23:59:00Z", "without": 0});
    assert_eq!(created["time"], times);
    assert_eq!(created["categories"], serde_json::json!({"count": 3, "first": ["bus", "ferry", "tram"]}));
    assert_eq!(created["style"], serde_json::json!({"radius": "9px"}));
    assert_eq!(created["columns"], serde_json::json!(["weight", "time", "category"]));
    assert_eq!((&created["keep_s"], &created["damaged"]), (&2_592_000.into(), &serde_json::json!([])));
    let bounds: Vec<f64> = created["bounds"].as_array().unwrap().iter().map(|edge| edge.as_f64().unwrap()).collect();
    for (edge, expected) in bounds.iter().zip([-179.5, -80.25, 178.5, 79.25]) {
        assert!((edge - expected).abs() < 1e-6, "{bounds:?}");
    }

    let quiet =
        kiln(home, ["import", "a.csv", "--layer", "stops", "--append", "--quiet", "--attribution", "City", "--yes"]);
    assert_eq!(quiet.done(), "");
    let extended = layer(home, "stops");
    assert_eq!(
        (&extended["points"], &extended["segments"], &extended["title"]),
        (&12_000.into(), &2.into(), &"Stops".into())
    );
    assert_eq!(extended["attribution"], "City");
    assert_ne!(extended["version"], created["version"]);

    let table = printed(kiln(home, ["layers"]));
    let mut lines = table.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().next(), Some("name"), "{table}");
    let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!((&row[..3], row.last()), (&["stops", "12,000", "2"][..], Some(&"-")), "{table}");
    let list: Value = serde_json::from_str(&printed(kiln(home, ["layers", "--json"]))).unwrap();
    assert_eq!((&list[0]["name"], &list[0]["points"]), (&"stops".into(), &12_000.into()));
    assert_eq!(list[0]["time"], serde_json::json!(["2024-05-01T00:00:00Z", "2024-05-01T23:59:00Z"]));

    let summary = kiln(home, ["compact", "stops"]).done();
    assert!(summary.contains("stops: merged 2 segments into 1, "), "{summary}");
    assert!(kiln(home, ["compact", "--all"]).done().contains("1 segment, nothing to merge"));
    assert_eq!(layer(home, "stops")["points"], 12_000);
    let text = printed(kiln(home, ["layer", "stops", "--verify"]));
    for line in ["points      12,000", "keep        30d", "verified    all checksums match"] {
        assert!(text.lines().any(|printed| printed == line), "{line}: {text}");
    }

    assert!(kiln(home, ["expire", "stops", "--older-than", "36500d"]).done().contains("removed 0 points"));
    // All points are years old.
    let summary = kiln(home, ["expire", "stops", "--older-than", "1d", "--yes"]).done();
    assert!(
        summary.contains("stops: removed 12,000 points older than 1d, before ") && summary.contains(", 0 kept"),
        "{summary}"
    );
    assert_eq!(layer(home, "stops")["points"], 0);

    kiln(home, ["drop", "stops"]).failed(2, &["--yes"]);
    assert!(kiln(home, ["drop", "stops", "--yes"]).done().contains("stops: removed with 0 points"));
    assert_eq!(files(home), Vec::<String>::new());
    assert!(kiln(home, ["layers"]).done().contains("no layers; `kiln import` creates one"));
    assert_eq!(printed(kiln(home, ["layers", "--json"])), "[]\n");
}

#[test]
fn old_points_expire_and_points_without_a_time_are_kept() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let rows = "lon,lat,time\n1,1,1999-01-01\n2,2,2999-01-01\n3,3,\n4,4,2001-01-01\n";
    kiln_with_input(home, ["import", "-", "--layer", "events"], rows.as_bytes()).done();
    assert_eq!(layer(home, "events")["time"]["without"], 1);
    let summary = kiln(home, ["expire", "events", "--older-than", "365d", "--yes"]).done();
    assert!(summary.contains("removed 2 points") && summary.contains(", 2 kept"), "{summary}");
    assert_eq!(layer(home, "events")["time"]["first"], "2999-01-01T00:00:00Z");
    kiln_with_input(home, ["import", "-", "--layer", "places"], b"lon,lat\n1,1\n").done();
    kiln(home, ["expire", "places", "--older-than", "1d"]).failed(1, &["places", "no times"]);
}

#[test]
fn an_import_of_several_files_is_one_commit() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::create_dir(home.join("data")).unwrap();
    fs::create_dir(home.join("data/more.csv")).unwrap();
    for (name, text) in [("data/a.csv", "lon,lat\n1,1\n"), ("data/b.csv", "x,y\n2,2\n3,3\n"), ("c.json", "[[4,4]]")] {
        fs::write(home.join(name), text).unwrap();
    }
    let import = |inputs: &[&str], layer: &str| {
        kiln_with_input(home, ["import", "--layer", layer].iter().chain(inputs), b"[[5,5],[6,6]]")
    };
    assert!(import(&["data/*.csv"], "globbed").done().contains("added 3 points"));
    assert!(import(&["c.json", "data/?.csv", "-"], "all").done().contains("read 6 rows, added 6 points to all"));
    let version = |layer: &Value| layer["version"].as_str().unwrap().rsplit_once('-').unwrap().1.to_owned();
    assert_eq!(version(&layer(home, "all")), "1");
    // If one file cannot be read, none is imported.
    fs::write(home.join("data/z.csv"), "name,height\na,b\n").unwrap();
    let before = files(home);
    import(&["data/?.csv"], "none").failed(1, &["data/z.csv"]);
    import(&["data/?.csv", "--append"], "all").failed(1, &["data/z.csv"]);
    import(&["data/?.csv", "--replace"], "all").failed(1, &["data/z.csv"]);
    assert_eq!(files(home), before);
    assert_eq!(layer(home, "all")["points"], 6);
    assert!(import(&["data/a.csv", "--replace"], "all").done().contains("the layer has 1 point in 1 segment"));
}

#[test]
fn rows_are_filtered_and_omitted_rows_are_reported() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let text = "a,b,pop,day,sort\n1,50,3,2024-05-01,x\n2,89,1,2024-05-01,x\n3,50,1,2024-05-02,y\n4,95,1,2024-05-01,x\n5,nan?,1,,x\n";
    fs::write(home.join("odd.csv"), text).unwrap();
    let columns = ["--lon", "a", "--lat", "b", "--weight", "pop", "--time", "day", "--category-column", "sort"];
    let import = |args: &[&str]| kiln(home, ["import", "odd.csv", "--layer"].iter().chain(args).chain(&columns));
    let summary = import(&["odd"]).done();
    for words in ["read 5 rows, added 2 points to odd", "1 beyond 85.05° dropped", "2 rejected (odd.csv row 4: "] {
        assert!(summary.contains(words), "{words}: {summary}");
    }
    let odd = layer(home, "odd");
    assert_eq!((&odd["weight"]["name"], &odd["weight"]["sum"]), (&"pop".into(), &4.0.into()));
    assert!(import(&["may1", "--end", "2024-05-02"]).done().contains("1 filtered out, added 1 point to may1"));
    assert!(import(&["y", "--category", "y"]).done().contains("added 1 point to y"));
    import(&["none", "--category", "z"]).failed(1, &["odd.csv", "no row passes"]);
    import(&["none", "--start", "2025", "--end", "2024"]).failed(2, &["--start"]);
    assert_eq!(kiln(home, ["layer", "none"]).code, 1);
}

#[test]
fn invalid_commands_are_rejected_and_change_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "lon,lat\n1,1\n").unwrap();
    for (name, text) in [
        ("bad.csv", "lon,lat\n999,1\nx,y\n"),
        ("polar.csv", "lon,lat\n1,86\n"),
        ("empty.csv", ""),
        ("head.csv", "lon,lat\n"),
    ] {
        fs::write(home.join(name), text).unwrap();
    }
    kiln(home, ["import", "a.csv", "--layer", "there"]).done();
    let before = (files(home), layer(home, "there"));
    for (code, args, words) in [
        (2, &["a.csv", "--layer", "there"][..], &["--append", "--replace"][..]),
        (2, &["a.csv", "--layer", "there", "--append", "--replace"], &["--append", "--replace"]),
        (2, &["a.csv"], &["--layer"]),
        (2, &["a.csv", "--layer", "new", "--style", "radius"], &["radius=12"]),
        (2, &["a.csv", "--layer", "new", "--style", "radius=wide"], &["radius", "wide"]),
        (2, &["a.csv", "--layer", "new", "--style", "size=2"], &["unknown style parameter `size`", "curve"]),
        (2, &["a.csv", "--layer", "new", "--style", "raduis=3"], &["`raduis`; did you mean radius? expected one of"]),
        (2, &["--layer", "new"], &["INPUT"]),
        (2, &["a.csv", "--layer", "docs"], &["docs", "server's own"]),
        (2, &["a.csv", "--layer", "../up"], &["letters"]),
        (2, &["a.csv", "--layer", "new", "--keep", "soon"], &["soon", "30m"]),
        (2, &["a.csv", "--layer", "new", "--keep", "0d"], &["1s"]),
        (2, &["a.csv", "--layer", "new", "--keep", "30"], &["`30` has no unit", "90s, 30m, 1h or 30d"]),
        (2, &["a.csv", "--layer", "new", "--threads", "0"], &["--threads"]),
        (2, &["a.csv", "a.csv", "--layer", "new"], &["a.csv", "more than once"]),
        (2, &["-", "-", "--layer", "new"], &["only once"]),
        (2, &["a[.csv", "--layer", "new"], &["a[.csv", "invalid pattern"]),
        (1, &["none.csv", "--layer", "new"], &["none.csv", "cannot read"]),
        (1, &["none*.csv", "--layer", "new"], &["none*.csv", "no file matches"]),
        (1, &["empty.csv", "--layer", "new"], &["empty.csv", "input is empty"]),
        (1, &["head.csv", "--layer", "new"], &["head.csv", "no rows"]),
        (1, &["bad.csv", "--layer", "new"], &["bad.csv", "none of the 2 rows", "row 1"]),
        (1, &["bad.csv", "--layer", "there", "--replace"], &["bad.csv", "none of the 2 rows"]),
        (1, &["polar.csv", "--layer", "there", "--replace"], &["polar.csv", "85.05°"]),
        (1, &["a.csv", "--layer", "new", "--weight", "height"], &["a.csv", "height"]),
        (1, &["a.csv", "--layer", "new", "--store", "a.csv"], &["a.csv", "not a folder"]),
        (1, &["-", "--layer", "new"], &["-: the input is empty"]),
    ] {
        kiln(home, ["import"].iter().chain(args)).failed(code, words);
    }
    for (code, args, words) in [
        (1, &["layer", "theer"][..], &["theer", "did you mean there?"][..]),
        (1, &["compact", "nothing"], &["nothing", "kiln layers"]),
        (2, &["compact"], &["NAME"]),
        (2, &["compact", "there", "--all"], &["--all"]),
        (2, &["expire", "there"], &["--older-than"]),
        (2, &["expire", "there", "--older-than", "old"], &["old", "30m"]),
        (2, &["expire", "there", "--older-than", "30"], &["`30` has no unit", "90s, 30m, 1h or 30d"]),
        (1, &["expire", "nowhere", "--older-than", "1d"], &["nowhere"]),
        (1, &["drop", "nowhere", "--yes"], &["nowhere"]),
        (1, &["drop", "..", "--yes"], &[".."]),
        (1, &["layers", "--store", "a.csv"], &["a.csv", "not a folder"]),
        (2, &["layers", "--store"], &["--store"]),
    ] {
        kiln(home, args).failed(code, words);
    }
    assert_eq!((files(home), layer(home, "there")), before);
}

#[test]
fn an_input_without_rows_can_be_appended_but_creates_no_layer() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "lon,lat\n1,1\n").unwrap();
    fs::write(home.join("bad.csv"), "lon,lat\n1,95\n").unwrap();
    fs::write(home.join("none.csv"), "").unwrap();
    fs::write(home.join("head.csv"), "lon,lat\n").unwrap();
    fs::write(home.join("none.geojson"), r#"{"type": "FeatureCollection", "features": []}"#).unwrap();
    fs::write(home.join("none.json"), "[]").unwrap();
    kiln(home, ["import", "a.csv", "--layer", "daily"]).done();
    let before = (files(home), layer(home, "daily"));
    let none = ["head.csv", "none.geojson", "none.json"];
    for file in none {
        let summary = kiln(home, ["import", file, "--layer", "daily", "--append"]).done();
        assert!(summary.starts_with("read 0 rows, nothing added to daily; "), "{summary}");
        kiln(home, ["import", file, "--layer", "daily", "--replace"]).failed(1, &[file, "no rows"]);
        kiln(home, ["import", file, "--layer", "new", "--append"]).failed(1, &[file, "no rows"]);
        kiln(home, ["import", file, "--layer", "new"]).failed(1, &[file, "no rows"]);
    }
    assert!(kiln(home, ["import", "head.csv", "none.json", "--layer", "daily", "--append"]).done().contains("nothing"));
    // An input without a valid row is an error, and so is an empty file: the program that wrote it has failed.
    kiln(home, ["import", "bad.csv", "--layer", "daily", "--append"]).failed(1, &["bad.csv", "none of the 1 rows"]);
    kiln(home, ["import", "none.csv", "--layer", "daily", "--append"]).failed(1, &["none.csv", "input is empty"]);
    kiln(home, ["import", "a.csv", "--layer", "daily", "--append", "--start", "2024"]).failed(1, &["a.csv"]);
    assert_eq!((files(home), layer(home, "daily")), before);
    // The description of the layer is updated nevertheless.
    kiln(home, ["import", "head.csv", "--layer", "daily", "--append", "--title", "Daily"]).done();
    assert_eq!((&layer(home, "daily")["title"], &layer(home, "daily")["points"]), (&"Daily".into(), &1.into()));
}

#[test]
fn the_store_folder_is_set_by_flag_variable_or_file() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "lon,lat\n1,1\n").unwrap();
    let import = |name: &str, flags: &[&str], env: &[(&str, &str)]| {
        kiln_with_env(home, ["import", "a.csv", "--layer", name].iter().chain(flags), env).done();
    };
    let is_in = |folder: &str, name: &str| home.join(folder).join(name).join("manifest.json").exists();
    import("a", &[], &[]);
    assert!(is_in("store", "a"));
    import("a", &[], &[("KILN_STORE", "from/env")]);
    assert!(is_in("from/env", "a"));
    fs::write(home.join("kiln.toml"), "[store]\nfolder = \"from-file\"\n").unwrap();
    import("a", &[], &[]);
    assert!(is_in("from-file", "a"));
    import("b", &[], &[("KILN_STORE", "from/env")]);
    assert!(is_in("from/env", "b"));
    import("c", &["--store", "flagged"], &[("KILN_STORE", "from/env")]);
    assert!(is_in("flagged", "c"));
    let list = kiln_with_env(home, ["layers", "--json"], &[("KILN_STORE_FOLDER", "from/env")]);
    let list: Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().iter().map(|row| &row["name"]).collect::<Vec<_>>(), ["a", "b"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), "lon,lat\n1,1\n").unwrap();
    kiln(home, ["import", "a.csv", "--layer", "old"]).done();
    // Large enough that it takes some seconds.
    let cities = data("cities.parquet");
    for copy in 0..40 {
        fs::copy(&cities, home.join(format!("cities-{copy}.parquet"))).unwrap();
    }
    let before = (files(home), layer(home, "old"));
    for (signal, args) in
        [("TERM", ["--layer", "new"]), ("INT", ["--layer=old", "--replace"]), ("TERM", ["--layer=old", "--append"])]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kiln"))
            .args(["import", "cities-*.parquet", "--threads", "1"])
            .args(args)
            .current_dir(home)
            .env_remove("KILN_STORE")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        eventually("the import is running", || files(home).len() > before.0.len());
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        let mut message = String::new();
        std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut message).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(if signal == "INT" { 130 } else { 143 }), "{message}");
        assert!(message.starts_with("kiln: ") && message.contains("cancelled; the layer is unchanged"), "{message}");
        assert_eq!((files(home), layer(home, "old")), before);
    }
}

#[test]
fn damaged_layers_are_reported_and_can_be_dropped() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("a.csv"), rows(100)).unwrap();
    for name in ["whole", "broken", "lost"] {
        kiln(home, ["import", "a.csv", "--layer", name]).done();
    }
    kiln(home, ["import", "a.csv", "--layer", "broken", "--append"]).done();
    let segment = home.join("store/broken/00000001.points.arrow");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[1000] ^= 1;
    fs::write(&segment, bytes).unwrap();
    fs::write(home.join("store/lost/manifest.json"), "{").unwrap();

    let run = kiln(home, ["layer", "broken"]);
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert!(text.contains("damaged     100 points not counted: ") && text.contains("points      100\n"), "{text}");
    run.failed(1, &["1 segment damaged: ", "00000001.points.arrow"]);
    let run = kiln(home, ["layer", "broken", "--json"]);
    let described: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((run.code, &described["damaged"][0]["points"], &described["points"]), (1, &100.into(), &100.into()));
    let grid = ["grid", "broken", "--resolution", "100km"];
    kiln(home, grid).failed(1, &["100 points in 1 damaged segment cannot be read", "--skip-damaged"]);
    let run = kiln(home, [&grid[..], &["--skip-damaged"]].concat());
    let note = "100 points in 1 damaged segment of `broken` left out";
    assert!(run.code == 0 && run.stderr.contains(note), "{}", run.stderr);
    kiln(home, ["layer", "lost"]).failed(1, &["manifest.json", "damaged"]);
    let run = kiln(home, ["layers", "--json"]);
    let list: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 3);
    assert!(list[1]["damaged"][0].as_str().unwrap().contains("manifest.json"));
    run.failed(1, &["damaged: broken, lost;"]);
    let run = kiln(home, ["compact", "--all"]);
    assert!(run.code == 1 && run.stderr.contains("manifest.json"), "{}", run.stderr);

    kiln(home, ["drop", "lost", "-y"]).done();
    kiln(home, ["drop", "broken", "-y"]).done();
    assert_eq!(printed(kiln(home, ["layers"])).lines().count(), 2);
}
