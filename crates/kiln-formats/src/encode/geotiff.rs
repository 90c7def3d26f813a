//! `GeoTIFF`: density or colors with their georeference, for GIS programs.
//!
//! The tiles are [`TILE_PX`] pixels wide and high and are compressed with DEFLATE by several threads. The output does
//! not depend on the number of threads. A file that could exceed the 4 GB of a classic TIFF is written as `BigTIFF`.

mod band;
mod cog;
mod georeference;
mod statistics;
mod tiles;

use std::io::{self, Seek, Write};

use tiff::TiffError;
use tiff::encoder::{DirectoryEncoder, TiffEncoder, TiffKind, TiffKindBig, TiffKindStandard};
use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat, Tag,
};

pub use self::band::Band;
pub use self::cog::{Cog, ColorTiles};
pub use self::georeference::{Crs, GeoReference};
pub use self::tiles::TILE_PX;
use self::tiles::{MAX_TILE_BYTES, ROW_BYTES, deflate_in_order, predict_colors, predict_floats};
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
    image.write(out, threads, |row, columns, bytes| predict_floats(&density.row(row)[columns], bytes))
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
    image.write(out, threads, |row, columns, bytes| predict_colors(&indices.row(row)[columns], palette, bytes))
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
    /// Writes the file; `fill(row, columns, bytes)` writes those cells of a row into the zeroed row of a tile.
    fn write<F>(&self, out: impl Write + Seek, threads: usize, fill: F) -> Result<()>
    where
        F: Fn(usize, std::ops::Range<usize>, &mut [u8]) + Sync,
    {
        self.reference.check()?;
        let result = if self.max_bytes() > u64::from(u32::MAX) {
            self.write_as::<TiffKindBig, _>(out, threads, fill)
        } else {
            self.write_as::<TiffKindStandard, _>(out, threads, fill)
        };
        result.map_err(|error| match error {
            TiffError::IoError(source) => write_error(source),
            other => write_error(io::Error::other(other)),
        })
    }

    /// The number of columns and rows of tiles.
    fn tiles(&self) -> (usize, usize) {
        ((self.sides.0 as usize).div_ceil(TILE_PX), (self.sides.1 as usize).div_ceil(TILE_PX))
    }

    /// An upper bound of the size of the file: that of incompressible data.
    fn max_bytes(&self) -> u64 {
        let (columns, rows) = self.tiles();
        // Each tile also has its offset, its length and its padding.
        let per_tile = MAX_TILE_BYTES as u64 + 24;
        let metadata = self.metadata.as_ref().map_or(0, String::len) as u64;
        (columns as u64).saturating_mul(rows as u64).saturating_mul(per_tile).saturating_add(metadata + 4096)
    }

    fn write_as<K: TiffKind, F>(&self, out: impl Write + Seek, threads: usize, fill: F) -> Result<(), TiffError>
    where
        F: Fn(usize, std::ops::Range<usize>, &mut [u8]) + Sync,
    {
        let mut tiff = TiffEncoder::<_, K>::new_generic(out)?;
        let mut directory = tiff.image_directory()?;
        self.write_tags(&mut directory)?;

        let (width, height) = (self.sides.0 as usize, self.sides.1 as usize);
        let (columns, rows) = self.tiles();
        let fill_tile = |tile: usize, bytes: &mut [u8]| {
            let (west, north) = (tile % columns * TILE_PX, tile / columns * TILE_PX);
            let cells = west..width.min(west + TILE_PX);
            for (row, bytes) in (north..height).zip(bytes.chunks_exact_mut(ROW_BYTES)) {
                fill(row, cells.clone(), bytes);
            }
        };
        let (mut offsets, mut byte_counts) = (Vec::new(), Vec::new());
        deflate_in_order(columns * rows, threads, fill_tile, |tile| {
            offsets.push(K::convert_offset(aligned(&mut directory)?)?);
            byte_counts.push(u32::try_from(tile.len())?);
            directory.write_data(tile)?;
            Ok(())
        })?;
        aligned(&mut directory)?;
        directory.write_tag(Tag::TileOffsets, K::convert_slice(&offsets))?;
        directory.write_tag(Tag::TileByteCounts, &byte_counts[..])?;
        aligned(&mut directory)?;
        directory.finish()
    }

    fn write_tags<W: Write + Seek, K: TiffKind>(
        &self,
        directory: &mut DirectoryEncoder<'_, W, K>,
    ) -> Result<(), TiffError> {
        directory.write_tag(Tag::ImageWidth, self.sides.0)?;
        directory.write_tag(Tag::ImageLength, self.sides.1)?;
        directory.write_tag(Tag::TileWidth, TILE_PX as u32)?;
        directory.write_tag(Tag::TileLength, TILE_PX as u32)?;
        directory.write_tag(Tag::SamplesPerPixel, self.bits_per_sample.len() as u16)?;
        directory.write_tag(Tag::BitsPerSample, self.bits_per_sample)?;
        directory.write_tag(Tag::SampleFormat, &vec![self.format.to_u16(); self.bits_per_sample.len()][..])?;
        directory.write_tag(Tag::PlanarConfiguration, PlanarConfiguration::Chunky.to_u16())?;
        directory.write_tag(Tag::PhotometricInterpretation, self.photometric.to_u16())?;
        if self.alpha {
            directory.write_tag(Tag::ExtraSamples, ExtraSamples::UnassociatedAlpha.to_u16())?;
        }
        directory.write_tag(Tag::Compression, CompressionMethod::Deflate.to_u16())?;
        directory.write_tag(Tag::Predictor, self.predictor.to_u16())?;

        let GeoReference { crs, west, north, pixel_width, pixel_height } = *self.reference;
        aligned(directory)?;
        directory.write_tag(Tag::ModelPixelScaleTag, &[pixel_width, pixel_height, 0.0][..])?;
        directory.write_tag(Tag::ModelTiepointTag, &[0.0, 0.0, 0.0, west, north, 0.0][..])?;
        if let Some((keys, citations)) = crs.keys() {
            directory.write_tag(Tag::GeoKeyDirectoryTag, &keys[..])?;
            directory.write_tag(Tag::GeoAsciiParamsTag, citations)?;
        }
        if let Some(metadata) = &self.metadata {
            aligned(directory)?;
            directory.write_tag(GDAL_METADATA, metadata.as_str())?;
        }
        if let Some(nodata) = self.nodata {
            aligned(directory)?;
            let text = if nodata.is_nan() { "nan".to_owned() } else { f64::from(nodata).to_string() };
            directory.write_tag(Tag::GdalNodata, text.as_str())?;
        }
        Ok(())
    }
}

/// Pads the file to a multiple of 8 bytes, the alignment of the widest type, and returns the offset.
fn aligned<W: Write + Seek, K: TiffKind>(directory: &mut DirectoryEncoder<'_, W, K>) -> Result<u64, TiffError> {
    let end = directory.write_data(&[0_u8; 0][..])?;
    let padding = end.wrapping_neg() % 8;
    directory.write_data(&[0_u8; 8][..padding as usize])?;
    Ok(end + padding)
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
        let fill = |row, columns: std::ops::Range<usize>, bytes: &mut [u8]| {
            predict_floats(&density.row(row)[columns], bytes);
        };
        image((300, 260)).write_as::<TiffKindBig, _>(&mut file, 2, fill).unwrap();
        let bytes = file.into_inner();
        assert_eq!(bytes[..4], [b'I', b'I', 43, 0]);
        assert_eq!(floats(&bytes), floats(&density_bytes(&density, None, &MERCATOR, 1)));

        assert!(image((32_000, 32_000)).max_bytes() < 1 << 32);
        assert!(image((32_768, 32_768)).max_bytes() > 1 << 32);
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
