//! Animations: a sequence of pictures in one file.

mod apng;
mod gif;

use std::io::Write;

use image::RgbaImage;

use self::apng::Apng;
use self::gif::Gif;
use super::sides;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// The file format of an animation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnimationFormat {
    /// An animated PNG, lossless. Readers without support for animations show the first picture.
    #[default]
    Png,
    /// An animated GIF. If the region that changes from one picture to the next has more than 256 colors, each rare
    /// color is replaced by the nearest of the others. Delays are multiples of 10 ms, at least 20 ms.
    Gif,
}

/// Writes an animation, opaque and looping forever. Of each picture only the region that differs from the previous one
/// is stored.
pub struct Animation<W: Write> {
    encoder: FrameEncoder<W>,
    previous: Option<RgbaImage>,
    size: (u32, u32),
    remaining: u32,
}

/// The encoder of either format.
enum FrameEncoder<W: Write> {
    Png(Apng<W>),
    Gif(Gif<W>),
}

/// A rectangular region of a picture, in pixels.
#[derive(Clone, Copy, Debug)]
struct Region {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl<W: Write> Animation<W> {
    /// Starts an animation of `frames` pictures of `width` × `height` pixels, each shown for `delay_ms` milliseconds.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a side is 0 or exceeds the limit of the format, or `frames` is 0; [`Error::Io`] if writing
    /// to `out` fails.
    pub fn new(out: W, format: AnimationFormat, width: u32, height: u32, frames: u32, delay_ms: u16) -> Result<Self> {
        sides(width as usize, height as usize)?;
        if frames == 0 {
            return Err(Error::invalid(Parameter::FRAMES, "0 is too few; an animation has at least one"));
        }
        let encoder = match format {
            AnimationFormat::Png => FrameEncoder::Png(Apng::new(out, width, height, frames, delay_ms)?),
            AnimationFormat::Gif => FrameEncoder::Gif(Gif::new(out, width, height, delay_ms)?),
        };
        Ok(Self { encoder, previous: None, size: (width, height), remaining: frames })
    }

    /// Adds a picture; its alpha is ignored.
    ///
    /// # Errors
    /// [`Error::Invalid`] if its size differs, or all pictures have been added already; [`Error::Io`] if writing fails.
    pub fn push(&mut self, picture: RgbaImage) -> Result<()> {
        if picture.dimensions() != self.size {
            return Err(Error::invalid(Parameter::SIZE, "the pictures of an animation must have the same size"));
        }
        let Some(remaining) = self.remaining.checked_sub(1) else {
            return Err(Error::invalid(Parameter::FRAMES, "the animation has all its pictures already"));
        };
        let (width, height) = self.size;
        let entire = Region { left: 0, top: 0, width, height };
        let region = self.previous.as_ref().map_or(entire, |previous| Region::changed(previous, &picture));
        match &mut self.encoder {
            FrameEncoder::Png(encoder) => encoder.push(&picture, region)?,
            FrameEncoder::Gif(encoder) => encoder.push(&picture, region)?,
        }
        (self.previous, self.remaining) = (Some(picture), remaining);
        Ok(())
    }

    /// Finishes the file.
    ///
    /// # Errors
    /// [`Error::Invalid`] if pictures are missing; [`Error::Io`] if writing fails.
    pub fn finish(self) -> Result<()> {
        if self.remaining > 0 {
            return Err(Error::invalid(
                Parameter::FRAMES,
                format!("{} of the animation's pictures are missing", self.remaining),
            ));
        }
        match self.encoder {
            FrameEncoder::Png(encoder) => encoder.finish(),
            FrameEncoder::Gif(encoder) => encoder.finish(),
        }
    }
}

impl Region {
    /// The smallest region that covers all differing pixels; one pixel if none differ.
    fn changed(before: &RgbaImage, after: &RgbaImage) -> Self {
        let differing =
            before.enumerate_pixels().zip(after.pixels()).filter(|((_, _, old), new)| old.0[..3] != new.0[..3]);
        let ends = differing.fold(None, |ends: Option<[u32; 4]>, ((x, y, _), _)| {
            let [left, top, right, bottom] = ends.unwrap_or([x, y, x, y]);
            Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
        });
        let [left, top, right, bottom] = ends.unwrap_or_default();
        Self { left, top, width: right - left + 1, height: bottom - top + 1 }
    }

    /// The colors of the region, row by row.
    fn colors(self, picture: &RgbaImage) -> impl Iterator<Item = [u8; 3]> {
        let Self { left, top, width, height } = self;
        let row = move |row| (left..left + width).map(move |column| (column, row));
        (top..top + height).flat_map(row).map(|(column, row)| {
            let [red, green, blue, _] = picture.get_pixel(column, row).0;
            [red, green, blue]
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{self, Cursor};

    use ::gif::{ColorOutput, DecodeOptions};
    use image::{AnimationDecoder, Rgba};

    use super::*;

    fn pictures() -> Vec<RgbaImage> {
        let mut pictures: Vec<RgbaImage> = (0..5)
            .map(|i| {
                let mut picture = RgbaImage::from_fn(20, 10, |x, y| Rgba([x as u8, y as u8, 7, 255]));
                (0..i).for_each(|j| picture.put_pixel(3 * j, j, Rgba([200, 0, i as u8, 255])));
                picture
            })
            .collect();
        pictures.push(pictures[4].clone());
        pictures
    }

    fn written(pictures: &[RgbaImage], format: AnimationFormat) -> Vec<u8> {
        let (width, height) = pictures[0].dimensions();
        let mut bytes = Vec::new();
        let mut animation = Animation::new(&mut bytes, format, width, height, pictures.len() as u32, 250).unwrap();
        for picture in pictures {
            assert!(animation.push(RgbaImage::new(3, 3)).is_err());
            animation.push(picture.clone()).unwrap();
        }
        animation.finish().unwrap();
        bytes
    }

    #[test]
    fn each_picture_of_an_apng_reads_back_the_same() {
        let pictures = pictures();
        let bytes = written(&pictures, AnimationFormat::Png);
        let decoder = image::codecs::png::PngDecoder::new(Cursor::new(&bytes)).unwrap();
        let frames = decoder.apng().unwrap().into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 6);
        for (frame, picture) in frames.iter().zip(&pictures) {
            assert_eq!(frame.delay().numer_denom_ms(), (250, 1));
            assert_eq!(frame.buffer(), picture);
        }
        assert_eq!(image::load_from_memory(&bytes).unwrap().to_rgba8(), pictures[0]);
    }

    /// The frames of a GIF, each composited over the previous ones, and their delays.
    fn played(bytes: &[u8], size: (u32, u32)) -> Vec<(RgbaImage, u16)> {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(bytes).unwrap();
        let (mut composite, mut played) = (RgbaImage::new(size.0, size.1), Vec::new());
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            let region = RgbaImage::from_raw(frame.width.into(), frame.height.into(), frame.buffer.to_vec()).unwrap();
            image::imageops::replace(&mut composite, &region, frame.left.into(), frame.top.into());
            played.push((composite.clone(), frame.delay));
        }
        assert_eq!(decoder.repeat(), ::gif::Repeat::Infinite);
        played
    }

    #[test]
    fn a_gif_of_few_colors_is_exact() {
        let pictures = pictures();
        let played = played(&written(&pictures, AnimationFormat::Gif), (20, 10));
        assert_eq!(played.len(), 6);
        for ((frame, delay), picture) in played.iter().zip(&pictures) {
            assert_eq!((frame, *delay), (picture, 25));
        }
    }

    #[test]
    fn a_gif_of_many_colors_has_the_nearest_colors() {
        // A gradient with 767 colors: with cells of 4 by 4 by 4, the smallest possible, at most 256 cells have colors.
        let gradient = |i: u32| {
            let channel = |x: u32, from: u32| x.saturating_sub(from).min(255) as u8;
            RgbaImage::from_fn(767, 4, |x, y| Rgba([channel(x, 0), channel(x, 255), channel(x, 510 + (y & i)), 255]))
        };
        let pictures = [gradient(0), gradient(1)];
        for ((frame, _), picture) in played(&written(&pictures, AnimationFormat::Gif), (767, 4)).iter().zip(&pictures) {
            let difference = |(a, b): (&u8, &u8)| a.abs_diff(*b);
            assert!(frame.iter().zip(picture.iter()).map(difference).max().unwrap() < 4);
        }
    }

    #[test]
    fn too_few_and_too_many_pictures_are_errors() {
        for format in [AnimationFormat::Png, AnimationFormat::Gif] {
            let animation = |frames| Animation::new(io::sink(), format, 2, 2, frames, 100);
            assert!(animation(0).is_err() && Animation::new(io::sink(), format, 0, 2, 1, 100).is_err());
            let mut too_few = animation(2).unwrap();
            too_few.push(RgbaImage::new(2, 2)).unwrap();
            assert!(too_few.finish().unwrap_err().to_string().contains("1 of the animation's pictures"));
            let mut too_many = animation(1).unwrap();
            too_many.push(RgbaImage::new(2, 2)).unwrap();
            assert!(too_many.push(RgbaImage::new(2, 2)).is_err());
        }
    }
}
