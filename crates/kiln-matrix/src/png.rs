//! Drawings as PNG.

use ::png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter};
use image::RgbaImage;
use kiln_core::encode::write_error;
use kiln_core::error::Result;
use kiln_formats::encode::paint::{Rect, Sheet};

use crate::label::Measure;
use crate::scene::{DOT_BORDER, Fill, HATCH, Item, Scene};
use crate::stop::Stop;

/// Draws a scene on white with `pixel_ratio` pixels per layout unit.
pub(crate) fn write(scene: &Scene, pixel_ratio: f32, stop: Stop<'_>) -> Result<Vec<u8>> {
    let mut sheet = Sheet::new(scene.width, scene.height, pixel_ratio, [255; 4])?;
    let measure = Measure::new()?;
    // Without the rounding, neighboring cells would share antialiased pixels, through which the background shows.
    let snap = |units: f32| (units * pixel_ratio).round() / pixel_ratio;
    let snapped = |rect: Rect| {
        let (x, y) = (snap(rect.x), snap(rect.y));
        Rect { x, y, width: snap(rect.x + rect.width) - x, height: snap(rect.y + rect.height) - y }
    };
    for item in &scene.items {
        stop.check()?;
        match item {
            Item::Cell { rect, fill: Fill::Color(color), .. } => sheet.fill(snapped(*rect), 0.0, |_, _| *color),
            Item::Cell { rect, fill: Fill::Hatch, .. } => hatch(&mut sheet, snapped(*rect), pixel_ratio),
            Item::Dot { x, y, radius, fill, border, .. } => {
                sheet.circle(*x, *y, *radius, *border);
                sheet.circle(*x, *y, radius - DOT_BORDER, *fill);
            }
            Item::Line { from, to, color } => {
                let (x, y) = (snap(from.0 - 0.5), snap(from.1 - 0.5));
                let (width, height) = ((to.0 - from.0).max(1.0), (to.1 - from.1).max(1.0));
                sheet.fill(snapped(Rect { x, y, width, height }), 0.0, |_, _| *color);
            }
            Item::Text(text) => {
                let paintable = measure.paintable(&text.content);
                if text.upward {
                    sheet.upward_text(text.x, text.y, text.anchor, text.style, &paintable);
                } else {
                    sheet.text(text.x, text.y, text.anchor, text.style, &paintable);
                }
            }
            Item::Bar { rect } => {
                if let Some(scale) = &scene.scale {
                    let is_level = rect.width > rect.height;
                    sheet.fill(snapped(*rect), 0.0, |across, down| {
                        scale.at(f64::from(if is_level { across } else { 1.0 - down }))
                    });
                }
            }
        }
    }
    encode(&sheet.into_image())
}

/// Encodes an opaque image as RGB.
fn encode(image: &RgbaImage) -> Result<Vec<u8>> {
    let rgb: Vec<u8> = image.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2]]).collect();
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Balanced);
    // Cells have a single color and edges repeat from row to row.
    encoder.set_filter(Filter::Up);
    let failed = |error: EncodingError| write_error(std::io::Error::other(error));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Fills a rectangle with diagonal lines, which continue in neighboring cells.
fn hatch(sheet: &mut Sheet, rect: Rect, pixel_ratio: f32) {
    let (background, line, distance, width) = HATCH;
    sheet.fill(rect, 0.0, |across, down| {
        let along = rect.x + across * rect.width + rect.y + down * rect.height;
        let from_line = ((along + distance / 2.0).rem_euclid(distance) - distance / 2.0).abs() / 2.0_f32.sqrt();
        let coverage = ((width / 2.0 - from_line) * pixel_ratio + 0.5).clamp(0.0, 1.0);
        let mix = |background: u8, line: u8| {
            (f32::from(background) + (f32::from(line) - f32::from(background)) * coverage).round() as u8
        };
        std::array::from_fn(|channel| mix(background[channel], line[channel]))
    });
}
