//! PNG: the mean of the color channels, 0 to 255 or 65,535. Fully transparent pixels are no data; otherwise alpha is ignored.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

use super::ReadArrayOptions;
use super::shape::{Numbers, Order, mask};
use crate::Mask;
use crate::limit::{Limit, Reason};

/// The maximum expansion of a compressed byte: 1032 by Deflate, 8 because `EXPAND` writes a byte per bit, and 4 because it writes
/// up to 4 samples per palette index.
const MAX_RATIO: usize = 1032 * 8 * 4;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let too_large = || {
        let why = format!("its pixels exceed the limit of {} bytes", options.limits.max_bytes);
        Reason::limit(Limit::Bytes, why)
    };
    let invalid = |error: png::DecodingError| match error {
        png::DecodingError::LimitsExceeded => too_large(),
        other => format!("invalid PNG: {other}").into(),
    };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: options.limits.max_bytes });
    // Converts palettes to colors, and bit depths below 8 to 8.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(invalid)?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let (color, depth) = reader.output_color_type();
    let samples = color.samples();
    options.limits.cells(&[height, width, samples])?;
    let size = reader.output_buffer_size().filter(|size| *size <= options.limits.max_bytes);
    let size = size.ok_or_else(too_large)?;
    if size / MAX_RATIO > bytes.len() {
        return Err(format!("{width} × {height} pixels are more than {} bytes can have", bytes.len()).into());
    }
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(invalid)?;
    let sample: fn(&[u8], usize) -> u16 = match depth {
        BitDepth::Sixteen => |pixel, at| u16::from_be_bytes([pixel[2 * at], pixel[2 * at + 1]]),
        _ => |pixel, at| u16::from(pixel[at]),
    };
    let has_alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let colors = samples - usize::from(has_alpha);
    let bytes_per_pixel = samples * if depth == BitDepth::Sixteen { 2 } else { 1 };
    let pixels = pixels.chunks_exact(bytes_per_pixel);
    let is_missing = |pixel: &[u8]| has_alpha && sample(pixel, colors) == 0;
    let numbers = if colors == 1 {
        let value = |pixel: &[u8]| if is_missing(pixel) { f32::NAN } else { f32::from(sample(pixel, 0)) };
        Numbers::Single(pixels.map(value).collect())
    } else {
        let mean = |pixel: &[u8]| (0..colors).map(|at| f64::from(sample(pixel, at))).sum::<f64>() / colors as f64;
        Numbers::Double(pixels.map(|pixel| if is_missing(pixel) { f64::NAN } else { mean(pixel) }).collect())
    };
    mask(&[height, width], Order::RowMajor, numbers, options)
}
