//! The indexed PNG: one byte per pixel, its colors in `PLTE`, their alpha in `tRNS`.
//!
//! A heat map is smooth, so nearly every byte is close to the value predicted from its three neighbors. The Paeth
//! filter uses all three and turns slopes into small numbers and plateaus into zeros, for which the fixed Huffman code
//! of `fdeflate` is optimized. Choosing the filter per row takes up to 50 % longer and saves under 2 % of the bytes; a
//! full LZ77 search ([`Compression::Small`]) compresses better with the plain difference to the row above.

use std::borrow::Cow;
use std::io::{self, Write};

use png::{BitDepth, ColorType, DeflateCompression, Encoder, EncodingError, Filter};

use super::{sides, write_error};
use crate::Result;
use crate::raster::Grid;

/// The compression level; the pixels are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// For pictures rendered on request: about a nanosecond per pixel.
    #[default]
    Fast,
    /// For pictures rendered once and fetched often: 20 to 33 % smaller and about ten times slower.
    Small,
}

/// Options for writing an indexed PNG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PngOptions {
    /// The compression level. Default: [`Compression::Fast`].
    pub compression: Compression,
}

impl PngOptions {
    /// Sets the compression level.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }
}

/// Writes `indices` as an indexed PNG in the colors of `palette` (RGBA, alpha not premultiplied).
///
/// Palette entries after the highest index in use are omitted, and so are alphas after the last one that is not opaque.
/// The bytes depend on the arguments alone. Headers are written in small pieces: `out` should be buffered or a `Vec`.
///
/// # Errors
///
/// [`Error::Invalid`](crate::Error::Invalid) if a side is 0 or exceeds [`MAX_SIDE_PX`](super::MAX_SIDE_PX), and
/// [`Error::Io`](crate::Error::Io) if writing to `out` fails.
pub fn write_indexed(out: impl Write, indices: &Grid<u8>, palette: &[[u8; 4]; 256], options: PngOptions) -> Result<()> {
    let (width, height) = sides(indices.width(), indices.height())?;
    let highest = indices.cells().iter().fold(0, |highest, &index| highest.max(index));
    let used = &palette[..=usize::from(highest)];
    let opaque_from = used.iter().rposition(|color| color[3] != 255).map_or(0, |last| last + 1);

    let mut encoder = Encoder::new(out, width, height);
    encoder.set_color(ColorType::Indexed);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_palette(used.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect::<Cow<'_, [u8]>>());
    if opaque_from > 0 {
        encoder.set_trns(used[..opaque_from].iter().map(|color| color[3]).collect::<Cow<'_, [u8]>>());
    }
    let (deflate, filter) = match options.compression {
        Compression::Fast => (DeflateCompression::FdeflateUltraFast, Filter::Paeth),
        Compression::Small => (DeflateCompression::Level(6), Filter::Up),
    };
    encoder.set_deflate_compression(deflate);
    // There is nothing to predict in an empty picture, and the filter byte of each row would interrupt the run of
    // zeros.
    encoder.set_filter(if highest == 0 { Filter::NoFilter } else { filter });

    let mut writer = encoder.write_header().map_err(to_error)?;
    writer.write_image_data(indices.cells()).map_err(to_error)?;
    writer.finish().map_err(to_error)
}

fn to_error(error: EncodingError) -> crate::Error {
    write_error(match error {
        EncodingError::IoError(source) => source,
        other => io::Error::other(other),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use png::{Decoder, Transformations};

    use super::*;
    use crate::Error;

    /// Black to red, with alpha increasing to opaque at 200.
    fn palette() -> [[u8; 4]; 256] {
        std::array::from_fn(|i| [i as u8, (i / 2) as u8, 7, (i * 255 / 200).min(255) as u8])
    }

    fn blob(width: usize, height: usize) -> Grid<u8> {
        let cells = (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
                (255.0 * (-20.0 * ((x - 0.4).powi(2) + (y - 0.6).powi(2))).exp()) as u8
            })
            .collect();
        Grid::from_cells(width, height, cells).unwrap()
    }

    fn noise(width: usize, height: usize) -> Grid<u8> {
        let mut state = 1_u32;
        let cells = (0..width * height)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        Grid::from_cells(width, height, cells).unwrap()
    }

    fn encoded(indices: &Grid<u8>, palette: &[[u8; 4]; 256], compression: Compression) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_indexed(&mut bytes, indices, palette, PngOptions::default().with_compression(compression)).unwrap();
        bytes
    }

    struct Decoded {
        indices: Grid<u8>,
        rgb: Vec<u8>,
        alpha: Option<Vec<u8>>,
    }

    fn decoded(bytes: &[u8]) -> Decoded {
        let mut decoder = Decoder::new(Cursor::new(bytes));
        decoder.set_transformations(Transformations::IDENTITY);
        let mut reader = decoder.read_info().unwrap();
        assert_eq!(reader.output_color_type(), (ColorType::Indexed, BitDepth::Eight));
        let mut cells = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut cells).unwrap();
        let info = reader.info();
        Decoded {
            indices: Grid::from_cells(info.width as usize, info.height as usize, cells).unwrap(),
            rgb: info.palette.as_deref().unwrap().to_vec(),
            alpha: info.trns.as_deref().map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn decoded_pixels_are_the_encoded_ones_at_any_size() {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (7, 5), (33, 17), (255, 3), (256, 256), (301, 200)] {
            for indices in [blob(width, height), noise(width, height), Grid::filled(width, height, 0)] {
                for compression in [Compression::Fast, Compression::Small] {
                    assert_eq!(decoded(&encoded(&indices, &palette(), compression)).indices, indices);
                }
            }
        }
    }

    #[test]
    fn unused_colors_and_opaque_alphas_are_omitted() {
        let palette = palette();
        let ramp = Grid::from_cells(256, 1, (0..=255).collect()).unwrap();
        let picture = decoded(&encoded(&ramp, &palette, Compression::Fast));
        assert_eq!(picture.rgb, palette.iter().flat_map(|color| color[..3].to_vec()).collect::<Vec<_>>());
        assert_eq!(picture.alpha.unwrap(), palette[..200].iter().map(|color| color[3]).collect::<Vec<_>>());

        let low = Grid::from_cells(3, 1, vec![0, 9, 4]).unwrap();
        let picture = decoded(&encoded(&low, &palette, Compression::Fast));
        assert_eq!((picture.rgb.len(), picture.alpha.unwrap().len()), (30, 10));
    }

    #[test]
    fn an_opaque_palette_has_no_alpha_chunk() {
        let opaque = palette().map(|[r, g, b, _]| [r, g, b, 255]);
        assert_eq!(decoded(&encoded(&blob(40, 40), &opaque, Compression::Fast)).alpha, None);
    }

    #[test]
    fn an_empty_tile_is_small() {
        let empty = Grid::filled(256, 256, 0);
        for (compression, limit) in [(Compression::Fast, 900), (Compression::Small, 200)] {
            let bytes = encoded(&empty, &palette(), compression);
            assert!(bytes.len() < limit, "{} bytes", bytes.len());
            let picture = decoded(&bytes);
            assert_eq!((picture.indices, picture.rgb, picture.alpha), (empty.clone(), vec![0, 0, 7], Some(vec![0])));
        }
    }

    #[test]
    fn small_is_smaller_and_noise_does_not_expand() {
        let indices = blob(300, 300);
        let (fast, small) =
            (encoded(&indices, &palette(), Compression::Fast), encoded(&indices, &palette(), Compression::Small));
        assert!(small.len() < fast.len(), "{} bytes against {}", small.len(), fast.len());
        let stored = encoded(&noise(300, 300), &palette(), Compression::Fast).len();
        assert!(stored < 300 * 301 + 2000, "{stored} bytes");
    }

    #[test]
    fn encoding_is_deterministic() {
        for compression in [Compression::Fast, Compression::Small] {
            let first = encoded(&blob(500, 300), &palette(), compression);
            assert_eq!(first, encoded(&blob(500, 300), &palette(), compression));
        }
    }

    #[test]
    fn a_picture_without_pixels_is_rejected() {
        for (width, height) in [(0, 5), (5, 0), (0, 0)] {
            let error = write_indexed(io::sink(), &Grid::filled(width, height, 0), &palette(), PngOptions::default());
            assert!(matches!(error, Err(Error::Invalid { parameter: crate::Parameter::SIZE, .. })), "{error:?}");
        }
    }

    #[test]
    fn a_full_disk_is_an_io_error() {
        let mut buffer = [0_u8; 100];
        let error = write_indexed(&mut buffer[..], &blob(64, 64), &palette(), PngOptions::default()).unwrap_err();
        let Error::Io { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), io::ErrorKind::WriteZero);
        assert!(!error.is_usage());
    }
}
