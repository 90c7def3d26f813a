//! The legend: what the colors mean, as a picture to lay on the map.

use image::RgbaImage;

use super::Tick;
use super::paint::{Anchor, Area, Ink, Sheet, font, shorten, text_width};
use kiln_core::color::Palette;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// A bar of colors with round values beneath it, on a light panel that can be read on any map.
///
/// It is 264 layout units wide, or wider as its texts need, and 70 high; without title and unit, 53.
#[derive(Clone, Debug)]
pub struct Legend<'a> {
    /// The colors, cold first. For the classic blend, take the palette of the scheme: its own runs the other way.
    pub palette: &'a Palette,
    /// The marks, in any order. Where two would touch, only the first is labeled.
    pub ticks: &'a [Tick],
    /// What is shown, such as the layer's name; may be empty.
    pub title: &'a str,
    /// What the values count, such as `points per km²`; may be empty.
    pub unit: &'a str,
    /// Pixels per layout unit, 0.5 to 8: 1 for plain screens, 2 for dense ones.
    pub pixel_ratio: f32,
}

const PANEL: [u8; 4] = [255, 255, 255, 240];
const PANEL_EDGE: [u8; 4] = [20, 24, 32, 56];
const BAR_EDGE: [u8; 4] = [20, 24, 32, 48];
const MARK: [u8; 4] = [110, 118, 129, 255];
const TITLE: Ink = Ink { size: 12.5, color: [28, 32, 38, 255] };
const UNIT: Ink = Ink { size: 11.0, color: [94, 102, 112, 255] };
const LABEL: Ink = Ink { size: 11.0, color: [58, 65, 74, 255] };

/// The panel's inner margin.
const PADDING: f32 = 12.0;
const BAR_WIDTH: f32 = 240.0;
const BAR_WIDTH_MAX: f32 = 400.0;
const BAR_HEIGHT: f32 = 12.0;
/// From the panel's upper edge to the bar, where a title or a unit stands above it.
const HEADER_HEIGHT: f32 = 29.0;
/// The least room between two labels, and between title and unit.
const LABEL_GAP: f32 = 7.0;
/// The least room between a label and the panel's side.
const LABEL_MARGIN: f32 = 8.0;
const HEADER_GAP: f32 = 18.0;

impl Legend<'_> {
    /// Draws the legend, straight alpha.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the pixel ratio is out of its range.
    pub fn draw(&self) -> Result<RgbaImage> {
        if !(0.5..=8.0).contains(&self.pixel_ratio) {
            return Err(Error::invalid(
                Parameter::PIXEL_RATIO,
                format!("{} is not between 0.5 and 8", self.pixel_ratio),
            ));
        }
        let font = font()?;
        let width_of = |ink: Ink, text: &str| text_width(&font, ink.size, text);

        // The header sets the width of the bar; the labels that stand out furthest set the margins beside it.
        let unit = shorten(&font, UNIT.size, self.unit, BAR_WIDTH);
        let unit_width = if unit.is_empty() { 0.0 } else { width_of(UNIT, &unit) + HEADER_GAP };
        let title = shorten(&font, TITLE.size, self.title, BAR_WIDTH_MAX - unit_width);
        let bar_width = (width_of(TITLE, &title) + unit_width).clamp(BAR_WIDTH, BAR_WIDTH_MAX).ceil();
        let mut ticks: Vec<(f32, f32, &str)> = self
            .ticks
            .iter()
            .filter(|tick| (0.0..=1.0).contains(&tick.position))
            .map(|tick| (tick.position as f32 * bar_width, width_of(LABEL, &tick.label), tick.label.as_str()))
            .collect();
        ticks.sort_by(|one, other| one.0.total_cmp(&other.0));
        let overhang = |(x, width, _): &(f32, f32, &str)| (width / 2.0 - x).max(x + width / 2.0 - bar_width);
        let margin = (ticks.iter().map(overhang).fold(0.0, f32::max) + LABEL_MARGIN).max(PADDING).ceil();

        let bar_y = if title.is_empty() && unit.is_empty() { PADDING } else { HEADER_HEIGHT };
        let bar = Area { x: margin, y: bar_y, width: bar_width, height: BAR_HEIGHT };
        let below = if ticks.is_empty() { PADDING } else { 29.0 };
        let panel = Area { x: 0.0, y: 0.0, width: bar_width + 2.0 * margin, height: bar.y + BAR_HEIGHT + below };

        let mut sheet = Sheet::new(panel.width, panel.height, self.pixel_ratio, [255, 255, 255, 0])?;
        sheet.fill(panel, 7.0, |_, _| PANEL_EDGE);
        sheet.fill(panel.inset(1.0), 6.0, |_, _| PANEL);
        sheet.text(bar.x, 19.5, Anchor::Start, TITLE, &title);
        sheet.text(bar.x + bar.width, 19.5, Anchor::End, UNIT, &unit);
        sheet.fill(bar.inset(-1.0), 4.0, |_, _| BAR_EDGE);
        sheet.fill(bar, 3.0, |_, _| [255; 4]);
        sheet.fill(bar, 3.0, |across, _| self.palette.at(f64::from(across)));

        let mut taken = f32::NEG_INFINITY;
        for (x, width, label) in ticks {
            let fits = x - width / 2.0 >= taken;
            let x_on_sheet = bar.x + x.clamp(0.5, bar_width - 0.5);
            sheet.stroke_down(x_on_sheet, bar.y + BAR_HEIGHT + 1.0, if fits { 5.0 } else { 3.0 }, MARK);
            if fits {
                sheet.text(x_on_sheet, bar.y + BAR_HEIGHT + 18.0, Anchor::Middle, LABEL, label);
                taken = x + width / 2.0 + LABEL_GAP;
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
    fn the_bar_runs_from_cold_to_hot_on_a_light_panel() {
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
    fn texts_and_marks_are_drawn_where_they_belong() {
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
    fn long_texts_are_shortened_and_the_ratio_scales() {
        let long = "a title ".repeat(100);
        let (one, two) = (draw(&long, &long, 1.0, 1.0), draw(&long, &long, 1.0, 2.0));
        assert!(one.width() < 460);
        assert_eq!(two.dimensions(), (2 * one.width(), 2 * one.height()));
    }

    #[test]
    fn odd_ticks_do_no_harm() {
        let palette = Palette::from(&Scheme::named("heat").unwrap());
        let tick = |position| Tick { position, value: 0.0, label: "a very long label".into() };
        let ticks = [tick(0.5), tick(0.5), tick(f64::NAN), tick(7.0), tick(0.0)];
        let legend = Legend { palette: &palette, ticks: &ticks, title: "", unit: "", pixel_ratio: 1.0 };
        assert!(legend.draw().is_ok());
        assert!(Legend { ticks: &[], ..legend.clone() }.draw().is_ok());
        assert!(Legend { pixel_ratio: f32::NAN, ..legend }.draw().is_err());
    }
}
