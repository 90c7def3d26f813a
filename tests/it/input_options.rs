//! Options of inputs, and the remarks that Kiln reports on inputs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::import::layer;
use crate::kiln::{Run, kiln};
use crate::server::Server;

/// Two points, one of which has a longitude beyond ±180°.
const BEYOND: &str = "lon,lat,time\n200,50,2024-05-01T00:00:00Z\n10,50,2024-05-02T00:00:00Z\n";
const REMARK: &str = "1 point with a longitude beyond ±180° was wrapped by 360°";

/// A server with the layers of `config`, whose inputs may be `plain.csv` and `beyond.csv`.
fn server(config: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("plain.csv"), "lon,lat,value\n10,50,7\n").unwrap();
    fs::write(home.path().join("beyond.csv"), BEYOND).unwrap();
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    Server::at(home, &[])
}

/// A folder with `a.csv`.
fn folder(csv: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.csv"), csv).unwrap();
    home
}

fn run(home: &Path, command: &str) -> Run {
    kiln(home, command.split(' '))
}

/// Asserts that the run prints the remark as a line before the summary, which begins with `summary`.
fn assert_remark_and_summary(run: Run, summary: &str) {
    let message = run.done();
    // An export prints the number of tiles first.
    let lines: Vec<&str> = message.lines().filter(|line| !line.starts_with("exporting ")).collect();
    assert_eq!((lines.len(), lines[0]), (2, format!("kiln: note: {REMARK}").as_str()), "{message}");
    assert!(lines[1].starts_with(summary), "{message}");
}

#[test]
fn the_column_none_disables_a_role_in_every_command() {
    let home = folder("lon,lat,value,time,kind\n10,50,7,noon,bus\n11,51,8,noon,tram\n");
    let home = home.path();
    assert!(run(home, "render a.csv -o a.png").done().contains("value per km²"));
    assert!(run(home, "render a.csv -o a.png --weight none").done().contains("points per km²"));
    run(home, "import a.csv --layer a --weight none --time none --category-column none").done();
    let described = layer(home, "a");
    assert_eq!((&described["points"], &described["columns"]), (&json!(2), &json!([])));
    // Rows that are appended later have no such values either, unless the column is named.
    run(home, "import a.csv --layer a --append --time none --weight value").done();
    assert_eq!(layer(home, "a")["columns"], json!(["weight", "category"]));
}

#[test]
fn the_column_none_keeps_the_weight_name_of_a_layer() {
    let home = folder("lon,lat,trips\n10,50,7\n");
    let home = home.path();
    run(home, "import a.csv --layer a --weight trips").done();
    run(home, "import a.csv --layer a --append --weight none").done();
    let described = layer(home, "a");
    assert_eq!((&described["weight"]["name"], &described["weight"]["sum"]), (&json!("trips"), &json!(8.0)));
}

#[test]
fn the_column_none_is_valid_in_requests_and_in_the_configuration() {
    let server =
        server("[layers.plain]\ninput = \"plain.csv\"\nweight = \"none\"\n[layers.named]\ninput = \"plain.csv\"\n");
    let layers = server.get("/catalog").ok(200).json();
    let weight = |name: &str| {
        let layers = layers["layers"].as_array().unwrap();
        layers.iter().find(|layer| layer["name"] == name).unwrap()["weight"].clone()
    };
    assert_eq!((weight("plain"), weight("named")), (Value::Null, json!("value")));
    server.put("trips", &json!({})).ok(201);
    let csv = [("Content-Type", "text/csv")];
    let body = b"lon,lat,value,time\n10,50,7,noon\n";
    let reply = server.send("POST", "/trips/points?weight=none&time=none", &csv, body).ok(200).json();
    assert_eq!((&reply["accepted"], &reply["rejected"], &reply["remarks"]), (&json!(1), &json!(0), &json!([])));
    assert_eq!(server.totals("trips"), (1, 0.0));
}

#[test]
fn commands_print_remarks_before_their_summary_unless_quiet() {
    let home = folder(BEYOND);
    let home = home.path();
    assert_remark_and_summary(run(home, "render a.csv -o a.png"), "read 2 rows");
    assert_remark_and_summary(run(home, "render a.csv -o a.png --bounds world"), "read 2 rows");
    assert_remark_and_summary(run(home, "import a.csv --layer a"), "read 2 rows");
    assert_remark_and_summary(run(home, "animate a.csv --every 1d -o b.png"), "drew 2 frames");
    assert_remark_and_summary(run(home, "export a.csv -o a.pmtiles --zoom 0-2"), "exported a,");
    assert_remark_and_summary(run(home, "export a.csv --bins a.parquet --zoom 3"), "exported 2 points");
    assert_eq!(run(home, "render a.csv -o a.png --quiet").done(), "");
    assert_eq!(run(home, "import a.csv --layer a --append --quiet").done(), "");
    // A stored layer has no input to remark on.
    let message = run(home, "export a -o b.pmtiles --zoom 0-2").done();
    assert!(!message.contains("note"), "{message}");

    let config = "[layers.b]\ninput = \"a.csv\"\n[[jobs]]\nname = \"of-layer\"\nlayer = \"b\"\noutput = \"b.png\"\n";
    fs::write(home.join("kiln.toml"), config).unwrap();
    assert_remark_and_summary(run(home, "batch"), "[1/1] of-layer: drew 2 points");
    let config = "[[jobs]]\nname = \"of-input\"\ninput = \"a.csv\"\noutput = \"b.png\"\n";
    fs::write(home.join("kiln.toml"), config).unwrap();
    assert_remark_and_summary(run(home, "batch"), "[1/1] of-input: drew 2 points");
    assert_eq!(run(home, "batch --quiet").done(), "");
}

#[test]
fn the_server_logs_lists_and_returns_remarks() {
    let server = server(
        "[layers.plain]\ninput = \"plain.csv\"\n[layers.beyond]\ninput = \"beyond.csv\"\n\
         [[jobs]]\nname = \"job\"\ninput = \"beyond.csv\"\noutput = \"b.png\"\n",
    );
    let layers = server.get("/catalog").ok(200).json();
    let layers = layers["layers"].as_array().unwrap();
    let of = |name: &str| layers.iter().find(|layer| layer["name"] == name).unwrap();
    assert_eq!(of("beyond")["remarks"], json!([REMARK]));
    assert!(of("plain").get("remarks").is_none());
    let is_logged = |field: &str| {
        let log = server.log();
        log.lines().any(|line| line.contains("WARN") && line.contains(REMARK) && line.contains(field))
    };
    assert!(is_logged("layer=\"beyond\""), "{}", server.log());
    server.send("POST", "/jobs/job/run", &[], b"").ok(202);
    crate::server::eventually("the job's remark is logged", || is_logged("job=\"job\""));

    server.put("trips", &json!({})).ok(201);
    let reply = server.points("trips", "text/csv", BEYOND).ok(200).json();
    assert_eq!((&reply["accepted"], &reply["remarks"]), (&json!(2), &json!([REMARK])));
}

#[test]
fn an_invalid_option_is_named_by_its_flag_parameter_or_key() {
    let home = folder(BEYOND);
    let words = "`xy` is invalid; expected lon-lat or lat-lon";
    run(home.path(), "render a.csv -o a.png --order xy").failed(2, &[&format!("'--order <lon-lat|lat-lon>': {words}")]);
    run(home.path(), "render a.csv -o a.png --day-first maybe").failed(2, &["`maybe` is neither true nor false"]);
    run(home.path(), "render a.csv -o a.png --lon a --geometry b").failed(2, &["'--geometry <COLUMN>'", "'--lon"]);
    fs::write(home.path().join("kiln.toml"), "[layers.a]\ninput = \"a.csv\"\nquote = \"single\"\n").unwrap();
    let words = "kiln.toml:3:9: layers.a.quote: \"single\" is not one of double, none";
    run(home.path(), "config check").failed(2, &[words]);

    let server = Server::start();
    server.send("PUT", "/trips", &[], b"").ok(201);
    let csv = [("Content-Type", "text/csv")];
    let reply = server.send("POST", "/trips/points?order=xy", &csv, b"lon,lat\n1,2\n");
    reply.rejected(400, &["order: `xy` is invalid; expected lon-lat or lat-lon"]);
    assert_eq!(reply.json()["parameter"], "order");
}

#[test]
fn layers_and_tables_reject_options_of_files() {
    let home = folder(BEYOND);
    let home = home.path();
    run(home, "import a.csv --layer a").done();
    for flags in ["--crs EPSG:25832", "--day-first", "--geometry place"] {
        let flag = flags.split(' ').next().unwrap();
        let message = format!("{flag}: the flag applies to files, and `a` is a layer; omit the flag");
        run(home, &format!("export a -o a.pmtiles --zoom 0 {flags}")).failed(2, &[&message]);
        if flag != "--geometry" {
            let words = [flag, "a database table"];
            run(home, &format!("render postgres://h/d?table=t -o a.png {flags}")).failed(2, &words);
        }
    }
}
