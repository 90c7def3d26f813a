//! A file that is either written whole or not at all.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file being written beside its final place, or standard output.
#[derive(Debug)]
pub(super) enum Output {
    /// The final path, and the file that is to take it.
    File(PathBuf, NamedTempFile),
    /// An unnamed file that is copied to standard output in the end.
    Stdout(File),
}

impl Output {
    /// Prepares to write `path` (`-` for standard output). Until [`commit`](Self::commit) nothing is seen of it.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there.
    pub(super) fn create(path: &str) -> Result<Self> {
        if path == "-" {
            return tempfile::tempfile().map(Self::Stdout).map_err(|error| Error::io("-", "write", error));
        }
        let path = PathBuf::from(path);
        let refused = |error| Error::io(&path, "write", error);
        if path.is_dir() {
            return Err(refused(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".kiln-").suffix(".part");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(refused)?;
        Ok(Self::File(path, file))
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        match self {
            Self::File(_, file) => file.as_file_mut(),
            Self::Stdout(file) => file,
        }
    }

    /// Puts the file in its place, over whatever was there.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses.
    pub(super) fn commit(self) -> Result<()> {
        match self {
            Self::File(path, file) => {
                file.persist(&path).map_err(|error| Error::io(&path, "write", error.error))?;
                Ok(())
            }
            Self::Stdout(mut file) => {
                let copied = file.seek(SeekFrom::Start(0)).and_then(|_| {
                    let mut stdout = std::io::stdout().lock();
                    std::io::copy(&mut file, &mut stdout)?;
                    stdout.flush()
                });
                copied.map_err(|error| Error::io("-", "write", error))
            }
        }
    }
}
