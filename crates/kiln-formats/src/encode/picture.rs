//! RGBA images as PNG.

use std::io::{self, Write};

use image::codecs::png::PngEncoder;
use image::{ImageError, RgbaImage};

/// Writes an image, such as a drawn [`Legend`](super::Legend) or [`swatches`](super::swatches()), as an RGBA PNG.
///
/// # Errors
/// If `writer` fails.
pub fn write_picture(picture: &RgbaImage, writer: impl Write) -> io::Result<()> {
    picture.write_with_encoder(PngEncoder::new(writer)).map_err(|error| match error {
        ImageError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_written_picture_reads_back_the_same() {
        let picture = RgbaImage::from_fn(3, 2, |x, y| image::Rgba([x as u8, y as u8, 7, 200]));
        let mut bytes = Vec::new();
        write_picture(&picture, &mut bytes).unwrap();
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgba8(), picture);
    }
}
