//! Animated GIF, for mail, slides and chat programs that do not play animated PNG.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use gif::{DisposalMethod, Encoder, EncodingError, Frame, Repeat};
use image::RgbaImage;

use super::Region;
use crate::encode::unwritable;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// Encoder of an animated GIF.
pub(super) struct Gif<W: Write> {
    encoder: Encoder<W>,
    /// In hundredths of a second.
    delay: u16,
}

impl<W: Write> Gif<W> {
    pub(super) fn new(out: W, width: u32, height: u32, delay_ms: u16) -> Result<Self> {
        /// Browsers replace a shorter delay with a tenth of a second.
        const MIN_DELAY: u16 = 2;
        let side = |px: u32| {
            let reason =
                || format!("{width}x{height} cannot be written: each side of a GIF must be 1 to {} px", u16::MAX);
            u16::try_from(px).map_err(|_| Error::invalid(Parameter::SIZE, reason()))
        };
        let mut encoder = Encoder::new(out, side(width)?, side(height)?, &[]).map_err(to_error)?;
        encoder.set_repeat(Repeat::Infinite).map_err(to_error)?;
        Ok(Self { encoder, delay: ((delay_ms + 5) / 10).max(MIN_DELAY) })
    }

    pub(super) fn push(&mut self, picture: &RgbaImage, region: Region) -> Result<()> {
        let (palette, indices) = indexed(picture, region);
        // They fit in 16 bits: the region is within a picture whose sides do.
        let [left, top, width, height] = [region.left, region.top, region.width, region.height].map(|px| px as u16);
        let mut frame = Frame::from_palette_pixels(width, height, indices, palette, None);
        (frame.left, frame.top, frame.delay, frame.dispose) = (left, top, self.delay, DisposalMethod::Keep);
        self.encoder.write_frame(&frame).map_err(to_error)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.encoder.into_inner().map_err(to_error)?.flush().map_err(unwritable)
    }
}

/// The palette of a region, as RGB triples, and the palette index of each of its pixels.
fn indexed(picture: &RgbaImage, region: Region) -> (Vec<u8>, Vec<u8>) {
    let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
    region.colors(picture).for_each(|color| *counts.entry(color).or_default() += 1);
    let palette = palette(&counts);
    let nearest = |color: &[u8; 3]| {
        let distance =
            |entry: &[u8; 3]| -> u32 { entry.iter().zip(color).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum() };
        let entries = palette.iter().zip(0..=u8::MAX);
        entries.min_by_key(|(entry, _)| distance(entry)).map_or(0, |(_, index)| index)
    };
    let index_by_color: HashMap<[u8; 3], u8> = counts.into_keys().map(|color| (color, nearest(&color))).collect();
    let indices = region.colors(picture).map(|color| index_by_color[&color]).collect();
    (palette.concat(), indices)
}

/// Selects the palette of a frame: all its colors, if there are at most 256. Otherwise the color cube is divided into
/// cells as small as possible; the palette has the most frequent color of each cell and fills up with the most frequent
/// others. So most pixels are exact, and the error of the rest is at most the diagonal of a cell.
fn palette(counts: &HashMap<[u8; 3], usize>) -> Vec<[u8; 3]> {
    const MAX_COLORS: usize = 256;
    let mut colors: Vec<_> = counts.iter().map(|(color, count)| (Reverse(*count), *color)).collect();
    colors.sort_unstable();
    let colors: Vec<[u8; 3]> = colors.into_iter().map(|(_, color)| color).collect();
    let with_bits = |bits: u32| {
        let mut cells = HashSet::new();
        let is_first = |color: &[u8; 3]| cells.insert(color.map(|channel| u32::from(channel) >> (u8::BITS - bits)));
        let (mut palette, others): (Vec<_>, Vec<_>) = colors.iter().copied().partition(is_first);
        let free = MAX_COLORS.checked_sub(palette.len())?;
        palette.extend(others.into_iter().take(free));
        Some(palette)
    };
    (0..=u8::BITS).rev().find_map(with_bits).unwrap_or_default()
}

fn to_error(error: EncodingError) -> Error {
    unwritable(match error {
        EncodingError::Io(source) => source,
        other => io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_palette_has_the_frequent_colors_and_is_near_the_others() {
        // A thousand colors, a hundred of them frequent.
        let color = |i: usize| [(i % 250) as u8, (i / 4) as u8, (i * 7 % 256) as u8];
        let counts: HashMap<_, _> = (0..1000).map(|i| (color(i), if i % 10 == 0 { 100 } else { 1 })).collect();
        let palette = palette(&counts);
        assert_eq!(palette.len(), 256);
        assert_eq!(palette.iter().collect::<HashSet<_>>().len(), 256);
        // Cells are 2^(8 - bits) wide; at 3 bits, these colors are in fewer than 256 of them.
        let is_near =
            |color: &[u8; 3]| palette.iter().any(|entry| entry.iter().zip(color).all(|(a, b)| a.abs_diff(*b) < 1 << 5));
        assert!(counts.keys().all(is_near));
        let few: HashMap<_, _> = (0..256).map(|i| (color(i), 1)).collect();
        assert!(super::palette(&few).iter().all(|color| few.contains_key(color)));
    }

    #[test]
    fn a_side_that_exceeds_the_limit_of_gif_is_an_error() {
        let error = Gif::new(io::sink(), 65_536, 1, 100).err().unwrap();
        assert!(error.to_string().contains("65535"), "{error}");
    }
}
