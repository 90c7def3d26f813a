//! The cloud-optimized `GeoTIFF`: a picture with coarser pictures of the same ground, all in tiles, of which a reader fetches
//! only those that it shows.
//!
//! Everything about the tiles stands in front, and its length depends on their number alone. So tiles can be written as they
//! are made, behind [`Cog::head`]'s length, and the head last.

use tiff::tags::{
    CompressionMethod, ExtraSamples, PhotometricInterpretation, PlanarConfiguration, Predictor, SampleFormat, Tag,
};

use super::GeoReference;
use super::tiles::{Deflate, MOST_TILE_BYTES, ROW_BYTES, TILE_BYTES, TILE_PX, spread_colors};
use crate::encode::write_error;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

/// A picture in RGBA and its coarser ones, each half as wide and high as the one before, in whole tiles of
/// [`TILE_PX`] squared.
#[derive(Clone, Debug)]
pub struct Cog {
    /// Where the picture lies.
    pub reference: GeoReference,
    /// Columns and rows of tiles of each picture, the finest first.
    pub levels: Vec<[u32; 2]>,
}

/// Turns palette indices into the tiles of a [`Cog`]; it has room that is used again.
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
    /// The tile of `indices`, at most [`TILE_PX`] on each side, in the colors of `palette`.
    ///
    /// # Errors
    /// [`Error::Io`] if the colors cannot be compressed, which is a fault of the compressor.
    pub fn encode(&mut self, indices: &Grid<u8>, palette: &[[u8; 4]; 256]) -> Result<Vec<u8>> {
        self.bytes.fill(0);
        for (row, bytes) in (0..indices.height()).zip(self.bytes.chunks_exact_mut(ROW_BYTES)) {
            let cells = indices.row(row);
            spread_colors(&cells[..cells.len().min(TILE_PX)], palette, bytes);
        }
        self.deflate.tile(&self.bytes).map_err(write_error)
    }
}

impl Cog {
    /// What stands in front of the tiles. `place` answers where the tile of a level, a column and a row begins, in bytes from the
    /// file's first, and how long it is; a tile that is not there is transparent.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `reference` is no place, or there are more pixels on a side than the format can hold.
    pub fn head(&self, place: impl Fn(usize, u32, u32) -> Option<(u64, u32)>) -> Result<Vec<u8>> {
        self.reference.check()?;
        let is_big = self.most_bytes() > u64::from(u32::MAX);
        let mut head = Vec::new();
        head.extend_from_slice(b"II");
        if is_big {
            for word in [43u16, 8, 0] {
                head.extend_from_slice(&word.to_le_bytes());
            }
            head.extend_from_slice(&16u64.to_le_bytes());
        } else {
            head.extend_from_slice(&42u16.to_le_bytes());
            head.extend_from_slice(&8u32.to_le_bytes());
        }
        for (level, &[columns, rows]) in self.levels.iter().enumerate() {
            let tiles: Vec<(u64, u32)> = (0..rows)
                .flat_map(|row| (0..columns).map(move |column| (column, row)))
                .map(|(column, row)| place(level, column, row).unwrap_or_default())
                .collect();
            let tags = self.tags(level, &tiles, is_big)?;
            let is_last = level + 1 == self.levels.len();
            write_directory(&mut head, &tags, is_big, is_last);
        }
        Ok(head)
    }

    /// No file is larger, even if nothing in it can be compressed.
    fn most_bytes(&self) -> u64 {
        let tiles = self.levels.iter().map(|&[columns, rows]| u64::from(columns) * u64::from(rows)).sum::<u64>();
        tiles.saturating_mul(MOST_TILE_BYTES as u64 + 24).saturating_add(4096)
    }

    fn tags(&self, level: usize, tiles: &[(u64, u32)], is_big: bool) -> Result<Vec<(u16, Values)>> {
        let [columns, rows] = self.levels[level];
        let pixels = |tiles: u32| tiles.checked_mul(TILE_PX as u32).filter(|pixels| i32::try_from(*pixels).is_ok());
        let (Some(width), Some(height)) = (pixels(columns), pixels(rows)) else {
            let why = format!("{columns}x{rows} tiles are too many for one picture; give fewer zooms or less ground");
            return Err(Error::invalid(Parameter::ZOOM, why));
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
                    Values::Long(offsets.map(|at| at as u32).collect())
                },
            ),
            (Tag::TileByteCounts.to_u16(), Values::Long(tiles.iter().map(|(_, length)| *length).collect())),
            (Tag::ExtraSamples.to_u16(), short(ExtraSamples::UnassociatedAlpha.to_u16())),
            (Tag::SampleFormat.to_u16(), Values::Short(vec![SampleFormat::Uint.to_u16(); 4])),
        ];
        if level == 0 {
            let GeoReference { crs, west, north, pixel_width, pixel_height } = self.reference;
            tags.push((Tag::ModelPixelScaleTag.to_u16(), Values::Double(vec![pixel_width, pixel_height, 0.0])));
            tags.push((Tag::ModelTiepointTag.to_u16(), Values::Double(vec![0.0, 0.0, 0.0, west, north, 0.0])));
            if let Some((keys, citations)) = crs.keys() {
                tags.push((Tag::GeoKeyDirectoryTag.to_u16(), Values::Short(keys)));
                tags.push((Tag::GeoAsciiParamsTag.to_u16(), Values::Ascii(citations)));
            }
        }
        Ok(tags)
    }
}

/// The values of a tag.
enum Values {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Long8(Vec<u64>),
    Double(Vec<f64>),
    Ascii(&'static str),
}

impl Values {
    /// The number of their type, how many they are, and their bytes.
    fn encoded(&self) -> (u16, u64, Vec<u8>) {
        match self {
            Self::Short(values) => {
                (3, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Long(values) => {
                (4, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Long8(values) => {
                (16, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Double(values) => {
                (12, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Ascii(text) => (2, text.len() as u64 + 1, text.bytes().chain([0]).collect()),
        }
    }
}

/// Appends a directory with the values that are too long to stand in it.
fn write_directory(head: &mut Vec<u8>, tags: &[(u16, Values)], is_big: bool, is_last: bool) {
    let word = |value: u64| value.to_le_bytes()[..if is_big { 8 } else { 4 }].to_vec();
    let inline = if is_big { 8 } else { 4 };
    let directory_bytes = if is_big { 8 + 20 * tags.len() + 8 } else { 2 + 12 * tags.len() + 4 };
    let mut behind: Vec<u8> = Vec::new();
    let behind_at = (head.len() + directory_bytes).next_multiple_of(8);
    if is_big {
        head.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    } else {
        head.extend_from_slice(&(tags.len() as u16).to_le_bytes());
    }
    for (tag, values) in tags {
        let (kind, count, mut bytes) = values.encoded();
        head.extend_from_slice(&tag.to_le_bytes());
        head.extend_from_slice(&kind.to_le_bytes());
        head.extend_from_slice(&word(count));
        if bytes.len() <= inline {
            bytes.resize(inline, 0);
            head.extend_from_slice(&bytes);
        } else {
            head.extend_from_slice(&word((behind_at + behind.len()) as u64));
            behind.extend_from_slice(&bytes);
            behind.resize(behind.len().next_multiple_of(8), 0);
        }
    }
    let next = if is_last { 0 } else { behind_at + behind.len() };
    head.extend_from_slice(&word(next as u64));
    head.resize(behind_at, 0);
    head.extend_from_slice(&behind);
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
    fn each_level_reads_back_and_what_is_not_there_is_transparent() {
        let palette: [[u8; 4]; 256] = std::array::from_fn(|i| [i as u8, 255 - i as u8, 3, 200]);
        let tile = Grid::from_cells(256, 256, (0..65536).map(|i| (i * 7 / 256) as u8).collect()).unwrap();
        let bytes = ColorTiles::default().encode(&tile, &palette).unwrap();
        let cog = cog(&[[4, 2], [2, 1]]);
        let at = cog.head(|_, _, _| None).unwrap().len() as u64;
        let place = |level, column, _| (level == 1 || column == 3).then_some((at, bytes.len() as u32));
        let mut file = cog.head(place).unwrap();
        assert_eq!(file.len() as u64, at);
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
    fn what_could_outgrow_four_gigabytes_is_written_in_the_large_form() {
        let head = |levels: &[[u32; 2]]| cog(levels).head(|_, _, _| Some((1 << 33, 7))).unwrap();
        assert_eq!(head(&[[64, 64]])[..4], [b'I', b'I', 42, 0]);
        let large = head(&[[256, 256], [128, 128]]);
        assert_eq!(large[..4], [b'I', b'I', 43, 0]);
        let mut decoder = Decoder::new(Cursor::new(&large)).unwrap();
        assert_eq!(decoder.get_tag_u64_vec(Tag::TileOffsets).unwrap(), vec![1 << 33; 65536]);
        assert!(cog(&[[1 << 23, 1]]).head(|_, _, _| None).is_err());
    }
}
