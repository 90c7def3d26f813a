//! The legend: a color bar with labeled values, drawn as an image to overlay on a map.

use image::RgbaImage;

use super::Tick;
use super::paint::{Anchor, Rect, Sheet, TextStyle, font, shorten, text_width};
use kiln_core::color::Palette;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// A color bar with round values below it, on a light panel that is legible over any map.
///
/// It is at least 264 layout units wide, wider if the texts need it, and 70 high; without title and unit, 53.
#[derive(Clone, Debug)]
pub struct Legend<'a> {
    /// The colors, coldest first. For the classic blend, use the palette of the scheme: the blend's own is reversed.
    pub palette: &'a Palette,
    /// The tick marks, in any order. Where the labels of two would overlap, only the one nearer the cold end is
    /// labeled.
    pub ticks: &'a [Tick],
    /// Title, such as the layer's name; may be empty.
    pub title: &'a str,
    /// Unit of the values, such as `points per km²`; may be empty.
    pub unit: &'a str,
    /// Pixels per layout unit, 0.5 to 8: 1 for ordinary screens, 2 for high-density ones.
    pub pixel_ratio: f32,
}

const PANEL: [u8; 4] = [255, 255, 255, 240];
const PANEL_EDGE: [u8; 4] = [20, 24, 32, 56];
const BAR_EDGE: [u8; 4] = [20, 24, 32, 48];
const TICK: [u8; 4] = [110, 118, 129, 255];
const TITLE_STYLE: TextStyle = TextStyle { size: 12.5, color: [28, 32, 38, 255] };
const UNIT_STYLE: TextStyle = TextStyle { size: 11.0, color: [94, 102, 112, 255] };
const LABEL_STYLE: TextStyle = TextStyle { size: 11.0, color: [58, 65, 74, 255] };

/// The panel's inner margin.
const PADDING: f32 = 12.0;
const BAR_WIDTH: f32 = 240.0;
const BAR_WIDTH_MAX: f32 = 400.0;
const BAR_HEIGHT: f32 = 12.0;
/// From the panel's upper edge to the bar, if there is a title or a unit above it.
const HEADER_HEIGHT: f32 = 29.0;
/// The minimum gap between two labels.
const LABEL_GAP: f32 = 7.0;
/// The minimum gap between a label and the panel's left or right edge.
const LABEL_MARGIN: f32 = 8.0;
/// The minimum gap between title and unit.
const HEADER_GAP: f32 = 18.0;

impl Legend<'_> {
    /// Draws the legend as RGBA with straight (not premultiplied) alpha.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the pixel ratio is not between 0.5 and 8.
    pub fn draw(&self) -> Result<RgbaImage> {
        if !(0.5..=8.0).contains(&self.pixel_ratio) {
            return Err(Error::invalid(
                Parameter::PIXEL_RATIO,
                format!("{} is not between 0.5 and 8", self.pixel_ratio),
            ));
        }
        let font = font()?;
        let width_of = |style: TextStyle, text: &str| text_width(&font, style.size, text);

        // The header sets the width of the bar; the label that overhangs the bar most sets the margins.
        let unit = shorten(&font, UNIT_STYLE.size, self.unit, BAR_WIDTH);
        let unit_width = if unit.is_empty() { 0.0 } else { width_of(UNIT_STYLE, &unit) + HEADER_GAP };
        let title = shorten(&font, TITLE_STYLE.size, self.title, BAR_WIDTH_MAX - unit_width);
        let bar_width = (width_of(TITLE_STYLE, &title) + unit_width).clamp(BAR_WIDTH, BAR_WIDTH_MAX).ceil();
        let mut ticks: Vec<(f32, f32, &str)> = self
            .ticks
            .iter()
            .filter(|tick| (0.0..=1.0).contains(&tick.position))
            .map(|tick| (tick.position as f32 * bar_width, width_of(LABEL_STYLE, &tick.label), tick.label.as_str()))
            .collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        let overhang = |(x, width, _): &(f32, f32, &str)| (width / 2.0 - x).max(x + width / 2.0 - bar_width);
        let margin = (ticks.iter().map(overhang).fold(0.0, f32::max) + LABEL_MARGIN).max(PADDING).ceil();

        let bar_y = if title.is_empty() && unit.is_empty() { PADDING } else { HEADER_HEIGHT };
        let bar = Rect { x: margin, y: bar_y, width: bar_width, height: BAR_HEIGHT };
        let below = if ticks.is_empty() { PADDING } else { 29.0 };
        let panel = Rect { x: 0.0, y: 0.0, width: bar_width + 2.0 * margin, height: bar.y + BAR_HEIGHT + below };

        let mut sheet = Sheet::new(panel.width, panel.height, self.pixel_ratio, [255, 255, 255, 0])?;
        sheet.fill(panel, 7.0, |_, _| PANEL_EDGE);
        sheet.fill(panel.inset(1.0), 6.0, |_, _| PANEL);
        sheet.text(bar.x, 19.5, Anchor::Start, TITLE_STYLE, &title);
        sheet.text(bar.x + bar.width, 19.5, Anchor::End, UNIT_STYLE, &unit);
        sheet.fill(bar.inset(-1.0), 4.0, |_, _| BAR_EDGE);
        sheet.fill(bar, 3.0, |_, _| [255; 4]);
        sheet.fill(bar, 3.0, |across, _| self.palette.at(f64::from(across)));

        let mut free_from = f32::NEG_INFINITY;
        for (x, width, label) in ticks {
            let fits = x - width / 2.0 >= free_from;
            let x_on_sheet = bar.x + x.clamp(0.5, bar_width - 0.5);
            sheet.vertical_line(x_on_sheet, bar.y + BAR_HEIGHT + 1.0, if fits { 5.0 } else { 3.0 }, TICK);
            if fits {
                sheet.text(x_on_sheet, bar.y + BAR_HEIGHT + 18.0, Anchor::Middle, LABEL_STYLE, label);
                free_from = x + width / 2.0 + LABEL_GAP;
            }
        }
        Ok(sheet.into_image())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::encode::nice_ticks;
    use kiln_core::color::Scheme;

    fn draw(title: &str, unit: &str, vmax: f64, pixel_ratio: f32) -> RgbaImage {
        let palette = Palette::from(&Scheme::named("viridis").unwrap());
        let ticks = nice_ticks(0.0, vmax, |value| value / vmax);
        Legend { palette: &palette, ticks: &ticks, title, unit, pixel_ratio }.draw().unwrap()
    }

    #[test]
    fn the_bar_shows_the_palette_on_a_light_panel() {
        let legend = draw("Trees", "per km²", 100.0, 1.0);
        let palette = Palette::from(&Scheme::named("viridis").unwrap());
        let (width, row) = (legend.width(), 35);
        let margin = (width - 240) / 2;
        assert_eq!(legend.get_pixel(margin + 120, row).0, palette.at(120.5 / 240.0));
        assert_eq!(legend.get_pixel(margin + 4, row).0, palette.at(4.5 / 240.0));
        assert_eq!(legend.get_pixel(width - margin - 5, row).0, palette.at(235.5 / 240.0));
        assert!(legend.get_pixel(5, 40).0.iter().all(|channel| *channel >= 240));
        assert_eq!(legend.get_pixel(0, 0).0[3], 0, "the corners are round");
    }

    #[test]
    fn the_title_is_above_and_the_labels_are_below_the_bar() {
        let dark = |legend: &RgbaImage, rows: std::ops::Range<u32>| {
            rows.flat_map(|row| (0..legend.width()).map(move |column| (column, row)))
                .filter(|(column, row)| legend.get_pixel(*column, *row).0[..3].iter().all(|channel| *channel < 140))
                .count()
        };
        let (full, bare) = (draw("Trees", "per km²", 100.0, 1.0), draw("", "", 100.0, 1.0));
        assert!(dark(&full, 8..24) > 40, "the title");
        assert!(dark(&full, 50..64) > 40, "the labels");
        assert!(bare.height() < full.height());
        assert_eq!(bare.width(), full.width());
    }

    #[test]
    fn long_texts_are_shortened_and_the_pixel_ratio_scales_the_image() {
        let long = "a title ".repeat(100);
        let (one, two) = (draw(&long, &long, 1.0, 1.0), draw(&long, &long, 1.0, 2.0));
        assert!(one.width() < 460);
        assert_eq!(two.dimensions(), (2 * one.width(), 2 * one.height()));
    }

    #[test]
    fn overlapping_and_invalid_ticks_are_accepted() {
        let palette = Palette::from(&Scheme::named("heat").unwrap());
        let tick = |position| Tick { position, value: 0.0, label: "a very long label".into() };
        let ticks = [tick(0.5), tick(0.5), tick(f64::NAN), tick(7.0), tick(0.0)];
        let legend = Legend { palette: &palette, ticks: &ticks, title: "", unit: "", pixel_ratio: 1.0 };
        assert!(legend.draw().is_ok());
        assert!(Legend { ticks: &[], ..legend.clone() }.draw().is_ok());
        assert!(Legend { pixel_ratio: f32::NAN, ..legend }.draw().is_err());
    }
}
