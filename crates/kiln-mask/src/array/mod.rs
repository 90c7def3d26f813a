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
use kiln_core::message;
use kiln_core::parameter::{Message, Parameter};

use crate::Mask;
use crate::annotations::resembles_labels;

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
    fn cells(&self, shape: &[usize]) -> Result<usize, String> {
        let cells = shape.iter().try_fold(1_usize, |cells, side| cells.checked_mul(*side));
        cells
            .filter(|cells| *cells <= self.max_cells)
            .ok_or_else(|| format!("{} cells exceed the limit of {}", shape::by(shape), self.max_cells))
    }
}

/// Reads an array. `name` is for messages.
///
/// # Errors
/// [`Error::Input`] if the format is unknown, the file is broken or not an array of numbers, or it exceeds the limits.
pub fn read(bytes: &[u8], name: &str, options: &ReadArrayOptions) -> Result<Mask> {
    let read = || {
        if bytes.len() > options.limits.max_bytes {
            return Err(format!("the file exceeds the limit of {} bytes", options.limits.max_bytes));
        }
        if bytes.is_empty() {
            return Err("the file is empty".to_owned());
        }
        let format = options.format.or_else(|| ArrayFormat::detect(bytes));
        let format = format.ok_or_else(|| format!("no array of a known format; {}", ArrayFormat::ACCEPTED))?;
        if options.member.is_some() && format != ArrayFormat::Npz {
            return Err("only an .npz archive has members to choose from".to_owned());
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
    read().map_err(|message| Error::input(name, message))
}

/// The remark that text which was read as an array looks like labels.
fn yolo_remark(name: &str) -> Message {
    message!(format!("{name} looks like YOLO labels; use "), Parameter::ANNOTATIONS, " yolo to draw them")
}

/// Reads an array from a stream, of which no more than the limit of bytes is taken.
///
/// # Errors
/// As [`read`], and [`Error::Io`] if the stream fails.
pub fn read_from(reader: impl Read, name: &str, options: &ReadArrayOptions) -> Result<Mask> {
    let limit = options.limits.max_bytes;
    let mut bytes = Vec::new();
    let taken = reader.take((limit as u64).saturating_add(1)).read_to_end(&mut bytes);
    taken.map_err(|source| Error::io(name, "read", source))?;
    read(&bytes, name, options)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
