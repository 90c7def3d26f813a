//! Jobs that render layers, queries and tables of a database.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::cluster::{Cluster, Database};
use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// A database with stops on a line, one for each day of January.
fn town(cluster: &std::sync::Arc<Cluster>) -> Database {
    let database = cluster.database();
    database.sql(
        "CREATE TABLE stops (geom geometry(Point, 4326), weight int, seen timestamptz);
         INSERT INTO stops SELECT ST_SetSRID(ST_MakePoint(x + 0.3, 50), 4326), x, '2024-01-01 12:00+00'::timestamptz + (x - 1) * interval '1 day'
         FROM generate_series(1, 31) x;
         CREATE INDEX ON stops USING gist (geom)",
    );
    database
}

const VIEW: &str =
    "bounds = [0, 40, 40, 60]\nsize = 200\nstyle = { radius = 6, scheme = \"fire\", vmin = 0, vmax = 0.01 }\n";

fn job(name: &str, subject: &str) -> String {
    format!("[[jobs]]\nname = \"{name}\"\n{subject}\noutput = \"{name}.png\"\n{VIEW}")
}

fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), config).unwrap();
    home
}

fn read(home: &Path, name: &str) -> Vec<u8> {
    fs::read(home.join(format!("{name}.png"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn layers_queries_and_tables_of_a_database_are_rendered_alike() {
    let database = town(&Cluster::shared());
    let url = database.url();
    let layers = "[layers.stops]\ntable = \"public.stops\"\n[layers.selected]\nsql = \"SELECT * FROM stops\"\n";
    let query = "query = \"SELECT geom, weight AS n, seen AS at FROM stops;\"\nweight = \"n\"\ntime = \"at\"";
    let week = |subject: &str| format!("{subject}\nwindow = \"last 7d\"");
    let jobs = [
        job("table", "layer = \"stops\""),
        job("sql", "layer = \"selected\""),
        job("query", query),
        job("table-week", &week("layer = \"stops\"")),
        job("query-week", &week(query)),
        job("input", &format!("input = \"{url}?table=stops\"\nweight = \"weight\"")),
    ];
    let config = format!("[postgis]\nurl = \"{url}\"\n{layers}{}", jobs.concat());
    let home = home(&config);
    let home = home.path();
    let summary = kiln(home, ["batch", "--at", "2024-01-15"]).done();
    let drew = |job: &str, points: u32| {
        let line =
            summary.lines().find(|line| line.contains(&format!(" {job}: "))).unwrap_or_else(|| panic!("{summary}"));
        assert!(line.contains(&format!("drew {points} points")), "{line}");
    };
    for (name, points) in
        [("table", 31), ("sql", 31), ("query", 31), ("table-week", 7), ("query-week", 7), ("input", 31)]
    {
        drew(name, points);
    }
    let all = read(home, "table");
    assert!(read(home, "sql") == all && read(home, "query") == all);
    assert!(read(home, "table-week") == read(home, "query-week") && read(home, "query-week") != all);
    let rendered = [
        "render",
        "-q",
        &format!("{url}?table=stops"),
        "--weight",
        "weight",
        "--bounds",
        "0,40,40,60",
        "--size",
        "200",
        "--radius",
        "6",
        "--scheme",
        "fire",
        "--vmin",
        "0",
        "--vmax",
        "0.01",
        "-o",
        "rendered.png",
    ];
    kiln(home, rendered).done();
    assert!(read(home, "input") == read(home, "rendered"));

    // The server renders the same pictures.
    let server = Server::with(&[], &config);
    for name in ["table", "query", "input"] {
        assert_eq!(server.send("POST", &format!("/jobs/{name}/run"), &[], b"").status, 202);
        eventually("the picture is written", || server.folder().join(format!("{name}.png")).exists());
        assert!(read(server.folder(), name) == read(home, name), "{name}");
    }
    let listed = server.get("/jobs").ok(200).json();
    assert_eq!((&listed["jobs"][0]["layer"], &listed["jobs"][2]["layer"]), (&Value::from("stops"), &Value::Null));
}

#[test]
fn a_discovered_layer_is_scanned_again_for_each_run() {
    let database = town(&Cluster::shared());
    // The job has no bounds, and the table has no trigger that reports changes.
    let stops = job("stops", "layer = \"stops\"").replace("bounds = [0, 40, 40, 60]\n", "");
    let config = format!("[postgis]\nurl = \"{}\"\n{stops}", database.url());
    let server = Server::with(&[], &config);
    let run = || {
        let _ = fs::remove_file(server.folder().join("stops.png"));
        assert_eq!(server.send("POST", "/jobs/stops/run", &[], b"").status, 202);
        eventually("the picture is written", || server.folder().join("stops.png").exists());
        eventually("the job has ended", || server.get("/jobs").json()["jobs"][0]["running_since"].is_null());
        read(server.folder(), "stops")
    };
    let before = run();
    database.sql("INSERT INTO stops VALUES (ST_SetSRID(ST_MakePoint(60, 10), 4326), 5, now())");
    let after = run();
    assert!(after != before);
    let home = home(&config);
    let summary = kiln(home.path(), ["batch"]).done();
    assert!(summary.contains("drew 32 points") && read(home.path(), "stops") == after, "{summary}");
}

#[test]
fn invalid_queries_are_reported_before_any_job_runs() {
    let database = town(&Cluster::shared());
    let postgis = format!("[log]\nlevel = \"error\"\n[postgis]\nurl = \"{}\"\n", database.url());
    for (config, code, words) in [
        (job("a", "query = \"SELECT geom FROM stops\""), 2, "jobs.a.query: no database is configured; set postgis.url"),
        (format!("{postgis}{}", job("a", "query = \"SELECT geom FROM stop\"")), 2, "jobs.a.query: "),
        (format!("{postgis}{}", job("a", "query = \"SELECT 1 AS one\"")), 2, "jobs.a.query: no column is of the type"),
        (
            format!("{postgis}{}", job("a", "query = \"SELECT geom FROM stops\"\nweight = \"w\"")),
            2,
            "jobs.a.query: there is no column \"w\" for the weight",
        ),
        (format!("{postgis}{}", job("a", "layer = \"stop\"")), 2, "there is no layer `stop`; did you mean stops?"),
        (
            format!("[layers.a]\ninput = \"{}?table=stops\"\n", database.url()),
            2,
            "kiln.toml:2:9: layers.a.input: not a file; set the database in postgis.url",
        ),
    ] {
        let home = home(&config);
        kiln(home.path(), ["batch"]).failed(code, &[words]);
        kiln(home.path(), ["serve", "-l", "127.0.0.1:0"]).failed(code, &[words]);
        assert_eq!(
            fs::read_dir(home.path())
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "png"))
                .count(),
            0
        );
    }
}

/// Stops the server of a database after a checkpoint.
fn stop(database: &Database) {
    database.sql("CHECKPOINT");
    database.cluster().stop();
}

/// Waits until the last run of the server's job `name` satisfies `condition`, and returns it.
fn last_run(server: &Server, name: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    eventually(&format!("{name} ran"), || {
        let jobs = server.get("/jobs").ok(200).json();
        let job = jobs["jobs"].as_array().unwrap().iter().find(|job| job["name"] == name).unwrap().clone();
        last = job["history"][0].clone();
        condition(&last)
    });
    last
}

#[test]
fn an_outage_keeps_the_last_pictures_and_other_jobs_run() {
    let cluster = Cluster::start();
    let database = town(&cluster);
    let url = database.url();
    let jobs = [
        job("stops", "layer = \"stops\""),
        job("query", "query = \"SELECT geom FROM stops\""),
        job("input", &format!("input = \"{url}?table=stops\"")),
        job("file", "input = \"points.csv\""),
    ];
    let config = format!("[postgis]\nurl = \"{url}\"\n{}", jobs.concat());
    let server = Server::with(&[], &config);
    let home = server.folder();
    fs::write(home.join("points.csv"), "lon,lat\n5,50\n").unwrap();
    let names = ["stops", "query", "input", "file"];
    kiln(home, ["batch"]).done();
    let before = names.map(|name| read(home, name));
    stop(&database);

    let run = kiln(home, ["batch", "--threads", "1"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    for (line, name) in lines.iter().zip(names) {
        let is_reported = line.contains("failed after") && line.contains("postgres://kiln@127.0.0.1");
        assert!(line.contains(name) && is_reported == (name != "file"), "{line}");
    }
    assert_eq!(lines[4], "kiln: batch: 3 of 4 jobs failed: stops, query, input");
    for name in names {
        assert_eq!(server.send("POST", &format!("/jobs/{name}/run"), &[], b"").status, 202);
        let last = last_run(&server, name, |last| !last.is_null());
        if name == "file" {
            assert_eq!(last["outcome"], "done", "{last}");
        } else {
            assert_eq!(last["outcome"], "failed", "{last}");
            assert!(last["error"].as_str().unwrap().contains("postgres://kiln@127.0.0.1"), "{last}");
        }
    }
    assert!(names.map(|name| read(home, name)) == before);
    cluster.run();
    for name in &names[..3] {
        assert_eq!(server.send("POST", &format!("/jobs/{name}/run"), &[], b"").status, 202);
        last_run(&server, name, |last| last["outcome"] == "done");
    }
    assert!(names.map(|name| read(home, name)) == before);
}

#[test]
fn a_scheduled_job_is_retried_after_an_outage() {
    let cluster = Cluster::start();
    let database = town(&cluster);
    // A full scan, which has no statement timeout, takes as many seconds as the table `pace` says.
    database.sql(
        "CREATE TABLE pace (seconds int); INSERT INTO pace VALUES (0);
         CREATE VIEW slow AS SELECT geom FROM stops WHERE current_setting('statement_timeout') <> '0'
             OR pg_sleep((SELECT seconds FROM pace)) IS NOT NULL",
    );
    let slow = job("slow", "query = \"SELECT geom FROM slow\"\nschedule = \"0 0 1 1 *\"");
    let config = format!("[postgis]\nurl = \"{}\"\ndiscover = false\n{slow}", database.url());
    let home = home(&config);
    kiln(home.path(), ["batch"]).done();
    let before = read(home.path(), "slow");
    database.sql("UPDATE pace SET seconds = 600");
    // The job was due while the server was down.
    fs::create_dir(home.path().join("imgs")).unwrap();
    fs::write(home.path().join("imgs/jobs.json"), "{\"jobs\":{\"slow\":{\"settled_s\":1000000000}}}").unwrap();
    let server = Server::at(home, &[]);
    eventually("the statement runs", || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND wait_event = 'PgSleep'";
        database.sql(sql).trim() != "0"
    });
    stop(&database);
    let failed = last_run(&server, "slow", |last| !last.is_null());
    assert_eq!((&failed["outcome"], &failed["attempt"]), (&Value::from("failed"), &Value::from(1)));
    assert!(read(server.folder(), "slow") == before);
    cluster.run();
    database.sql("UPDATE pace SET seconds = 0");
    let done = last_run(&server, "slow", |last| last["attempt"] == 2);
    assert_eq!((&done["outcome"], &done["due"]), (&Value::from("done"), &failed["due"]), "{done}");
    assert!(read(server.folder(), "slow") == before);
}

#[test]
fn exports_and_animations_of_tables_and_live_layers_equal_those_of_stored_layers() {
    let database = town(&Cluster::shared());
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let table = format!("{}?table=stops", database.url());
    kiln(home, ["import", &table, "--layer", "stops", "-q"]).done();
    let style = ["--vmin", "0", "--vmax", "0.01", "--radius", "6", "--bounds", "0,40,40,60"];
    let make = |input: &str, folder: &str| {
        fs::create_dir(home.join(folder)).unwrap();
        let file = |name: &str| format!("{folder}/{name}");
        let [tiles, animation, bins] = ["tiles.pmtiles", "film.png", "bins.parquet"].map(file);
        let export = ["export", input, "--zoom", "0-3", "-o", &tiles];
        kiln(home, [&export[..], &style].concat()).done();
        let animate = ["animate", input, "--every", "7d", "--size", "200", "-o", &animation];
        let summary = kiln(home, [&animate[..], &style].concat()).done();
        assert!(summary.starts_with("drew 5 frames of stops"), "{summary}");
        let summary = kiln(home, ["export", input, "--zoom", "0-3", "--bins", &bins]).done();
        assert!(summary.starts_with("exported 31 points of stops"), "{summary}");
        [tiles, animation, bins].map(|file| fs::read(home.join(file)).unwrap())
    };
    let (of_table, of_layer) = (make(&table, "table"), make("stops", "layer"));
    kiln(home, ["drop", "stops", "--yes"]).done();
    fs::write(home.join("kiln.toml"), format!("[postgis]\nurl = \"{}\"\n", database.url())).unwrap();
    let of_live = make("stops", "live");
    for (i, what) in ["tiles", "frames", "sums"].iter().enumerate() {
        assert!(of_table[i] == of_layer[i] && of_live[i] == of_layer[i], "{what}");
    }
    kiln(home, ["export", "stop", "--zoom", "1", "-o", "a.pmtiles"]).failed(1, &["there is no layer `stop`"]);
}
