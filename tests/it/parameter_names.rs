//! Error messages name a flag, a configuration key or a request parameter, depending on the interface.

use std::fs;

use serde_json::json;

use crate::kiln::{data, kiln};
use crate::server::Server;

#[test]
fn an_error_of_the_span_names_flags_or_parameters() {
    let home = tempfile::tempdir().unwrap();
    let cities = data("cities.parquet");
    let cities = cities.to_str().unwrap();
    let args = ["render", cities, "-o", "a.png", "--vmin", "1e12"];
    kiln(home.path(), args).failed(2, &["--vmin: no value in the picture is above it; give --vmax too"]);
    let args = ["render", cities, "-o", "a.png", "--true-scale", "86"];
    kiln(home.path(), args).failed(2, &["'--true-scale <DEGREES>': `86` is not a number from -85 to 85"]);

    let server = Server::start();
    let reply = server.get("/cities/bbox/0,40,10,50/32x32.png?vmin=1e12");
    assert_eq!(reply.ok(400).json()["detail"], "vmin: no value in the picture is above it; give vmax too");
    let problem = server.post("/overlays", &json!({"layer": "cities", "true_scale": 86})).ok(400).json();
    assert_eq!(problem["parameter"], "true_scale");
    assert_eq!(problem["title"], "Bad Request");
}

#[test]
fn an_error_of_a_missing_column_names_a_flag_key_or_parameter() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.csv"), "east,north,sort\n1,2,bus\n").unwrap();
    let render = |more: &[&str]| kiln(home.path(), [&["render", "a.csv", "-o", "a.png"], more].concat());
    render(&[]).failed(1, &["name one with --lon: \"east\", \"north\", \"sort\""]);
    let named = ["--lon", "east", "--lat", "north", "--category", "bus"];
    render(&named).failed(1, &["name one with --category-column: "]);

    let config = "[layers.a]\ninput = \"a.csv\"\n";
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    kiln(home.path(), ["serve", "-l", "0"])
        .failed(1, &["name one with lon: ", ", as a key of [layers.a] in kiln.toml"]);

    let job = "[[jobs]]\nname = \"a\"\noutput = \"a.png\"\n";
    fs::write(home.path().join("kiln.toml"), format!("{job}input = \"a.csv\"\n")).unwrap();
    let message = kiln(home.path(), ["batch"]).stderr;
    assert!(message.contains("name one with lon: "), "{message}");
    fs::write(home.path().join("kiln.toml"), format!("{config}{job}layer = \"a\"\n")).unwrap();
    kiln(home.path(), ["batch"]).failed(1, &["name one with lon: ", ", as a key of [layers.a] in kiln.toml"]);

    let server = Server::start();
    server.send("PUT", "/trips", &[], b"").ok(201);
    let csv = [("Content-Type", "text/csv")];
    let reply = server.send("POST", "/trips/points", &csv, b"east,north\n1,2\n");
    reply.rejected(400, &["name one with lon: "]);
}

#[test]
fn a_flag_of_a_whole_number_names_its_range() {
    let home = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 10] = [
        &["batch"],
        &["grid", "none.csv"],
        &["matrix", "none.csv"],
        &["compact", "none"],
        &["export", "none.csv", "--zoom", "0", "-o", "a.mbtiles"],
        &["mask", "none.csv", "-o", "a.png"],
        &["import", "none.csv", "--layer", "a"],
        &["render", "none.csv", "-o", "a.png"],
        &["expire", "none", "--older-than", "1d"],
        &["animate", "none.csv", "--every", "1d", "-o", "a.png"],
    ];
    for command in commands {
        let run = |threads: &str| kiln(home.path(), [command, &["--threads", threads]].concat());
        for wrong in ["0", "1025", "1.5", "two"] {
            run(wrong).failed(2, &["--threads", "expected a whole number from 1 to 1024"]);
        }
        // The number is taken: the error is that of the missing input.
        let accepted = run("2");
        assert!([1, 2].contains(&accepted.code), "{command:?}: {}", accepted.stderr);
        assert!(!accepted.stderr.contains("threads"), "{command:?}: {}", accepted.stderr);
    }
    let delay = ["animate", "none.csv", "--every", "1d", "-o", "a.png", "--delay", "1"];
    kiln(home.path(), delay).failed(2, &["expected a whole number from 10 to 60000"]);
}
