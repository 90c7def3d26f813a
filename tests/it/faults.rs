//! System calls that fail: a full disk, a broken disk, too many open files, too little memory. strace lets each call of a kind
//! on a file of the store fail in turn.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kiln::store::Store;
use serde_json::json;

use crate::crash_recovery::write_rows;
use crate::kiln::kiln;
use crate::power_cuts::check::{State, leftovers, observe};
use crate::power_cuts::disk;
use crate::server::{Server, eventually};

/// The calls, and the errors with which each fails.
const FAULTS: [(&str, &[&str]); 13] = [
    ("openat", &["EMFILE", "ENOSPC"]),
    ("read", &["EIO"]),
    ("write", &["ENOSPC", "EIO"]),
    ("fsync", &["EIO"]),
    ("rename", &["EXDEV", "EROFS"]),
    ("mkdir", &["ENOSPC"]),
    ("unlink", &["EIO"]),
    ("unlinkat", &["EIO"]),
    ("rmdir", &["EROFS"]),
    ("mmap", &["ENOMEM"]),
    ("flock", &["ENOLCK"]),
    ("statx", &["EACCES"]),
    ("getdents64", &["EIO"]),
];

/// Runs `kiln` in a folder under strace, and writes its calls to `trace`.
fn traced(home: &Path, args: &[&str], trace: &Path, filter: &[&str]) -> Output {
    let mut command = Command::new("strace");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("KILN_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    // One worker thread and one heap, so that the calls are the same in each run: glibc reads a file in /proc when it first shrinks
    // the heap of a thread.
    command.env("MALLOC_ARENA_MAX", "1");
    let command = command.args(["-f", "-y", "-o"]).arg(trace).args(filter).arg(env!("CARGO_BIN_EXE_kiln"));
    command
        .args(args)
        .current_dir(home)
        .stdin(Stdio::null())
        .output()
        .expect("strace is missing: `make tools` installs it")
}

/// The numbers of the calls of a kind that use a file of the store, counted from 1 in the first thread.
fn calls_on_store(trace: &Path, name: &str) -> Vec<usize> {
    let text = String::from_utf8_lossy(&fs::read(trace).unwrap()).into_owned();
    let first = text.split(' ').next().unwrap_or_default().to_owned();
    let begin = format!("{name}(");
    let calls = text.lines().filter_map(|line| line.strip_prefix(&first)?.trim_start().strip_prefix(&begin));
    calls.enumerate().filter(|(_, args)| is_on_store(args)).map(|(at, _)| at + 1).collect()
}

fn is_on_store(args: &str) -> bool {
    args.contains("/store/") || args.contains("\"store") || args.contains("/store>") || args.contains(".work-")
}

/// The call of a trace that failed on purpose. If strace printed another thread's call in the middle of it, its first line has
/// the arguments.
fn injected_call(trace: &str) -> &str {
    let Some(at) = trace.lines().position(|line| line.ends_with("(INJECTED)")) else { return "" };
    let lines: Vec<&str> = trace.lines().take(at + 1).collect();
    let thread = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let begun = lines[..at].iter().rfind(|line| thread(line) == thread(lines[at]));
    begun.filter(|line| line.ends_with("<unfinished ...>")).copied().unwrap_or(lines[at])
}

fn state(home: &Path) -> State {
    observe(&Store::open(&home.join("store")).unwrap()).unwrap()
}

/// Runs a command on a copy of the store once for each of its calls, which then fails; without `KILN_FAULTS`, for some of them,
/// such as every second one if `step` is 2. The command must do all or nothing, and return the code for it.
fn assert_survives(home: &Path, args: &[&str], step: usize) {
    let all = std::env::var_os("KILN_FAULTS").is_some();
    let store = home.join("store");
    let (files, before) = (disk::read(&store), state(home));
    let restore = || {
        fs::remove_dir_all(&store).unwrap();
        fs::create_dir(&store).unwrap();
        disk::write_tree(&files, &store);
    };
    let trace = tempfile::NamedTempFile::new().unwrap();
    let (mut failed, mut succeeded, mut wrong) = (0, 0, Vec::new());
    for (call, errors) in FAULTS {
        restore();
        let reference = traced(home, args, trace.path(), &["-e", &format!("trace={call}")]);
        assert!(reference.status.success(), "{args:?}: {}", String::from_utf8_lossy(&reference.stderr));
        let after = state(home);
        for (at, number) in calls_on_store(trace.path(), call).into_iter().enumerate() {
            // The errors in turn, unless all are required.
            let is_tested = |(index, _): &(usize, &&str)| all || at % (errors.len() * step) == *index;
            for (_, error) in errors.iter().enumerate().filter(is_tested) {
                restore();
                let fault = format!("inject={call}:error={error}:when={number}");
                let filters = ["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), fault.clone()];
                let output = traced(home, args, trace.path(), &filters.each_ref().map(String::as_str));
                let message = String::from_utf8_lossy(&output.stderr);
                let injected = fs::read_to_string(trace.path()).unwrap();
                let injected = injected_call(&injected);
                let case = format!("{args:?} with {fault} at {injected}: {message}");
                let now = state(home);
                if injected.is_empty() {
                    // This run made fewer calls than the first one.
                    assert!(output.status.success() && now == after, "without a fault: {case}");
                    continue;
                }
                assert!(is_on_store(injected), "another call has failed: {case}");
                if output.status.success() {
                    succeeded += 1;
                    wrong.extend((now != after).then(|| format!("it reports success: {case}")));
                } else {
                    failed += 1;
                    let is_one_line = output.status.code() == Some(1) && message.trim_end().lines().count() == 1;
                    wrong.extend((!is_one_line).then(|| format!("unclear: {case}")));
                    wrong.extend((now != before).then(|| format!("it reports a failure: {case}")));
                    if now == before {
                        kiln(home, args).done();
                        wrong.extend((state(home) != after).then(|| format!("it does not work again: {case}")));
                    }
                }
                Store::open(&store).unwrap().sweep();
                wrong.extend(leftovers(&store).err().map(|files| format!("{files}: {case}")));
            }
        }
    }
    restore();
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
    println!("{args:?}: {failed} faults reported, {succeeded} without effect");
    assert!(failed > 5, "{args:?}: few faults were effective: {failed}");
}

#[test]
fn a_failed_system_call_is_reported_by_commands_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 5000, 3);
    write_rows(&home.join("b.csv"), 300, 2);
    kiln(home, ["import", "a.csv", "--layer", "trips"]).done();
    kiln(home, ["import", "b.csv", "--layer", "trips", "--append"]).done();
    let threads = ["--threads", "1"];
    for (args, step) in [
        (&["import", "b.csv", "--layer", "trips", "--append"][..], 1),
        (&["import", "a.csv", "--layer", "other"], 3),
        (&["import", "b.csv", "--layer", "trips", "--replace"], 3),
        (&["compact", "trips"], 2),
    ] {
        assert_survives(home, &[args, &threads].concat(), step);
    }
    assert_survives(home, &["drop", "trips", "--yes"], 2);
}

const TOKEN: &str = "faults";

/// Sends points with an idempotency key, and returns the status; 0 if the connection was closed.
fn post(server: &Server, key: &str) -> u16 {
    const ROWS: &str = "lon,lat,weight\n1,2,2\n3,4,2\n";
    let head = format!(
        "POST /posted/points HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: text/csv\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{ROWS}",
        server.address(),
        ROWS.len()
    );
    let mut reply = Vec::new();
    let mut stream = server.connect();
    let received = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_end(&mut reply));
    let reply = String::from_utf8_lossy(&reply);
    received.ok().and_then(|_| reply.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

/// strace, attached to a process until it is dropped.
struct Injection(std::process::Child);

impl Injection {
    fn start(server: &Server, trace: &Path, call: &str, fault: &str) -> Self {
        let mut command = Command::new("strace");
        if ["read", "write", "mmap"].contains(&call) {
            // The server also makes these calls to wake threads and to take memory, which ends it if they fail.
            let layer = server.folder().canonicalize().unwrap().join("store/posted");
            let segments = (1..400).map(|number| format!("{number:08}.points.arrow"));
            let files = ["manifest.json", "manifest.json.part"].map(str::to_owned).into_iter().chain(segments);
            command.args(files.flat_map(|file| ["-P".into(), layer.join(file)]));
        }
        let mut child = command
            .args(["-f", "-y", "-p", &server.id().to_string(), "-e", &format!("trace={call}"), "-e", fault, "-o"])
            .arg(trace)
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is missing: `make tools` installs it");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        assert!(line.contains("attached"), "{line}");
        std::thread::spawn(move || lines.for_each(drop));
        Self(child)
    }

    fn end(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_failed_system_call_is_reported_by_a_server_and_a_repeated_request_counts_once() {
    const POINTS: u64 = 2;
    let mut server = Server::with(&[], &format!("[server]\ntoken = \"{TOKEN}\"\n"));
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", &*token), ("content-type", "application/json"), ("content-length", "2")];
    server.send("PUT", "/posted", &headers, json!({}).to_string().as_bytes()).ok(201);
    assert_eq!(post(&server, "first"), 200);
    let trace = tempfile::NamedTempFile::new().unwrap();
    let (mut posts, mut failed) = (1, 0);
    for (call, errors) in FAULTS {
        for (number, error) in (1..20).flat_map(|number| errors.iter().map(move |error| (number, error))) {
            let fault = format!("inject={call}:error={error}:when={number}");
            let key = format!("{call}-{error}-{number}");
            let injection = Injection::start(&server, trace.path(), call, &fault);
            let status = post(&server, &key);
            injection.end();
            let injected = String::from_utf8_lossy(&fs::read(trace.path()).unwrap()).into_owned();
            let injected: Vec<&str> = injected.lines().filter(|line| line.ends_with("(INJECTED)")).collect();
            if injected.is_empty() {
                assert_eq!(status, 200);
                posts += 1;
                break;
            }
            let case = format!("{status} for {fault} at {injected:?}: {}", server.log());
            // A call that only others than the store make, such as one that wakes a thread.
            let is_checked = injected.iter().all(|line| is_on_store(line));
            assert!(!is_checked || !server.log().contains("panicked"), "{case}");
            assert!(!is_checked || [200, 500, 503, 507].contains(&status), "{case}");
            failed += usize::from(is_checked && status != 200);
            if !is_checked {
                server.restart();
            }
            assert_eq!(post(&server, &key), 200, "{case}");
            posts += 1;
            assert_eq!(server.totals("posted").0, posts * POINTS, "{case}");
        }
    }
    println!("{posts} posts, {failed} with a fault that was reported");
    assert!(failed > 10, "few faults were effective: {failed}");
    server.restart();
    assert_eq!(server.totals("posted").0, posts * POINTS);
    // The server removes the files of its predecessors while it serves.
    eventually("no file is left over", || leftovers(&server.folder().join("store")).is_ok());
}
