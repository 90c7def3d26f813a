//! The picture of a mask and its PNG encoding.

use kiln_core::color::Colors;
use kiln_core::encode::png::PngOptions;
use kiln_core::error::Result;
use kiln_core::raster::Grid;

/// A rendered mask.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Its pixels.
    pub pixels: Pixels,
    /// Remarks for the user, such as a background with a different aspect ratio; empty if there are none.
    pub remarks: Vec<String>,
}

/// The pixels of a picture, row by row from the top.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    /// Indices into 256 colors with straight alpha.
    Indexed {
        /// A byte per pixel.
        indices: Grid<u8>,
        /// The colors.
        palette: Box<Colors>,
    },
    /// Red, green and blue.
    Rgb(Grid<[u8; 3]>),
    /// Red, green, blue and straight alpha.
    Rgba(Grid<[u8; 4]>),
}

impl Picture {
    /// The width in pixels.
    pub fn width(&self) -> usize {
        match &self.pixels {
            Pixels::Indexed { indices, .. } => indices.width(),
            Pixels::Rgb(grid) => grid.width(),
            Pixels::Rgba(grid) => grid.width(),
        }
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        match &self.pixels {
            Pixels::Indexed { indices, .. } => indices.height(),
            Pixels::Rgb(grid) => grid.height(),
            Pixels::Rgba(grid) => grid.height(),
        }
    }

    /// Red, green, blue and straight alpha of all pixels.
    pub fn to_rgba(&self) -> Vec<[u8; 4]> {
        match &self.pixels {
            Pixels::Indexed { indices, palette } => {
                indices.cells().iter().map(|index| palette[usize::from(*index)]).collect()
            }
            Pixels::Rgb(grid) => grid.cells().iter().map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
            Pixels::Rgba(grid) => grid.cells().to_vec(),
        }
    }

    /// Encodes the picture as PNG: indexed, RGB or RGBA.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if a side exceeds the limit of PNG.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match &self.pixels {
            Pixels::Indexed { indices, palette } => {
                kiln_core::encode::png::write_indexed(&mut bytes, indices, palette, PngOptions::default())?;
            }
            Pixels::Rgb(grid) => write_true_color(&mut bytes, grid, png::ColorType::Rgb)?,
            Pixels::Rgba(grid) => write_true_color(&mut bytes, grid, png::ColorType::Rgba)?,
        }
        Ok(bytes)
    }
}

/// Writes pixels of 8-bit channels with the fast compression settings of indexed pictures.
fn write_true_color<const N: usize>(bytes: &mut Vec<u8>, grid: &Grid<[u8; N]>, color: png::ColorType) -> Result<()> {
    let (width, height) = kiln_core::encode::sides(grid.width(), grid.height())?;
    let to_error = |error: png::EncodingError| kiln_core::encode::write_error(std::io::Error::other(error));
    let mut encoder = png::Encoder::new(bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_deflate_compression(png::DeflateCompression::FdeflateUltraFast);
    encoder.set_filter(png::Filter::Paeth);
    let mut writer = encoder.write_header().map_err(to_error)?;
    writer.write_image_data(grid.cells().as_flattened()).map_err(to_error)?;
    writer.finish().map_err(to_error)
}
