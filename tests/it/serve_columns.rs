//! Columns of the files of `kiln serve`: flags, and weights that are found by their name.

use std::fs;

use serde_json::{Value, json};

use crate::kiln::{data, kiln, kiln_with_input};
use crate::server::Server;

/// A server of files in its folder, with these arguments.
fn serve(files: &[(&str, &str)], args: &[&str]) -> Server {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(home.path().join(name), text).unwrap();
    }
    Server::at(home, args)
}

fn layer(server: &Server, name: &str) -> Value {
    server.get(&format!("/{name}/statistics")).ok(200).json()
}

const NYC: &str = "a,b,c,d,e\n-73.9,40.7,14.5,2024-05-01,taxi\n-74.0,40.8,9,2024-05-02,limousine\n";

#[test]
fn columns_of_the_files_are_named_by_the_flags_of_render() {
    for category in ["--category", "--category-column"] {
        let args = ["nyc.csv", "--lon", "a", "--lat", "b", "--weight", "c", "--time", "d", category, "e"];
        let server = serve(&[("nyc.csv", NYC)], &args);
        let stats = layer(&server, "nyc");
        assert_eq!((&stats["points"], &stats["weight"]["sum"]), (&json!(2), &json!(23.5)), "{stats}");
        let of = |filter: &str| server.get(&format!("/nyc/statistics?{filter}")).ok(200).json()["points"].clone();
        assert_eq!((of("category=taxi"), of("start=2024-05-02")), (json!(1), json!(1)));
        assert!(server.log().contains("nyc (2 points, weighted by c)"), "{}", server.log());
    }
}

#[test]
fn the_options_of_the_readers_apply_to_all_files() {
    let floor = "x,y\n3.5,4\n1,2\n";
    let server = serve(&[("floor.csv", floor), ("attic.csv", floor)], &["floor.csv", "up=attic.csv", "--crs", "plane"]);
    for name in ["floor", "up"] {
        // In meters.
        assert_eq!(layer(&server, name)["bounds"], json!([[2.0, 1.0], [4.0, 3.5]]), "{name}");
    }
    let utm = "east;north\n500000;5000000\n";
    let args = ["utm.csv", "--lon", "east", "--lat", "north", "--crs", "EPSG:25832"];
    let server = serve(&[("utm.csv", utm)], &args);
    assert!((layer(&server, "utm")["bounds"][0][1].as_f64().unwrap() - 9.0).abs() < 1e-6);
}

#[test]
fn errors_in_files_name_the_flags_and_flags_without_files_are_rejected() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("nyc.csv"), NYC).unwrap();
    let serve = |args: &[&str]| kiln(home, ["serve", "-l", "127.0.0.1:0"].iter().chain(args));
    serve(&["nyc.csv"]).failed(1, &["nyc.csv", "name one with --lon: \"a\", \"b\""]);
    serve(&["nyc.csv", "--lon", "a", "--lat", "z"]).failed(1, &["nyc.csv", "\"z\" for the latitude"]);
    serve(&["nyc.csv", "--lon", "a", "--lat", "b", "--crs", "EPSG:0"]).failed(1, &["nyc.csv", "--crs"]);
    serve(&["--lon", "a"]).failed(2, &["--lon", "none is given"]);
    serve(&["nyc.csv", "--order", "up"]).failed(2, &["--order", "lat-lon"]);
    // Keys of layers in the file are named as keys.
    fs::write(home.join("kiln.toml"), "[layers.b]\ninput = \"nyc.csv\"\n").unwrap();
    serve(&[]).failed(1, &["nyc.csv", "name one with lon", "[layers.b]"]);
    // The flags become keys.
    let check =
        kiln(home, ["config", "check", "nyc.csv", "--lon", "a", "--lat", "b", "--day-first", "--quote", "none"]);
    let text = String::from_utf8(check.stdout).unwrap();
    for line in ["[layers.nyc]", "lon = \"a\"", "lat = \"b\"", "day_first = true", "quote = \"none\""] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

const GOOD: &str = "lon,lat,weight,time,kind\n1,2,3,2024-05-01,bus\n3,4,5,2024-05-02,tram\n";

#[test]
fn columns_that_are_named_must_exist_when_the_server_starts() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join("good.csv"), GOOD).unwrap();
    let feature = |kind| json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"kind": kind}});
    let collection = json!({"type": "FeatureCollection", "features": [feature("bus"), feature("tram")]});
    fs::write(home.join("good.geojson"), collection.to_string()).unwrap();
    for (flag, named) in [
        ("--category", "--category-column"),
        ("--category-column", "--category-column"),
        ("--time", "--time"),
        ("--track", "--track"),
        ("--weight", "--weight"),
    ] {
        let words = ["good.csv", "no column \"nope\"", named, "\"kind\""];
        kiln(home, ["serve", "-l", "127.0.0.1:0", "good.csv", flag, "nope"]).failed(1, &words);
        kiln(home, ["config", "check", "good.csv", flag, "nope"]).failed(1, &words);
        kiln(home, ["serve", "-l", "127.0.0.1:0", "good.geojson", flag, "nope"])
            .failed(1, &["good.geojson", "\"nope\""]);
        if flag != "--category" {
            kiln(home, ["render", "good.csv", "-o", "a.png", "--size", "64", flag, "nope"]).failed(1, &words);
        }
    }
    kiln(home, ["config", "check", "good.csv", "--lon", "foo"]).failed(1, &["good.csv", "\"foo\"", "--lon"]);
    // A pair of columns for date and time of day.
    kiln(home, ["render", "good.csv", "-o", "a.png", "--time", "time+nope"]).failed(1, &["no column \"nope\""]);
    // Texts that are no times.
    for command in [&["serve", "-l", "127.0.0.1:0"][..], &["config", "check"]] {
        let args = command.iter().chain(&["good.csv", "--time", "kind"]);
        kiln(home, args).failed(1, &["good.csv", "row 1: kind: \"bus\""]);
    }
    // A key of the file is named as a key.
    for (key, words) in [
        ("category = \"nope\"", &["no column \"nope\" for the category", "with category,", "[layers.b]"][..]),
        ("time = \"kind\"", &["row 1: kind: \"bus\""]),
    ] {
        fs::write(home.join("kiln.toml"), format!("[layers.b]\ninput = \"good.csv\"\n{key}\n")).unwrap();
        kiln(home, ["serve", "-l", "127.0.0.1:0"]).failed(1, words);
    }
}

#[test]
fn a_file_that_changes_while_it_is_served_is_not_an_internal_error() {
    let feature =
        r#"{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"kind": "bus"}}"#;
    let server = serve(&[("good.geojson", feature)], &["good.geojson", "--category", "kind"]);
    fs::write(server.folder().join("good.geojson"), feature.replace("kind", "type_of_stop")).unwrap();
    server.get("/good/categories").rejected(400, &["category column", "changed since the server started"]);
}

#[test]
fn bundled_layers_are_served_only_without_any_layers_or_store() {
    let names = |server: &Server| -> Vec<String> {
        let catalog = server.get("/catalog").ok(200).json();
        catalog["layers"].as_array().unwrap().iter().map(|layer| layer["name"].as_str().unwrap().to_owned()).collect()
    };
    let server = Server::start();
    assert_eq!(names(&server), ["cities", "earthquakes"]);
    server.put("zoo", &json!({})).ok(201);
    assert_eq!(names(&server), ["zoo"]);
    // Links to a bundled layer work until the server restarts.
    server.get("/cities/statistics").ok(200);
    server.put("cities", &json!({})).ok(201);
    assert_eq!(names(&server), ["cities", "zoo"]);
    assert_eq!(server.get("/cities/statistics").ok(200).json()["points"], 0);
    assert!(names(&Server::with(&["--store", "new/folder"], "")).is_empty());
    assert!(names(&Server::with(&[], "[store]\nfolder = \"new\"\n")).is_empty());
}

#[test]
fn a_weight_is_found_by_the_same_rule_everywhere() {
    let cities = data("cities.parquet");
    let cities = cities.to_str().unwrap();
    let server = serve(&[], &[cities]);
    assert!(server.log().contains("cities (135233 points, weighted by population)"), "{}", server.log());
    let sum = layer(&server, "cities")["weight"]["sum"].clone();
    assert!(sum.as_f64().unwrap() > 1e9, "{sum}");
    let unweighted = serve(&[], &[cities, "--weight", "none"]);
    assert!(unweighted.log().contains("cities (135233 points) at"), "{}", unweighted.log());

    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let rows = "lon,lat,mag,pop\n1,2,6,40\n3,4,7,50\n";
    let notes = |args: &[&str]| {
        let import = ["import", "-", "--layer", "a", "--replace"];
        kiln_with_input(home, import.iter().chain(args), rows.as_bytes()).done()
    };
    let weight = || crate::import::layer(home, "a")["weight"].clone();
    let note = notes(&[]);
    // The first of the list that the file has.
    assert!(note.contains("weighted by the column `pop`; set --weight none"), "{note}");
    assert_eq!((&weight()["name"], &weight()["sum"]), (&json!("pop"), &json!(90.0)));
    // An explicit column or none takes precedence, without a note.
    assert!(!notes(&["--weight", "mag"]).contains("weighted by"));
    assert_eq!((&weight()["name"], &weight()["sum"]), (&json!("mag"), &json!(13.0)));
    assert!(!notes(&["--weight", "none"]).contains("weighted by"));
    assert_eq!(weight(), Value::Null);
    let summary = kiln(home, ["render", cities, "-o", "a.png", "--size", "64"]).done();
    assert!(
        summary.contains("weighted by the column `population`") && summary.contains("population per km²"),
        "{summary}"
    );
    let unweighted = kiln(home, ["render", cities, "-o", "a.png", "--size", "64", "--weight", "none"]).done();
    assert!(unweighted.contains("points per km²"), "{unweighted}");
}

#[test]
fn suggestions_prefer_reserved_words() {
    let server = Server::start();
    server.get("/catalogue").rejected(404, &["did you mean /catalog?"]);
    server.get("/citys").rejected(404, &["did you mean cities?"]);
    server.get("/qwxyzzy").rejected(404, &["there is no layer `qwxyzzy`; /catalog lists all"]);
    let home = tempfile::tempdir().unwrap();
    let failed = |args: &[&str], words: &[&str]| kiln(home.path(), args.iter()).failed(2, words);
    failed(&["render", "a.csv", "--wieght", "w", "-o", "a.png"], &["--wieght", "did you mean --weight?"]);
    failed(&["config", "check", "--lissten", "80"], &["did you mean --listen?"]);
    failed(&["serve", "--port", "80"], &["--port", "did you mean --listen?"]);
    failed(&["render", "a.csv", "--zzz", "w"], &["--zzz"]);
    failed(&["rendr", "a.csv"], &["rendr", "did you mean render?"]);
    failed(&["serve", "--no-weight"], &["--no-weight", "--weight"]);
}
