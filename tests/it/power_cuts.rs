//! Power cuts: the system calls of commands and of a server are recorded, and the store is opened as a disk may have it after a
//! power cut at any of them. `KILN_POWER_CUTS=10000` tests more cuts than a run of all tests does.
#![cfg(target_os = "linux")]

pub(crate) mod check;
pub(crate) mod disk;
mod replay;
mod trace;
pub(crate) mod workload;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::thread;

use self::check::{Change, Workload};
use self::disk::{Event, Ignored, Random};
use self::replay::Replay;
use self::workload::{LayerRequest, TOKEN, head, plane_changes, points_of};
use crate::server::receive;

/// The folder of the store, within the folder in which the processes run.
const STORE: &str = "store";

/// Recorded processes, and what they changed.
struct Recording {
    home: tempfile::TempDir,
    replay: Replay,
    workload: Workload,
}

/// The number of power cuts of a test.
fn cuts() -> usize {
    std::env::var("KILN_POWER_CUTS").map_or(300, |count| count.parse().expect("KILN_POWER_CUTS is not a number"))
}

/// A temporary folder in memory where there is such a file system: nothing in it needs a sync, of which a check makes hundreds.
fn memory_dir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl Recording {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let replay = Replay::new(home.path());
        Self { home, replay, workload: Workload(vec![Vec::new()]) }
    }

    /// Records a command. Its change is acknowledged once it prints a line with `done`, or ends.
    fn run(&mut self, args: &[&str], done: &str, change: Change) {
        let trace = tempfile::NamedTempFile::new().unwrap();
        let output = trace::start(self.home.path(), args, trace.path()).wait_with_output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && message.contains(done), "{args:?}: {message}");
        let name = args.join(" ");
        let is_done = |text: &[u8]| String::from_utf8_lossy(text).contains(done).then(|| name.clone());
        self.replay.add(&trace::read(trace.path()), is_done);
        self.workload.0[0].push((name, change));
        self.assert_replayed();
    }

    /// Asserts that the replay knows all that the processes wrote.
    fn assert_replayed(&self) {
        let mut replayed = self.replay.tree();
        replayed.retain(|path, _| path.starts_with("store/"));
        let written = disk::read(&self.home.path().join(STORE));
        let written: disk::Tree =
            written.into_iter().map(|(path, content)| (format!("{STORE}/{path}"), content)).collect();
        let paths: BTreeSet<&String> = replayed.keys().chain(written.keys()).collect();
        // A thread may be writing an unfinished file when the process ends; the end of that call is not traced.
        let is_finished = |path: &&String| Path::new(path.as_str()).extension().is_none_or(|ending| ending != "part");
        let differing: Vec<_> =
            paths.into_iter().filter(is_finished).filter(|path| replayed.get(*path) != written.get(*path)).collect();
        assert!(differing.is_empty(), "the replay differs from the files in {differing:?}");
    }

    /// Checks the store after `count` power cuts, and returns the number of cuts and the failures.
    fn check(&self, count: usize, seed: u64, ignored: Ignored) -> Vec<String> {
        let events = &self.replay.events;
        let mut random = Random(seed);
        let marks: Vec<usize> =
            (0..events.len()).filter(|at| matches!(events[*at], Event::Sync { .. } | Event::Acknowledged(_))).collect();
        let mut failures = Vec::new();
        for number in 0..count {
            // Half of the cuts follow or precede a sync or a response, where most of the states of a disk end.
            let cut = match random.below(2) {
                0 => random.below(events.len() + 1),
                _ => marks[random.below(marks.len())] + random.below(2),
            };
            let (mut tree, model) = disk::after_cut(&events[..cut], &self.replay.is_folder, ignored, &mut random);
            tree.retain(|path, _| path == STORE || path.starts_with("store/"));
            let acknowledged: Vec<&str> = events[..cut]
                .iter()
                .filter_map(|event| if let Event::Acknowledged(name) = event { Some(name.as_str()) } else { None })
                .collect();
            let after = memory_dir();
            disk::write_tree(&tree, after.path());
            let store = after.path().join(STORE);
            let checked = catch_unwind(AssertUnwindSafe(|| self.workload.check(&store, &acknowledged)));
            let checked = checked.unwrap_or_else(|_| Err("a panic".to_owned()));
            if let Err(failure) = checked {
                failures.push(format!("cut {number} after event {cut}, {model:?}: {failure}"));
            }
        }
        failures
    }

    /// Asserts that each power cut leaves a correct store, and that the check detects each kind of missing sync.
    fn assert_survives(&self, seed: u64) {
        let failures = self.check(cuts(), seed, Ignored::Nothing);
        println!("{} events, {} power cuts", self.replay.events.len(), cuts());
        assert!(failures.is_empty(), "{} of {} power cuts:\n{}", failures.len(), cuts(), failures.join("\n"));
    }

    /// Asserts that the check fails if the disk ignores syncs.
    fn assert_detects(&self, ignored: Ignored, seed: u64) {
        const COUNT: usize = 40;
        let failures = self.check(COUNT, seed, ignored);
        println!("ignored {ignored:?}: {} of {COUNT} power cuts are detected", failures.len());
        assert!(!failures.is_empty(), "{ignored:?} are not synced, and no power cut shows it");
    }
}

/// CSV text of `count` points of a weight and a time.
fn timed(count: u64, weight: u32, time: &str) -> String {
    let lines = points_of(count, weight);
    let mut lines = lines.lines();
    let head = lines.next().unwrap();
    lines.fold(format!("{head},time\n"), |text, line| text + line + "," + time + "\n")
}

/// Commands that change the points of a store in each way that there is.
fn commands() -> Recording {
    let mut recording = Recording::new();
    let write = |name: &str, text: String| fs::write(recording.home.path().join(name), text).unwrap();
    write("a.csv", points_of(5000, 3));
    write("b.csv", points_of(300, 2));
    write("c.csv", points_of(400, 4));
    write("old.csv", timed(200, 5, "2001-02-03T04:05:06Z"));
    write("new.csv", timed(100, 6, "2200-02-03T04:05:06Z"));
    let trips = "trips";
    recording.run(
        &["import", "a.csv", "--layer", "trips"],
        "5,000 points",
        Change::Append { layer: trips, weight: 3, count: 5000 },
    );
    recording.run(
        &["import", "b.csv", "--layer", "trips", "--append"],
        "300 points",
        Change::Append { layer: trips, weight: 2, count: 300 },
    );
    recording.run(&["compact", "trips"], "trips", Change::Compact);
    recording.run(
        &["import", "old.csv", "--layer", "timed"],
        "200 points",
        Change::Append { layer: "timed", weight: 5, count: 200 },
    );
    recording.run(
        &["import", "new.csv", "--layer", "timed", "--append"],
        "100 points",
        Change::Append { layer: "timed", weight: 6, count: 100 },
    );
    recording.run(
        &["expire", "timed", "--older-than", "30d", "--yes"],
        "200",
        Change::Expire { layer: "timed", weight: 5 },
    );
    recording.run(
        &["import", "c.csv", "--layer", "trips", "--replace"],
        "400 points",
        Change::Replace { layer: trips, weight: 4, count: 400 },
    );
    recording.run(&["drop", "timed", "--yes"], "timed", Change::Drop { layer: "timed" });
    recording
}

#[test]
fn commands_keep_what_they_report_through_power_cuts() {
    let recording = commands();
    recording.assert_survives(1);
    recording.assert_detects(Ignored::Files, 2);
    recording.assert_detects(Ignored::Folders, 3);
}

/// Sends a request whose id is the name of its change, and asserts that it succeeds.
fn send(address: &str, name: &str, request: &LayerRequest) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&[head(address, name, request).as_bytes(), &request.body].concat()).unwrap();
    let reply = receive(&mut stream);
    assert!((200..300).contains(&reply.status), "{request:?}: {}", String::from_utf8_lossy(&reply.body));
}

/// The id of the request that a response of success answers.
fn answered(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let id = head.strip_prefix("HTTP/1.1 2")?.split_once("x-request-id: ")?.1;
    let id = id.lines().next()?;
    (id.starts_with("key-") || id.starts_with("change-")).then(|| id.to_owned())
}

/// A server that takes points from two clients at a time, and changes of a layer from a third one.
fn server() -> Recording {
    const POSTS: u32 = 12;
    let mut recording = Recording::new();
    let home = recording.home.path();
    fs::write(home.join("kiln.toml"), format!("[server]\ntoken = \"{TOKEN}\"\n")).unwrap();
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut process = trace::start(home, &["serve", "-l", "127.0.0.1:0"], trace.path());
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| Some(line.split_once(" at http://")?.1.trim_end_matches('/').to_owned()));
    let address = address.expect("the server did not start");
    let log = thread::spawn(move || lines.collect::<Vec<_>>().join("\n"));
    let created = LayerRequest::title("posted", "Posted");
    send(&address, "change-first", &created);
    recording.workload.0[0].push(("change-first".to_owned(), created.change));
    let posts = |client: u32| {
        (0..POSTS).map(move |post| {
            let weight = 1000 * (client + 1) + post;
            (format!("key-{client}-{post}"), LayerRequest::append("posted", weight, 40, points_of(40, weight)))
        })
    };
    let floor = (0..2).flat_map(plane_changes).enumerate();
    let floor: Vec<(String, LayerRequest)> =
        floor.map(|(number, request)| (format!("change-{number}"), request)).collect();
    let clients: Vec<Vec<(String, LayerRequest)>> =
        (0..2).map(|client| posts(client).collect()).chain([floor]).collect();
    thread::scope(|scope| {
        for client in &clients {
            scope.spawn(|| client.iter().for_each(|(name, request)| send(&address, name, request)));
        }
    });
    let changes =
        |client: Vec<(String, LayerRequest)>| client.into_iter().map(|(name, request)| (name, request.change));
    recording.workload.0.extend(clients.into_iter().map(|client| changes(client).collect()));
    trace::terminate(trace.path());
    let ended = process.wait().unwrap();
    assert!(ended.success(), "{ended}: {}", log.join().unwrap());
    recording.replay.add(&trace::read(trace.path()), answered);
    recording.assert_replayed();
    let count = recording.workload.0.iter().flatten().count();
    let answers = recording.replay.events.iter().filter(|event| matches!(event, Event::Acknowledged(_))).count();
    assert_eq!(answers, count, "each response is recorded");
    recording
}

#[test]
fn a_server_keeps_what_it_acknowledges_through_power_cuts() {
    let recording = server();
    recording.assert_survives(4);
    recording.assert_detects(Ignored::Files, 5);
    recording.assert_detects(Ignored::Folders, 6);
}
