//! Ctrl-C and SIGTERM: exit codes, and no half files.

#![cfg(unix)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::kiln::kiln;
use crate::server::{Server, eventually};

/// Starts `kiln`, sends it `signal` after `delay`, and returns its exit code.
fn interrupted(home: &Path, args: &[&str], delay: Duration, signal: &str) -> Option<i32> {
    let mut child = start(home, args);
    std::thread::sleep(delay);
    send(&child, signal);
    let status = child.wait().unwrap();
    // A signal before the handler is installed terminates the process, which a shell reports in the same way.
    status.code().or(status.signal().map(|signal| 128 + signal))
}

fn start(home: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(args)
        .current_dir(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A file of points that no command of a test finishes within its delay.
fn many_points(home: &Path) {
    let mut text = String::from("lon,lat,weight,time\n");
    for i in 0..400_000 {
        writeln!(text, "{}.{},{},1,{}", i % 170, i % 997, i % 80, 1_700_000_000 + i * 60).unwrap();
    }
    fs::write(home.join("many.csv"), text).unwrap();
}

fn names(home: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(home).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn interrupted_commands_return_the_code_of_the_signal_and_leave_no_half_file() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    many_points(home);
    fs::write(
        home.join("kiln.toml"),
        "[[jobs]]\nname = \"job\"\ninput = \"many.csv\"\nsize = 4000\nschedule = \"0 0 * * *\"\noutput = \"job.png\"\n",
    )
    .unwrap();
    let before = names(home);
    let delay = Duration::from_millis(150);
    for (args, signal, code) in [
        (&["render", "many.csv", "--size", "6000", "-o", "out.png"][..], "INT", 130),
        (&["render", "many.csv", "--size", "6000", "-o", "out.tif"], "TERM", 143),
        (&["import", "many.csv", "--layer", "many"], "INT", 130),
        (&["import", "many.csv", "--layer", "many"], "TERM", 143),
        (&["animate", "many.csv", "--every", "1d", "-o", "out.gif"], "INT", 130),
        (&["grid", "many.csv", "--resolution", "1km", "-o", "out.csv"], "INT", 130),
        (&["matrix", "many.csv", "-o", "out.png"], "INT", 130),
        (&["batch"], "INT", 130),
    ] {
        assert_eq!(interrupted(home, args, delay, signal), Some(code), "{args:?}");
        let mut left = names(home);
        // The store exists, but has no layer.
        left.retain(|name| name != "store");
        assert_eq!(left, before, "{args:?}");
    }
    assert!(kiln(home, ["layers"]).done().contains("no layers"));
}

#[test]
fn an_interrupted_export_resumes() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    many_points(home);
    kiln(home, ["import", "many.csv", "--layer", "many"]).done();
    let args = ["export", "many", "-o", "many.pmtiles", "--zoom", "0-6", "--yes"];
    let mut child = start(home, &args);
    eventually("the export has started", || names(home).iter().any(|name| name.starts_with('.')));
    std::thread::sleep(Duration::from_millis(1500));
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!home.join("many.pmtiles").exists());
    assert!(kiln(home, args).done().contains("exported many"));
}

#[test]
fn a_blocked_command_ends_at_the_second_signal() {
    let home = tempfile::tempdir().unwrap();
    // Standard input is open and has no rows.
    let mut child = start(home.path(), &["import", "-", "--layer", "a"]);
    std::thread::sleep(Duration::from_millis(500));
    send(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    send(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(kiln(home.path(), ["layers"]).done().contains("no layers"));
}

#[test]
fn a_server_that_shuts_down_cleanly_returns_0() {
    for signal in ["INT", "TERM"] {
        let mut server = Server::start();
        let sent = Command::new("kill").args([format!("-{signal}"), server.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(server.wait(), Some(0), "{signal}");
    }
}
