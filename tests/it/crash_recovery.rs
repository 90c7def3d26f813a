//! Commands that are killed while they write to a store.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kiln::geo::Points;
use kiln::store::{Batch, Store};
use serde_json::Value;

use crate::import::{files, layer};
use crate::kiln::kiln;

/// A random generator with a fixed sequence for each seed.
struct Random(u64);

impl Random {
    /// A number from 0 (included) to 1 (excluded).
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Writes a CSV file of `count` points that each have this weight.
pub(crate) fn write_rows(path: &Path, count: usize, weight: u32) {
    let mut random = Random(u64::from(weight));
    let mut text = String::from("lon,lat,weight\n");
    for _ in 0..count {
        let (lon, lat) = (random.next() * 360.0 - 180.0, random.next() * 160.0 - 80.0);
        writeln!(text, "{lon:.4},{lat:.4},{weight}").unwrap();
    }
    fs::write(path, text).unwrap();
}

/// The number of points of an undamaged layer, and the sum of their weights.
pub(crate) fn state(home: &Path, name: &str) -> (u64, u64) {
    let described = layer(home, name);
    assert_eq!(described["damaged"], serde_json::json!([]));
    let points = described["points"].as_u64().unwrap();
    (points, described["weight"]["sum"].as_f64().map_or(points, |sum| sum as u64))
}

fn start(home: &Path, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kiln"))
        .args(args)
        .current_dir(home)
        .env_remove("KILN_STORE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// When to kill a process.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After a delay.
    After(Duration),
    /// As soon as a new file exists whose path contains this text.
    FileCreated(&'static str),
    /// As soon as a manifest is replaced: the change is committed, but the command still runs.
    ManifestReplaced,
}

/// Parts of the paths of files that the commands create. Some kills wait for one of them; most happen at any time.
const PATH_PARTS: [&str; 6] =
    [".work-", "result.points", "result.bins", ".points.arrow", ".bins.arrow", "manifest.json.part"];

/// The manifests of all layers and their inode numbers, which change when a manifest is replaced.
fn manifests(home: &Path) -> BTreeMap<PathBuf, u64> {
    let folders = fs::read_dir(home.join("store")).into_iter().flatten().flatten();
    let in_place = folders.filter(|folder| !folder.file_name().to_str().unwrap().starts_with('.'));
    let manifests = in_place.map(|folder| folder.path().join("manifest.json"));
    manifests.filter_map(|manifest| Some((manifest.clone(), fs::metadata(manifest).ok()?.ino()))).collect()
}

/// Kills commands at random moments.
struct Killer {
    home: PathBuf,
    random: Random,
    /// The duration of the command without a kill.
    duration: Duration,
    /// The number of commands that were killed before their change was committed, and after.
    killed: [usize; 2],
    /// The number of kills on a file or a manifest.
    by_event: usize,
    /// The number of commands that ended before the kill.
    ended: usize,
}

impl Killer {
    fn new(home: &Path, seed: u64, duration: Duration) -> Self {
        Self { home: home.to_owned(), random: Random(seed), duration, killed: [0; 2], by_event: 0, ended: 0 }
    }

    /// Whether at least `count` commands were killed, some of them after their commit.
    fn has_killed(&self, count: usize) -> bool {
        const AFTER: usize = 3;
        let kills = self.killed.iter().sum::<usize>();
        assert!(kills + self.ended < 5 * count, "too few commands were killed: {:?}", self.killed);
        kills >= count && self.killed[1] >= AFTER
    }

    fn moment(&mut self) -> Moment {
        match self.random.next() {
            share if share < 0.3 => {
                Moment::FileCreated(PATH_PARTS[(self.random.next() * PATH_PARTS.len() as f64) as usize])
            }
            share if share < 0.45 => Moment::ManifestReplaced,
            _ => Moment::After(self.duration.mul_f64(self.random.next() * 1.1)),
        }
    }

    /// Starts a command and kills it, unless it ends first. `is_done` returns whether its change was committed.
    fn kill(&mut self, args: &[&str], is_done: impl FnOnce() -> bool) {
        let moment = self.moment();
        let before: BTreeSet<String> = files(&self.home).into_iter().collect();
        let manifests_before = manifests(&self.home);
        let started = Instant::now();
        let mut child = start(&self.home, args);
        let is_moment = || match moment {
            Moment::After(delay) => started.elapsed() >= delay,
            Moment::FileCreated(path_part) => {
                files(&self.home).iter().any(|file| file.contains(path_part) && !before.contains(file))
            }
            Moment::ManifestReplaced => manifests(&self.home) != manifests_before,
        };
        let mut ended = None;
        while ended.is_none() && !is_moment() {
            std::thread::yield_now();
            ended = child.try_wait().unwrap();
        }
        child.kill().unwrap();
        let ended = ended.unwrap_or_else(|| child.wait().unwrap());
        let is_done = is_done();
        if ended.code().is_some() {
            assert!(ended.success() && is_done, "{args:?}: {ended}");
            self.ended += 1;
        } else {
            self.killed[usize::from(is_done)] += 1;
            self.by_event += usize::from(!matches!(moment, Moment::After(_)));
        }
    }

    fn print_summary(&self, what: &str) {
        let Self { killed: [before, after], by_event, ended, .. } = self;
        println!(
            "{what}: killed {}: {before} before the commit, {after} after it ({by_event} at an event, the others \
             at any time); {ended} ended before the kill",
            before + after
        );
    }
}

/// Runs a command and returns its duration.
fn duration(home: &Path, args: &[&str]) -> Duration {
    let started = Instant::now();
    assert!(start(home, args).wait().unwrap().success(), "{args:?}");
    started.elapsed()
}

/// Asserts that the store has no files but those that the manifests of its layers name.
pub(crate) fn assert_no_leftover_files(home: &Path) {
    let mut expected = BTreeSet::new();
    for entry in fs::read_dir(home.join("store")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let manifest = fs::read_to_string(folder.join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        expected.extend([".lock", "manifest.json"].map(|file| format!("{name}/{file}")));
        for segment in manifest["layer"]["segments"].as_array().unwrap() {
            let id = segment["id"].as_u64().unwrap();
            expected.insert(format!("{name}/{id:08}.points.arrow"));
            if !segment["bins"].is_null() {
                expected.insert(format!("{name}/{id:08}.bins.arrow"));
            }
        }
    }
    assert_eq!(files(home).into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn killed_imports_leave_a_layer_with_all_points_or_none() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 6000, 3);
    let import = ["import", "a.csv", "--layer", "new", "-q"];
    let time = duration(home, &import);
    kiln(home, ["drop", "new", "--yes"]).done();
    let mut killer = Killer::new(home, 1, time);
    while !killer.has_killed(60) {
        killer.kill(&import, || {
            let list = kiln(home, ["layers", "--json"]);
            assert_eq!(list.code, 0, "{}", list.stderr);
            let is_there = serde_json::from_slice::<Value>(&list.stdout).unwrap() != serde_json::json!([]);
            if is_there {
                assert_eq!(state(home, "new"), (6000, 18_000));
                kiln(home, ["drop", "new", "--yes"]).done();
            }
            is_there
        });
    }
    killer.print_summary("imports");
    kiln(home, import).done();
    assert_eq!(state(home, "new"), (6000, 18_000));
    assert_no_leftover_files(home);
}

#[test]
fn killed_appends_add_all_points_or_none() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 5000, 1);
    write_rows(&home.join("b.csv"), 4500, 2);
    kiln(home, ["import", "a.csv", "--layer", "grown"]).done();
    let append = ["import", "b.csv", "--layer", "grown", "--append", "-q"];
    let mut killer = Killer::new(home, 2, duration(home, &append));
    let mut expected = state(home, "grown");
    assert_eq!(expected, (9500, 14_000));
    while !killer.has_killed(60) {
        killer.kill(&append, || {
            let now = state(home, "grown");
            let is_done = now != expected;
            if is_done {
                assert_eq!(now, (expected.0 + 4500, expected.1 + 9000));
                expected = now;
            }
            is_done
        });
    }
    killer.print_summary("appends");
    kiln(home, append).done();
    assert_eq!(state(home, "grown"), (expected.0 + 4500, expected.1 + 9000));
    assert_no_leftover_files(home);
}

#[test]
fn killed_replacements_leave_the_old_points_or_the_new() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sides = [("a.csv", 5000, 1), ("b.csv", 4500, 2)];
    for (file, count, weight) in sides {
        write_rows(&home.join(file), count, weight);
    }
    let states = sides.map(|(_, count, weight)| (count as u64, count as u64 * u64::from(weight)));
    let replace = sides.map(|(file, ..)| ["import", file, "--layer", "turned", "--replace", "-q"]);
    kiln(home, replace[0]).done();
    let time = duration(home, &replace[0]);
    let mut killer = Killer::new(home, 3, time);
    let mut side = 0;
    while !killer.has_killed(40) {
        let other = 1 - side;
        killer.kill(&replace[other], || {
            let now = state(home, "turned");
            let is_done = now != states[side];
            if is_done {
                assert_eq!(now, states[other]);
                side = other;
            }
            is_done
        });
    }
    killer.print_summary("replacements");
    kiln(home, replace[1 - side]).done();
    assert_eq!(state(home, "turned"), states[1 - side]);
    assert_no_leftover_files(home);
}

#[test]
fn killed_imports_of_a_partition_leave_its_old_run_or_the_new() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let sides = [("run=a", 5000, 1), ("run=b", 4500, 2)];
    for (run, count, weight) in sides {
        let folder = home.join("bins").join(run);
        fs::create_dir_all(&folder).unwrap();
        write_rows(&folder.join("part-0.csv"), count, weight);
        fs::write(folder.join("_SUCCESS"), "").unwrap();
    }
    write_rows(&home.join("other.csv"), 700, 3);
    kiln(home, ["import", "other.csv", "--layer", "days", "--partition", "2026-11-27"]).done();
    // The other day stays.
    let states = sides.map(|(_, count, weight)| (count as u64 + 700, count as u64 * u64::from(weight) + 2100));
    let runs = sides.map(|(run, ..)| format!("bins/{run}"));
    let import =
        [0, 1].map(|side: usize| ["import", runs[side].as_str(), "--layer", "days", "--partition", "2026-11-28", "-q"]);
    let mut killer = Killer::new(home, 6, duration(home, &import[0]));
    let mut side = 0;
    while !killer.has_killed(40) {
        let other = 1 - side;
        killer.kill(&import[other], || {
            let now = state(home, "days");
            let is_done = now != states[side];
            if is_done {
                assert_eq!(now, states[other]);
                side = other;
            }
            is_done
        });
    }
    killer.print_summary("imports of a partition");
    for _ in 0..2 {
        kiln(home, import[1 - side]).done();
        assert_eq!(state(home, "days"), states[1 - side]);
    }
    assert_no_leftover_files(home);
}

/// Adds segments of `count` points that each have a weight of 5.
pub(crate) fn add_segments(store: &Path, name: &str, segments: usize, count: usize) {
    let store = Store::open(store).unwrap();
    let layer = store.layer(name).unwrap().unwrap();
    let mut random = Random(segments as u64);
    for _ in 0..segments {
        let lon: Vec<f64> = (0..count).map(|_| random.next() * 360.0 - 180.0).collect();
        let lat: Vec<f64> = (0..count).map(|_| random.next() * 160.0 - 80.0).collect();
        let weight = vec![5.0; count];
        let mut batch = Batch::default();
        assert_eq!(batch.add(Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap()), 0);
        layer.append(batch, None).unwrap();
    }
}

#[test]
fn killed_compactions_lose_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("a.csv"), 5000, 1);
    kiln(home, ["import", "a.csv", "--layer", "packed"]).done();
    add_segments(&home.join("store"), "packed", 3, 1500);
    let compact = ["compact", "packed", "-q"];
    let mut killer = Killer::new(home, 4, duration(home, &compact));
    add_segments(&home.join("store"), "packed", 2, 500);
    let mut expected = (10_500, 32_500);
    while !killer.has_killed(60) {
        killer.kill(&compact, || {
            assert_eq!(state(home, "packed"), expected);
            let is_done = layer(home, "packed")["segments"] == 1;
            if is_done {
                add_segments(&home.join("store"), "packed", 2, 500);
                expected = (expected.0 + 1000, expected.1 + 5000);
            }
            is_done
        });
    }
    killer.print_summary("compactions");
    kiln(home, ["import", "a.csv", "--layer", "packed", "--append"]).done();
    kiln(home, compact).done();
    assert_eq!(state(home, "packed"), (expected.0 + 5000, expected.1 + 5000));
    assert_no_leftover_files(home);
}

#[test]
fn killed_expiries_remove_all_old_points_or_none() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    for (file, count, weight, year) in [("old.csv", 4000, 5, 2001), ("new.csv", 2000, 6, 2200)] {
        write_rows(&home.join(file), count, weight);
        let rows = fs::read_to_string(home.join(file)).unwrap().replacen('\n', ",time\n", 1);
        let (head, rows) = rows.split_once('\n').unwrap();
        let rows: Vec<_> = rows.lines().map(|row| format!("{row},{year}-02-03T04:05:06Z")).collect();
        fs::write(home.join(file), format!("{head}\n{}\n", rows.join("\n"))).unwrap();
    }
    let append = ["import", "old.csv", "--layer", "aged", "--append", "-q"];
    kiln(home, ["import", "new.csv", "--layer", "aged"]).done();
    kiln(home, append).done();
    let expire = ["expire", "aged", "--older-than", "30d", "--yes", "-q"];
    let mut killer = Killer::new(home, 5, duration(home, &expire));
    kiln(home, append).done();
    while !killer.has_killed(30) {
        killer.kill(&expire, || {
            let now = state(home, "aged");
            let is_done = now != (6000, 32_000);
            if is_done {
                assert_eq!(now, (2000, 12_000));
                kiln(home, append).done();
            }
            is_done
        });
    }
    killer.print_summary("expiries");
    kiln(home, expire).done();
    assert_eq!(state(home, "aged"), (2000, 12_000));
    assert_no_leftover_files(home);
}
