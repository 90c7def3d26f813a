//! Cloud-optimized `GeoTIFF`: a tiled image with overviews, of which readers fetch only the tiles that they display.
//!
//! The header and all directories come first, and their length depends only on the number of tiles. So the tiles can be
//! written as they are rendered, after the length of [`Cog::head`], and the head last.

use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat, Tag,
};

use super::GeoReference;
use super::directory::{self, Values, write_directory};
use super::tiles::{Deflate, MAX_TILE_BYTES, ROW_BYTES, TILE_BYTES, TILE_PX, predict_colors};
use crate::encode::write_error;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

/// The layout of an RGBA image and its overviews, each half as wide and high as the previous level, in complete tiles
/// of [`TILE_PX`] squared.
#[derive(Clone, Debug)]
pub struct Cog {
    /// The georeference of the image at full resolution.
    pub reference: GeoReference,
    /// The number of columns and rows of tiles of each level, the finest first.
    pub levels: Vec<[u32; 2]>,
}

/// Encodes palette indices as the tiles of a [`Cog`]; its buffers are reused.
pub struct ColorTiles {
    deflate: Deflate,
    bytes: Vec<u8>,
}

impl Default for ColorTiles {
    fn default() -> Self {
        Self { deflate: Deflate::new(), bytes: vec![0; TILE_BYTES] }
    }
}

impl ColorTiles {
    /// Encodes the tile of `indices`, at most [`TILE_PX`] on each side, in the colors of `palette`.
    ///
    /// # Errors
    /// [`Error::Io`] if the compressor fails, which is a bug in it.
    pub fn encode(&mut self, indices: &Grid<u8>, palette: &[[u8; 4]; 256]) -> Result<Vec<u8>> {
        self.bytes.fill(0);
        for (row, bytes) in (0..indices.height()).zip(self.bytes.chunks_exact_mut(ROW_BYTES)) {
            let cells = indices.row(row);
            predict_colors(&cells[..cells.len().min(TILE_PX)], palette, bytes);
        }
        self.deflate.tile(&self.bytes).map_err(write_error)
    }
}

impl Cog {
    /// The header and the directories, which precede the tiles. `location` maps the level, column and row of a tile to
    /// its offset in the file and its length, both in bytes; a tile without a location is transparent.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the corner or the pixel size of `reference` is invalid, or a side has more pixels than the
    /// format supports.
    pub fn head(&self, location: impl Fn(usize, u32, u32) -> Option<(u64, u32)>) -> Result<Vec<u8>> {
        self.reference.check()?;
        let is_big = self.max_bytes() > u64::from(u32::MAX);
        let mut head = directory::header(is_big);
        for (level, &[columns, rows]) in self.levels.iter().enumerate() {
            let tiles: Vec<(u64, u32)> = (0..rows)
                .flat_map(|row| (0..columns).map(move |column| (column, row)))
                .map(|(column, row)| location(level, column, row).unwrap_or_default())
                .collect();
            let tags = self.tags(level, &tiles, is_big)?;
            let is_last = level + 1 == self.levels.len();
            write_directory(&mut head, &tags, is_big, is_last);
        }
        Ok(head)
    }

    /// An upper bound of the size of the file: that of incompressible data.
    fn max_bytes(&self) -> u64 {
        let tiles = self.levels.iter().map(|&[columns, rows]| u64::from(columns) * u64::from(rows)).sum::<u64>();
        tiles.saturating_mul(MAX_TILE_BYTES as u64 + 24).saturating_add(4096)
    }

    fn tags(&self, level: usize, tiles: &[(u64, u32)], is_big: bool) -> Result<Vec<(u16, Values)>> {
        let [columns, rows] = self.levels[level];
        let pixels = |tiles: u32| tiles.checked_mul(TILE_PX as u32).filter(|pixels| i32::try_from(*pixels).is_ok());
        let (Some(width), Some(height)) = (pixels(columns), pixels(rows)) else {
            let reason =
                format!("{columns}x{rows} tiles are too many for one file; give a lower zoom or smaller bounds");
            return Err(Error::invalid(Parameter::ZOOM, reason));
        };
        let offsets = tiles.iter().map(|(offset, _)| *offset);
        let short = |value: u16| Values::Short(vec![value]);
        let mut tags = vec![
            (Tag::NewSubfileType.to_u16(), Values::Long(vec![u32::from(level > 0)])),
            (Tag::ImageWidth.to_u16(), Values::Long(vec![width])),
            (Tag::ImageLength.to_u16(), Values::Long(vec![height])),
            (Tag::BitsPerSample.to_u16(), Values::Short(vec![8; 4])),
            (Tag::Compression.to_u16(), short(CompressionMethod::Deflate.to_u16())),
            (Tag::PhotometricInterpretation.to_u16(), short(PhotometricInterpretation::RGB.to_u16())),
            (Tag::SamplesPerPixel.to_u16(), short(4)),
            (Tag::PlanarConfiguration.to_u16(), short(PlanarConfiguration::Chunky.to_u16())),
            (Tag::Predictor.to_u16(), short(Predictor::Horizontal.to_u16())),
            (Tag::TileWidth.to_u16(), short(TILE_PX as u16)),
            (Tag::TileLength.to_u16(), short(TILE_PX as u16)),
            (
                Tag::TileOffsets.to_u16(),
                if is_big {
                    Values::Long8(offsets.collect())
                } else {
                    Values::Long(offsets.map(|offset| offset as u32).collect())
                },
            ),
            (Tag::TileByteCounts.to_u16(), Values::Long(tiles.iter().map(|(_, length)| *length).collect())),
            (Tag::ExtraSamples.to_u16(), short(ExtraSamples::UnassociatedAlpha.to_u16())),
            (Tag::SampleFormat.to_u16(), Values::Short(vec![SampleFormat::Uint.to_u16(); 4])),
        ];
        if level == 0 {
            tags.extend(directory::georeference(&self.reference));
        }
        Ok(tags)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::io::Cursor;

    use tiff::decoder::{Decoder, DecodingResult};

    use super::*;
    use crate::encode::geotiff::Crs;

    fn cog(levels: &[[u32; 2]]) -> Cog {
        let reference =
            GeoReference { crs: Crs::Epsg3857, west: -1000.0, north: 2000.0, pixel_width: 10.0, pixel_height: 10.0 };
        Cog { reference, levels: levels.to_vec() }
    }

    #[test]
    fn each_level_reads_back_and_missing_tiles_are_transparent() {
        let palette: [[u8; 4]; 256] = std::array::from_fn(|i| [i as u8, 255 - i as u8, 3, 200]);
        let tile = Grid::from_cells(256, 256, (0..65536).map(|i| (i * 7 / 256) as u8).collect()).unwrap();
        let bytes = ColorTiles::default().encode(&tile, &palette).unwrap();
        let cog = cog(&[[4, 2], [2, 1]]);
        let offset = cog.head(|_, _, _| None).unwrap().len() as u64;
        let location = |level, column, _| (level == 1 || column == 3).then_some((offset, bytes.len() as u32));
        let mut file = cog.head(location).unwrap();
        assert_eq!(file.len() as u64, offset);
        file.extend_from_slice(&bytes);
        let mut decoder = Decoder::new(Cursor::new(&file)).unwrap();
        assert_eq!(decoder.dimensions().unwrap(), (1024, 512));
        let DecodingResult::U8(shown) = decoder.read_chunk(7).unwrap() else { panic!("not bytes") };
        assert!(shown.chunks(4).zip(tile.cells()).all(|(color, index)| color == palette[usize::from(*index)]));
        decoder.next_image().unwrap();
        assert_eq!(decoder.dimensions().unwrap(), (512, 256));
        assert!(matches!(decoder.read_chunk(1).unwrap(), DecodingResult::U8(again) if again == shown));
        assert!(!decoder.more_images());
    }

    #[test]
    fn a_file_that_could_exceed_4_gb_is_a_bigtiff() {
        let head = |levels: &[[u32; 2]]| cog(levels).head(|_, _, _| Some((1 << 33, 7))).unwrap();
        assert_eq!(head(&[[64, 64]])[..4], [b'I', b'I', 42, 0]);
        let large = head(&[[256, 256], [128, 128]]);
        assert_eq!(large[..4], [b'I', b'I', 43, 0]);
        let mut decoder = Decoder::new(Cursor::new(&large)).unwrap();
        assert_eq!(decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap(), vec![1 << 33; 65536]);
        assert!(cog(&[[1 << 23, 1]]).head(|_, _, _| None).is_err());
    }
}
