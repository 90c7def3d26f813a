//! Output of commands: a file that is written atomically, a device or pipe, or standard output.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::signals;
use crate::error::{Error, Result};
use crate::images::AtomicFile;
use crate::parameter::Parameter;

/// An output path. No file is left before [`create`](Self::create).
#[derive(Debug)]
pub(super) enum Target {
    /// A regular file, which may exist.
    File(PathBuf),
    /// A device or a pipe, which is written in place.
    Special(PathBuf),
    /// Standard output.
    Stdout,
}

/// An uncommitted output. [`commit`](Self::commit) writes it to its target.
#[derive(Debug)]
pub(super) enum Output {
    File(AtomicFile),
    /// An unnamed temporary file that is copied to the target on commit.
    Spool(File, Target),
}

impl Target {
    /// Checks that `path` (`-` for standard output) can be written and is not one of `inputs`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be created there; [`Error::Invalid`] if it is an input.
    pub(super) fn new(path: &str, inputs: &[String]) -> Result<Self> {
        if path == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(path);
        let existing = fs::canonicalize(&path).ok();
        if existing.is_some() && inputs.iter().any(|input| fs::canonicalize(input).ok() == existing) {
            let detail = format!("{} is an input; the output would overwrite it", path.display());
            return Err(Error::invalid(Parameter::OUTPUT, detail));
        }
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Ok(Self::Special(path)),
            // Created and dropped: an unwritable target is reported before the work, and no file remains.
            _ => AtomicFile::create_output(&path).map(|_| Self::File(path)),
        }
    }

    /// Whether both are standard output or the same file.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let canonical = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match (self, other) {
            (Self::Stdout, Self::Stdout) => true,
            (Self::File(one), Self::File(other)) => canonical(one) == canonical(other),
            _ => false,
        }
    }

    /// Creates the output.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be created there.
    pub(super) fn create(self) -> Result<Output> {
        match self {
            Self::File(path) => AtomicFile::create(path).map(Output::File),
            target => match tempfile::tempfile() {
                Ok(spool) => Ok(Output::Spool(spool, target)),
                Err(error) => Err(Error::io(std::env::temp_dir(), "write to", error)),
            },
        }
    }
}

impl Output {
    /// The file to write to.
    pub(super) fn file(&mut self) -> &mut File {
        match self {
            Self::File(file) => file.file(),
            Self::Spool(file, _) => file,
        }
    }

    /// Moves or copies the content to the target, which replaces an existing file.
    ///
    /// # Errors
    /// [`Error::Io`] if the target cannot be written; [`Error::Cancelled`] after Ctrl-C or SIGTERM.
    pub(super) fn commit(self) -> Result<()> {
        signals::check()?;
        match self {
            Self::File(file) => file.commit_durably(),
            Self::Spool(spool, Target::File(path) | Target::Special(path)) => {
                let open = OpenOptions::new().write(true).open(&path);
                open.and_then(|out| copy(spool, out)).map_err(|error| Error::io(path, "write", error))
            }
            Self::Spool(spool, Target::Stdout) => {
                copy(spool, io::stdout().lock()).map_err(|error| Error::io("-", "write", error))
            }
        }
    }
}

fn copy(mut spool: File, mut out: impl Write) -> io::Result<()> {
    spool.seek(SeekFrom::Start(0))?;
    io::copy(&mut spool, &mut out)?;
    out.flush()
}
