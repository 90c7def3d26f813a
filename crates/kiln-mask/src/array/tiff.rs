//! TIFF and GeoTIFF: the mean of the bands. GDAL's `NODATA` value and fully transparent pixels are no data.

use std::io::Cursor;

use kiln_core::raster::Grid;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{PlanarConfiguration, Tag};
use tiff::{ColorType, TiffError};

use super::shape::{Numbers, Order, mask};
use super::{Limits as ArrayLimits, ReadArrayOptions};
use crate::Mask;
use crate::limit::{Limit, Reason};

/// The maximum expansion of a byte by the supported compression methods (Deflate, LZW, `PackBits`).
const MAX_RATIO: usize = 4096;

pub(super) fn read(bytes: &[u8], options: &ReadArrayOptions) -> Result<Mask, Reason> {
    let image = Image::decode(bytes, options.limits)?;
    let [rows, columns] = image.size;
    let cells = rows * columns;
    let (colors, has_alpha) = (image.colors, image.samples > image.colors);
    let at = |cell: usize, sample: usize| {
        if image.is_planar { sample * cells + cell } else { cell * image.samples + sample }
    };
    let no_data = image.no_data;
    macro_rules! read {
        ($samples:expr, $type:ty, $variant:ident, $convert:expr, $as_f64:expr, $zero:expr, $round:expr) => {{
            let (samples, convert, as_f64) = ($samples, $convert, $as_f64);
            if samples.len() < cells * image.samples {
                return Err("not all bands of the TIFF could be read".into());
            }
            // In the type of the samples, as the text has more digits than a float may.
            let no_data = no_data.map(|no_data| $round(no_data));
            let is_missing = |number: f64| is_no_data(number, no_data);
            let is_transparent = |cell: usize| has_alpha && samples[at(cell, colors)] == $zero;
            if colors == 1 {
                let value = |cell: usize| {
                    let sample = samples[at(cell, 0)];
                    if is_transparent(cell) || is_missing(as_f64(sample)) { <$type>::NAN } else { convert(sample) }
                };
                Numbers::$variant((0..cells).map(value).collect())
            } else {
                let mean = |cell: usize| {
                    let bands = (0..colors).map(|band| as_f64(samples[at(cell, band)]));
                    let bands = bands.map(|number| if is_missing(number) { f64::NAN } else { number });
                    if is_transparent(cell) { f64::NAN } else { bands.sum::<f64>() / colors as f64 }
                };
                Numbers::Double((0..cells).map(mean).collect())
            }
        }};
    }
    let numbers = match &image.samples_of_bands {
        DecodingResult::U8(samples) => read!(samples, f32, Single, f32::from, f64::from, 0, |n: f64| n),
        DecodingResult::I8(samples) => read!(samples, f32, Single, f32::from, f64::from, 0, |n: f64| n),
        DecodingResult::U16(samples) => read!(samples, f32, Single, f32::from, f64::from, 0, |n: f64| n),
        DecodingResult::I16(samples) => read!(samples, f32, Single, f32::from, f64::from, 0, |n: f64| n),
        DecodingResult::U32(samples) => read!(samples, f64, Double, f64::from, f64::from, 0, |n: f64| n),
        DecodingResult::I32(samples) => read!(samples, f64, Double, f64::from, f64::from, 0, |n: f64| n),
        DecodingResult::U64(samples) => {
            read!(samples, f64, Double, |n: u64| n as f64, |n: u64| n as f64, 0, |n: f64| n)
        }
        DecodingResult::I64(samples) => {
            read!(samples, f64, Double, |n: i64| n as f64, |n: i64| n as f64, 0, |n: f64| n)
        }
        DecodingResult::F16(samples) => {
            read!(samples, f32, Single, half::f16::to_f32, half::f16::to_f64, half::f16::ZERO, |n| half::f16::from_f64(
                n
            )
            .to_f64())
        }
        DecodingResult::F32(samples) => {
            read!(samples, f32, Single, |n: f32| n, f64::from, 0.0, |n| f64::from(n as f32))
        }
        DecodingResult::F64(samples) => read!(samples, f64, Double, |n: f64| n, |n: f64| n, 0.0, |n: f64| n),
    };
    mask(&[rows, columns], Order::RowMajor, numbers, options)
}

/// Whether a number equals the no-data value exactly.
#[allow(clippy::float_cmp)]
fn is_no_data(number: f64, no_data: Option<f64>) -> bool {
    no_data.is_some_and(|no_data| number == no_data)
}

/// Decodes a gray or RGB image with 8 or 16 bits per sample to RGBA.
pub(crate) fn decode_rgb(bytes: &[u8], max_pixels: usize, max_bytes: usize) -> Result<Grid<[u8; 4]>, Reason> {
    // The limit is in pixels; a pixel has up to four samples.
    let limits = ArrayLimits { max_cells: max_pixels.saturating_mul(4), max_bytes };
    // Whichever limit is exceeded, the caller's is one of pixels.
    let pixels = |reason: Reason| Reason { limit: reason.limit.map(|_| Limit::Pixels), ..reason };
    let image = Image::decode(bytes, limits).map_err(pixels)?;
    let [rows, columns] = image.size;
    let cells = rows * columns;
    if cells > max_pixels {
        return Err(Reason::limit(
            Limit::Pixels,
            format!("{columns} × {rows} pixels exceed the limit of {max_pixels}"),
        ));
    }
    let samples = match image.samples_of_bands {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err("only TIFFs of 8 and 16 bits a channel are pictures".into()),
    };
    if samples.len() < cells * image.samples || !matches!((image.colors, image.samples), (1, 1 | 2) | (3, 3 | 4)) {
        return Err(format!(
            "a TIFF of {} bands is no picture; gray and RGB, with or without alpha, are",
            image.samples
        )
        .into());
    }
    let sample = |cell: usize, band: usize| {
        samples[if image.is_planar { band * cells + cell } else { cell * image.samples + band }]
    };
    let pixel = |cell: usize| {
        let [r, g, b] = if image.colors == 1 { [0; 3] } else { [0, 1, 2] };
        let alpha = if image.samples > image.colors { sample(cell, image.colors) } else { 255 };
        [sample(cell, r), sample(cell, g), sample(cell, b), alpha]
    };
    Grid::from_cells(columns, rows, (0..cells).map(pixel).collect()).ok_or_else(|| "no picture".into())
}

/// The samples of the first image of a file.
struct Image {
    /// Rows and columns.
    size: [usize; 2],
    /// Samples of a pixel, alpha too.
    samples: usize,
    /// Samples of a pixel without alpha.
    colors: usize,
    /// Whether the samples are band after band, and not pixel after pixel.
    is_planar: bool,
    no_data: Option<f64>,
    samples_of_bands: DecodingResult,
}

impl Image {
    fn decode(bytes: &[u8], limits: ArrayLimits) -> Result<Self, Reason> {
        let mut own = Limits::default();
        own.decoding_buffer_size = limits.max_bytes;
        own.intermediate_buffer_size = limits.max_bytes;
        let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(|error| invalid(&error))?.with_limits(own);
        let (width, height) = decoder.dimensions().map_err(|error| invalid(&error))?;
        let color = decoder.colortype().map_err(|error| invalid(&error))?;
        let (samples, colors) = match color {
            ColorType::Gray(_) => (1, 1),
            ColorType::GrayA(_) => (2, 1),
            ColorType::RGB(_) => (3, 3),
            ColorType::RGBA(_) => (4, 3),
            ColorType::Multiband { num_samples, .. } => (usize::from(num_samples), usize::from(num_samples)),
            other => return Err(format!("a TIFF of {other:?} is not read; gray, RGB and several bands are").into()),
        };
        let bits = color.bit_depth();
        if !matches!(bits, 8 | 16 | 32 | 64) {
            return Err(format!("a TIFF of {bits} bits a sample is not read; 8, 16, 32 and 64 are").into());
        }
        let size = [height as usize, width as usize];
        let cells = limits.cells(&[size[0], size[1], samples])?;
        let needed = cells.saturating_mul(usize::from(bits) / 8);
        if needed > limits.max_bytes {
            let why = format!("its pixels exceed the limit of {} bytes", limits.max_bytes);
            return Err(Reason::limit(Limit::Bytes, why));
        }
        if cells == 0 || needed / MAX_RATIO > bytes.len() {
            return Err(format!("{} × {} pixels are more than {} bytes can have", size[1], size[0], bytes.len()).into());
        }
        let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(|error| invalid(&error))?;
        let no_data = decoder.get_tag_ascii_string(Tag::GdalNodata).ok();
        let no_data = no_data.and_then(|text| text.trim_matches(['\0', ' ']).parse::<f64>().ok());
        let mut result = DecodingResult::U8(Vec::new());
        decoder.read_image_to_buffer(&mut result).map_err(|error| invalid(&error))?;
        Ok(Self {
            size,
            samples,
            colors,
            is_planar: planar == Some(PlanarConfiguration::Planar.to_u16()),
            no_data,
            samples_of_bands: result,
        })
    }
}

fn invalid(error: &TiffError) -> String {
    match error {
        TiffError::UnsupportedError(why) => format!("an unsupported TIFF: {why}"),
        other => format!("an invalid TIFF: {other}"),
    }
}
