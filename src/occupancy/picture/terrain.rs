//! The smoothed density as heights, for 3-D maps.

use super::heat::{Smoothed, smooth};
use super::{GridPicture, GridStyle, PictureLimits};
use crate::error::{Error, Result};
use crate::geo::Canvas;
use crate::occupancy::{Grid, GridLayer};

/// Draws heights as terrain-RGB: height in meters = −10000 + (R · 65536 + G · 256 + B) · 0.1, the encoding of Mapbox's
/// terrain tiles, which MapLibre's source `raster-dem` and deck.gl's `TerrainLayer` decode.
///
/// The height is the density times the scale of the style. By default, the highest point is a tenth of the picture's
/// longer side and at least 1000 m, so that steps of 0.1 m are not visible. Pixels without points are at height 0.
pub(super) fn draw(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    limits: PictureLimits,
) -> Result<GridPicture> {
    const HIGHEST_SHARE: f64 = 0.1;
    const MIN_HIGHEST_M: f64 = 1000.0;
    let Smoothed { canvas, values, unit } = smooth(grid, layer, style, limits)?;
    let max = values.cells().iter().copied().filter(|value| !value.is_nan()).fold(0.0, f32::max);
    let highest_m = (longer_side_m(&canvas) * HIGHEST_SHARE).max(MIN_HIGHEST_M);
    let scale = style.height_scale.unwrap_or(if max > 0.0 { highest_m / f64::from(max) } else { 1.0 });
    let rgb: Vec<u8> = values
        .cells()
        .iter()
        .flat_map(|&value| encoded(if value.is_nan() { 0.0 } else { f64::from(value) * scale }))
        .collect();
    let png = write_rgb(&rgb, canvas.width(), canvas.height())?;
    let span = [0.0, f64::from(max)];
    Ok(GridPicture { png, bounds: canvas.bounds(), span, unit, height_scale: Some(scale) })
}

/// The longer side of a canvas in meters.
fn longer_side_m(canvas: &Canvas) -> f64 {
    let [width_m, height_m] = canvas.pixel_size_m(canvas.center_lat()).unwrap_or(canvas.scale().map(f64::recip));
    (width_m * f64::from(canvas.width())).max(height_m * f64::from(canvas.height()))
}

/// The color of a height in meters. Heights beyond −10000 m and 1,667,721.5 m are clamped.
fn encoded(height_m: f64) -> [u8; 3] {
    const MAX: f64 = 0xFF_FF_FF as f64;
    let steps = ((height_m + 10_000.0) * 10.0).round().clamp(0.0, MAX) as u32;
    let [_, r, g, b] = steps.to_be_bytes();
    [r, g, b]
}

fn write_rgb(rgb: &[u8], width: u32, height: u32) -> Result<Vec<u8>> {
    let to_error = |error: png::EncodingError| Error::io("", "write", std::io::Error::other(error));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(to_error)?;
    writer.write_image_data(rgb).map_err(to_error)?;
    writer.finish().map_err(to_error)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_encoded_in_steps_of_a_decimeter() {
        let decoded =
            |[r, g, b]: [u8; 3]| -10_000.0 + f64::from(u32::from(r) * 65_536 + u32::from(g) * 256 + u32::from(b)) * 0.1;
        for height in [0.0, 0.1, -10_000.0, 8848.9, 1_667_721.5] {
            assert!((decoded(encoded(height)) - height).abs() < 1e-6, "{height}");
        }
        assert_eq!((encoded(0.0), encoded(-1e9), encoded(1e9)), ([1, 134, 160], [0; 3], [255; 3]));
    }
}
