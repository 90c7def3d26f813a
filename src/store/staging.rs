//! Where files are made before they belong to a layer.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::lock::lock_file;
use super::manifest::create_folder;
use crate::error::{Error, Result};

/// A folder for files that do not belong to a layer yet. It goes with what is in it when it is dropped, or, where the
/// process came to a sudden end, when somebody else [finds](Self::sweep) it.
#[derive(Debug)]
pub(super) struct StagingDir {
    folder: PathBuf,
    /// Held as long as somebody works here.
    _lock: File,
}

impl StagingDir {
    /// The name of the segment that is the result of the work.
    pub(super) const RESULT: &'static str = "result";
    const PREFIX: &'static str = ".work-";
    const LOCK: &'static str = "lock";

    /// A new one in `parent`, which is made if it is not there.
    pub(super) fn new(parent: &Path) -> Result<Self> {
        let refused = |error| Error::io(parent, "write to", error);
        create_folder(parent).map_err(refused)?;
        loop {
            let folder = tempfile::Builder::new().prefix(Self::PREFIX).tempdir_in(parent).map_err(refused)?.keep();
            match lock_file(&folder.join(Self::LOCK)) {
                Ok(lock) => return Ok(Self { folder, _lock: lock }),
                // Somebody sweeps, and took it for one that was left behind.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let _ = clear(&folder);
                    return Err(refused(error));
                }
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Removes the staging folders whose processes are gone.
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
                // Without a lock it is empty. If it was made just now, its maker makes another one.
                Err(_) => drop(fs::remove_dir(entry.path())),
            }
        }
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        // What cannot be removed now is swept later.
        let _ = clear(&self.folder);
    }
}

/// Removes a staging folder. Its lock goes last, so that whatever is left when this comes to a sudden end is found by it.
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
    fn what_was_left_behind_goes_and_what_is_in_use_stays() {
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
    fn nobody_loses_a_workplace_to_whoever_sweeps() {
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
