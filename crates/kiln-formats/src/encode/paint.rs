//! A small drawing surface for legends, previews and print sheets: antialiased rectangles, images and text.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Pixel, Rgba, RgbaImage};

use kiln_core::error::{Error, Result};

/// The typeface: Latin, Greek and Cyrillic letters and the symbols used in units.
static FONT: &[u8] = include_bytes!("fonts/DejaVuSans-subset.ttf");

/// A drawing surface whose coordinates are layout units of `pixel_ratio` pixels.
pub(super) struct Sheet {
    image: RgbaImage,
    pixel_ratio: f32,
    font: FontRef<'static>,
}

/// A rectangle in layout units.
#[derive(Clone, Copy)]
pub(super) struct Rect {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Rect {
    /// The same rectangle, `by` units smaller on every side.
    pub(super) fn inset(self, by: f32) -> Self {
        Self { x: self.x + by, y: self.y + by, width: self.width - 2.0 * by, height: self.height - 2.0 * by }
    }
}

/// The horizontal alignment of a text: the part of it that is at the given x.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The size of a text, in layout units per em, and its color.
#[derive(Clone, Copy)]
pub(super) struct TextStyle {
    pub(super) size: f32,
    pub(super) color: [u8; 4],
}

/// Parses the typeface, to measure texts before the size of the sheet is known.
pub(super) fn font() -> Result<FontRef<'static>> {
    FontRef::try_from_slice(FONT).map_err(|_| Error::input("DejaVuSans-subset.ttf", "not a font"))
}

/// The scale at which an em is `size` high.
fn scale(font: &FontRef<'_>, size: f32) -> PxScale {
    let em = font.units_per_em().unwrap_or(font.height_unscaled());
    PxScale::from(size * font.height_unscaled() / em)
}

/// The advance width of `text`, in the unit of `size`.
pub(super) fn text_width(font: &FontRef<'_>, size: f32, text: &str) -> f32 {
    let font = font.as_scaled(scale(font, size));
    text.chars().map(|character| font.h_advance(font.glyph_id(character))).sum()
}

/// `text`, truncated with an ellipsis if it is wider than `width`.
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
    /// A sheet of `width` × `height` layout units, filled with `background`.
    pub(super) fn new(width: f32, height: f32, pixel_ratio: f32, background: [u8; 4]) -> Result<Self> {
        let pixels = |units: f32| (units * pixel_ratio).ceil() as u32;
        let image = RgbaImage::from_pixel(pixels(width), pixels(height), Rgba(background));
        Ok(Self { image, pixel_ratio, font: font()? })
    }

    /// The drawn image.
    pub(super) fn into_image(self) -> RgbaImage {
        self.image
    }

    /// Fills `rect`, with corners of `radius`. `color` maps a position in the rectangle, 0 to 1 across and down, to its
    /// color.
    pub(super) fn fill(&mut self, rect: Rect, radius: f32, color: impl Fn(f32, f32) -> [u8; 4]) {
        let ratio = self.pixel_ratio;
        let clip = |units: f32, end: u32| ((units * ratio).max(0.0) as u32).min(end);
        let (columns, rows) = self.image.dimensions();
        let radius = radius.min(rect.width / 2.0).min(rect.height / 2.0);
        let (half_width, half_height) = (rect.width / 2.0, rect.height / 2.0);
        for row in clip(rect.y, rows)..clip(rect.y + rect.height + 1.0, rows) {
            for column in clip(rect.x, columns)..clip(rect.x + rect.width + 1.0, columns) {
                let (x, y) = ((column as f32 + 0.5) / ratio - rect.x, (row as f32 + 0.5) / ratio - rect.y);
                // The signed distance from the outline, negative inside; the outermost pixel is antialiased.
                let (dx, dy) =
                    ((x - half_width).abs() - half_width + radius, (y - half_height).abs() - half_height + radius);
                let distance = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
                let coverage = (0.5 - distance * ratio).clamp(0.0, 1.0);
                if coverage > 0.0 {
                    let mut color = color((x / rect.width).clamp(0.0, 1.0), (y / rect.height).clamp(0.0, 1.0));
                    color[3] = (f32::from(color[3]) * coverage).round() as u8;
                    self.image.get_pixel_mut(column, row).blend(&Rgba(color));
                }
            }
        }
    }

    /// Draws an image of `size` pixels with its upper left corner at the pixel (`x`, `y`). `color` maps a column and a
    /// row of the image to its color.
    pub(super) fn draw_image(&mut self, x: u32, y: u32, size: (u32, u32), color: impl Fn(u32, u32) -> [u8; 4]) {
        let (columns, rows) = self.image.dimensions();
        for row in 0..size.1.min(rows.saturating_sub(y)) {
            for column in 0..size.0.min(columns.saturating_sub(x)) {
                self.image.get_pixel_mut(x + column, y + row).blend(&Rgba(color(column, row)));
            }
        }
    }

    /// Draws a vertical line, one layout unit wide and centered on `x`, aligned to whole pixels.
    pub(super) fn vertical_line(&mut self, x: f32, y: f32, length: f32, color: [u8; 4]) {
        let snap = |units: f32| (units * self.pixel_ratio).round() / self.pixel_ratio;
        self.fill(Rect { x: snap(x - 0.5), y: snap(y), width: 1.0, height: length }, 0.0, |_, _| color);
    }

    /// Draws `text` on `baseline`, aligned at `x` as `anchor` says.
    pub(super) fn text(&mut self, x: f32, baseline: f32, anchor: Anchor, style: TextStyle, text: &str) {
        let size = style.size * self.pixel_ratio;
        let scale = scale(&self.font, size);
        let width = text_width(&self.font, size, text);
        let left = x * self.pixel_ratio
            - match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => width / 2.0,
                Anchor::End => width,
            };
        let font = self.font.as_scaled(scale);
        // Glyph positions are relative to the upper left corner of the line, which is aligned to a whole pixel.
        let (left, top) = (left.round() as i32, ((baseline * self.pixel_ratio).round() - font.ascent()).round() as i32);
        let (columns, rows) = self.image.dimensions();
        let mut pen = 0.0;
        for character in text.chars() {
            let id = font.glyph_id(character);
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
                    let [red, green, blue, alpha] = style.color;
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
            sheet.text(x, baseline, Anchor::Start, TextStyle { size: 12.0, color: [0, 0, 0, 255] }, "Ångström, 5 km²");
            sheet.into_image()
        };
        let complete = draw(0, 0, 150, 50);
        for (left, top, width, height) in [(25, 22, 30, 6), (0, 0, 150, 25), (60, 28, 90, 22)] {
            let cropped = image::imageops::crop_imm(&complete, left, top, width, height).to_image();
            assert!(cropped.pixels().any(|pixel| pixel.0[0] < 128), "{left} {top}");
            assert!(draw(left, top, width, height) == cropped, "{left} {top}");
        }
    }
}
