//! Readers of arrays: NumPy files, JSON, CSV, PNG and TIFF.

use std::io::Read;

use kiln_core::error::{Error, Result};

use crate::Mask;

mod format;

pub use format::ArrayFormat;

/// How an array is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadArrayOptions {
    /// The format; by what the first bytes are if `None`.
    pub format: Option<ArrayFormat>,
    /// Which array of an `.npz` archive; the only one if `None`.
    pub member: Option<String>,
    /// Whether an array of three dimensions has its channels first (C×H×W), as PyTorch has them, and not last (H×W×C), as
    /// NumPy pictures have.
    pub channels_first: bool,
    /// What it may take.
    pub limits: Limits,
}

/// What an array may take. Checked before anything is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most rows × columns × channels.
    pub max_cells: usize,
    /// The most bytes of a file, and of a member of an archive once it is unpacked.
    pub max_bytes: usize,
}

impl Default for Limits {
    /// 134,217,728 (2²⁷) cells and 1 GiB.
    fn default() -> Self {
        Self { max_cells: 1 << 27, max_bytes: 1 << 30 }
    }
}

/// Reads an array. `name` is for messages.
///
/// # Errors
/// [`Error::Input`] if the format is unknown, the file is broken or not an array of numbers, or it exceeds the limits.
pub fn read(bytes: &[u8], name: &str, options: &ReadArrayOptions) -> Result<Mask> {
    let _ = (bytes, options);
    Err(Error::input(name, "not yet"))
}

/// Reads an array from a stream, of which no more than the limit of bytes is taken.
///
/// # Errors
/// As [`read`], and [`Error::Io`] if the stream fails.
pub fn read_from(reader: impl Read, name: &str, options: &ReadArrayOptions) -> Result<Mask> {
    let limit = options.limits.max_bytes;
    let mut bytes = Vec::new();
    let taken = reader.take(limit as u64 + 1).read_to_end(&mut bytes);
    taken.map_err(|source| Error::io(name, "read", source))?;
    read(&bytes, name, options)
}
