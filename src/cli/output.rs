//! Where a command's picture goes: a file that is either written whole or not at all, or standard output.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};

use crate::error::{Error, Result};
use crate::images::AtomicFile;

/// What is being written, until it is [committed](Self::commit).
#[derive(Debug)]
pub(super) enum Output {
    /// A file.
    File(AtomicFile),
    /// An unnamed file that is copied to standard output in the end.
    Stdout(File),
}

impl Output {
    /// Prepares to write `path` (`-` for standard output).
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there.
    pub(super) fn create(path: &str) -> Result<Self> {
        if path == "-" {
            return tempfile::tempfile().map(Self::Stdout).map_err(|error| Error::io("-", "write", error));
        }
        AtomicFile::create(path).map(Self::File)
    }

    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        match self {
            Self::File(file) => file.file(),
            Self::Stdout(file) => file,
        }
    }

    /// Puts the file in its place, over whatever was there.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses.
    pub(super) fn commit(self) -> Result<()> {
        match self {
            Self::File(file) => file.commit(),
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
