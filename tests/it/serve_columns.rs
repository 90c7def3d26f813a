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
    assert_eq!(weight()["sum"], 90.0);
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
    failed(&["rendr", "a.csv"], &["rendr", "did you mean render?"]);
    failed(&["serve", "--no-weight"], &["--no-weight", "--weight"]);
}
