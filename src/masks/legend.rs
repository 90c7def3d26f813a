//! The legend of a mask.

use crate::color::Palette;
use crate::encode::{Legend, Tick, nice_ticks, write_picture};
use crate::error::{Error, Result};
use crate::mask::MaskStyle;

/// Round values between `vmin` and `vmax`, and their positions on the color bar from 0 to 1.
pub fn legend_ticks(vmin: f64, vmax: f64) -> Vec<Tick> {
    nice_ticks(vmin, vmax, |value| if vmax > vmin { (value - vmin) / (vmax - vmin) } else { 0.5 })
}

/// Draws the legend of a mask with the value range `vmin` to `vmax` as a PNG. `title` and `unit` may be empty;
/// `pixel_ratio` is pixels per layout unit, 0.5 to 8.
///
/// The colors are those of the colormap, without the opacity of the style.
///
/// # Errors
/// [`Error::Invalid`] if the pixel ratio is out of its range.
pub fn draw_legend(
    style: &MaskStyle,
    (vmin, vmax): (f64, f64),
    title: &str,
    unit: &str,
    pixel_ratio: f32,
) -> Result<Vec<u8>> {
    let palette = Palette::new(Box::new(*style.colormap.colors()));
    let ticks = legend_ticks(vmin, vmax);
    let picture = Legend { palette: &palette, ticks: &ticks, title, unit, pixel_ratio }.draw()?;
    let mut bytes = Vec::new();
    write_picture(&picture, &mut bytes).map_err(|source| Error::io("", "write", source))?;
    Ok(bytes)
}
