//! The legend: a vertical color bar with values, the unit, and the hatch of missing values.

use kiln_formats::encode::nice_ticks;
use kiln_formats::encode::paint::{Anchor, Rect};

use super::frame::text;
use super::{AXIS, AXIS_TITLE, LABEL};
use crate::Chart;
use crate::colors::ColorScale;
use crate::label::{Measure, clean};
use crate::scene::{Item, Text};

const BAR_WIDTH: f32 = 14.0;
const BAR_HEIGHTS: (f32, f32) = (96.0, 260.0);
/// The length of ticks, and from there to labels.
const TICK: f32 = 4.0;
const LABEL_GAP: f32 = 4.0;
/// The minimum distance of the baselines of two labels.
const LABEL_LINE: f32 = 15.0;
/// The height of the unit above the bar, if it is not wider than this; else it is rotated at the right.
const UNIT_LINE: f32 = 20.0;
const UNIT_WIDTH: f32 = 90.0;
/// The side of the swatch of missing values, its text, and the space above it.
const SWATCH: f32 = 14.0;
const SWATCH_GAP: f32 = 16.0;
const MISSING: &str = "no value";
/// The maximum width of a label.
const MAX_LABEL: f32 = 130.0;

/// A measured legend.
pub(super) struct Legend {
    pub(super) width: f32,
    pub(super) height: f32,
    unit: String,
    is_unit_above: bool,
    /// The height of the bar; `None` without values.
    bar: Option<f32>,
    /// Positions from the cold end, 0 to 1, and labels.
    ticks: Vec<(f64, String)>,
    labels_width: f32,
    has_missing: bool,
}

impl Legend {
    /// The legend of a plot of `plot_height`; `None` if the chart shows none.
    pub(super) fn new(chart: &Chart, measure: &Measure, scale: Option<&ColorScale>, plot_height: f32) -> Option<Self> {
        if !chart.legend {
            return None;
        }
        let has_missing = chart.data.has_missing();
        let unit = if scale.is_some() { clean(&chart.unit) } else { String::new() };
        let is_unit_above = measure.width(AXIS_TITLE.size, &unit) <= UNIT_WIDTH;
        let above = if is_unit_above && !unit.is_empty() { UNIT_LINE } else { 0.0 };
        let below = if has_missing { SWATCH_GAP + SWATCH } else { 0.0 };
        let bar = scale.map(|_| (plot_height - above - below).clamp(BAR_HEIGHTS.0, BAR_HEIGHTS.1).floor());
        let ticks = scale.map(|scale| ticks(chart, measure, scale, bar.unwrap_or_default())).unwrap_or_default();
        let label_width = |label: &str| measure.width(LABEL.size, label);
        let labels_width = ticks.iter().map(|(_, label)| label_width(label)).fold(0.0, f32::max).ceil();
        let mut width = if bar.is_some() { BAR_WIDTH + TICK + LABEL_GAP + labels_width } else { 0.0 };
        let unit = measure.shorten(AXIS_TITLE.size, &unit, if is_unit_above { UNIT_WIDTH } else { bar.unwrap_or(0.0) });
        if is_unit_above {
            width = width.max(measure.width(AXIS_TITLE.size, &unit));
        } else {
            width += 8.0 + AXIS_TITLE.size;
        }
        if has_missing {
            width = width.max(SWATCH + 8.0 + label_width(MISSING));
        }
        let bar_height = bar.map_or(0.0, |height| above + height + if has_missing { SWATCH_GAP } else { 6.0 });
        let height = bar_height + if has_missing { SWATCH } else { 0.0 };
        Some(Self { width: width.ceil(), height, unit, is_unit_above, bar, ticks, labels_width, has_missing })
    }

    /// Adds the elements, with the upper left corner at (`x`, `y`).
    pub(super) fn items(self, x: f32, y: f32, items: &mut Vec<Item>) {
        let mut y = y;
        if let Some(height) = self.bar {
            if self.is_unit_above && !self.unit.is_empty() {
                items.push(Item::Text(text(x, y + AXIS_TITLE.size - 2.0, Anchor::Start, AXIS_TITLE, self.unit)));
                y += UNIT_LINE;
            } else if !self.unit.is_empty() {
                let right = x + BAR_WIDTH + TICK + LABEL_GAP + self.labels_width + 8.0 + AXIS_TITLE.size - 2.0;
                let unit = text(right, y + height / 2.0, Anchor::Middle, AXIS_TITLE, self.unit);
                items.push(Item::Text(Text { upward: true, ..unit }));
            }
            items.push(Item::Bar { rect: Rect { x, y, width: BAR_WIDTH, height } });
            for (position, label) in self.ticks {
                let at = y + height * (1.0 - position as f32);
                let line = (at.floor() + 0.5).clamp(y + 0.5, y + height - 0.5);
                let (from, to) = (x + BAR_WIDTH, x + BAR_WIDTH + TICK);
                items.push(Item::Line { from: (from, line), to: (to, line), color: AXIS });
                items.push(Item::Text(text(to + LABEL_GAP, line + 4.0, Anchor::Start, LABEL, label)));
            }
            y += height + SWATCH_GAP;
        }
        if self.has_missing {
            let rect = Rect { x, y, width: SWATCH, height: SWATCH };
            items.push(Item::Cell { rect, fill: None, tooltip: String::new() });
            let style = LABEL;
            items.push(Item::Text(text(x + SWATCH + 8.0, y + 11.0, Anchor::Start, style, MISSING.to_owned())));
        }
    }
}

/// Round values along the bar, with ≤ and ≥ at an end beyond which there are values.
fn ticks(chart: &Chart, measure: &Measure, scale: &ColorScale, height: f32) -> Vec<(f64, String)> {
    let (vmin, vmax) = (scale.vmin, scale.vmax);
    let format = |value: f64| chart.value_format.format(value);
    let [min, max] = chart.data.range().unwrap_or([vmin, vmax]);
    let mut ends: Vec<(f64, String)> = Vec::new();
    if vmin < vmax {
        ends.extend((min < vmin).then(|| (0.0, format!("≤ {}", format(vmin)))));
        ends.extend((max > vmax).then(|| (1.0, format!("≥ {}", format(vmax)))));
    }
    let mut ticks = ends.clone();
    for tick in nice_ticks(vmin, vmax, |value| scale.position(value)) {
        let gap = LABEL_LINE / height;
        let is_free = |(position, _): &(f64, String)| (position - tick.position).abs() >= f64::from(gap);
        let label = if chart.value_format.is_auto() { tick.label } else { format(tick.value) };
        // A format with few decimals may give the same text for two values.
        if ticks.iter().all(is_free) && ticks.iter().all(|(_, other)| *other != label) {
            ticks.push((tick.position, label));
        }
    }
    for (_, label) in &mut ticks {
        *label = measure.shorten(LABEL.size, label, MAX_LABEL);
    }
    ticks
}
