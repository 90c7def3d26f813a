//! Passwords of databases in what Kiln prints.

use std::fs;

use crate::kiln::kiln;
use crate::server::{Server, eventually};

const PASSWORD: &str = "Sw0rdf1sh";

/// Spellings of the URL of a database that nobody answers.
const SPELLINGS: [&str; 19] = [
    "postgres://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "Postgres://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "POSTGRESQL://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    " postgres://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres//ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres:/ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres:ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgresql+psycopg://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgresql+psycopg2//ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgis://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "pg://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "jdbc:postgresql://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "mysql://ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "ann:Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres://ann:a/b Sw0rdf1sh@127.0.0.1:1/maps?sslmode=x",
    "postgres://ann@127.0.0.1:1/maps?password=Sw0rdf1sh",
    "postgres://ann:hun@Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres://ann:a@b@Sw0rdf1sh@127.0.0.1:1/maps",
    "postgres://ann:hu/n@Sw0rdf1sh@127.0.0.1:1/maps",
];

#[test]
fn no_command_prints_the_password_of_a_misspelled_url() {
    let home = tempfile::tempdir().unwrap();
    let check = |arguments: &[&str]| {
        let run = kiln(home.path(), arguments.iter().copied());
        let printed = format!("{}{}", String::from_utf8_lossy(&run.stdout), run.stderr);
        assert!(!printed.contains(PASSWORD), "{arguments:?}: {printed}");
        assert!(run.code != 0 || arguments[0] == "config", "{arguments:?}: {printed}");
        printed
    };
    for url in SPELLINGS {
        let config = |text: &str| fs::write(home.path().join("kiln.toml"), text.replace("URL", url)).unwrap();
        config("");
        let printed = check(&["render", url, "-o", "a.png"]);
        assert!(printed.starts_with("kiln: ") && printed.lines().count() == 1, "{printed}");
        check(&["import", url, "--layer", "a"]);
        check(&["import", "--layer", url, "a.csv"]);
        check(&["export", url, "--zoom", "1", "-o", "a.pmtiles"]);
        check(&["matrix", url, "--x", "hour"]);
        check(&["render", "a.csv", "--radius", url, "-o", "a.png"]);
        check(&["render", "a.csv", url, "--no-such-flag"]);
        check(&[url]);
        config("[layers.a]\ninput = \"URL\"\n[[jobs]]\nname = \"a\"\ninput = [\"URL\"]\noutput = \"a.png\"\n");
        check(&["config", "check"]);
        check(&["batch"]);
        config("[postgis]\nurl = \"URL\"\n");
        check(&["config", "check"]);
        config("[postgis]\nurl = \"URL\n");
        check(&["config", "check"]);
    }
}

#[test]
fn failures_of_jobs_have_neither_passwords_nor_folders() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().canonicalize().unwrap();
    let inputs = ["pg://ann:Sw0rdf1sh@127.0.0.1:1/maps", "ann:Sw0rdf1sh@127.0.0.1:1/maps", "deep/down/points.csv"];
    let jobs = inputs.iter().enumerate().map(|(number, input)| {
        format!("[[jobs]]\nname = \"job{number}\"\ninput = \"{input}\"\noutput = \"a{number}.png\"\n")
    });
    fs::write(home.path().join("kiln.toml"), jobs.collect::<String>()).unwrap();
    let server = Server::at(home, &[]);
    for number in 0..inputs.len() {
        assert_eq!(server.send("POST", &format!("/jobs/job{number}/run"), &[], b"").status, 202);
    }
    let mut jobs = server.get("/jobs").json();
    eventually("the jobs have failed", || {
        jobs = server.get("/jobs").ok(200).json();
        jobs["jobs"].as_array().unwrap().iter().all(|job| !job["history"][0].is_null())
    });
    let errors: Vec<&str> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["history"][0]["error"].as_str().unwrap()).collect();
    assert!(errors[2].starts_with("points.csv: cannot "), "{errors:?}");
    let texts = [errors.join("\n"), server.log(), fs::read_to_string(server.images().join("jobs.json")).unwrap()];
    assert!(texts.iter().all(|text| !text.contains(PASSWORD)), "{texts:?}");
    assert!(!errors.join("").contains(folder.to_str().unwrap()) && !errors.join("").contains("deep"), "{errors:?}");
}
