//! A file that is either written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file being written beside its final place. Until it is [committed](Self::commit) nothing is seen of it; dropped
/// before that, it is gone.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    file: NamedTempFile,
}

impl AtomicFile {
    /// How the names of unfinished files begin and end.
    pub(crate) const UNFINISHED: (&'static str, &'static str) = (".kiln-", ".part");

    /// Begins a file that is to be `path`. Where `path` is a symbolic link, the file that it leads to is meant; a file
    /// that is there keeps its permissions.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there, or what is there is a folder or a file that may not be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let refused = |error| Error::io(path, "write", error);
        if path.is_dir() {
            return Err(refused(io::ErrorKind::IsADirectory.into()));
        }
        let target = linked(path);
        let permissions = match OpenOptions::new().write(true).open(&target) {
            Ok(there) => Some(there.metadata().map_err(refused)?.permissions()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refused(error)),
        };
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(Self::UNFINISHED.0).suffix(Self::UNFINISHED.1);
        // Made as any program's files are, readable to whom the user's mask allows, not as secret ones.
        let make = |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).open(path);
        let file = builder.make_in(folder, make).map_err(refused)?;
        if let Some(permissions) = permissions {
            file.as_file().set_permissions(permissions).map_err(refused)?;
        }
        Ok(Self { path: target, file })
    }

    /// The file to write to.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Puts the file in its place, over whatever was there.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses; nothing is left behind then.
    pub fn commit(self) -> Result<()> {
        let Self { path, file } = self;
        file.persist(&path).map_err(|error| Error::io(&path, "write", error.error))?;
        Ok(())
    }

    /// Puts the file in its place as [`commit`](Self::commit) does, but not before all of it is on the disk: a power cut leaves
    /// either the old one or the new one.
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

/// Makes sure that the names in a folder are on the disk, where the system can do that.
///
/// # Errors
/// [`Error::Io`] if the system refuses.
pub fn sync_folder(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|error| Error::io(folder, "write", error))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Where `path` leads to if it is a symbolic link, even to a file that is not there yet.
fn linked(path: &Path) -> PathBuf {
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
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.png");
        let mut file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        write(&path, b"whole");
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert!(AtomicFile::create(folder.path()).is_err());
    }

    #[test]
    fn refusals_name_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let refused = AtomicFile::create(folder.path().join("no/such/out.png")).unwrap_err().to_string();
        assert!(refused.contains("no/such/out.png: cannot write") && !refused.contains(".kiln-"), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        symlink("there.png", path("link.png")).unwrap();
        write(&path("link.png"), b"new");
        assert_eq!(fs::read(path("there.png")).unwrap(), b"new");
        fs::set_permissions(path("there.png"), fs::Permissions::from_mode(0o640)).unwrap();
        write(&path("link.png"), b"newer");
        assert!(path("link.png").is_symlink());
        assert_eq!(fs::metadata(path("there.png")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read(path("there.png")).unwrap(), b"newer");
    }
}
