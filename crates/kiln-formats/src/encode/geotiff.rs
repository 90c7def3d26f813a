//! `GeoTIFF`: density or colors with their georeference, for GIS programs.
//!
//! The files are cloud-optimized: all directories come first, then the overviews, the smallest first, then the image.
//! The tiles are [`TILE_PX`] pixels wide and high and are compressed with DEFLATE by several threads. The output does
//! not depend on the number of threads. A file that could exceed the 4 GB of a classic TIFF is written as `BigTIFF`.

mod band;
mod cog;
mod directory;
mod georeference;
mod overviews;
mod statistics;
mod tiles;

use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;

use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat, Tag,
};

pub use self::band::Band;
pub use self::cog::{Cog, ColorTiles};
use self::directory::{Values, write_directory};
pub use self::georeference::{Crs, GeoReference};
use self::overviews::{mean_color, mean_value, overviews};
pub use self::tiles::TILE_PX;
use self::tiles::{MAX_TILE_BYTES, ROW_BYTES, deflate_in_order, predict, predict_colors, predict_floats};
use super::{sides, write_error};
use kiln_core::Result;
use kiln_core::raster::Grid;

/// The private tag of GDAL for an XML document of metadata.
const GDAL_METADATA: Tag = Tag::Unknown(42112);

/// Writes `density` as one band of 32-bit floats, with the metadata of `band`.
///
/// Readers treat cells that equal [`Band::nodata`] (or are NaN, if it is NaN) as missing. The metadata has the minimum,
/// maximum, mean and standard deviation of the finite cells that are not missing, and their share in percent; none of
/// these if there are no such cells. Up to `threads` threads compress the tiles (0 counts as 1). `out` should be
/// buffered: headers are written in small pieces.
///
/// # Errors
///
/// [`Error::Invalid`](kiln_core::Error::Invalid) if a side is 0 or exceeds
/// [`MAX_SIDE_PX`](kiln_core::encode::MAX_SIDE_PX), or the corner or the pixel size of `reference` is invalid;
/// [`Error::Io`](kiln_core::Error::Io) if writing to `out` fails.
pub fn write_density(
    out: impl Write + Seek,
    density: &Grid<f32>,
    band: &Band<'_>,
    reference: &GeoReference,
    threads: usize,
) -> Result<()> {
    let image = Image {
        sides: sides(density.width(), density.height())?,
        bits_per_sample: &[32],
        format: SampleFormat::IEEEFP,
        photometric: PhotometricInterpretation::BlackIsZero,
        predictor: Predictor::FloatingPoint,
        alpha: false,
        nodata: band.nodata,
        metadata: band.metadata(density),
        reference,
    };
    let smaller = overviews(density, |values| mean_value(values, band.nodata));
    let level = |level: usize| level.checked_sub(1).map_or(density, |overview| &smaller[overview]);
    image.write(out, threads, |index, row, columns, bytes| predict_floats(&level(index).row(row)[columns], bytes))
}

/// Writes `indices` in the colors of `palette` (RGBA, alpha not premultiplied) as four 8-bit bands.
///
/// Up to `threads` threads compress the tiles (0 counts as 1). `out` should be buffered: headers are written in small
/// pieces.
///
/// # Errors
///
/// As for [`write_density`].
pub fn write_colors(
    out: impl Write + Seek,
    indices: &Grid<u8>,
    palette: &[[u8; 4]; 256],
    reference: &GeoReference,
    threads: usize,
) -> Result<()> {
    let image = Image {
        sides: sides(indices.width(), indices.height())?,
        bits_per_sample: &[8; 4],
        format: SampleFormat::Uint,
        photometric: PhotometricInterpretation::RGB,
        predictor: Predictor::Horizontal,
        alpha: true,
        nodata: None,
        metadata: None,
        reference,
    };
    // The colors are copied only for an image that has overviews.
    let smaller = if image.levels().len() > 1 { overviews(&colored(indices, palette), mean_color) } else { Vec::new() };
    image.write(out, threads, |level, row, columns, bytes| match level.checked_sub(1) {
        None => predict_colors(&indices.row(row)[columns], palette, bytes),
        Some(overview) => predict(smaller[overview].row(row)[columns].iter().copied(), bytes),
    })
}

/// The colors of palette indices.
fn colored(indices: &Grid<u8>, palette: &[[u8; 4]; 256]) -> Grid<[u8; 4]> {
    let mut colors = Grid::filled(indices.width(), indices.height(), [0; 4]);
    for (color, index) in colors.cells_mut().iter_mut().zip(indices.cells()) {
        *color = palette[usize::from(*index)];
    }
    colors
}

/// The properties of an image that its tags hold.
struct Image<'a> {
    sides: (u32, u32),
    bits_per_sample: &'a [u16],
    format: SampleFormat,
    photometric: PhotometricInterpretation,
    predictor: Predictor,
    alpha: bool,
    nodata: Option<f32>,
    /// The value of `GDAL_METADATA`, in ASCII without U+0000.
    metadata: Option<String>,
    reference: &'a GeoReference,
}

impl Image<'_> {
    /// Writes the file; `fill(level, row, columns, bytes)` writes those cells of a row into the zeroed row of a tile.
    /// Level 0 is the image, and the next ones are its overviews.
    fn write<F>(&self, out: impl Write + Seek, threads: usize, fill: F) -> Result<()>
    where
        F: Fn(usize, usize, Range<usize>, &mut [u8]) + Sync,
    {
        self.reference.check()?;
        self.write_as(self.max_bytes() > u64::from(u32::MAX), out, threads, fill).map_err(write_error)
    }

    /// The width and the height of the image and its overviews.
    fn levels(&self) -> Vec<(usize, usize)> {
        let image = (self.sides.0 as usize, self.sides.1 as usize);
        let next = |&(width, height): &(usize, usize)| {
            (width.max(height) > TILE_PX).then(|| (width.div_ceil(2), height.div_ceil(2)))
        };
        std::iter::successors(Some(image), next).collect()
    }

    /// An upper bound of the size of the file: that of incompressible data.
    fn max_bytes(&self) -> u64 {
        let tiles = self.levels().into_iter().map(|level| tiles(level) as u64).fold(0, u64::saturating_add);
        // Each tile also has its offset and its length.
        let per_tile = MAX_TILE_BYTES as u64 + 24;
        let metadata = self.metadata.as_ref().map_or(0, String::len) as u64;
        tiles.saturating_mul(per_tile).saturating_add(metadata + 4096)
    }

    fn write_as<F>(&self, is_big: bool, mut out: impl Write + Seek, threads: usize, fill: F) -> io::Result<()>
    where
        F: Fn(usize, usize, Range<usize>, &mut [u8]) + Sync,
    {
        let levels = self.levels();
        // The offsets and lengths of the tiles by level; they are unknown until the tiles are written.
        let mut locations: Vec<Vec<(u64, u32)>> = levels.iter().map(|level| vec![(0, 0); tiles(*level)]).collect();
        let head = self.head(&levels, &locations, is_big);
        out.write_all(&head)?;
        let mut offset = head.len() as u64;
        for (level, &(width, height)) in levels.iter().enumerate().rev() {
            let columns = width.div_ceil(TILE_PX);
            let fill_tile = |tile: usize, bytes: &mut [u8]| {
                let (west, north) = (tile % columns * TILE_PX, tile / columns * TILE_PX);
                let cells = west..width.min(west + TILE_PX);
                for (row, bytes) in (north..height).zip(bytes.chunks_exact_mut(ROW_BYTES)) {
                    fill(level, row, cells.clone(), bytes);
                }
            };
            let mut next = 0;
            deflate_in_order(tiles((width, height)), threads, fill_tile, |tile| {
                // A deflated tile has at most MAX_TILE_BYTES.
                locations[level][next] = (offset, tile.len() as u32);
                (next, offset) = (next + 1, offset + tile.len() as u64);
                out.write_all(tile)
            })?;
        }
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&self.head(&levels, &locations, is_big))?;
        out.seek(SeekFrom::End(0))?;
        out.flush()
    }

    /// The header and the directories of all levels. Its length does not depend on the locations.
    fn head(&self, levels: &[(usize, usize)], locations: &[Vec<(u64, u32)>], is_big: bool) -> Vec<u8> {
        let mut head = directory::header(is_big);
        for (level, (sides, tiles)) in levels.iter().zip(locations).enumerate() {
            write_directory(&mut head, &self.tags(level, *sides, tiles, is_big), is_big, level + 1 == levels.len());
        }
        head
    }

    /// The tags of a level, in ascending order.
    fn tags(
        &self,
        level: usize,
        (width, height): (usize, usize),
        tiles: &[(u64, u32)],
        is_big: bool,
    ) -> Vec<(u16, Values)> {
        let short = |value: u16| Values::Short(vec![value]);
        let samples = self.bits_per_sample.len();
        let offsets = tiles.iter().map(|(offset, _)| *offset);
        let offsets = if is_big {
            Values::Long8(offsets.collect())
        } else {
            Values::Long(offsets.map(|offset| offset as u32).collect())
        };
        let mut tags = vec![
            (Tag::NewSubfileType.to_u16(), Values::Long(vec![u32::from(level > 0)])),
            (Tag::ImageWidth.to_u16(), Values::Long(vec![width as u32])),
            (Tag::ImageLength.to_u16(), Values::Long(vec![height as u32])),
            (Tag::BitsPerSample.to_u16(), Values::Short(self.bits_per_sample.to_vec())),
            (Tag::Compression.to_u16(), short(CompressionMethod::Deflate.to_u16())),
            (Tag::PhotometricInterpretation.to_u16(), short(self.photometric.to_u16())),
            (Tag::SamplesPerPixel.to_u16(), short(samples as u16)),
            (Tag::PlanarConfiguration.to_u16(), short(PlanarConfiguration::Chunky.to_u16())),
            (Tag::Predictor.to_u16(), short(self.predictor.to_u16())),
            (Tag::TileWidth.to_u16(), short(TILE_PX as u16)),
            (Tag::TileLength.to_u16(), short(TILE_PX as u16)),
            (Tag::TileOffsets.to_u16(), offsets),
            (Tag::TileByteCounts.to_u16(), Values::Long(tiles.iter().map(|(_, length)| *length).collect())),
        ];
        if self.alpha {
            tags.push((Tag::ExtraSamples.to_u16(), short(ExtraSamples::UnassociatedAlpha.to_u16())));
        }
        tags.push((Tag::SampleFormat.to_u16(), Values::Short(vec![self.format.to_u16(); samples])));
        if level == 0 {
            tags.extend(directory::georeference(self.reference));
            tags.extend(self.metadata.clone().map(|text| (GDAL_METADATA.to_u16(), Values::Ascii(text))));
        }
        tags.extend(self.nodata.map(|nodata| {
            let text = if nodata.is_nan() { "nan".to_owned() } else { f64::from(nodata).to_string() };
            (Tag::GdalNodata.to_u16(), Values::Ascii(text))
        }));
        tags
    }
}

/// The number of tiles of an image.
fn tiles((width, height): (usize, usize)) -> usize {
    width.div_ceil(TILE_PX) * height.div_ceil(TILE_PX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use tiff::ColorType;
    use tiff::decoder::{Decoder, DecodingResult};

    use super::*;
    use kiln_core::Error;

    const MERCATOR: GeoReference =
        GeoReference { crs: Crs::Epsg3857, west: -1000.5, north: 2000.25, pixel_width: 10.0, pixel_height: 20.0 };

    const BAND: Band<'_> = Band { name: "density", unit: "points per km²", nodata: None };

    /// A grid of distinct values, some of them NaN, negative or tiny.
    fn density(width: usize, height: usize) -> Grid<f32> {
        let cells = (0..width * height).map(|i| match i % 11 {
            3 => f32::NAN,
            5 => -(i as f32),
            7 => 1e-30 * i as f32,
            _ => i as f32 / 3.0,
        });
        Grid::from_cells(width, height, cells.collect()).unwrap()
    }

    fn palette() -> [[u8; 4]; 256] {
        std::array::from_fn(|i| [i as u8, 255 - i as u8, (i * 7) as u8, (i / 2) as u8])
    }

    fn density_bytes(density: &Grid<f32>, nodata: Option<f32>, reference: &GeoReference, threads: usize) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        write_density(&mut file, density, &Band { nodata, ..BAND }, reference, threads).unwrap();
        file.into_inner()
    }

    fn floats(bytes: &[u8]) -> Vec<u32> {
        let mut decoder = Decoder::new(Cursor::new(bytes)).unwrap();
        let DecodingResult::F32(cells) = decoder.read_image().unwrap() else { panic!("not floats") };
        cells.into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn cells_of_grids_of_any_shape_read_back_the_same() {
        for (width, height) in [(1, 1), (256, 256), (257, 1), (1, 300), (300, 517)] {
            let density = density(width, height);
            let bits: Vec<_> = density.cells().iter().map(|cell| cell.to_bits()).collect();
            assert_eq!(floats(&density_bytes(&density, None, &MERCATOR, 2)), bits, "{width}x{height}");

            let indices = Grid::from_cells(width, height, (0..width * height).map(|i| (i * 5 / 3) as u8).collect());
            let indices = indices.unwrap();
            let mut file = Cursor::new(Vec::new());
            write_colors(&mut file, &indices, &palette(), &MERCATOR, 2).unwrap();
            let mut decoder = Decoder::new(Cursor::new(file.into_inner())).unwrap();
            assert_eq!(decoder.colortype().unwrap(), ColorType::RGBA(8));
            let DecodingResult::U8(samples) = decoder.read_image().unwrap() else { panic!("not bytes") };
            let expected: Vec<_> = indices.cells().iter().flat_map(|&index| palette()[usize::from(index)]).collect();
            assert!(samples == expected, "{width}x{height}");
        }
    }

    #[test]
    fn the_tags_have_the_georeference() {
        for crs in [Crs::Epsg3857, Crs::Epsg4326, Crs::Plane] {
            let bytes = density_bytes(&density(3, 2), None, &GeoReference { crs, ..MERCATOR }, 1);
            assert_eq!(bytes[..4], [b'I', b'I', 42, 0]);
            let mut decoder = Decoder::new(Cursor::new(&bytes)).unwrap();
            assert_eq!(decoder.get_tag_f64_vec(Tag::ModelPixelScaleTag).unwrap(), [10.0, 20.0, 0.0]);
            let tie_point = decoder.get_tag_f64_vec(Tag::ModelTiepointTag).unwrap();
            assert_eq!(tie_point, [0.0, 0.0, 0.0, -1000.5, 2000.25, 0.0]);

            let keys = decoder.find_tag(Tag::GeoKeyDirectoryTag).unwrap().map(|keys| keys.into_u16_vec().unwrap());
            assert_eq!(keys, crs.keys().map(|(keys, _)| keys));
            let citations = decoder.find_tag(Tag::GeoAsciiParamsTag).unwrap().map(|text| text.into_string().unwrap());
            assert_eq!(citations.as_deref(), crs.keys().map(|(_, citations)| citations));
        }
    }

    #[test]
    fn nodata_is_written_exactly() {
        for (nodata, text) in
            [(Some(f32::NAN), "nan"), (Some(-9999.0), "-9999"), (Some(0.1), "0.10000000149011612"), (Some(0.0), "0")]
        {
            let bytes = density_bytes(&density(2, 2), nodata, &MERCATOR, 1);
            let mut decoder = Decoder::new(Cursor::new(&bytes)).unwrap();
            assert_eq!(decoder.get_tag_ascii_string(Tag::GdalNodata).unwrap(), text);
        }
        let mut decoder = Decoder::new(Cursor::new(density_bytes(&density(2, 2), None, &MERCATOR, 1))).unwrap();
        assert!(decoder.find_tag(Tag::GdalNodata).unwrap().is_none());
    }

    #[test]
    fn the_metadata_of_the_band_is_a_tag_and_colors_have_none() {
        let values = density(300, 2);
        let mut decoder = Decoder::new(Cursor::new(density_bytes(&values, None, &MERCATOR, 1))).unwrap();
        let text = decoder.get_tag_ascii_string(GDAL_METADATA).unwrap();
        assert_eq!(Some(text), BAND.metadata(&values));

        let mut file = Cursor::new(Vec::new());
        write_colors(&mut file, &Grid::filled(3, 2, 0), &palette(), &MERCATOR, 1).unwrap();
        let mut decoder = Decoder::new(Cursor::new(file.into_inner())).unwrap();
        assert!(decoder.find_tag(GDAL_METADATA).unwrap().is_none());
    }

    #[test]
    fn the_directories_and_the_smallest_overview_come_first() {
        let mut decoder = Decoder::new(Cursor::new(density_bytes(&density(1000, 700), None, &MERCATOR, 2))).unwrap();
        let mut sides = Vec::new();
        let mut first_tiles = Vec::new();
        loop {
            sides.push(decoder.dimensions().unwrap());
            first_tiles.push(decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap()[0]);
            if !decoder.more_images() {
                break;
            }
            decoder.next_image().unwrap();
        }
        assert_eq!(sides, [(1000, 700), (500, 350), (250, 175)]);
        assert!(first_tiles.is_sorted_by(|one, next| one > next), "{first_tiles:?}");
    }

    #[test]
    fn the_output_does_not_depend_on_the_number_of_threads() {
        let density = density(1000, 700);
        let single = density_bytes(&density, None, &MERCATOR, 0);
        assert!([1, 2, 3, 64].into_iter().all(|threads| density_bytes(&density, None, &MERCATOR, threads) == single));
    }

    #[test]
    fn a_bigtiff_has_the_same_cells() {
        let density = density(300, 260);
        let image = |sides| Image {
            sides,
            bits_per_sample: &[32],
            format: SampleFormat::IEEEFP,
            photometric: PhotometricInterpretation::BlackIsZero,
            predictor: Predictor::FloatingPoint,
            alpha: false,
            nodata: Some(f32::NAN),
            metadata: BAND.metadata(&density),
            reference: &MERCATOR,
        };
        let mut file = Cursor::new(Vec::new());
        let half = overviews(&density, |values| mean_value(values, Some(f32::NAN)));
        let fill = |level: usize, row, columns: Range<usize>, bytes: &mut [u8]| {
            predict_floats(&level.checked_sub(1).map_or(&density, |level| &half[level]).row(row)[columns], bytes);
        };
        image((300, 260)).write_as(true, &mut file, 2, fill).unwrap();
        let bytes = file.into_inner();
        assert_eq!(bytes[..4], [b'I', b'I', 43, 0]);
        assert_eq!(floats(&bytes), floats(&density_bytes(&density, None, &MERCATOR, 1)));

        assert!(image((28_000, 28_000)).max_bytes() < 1 << 32);
        assert!(image((28_672, 28_672)).max_bytes() > 1 << 32);
    }

    #[test]
    fn an_empty_grid_and_an_invalid_georeference_are_rejected() {
        let error = |width, height, reference: &GeoReference| {
            write_density(Cursor::new(Vec::new()), &Grid::filled(width, height, 0.0), &BAND, reference, 1).unwrap_err()
        };
        assert!(matches!(error(0, 3, &MERCATOR), Error::Invalid { parameter: kiln_core::Parameter::SIZE, .. }));
        for reference in [
            GeoReference { west: f64::NAN, ..MERCATOR },
            GeoReference { north: f64::INFINITY, ..MERCATOR },
            GeoReference { pixel_width: 0.0, ..MERCATOR },
            GeoReference { pixel_height: -1.0, ..MERCATOR },
        ] {
            assert!(matches!(error(3, 3, &reference), Error::Invalid { parameter: kiln_core::Parameter::BOUNDS, .. }));
        }
    }

    #[test]
    fn a_full_disk_is_an_io_error() {
        let mut buffer = [0_u8; 600];
        let error = write_density(Cursor::new(&mut buffer[..]), &density(300, 300), &BAND, &MERCATOR, 2).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
    }
}
