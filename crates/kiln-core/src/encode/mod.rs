//! Encoding of palette indices: the indexed PNG.
//!
//! Encoders write to any [`Write`](std::io::Write) and do not know the path of the file: when writing fails, the path
//! of the [`Error::Io`] is empty, and the caller sets it with [`Error::for_path`].

pub mod png;

use std::io;

use crate::parameter::Parameter;
use crate::{Error, Result};

/// The maximum side of a picture in pixels: the limit of PNG and GDAL.
pub const MAX_SIDE_PX: usize = i32::MAX as usize;

/// Converts the width and height of a picture to `u32`.
///
/// # Errors
/// [`Error::Invalid`] unless both are 1 to [`MAX_SIDE_PX`].
pub fn sides(width: usize, height: usize) -> Result<(u32, u32)> {
    let side = |px: usize| u32::try_from(px).ok().filter(|_| (1..=MAX_SIDE_PX).contains(&px));
    side(width).zip(side(height)).ok_or_else(|| {
        Error::invalid(
            Parameter::SIZE,
            format!("{width}x{height} cannot be written: each side must be 1 to {MAX_SIDE_PX} px"),
        )
    })
}

/// An [`Error::Io`] without a path for a failed write.
pub fn write_error(source: io::Error) -> Error {
    Error::io("", "write", source)
}
