//! Atomic writes of files.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file that is written atomically: to a temporary file in the same folder, which replaces the target on
/// [commit](Self::commit) and is removed on drop.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: NamedTempFile,
    _listed: ListedFile,
}

/// The unfinished files of the process.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An entry in the list of unfinished files.
#[derive(Debug)]
struct ListedFile(PathBuf);

impl ListedFile {
    fn new(path: &Path) -> Self {
        unfinished().push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for ListedFile {
    fn drop(&mut self) {
        let mut files = unfinished();
        if let Some(index) = files.iter().position(|file| *file == self.0) {
            files.swap_remove(index);
        }
    }
}

impl AtomicFile {
    /// Prefix and suffix of the names of temporary files.
    pub(crate) const UNFINISHED: (&'static str, &'static str) = (".kiln-", ".part");
    /// The prefix of the names of temporary files that are locked as long as their process runs.
    const LOCKED_PREFIX: &'static str = ".kiln-locked-";

    /// Creates a temporary file for `path`. Symbolic links are followed, and the permissions of an existing file are
    /// kept.
    ///
    /// # Errors
    /// [`Error::Io`] if the temporary file cannot be created, or `path` is a folder or a file without write permission.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |error| Error::io(path, "write", error);
        if path.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        let target = resolve_link(path);
        let permissions = match OpenOptions::new().write(true).open(&target) {
            Ok(existing) => Some(existing.metadata().map_err(failed)?.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(Self::LOCKED_PREFIX).suffix(Self::UNFINISHED.1);
        // Created with the permissions of the umask, not with the private ones of a temporary file.
        let make = |path: &Path| {
            let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
            if is_locked(&file, path) { Ok(file) } else { Err(io::ErrorKind::AlreadyExists.into()) }
        };
        let file = builder.make_in(folder, make).map_err(failed)?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions).map_err(failed)?;
        }
        let listed = ListedFile::new(file.path());
        Ok(Self { path: target, file, _listed: listed })
    }

    /// Creates a temporary file as [`create`](Self::create) does, and removes those in the same folder that killed processes left
    /// behind. The files of running processes are locked.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_output(path: impl AsRef<Path>) -> Result<Self> {
        let file = Self::create(path)?;
        if let Some(folder) = file.file.path().parent() {
            remove_abandoned(folder);
        }
        Ok(file)
    }

    /// Removes the unfinished files of the process, which is about to end without dropping them.
    pub fn discard_all() {
        for path in unfinished().iter() {
            // A file that was moved to its path in the meantime is complete.
            let _ = fs::remove_file(path);
        }
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Moves the file to its path, replacing an existing file.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be moved. The temporary file is removed.
    pub fn commit(self) -> Result<()> {
        let Self { path, file, _listed } = self;
        file.persist(&path).map_err(|error| Error::io(&path, "write", error.error))?;
        Ok(())
    }

    /// Syncs the file to disk, then moves it to its path like [`commit`](Self::commit). A power cut leaves either the
    /// old file or the new one.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_durably(self) -> Result<()> {
        let path = self.path.clone();
        self.file.as_file().sync_all().map_err(|error| Error::io(&path, "write", error))?;
        self.commit()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(folder)
    }
}

/// Locks a new temporary file, and returns whether it still has its name: another process that removes abandoned files may have
/// found it unlocked.
fn is_locked(file: &File, path: &Path) -> bool {
    // Where the system has no locks, other processes cannot lock the file either, and do not remove it.
    if file.lock().is_err() {
        return true;
    }
    path.exists()
}

/// Removes the temporary files in `folder` that no process has locked. Failures are ignored: the next output tries again.
fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_temporary = name.to_str().is_some_and(|name| {
            name.starts_with(AtomicFile::LOCKED_PREFIX) && name.ends_with(AtomicFile::UNFINISHED.1)
        });
        if !is_temporary || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        if file.try_lock().is_ok() {
            // Removed while it is locked, so that a process that has just created it sees that its name is gone.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Syncs the entries of a folder to disk, on systems that support it.
///
/// # Errors
/// [`Error::Io`] if the sync fails.
pub fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|error| Error::io(folder, "write", error))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Follows symbolic links. The target does not need to exist.
fn resolve_link(path: &Path) -> PathBuf {
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    fn write(path: &Path, bytes: &[u8]) {
        let mut file = AtomicFile::create(path).unwrap();
        file.file().write_all(bytes).unwrap();
        file.commit().unwrap();
    }

    #[test]
    fn a_file_is_written_completely_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.png");
        let mut file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        write(&path, b"complete");
        assert_eq!(fs::read(&path).unwrap(), b"complete");
        assert!(AtomicFile::create(folder.path()).is_err());
    }

    #[test]
    fn files_of_killed_processes_are_removed_and_those_of_running_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let running = AtomicFile::create(path("other.png")).unwrap();
        let kept = ["notes.part", ".kiln-locked-mine", ".kiln-old.part", "out.png.part"];
        for name in kept {
            fs::write(path(name), "").unwrap();
        }
        fs::write(path(".kiln-locked-a1B2c3.part"), "half").unwrap();
        fs::create_dir(path(".kiln-locked-folder.part")).unwrap();
        let mut file = AtomicFile::create_output(path("out.png")).unwrap();
        assert!(!path(".kiln-locked-a1B2c3.part").exists());
        assert!(path(".kiln-locked-folder.part").exists() && kept.iter().all(|name| path(name).exists()));
        file.file().write_all(b"complete").unwrap();
        running.commit().unwrap();
        file.commit_durably().unwrap();
        assert_eq!(fs::read(path("out.png")).unwrap(), b"complete");
    }

    #[test]
    fn an_error_has_the_requested_path_and_not_the_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let message = AtomicFile::create(folder.path().join("no/such/out.png")).unwrap_err().to_string();
        assert!(message.contains("no/such/out.png: cannot write") && !message.contains(".kiln-"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("target.png", path("link.png")).unwrap();
        write(&path("link.png"), b"new");
        assert_eq!(fs::read(path("target.png")).unwrap(), b"new");
        fs::set_permissions(path("target.png"), fs::Permissions::from_mode(0o640)).unwrap();
        write(&path("link.png"), b"newer");
        assert!(path("link.png").is_symlink());
        assert_eq!(fs::metadata(path("target.png")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read(path("target.png")).unwrap(), b"newer");
    }
}
