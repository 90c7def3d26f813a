//! The animated PNG: pictures that follow each other in one file, which every browser plays.

use std::io::{self, Write};

use image::RgbaImage;
use png::{BitDepth, BlendOp, ColorType, DeflateCompression, DisposeOp, Encoder, EncodingError, Filter, Writer};

use super::{sides, unwritable};
use crate::error::{Error, Result};

/// An animated PNG that is being written, opaque and endless. Of each picture only the part that differs from the one before
/// is stored.
pub struct Animation<W: Write> {
    writer: Writer<W>,
    before: Option<RgbaImage>,
    size: (u32, u32),
}

impl<W: Write> Animation<W> {
    /// Begins an animation of `frames` pictures of `width` × `height` pixels, each shown for `delay_ms` milliseconds. A reader
    /// that knows no animations shows the first picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a side is 0 or beyond what PNG holds, or there is no frame; [`Error::Io`] if `out` refuses the bytes.
    pub fn new(out: W, width: u32, height: u32, frames: u32, delay_ms: u16) -> Result<Self> {
        sides(width as usize, height as usize)?;
        if frames == 0 {
            return Err(Error::invalid("frames", "an animation has at least one"));
        }
        let mut encoder = Encoder::new(out, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_deflate_compression(DeflateCompression::Level(6));
        encoder.set_filter(Filter::Up);
        encoder.set_animated(frames, 0).map_err(refused)?;
        encoder.set_frame_delay(delay_ms, 1000).map_err(refused)?;
        encoder.set_dispose_op(DisposeOp::None).map_err(refused)?;
        encoder.set_blend_op(BlendOp::Source).map_err(refused)?;
        encoder.validate_sequence(true);
        let writer = encoder.write_header().map_err(refused)?;
        Ok(Self { writer, before: None, size: (width, height) })
    }

    /// Adds a picture; its transparency is not looked at.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another size; [`Error::Io`] if the bytes are refused, or there were enough pictures already.
    pub fn push(&mut self, picture: RgbaImage) -> Result<()> {
        if picture.dimensions() != self.size {
            return Err(Error::invalid("size", "the pictures of an animation are all of one size"));
        }
        let (width, height) = self.size;
        let part = self.before.as_ref().map_or([0, 0, width, height], |before| changed(before, &picture));
        let [left, top, width, height] = part;
        if self.before.is_some() {
            self.writer.reset_frame_position().map_err(refused)?;
            self.writer.set_frame_dimension(width, height).map_err(refused)?;
            self.writer.set_frame_position(left, top).map_err(refused)?;
        }
        let mut bytes = Vec::with_capacity(3 * width as usize * height as usize);
        for row in top..top + height {
            for column in left..left + width {
                bytes.extend_from_slice(&picture.get_pixel(column, row).0[..3]);
            }
        }
        self.writer.write_image_data(&bytes).map_err(refused)?;
        self.before = Some(picture);
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`Error::Io`] if the bytes are refused, or pictures are missing.
    pub fn finish(self) -> Result<()> {
        self.writer.finish().map_err(refused)
    }
}

/// Left, top, width and height of the least part that holds all that differs; a pixel, if nothing does.
fn changed(before: &RgbaImage, after: &RgbaImage) -> [u32; 4] {
    let differing = before.enumerate_pixels().zip(after.pixels()).filter(|((_, _, old), new)| old.0[..3] != new.0[..3]);
    let ends = differing.fold(None, |ends: Option<[u32; 4]>, ((x, y, _), _)| {
        let [left, top, right, bottom] = ends.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    });
    ends.map_or([0, 0, 1, 1], |[left, top, right, bottom]| [left, top, right - left + 1, bottom - top + 1])
}

fn refused(error: EncodingError) -> Error {
    unwritable(match error {
        EncodingError::IoError(source) => source,
        other => io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Cursor;

    use image::{AnimationDecoder, Rgba};

    use super::*;

    #[test]
    fn every_picture_comes_back_whole() {
        let mut pictures: Vec<RgbaImage> = (0..5)
            .map(|i| {
                let mut picture = RgbaImage::from_fn(20, 10, |x, y| Rgba([x as u8, y as u8, 7, 255]));
                (0..i).for_each(|j| picture.put_pixel(3 * j, j, Rgba([200, 0, i as u8, 255])));
                picture
            })
            .collect();
        pictures.push(pictures[4].clone());
        let mut bytes = Vec::new();
        let mut animation = Animation::new(&mut bytes, 20, 10, 6, 250).unwrap();
        for picture in &pictures {
            animation.push(picture.clone()).unwrap();
        }
        assert!(animation.push(RgbaImage::new(3, 3)).is_err());
        animation.finish().unwrap();
        let decoder = image::codecs::png::PngDecoder::new(Cursor::new(&bytes)).unwrap();
        let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 6);
        for (frame, picture) in frames.iter().zip(&pictures) {
            assert_eq!(frame.delay().numer_denom_ms(), (250, 1));
            assert_eq!(frame.buffer(), picture);
        }
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgba8(), pictures[0]);
    }

    #[test]
    fn a_picture_more_or_less_is_told() {
        let animation = |frames| Animation::new(io::sink(), 2, 2, frames, 100);
        assert!(animation(0).is_err() && Animation::new(io::sink(), 0, 2, 1, 100).is_err());
        let mut short = animation(2).unwrap();
        short.push(RgbaImage::new(2, 2)).unwrap();
        assert!(short.finish().is_err());
        let mut long = animation(1).unwrap();
        long.push(RgbaImage::new(2, 2)).unwrap();
        assert!(long.push(RgbaImage::new(2, 2)).is_err());
    }
}
