//! Bitmaps: pixels that are set, in a PNG image or from runs.

use std::io::{Cursor, Read};

use flate2::read::ZlibDecoder;
use png::{ColorType, Decoder, Limits, Transformations};

use super::base64;
use super::density::{Density, Fault};
use super::lines::MAX_COORDINATE;
use super::report::Extent;
use super::size::Placement;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Whether each pixel is set, row by row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bitmap {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) cells: Vec<bool>,
}

impl Bitmap {
    /// A PNG image in Base64, compressed once more by zlib or not, of at most `max_cells` pixels. Set are the pixels whose alpha
    /// is not 0, or whose value is not 0 in an image without alpha.
    pub(super) fn decode(text: &str, max_cells: usize, density: &mut Density) -> Result<Self, Fault> {
        let bytes = base64::decode(text)?;
        if bytes.starts_with(PNG) {
            return Self::of_png(&bytes, max_cells, density);
        }
        // More than four bytes per pixel, and chunks of text, are no mask.
        let most = (max_cells as u64).saturating_mul(4).saturating_add(1 << 16);
        let mut unpacked = Vec::new();
        let read = ZlibDecoder::new(&*bytes).take(most.saturating_add(1)).read_to_end(&mut unpacked);
        density.step_bytes(unpacked.len())?;
        read.map_err(|error| format!("invalid zlib data: {error}"))?;
        if unpacked.len() as u64 > most {
            return Err(Fault::Label(format!("the bitmap exceeds the limit of {most} bytes")));
        }
        if !unpacked.starts_with(PNG) {
            let why = "the bitmap is not a PNG image; expected Base64 of a PNG, compressed by zlib or not";
            return Err(Fault::Label(why.to_owned()));
        }
        Self::of_png(&unpacked, max_cells, density)
    }

    fn of_png(bytes: &[u8], max_cells: usize, density: &mut Density) -> Result<Self, Fault> {
        let invalid = |error: png::DecodingError| format!("invalid PNG: {error}");
        let limits = Limits { bytes: max_cells.saturating_mul(4).max(1 << 16) };
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
        // Palettes become colors with their transparency, and 1, 2, 4 and 16 bits become 8.
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(invalid)?;
        let (width, height) = (reader.info().width as usize, reader.info().height as usize);
        if width.checked_mul(height).is_none_or(|cells| cells > max_cells) {
            let why = format!("a bitmap of {width} × {height} pixels exceeds the {max_cells} of its image");
            return Err(Fault::Label(why));
        }
        let (color, _) = reader.output_color_type();
        let size = reader.output_buffer_size().ok_or_else(|| "a bitmap of too many bytes".to_owned())?;
        // A byte of Deflate is 1032 at most, of which each may have 8 pixels of a palette of 4 samples.
        if size / (1032 * 8 * 4) > bytes.len() {
            return Err(Fault::Label(format!(
                "{width} × {height} pixels are more than {} bytes can have",
                bytes.len()
            )));
        }
        density.step_bytes(size)?;
        let mut samples = vec![0; size];
        reader.next_frame(&mut samples).map_err(invalid)?;
        let has_alpha = matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba);
        let is_set = |pixel: &[u8]| {
            if has_alpha { pixel.last().is_some_and(|alpha| *alpha > 0) } else { pixel.iter().any(|value| *value > 0) }
        };
        Ok(Self { width, height, cells: samples.chunks_exact(color.samples()).map(is_set).collect() })
    }

    /// Draws the bitmap with its top left pixel at `origin`, a pixel of the image. Where the image is scaled, so are the sides of
    /// the bitmap, to one pixel at least, and a pixel is set if the one below its center is.
    pub(super) fn draw(&self, origin: [f64; 2], placement: &Placement, density: &mut Density) -> Result<Extent, Fault> {
        let corner = super::scan::pixels(&[origin], placement)[0];
        if let Some(beyond) = corner.iter().find(|value| value.is_nan() || value.abs() > MAX_COORDINATE) {
            return Err(Fault::Label(format!("the origin {beyond} is not from -{MAX_COORDINATE} to {MAX_COORDINATE}")));
        }
        let (left, top) = (corner[0] as i64, corner[1] as i64);
        let scaled = |side: usize, scale: f64| ((side as f64 * scale).round_ties_even() as i64).max(1);
        let (width, height) = (scaled(self.width, placement.scale[0]), scaled(self.height, placement.scale[1]));
        let (columns, rows) = density.size();
        let (from, to) = (left.clamp(0, columns as i64), left.saturating_add(width).clamp(0, columns as i64));
        let (first, end) = (top.clamp(0, rows as i64), top.saturating_add(height).clamp(0, rows as i64));
        let source = |at: i64, side: usize, scaled: i64| {
            if side as i64 == scaled { at as usize } else { ((at as f64 + 0.5) * side as f64 / scaled as f64) as usize }
        };
        let across: Vec<usize> = (from..to).map(|x| source(x - left, self.width, width).min(self.width - 1)).collect();
        let mut spans = Vec::new();
        for y in first..end {
            density.step_bytes(across.len())?;
            let row = source(y - top, self.height, height).min(self.height - 1);
            let cells = &self.cells[row * self.width..(row + 1) * self.width];
            spans.clear();
            let mut x = 0;
            while x < across.len() {
                let run = across[x..].iter().take_while(|column| cells[**column] == cells[across[x]]).count();
                if cells[across[x]] {
                    spans.push((from as u32 + x as u32, from as u32 + (x + run) as u32));
                }
                x += run;
            }
            density.add_row(y as usize, &spans);
        }
        let is_within = from == left && to == left + width && first == top && end == top + height;
        Ok(if is_within { Extent::Within } else { Extent::Clipped })
    }
}
