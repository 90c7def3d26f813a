//! Where a command's picture goes: a file that is either written whole or not at all, or a stream.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::images::AtomicFile;
use crate::parameter::Parameter;

/// Where a picture is to go. Nothing is made until it [begins](Self::begin).
#[derive(Debug)]
pub(super) enum Target {
    /// A file, which is there or not.
    File(PathBuf),
    /// A device, a pipe or such, which is written to as it is.
    Special(PathBuf),
    /// Standard output.
    Stdout,
}

/// What is being written, until it is [committed](Self::commit).
#[derive(Debug)]
pub(super) enum Output {
    File(AtomicFile),
    /// An unnamed file that is copied to the target in the end.
    Spool(File, Target),
}

impl Target {
    /// The target that `path` names (`-` for standard output), if it can be written and is none of `inputs`.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there; [`Error::Invalid`] if it is an input.
    pub(super) fn new(path: &str, inputs: &[String]) -> Result<Self> {
        if path == "-" {
            return Ok(Self::Stdout);
        }
        let path = PathBuf::from(path);
        let there = fs::canonicalize(&path).ok();
        if there.is_some() && inputs.iter().any(|input| fs::canonicalize(input).ok() == there) {
            let why = format!("{} is an input, which this would overwrite", path.display());
            return Err(Error::invalid(Parameter::OUTPUT, why));
        }
        match fs::metadata(&path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => Ok(Self::Special(path)),
            // Made and dropped: a target that cannot be written is told before the work, and leaves nothing behind.
            _ => AtomicFile::create(&path).map(|_| Self::File(path)),
        }
    }

    /// Whether both lead to the same place.
    pub(super) fn is(&self, other: &Self) -> bool {
        let place = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match (self, other) {
            (Self::Stdout, Self::Stdout) => true,
            (Self::File(one), Self::File(other)) => place(one) == place(other),
            _ => false,
        }
    }

    /// Begins to write.
    ///
    /// # Errors
    /// [`Error::Io`] if no file can be made there.
    pub(super) fn begin(self) -> Result<Output> {
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

    /// Puts the file in its place, over whatever was there.
    ///
    /// # Errors
    /// [`Error::Io`] if the system refuses.
    pub(super) fn commit(self) -> Result<()> {
        match self {
            Self::File(file) => file.commit(),
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
