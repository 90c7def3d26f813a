//! A picture for people: with a title, what its colors mean, how far it is, where north is, and whom to thank.

use image::RgbaImage;

use super::paint::{Anchor, Area, Ink, Sheet, font, shorten, text_width};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;

/// A picture on a white sheet, with what people need to read it around it.
#[derive(Clone, Debug)]
pub struct Print<'a> {
    /// A palette index per pixel.
    pub indices: &'a Grid<u8>,
    /// The colors of the indices, alpha not premultiplied.
    pub colors: &'a [[u8; 4]; 256],
    /// What it shows; may be empty.
    pub title: &'a str,
    /// When, or what else there is to say of it; may be empty.
    pub subtitle: &'a str,
    /// Whom to thank; may be empty.
    pub attribution: &'a str,
    /// The [legend](super::Legend), drawn with a pixel ratio of 1.
    pub legend: Option<&'a RgbaImage>,
    /// Width on the ground of a pixel, in meters, above 0; without it there is no scale bar.
    pub pixel_width_m: Option<f64>,
    /// Where that holds, such as `at 52°N`; may be empty.
    pub scale_note: &'a str,
    /// Whether the upper edge is the north, and an arrow is to say so.
    pub north_up: bool,
}

const SHEET: [u8; 4] = [255, 255, 255, 255];
const FRAME: [u8; 4] = [200, 204, 210, 255];
const DARK: [u8; 4] = [28, 32, 38, 255];
const TITLE: Ink = Ink { size: 20.0, color: DARK };
const SUBTITLE: Ink = Ink { size: 13.0, color: [94, 102, 112, 255] };
const LABEL: Ink = Ink { size: 11.0, color: [58, 65, 74, 255] };
const NORTH: Ink = Ink { size: 12.0, color: DARK };
const MARGIN: f32 = 16.0;
/// The narrowest sheet: a legend fits.
const LEAST_WIDTH: f32 = 300.0;
const LINE: f32 = 18.0;
const SCALE_HEIGHT: f32 = 30.0;

impl Print<'_> {
    /// Draws the sheet. All of it is opaque.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the picture is too large to get a sheet around it, or `pixel_width_m` is not above 0.
    pub fn draw(&self) -> Result<RgbaImage> {
        /// Beyond that, places on a sheet are no longer exact.
        const MOST_PX: usize = 32_768;
        let (width, height) = (self.indices.width(), self.indices.height());
        if width > MOST_PX || height > MOST_PX {
            return Err(Error::invalid(
                Parameter::SIZE,
                format!("{width}x{height} is too large for a sheet; give less than {MOST_PX}"),
            ));
        }
        if self.pixel_width_m.is_some_and(|meters| !(meters.is_finite() && meters > 0.0)) {
            return Err(Error::invalid(Parameter::SCALE, "a pixel's width in meters must be above 0"));
        }
        let font = font()?;
        let (picture_width, picture_height) = (width as f32, height as f32);
        let inner = picture_width.max(LEAST_WIDTH);
        let title_height = if self.title.is_empty() { 0.0 } else { 26.0 };
        let subtitle_height = if self.subtitle.is_empty() { 0.0 } else { LINE };
        let picture_y =
            MARGIN + title_height + subtitle_height + if title_height + subtitle_height > 0.0 { 6.0 } else { 0.0 };
        let below_y = picture_y + picture_height + 12.0;
        let [legend_width, legend_height] =
            self.legend.map_or([0.0; 2], |legend| [legend.width() as f32, legend.height() as f32]);
        let has_marks = self.pixel_width_m.is_some() || self.north_up;
        let marks_width = 190.0;
        // Beside the legend, if there is room, else beneath it.
        let beside = legend_width == 0.0 || legend_width + 24.0 + marks_width <= inner;
        let marks_height = if has_marks { SCALE_HEIGHT + 6.0 } else { 0.0 };
        let furniture = if beside { legend_height.max(marks_height) } else { legend_height + 8.0 + marks_height };
        let attribution_height = if self.attribution.is_empty() { 0.0 } else { LINE };
        let end =
            below_y + furniture + attribution_height + if furniture + attribution_height > 0.0 { 6.0 } else { 0.0 };
        let mut sheet = Sheet::new(inner + 2.0 * MARGIN, end + MARGIN - 6.0, 1.0, SHEET)?;

        let short = |ink: Ink, text: &str| shorten(&font, ink.size, text, inner);
        sheet.text(MARGIN, MARGIN + 16.0, Anchor::Start, TITLE, &short(TITLE, self.title));
        sheet.text(MARGIN, MARGIN + title_height + 12.0, Anchor::Start, SUBTITLE, &short(SUBTITLE, self.subtitle));
        let frame = Area { x: MARGIN, y: picture_y, width: picture_width, height: picture_height }.inset(-1.0);
        sheet.fill(frame, 0.0, |_, _| FRAME);
        sheet.fill(frame.inset(1.0), 0.0, |_, _| SHEET);
        sheet.place(MARGIN as u32, picture_y as u32, (width as u32, height as u32), |column, row| {
            self.colors[usize::from(self.indices.row(row as usize)[column as usize])]
        });
        if let Some(legend) = self.legend {
            sheet.place(MARGIN as u32, below_y as u32, legend.dimensions(), |column, row| {
                legend.get_pixel(column, row).0
            });
        }
        let marks_y = if beside { below_y + 4.0 } else { below_y + legend_height + 8.0 };
        let right = MARGIN + inner;
        let arrow_room = if self.north_up { 34.0 } else { 0.0 };
        if self.north_up {
            draw_north(&mut sheet, right - 10.0, marks_y);
        }
        if let Some(meters) = self.pixel_width_m {
            let (length_m, label) = round_length(meters * 140.0);
            let length = (length_m / meters) as f32;
            let x = right - arrow_room - length;
            let note = if self.scale_note.is_empty() { label } else { format!("{label} {}", self.scale_note) };
            draw_bar(&mut sheet, x, marks_y + 22.0, length);
            // The label ends with the bar, however short that is.
            let text_x = (right - arrow_room).max(MARGIN + text_width(&font, LABEL.size, &note));
            sheet.text(text_x, marks_y + 14.0, Anchor::End, LABEL, &note);
        }
        let attribution = short(LABEL, self.attribution);
        sheet.text(right, below_y + furniture + 14.0, Anchor::End, LABEL, &attribution);
        let mut image = sheet.into_image();
        // Where colors were laid over each other, rounding may have left a trace of transparency.
        image.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
        Ok(image)
    }
}

/// The longest round length, in meters, that is no longer than `most_m`; and how it is said.
fn round_length(most_m: f64) -> (f64, String) {
    let power = 10f64.powf(most_m.log10().floor());
    let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * power <= most_m * (1.0 + 1e-9)).unwrap_or(1.0);
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

/// A bar of `length` with upright ends, its left end at `x`.
fn draw_bar(sheet: &mut Sheet, x: f32, y: f32, length: f32) {
    sheet.fill(Area { x, y, width: length, height: 2.0 }, 0.0, |_, _| DARK);
    for end in [x, x + length] {
        sheet.stroke_down(end, y - 3.0, 8.0, DARK);
    }
}

/// An arrow to the upper edge, with an N beneath it.
fn draw_north(sheet: &mut Sheet, x: f32, y: f32) {
    const HEAD: f32 = 8.0;
    for line in 0..HEAD as u8 {
        let half = f32::from(line) / 2.0 + 0.5;
        sheet.fill(Area { x: x - half, y: y + f32::from(line), width: 2.0 * half, height: 1.0 }, 0.0, |_, _| DARK);
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
            title: "",
            subtitle: "",
            attribution: "",
            legend: None,
            pixel_width_m: None,
            scale_note: "",
            north_up: false,
        }
    }

    /// Pixels that are dark, in some rows.
    fn dark(sheet: &RgbaImage, rows: std::ops::Range<u32>) -> usize {
        let places = rows.flat_map(|row| (0..sheet.width()).map(move |column| (column, row)));
        places.filter(|(column, row)| sheet.get_pixel(*column, *row).0[..3].iter().all(|c| *c < 120)).count()
    }

    #[test]
    fn the_picture_stands_on_the_sheet_pixel_for_pixel() {
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
    fn everything_has_its_place_whatever_the_size() {
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
    fn lengths_are_round() {
        for (most, length, label) in [
            (140.0, 100.0, "100 m"),
            (99.0, 50.0, "50 m"),
            (2000.0, 2000.0, "2 km"),
            (4_999_999.0, 2_000_000.0, "2000 km"),
            (0.3, 0.2, "20 cm"),
        ] {
            let (found, said) = round_length(most);
            assert!((found - length).abs() < 1e-9 * length, "{most}: {found}");
            assert_eq!(said, label);
        }
        let indices = Grid::filled(2, 2, 0u8);
        assert!(Print { pixel_width_m: Some(f64::NAN), ..print(&indices, &[[0; 4]; 256]) }.draw().is_err());
    }
}
