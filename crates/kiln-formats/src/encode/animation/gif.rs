//! The animated GIF, for where no PNG moves: letters, slides, chats.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use image::RgbaImage;

use super::Part;
use crate::encode::write_error;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// An animated GIF that is being written.
pub(super) struct Gif<W: Write> {
    encoder: Encoder<W>,
    /// In hundredths of a second.
    delay: u16,
}

impl<W: Write> Gif<W> {
    pub(super) fn new(out: W, width: u32, height: u32, delay_ms: u16) -> Result<Self> {
        /// What is shown for less, browsers show for a tenth of a second.
        const LEAST_DELAY: u16 = 2;
        let side = |px: u32| {
            let why = || format!("{width}x{height} cannot be written: each side of a GIF must be 1 to {} px", u16::MAX);
            u16::try_from(px).map_err(|_| Error::invalid(Parameter::SIZE, why()))
        };
        let mut encoder = Encoder::new(out, side(width)?, side(height)?, &[]).map_err(refused)?;
        encoder.set_repeat(Repeat::Infinite).map_err(refused)?;
        Ok(Self { encoder, delay: ((delay_ms + 5) / 10).max(LEAST_DELAY) })
    }

    pub(super) fn push(&mut self, picture: &RgbaImage, part: Part) -> Result<()> {
        let (palette, indices) = indexed(picture, part);
        // They fit: the part lies in a picture whose sides do.
        let [left, top, width, height] = [part.left, part.top, part.width, part.height].map(|px| px as u16);
        let mut frame = Frame::from_palette_pixels(width, height, indices, palette, None);
        (frame.left, frame.top, frame.delay, frame.dispose) = (left, top, self.delay, DisposalMethod::Keep);
        self.encoder.write_frame(&frame).map_err(refused)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.encoder.into_inner().map_err(refused)?.flush().map_err(write_error)
    }
}

/// The palette of a part, color after color, and its pixels.
fn indexed(picture: &RgbaImage, part: Part) -> (Vec<u8>, Vec<u8>) {
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    part.colors(picture).for_each(|color| *counts.entry(color).or_default() += 1);
    let palette = palette(&counts);
    let nearest = |color: &[u8; 3]| {
        let distance =
            |entry: &[u8; 3]| -> u32 { entry.iter().zip(color).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum() };
        let entries = palette.iter().zip(0..=u8::MAX);
        entries.min_by_key(|(entry, _)| distance(entry)).map_or(0, |(_, number)| number)
    };
    let numbers: HashMap<[u8; 3], u8> = counts.into_keys().map(|color| (color, nearest(&color))).collect();
    let indices = part.colors(picture).map(|color| numbers[&color]).collect();
    (palette.concat(), indices)
}

/// The colors of a frame: all of them, if there are no more than it holds. Else the most frequent one of each cell of the color
/// cube, whose cells are as small as can be, and the most frequent others: most pixels are exact, and none is farther off than the
/// corners of a cell are apart.
fn palette(counts: &HashMap<[u8; 3], usize>) -> Vec<[u8; 3]> {
    const MOST: usize = 256;
    let mut colors: Vec<_> = counts.iter().map(|(color, count)| (Reverse(*count), *color)).collect();
    colors.sort_unstable();
    let colors: Vec<[u8; 3]> = colors.into_iter().map(|(_, color)| color).collect();
    let of_cells = |bits: u32| {
        let mut cells = HashSet::new();
        let is_first = |color: &[u8; 3]| cells.insert(color.map(|channel| u32::from(channel) >> (u8::BITS - bits)));
        let (mut palette, others): (Vec<_>, Vec<_>) = colors.iter().copied().partition(is_first);
        let room = MOST.checked_sub(palette.len())?;
        palette.extend(others.into_iter().take(room));
        Some(palette)
    };
    (0..=u8::BITS).rev().find_map(of_cells).unwrap_or_default()
}

fn refused(error: EncodingError) -> Error {
    write_error(match error {
        EncodingError::Io(source) => source,
        other => io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_has_what_is_frequent_and_is_near_to_the_rest() {
        // A thousand colors, of which a hundred are frequent.
        let color = |i: usize| [(i % 250) as u8, (i / 4) as u8, (i * 7 % 256) as u8];
        let counts: HashMap<_, _> = (0..1000).map(|i| (color(i), if i % 10 == 0 { 100 } else { 1 })).collect();
        let palette = palette(&counts);
        assert_eq!(palette.len(), 256);
        assert_eq!(palette.iter().collect::<HashSet<_>>().len(), 256);
        // Cells are 2^(8 - bits) wide; fewer than 256 of them hold these colors at 3 bits.
        let is_near = |color: &[u8; 3]| {
            palette.iter().any(|entry| entry.iter().zip(color).all(|(one, other)| one.abs_diff(*other) < 1 << 5))
        };
        assert!(counts.keys().all(is_near));
        let few: HashMap<_, _> = (0..256).map(|i| (color(i), 1)).collect();
        assert!(super::palette(&few).iter().all(|color| few.contains_key(color)));
    }

    #[test]
    fn a_side_beyond_what_a_gif_holds_is_told() {
        let error = Gif::new(io::sink(), 65_536, 1, 100).err().unwrap();
        assert!(error.to_string().contains("65535"), "{error}");
    }
}
