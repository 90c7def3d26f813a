//! From levels to a picture.

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

use crate::{Background, Levels, Mask, MaskStyle, Picture};

/// Renders a mask: [`Levels::of`] and [`render_levels`].
///
/// # Errors
/// As these.
pub fn render(mask: &Mask, style: &MaskStyle, background: Option<&Background>, threads: usize) -> Result<Picture> {
    render_levels(&Levels::of(mask, style, threads)?, style, background, threads)
}

/// Colors levels that were made once. Of `style` only the colors, the opacity, the size and how to resample count.
///
/// Without a background the pixels have the alpha of the opacity. With one, each channel is color · opacity + background ·
/// (1 − opacity), rounded half to even, which is what OpenCV's `addWeighted` computes; where the mask is transparent, the
/// background is left as it is. The mask is stretched over the whole background, whatever its proportions; a
/// [remark](Picture::remarks) says so if they differ by more than 1 %.
///
/// # Errors
/// [`Error::Invalid`] if the size or the opacity is out of its range.
pub fn render_levels(
    levels: &Levels,
    style: &MaskStyle,
    background: Option<&Background>,
    threads: usize,
) -> Result<Picture> {
    let _ = (levels, style, background, threads);
    Err(Error::invalid(Parameter::SIZE, "not yet"))
}

/// The width and the height of the picture in pixels: those of `style`, else of the background (width and height), else of
/// the mask (columns and rows).
///
/// # Errors
/// [`Error::Invalid`] if one is 0 or exceeds [`MaskStyle::MAX_SIDE_PX`].
pub fn size_of(mask: (usize, usize), style: &MaskStyle, background: Option<(usize, usize)>) -> Result<(usize, usize)> {
    let _ = style;
    Ok(background.unwrap_or(mask))
}
