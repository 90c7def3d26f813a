//! From palette indices to bytes in any writer: the indexed PNG.
//!
//! An encoder knows its writer, not the file behind it: when writing fails, the path in the [`Error::Io`] is empty, for
//! the caller to fill in ([`Error::for_path`]).

pub mod png;

use std::io;

use crate::parameter::Parameter;
use crate::{Error, Result};

/// The longest side of a picture, in pixels: what PNG can hold, and what GDAL can read.
pub const MAX_SIDE_PX: usize = i32::MAX as usize;

/// The sides of a picture as the formats hold them; both must be 1 to [`MAX_SIDE_PX`].
///
/// # Errors
/// [`Error::Invalid`] if one is not.
pub fn sides(width: usize, height: usize) -> Result<(u32, u32)> {
    let side = |px: usize| u32::try_from(px).ok().filter(|_| (1..=MAX_SIDE_PX).contains(&px));
    side(width).zip(side(height)).ok_or_else(|| {
        Error::invalid(
            Parameter::SIZE,
            format!("{width}x{height} cannot be written: each side must be 1 to {MAX_SIDE_PX} px"),
        )
    })
}

/// The error of a writer that refused its bytes.
pub fn write_error(source: io::Error) -> Error {
    Error::io("", "write", source)
}
