//! Readers of arrays: NumPy files, JSON, CSV, PNG and TIFF.
//!
//! Every reader checks the size that a file claims against the limits and against the bytes that there are before it allocates
//! for the values.

mod csv;
mod format;
mod json;
mod npy;
mod npz;
mod png;
mod shape;
mod tiff;

use std::io::Read;

use kiln_core::error::{Error, Result};

use crate::Mask;
use crate::limit::{Limit, ReadError, Reason};

pub use format::ArrayFormat;
pub(crate) use tiff::decode_rgb as decode_tiff_rgb;

/// How an array is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadArrayOptions {
    /// The format; by what the first bytes are if `None`.
    pub format: Option<ArrayFormat>,
    /// Which array of an `.npz` archive, with or without `.npy` at its end; the only one if `None`.
    pub member: Option<String>,
    /// Whether an array of three dimensions has its channels first (C×H×W), as PyTorch has them, and not last (H×W×C), as
    /// NumPy pictures have. The mean of the channels is drawn.
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

impl Limits {
    /// The number of cells of an array, if it is within the limits.
    fn cells(&self, shape: &[usize]) -> Result<usize, Reason> {
        let cells = shape.iter().try_fold(1_usize, |cells, side| cells.checked_mul(*side));
        cells.filter(|cells| *cells <= self.max_cells).ok_or_else(|| {
            Reason::limit(Limit::Cells, format!("{} cells exceed the limit of {}", shape::by(shape), self.max_cells))
        })
    }

    /// The reason of numbers beyond the limit, in a format whose start does not show how many there are.
    fn too_many_numbers(&self) -> Reason {
        Reason::limit(Limit::Cells, format!("more numbers than the limit of {}", self.max_cells))
    }
}

/// Reads an array. `name` is for messages.
///
/// # Errors
/// If the format is unknown, the file is broken or not an array of numbers, or it exceeds the limits.
pub fn read(bytes: &[u8], name: &str, options: &ReadArrayOptions) -> Result<Mask, ReadError> {
    let read = || -> Result<Mask, Reason> {
        if bytes.len() > options.limits.max_bytes {
            let why = format!("the file exceeds the limit of {} bytes", options.limits.max_bytes);
            return Err(Reason::limit(Limit::Bytes, why));
        }
        if bytes.is_empty() {
            return Err("the file is empty".into());
        }
        let format = options.format.or_else(|| ArrayFormat::detect(bytes));
        let format = format.ok_or_else(|| format!("no array of a known format; {}", ArrayFormat::ACCEPTED))?;
        if options.member.is_some() && format != ArrayFormat::Npz {
            return Err("only an .npz archive has members to choose from".into());
        }
        match format {
            ArrayFormat::Npy => npy::read(bytes, options),
            ArrayFormat::Npz => npz::read(bytes, options),
            ArrayFormat::Json => json::read(bytes, options),
            ArrayFormat::Csv => csv::read(bytes, options),
            ArrayFormat::Png => png::read(bytes, options),
            ArrayFormat::Tiff => tiff::read(bytes, options),
        }
    };
    read().map_err(|reason| ReadError::with_reason(name, reason))
}

/// Reads an array from a stream, of which no more than the limit of bytes is taken.
///
/// # Errors
/// [`Error::Input`] as [`read`], and [`Error::Io`] if the stream fails.
pub fn read_from(reader: impl Read, name: &str, options: &ReadArrayOptions) -> Result<Mask> {
    let limit = options.limits.max_bytes;
    let mut bytes = Vec::new();
    let taken = reader.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes);
    taken.map_err(|source| Error::io(name, "read", source))?;
    read(&bytes, name, options).map_err(ReadError::into_error)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
