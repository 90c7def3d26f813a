//! The parts around the plot: margins, title, titles of axes, and the place of the legend.

use kiln_formats::encode::paint::{Anchor, Rect, TextStyle};

use super::legend::Legend;
use super::{AXIS_TITLE, TITLE};
use crate::Chart;
use crate::label::{Measure, clean};
use crate::scene::{Item, Text};

/// The space around everything.
pub(super) const MARGIN: f32 = 20.0;
/// From the last baseline of the title to the plot.
const TITLE_GAP: f32 = 18.0;
const TITLE_LINE: f32 = 21.0;
/// The maximum number of lines of the title, and the width that a picture grows to for a title in one line.
const TITLE_LINES: usize = 2;
const TITLE_WIDTH: f32 = 400.0;
/// From labels to the title of their axis.
const AXIS_TITLE_GAP: f32 = 10.0;
/// The length that the title of an axis may have even if the plot is smaller.
const AXIS_TITLE_LENGTH: f32 = 240.0;
/// From the plot to a legend on its right, and from everything else to a legend below.
const LEGEND_GAP: f32 = 24.0;
const LOW_LEGEND_GAP: f32 = 16.0;

/// The space that labels need around the plot.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Insets {
    pub(super) left: f32,
    pub(super) right: f32,
    pub(super) top: f32,
    pub(super) bottom: f32,
}

/// The size of a drawing and the places of its parts.
pub(super) struct Frame {
    pub(super) width: f32,
    pub(super) height: f32,
    pub(super) plot: Rect,
    texts: Vec<Text>,
    /// The upper left corner of the legend.
    legend: (f32, f32),
}

impl Frame {
    /// The frame of a plot of `size`.
    pub(super) fn new(
        chart: &Chart,
        measure: &Measure,
        size: (f32, f32),
        insets: Insets,
        legend: Option<&Legend>,
    ) -> Self {
        let axis_title = |title: &str, length: f32| {
            let title = if chart.axes { clean(title) } else { String::new() };
            measure.shorten(AXIS_TITLE.size, &title, length.max(AXIS_TITLE_LENGTH))
        };
        let (x_title, y_title) = (axis_title(&chart.x_title, size.0), axis_title(&chart.y_title, size.1));
        let length = |title: &str| measure.width(AXIS_TITLE.size, title).ceil();
        let thickness = |title: &str| if title.is_empty() { 0.0 } else { AXIS_TITLE_GAP + AXIS_TITLE.size };

        // Across: title of the y axis, labels, plot, legend.
        let start = MARGIN + thickness(&y_title);
        let plot_x = (start + insets.left).ceil();
        let plot_end = (plot_x + size.0 + insets.right.ceil()).max(start + length(&x_title));
        let end = match legend {
            Some(Legend::Right(legend)) => plot_end + LEGEND_GAP + legend.width,
            Some(Legend::Below(legend)) => plot_end.max(plot_x + legend.width),
            None => plot_end,
        };
        let title = clean(&chart.title);
        let one_line = measure.width(TITLE.size, &title).ceil().min(TITLE_WIDTH);
        let width = end.max(MARGIN + one_line) + MARGIN;

        // Down: title, plot, labels, title of the x axis.
        let lines = measure.wrap(TITLE.size, &title, width - 2.0 * MARGIN, TITLE_LINES);
        let title_x = if lines.iter().all(|line| plot_x + measure.width(TITLE.size, line) <= width - MARGIN) {
            plot_x
        } else {
            MARGIN
        };
        let mut texts: Vec<Text> = Vec::new();
        let mut y = MARGIN;
        for line in lines {
            y += if texts.is_empty() { TITLE.size } else { TITLE_LINE };
            texts.push(text(title_x.min(width - MARGIN), y, Anchor::Start, TITLE, line));
        }
        let plot_y = (if texts.is_empty() { MARGIN } else { y + TITLE_GAP } + insets.top).ceil();
        let plot = Rect { x: plot_x, y: plot_y, width: size.0, height: size.1 };
        let labels_end = plot_y + size.1 + insets.bottom.ceil();
        let mut bottom = labels_end + thickness(&x_title);
        bottom = bottom.max(plot_y + length(&y_title));
        if !x_title.is_empty() {
            let center = within(plot_x + size.0 / 2.0, length(&x_title), start, plot_end);
            texts.push(text(center, labels_end + thickness(&x_title) - 2.0, Anchor::Middle, AXIS_TITLE, x_title));
        }
        if !y_title.is_empty() {
            let center = within(plot_y + size.1 / 2.0, length(&y_title), plot_y, bottom);
            let y_title = text(MARGIN + AXIS_TITLE.size - 2.0, center, Anchor::Middle, AXIS_TITLE, y_title);
            texts.push(Text { upward: true, ..y_title });
        }
        let mut corner = (plot_end + LEGEND_GAP, plot_y);
        match legend {
            Some(Legend::Right(legend)) => bottom = bottom.max(plot_y + legend.height),
            Some(Legend::Below(legend)) => {
                corner = (plot_x, (bottom + LOW_LEGEND_GAP).ceil());
                bottom = corner.1 + legend.height;
            }
            None => {}
        }
        Self { width: width.ceil(), height: (bottom + MARGIN).ceil(), plot, texts, legend: corner }
    }

    /// Adds the texts and the legend.
    pub(super) fn items(self, legend: Option<Legend>, items: &mut Vec<Item>) {
        items.extend(self.texts.into_iter().map(Item::Text));
        if let Some(legend) = legend {
            legend.items(self.legend.0.round(), self.legend.1, items);
        }
    }
}

/// `center`, moved so that a text of `length` around it is between `start` and `end`.
fn within(center: f32, length: f32, start: f32, end: f32) -> f32 {
    center.min(end - length / 2.0).max(start + length / 2.0)
}

/// A level text.
pub(super) fn text(x: f32, y: f32, anchor: Anchor, style: TextStyle, content: String) -> Text {
    Text { x, y, anchor, upward: false, style, content }
}
