//! A small drawing surface for legends, charts, previews and print sheets: antialiased rectangles, circles, images and
//! text.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use image::{Pixel, Rgba, RgbaImage};

use kiln_core::error::{Error, Result};

/// The typeface: Latin, Greek and Cyrillic letters and the symbols used in units.
static FONT: &[u8] = include_bytes!("fonts/DejaVuSans-subset.ttf");

/// The parsed typeface.
pub type Typeface = FontRef<'static>;

/// A drawing surface whose coordinates are layout units of `pixel_ratio` pixels.
#[derive(Debug)]
pub struct Sheet {
    image: RgbaImage,
    pixel_ratio: f32,
    font: Typeface,
}

/// A rectangle in layout units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f32,
    /// The upper edge.
    pub y: f32,
    /// The width.
    pub width: f32,
    /// The height.
    pub height: f32,
}

impl Rect {
    /// The same rectangle, `by` units smaller on every side.
    #[must_use]
    pub fn inset(self, by: f32) -> Self {
        Self { x: self.x + by, y: self.y + by, width: self.width - 2.0 * by, height: self.height - 2.0 * by }
    }
}

/// The horizontal alignment of a text: the part of it that is at the given x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The start.
    Start,
    /// The center.
    Middle,
    /// The end.
    End,
}

/// The size of a text, in layout units per em, and its color.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextStyle {
    /// Layout units per em.
    pub size: f32,
    /// RGBA with straight alpha.
    pub color: [u8; 4],
}

/// Parses the typeface, to measure texts before the size of the sheet is known.
///
/// # Errors
/// [`Error::Input`] if the font of the program is damaged, which the tests rule out.
pub fn font() -> Result<Typeface> {
    FontRef::try_from_slice(FONT).map_err(|_| Error::input("DejaVuSans-subset.ttf", "not a font"))
}

/// The scale at which an em is `size` high.
fn scale(font: &FontRef<'_>, size: f32) -> PxScale {
    let em = font.units_per_em().unwrap_or(font.height_unscaled());
    PxScale::from(size * font.height_unscaled() / em)
}

/// The advance width of `text`, in the unit of `size`.
pub fn text_width(font: &FontRef<'_>, size: f32, text: &str) -> f32 {
    let font = font.as_scaled(scale(font, size));
    text.chars().map(|character| font.h_advance(font.glyph_id(character))).sum()
}

/// Whether the typeface has a glyph of `character`. Others are drawn as an empty box.
pub fn has_glyph(font: &FontRef<'_>, character: char) -> bool {
    font.glyph_id(character).0 != 0
}

/// `text`, truncated with an ellipsis if it is wider than `width`.
pub fn shorten(font: &FontRef<'_>, size: f32, text: &str, width: f32) -> String {
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

/// Blends a color into a pixel, if the image has it. `coverage` multiplies its alpha.
fn blend(image: &mut RgbaImage, (x, y): (i32, i32), [red, green, blue, alpha]: [u8; 4], coverage: f32) {
    let (columns, rows) = image.dimensions();
    if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
        && x < columns
        && y < rows
    {
        let alpha = (f32::from(alpha) * coverage.clamp(0.0, 1.0)) as u8;
        image.get_pixel_mut(x, y).blend(&Rgba([red, green, blue, alpha]));
    }
}

impl Sheet {
    /// A sheet of `width` × `height` layout units, filled with `background`.
    ///
    /// # Errors
    /// As [`font`].
    pub fn new(width: f32, height: f32, pixel_ratio: f32, background: [u8; 4]) -> Result<Self> {
        let pixels = |units: f32| (units * pixel_ratio).ceil() as u32;
        let image = RgbaImage::from_pixel(pixels(width), pixels(height), Rgba(background));
        Ok(Self { image, pixel_ratio, font: font()? })
    }

    /// The drawn image.
    pub fn into_image(self) -> RgbaImage {
        self.image
    }

    /// Fills `rect`, with corners of `radius`. `color` maps a position in the rectangle, 0 to 1 across and down, to its
    /// color.
    pub fn fill(&mut self, rect: Rect, radius: f32, color: impl Fn(f32, f32) -> [u8; 4]) {
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
    pub fn draw_image(&mut self, x: u32, y: u32, size: (u32, u32), color: impl Fn(u32, u32) -> [u8; 4]) {
        let (columns, rows) = self.image.dimensions();
        for row in 0..size.1.min(rows.saturating_sub(y)) {
            for column in 0..size.0.min(columns.saturating_sub(x)) {
                self.image.get_pixel_mut(x + column, y + row).blend(&Rgba(color(column, row)));
            }
        }
    }

    /// Draws a vertical line, one layout unit wide and centered on `x`, aligned to whole pixels.
    pub fn vertical_line(&mut self, x: f32, y: f32, length: f32, color: [u8; 4]) {
        let snap = |units: f32| (units * self.pixel_ratio).round() / self.pixel_ratio;
        self.fill(Rect { x: snap(x - 0.5), y: snap(y), width: 1.0, height: length }, 0.0, |_, _| color);
    }

    /// Draws a circle of `radius` around (`x`, `y`).
    pub fn circle(&mut self, x: f32, y: f32, radius: f32, color: [u8; 4]) {
        let rect = Rect { x: x - radius, y: y - radius, width: 2.0 * radius, height: 2.0 * radius };
        self.fill(rect, radius, |_, _| color);
    }

    /// Draws `text` on `baseline`, aligned at `x` as `anchor` says.
    pub fn text(&mut self, x: f32, baseline: f32, anchor: Anchor, style: TextStyle, text: &str) {
        let (x, baseline) = (x * self.pixel_ratio, baseline * self.pixel_ratio);
        let left = (x - self.offset(anchor, style, text)).round() as i32;
        let ascent = self.font.as_scaled(scale(&self.font, style.size * self.pixel_ratio)).ascent();
        let top = (baseline.round() - ascent).round() as i32;
        self.glyphs(style, text, |across, down| (left.saturating_add(across), top.saturating_add(down)));
    }

    /// Draws `text` upward, rotated by 90° counterclockwise, with its baseline at `x` and aligned at `y` as `anchor` says:
    /// a text that starts at `y` is above it.
    pub fn upward_text(&mut self, x: f32, y: f32, anchor: Anchor, style: TextStyle, text: &str) {
        let (x, y) = (x * self.pixel_ratio, y * self.pixel_ratio);
        let bottom = (y + self.offset(anchor, style, text)).round() as i32 - 1;
        let ascent = self.font.as_scaled(scale(&self.font, style.size * self.pixel_ratio)).ascent();
        let left = (x.round() - ascent).round() as i32;
        self.glyphs(style, text, |across, down| (left.saturating_add(down), bottom.saturating_sub(across)));
    }

    /// The distance in pixels from the start of a text to its anchor.
    fn offset(&self, anchor: Anchor, style: TextStyle, text: &str) -> f32 {
        let width = text_width(&self.font, style.size * self.pixel_ratio, text);
        match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => width / 2.0,
            Anchor::End => width,
        }
    }

    /// Draws the glyphs of a text. `place` maps a pixel of the line, relative to the upper left corner of the line, which is
    /// aligned to a whole pixel, to one of the sheet.
    fn glyphs(&mut self, style: TextStyle, text: &str, place: impl Fn(i32, i32) -> (i32, i32)) {
        let scale = scale(&self.font, style.size * self.pixel_ratio);
        let font = self.font.as_scaled(scale);
        let mut pen = 0.0;
        let mut missing = Vec::new();
        for character in text.chars() {
            let id = font.glyph_id(character);
            let glyph = font.outline_glyph(id.with_scale_and_position(scale, point(pen, font.ascent())));
            // The typeface has no kerning.
            pen += font.h_advance(id);
            if id.0 == 0 {
                missing.push(pen - font.h_advance(id));
                continue;
            }
            // A space has no outline.
            let Some(glyph) = glyph else { continue };
            let corner = glyph.px_bounds().min;
            let (left, top) = (corner.x.round() as i32, corner.y.round() as i32);
            glyph.draw(|column, row, coverage| {
                let (x, y) = place(left.saturating_add_unsigned(column), top.saturating_add_unsigned(row));
                blend(&mut self.image, (x, y), style.color, coverage);
            });
        }
        // The typeface has no outline of a missing glyph: a box of the height of a capital.
        let (em, baseline) = (style.size * self.pixel_ratio, font.ascent().round() as i32);
        let (width, height) = ((0.44 * em).round() as i32, (0.72 * em).round() as i32);
        let line = (0.08 * em).round().max(1.0) as i32;
        for start in missing {
            let start = (start + 0.08 * em).round() as i32;
            for (across, up) in (0..width).flat_map(|across| (0..height).map(move |up| (across, up))) {
                if across.min(up).min(width - 1 - across).min(height - 1 - up) < line {
                    let pixel = place(start.saturating_add(across), baseline - 1 - up);
                    blend(&mut self.image, pixel, style.color, 1.0);
                }
            }
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

    #[test]
    fn upward_text_is_the_rotated_text() {
        let style = TextStyle { size: 13.0, color: [0, 0, 0, 255] };
        let (mut level, mut upward) =
            (Sheet::new(80.0, 30.0, 2.0, [255; 4]).unwrap(), Sheet::new(30.0, 80.0, 2.0, [255; 4]).unwrap());
        for (anchor, at) in [(Anchor::Start, 5.0), (Anchor::End, 78.0)] {
            level.text(at, 20.0, anchor, style, "Åg5");
            upward.upward_text(20.0, 80.0 - at, anchor, style, "Åg5");
        }
        let (level, upward) = (level.into_image(), upward.into_image());
        assert!(level.pixels().any(|pixel| pixel.0[0] < 60));
        for (x, y, pixel) in level.enumerate_pixels() {
            assert_eq!(upward.get_pixel(y, 159 - x), pixel, "at {x}, {y}");
        }
    }

    #[test]
    fn a_missing_glyph_is_a_box_within_its_advance() {
        let mut sheet = Sheet::new(30.0, 30.0, 1.0, [255; 4]).unwrap();
        sheet.text(5.0, 20.0, Anchor::Start, TextStyle { size: 20.0, color: [0, 0, 0, 255] }, "日");
        let image = sheet.into_image();
        let dark: Vec<(u32, u32)> =
            image.enumerate_pixels().filter(|(.., pixel)| pixel.0[0] == 0).map(|(x, y, _)| (x, y)).collect();
        let advance = text_width(&font().unwrap(), 20.0, "日");
        assert!(
            dark.len() > 50 && dark.iter().all(|(x, y)| (5..5 + advance as u32).contains(x) && (5..20).contains(y))
        );
        assert!(!dark.contains(&(10, 12)), "the box is empty");
    }

    #[test]
    fn a_circle_covers_its_area() {
        let mut sheet = Sheet::new(40.0, 40.0, 1.0, [255; 4]).unwrap();
        sheet.circle(20.0, 20.0, 10.0, [0, 0, 0, 255]);
        let image = sheet.into_image();
        let area: f32 = image.pixels().map(|pixel| 1.0 - f32::from(pixel.0[0]) / 255.0).sum();
        assert!((area - 314.16).abs() < 6.0, "{area}");
    }
}
