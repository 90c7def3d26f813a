//! Staging folders, where files are written before they belong to a layer.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::lock::lock_file;
use super::manifest::create_folder;
use kiln_core::error::{Error, Result};

/// A folder for files that do not belong to a layer yet. Dropping it removes it with its files; where the process was
/// killed, another process [removes](Self::sweep) it.
#[derive(Debug)]
pub(super) struct StagingDir {
    folder: PathBuf,
    /// Held as long as the folder is in use.
    _lock: File,
}

impl StagingDir {
    /// The name of the one segment that a commit takes from the folder.
    pub(super) const SEGMENT: &'static str = "result";
    const PREFIX: &'static str = ".work-";
    const LOCK: &'static str = "lock";

    /// Creates a staging folder in `parent`, and `parent` where it is missing.
    pub(super) fn new(parent: &Path) -> Result<Self> {
        let failed = |error| Error::io(parent, "write to", error);
        create_folder(parent).map_err(failed)?;
        loop {
            let folder = tempfile::Builder::new().prefix(Self::PREFIX).tempdir_in(parent).map_err(failed)?.keep();
            match lock_file(&folder.join(Self::LOCK)) {
                Ok(lock) => return Ok(Self { folder, _lock: lock }),
                // Another process sweeps, and took the folder for an abandoned one.
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

    /// Removes the staging folders of processes that have ended.
    pub(super) fn sweep(parent: &Path) {
        for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
            if !entry.file_name().to_string_lossy().starts_with(Self::PREFIX) {
                continue;
            }
            match File::open(entry.path().join(Self::LOCK)) {
                Ok(lock) => {
                    if lock.try_lock().is_ok() {
                        let _ = clear(&entry.path());
                    }
                }
                // Without a lock it is empty. If it is a new one, its process creates another.
                Err(_) => drop(fs::remove_dir(entry.path())),
            }
        }
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        // A sweep removes later what cannot be removed now.
        let _ = clear(&self.folder);
    }
}

/// Removes a staging folder. Its lock is removed last, so that a sweep finds what is left where the process is killed.
fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == StagingDir::LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_file(folder.join(StagingDir::LOCK)) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
        for (left, files) in
            [(".work-a", &["lock", "run-0.points.arrow"][..]), (".work-b", &["lock"]), (".work-c", &[])]
        {
            fs::create_dir_all(store.join(left).join("inner")).unwrap();
            fs::write(store.join(left).join("inner/file"), "x").unwrap();
            if files.is_empty() {
                fs::remove_dir_all(store.join(left).join("inner")).unwrap();
            }
            for file in files {
                fs::write(store.join(left).join(file), "x").unwrap();
            }
        }
        fs::create_dir(store.join("cities")).unwrap();
        StagingDir::sweep(&store);
        assert_eq!(count(&store), 2);
        assert!(used.path().join("run-0.points.arrow").exists());
        drop(used);
        assert_eq!(count(&store), 1);
    }

    #[test]
    fn a_sweep_never_removes_a_staging_folder_in_use() {
        let store = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let makers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..300 {
                            let made = StagingDir::new(store.path()).unwrap();
                            fs::write(made.path().join("file"), "x").unwrap();
                            assert!(made.path().join("file").exists());
                        }
                    })
                })
                .collect();
            while !makers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                StagingDir::sweep(store.path());
            }
        });
        assert_eq!(count(store.path()), 0);
    }
}
