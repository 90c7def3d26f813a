//! Configuration by files, environment variables and flags.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::kiln::{Run, kiln, kiln_with_env};

fn check(folder: &Path, args: &[&str]) -> Run {
    kiln(folder, ["config", "check"].iter().chain(args))
}

/// The standard output of a successful run, which prints nothing on standard error.
fn printed(run: Run) -> String {
    let text = String::from_utf8(run.stdout.clone()).unwrap();
    assert_eq!(run.done(), "");
    text
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|printed| printed == line)
}

#[test]
fn the_complete_configuration_is_printed_saved_and_read_back() {
    let home = tempfile::tempdir().unwrap();
    let defaults = printed(check(home.path(), &[]));
    for line in ["listen = \"127.0.0.1:3000\"", "ttl = \"1h\"", "max_size = \"1GiB\"", "pixels = 16777216", "[log]"] {
        assert!(has_line(&defaults, line), "{line} is missing:\n{defaults}");
    }
    assert!(!defaults.contains("\n[layers"));
    fs::write(home.path().join("other.toml"), &defaults).unwrap();
    assert_eq!(printed(check(home.path(), &["-c", "other.toml"])), defaults);

    let flags = [
        "-l",
        ":8080",
        "--images",
        "pictures",
        "--ttl",
        "2d",
        "--max-count",
        "9",
        "--max-size",
        "5GB",
        "--cache-size",
        "0",
        "--render-threads",
        "3",
        "--base-url",
        "https://a.example/",
        "--trusted-proxies",
        "10.0.0.0/8,loopback",
        "--schemes",
        "a",
        "--schemes",
        "b",
        "--log-level",
        "debug",
        "--log-format",
        "json",
        "--save-config",
        "kiln.toml",
        "data/cities.csv",
        "q=quakes.csv",
    ];
    let configured = printed(check(home.path(), &flags));
    for line in [
        "listen = \"127.0.0.1:8080\"",
        "folder = \"pictures\"",
        "ttl = \"2d\"",
        "max_count = 9",
        "max_size = \"5GB\"",
        "size = \"0B\"",
        "render_threads = 3",
        "base_url = \"https://a.example\"",
        "trusted_proxies = [\"10.0.0.0/8\", \"loopback\"]",
        "folders = [\"a\", \"b\"]",
        "level = \"debug\"",
        "format = \"json\"",
        "[layers.cities]",
        "input = \"data/cities.csv\"",
        "[layers.q]",
    ] {
        assert!(has_line(&configured, line), "{line} is missing:\n{configured}");
    }
    assert_eq!(fs::read_to_string(home.path().join("kiln.toml")).unwrap(), configured);
    // The saved file is the one that the next run reads by default.
    assert_eq!(printed(check(home.path(), &[])), configured);
}

#[test]
fn the_defaults_and_the_schema_are_printed_regardless_of_the_configuration() {
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        printed(kiln_with_env(
            home.path(),
            [&["config"], args].concat(),
            &[("KILN_IMAGES_TTL", "3h"), ("KILN_SEVER", "1")],
        ))
    };
    let defaults = printed(check(home.path(), &[]));
    fs::write(home.path().join("kiln.toml"), "[images]\nttl = \"2h\"\n").unwrap();
    assert_eq!(run(&[]), defaults);
    for line in [
        "# Lifetime of an image.",
        "# Accepts a time from 1s to 3650d, such as 90s, 30m, 1h or 2d. Default: \"1h\".",
        "# base_url = \"https://maps.example.org/heat\"",
    ] {
        assert!(has_line(&defaults, line), "{line} is missing:\n{defaults}");
    }
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/kiln.schema.json");
    assert!(run(&["--schema"]) == fs::read_to_string(committed).unwrap(), "docs/kiln.schema.json is outdated");
    kiln(home.path(), ["config", "--schema", "check"]).failed(2, &["--schema"]);
}

#[test]
fn flags_override_variables_and_variables_override_the_file() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("kiln.toml"), "[images]\nttl = \"2h\"\nmax_count = 5\nfolder = \"here\"\n").unwrap();
    let env = [
        ("KILN_IMAGES_TTL", "3h"),
        ("KILN_IMAGES_MAX_COUNT", "6"),
        ("KILN_SCHEMES", "mine"),
        ("DATABASE_URL", "postgres://kiln:hunter2@db/kiln"),
    ];
    let run = kiln_with_env(home.path(), ["config", "check", "--ttl", "4h"], &env);
    let text = printed(run);
    for line in ["ttl = \"4h\"", "max_count = 6", "folder = \"here\"", "folders = [\"mine\"]"] {
        assert!(has_line(&text, line), "{line} is missing:\n{text}");
    }
    assert!(!text.contains("hunter2"));
    let run = kiln_with_env(home.path(), ["config", "check"], &[("KILN_SERVER_PORT", "80")]);
    run.failed(2, &["KILN_SERVER_PORT", "KILN_SERVER_LISTEN"]);
    // Errors that are found only after all sources are merged are reported at their source.
    fs::write(home.path().join("kiln.toml"), "[bridge]\nlayer = \"citys\"\n[layers.cities]\ninput = \"a.csv\"\n")
        .unwrap();
    check(home.path(), &[])
        .failed(2, &["kiln.toml:2:9: bridge.layer: there is no layer `citys`", "did you mean cities?"]);
    let run = kiln_with_env(home.path(), ["config", "check"], &[("KILN_BRIDGE_LAYER", "city")]);
    run.failed(2, &["KILN_BRIDGE_LAYER: bridge.layer: there is no layer `city`"]);
}

#[test]
fn invalid_configurations_are_reported_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name);
    fs::write(path("typo.toml"), "# mine\n[imags]\nttl = 1\n").unwrap();
    fs::write(path("range.toml"), "[limits]\npoints = 0\n").unwrap();
    fs::write(path("broken.toml"), "[limits\n").unwrap();
    fs::write(path("binary.toml"), b"\xFF\xFE").unwrap();
    fs::write(path("p.csv"), "lon,lat\n1,2\n").unwrap();
    check(home.path(), &["-c", "typo.toml"]).failed(2, &["typo.toml:2:2: imags", "did you mean images?"]);
    check(home.path(), &["-c", "range.toml"]).failed(2, &["range.toml:2:10: limits.points: 0 is not", "1_000_000_000"]);
    check(home.path(), &["-c", "broken.toml"]).failed(2, &["broken.toml:1:8: not TOML"]);
    check(home.path(), &["-c", "binary.toml"]).failed(2, &["binary.toml", "UTF-8"]);
    check(home.path(), &["-c", "none.toml"]).failed(1, &["none.toml", "cannot read"]);
    check(home.path(), &["--ttl", "soon"]).failed(2, &["--ttl: images.ttl: \"soon\" is not a time"]);
    check(home.path(), &["--store", ""]).failed(2, &["--store: store.folder: \"\" is not the path of a folder"]);
    check(home.path(), &["--schemes", "a", "--schemes", ""]).failed(2, &["--schemes: schemes.folders"]);
    check(home.path(), &["-l", "everywhere"]).failed(2, &["--listen: server.listen", "127.0.0.1:3000"]);
    check(home.path(), &["--trusted-proxies", "nginx"])
        .failed(2, &["--trusted-proxies: server.trusted_proxies", "private"]);
    check(home.path(), &["--images", ""]).failed(2, &["--images"]);
    check(home.path(), &["docs=p.csv"]).failed(2, &["docs=p.csv: ", "server's own"]);
    check(home.path(), &["p.csv", "--save-config", "p.csv"]).failed(2, &["--save-config: p.csv is an input"]);
    assert_eq!(fs::read_to_string(path("p.csv")).unwrap(), "lon,lat\n1,2\n");
    check(home.path(), &["--save-config", "no/such/kiln.toml"]).failed(1, &["no/such/kiln.toml"]);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_not_utf_8_is_rejected() {
    use std::os::unix::ffi::OsStringExt;

    let home = tempfile::tempdir().unwrap();
    let args = ["config".into(), "check".into(), "--images".into(), OsString::from_vec(b"im\xFFgs".to_vec())];
    kiln(home.path(), args).failed(2, &["UTF-8"]);
}
