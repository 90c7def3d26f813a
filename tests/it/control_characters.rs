//! Characters that control a terminal are visible in messages, whoever has chosen them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::kiln::{Run, kiln, kiln_with_env};
use crate::server::Server;

/// A name that clears a terminal, sets its title and reverses what follows.
const NAME: &str = "x\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}y";
const VISIBLE: &str = "x\\u001b[2J\\u001b]0;title\\u0007\\u202ey";

fn assert_visible(text: &str, what: &str) {
    assert!(text.contains(VISIBLE), "{what}: {text:?}");
    assert_harmless(text, what);
}

fn assert_harmless(text: &str, what: &str) {
    let is_control = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!text.contains(is_control), "{what}: {text:?}");
}

#[test]
fn names_of_files_folders_and_layers_never_control_the_terminal() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::write(home.join(format!("{NAME}.csv")), "lon,lat\nten,x\n").unwrap();
    for run in ["1", NAME] {
        fs::create_dir_all(home.join(format!("bins/run={run}"))).unwrap();
    }
    let (file, missing, manual) = (format!("{NAME}.csv"), format!("{NAME}.parquet"), format!("man{NAME}"));
    let output = |run: Run| String::from_utf8(run.stdout).unwrap() + &run.stderr;
    for args in [
        &["import", &file, "--layer", "a"][..],
        &["import", &missing, "--layer", "a"],
        &["import", "bins", "--layer", "a"],
        &["man", "--folder", &manual],
        &["drop", "a", "--store", &missing],
    ] {
        assert_visible(&output(kiln(home, args)), &args.join(" "));
    }
    // The parser of the command line has an escape of its own.
    for args in
        [&["import", "bins", "--layer", NAME][..], &[NAME], &["import", "bins", "--layer", "a", NAME, "--x\u{7}"]]
    {
        assert_harmless(&output(kiln(home, args)), &args.join(" "));
    }
    fs::write(home.join("points.csv"), "lon,lat\n1,2\n").unwrap();
    kiln(home, ["import", "points.csv", "--layer", "a", "--title", NAME]).done();
    assert_visible(&output(kiln(home, ["layer", "a"])), "a title");
    // JSON has its own escapes.
    assert!(!output(kiln(home, ["layer", "a", "--json"])).contains('\u{1b}'));
}

#[test]
fn the_answer_of_another_server_never_controls_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for (status, mut connection) in ["200 OK", "500 Error"].iter().zip(listener.incoming().flatten()) {
            let _ = connection.read(&mut [0; 4096]);
            let _ = write!(connection, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{NAME}", NAME.len());
        }
    });
    let home = tempfile::tempdir().unwrap();
    for code in [0, 1] {
        let run = kiln_with_env(home.path(), ["health"], &[("KILN_SERVER_LISTEN", &address)]);
        assert_eq!(run.code, code);
        assert_visible(&(String::from_utf8(run.stdout).unwrap() + &run.stderr), "kiln health");
    }
}

#[test]
fn the_log_has_no_control_characters_of_names() {
    let home = tempfile::tempdir().unwrap();
    let folder = format!("store{NAME}");
    let layer = home.path().join(&folder).join("a");
    fs::create_dir_all(&layer).unwrap();
    fs::write(layer.join("manifest.json"), "{}").unwrap();
    let server = Server::at(home, &["--store", &folder]);
    let _ = server.get("/catalog");
    let log = server.log();
    assert!(log.contains("the layer is not served"), "{log}");
    assert!(log.contains("\\u202ey"), "{log}");
    assert_harmless(&log, "the log");
}
