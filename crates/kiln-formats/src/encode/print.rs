//! A print sheet: the picture with title, legend, scale bar, north arrow and attribution.

use image::RgbaImage;

use super::Outlines;
use super::paint::{Anchor, Rect, Sheet, TextStyle, font, shorten, text_width};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

/// A picture on a white sheet, with title, legend, scale bar, north arrow and attribution around it.
#[derive(Clone, Debug)]
pub struct Print<'a> {
    /// A palette index per pixel.
    pub indices: &'a Grid<u8>,
    /// The colors of the indices, alpha not premultiplied.
    pub colors: &'a [[u8; 4]; 256],
    /// Sea, land, coasts and borders of the picture's canvas.
    pub outlines: Option<&'a Outlines>,
    /// Title; may be empty.
    pub title: &'a str,
    /// Subtitle, such as the period; may be empty.
    pub subtitle: &'a str,
    /// Attribution of the data; may be empty.
    pub attribution: &'a str,
    /// The [legend](super::Legend), drawn with a pixel ratio of 1.
    pub legend: Option<&'a RgbaImage>,
    /// Width of a pixel on the ground, in meters, above 0; without it there is no scale bar.
    pub pixel_width_m: Option<f64>,
    /// The location to which the scale bar applies, such as `at 52°N`; may be empty.
    pub scale_note: &'a str,
    /// Whether north is up; if so, a north arrow is drawn.
    pub north_up: bool,
}

const SHEET: [u8; 4] = [255, 255, 255, 255];
const FRAME: [u8; 4] = [200, 204, 210, 255];
const TEXT_COLOR: [u8; 4] = [28, 32, 38, 255];
const TITLE: TextStyle = TextStyle { size: 20.0, color: TEXT_COLOR };
const SUBTITLE: TextStyle = TextStyle { size: 13.0, color: [94, 102, 112, 255] };
const LABEL: TextStyle = TextStyle { size: 11.0, color: [58, 65, 74, 255] };
const NORTH: TextStyle = TextStyle { size: 12.0, color: TEXT_COLOR };
const MARGIN: f32 = 16.0;
/// The minimum width inside the margins: a legend fits.
const MIN_INNER_WIDTH: f32 = 300.0;
const LINE_HEIGHT: f32 = 18.0;
const SCALE_HEIGHT: f32 = 30.0;

impl Print<'_> {
    /// Draws the sheet, fully opaque.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a side of the picture exceeds 32768 pixels, the outlines have another size, or `pixel_width_m`
    /// is not above 0.
    pub fn draw(&self) -> Result<RgbaImage> {
        /// Beyond this, layout coordinates in `f32` are no longer exact to a fraction of a pixel.
        const MAX_PX: usize = 32_768;
        let (width, height) = (self.indices.width(), self.indices.height());
        if width > MAX_PX || height > MAX_PX {
            return Err(Error::invalid(
                Parameter::SIZE,
                format!("{width}x{height} exceeds the limit of {MAX_PX} px per side of a print sheet"),
            ));
        }
        let is_size = |image: &RgbaImage| image.dimensions() == (width as u32, height as u32);
        if self.outlines.is_some_and(|outlines| !is_size(&outlines.below) || !is_size(&outlines.above)) {
            return Err(Error::invalid(Parameter::SIZE, "the outlines must have the size of the picture"));
        }
        if self.pixel_width_m.is_some_and(|meters| !(meters.is_finite() && meters > 0.0)) {
            return Err(Error::invalid(Parameter::SCALE, "a pixel's width in meters must be above 0"));
        }
        let font = font()?;
        let (picture_width, picture_height) = (width as f32, height as f32);
        let inner_width = picture_width.max(MIN_INNER_WIDTH);
        let title_height = if self.title.is_empty() { 0.0 } else { 26.0 };
        let subtitle_height = if self.subtitle.is_empty() { 0.0 } else { LINE_HEIGHT };
        let picture_y =
            MARGIN + title_height + subtitle_height + if title_height + subtitle_height > 0.0 { 6.0 } else { 0.0 };
        let below_y = picture_y + picture_height + 12.0;
        let [legend_width, legend_height] =
            self.legend.map_or([0.0; 2], |legend| [legend.width() as f32, legend.height() as f32]);
        let has_marks = self.pixel_width_m.is_some() || self.north_up;
        let marks_width = 190.0;
        // The scale bar and the north arrow are right of the legend if they fit, else below it.
        let marks_right_of_legend = legend_width == 0.0 || legend_width + 24.0 + marks_width <= inner_width;
        let marks_height = if has_marks { SCALE_HEIGHT + 6.0 } else { 0.0 };
        let below_height =
            if marks_right_of_legend { legend_height.max(marks_height) } else { legend_height + 8.0 + marks_height };
        let attribution_height = if self.attribution.is_empty() { 0.0 } else { LINE_HEIGHT };
        let end = below_y
            + below_height
            + attribution_height
            + if below_height + attribution_height > 0.0 { 6.0 } else { 0.0 };
        let mut sheet = Sheet::new(inner_width + 2.0 * MARGIN, end + MARGIN - 6.0, 1.0, SHEET)?;

        let short = |style: TextStyle, text: &str| shorten(&font, style.size, text, inner_width);
        sheet.text(MARGIN, MARGIN + 16.0, Anchor::Start, TITLE, &short(TITLE, self.title));
        sheet.text(MARGIN, MARGIN + title_height + 12.0, Anchor::Start, SUBTITLE, &short(SUBTITLE, self.subtitle));
        let frame = Rect { x: MARGIN, y: picture_y, width: picture_width, height: picture_height }.inset(-1.0);
        sheet.fill(frame, 0.0, |_, _| FRAME);
        sheet.fill(frame.inset(1.0), 0.0, |_, _| SHEET);
        let mut draw_picture = |color: &dyn Fn(u32, u32) -> [u8; 4]| {
            sheet.draw_image(MARGIN as u32, picture_y as u32, (width as u32, height as u32), color);
        };
        if let Some(outlines) = self.outlines {
            draw_picture(&|column, row| outlines.below.get_pixel(column, row).0);
        }
        draw_picture(&|column, row| self.colors[usize::from(self.indices.row(row as usize)[column as usize])]);
        if let Some(outlines) = self.outlines {
            draw_picture(&|column, row| outlines.above.get_pixel(column, row).0);
        }
        if let Some(legend) = self.legend {
            sheet.draw_image(MARGIN as u32, below_y as u32, legend.dimensions(), |column, row| {
                legend.get_pixel(column, row).0
            });
        }
        let marks_y = if marks_right_of_legend { below_y + 4.0 } else { below_y + legend_height + 8.0 };
        let right = MARGIN + inner_width;
        let arrow_width = if self.north_up { 34.0 } else { 0.0 };
        if self.north_up {
            draw_north(&mut sheet, right - 10.0, marks_y);
        }
        if let Some(meters) = self.pixel_width_m {
            let (length_m, label) = round_length(meters * 140.0);
            let length = (length_m / meters) as f32;
            let x = right - arrow_width - length;
            let note = if self.scale_note.is_empty() { label } else { format!("{label} {}", self.scale_note) };
            draw_bar(&mut sheet, x, marks_y + 22.0, length);
            // The label is aligned with the right end of the bar, unless it would cross the left margin.
            let text_x = (right - arrow_width).max(MARGIN + text_width(&font, LABEL.size, &note));
            sheet.text(text_x, marks_y + 14.0, Anchor::End, LABEL, &note);
        }
        let attribution = short(LABEL, self.attribution);
        sheet.text(right, below_y + below_height + 14.0, Anchor::End, LABEL, &attribution);
        let mut image = sheet.into_image();
        // Rounding in the blending may have left some pixels slightly transparent.
        image.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
        Ok(image)
    }
}

/// The longest round length, in meters, that does not exceed `max_m`, and its label.
fn round_length(max_m: f64) -> (f64, String) {
    let power = 10f64.powf(max_m.log10().floor());
    let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * power <= max_m * (1.0 + 1e-9)).unwrap_or(1.0);
    let length_m = digit * power;
    let label = if length_m >= 1000.0 {
        format!("{} km", length_m / 1000.0)
    } else if length_m >= 1.0 {
        format!("{length_m} m")
    } else if length_m >= 0.01 {
        format!("{} cm", (length_m * 100.0).round())
    } else {
        format!("{length_m:e} m")
    };
    (length_m, label)
}

/// Draws a scale bar of `length` with vertical end marks, its left end at `x`.
fn draw_bar(sheet: &mut Sheet, x: f32, y: f32, length: f32) {
    sheet.fill(Rect { x, y, width: length, height: 2.0 }, 0.0, |_, _| TEXT_COLOR);
    for end in [x, x + length] {
        sheet.vertical_line(end, y - 3.0, 8.0, TEXT_COLOR);
    }
}

/// Draws a north arrow: an arrowhead with an N below it.
fn draw_north(sheet: &mut Sheet, x: f32, y: f32) {
    const HEAD: f32 = 8.0;
    for line in 0..HEAD as u8 {
        let half = f32::from(line) / 2.0 + 0.5;
        sheet
            .fill(Rect { x: x - half, y: y + f32::from(line), width: 2.0 * half, height: 1.0 }, 0.0, |_, _| TEXT_COLOR);
    }
    sheet.text(x, y + 22.0, Anchor::Middle, NORTH, "N");
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn print<'a>(indices: &'a Grid<u8>, colors: &'a [[u8; 4]; 256]) -> Print<'a> {
        Print {
            indices,
            colors,
            outlines: None,
            title: "",
            subtitle: "",
            attribution: "",
            legend: None,
            pixel_width_m: None,
            scale_note: "",
            north_up: false,
        }
    }

    /// The number of dark pixels in `rows`.
    fn dark(sheet: &RgbaImage, rows: std::ops::Range<u32>) -> usize {
        let pixels = rows.flat_map(|row| (0..sheet.width()).map(move |column| (column, row)));
        pixels.filter(|(column, row)| sheet.get_pixel(*column, *row).0[..3].iter().all(|c| *c < 120)).count()
    }

    #[test]
    fn the_sheet_has_the_pixels_of_the_picture_unchanged() {
        let colors: [[u8; 4]; 256] = std::array::from_fn(|i| [i as u8, 0, 255, if i == 0 { 0 } else { 255 }]);
        let indices = Grid::from_cells(320, 200, (0..64_000).map(|i| (i % 251) as u8).collect()).unwrap();
        let sheet = print(&indices, &colors).draw().unwrap();
        let (x, y) = (16, 16);
        for (column, row) in [(0, 0), (5, 7), (319, 199), (100, 3)] {
            let index = indices.row(row as usize)[column as usize];
            let expected = if index == 0 { [255; 4] } else { colors[usize::from(index)] };
            assert_eq!(sheet.get_pixel(x + column, y + row).0, expected, "{column} {row}");
        }
        assert!(sheet.pixels().all(|pixel| pixel.0[3] == 255));
        assert_eq!(sheet.width(), 352);
    }

    #[test]
    fn land_is_below_the_picture_and_coasts_above_it() {
        let mut colors = [[200, 0, 0, 255]; 256];
        colors[0] = [0; 4];
        let image = |color| RgbaImage::from_pixel(4, 2, image::Rgba(color));
        let outlines = Outlines { below: image([10, 20, 30, 255]), above: image([0; 4]) };
        let indices = Grid::from_cells(4, 2, vec![0, 1, 0, 1, 0, 1, 0, 1]).unwrap();
        let bare = print(&indices, &colors);
        let sheet = Print { outlines: Some(&outlines), ..bare.clone() }.draw().unwrap();
        assert_eq!([16, 17].map(|x| sheet.get_pixel(x, 16).0), [[10, 20, 30, 255], [200, 0, 0, 255]]);
        let outlines = Outlines { above: image([0, 0, 0, 255]), ..outlines };
        let sheet = Print { outlines: Some(&outlines), ..bare.clone() }.draw().unwrap();
        assert_eq!([16, 17].map(|x| sheet.get_pixel(x, 16).0), [[0, 0, 0, 255]; 2]);
        let outlines = Outlines { above: RgbaImage::new(3, 3), ..outlines };
        assert!(Print { outlines: Some(&outlines), ..bare }.draw().is_err());
    }

    #[test]
    fn each_element_is_drawn_at_every_size_of_the_picture() {
        let colors = [[255, 250, 250, 255]; 256];
        let legend = RgbaImage::from_pixel(264, 70, image::Rgba([240, 240, 240, 255]));
        for (width, height) in [(200, 100), (320, 200), (800, 300)] {
            let indices = Grid::filled(width, height, 1u8);
            let bare = print(&indices, &colors);
            let plain = bare.draw().unwrap();
            assert_eq!(dark(&plain, 0..plain.height()), 0, "{width}");
            let long = "a title ".repeat(100);
            for full in [
                Print { title: &long, ..bare.clone() },
                Print { subtitle: "2024", ..bare.clone() },
                Print { attribution: &long, ..bare.clone() },
                Print { pixel_width_m: Some(150.0), scale_note: "at 52°N", ..bare.clone() },
                Print { north_up: true, ..bare.clone() },
            ] {
                let sheet = full.draw().unwrap();
                assert!(dark(&sheet, 0..sheet.height()) > 15, "{full:?}");
                assert!(sheet.height() > plain.height() && sheet.width() == plain.width());
            }
            let legend = Some(&legend);
            let all = Print { legend, north_up: true, pixel_width_m: Some(3.0), title: "T", ..bare.clone() };
            let sheet = all.draw().unwrap();
            assert_eq!(sheet.height(), all.draw().unwrap().height());
            assert!(sheet.height() >= plain.height() + 70);
        }
    }

    #[test]
    fn the_scale_bar_has_a_round_length() {
        for (max, length, label) in [
            (140.0, 100.0, "100 m"),
            (99.0, 50.0, "50 m"),
            (2000.0, 2000.0, "2 km"),
            (4_999_999.0, 2_000_000.0, "2000 km"),
            (0.3, 0.2, "20 cm"),
        ] {
            let (found, found_label) = round_length(max);
            assert!((found - length).abs() < 1e-9 * length, "{max}: {found}");
            assert_eq!(found_label, label);
        }
        let indices = Grid::filled(2, 2, 0u8);
        assert!(Print { pixel_width_m: Some(f64::NAN), ..print(&indices, &[[0; 4]; 256]) }.draw().is_err());
    }
}
