//! The legend below a low plot: a horizontal color bar.

use kiln_formats::encode::paint::{Anchor, Rect};

use super::frame::text;
use super::legend::{NO_VALUE, SWATCH, SWATCH_TEXT_GAP, swatch_items, ticks};
use super::{AXIS, AXIS_TITLE, LABEL, Style};
use crate::label::clean;
use crate::scene::{Fill, Item};

const BAR_HEIGHT: f32 = 12.0;
const BAR_WIDTHS: (f32, f32) = (160.0, 260.0);
/// The length of ticks, and from there to labels.
const TICK: f32 = 4.0;
const LABEL_GAP: f32 = 3.0;
/// The minimum space between two labels.
const LABEL_SPACE: f32 = 10.0;
/// The height of the unit above the bar, and its maximum width.
const UNIT_LINE: f32 = 19.0;
const UNIT_WIDTH: f32 = 320.0;
/// From the bar to the swatch of missing values.
const SWATCH_GAP: f32 = 24.0;

/// A measured legend with a horizontal color bar.
pub(super) struct LowLegend {
    pub(super) width: f32,
    pub(super) height: f32,
    unit: String,
    /// The distance of the bar from the left, by which a label may exceed it, and its width.
    bar: (f32, f32),
    /// Positions from the cold end, 0 to 1, and labels, which do not overlap.
    ticks: Vec<(f64, String)>,
    /// The filling of missing values, if there are any, and the distance of its swatch from the left.
    missing: Option<(Fill, f32)>,
}

impl LowLegend {
    /// The legend of a plot of `plot_width`.
    pub(super) fn new(style: &Style<'_>, plot_width: f32, missing: Option<Fill>) -> Self {
        let measure = style.measure;
        let unit = measure.shorten(AXIS_TITLE.size, &clean(&style.chart.unit), UNIT_WIDTH);
        let bar = plot_width.clamp(BAR_WIDTHS.0, BAR_WIDTHS.1).floor();
        let width_of = |label: &str| measure.width(LABEL.size, label);
        let mut labels: Vec<(f64, String)> = Vec::new();
        if let Some(colors) = &style.colors {
            // The distance of ticks depends on the widths of their labels, which depend on the ticks.
            let mut gap = f64::from(3.0 * LABEL_SPACE / bar);
            for _ in 0..3 {
                labels = ticks(style, colors, gap);
                let widest = labels.iter().map(|(_, label)| width_of(label)).fold(0.0, f32::max);
                let needed = f64::from((widest + LABEL_SPACE) / bar);
                if needed <= gap {
                    break;
                }
                gap = needed;
            }
        }
        labels.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let (mut left, mut right, mut free_from) = (0.0_f32, bar, f32::MIN);
        labels.retain(|(position, label)| {
            let (center, half) = (*position as f32 * bar, width_of(label) / 2.0);
            let is_free = center - half >= free_from;
            if is_free {
                free_from = center + half + LABEL_SPACE;
                (left, right) = (left.max(half - center), right.max(center + half));
            }
            is_free
        });
        left = left.ceil();
        let mut width = (left + right).max(measure.width(AXIS_TITLE.size, &unit));
        let missing = missing.map(|fill| (fill, (left + right + SWATCH_GAP).ceil()));
        if let Some((_, start)) = missing {
            width = width.max(start + SWATCH + SWATCH_TEXT_GAP + width_of(NO_VALUE));
        }
        let above = if unit.is_empty() { 0.0 } else { UNIT_LINE };
        let height = above + BAR_HEIGHT + TICK + LABEL_GAP + LABEL.size + 3.0;
        Self { width: width.ceil(), height, unit, bar: (left, bar), ticks: labels, missing }
    }

    /// Adds the elements, with the upper left corner at (`x`, `y`).
    pub(super) fn items(self, x: f32, y: f32, items: &mut Vec<Item>) {
        let mut y = y;
        if !self.unit.is_empty() {
            let baseline = y + AXIS_TITLE.size - 2.0;
            items.push(Item::Text(text(x, baseline, Anchor::Start, AXIS_TITLE, self.unit)));
            y += UNIT_LINE;
        }
        let (start, width) = (x + self.bar.0, self.bar.1);
        items.push(Item::Bar { rect: Rect { x: start, y, width, height: BAR_HEIGHT } });
        let (from, to) = (y + BAR_HEIGHT, y + BAR_HEIGHT + TICK);
        for (position, label) in self.ticks {
            let at = start + position as f32 * width;
            let line = (at.floor() + 0.5).clamp(start + 0.5, start + width - 0.5);
            items.push(Item::Line { from: (line, from), to: (line, to), color: AXIS });
            items.push(Item::Text(text(at, to + LABEL_GAP + 8.0, Anchor::Middle, LABEL, label)));
        }
        if let Some((fill, start)) = self.missing {
            swatch_items(x + start, y - 1.0, fill, items);
        }
    }
}
