//! The picture below a mask.

use std::borrow::Cow;
use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};
use kiln_core::error::{Error, Result};
use kiln_core::raster::Grid;

use crate::array::{ArrayFormat, decode_tiff_rgb};
use crate::limit::{Limit, ReadError, Reason};

/// The picture below a mask: opaque, 8 bits per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    pixels: Grid<[u8; 3]>,
}

/// Limits of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageLimits {
    /// The maximum number of pixels.
    pub max_pixels: usize,
    /// The maximum size of the file in bytes.
    pub max_bytes: usize,
}

impl Default for ImageLimits {
    /// 100 million pixels, 256 MiB.
    fn default() -> Self {
        Self { max_pixels: 100_000_000, max_bytes: 256 << 20 }
    }
}

impl Background {
    /// Creates a background from pixels.
    ///
    /// # Errors
    /// [`Error::Input`] if the grid is empty.
    pub fn new(pixels: Grid<[u8; 3]>) -> Result<Self> {
        match (pixels.width(), pixels.height()) {
            (0, _) | (_, 0) => Err(Error::input("background", "an image without pixels")),
            _ => Ok(Self { pixels }),
        }
    }

    /// Decodes a PNG, JPEG, WebP or TIFF image. The format is detected from the first bytes; `name` is used in messages only.
    ///
    /// Transparent pixels are composited onto white, 16-bit channels are reduced to 8 bits, only the first frame of an animation
    /// is decoded, and the EXIF orientation is applied. Data after the end of the image is ignored.
    ///
    /// # Errors
    /// [`ReadError`] if the format is unsupported, the image is invalid, or it exceeds `limits`.
    pub fn decode(bytes: &[u8], name: &str, limits: &ImageLimits) -> Result<Self, ReadError> {
        let decoded = decode(bytes, limits)
            .and_then(|pixels| Self::new(pixels).map_err(|error| error.into_message().to_string().into()));
        decoded.map_err(|reason| ReadError::with_reason(name, reason))
    }

    /// Resizes the background with a triangle filter.
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

    /// The size in memory in bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.pixels.cells())
    }
}

/// The supported formats, as the end of a message.
const ACCEPTED: &str = "expected PNG, JPEG, WebP or TIFF";

fn decode(bytes: &[u8], limits: &ImageLimits) -> Result<Grid<[u8; 3]>, Reason> {
    if bytes.len() > limits.max_bytes {
        return Err(Reason::limit(Limit::Bytes, format!("the file exceeds the limit of {} bytes", limits.max_bytes)));
    }
    if ArrayFormat::detect(bytes) == Some(ArrayFormat::Tiff) {
        // A decoded pixel has at most 8 bytes.
        let pixels = decode_tiff_rgb(bytes, limits.max_pixels, limits.max_pixels.saturating_mul(8))?;
        let cells = pixels.cells().iter().map(|pixel| on_white(*pixel)).collect();
        return Grid::from_cells(pixels.width(), pixels.height(), cells).ok_or_else(|| "no picture".into());
    }
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP));
    let format = format.ok_or_else(|| format!("unknown image format; {ACCEPTED}"))?;
    let invalid = |error: ImageError| match error {
        ImageError::Limits(_) => Reason::limit(
            Limit::Pixels,
            format!("the image needs more memory than allowed for {} pixels", limits.max_pixels),
        ),
        other => format!("invalid image: {other}").into(),
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
    // Deflate expands a byte to at most 1032, and a palette image has up to 8 pixels per byte.
    if format == ImageFormat::Png && pixels / (1032 * 8) > bytes.len() as u64 {
        return Err(
            format!("truncated image: {width} × {height} pixels cannot be stored in {} bytes", bytes.len()).into()
        );
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

/// Composites a color with straight alpha onto white.
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

    fn rejection(bytes: &[u8], limits: &ImageLimits) -> String {
        let message = Background::decode(bytes, "photo", limits).unwrap_err().to_string();
        assert!(message.starts_with("photo: ") && !message.contains('\n'), "{message}");
        message
    }

    fn picture() -> DynamicImage {
        RgbaImage::from_raw(2, 1, vec![10, 20, 30, 255, 0, 100, 200, 128]).unwrap().into()
    }

    #[test]
    fn each_format_is_detected_from_its_content_and_composited_onto_white() {
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
    fn data_after_an_image_is_ignored_and_data_before_it_is_an_error() {
        let mut polyglot = encoded(&picture(), ImageFormat::Png);
        polyglot.extend(b"<script>alert(1)</script>PK\x03\x04");
        assert_eq!(of(&polyglot).len(), 2);
        let mut before = b"GIF89a".to_vec();
        before.extend(encoded(&picture(), ImageFormat::Png));
        assert!(rejection(&before, &ImageLimits::default()).contains(ACCEPTED));
    }

    #[test]
    fn large_and_broken_pictures_are_rejected() {
        let png = encoded(&picture(), ImageFormat::Png);
        let one_pixel = ImageLimits { max_pixels: 1, ..ImageLimits::default() };
        for format in [ImageFormat::Png, ImageFormat::WebP] {
            let message = rejection(&encoded(&picture(), format), &one_pixel);
            assert!(message.contains("exceed the limit of 1") || message.contains("allowed for 1 pixels"), "{message}");
        }
        assert!(rejection(&png, &ImageLimits { max_bytes: 10, ..ImageLimits::default() }).contains("10 bytes"));
        let exceeded =
            |bytes: &[u8], limits: &ImageLimits| Background::decode(bytes, "background", limits).unwrap_err().limit();
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg] {
            assert_eq!(exceeded(&encoded(&picture(), format), &one_pixel), Some(Limit::Pixels), "{format:?}");
        }
        assert_eq!(exceeded(&png, &ImageLimits { max_bytes: 10, ..ImageLimits::default() }), Some(Limit::Bytes));
        assert_eq!(exceeded(&png[..40], &ImageLimits::default()), None);
        (0..png.len() - 20).for_each(|length| drop(rejection(&png[..length], &ImageLimits::default())));
        for bytes in [&b"GIF89a"[..], b"<svg/>", b"", b"II*\0"] {
            rejection(bytes, &ImageLimits::default());
        }
    }

    #[test]
    fn an_enlarged_background_has_no_border_artifacts() {
        let background = Background::new(Grid::filled(3, 2, [7, 8, 9])).unwrap();
        let resized = background.at_size((10, 5));
        assert_eq!((resized.width(), resized.height()), (10, 5));
        assert!(resized.pixels().cells().iter().all(|pixel| *pixel == [7, 8, 9]));
    }
}
