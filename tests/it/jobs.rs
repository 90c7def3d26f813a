//! Jobs, run by `kiln batch` and on the schedule of a server.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kiln::{Run, data, kiln};
use crate::server::{Reply, Server, eventually};

/// A folder whose `conf/kiln.toml` configures a layer of earthquakes and `jobs`.
fn home(jobs: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("conf")).unwrap();
    let quakes = data("earthquakes.geojson").to_str().unwrap().to_owned();
    let config = format!("[layers.quakes]\ninput = {quakes:?}\nweight = \"mag\"\nstyle = {{ radius = 8 }}\n{jobs}");
    fs::write(home.path().join("conf/kiln.toml"), config).unwrap();
    home
}

fn batch(home: &Path, more: &[&str]) -> Run {
    kiln(home, [&["batch", "-c", "conf/kiln.toml"][..], more].concat())
}

/// The names of the files in a folder.
fn names(folder: PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const QUAKES: &str = "[[jobs]]\nname = \"quakes\"\nlayer = \"quakes\"\nwindow = \"last 1d\"\nsize = 200\n\
    bounds = [-180, -60, 180, 75]\noutput = \"out/{job}/{time}.png\"\nkeep = 2\nlatest = true\n";

#[test]
fn a_batch_renders_due_jobs_and_keeps_the_newest_pictures() {
    let home = home(QUAKES);
    for day in ["2018-02-02", "2018-02-03", "2018-02-04"] {
        let summary = batch(home.path(), &["--at", day]).done();
        assert!(summary.starts_with("[1/1] quakes: drew ") && summary.contains("conf/out/quakes/201802"), "{summary}");
    }
    let folder = home.path().join("conf/out/quakes");
    assert_eq!(names(folder.clone()), ["20180203T000000Z.png", "20180204T000000Z.png", "latest.png"]);
    let read = |name: &str| fs::read(folder.join(name)).unwrap();
    assert_eq!(read("latest.png"), read("20180204T000000Z.png"));
    assert_ne!(read("latest.png"), read("20180203T000000Z.png"));
    let again = batch(home.path(), &["quakes", "--at", "2018-02-04", "-q"]).done();
    assert_eq!(again, "", "--quiet prints a summary");
}

#[test]
fn a_failed_job_keeps_its_last_picture_and_other_jobs_run() {
    let jobs = format!(
        "[[jobs]]\nname = \"own\"\ninput = \"points.csv\"\noutput = \"own.png\"\nbounds = \"0,0,9,9\"\nsize = 50\n{QUAKES}"
    );
    let home = home(&jobs);
    let points = home.path().join("conf/points.csv");
    fs::write(&points, "lon,lat\n5,5\n").unwrap();
    batch(home.path(), &[]).done();
    let before = fs::read(home.path().join("conf/own.png")).unwrap();
    fs::write(&points, "lon,lat\nnowhere,5\n").unwrap();
    fs::remove_dir_all(home.path().join("conf/out")).unwrap();
    let run = batch(home.path(), &["--threads", "1"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert!(lines[0].starts_with("[1/2] own: failed after ") && lines[0].contains("points.csv"), "{lines:?}");
    assert!(lines[1].starts_with("[2/2] quakes: drew "), "{lines:?}");
    assert_eq!(lines[2], "kiln: batch: 1 of 2 jobs failed: own");
    assert_eq!(fs::read(home.path().join("conf/own.png")).unwrap(), before);
    assert_eq!(names(home.path().join("conf/out/quakes")).len(), 2);
    assert!(names(home.path().join("conf")).iter().all(|name| !name.contains(".kiln-")));
}

#[cfg(unix)]
#[test]
fn a_full_disk_keeps_the_last_picture() {
    let home = home(&QUAKES.replace("out/{job}/{time}.png", "small/{time}.png"));
    let small = home.path().join("conf/small");
    let Some(_disk) = crate::store_failures::SmallDisk::mount(&small, 256) else {
        println!("no file system can be mounted here");
        return;
    };
    batch(home.path(), &["--at", "2018-02-04"]).done();
    let before = names(small.clone());
    fs::write(small.join("filler"), vec![1; 1 << 20]).unwrap_err();
    let run = batch(home.path(), &["--at", "2018-02-05"]);
    assert_eq!(run.code, 1, "{}", run.stderr);
    assert!(run.stderr.contains("small/20180205T000000Z.png: cannot write"), "{}", run.stderr);
    fs::remove_file(small.join("filler")).unwrap();
    assert_eq!(names(small), before);
}

#[test]
fn invalid_jobs_are_rejected_before_any_job_runs() {
    for (job, words) in [
        (
            QUAKES.replace("layer = \"quakes\"", "layer = \"quake\""),
            "jobs.quakes.layer: there is no layer `quake`; did you mean quakes?",
        ),
        (
            format!("{QUAKES}schedule = \"hourly\"\n"),
            "kiln.toml:14:12: jobs[0].schedule: `hourly` is not a cron pattern",
        ),
        (format!("{QUAKES}style.scheme = \"fier\"\n"), "scheme: "),
        (String::new(), "has no jobs"),
    ] {
        let home = home(&job);
        batch(home.path(), &[]).failed(2, &[words]);
        assert!(!home.path().join("conf/out").exists());
        if !job.is_empty() {
            kiln(home.path(), ["serve", "-c", "conf/kiln.toml", "-l", "127.0.0.1:0"]).failed(2, &[words]);
        }
    }
    batch(home(QUAKES).path(), &["quaks"]).failed(2, &["did you mean quakes? expected one of quakes"]);
}

/// Waits until the server's only job satisfies `condition`, and returns its state.
fn job(server: &Server, condition: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let job = server.get("/jobs").ok(200).json()["jobs"][0].clone();
        if condition(&job) {
            return job;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{job}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn run(server: &Server, path: &str) -> Reply {
    server.send("POST", path, &[], b"")
}

fn runs(job: &Value) -> usize {
    job["history"].as_array().unwrap().len()
}

#[test]
fn a_server_runs_missed_and_requested_jobs() {
    // Due once a year, so that it is not due during the test, except on New Year's Eve.
    let home = home(&format!("{QUAKES}schedule = \"59 23 31 12 *\"\ntimezone = \"Europe/Berlin\"\n"));
    let mut server = Server::at(home, &["-c", "conf/kiln.toml"]);
    let idle = job(&server, |_| true);
    assert_eq!((idle["name"].as_str(), idle["layer"].as_str()), (Some("quakes"), Some("quakes")));
    assert_eq!((runs(&idle), &idle["running_since"]), (0, &Value::Null));
    assert!(idle["next_start"].as_str().unwrap().ends_with("-12-31T22:59:00Z"), "{idle}");

    run(&server, "/jobs/quaks/run").rejected(404, &["did you mean quakes?"]);
    let started = run(&server, "/jobs/quakes/run").ok(202);
    assert_eq!(started.json()["name"], "quakes");
    let once = job(&server, |job| runs(job) == 1);
    let first = &once["history"][0];
    assert_eq!((first["outcome"].as_str(), first["attempt"].as_u64()), (Some("done"), Some(1)), "{first}");
    assert_eq!(first["due"], started.json()["due"]);
    assert!(server.folder().join(first["output"][0].as_str().unwrap()).is_file(), "{first}");
    assert!(once["last_success"].is_string());
    let metrics = String::from_utf8(server.get("/_/metrics").ok(200).body).unwrap();
    assert!(metrics.contains("kiln_job_runs_total{job=\"quakes\",ending=\"Done\"} 1"), "{metrics}");

    // The run is reported before it is saved.
    let file = server.folder().join("imgs/jobs.json");
    let is_written = |count| {
        let state = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        state.is_some_and(|state| runs(&state["jobs"]["quakes"]) == count)
    };
    eventually("the run is saved", || is_written(1));

    // As if the server had been down for years.
    server.kill();
    let mut state: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    state["jobs"]["quakes"]["settled_s"] = 1_500_000_000.into();
    fs::write(&file, state.to_string()).unwrap();
    server.restart();
    let caught_up = job(&server, |job| runs(job) == 2);
    assert!(caught_up["history"][0]["due"].as_str().unwrap().ends_with("-12-31T22:59:00Z"), "{caught_up}");
    assert_eq!(caught_up["history"][1], *first, "the history is lost");
    eventually("the second run is saved", || is_written(2));
    server.restart();
    assert_eq!(runs(&job(&server, |_| true)), 2, "the missed run is repeated");

    // The server starts with an invalid state file.
    server.kill();
    fs::write(&file, "{").unwrap();
    server.restart();
    assert_eq!(runs(&job(&server, |_| true)), 0);
}

#[test]
fn a_failed_job_is_reported_and_a_running_job_is_not_started_again() {
    let slow =
        "[[jobs]]\nname = \"slow\"\ninput = \"pipe.csv\"\noutput = \"slow.png\"\nbounds = \"0,0,9,9\"\nsize = 50\n";
    let home = home(slow);
    let pipe = home.path().join("conf/pipe.csv");
    let server = Server::at(home, &["-c", "conf/kiln.toml"]);
    run(&server, "/jobs/slow/run").ok(202);
    let failed = job(&server, |job| runs(job) == 1);
    assert_eq!(failed["history"][0]["outcome"], "failed");
    assert!(failed["history"][0]["error"].as_str().unwrap().contains("pipe.csv"), "{failed}");

    // Reading a named pipe blocks until the test writes to it.
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    run(&server, "/jobs/slow/run").ok(202);
    let running = job(&server, |job| job["running_since"].is_string());
    assert_eq!(running["next_start"], Value::Null);
    run(&server, "/jobs/slow/run").rejected(409, &["already running"]);
    fs::write(&pipe, "lon,lat\n5,5\n").unwrap();
    let ended = job(&server, |job| runs(job) == 2);
    assert_eq!(ended["running_since"], Value::Null);
}

#[test]
fn running_a_job_requires_the_token() {
    let home = home(&format!("{QUAKES}[server]\ntoken = \"s3cret\"\n"));
    let server = Server::at(home, &["-c", "conf/kiln.toml"]);
    run(&server, "/jobs/quakes/run").rejected(401, &["token"]);
    assert_eq!(runs(&job(&server, |_| true)), 0);
}
