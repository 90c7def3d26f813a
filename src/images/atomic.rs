//! A file that is either written whole or not at all.

use std::fs::File;
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
    pub(super) const UNFINISHED: (&'static str, &'static str) = (".kiln-", ".part");

    /// Begins a file that is to be `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there, or `path` is a folder.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let refused = |error| Error::io(&path, "write", error);
        if path.is_dir() {
            return Err(refused(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(Self::UNFINISHED.0).suffix(Self::UNFINISHED.1);
        // As any program's files: what the user's mask leaves of read and write for all.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(refused)?;
        Ok(Self { path, file })
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
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.png");
        let mut file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(file);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        let mut file = AtomicFile::create(&path).unwrap();
        file.file().write_all(b"whole").unwrap();
        file.commit().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
        assert!(AtomicFile::create(folder.path()).is_err());
        assert!(AtomicFile::create(folder.path().join("no/such/folder")).is_err());
    }
}
