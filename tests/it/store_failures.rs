//! Failures of a store: full disks, damaged files, killed servers.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln::geo::Points;
use kiln::store::{Batch, Store};

use crate::crash_recovery::{add_segments, assert_no_leftover_files, state, write_rows};
use crate::import::files;
use crate::kiln::kiln;
use crate::server::Server;

#[test]
fn truncated_and_corrupted_segments_are_reported_and_the_others_are_served() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    write_rows(&folder.join("a.csv"), 2000, 1);
    kiln(folder, ["import", "a.csv", "--layer", "worn"]).done();
    add_segments(&folder.join("store"), "worn", 2, 700);
    let segment = |id: u32| folder.join(format!("store/worn/{id:08}.points.arrow"));
    let mut bytes = fs::read(segment(2)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(segment(2), bytes).unwrap();
    let truncated = fs::File::options().write(true).open(segment(3)).unwrap();
    truncated.set_len(1000).unwrap();
    for args in [&["layer", "worn"][..], &["layer", "worn", "--verify"], &["layer", "worn", "--json"]] {
        let words = ["2 segments damaged", "00000002.points.arrow", "checksum", "00000003.points.arrow", "1000 bytes"];
        kiln(folder, args).failed(1, &words);
    }
    kiln(folder, ["layers"]).failed(1, &["damaged: worn;"]);
    let server = Server::at(home, &[]);
    assert_eq!(server.get("/worn/statistics").ok(200).json()["points"], 2000);
    let tile = server.get("/worn/0/0/0.png").ok(200);
    assert!(tile.body.starts_with(b"\x89PNG"));
    // Points can still be added.
    kiln(server.folder(), ["import", "a.csv", "--layer", "worn", "--append"]).done();
    crate::server::eventually("the new points are served", || {
        server.get("/worn/statistics").ok(200).json()["points"] == 4000
    });
}

#[test]
fn a_store_has_one_writing_server_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    write_rows(&home.path().join("a.csv"), 10, 1);
    kiln(home.path(), ["import", "a.csv", "--layer", "shared"]).done();
    let store = home.path().join("store");
    let start_server = |flags: &[&str]| {
        let mut args = vec!["--store", store.to_str().unwrap()];
        args.extend(flags);
        Server::with(&args, "")
    };
    let first = start_server(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    let second = kiln(elsewhere.path(), ["serve", "-l", "0", "--store", store.to_str().unwrap()]);
    second.failed(1, &["store", "another server uses this store", "--read-only"]);
    // A read-only server may share the store.
    assert_eq!(start_server(&["--read-only"]).get("/shared/statistics").ok(200).json()["points"], 10);
    // A killed server releases its lock.
    drop(first);
    assert_eq!(start_server(&[]).get("/shared/statistics").ok(200).json()["points"], 10);
}

#[test]
fn a_server_removes_leftover_files_at_startup() {
    let home = tempfile::tempdir().unwrap();
    write_rows(&home.path().join("a.csv"), 10, 1);
    kiln(home.path(), ["import", "a.csv", "--layer", "kept"]).done();
    let before = files(home.path());
    let store = home.path().join("store");
    fs::create_dir(store.join(".work-x1y2z3")).unwrap();
    for file in [".work-x1y2z3/lock", ".work-x1y2z3/run-0.points.arrow", "kept/00000009.bins.arrow"] {
        fs::write(store.join(file), "x").unwrap();
    }
    let server = Server::at(home, &[]);
    let mut after = files(server.folder());
    after.retain(|file| !file.starts_with("server."));
    assert_eq!(after, before);
}

#[test]
fn exceeding_the_file_size_limit_is_reported_and_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    write_rows(&home.join("small.csv"), 100, 1);
    write_rows(&home.join("large.csv"), 20_000, 2);
    kiln(home, ["import", "small.csv", "--layer", "tight"]).done();
    let before = (files(home), state(home, "tight"));
    for (layer, mode) in [("tight", "--append"), ("tight", "--replace"), ("fresh", "--append")] {
        // 64 blocks of 512 bytes; the signal is ignored, so that the write fails.
        let script = format!("trap '' XFSZ; ulimit -f 64; exec \"$KILN\" import large.csv --layer {layer} {mode}");
        let run = Command::new("sh")
            .args(["-c", &script])
            .env("KILN", env!("CARGO_BIN_EXE_kiln"))
            .env_remove("KILN_STORE")
            .current_dir(home)
            .output()
            .unwrap();
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!((run.status.code(), message.lines().count()), (Some(1), 1), "{message}");
        assert!(message.contains("points.arrow: cannot write: File too large"), "{message}");
        assert_eq!((files(home), state(home, "tight")), before);
    }
    kiln(home, ["import", "large.csv", "--layer", "tight", "--append"]).done();
    assert_eq!(state(home, "tight"), (20_100, 40_100));
}

/// A small tmpfs mount, unmounted on drop.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None` without permission to mount.
    pub(crate) fn mount(at: &Path, kib: u32) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={kib}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_reported_and_changes_nothing_whichever_file_it_affects() {
    const DISK_KIB: u32 = 1024;
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let Some(_disk) = SmallDisk::mount(&home.join("store"), DISK_KIB) else {
        println!("no file system can be mounted here: the test uses the file size limit instead of a full disk");
        exceeding_the_file_size_limit_is_reported_and_changes_nothing();
        return;
    };
    write_rows(&home.join("a.csv"), 5000, 1);
    kiln(home, ["import", "a.csv", "--layer", "full"]).done();
    let before = (files(home), state(home, "full"));
    write_rows(&home.join("large.csv"), 60_000, 2);
    for layer in ["full", "other"] {
        let run = kiln(home, ["import", "large.csv", "--layer", layer, "--append"]);
        run.failed(1, &["store/", "cannot write: No space left on device"]);
        assert_eq!((files(home), state(home, "full")), before);
    }
    // One more free page each time, so that writing fails in the points, the bins and the manifest in turn.
    let store = Store::open(&home.join("store")).unwrap();
    let layer = store.layer("full").unwrap().unwrap();
    // Enough points for a segment to get bins at once.
    let positions = (0..33_000).map(|i| (f64::from(i % 1000) / 50.0, f64::from(i % 700) / 70.0));
    let (lon, lat): (Vec<f64>, Vec<f64>) = positions.unzip();
    // Files of one page each: a kernel may keep the pages of a large file that is truncated.
    let fill = |bytes: usize| {
        let mut file = tempfile::tempfile_in(home.join("store")).unwrap();
        let written = file.write_all(&vec![1; bytes]);
        (file, written.is_ok())
    };
    let mut pages: Vec<_> = (0..150).map(|_| fill(4096)).collect();
    let rest = fill(1024 * DISK_KIB as usize);
    assert!(pages.iter().all(|(_, is_written)| *is_written) && !rest.1, "the disk is not full");
    let mut failed_files = BTreeSet::new();
    loop {
        assert!(pages.pop().is_some(), "the disk is always full: {failed_files:?}");
        let mut batch = Batch::default();
        batch.add(Points::new(&lon, &lat).unwrap());
        let outcome = layer.append(batch, None);
        match outcome {
            Ok(_) => break,
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("No space left on device"), "{message}");
                let file = Path::new(message.split(": ").next().unwrap()).file_name().unwrap().to_owned();
                failed_files.insert(file.into_string().unwrap());
            }
        }
        assert_eq!((files(home), layer.snapshot().points()), (before.0.clone(), 5000));
    }
    drop(rest);
    println!("the disk was full at {failed_files:?}");
    for file in ["result.points.arrow", "result.bins.arrow", "manifest.json"] {
        assert!(failed_files.contains(file), "{failed_files:?}");
    }
    assert_eq!(state(home, "full"), (38_000, 38_000));
    assert_no_leftover_files(home);
}
