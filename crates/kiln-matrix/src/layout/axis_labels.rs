//! Labels of columns and rows: which are drawn, in which direction, and how long they may be.

use kiln_formats::encode::paint::Anchor;

use super::frame::text;
use super::{AXIS, LABEL};
use crate::label::Measure;
use crate::scene::{Item, Text};

/// From the plot to its labels.
pub(super) const GAP: f32 = 7.0;
/// The minimum distance of two lines of labels.
const LINE: f32 = 12.0;
/// The minimum space between two labels in a line.
const SPACE: f32 = 6.0;
/// The share of a picture that labels of columns may take, and the bounds of their length.
const COLUMN_LENGTHS: (f32, f32, f32) = (0.3, 110.0, 280.0);
/// Those of labels of rows, which are read along their length.
const ROW_LENGTHS: (f32, f32, f32) = (0.45, 200.0, 360.0);
/// The length of the marks at labels that are not those of all columns or rows.
const MARK: f32 = 4.0;

/// The labels of an axis with the same distance between neighbors.
pub(super) struct AxisLabels {
    /// The labels, shortened; every `step`-th is drawn.
    labels: Vec<String>,
    step: usize,
    cell: f32,
    /// Whether labels of columns are rotated.
    pub(super) is_upward: bool,
    /// The width of the longest label that is drawn.
    pub(super) length: f32,
}

/// The maximum length of labels next to `rest`, the plot and what else is in that direction.
fn max_length(rest: f32, (share, shortest, longest): (f32, f32, f32)) -> f32 {
    (rest * share / (1.0 - share)).clamp(shortest, longest)
}

/// 1, 2, 3, 5, 10, 20, 25, 50, 100, 200, 250, …
fn steps() -> impl Iterator<Item = usize> {
    let decades = (1..9).flat_map(|power| [10, 20, 25, 50].map(|step| step * 10_usize.pow(power - 1)));
    [1, 2, 3, 5].into_iter().chain(decades)
}

/// The first step at which labels fit that need `length` each.
fn step_for(length: f32, cell: f32, count: usize) -> usize {
    steps().find(|step| *step as f32 * cell >= length).unwrap_or(count).max(1)
}

/// Whether a label is a number, a time or a date, of which a reader can infer those between two.
fn is_countable(label: &str) -> bool {
    label.chars().all(|character| character.is_ascii_digit() || ".,:-+−/ T".contains(character))
}

impl AxisLabels {
    /// The labels of rows of the height `cell`, with `rest` on their right.
    pub(super) fn rows(measure: &Measure, labels: &[String], cell: f32, rest: f32) -> Self {
        let step = step_for(LINE, cell, labels.len());
        Self::new(measure, labels, step, cell, false, max_length(rest, ROW_LENGTHS))
    }

    /// The labels of columns of the width `cell`, with `rest` above them: level if they fit, else rotated, else thinned.
    pub(super) fn columns(measure: &Measure, labels: &[String], cell: f32, rest: f32) -> Self {
        let count = labels.len();
        let mut longest = 0.0_f32;
        let mut countable = true;
        for label in labels.iter().map(|label| measure.clean_label(label)) {
            longest = longest.max(measure.width(LABEL.size, &label));
            countable &= is_countable(&label);
        }
        let level = step_for(longest + SPACE, cell, count);
        let upward = step_for(LINE + 1.0, cell, count);
        if level == 1 || countable && (level <= 3 || level * 3 <= count) {
            return Self::new(measure, labels, level, cell, false, f32::INFINITY);
        }
        Self::new(measure, labels, upward, cell, true, max_length(rest, COLUMN_LENGTHS))
    }

    fn new(measure: &Measure, labels: &[String], step: usize, cell: f32, is_upward: bool, max: f32) -> Self {
        let shorten = |label: &String| measure.shorten(LABEL.size, &measure.clean_label(label), max);
        let labels: Vec<String> = labels.iter().step_by(step).map(shorten).collect();
        let length = labels.iter().map(|label| measure.width(LABEL.size, label)).fold(0.0, f32::max);
        Self { labels, step, cell, is_upward, length: length.ceil() }
    }

    /// The height of the labels of columns with the gap.
    pub(super) fn height(&self) -> f32 {
        match (self.length > 0.0, self.is_upward) {
            (false, _) => 0.0,
            (true, true) => GAP + self.length,
            (true, false) => GAP + LABEL.size,
        }
    }

    /// The lengths by which labels of columns exceed the plot on the left and on the right.
    pub(super) fn overhangs(&self, measure: &Measure, plot_width: f32) -> (f32, f32) {
        let half =
            |label: &String| if self.is_upward { LABEL.size / 2.0 } else { measure.width(LABEL.size, label) / 2.0 };
        let mut overhangs = (0.0_f32, 0.0_f32);
        for (label, center) in self.labels.iter().zip(self.centers()) {
            overhangs.0 = overhangs.0.max(half(label) - center);
            overhangs.1 = overhangs.1.max(center + half(label) - plot_width);
        }
        overhangs
    }

    /// The centers of the labeled columns or rows from the edge of the plot.
    fn centers(&self) -> impl Iterator<Item = f32> {
        (0..self.labels.len()).map(|index| ((index * self.step) as f32 + 0.5) * self.cell)
    }

    /// Adds the labels of rows, which end at `x`. `y` is the upper edge of the plot.
    pub(super) fn row_items(&self, x: f32, y: f32, items: &mut Vec<Item>) {
        for (label, center) in self.labels.iter().zip(self.centers()).filter(|(label, _)| !label.is_empty()) {
            if self.step > 1 {
                let at = (y + center).floor() + 0.5;
                items.push(Item::Line { from: (x - MARK, at), to: (x, at), color: AXIS });
            }
            items.push(Item::Text(text(x - GAP, y + center + 4.0, Anchor::End, LABEL, label.clone())));
        }
    }

    /// Adds the labels of columns below `y`. `x` is the left edge of the plot.
    pub(super) fn column_items(&self, x: f32, y: f32, items: &mut Vec<Item>) {
        for (label, center) in self.labels.iter().zip(self.centers()).filter(|(label, _)| !label.is_empty()) {
            if self.step > 1 {
                let at = (x + center).floor() + 0.5;
                items.push(Item::Line { from: (at, y), to: (at, y + MARK), color: AXIS });
            }
            let label = label.clone();
            items.push(Item::Text(if self.is_upward {
                let placed = text(x + center + 4.0, y + GAP, Anchor::End, LABEL, label);
                Text { upward: true, ..placed }
            } else {
                text(x + center, y + GAP + 8.0, Anchor::Middle, LABEL, label)
            }));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn columns(labels: &[String], cell: f32) -> (usize, bool) {
        let labels = AxisLabels::columns(&Measure::new().unwrap(), labels, cell, 300.0);
        (labels.step, labels.is_upward)
    }

    #[test]
    fn labels_are_level_if_they_fit_then_rotated_then_thinned() {
        let numbers: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        let names: Vec<String> = (0..200).map(|number| format!("server {number}")).collect();
        assert_eq!(columns(&numbers[..24], 30.0), (1, false));
        assert_eq!(columns(&names[..24], 30.0), (1, true));
        assert_eq!(columns(&names[..24], 80.0), (1, false));
        assert_eq!(columns(&numbers, 5.0), (10, false));
        assert_eq!(columns(&names, 5.0), (3, true));
        assert_eq!(columns(&names, 0.001), (20_000, true));
    }

    #[test]
    fn steps_grow_by_round_factors() {
        assert_eq!(steps().take(13).collect::<Vec<_>>(), [1, 2, 3, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000]);
    }
}
