//! Staging folders for files that are not yet part of a layer.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::disk::{self, File};
use super::grace::Grace;
use super::lock::lock_file;
use super::manifest::create_folder;
use kiln_core::error::{Error, Result};

/// A folder for files that are not yet part of a layer. Dropping it removes the folder with its files; after the
/// process was killed, another process [removes](Self::sweep) it.
#[derive(Debug)]
pub(super) struct StagingDir {
    folder: PathBuf,
    /// Whether the files stay when the value is dropped.
    is_left: bool,
    /// The lock that marks the folder as in use.
    _lock: File,
}

impl StagingDir {
    /// The name of the segment that a commit moves from the folder to the layer.
    pub(super) const SEGMENT: &'static str = "result";
    const PREFIX: &'static str = ".work-";
    /// The prefix of the folder of a removed layer, followed by the time until which it stays.
    const REMOVED: &'static str = ".work-removed-";
    const LOCK: &'static str = "lock";

    /// Creates a staging folder in `parent`, and `parent` if it is missing.
    pub(super) fn new(parent: &Path) -> Result<Self> {
        Self::with_prefix(parent, Self::PREFIX)
    }

    /// Creates a folder in `parent` for a removed layer, whose files stay until `until_s`, in Unix seconds.
    pub(super) fn removed(parent: &Path, until_s: u64) -> Result<Self> {
        Self::with_prefix(parent, &format!("{}{until_s}-", Self::REMOVED))
    }

    fn with_prefix(parent: &Path, prefix: &str) -> Result<Self> {
        let failed = |error| Error::io(parent, "write to", error);
        create_folder(parent).map_err(failed)?;
        loop {
            let folder = disk::create_unique_dir(parent, prefix).map_err(failed)?;
            match lock_file(&folder.join(Self::LOCK)) {
                Ok(lock) => return Ok(Self { folder, is_left: false, _lock: lock }),
                // A sweep of another process has removed the folder before it was locked.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = clear(&folder);
                    return Err(failed(error));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Leaves the folder with its files to a sweep.
    pub(super) fn leave_to_sweep(mut self) {
        self.is_left = true;
    }

    /// Whether the folder `name` is that of a removed layer, and its grace time has passed at `now_s`; `None` if it is
    /// another folder.
    fn has_passed(name: &str, now_s: u64) -> Option<bool> {
        let (until_s, _) = name.strip_prefix(Self::REMOVED)?.split_once('-')?;
        Some(Grace::has_passed(until_s.parse().ok()?, now_s))
    }

    /// Whether there are folders of removed layers whose grace time has passed.
    pub(super) fn any_removed(parent: &Path, now_s: u64) -> bool {
        let is_passed = |name: &OsStr| Self::has_passed(&name.to_string_lossy(), now_s) == Some(true);
        disk::read_dir(parent).into_iter().flatten().flatten().any(|entry| is_passed(&entry.file_name()))
    }

    /// Removes the staging folders of processes that have ended, except for removed layers whose grace time has not passed
    /// at `now_s`.
    pub(super) fn sweep(parent: &Path, now_s: u64) {
        for entry in disk::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with(Self::PREFIX) || Self::has_passed(&name, now_s) == Some(false) {
                continue;
            }
            // The lock file is created if it is missing: after a power cut, a folder can have lost it, and a new folder does
            // not have it yet. The process of a new folder finds it removed, and creates another one.
            let Ok(lock) = disk::open_or_create(&entry.path().join(Self::LOCK)) else { continue };
            if lock.try_lock().is_ok() {
                let _ = clear(&entry.path());
            }
        }
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        // Files that cannot be removed now are left to a sweep.
        if !self.is_left {
            let _ = clear(&self.folder);
        }
    }
}

/// Removes a staging folder. The lock file is removed last, so that a sweep finds the rest if the process is killed.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in disk::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == StagingDir::LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            disk::remove_dir_all(entry.path())?;
        } else {
            disk::remove_file(entry.path())?;
        }
    }
    match disk::remove_file(folder.join(StagingDir::LOCK)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    disk::remove_dir(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    fn count(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_sweep_removes_abandoned_folders_and_keeps_those_in_use() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("store");
        let used = StagingDir::new(&store).unwrap();
        fs::write(used.path().join("run-0.points.arrow"), "points").unwrap();
        for (abandoned, files) in [
            (".work-a", &["lock", "run-0.points.arrow"][..]),
            (".work-b", &["lock"]),
            (".work-c", &[]),
            (".work-d", &["x"]),
        ] {
            fs::create_dir_all(store.join(abandoned).join("inner")).unwrap();
            fs::write(store.join(abandoned).join("inner/file"), "x").unwrap();
            if files.is_empty() {
                fs::remove_dir_all(store.join(abandoned).join("inner")).unwrap();
            }
            for file in files {
                fs::write(store.join(abandoned).join(file), "x").unwrap();
            }
        }
        fs::create_dir(store.join("cities")).unwrap();
        StagingDir::sweep(&store, 0);
        assert_eq!(count(&store), 2);
        assert!(used.path().join("run-0.points.arrow").exists());
        drop(used);
        assert_eq!(count(&store), 1);
    }

    #[test]
    fn a_sweep_never_removes_a_staging_folder_in_use() {
        let store = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..300 {
                            let staging = StagingDir::new(store.path()).unwrap();
                            fs::write(staging.path().join("file"), "x").unwrap();
                            assert!(staging.path().join("file").exists());
                        }
                    })
                })
                .collect();
            while !threads.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                StagingDir::sweep(store.path(), 0);
            }
        });
        assert_eq!(count(store.path()), 0);
    }
}
