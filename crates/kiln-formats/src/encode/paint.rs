//! A small drawing surface for legends and previews: smooth rectangles and text.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Pixel, Rgba, RgbaImage};

use kiln_core::error::{Error, Result};

/// The one typeface: Latin, Greek and Cyrillic letters and the signs that units need.
static FONT: &[u8] = include_bytes!("fonts/DejaVuSans-subset.ttf");

/// A picture that is drawn on in layout units, each `pixel_ratio` pixels wide.
pub(super) struct Sheet {
    image: RgbaImage,
    pixel_ratio: f32,
    font: FontRef<'static>,
}

/// A rectangle in layout units.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Area {
    /// The same rectangle, `by` units smaller on every side.
    pub(super) fn inset(self, by: f32) -> Self {
        Self { x: self.x + by, y: self.y + by, width: self.width - 2.0 * by, height: self.height - 2.0 * by }
    }
}

/// Which point of a text stands at the given x.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks: its size in layout units per em, and its color.
#[derive(Clone, Copy)]
pub(super) struct Ink {
    pub(super) size: f32,
    pub(super) color: [u8; 4],
}

/// Reads the typeface, to measure texts before there is a sheet.
pub(super) fn font() -> Result<FontRef<'static>> {
    FontRef::try_from_slice(FONT).map_err(|_| Error::input("DejaVuSans-subset.ttf", "not a font"))
}

/// The scale at which an em is `size` high.
fn scale(font: &FontRef<'_>, size: f32) -> PxScale {
    let em = font.units_per_em().unwrap_or(font.height_unscaled());
    PxScale::from(size * font.height_unscaled() / em)
}

/// How far `text` runs, in the units of `size`.
pub(super) fn text_width(font: &FontRef<'_>, size: f32, text: &str) -> f32 {
    let font = font.as_scaled(scale(font, size));
    text.chars().map(|letter| font.h_advance(font.glyph_id(letter))).sum()
}

/// `text`, cut short with an ellipsis if it runs further than `width`.
pub(super) fn shorten(font: &FontRef<'_>, size: f32, text: &str, width: f32) -> String {
    if text_width(font, size, text) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let short = format!("{}…", kept.trim_end());
        if text_width(font, size, &short) <= width {
            return short;
        }
    }
    String::new()
}

impl Sheet {
    /// A sheet of `width` × `height` layout units, all `ground`.
    pub(super) fn new(width: f32, height: f32, pixel_ratio: f32, background: [u8; 4]) -> Result<Self> {
        let pixels = |units: f32| (units * pixel_ratio).ceil() as u32;
        let image = RgbaImage::from_pixel(pixels(width), pixels(height), Rgba(background));
        Ok(Self { image, pixel_ratio, font: font()? })
    }

    /// The picture.
    pub(super) fn into_image(self) -> RgbaImage {
        self.image
    }

    /// Fills `area` with round corners; `color` is told how far along the area a place is, across and down, 0 to 1.
    pub(super) fn fill(&mut self, area: Area, radius: f32, color: impl Fn(f32, f32) -> [u8; 4]) {
        let ratio = self.pixel_ratio;
        let clip = |units: f32, end: u32| ((units * ratio).max(0.0) as u32).min(end);
        let (columns, rows) = self.image.dimensions();
        let radius = radius.min(area.width / 2.0).min(area.height / 2.0);
        let (half_width, half_height) = (area.width / 2.0, area.height / 2.0);
        for row in clip(area.y, rows)..clip(area.y + area.height + 1.0, rows) {
            for column in clip(area.x, columns)..clip(area.x + area.width + 1.0, columns) {
                let (x, y) = ((column as f32 + 0.5) / ratio - area.x, (row as f32 + 0.5) / ratio - area.y);
                // The signed distance from the outline, negative inside; its last pixel is the smooth edge.
                let (dx, dy) =
                    ((x - half_width).abs() - half_width + radius, (y - half_height).abs() - half_height + radius);
                let outside = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
                let coverage = (0.5 - outside * ratio).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    let mut color = color((x / area.width).clamp(0.0, 1.0), (y / area.height).clamp(0.0, 1.0));
                    color[3] = (f32::from(color[3]) * coverage).round() as u8;
                    self.image.get_pixel_mut(column, row).blend(&Rgba(color));
                }
            }
        }
    }

    /// Lays a picture of `size` pixels on the sheet, its corner at the pixel (`x`, `y`); `color` is told the column and the row.
    pub(super) fn place(&mut self, x: u32, y: u32, size: (u32, u32), color: impl Fn(u32, u32) -> [u8; 4]) {
        let (columns, rows) = self.image.dimensions();
        for row in 0..size.1.min(rows.saturating_sub(y)) {
            for column in 0..size.0.min(columns.saturating_sub(x)) {
                self.image.get_pixel_mut(x + column, y + row).blend(&Rgba(color(column, row)));
            }
        }
    }

    /// A straight vertical stroke of one layout unit, centered on `x` and set on whole pixels.
    pub(super) fn stroke_down(&mut self, x: f32, y: f32, length: f32, color: [u8; 4]) {
        let snap = |units: f32| (units * self.pixel_ratio).round() / self.pixel_ratio;
        self.fill(Area { x: snap(x - 0.5), y: snap(y), width: 1.0, height: length }, 0.0, |_, _| color);
    }

    /// Writes `text` with its letters standing on `baseline`.
    pub(super) fn text(&mut self, x: f32, baseline: f32, anchor: Anchor, ink: Ink, text: &str) {
        let size = ink.size * self.pixel_ratio;
        let scale = scale(&self.font, size);
        let width = text_width(&self.font, size, text);
        let left = x * self.pixel_ratio
            - match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => width / 2.0,
                Anchor::End => width,
            };
        let font = self.font.as_scaled(scale);
        // A glyph's place is relative to the top left corner of the line, which lies on a whole pixel.
        let (left, top) = (left.round() as i32, ((baseline * self.pixel_ratio).round() - font.ascent()).round() as i32);
        let (columns, rows) = self.image.dimensions();
        let mut pen = 0.0;
        for letter in text.chars() {
            let id = font.glyph_id(letter);
            let glyph = font.outline_glyph(id.with_scale_and_position(scale, point(pen, font.ascent())));
            // The typeface has no kerning.
            pen += font.h_advance(id);
            // A space has no outline.
            let Some(glyph) = glyph else { continue };
            let corner = glyph.px_bounds().min;
            let (left, top) = (left + corner.x.round() as i32, top + corner.y.round() as i32);
            glyph.draw(|column, row, coverage| {
                let (x, y) = (left.saturating_add_unsigned(column), top.saturating_add_unsigned(row));
                if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                    && x < columns
                    && y < rows
                {
                    let [red, green, blue, alpha] = ink.color;
                    let alpha = (f32::from(alpha) * coverage.clamp(0.0, 1.0)) as u8;
                    self.image.get_pixel_mut(x, y).blend(&Rgba([red, green, blue, alpha]));
                }
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_beyond_the_edges_is_clipped() {
        let draw = |left: u32, top: u32, width: u32, height: u32| {
            let mut sheet = Sheet::new(width as f32, height as f32, 1.0, [255; 4]).unwrap();
            let (x, baseline) = (20.0 - left as f32, 30.0 - top as f32);
            sheet.text(x, baseline, Anchor::Start, Ink { size: 12.0, color: [0, 0, 0, 255] }, "Ångström, 5 km²");
            sheet.into_image()
        };
        let whole = draw(0, 0, 150, 50);
        for (left, top, width, height) in [(25, 22, 30, 6), (0, 0, 150, 25), (60, 28, 90, 22)] {
            let part = image::imageops::crop_imm(&whole, left, top, width, height).to_image();
            assert!(part.pixels().any(|pixel| pixel.0[0] < 128), "{left} {top}");
            assert!(draw(left, top, width, height) == part, "{left} {top}");
        }
    }
}
