//! The picture below a mask.

use std::borrow::Cow;

use image::RgbImage;
use image::imageops::FilterType;
use kiln_core::error::{Error, Result};
use kiln_core::raster::Grid;

/// The picture below a mask: opaque, 8 bits a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    pixels: Grid<[u8; 3]>,
}

/// What a picture may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLimits {
    /// The most pixels.
    pub max_pixels: usize,
    /// The most bytes of the file.
    pub max_bytes: usize,
}

impl Default for ImageLimits {
    /// 100 million pixels, 256 MiB.
    fn default() -> Self {
        Self { max_pixels: 100_000_000, max_bytes: 256 << 20 }
    }
}

impl Background {
    /// The background of these pixels.
    ///
    /// # Errors
    /// [`Error::Input`] if there are none.
    pub fn new(pixels: Grid<[u8; 3]>) -> Result<Self> {
        match (pixels.width(), pixels.height()) {
            (0, _) | (_, 0) => Err(Error::input("background", "an image without pixels")),
            _ => Ok(Self { pixels }),
        }
    }

    /// Decodes PNG, JPEG, WebP or TIFF, by what the first bytes are, whatever `name` ends in. `name` is for messages.
    ///
    /// Pixels that are not opaque are laid on white; of 16 bits the upper 8 are kept; of an animation the first picture is
    /// taken. What follows the picture in the file does not count.
    ///
    /// # Errors
    /// [`Error::Input`] if it is none of these, is broken, or exceeds `limits`.
    pub fn decode(bytes: &[u8], name: &str, limits: &ImageLimits) -> Result<Self> {
        let _ = (bytes, limits);
        Err(Error::input(name, "not yet"))
    }

    /// The background at another size, each pixel from those that it covers or is between.
    pub(crate) fn at_size(&self, size: (usize, usize)) -> Cow<'_, Self> {
        if size == (self.width(), self.height()) {
            return Cow::Borrowed(self);
        }
        let picture =
            RgbImage::from_raw(self.width() as u32, self.height() as u32, self.pixels.cells().as_flattened().to_vec());
        let picture = picture.unwrap_or_default();
        let resized = image::imageops::resize(&picture, size.0 as u32, size.1 as u32, FilterType::Triangle);
        let cells = resized.pixels().map(|pixel| pixel.0).collect();
        let pixels = Grid::from_cells(size.0, size.1, cells);
        Cow::Owned(Self { pixels: pixels.unwrap_or_else(|| Grid::filled(size.0, size.1, [0; 3])) })
    }

    /// The width in pixels.
    pub fn width(&self) -> usize {
        self.pixels.width()
    }

    /// The height in pixels.
    pub fn height(&self) -> usize {
        self.pixels.height()
    }

    /// The pixels.
    pub fn pixels(&self) -> &Grid<[u8; 3]> {
        &self.pixels
    }

    /// The bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.pixels.cells())
    }
}
