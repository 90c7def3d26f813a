//! The staging directory of an export, next to its target.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::images::sync_folder;

/// The directory `.{target}.part`, locked against other processes. It is kept after an interrupted export.
#[derive(Debug)]
pub(super) struct StagingDir {
    target: PathBuf,
    path: PathBuf,
    /// The operating system releases the lock when the process exits, even if it is killed.
    _lock: File,
}

impl StagingDir {
    const LOCK: &str = "lock";
    const OLD: &str = "old";

    /// Opens or creates the directory for `target`.
    ///
    /// # Errors
    /// [`Error::Input`] if another export to the same target is running; [`Error::Io`] if the directory is not
    /// writable.
    pub(super) fn open(target: &Path) -> Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.part"));
        match fs::create_dir(&path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::io(target, "write", error)),
            _ => {}
        }
        let lock_path = path.join(Self::LOCK);
        let failed = |error| Error::io(&lock_path, "write", error);
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { target: target.to_owned(), path, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                Err(Error::input(target, "another export is writing to it; wait for it to finish, or use another name"))
            }
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// The target of the export.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The path of an entry.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Removes an entry, if it exists.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        remove(&self.path(name))
    }

    /// Removes all entries except the lock.
    pub(super) fn clear(&self) -> Result<()> {
        let failed = |error| Error::io(&self.path, "read", error);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name() != Self::LOCK {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes the directory. A failure is ignored, since the next export reuses the directory.
    pub(super) fn discard(self) {
        let _ = fs::remove_dir_all(&self.path);
    }

    /// Moves an entry to the target and removes the directory. The entry is synced to disk before it is moved, so that
    /// a power cut leaves either the old target or the new one.
    pub(super) fn commit(self, name: &str) -> Result<()> {
        let Self { target, path, .. } = &self;
        let entry = path.join(name);
        let failed = |error| Error::io(target, "write", error);
        sync(&entry)?;
        // No system call replaces a directory that has files.
        if target.is_dir() {
            self.remove(Self::OLD)?;
            fs::rename(target, path.join(Self::OLD)).map_err(failed)?;
        }
        fs::rename(entry, target).map_err(failed)?;
        sync_folder(target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        fs::remove_dir_all(path).map_err(|error| Error::io(path, "remove", error))
    }
}

/// Syncs a file, or a directory with all its contents, to disk.
fn sync(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return File::open(path).and_then(|file| file.sync_all()).map_err(|error| Error::io(path, "write", error));
    }
    for entry in fs::read_dir(path).map_err(|error| Error::io(path, "read", error))? {
        sync(&entry.map_err(|error| Error::io(path, "read", error))?.path())?;
    }
    sync_folder(path)
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path, "remove", error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_one_export_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        let first = StagingDir::open(&target).unwrap();
        assert!(StagingDir::open(&target).unwrap_err().to_string().contains("another export"));
        drop(first);
        StagingDir::open(&target).unwrap();
    }

    #[test]
    fn a_committed_directory_replaces_only_its_target() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("out")).unwrap();
        fs::write(folder.path().join("out/stale"), "").unwrap();
        let staging = StagingDir::open(&folder.path().join("out")).unwrap();
        fs::create_dir(staging.path("tree")).unwrap();
        fs::write(staging.path("tree/tile"), "png").unwrap();
        fs::write(staging.path("rest"), "").unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        staging.commit("tree").unwrap();
        assert_eq!(fs::read(folder.path().join("out/tile")).unwrap(), b"png");
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["other", "out"]);
        assert!(!folder.path().join("out/stale").exists());
    }
}
