//! Readers of arrays: NumPy files, JSON, CSV, PNG and TIFF.
//!
//! Before a reader allocates memory for the values, it checks the size in the file header against the limits and against the
//! length of the file.

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
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

use crate::Mask;
use crate::annotations::resembles_labels;
use crate::limit::{Limit, ReadError, Reason};

pub use format::ArrayFormat;
pub(crate) use tiff::decode_rgb as decode_tiff_rgb;

/// Options for reading an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadArrayOptions {
    /// The format; detected from the first bytes if `None`.
    pub format: Option<ArrayFormat>,
    /// The name of the array in an `.npz` archive, with or without the suffix `.npy`; the only array if `None`.
    pub member: Option<String>,
    /// Whether the channels of a three-dimensional array come first (C×H×W), as in PyTorch, instead of last (H×W×C), as in NumPy
    /// images. The channels are averaged.
    pub channels_first: bool,
    /// The limits of the array.
    pub limits: Limits,
}

/// Limits of an array, which are checked before memory is allocated for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum rows × columns × channels.
    pub max_cells: usize,
    /// The maximum size in bytes of a file, and of a decompressed member of an archive.
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

/// Reads an array. `name` is used in messages only.
///
/// # Errors
/// [`ReadError`] if the format is unknown, the file is invalid or not an array of numbers, or it exceeds the limits.
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
        let format = format.ok_or_else(|| format!("unknown array format; {}", ArrayFormat::ACCEPTED))?;
        if options.member.is_some() && format != ArrayFormat::Npz {
            return Err("not an .npz archive; only archives have members".into());
        }
        match format {
            ArrayFormat::Npy => npy::read(bytes, options),
            ArrayFormat::Npz => npz::read(bytes, options),
            ArrayFormat::Json => json::read(bytes, options),
            ArrayFormat::Csv => {
                let remark = resembles_labels(bytes).then(|| yolo_remark(name));
                csv::read(bytes, options).map(|mask| mask.with_remark(remark))
            }
            ArrayFormat::Png => png::read(bytes, options),
            ArrayFormat::Tiff => tiff::read(bytes, options),
        }
    };
    read().map_err(|reason| ReadError::with_reason(name, reason))
}

/// The remark that text that was read as an array looks like labels.
fn yolo_remark(name: &str) -> Message {
    message!(format!("{name} looks like YOLO labels; use "), Parameter::ANNOTATIONS, " yolo to draw them")
}

/// Reads an array from a stream, up to the limit of bytes.
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
