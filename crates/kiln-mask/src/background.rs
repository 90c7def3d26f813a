//! The picture below a mask.

use std::borrow::Cow;
use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use kiln_core::error::{Error, Result};
use kiln_core::raster::Grid;

use crate::array::{ArrayFormat, decode_tiff_rgb};
use crate::limit::{Limit, ReadError, Reason};

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
    /// Pixels that are not opaque are laid on white; 16 bits a channel are reduced to 8; of an animation the first picture is
    /// taken, and a photograph is turned as its EXIF orientation says. What follows the picture in the file does not count.
    ///
    /// # Errors
    /// If it is none of these, is broken, or exceeds `limits`.
    pub fn decode(bytes: &[u8], name: &str, limits: &ImageLimits) -> Result<Self, ReadError> {
        let decoded = decode(bytes, limits)
            .and_then(|pixels| Self::new(pixels).map_err(|error| error.into_message().to_string().into()));
        decoded.map_err(|reason| ReadError::with_reason(name, reason))
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

/// What can be decoded, as the end of a sentence.
const ACCEPTED: &str = "PNG, JPEG, WebP and TIFF are read";

fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Grid<[u8; 3]>, Reason> {
    if bytes.len() > limits.max_bytes {
        return Err(Reason::limit(Limit::Bytes, format!("the file exceeds the limit of {} bytes", limits.max_bytes)));
    }
    if ArrayFormat::detect(bytes) == Some(ArrayFormat::Tiff) {
        // What is decoded has at most 8 bytes a pixel.
        let pixels = decode_tiff_rgb(bytes, limits.max_pixels, limits.max_pixels.saturating_mul(8))?;
        let cells = pixels.cells().iter().map(|pixel| on_white(*pixel)).collect();
        return Grid::from_cells(pixels.width(), pixels.height(), cells).ok_or_else(|| "no picture".into());
    }
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP));
    let format = format.ok_or_else(|| format!("no picture of a known format; {ACCEPTED}"))?;
    let invalid = |error: ImageError| match error {
        ImageError::Limits(_) => {
            Reason::limit(Limit::Pixels, format!("it needs more memory than {} pixels may", limits.max_pixels))
        }
        other => format!("an invalid picture: {other}").into(),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut memory = image::Limits::default();
    memory.max_alloc = Some((limits.max_pixels as u64).saturating_mul(16));
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(invalid)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels as u64 {
        let why = format!("{width} × {height} pixels exceed the limit of {}", limits.max_pixels);
        return Err(Reason::limit(Limit::Pixels, why));
    }
    // A byte of Deflate becomes at most 1032, and a palette has up to 8 pixels a byte.
    if format == ImageFormat::Png && pixels / (1032 * 8) > bytes.len() as u64 {
        return Err(format!("{width} × {height} pixels are more than {} bytes can have", bytes.len()).into());
    }
    let orientation = decoder.orientation().map_err(invalid)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(invalid)?;
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let cells = if picture.color().has_alpha() {
        picture.into_rgba8().pixels().map(|pixel| on_white(pixel.0)).collect()
    } else {
        picture.into_rgb8().pixels().map(|pixel| pixel.0).collect()
    };
    Grid::from_cells(width, height, cells).ok_or_else(|| "no picture".into())
}

/// What is seen of a color with straight alpha on white.
fn on_white([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [r, g, b].map(|channel| ((u32::from(channel) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use image::{ImageBuffer, Rgba, RgbaImage};

    use super::*;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn of(bytes: &[u8]) -> Vec<[u8; 3]> {
        Background::decode(bytes, "photo", &ImageLimits::default()).unwrap().pixels().cells().to_vec()
    }

    fn refused(bytes: &[u8], limits: &ImageLimits) -> String {
        let message = Background::decode(bytes, "photo", limits).unwrap_err().to_string();
        assert!(message.starts_with("photo: ") && !message.contains('\n'), "{message}");
        message
    }

    fn picture() -> DynamicImage {
        RgbaImage::from_raw(2, 1, vec![10, 20, 30, 255, 0, 100, 200, 128]).unwrap().into()
    }

    #[test]
    fn each_format_is_decoded_by_its_content_and_laid_on_white() {
        let expected = [[10, 20, 30], [127, 177, 227]];
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            assert_eq!(of(&encoded(&picture(), format)), expected);
        }
        let opaque = DynamicImage::from(picture().to_rgb8());
        let jpeg = of(&encoded(&opaque, ImageFormat::Jpeg));
        assert!(jpeg.iter().flatten().zip([10, 20, 30, 0, 100, 200]).all(|(a, b)| a.abs_diff(b) < 60), "{jpeg:?}");
        let mut tiff = Cursor::new(Vec::new());
        let mut encoder = tiff::encoder::TiffEncoder::new(&mut tiff).unwrap();
        let samples = [2560, 5120, 7680, 65535, 0, 25600, 51200, 0x80ff];
        encoder.write_image::<tiff::encoder::colortype::RGBA16>(2, 1, &samples).unwrap();
        assert_eq!(of(tiff.get_ref()), expected);
        let deep: ImageBuffer<Rgba<u16>, Vec<u16>> = ImageBuffer::from_raw(1, 1, vec![65535, 257, 0, 65535]).unwrap();
        assert_eq!(of(&encoded(&deep.into(), ImageFormat::Png)), [[255, 1, 0]]);
    }

    #[test]
    fn what_follows_a_picture_does_not_count_and_what_precedes_it_does() {
        let mut polyglot = encoded(&picture(), ImageFormat::Png);
        polyglot.extend(b"<script>alert(1)</script>PK\x03\x04");
        assert_eq!(of(&polyglot).len(), 2);
        let mut before = b"GIF89a".to_vec();
        before.extend(encoded(&picture(), ImageFormat::Png));
        assert!(refused(&before, &ImageLimits::default()).contains(ACCEPTED));
    }

    #[test]
    fn large_and_broken_pictures_are_rejected() {
        let png = encoded(&picture(), ImageFormat::Png);
        let one_pixel = ImageLimits { max_pixels: 1, ..ImageLimits::default() };
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let message = refused(&encoded(&picture(), format), &one_pixel);
            assert!(message.contains("exceed the limit of 1") || message.contains("1 pixels may"), "{message}");
        }
        assert!(refused(&png, &ImageLimits { max_bytes: 10, ..ImageLimits::default() }).contains("10 bytes"));
        let exceeded =
            |bytes: &[u8], limits: &ImageLimits| Background::decode(bytes, "background", limits).unwrap_err().limit();
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            assert_eq!(exceeded(&encoded(&picture(), format), &one_pixel), Some(Limit::Pixels), "{format:?}");
        }
        assert_eq!(exceeded(&png, &ImageLimits { max_bytes: 10, ..ImageLimits::default() }), Some(Limit::Bytes));
        assert_eq!(exceeded(&png[..40], &ImageLimits::default()), None);
        (0..png.len() - 20).for_each(|length| drop(refused(&png[..length], &ImageLimits::default())));
        for bytes in [&b"GIF89a"[..], b"<svg/>", b"", b"II*\0"] {
            refused(bytes, &ImageLimits::default());
        }
    }

    #[test]
    fn a_background_is_enlarged_without_a_rim() {
        let background = Background::new(Grid::filled(3, 2, [7, 8, 9])).unwrap();
        let resized = background.at_size((10, 5));
        assert_eq!((resized.width(), resized.height()), (10, 5));
        assert!(resized.pixels().cells().iter().all(|pixel| *pixel == [7, 8, 9]));
    }
}
