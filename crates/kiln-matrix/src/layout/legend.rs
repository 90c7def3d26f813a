//! The legend: a color bar with values, the unit, and the hatch of missing values, at the right of the plot.

use kiln_formats::encode::even_ticks;
use kiln_formats::encode::paint::{Anchor, Rect};

use super::frame::text;
use super::low_legend::LowLegend;
use super::{AXIS, AXIS_TITLE, LABEL, Style};
use crate::colors::ColorScale;
use crate::label::{Measure, clean};
use crate::scene::{Fill, Item, Text};

const BAR_WIDTH: f32 = 14.0;
const BAR_HEIGHTS: (f32, f32) = (96.0, 260.0);
/// The length of ticks, and from there to labels.
const TICK: f32 = 4.0;
const LABEL_GAP: f32 = 4.0;
/// The minimum distance of the baselines of two labels.
const LABEL_LINE: f32 = 15.0;
/// The height of a line of the unit above the bar, and from there to the bar.
const UNIT_LINE: f32 = 15.0;
const UNIT_GAP: f32 = 5.0;
/// The maximum width of a unit in one line above the bar, and in several lines.
const UNIT_WIDTH: f32 = 90.0;
const WRAPPED_WIDTH: f32 = 120.0;
const UNIT_LINES: usize = 3;
/// From the labels to a rotated unit.
const RIGHT_GAP: f32 = 8.0;
/// The height by which the label at the low end exceeds the bar.
const OVERHANG: f32 = 6.0;
/// The side of the swatch of missing values, the space above it, its text, and the space before that.
pub(super) const SWATCH: f32 = 14.0;
const SWATCH_GAP: f32 = 16.0;
pub(super) const NO_VALUE: &str = "no value";
pub(super) const SWATCH_TEXT_GAP: f32 = 8.0;
/// The maximum width of a label.
const MAX_LABEL: f32 = 130.0;
/// A legend whose plot is lower than this share of its height is below the plot, instead of a blank there.
const LOW: f32 = 0.6;

/// A measured legend.
pub(super) enum Legend {
    /// At the right of the plot.
    Right(RightLegend),
    /// Below a low plot.
    Below(LowLegend),
}

impl Legend {
    /// The legend of a plot of the given width and height; `None` if the chart shows none.
    pub(super) fn new(style: &Style<'_>, plot: (f32, f32), missing: Option<Fill>) -> Option<Self> {
        if !style.chart.legend {
            return None;
        }
        let right = RightLegend::new(style, plot.1, missing);
        Some(if plot.1 < LOW * right.height && style.colors.is_some() {
            Self::Below(LowLegend::new(style, plot.0, missing))
        } else {
            Self::Right(right)
        })
    }

    /// The width that the legend takes from the plot.
    pub(super) fn width_beside(&self) -> f32 {
        if let Self::Right(legend) = self { legend.width } else { 0.0 }
    }

    /// Adds the elements, with the upper left corner at (`x`, `y`).
    pub(super) fn items(self, x: f32, y: f32, items: &mut Vec<Item>) {
        match self {
            Self::Right(legend) => legend.items(x, y, items),
            Self::Below(legend) => legend.items(x, y, items),
        }
    }
}

/// A legend with a vertical color bar.
pub(super) struct RightLegend {
    pub(super) width: f32,
    pub(super) height: f32,
    unit: Unit,
    /// The height of the bar; `None` without values.
    bar: Option<f32>,
    /// Positions from the cold end, 0 to 1, and labels.
    ticks: Vec<(f64, String)>,
    labels_width: f32,
    /// The filling of missing values, if there are any.
    missing: Option<Fill>,
}

/// The place of the unit.
enum Unit {
    /// In lines above the bar; there may be none.
    Above(Vec<String>),
    /// Rotated, at the right of the labels.
    Right(String),
}

impl Unit {
    /// A short unit is above the bar, a longer one at the right if it is not longer than that, else wrapped above it.
    fn new(measure: &Measure, unit: &str, bar: f32) -> Self {
        let width = measure.width(AXIS_TITLE.size, unit);
        if width > UNIT_WIDTH && width <= bar {
            return Self::Right(unit.to_owned());
        }
        let limit = if width <= UNIT_WIDTH { UNIT_WIDTH } else { WRAPPED_WIDTH };
        Self::Above(measure.wrap(AXIS_TITLE.size, unit, limit, UNIT_LINES))
    }

    /// The height above the bar.
    fn height(&self) -> f32 {
        match self {
            Self::Above(lines) if !lines.is_empty() => lines.len() as f32 * UNIT_LINE + UNIT_GAP,
            _ => 0.0,
        }
    }
}

impl RightLegend {
    /// The legend of a plot of `plot_height`.
    fn new(style: &Style<'_>, plot_height: f32, missing: Option<Fill>) -> Self {
        let (chart, measure, scale) = (style.chart, style.measure, style.colors.as_ref());
        let below = if missing.is_some() { SWATCH_GAP + SWATCH } else { 0.0 };
        let bar_height = |above: f32| (plot_height - above - below).clamp(BAR_HEIGHTS.0, BAR_HEIGHTS.1).floor();
        let unit = if scale.is_some() { clean(&chart.unit) } else { String::new() };
        let unit = Unit::new(measure, &unit, bar_height(0.0));
        let bar = scale.map(|_| bar_height(unit.height()));
        let ticks = scale.map(|scale| {
            let gap = f64::from(LABEL_LINE / bar.unwrap_or(BAR_HEIGHTS.0));
            ticks(style, scale, gap)
        });
        let ticks = ticks.unwrap_or_default();
        let label_width = |label: &str| measure.width(LABEL.size, label);
        let labels_width = ticks.iter().map(|(_, label)| label_width(label)).fold(0.0, f32::max).ceil();
        let mut width = if bar.is_some() { BAR_WIDTH + TICK + LABEL_GAP + labels_width } else { 0.0 };
        match &unit {
            Unit::Above(lines) => {
                width = lines.iter().map(|line| measure.width(AXIS_TITLE.size, line)).fold(width, f32::max);
            }
            Unit::Right(_) => width += RIGHT_GAP + AXIS_TITLE.size,
        }
        let gap = if missing.is_some() { SWATCH_GAP } else { OVERHANG };
        let mut height = bar.map_or(0.0, |bar| unit.height() + bar + gap);
        if missing.is_some() {
            width = width.max(SWATCH + SWATCH_TEXT_GAP + label_width(NO_VALUE));
            height += SWATCH;
        }
        Self { width: width.ceil(), height, unit, bar, ticks, labels_width, missing }
    }

    /// Adds the elements, with the upper left corner at (`x`, `y`).
    fn items(self, x: f32, y: f32, items: &mut Vec<Item>) {
        let mut y = y;
        if let Some(height) = self.bar {
            let above = self.unit.height();
            match self.unit {
                Unit::Above(lines) => {
                    for (line, index) in lines.into_iter().zip(0_u8..) {
                        let baseline = y + f32::from(index) * UNIT_LINE + AXIS_TITLE.size - 2.0;
                        items.push(Item::Text(text(x, baseline, Anchor::Start, AXIS_TITLE, line)));
                    }
                }
                Unit::Right(unit) => {
                    let labels = x + BAR_WIDTH + TICK + LABEL_GAP + self.labels_width;
                    let right = labels + RIGHT_GAP + AXIS_TITLE.size - 2.0;
                    let unit = text(right, y + height / 2.0, Anchor::Middle, AXIS_TITLE, unit);
                    items.push(Item::Text(Text { upward: true, ..unit }));
                }
            }
            y += above;
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
        if let Some(fill) = self.missing {
            swatch_items(x, y, fill, items);
        }
    }
}

/// Adds the swatch of missing values and its text.
pub(super) fn swatch_items(x: f32, y: f32, fill: Fill, items: &mut Vec<Item>) {
    let rect = Rect { x, y, width: SWATCH, height: SWATCH };
    items.push(Item::Cell { rect, fill, tooltip: String::new() });
    let x = x + SWATCH + SWATCH_TEXT_GAP;
    items.push(Item::Text(text(x, y + 11.0, Anchor::Start, LABEL, NO_VALUE.to_owned())));
}

/// Evenly spaced round values along the bar, at least `gap` of it apart, with ≤ and ≥ at an end beyond which there are
/// values.
pub(super) fn ticks(style: &Style<'_>, scale: &ColorScale, gap: f64) -> Vec<(f64, String)> {
    let (vmin, vmax) = (scale.vmin, scale.vmax);
    let format = |value: f64| style.format.format(value);
    let [min, max] = style.chart.data.range().unwrap_or([vmin, vmax]);
    let mut ticks: Vec<(f64, String)> = Vec::new();
    if vmin < vmax {
        ticks.extend((min < vmin).then(|| (0.0, format!("≤ {}", format(vmin)))));
        ticks.extend((max > vmax).then(|| (1.0, format!("≥ {}", format(vmax)))));
    }
    let even = even_ticks(vmin, vmax, style.format.quantum(), gap);
    let mut even: Vec<(f64, String)> = even.into_iter().map(|tick| (tick.position, format(tick.value))).collect();
    if even.is_empty() {
        // No round value is between the ends.
        even = vec![(0.0, format(vmin)), (1.0, format(vmax))];
    }
    for (position, label) in even {
        let is_free = |(other, _): &(f64, String)| (other - position).abs() >= gap * (1.0 - 1e-6);
        // A format with few decimals may give the same text for two values.
        if ticks.iter().all(is_free) && ticks.iter().all(|(_, other)| *other != label) {
            ticks.push((position, label));
        }
    }
    for (_, label) in &mut ticks {
        *label = style.measure.shorten(LABEL.size, label, MAX_LABEL);
    }
    ticks
}
