//! The layout of points at continuous positions.

use std::collections::{BTreeMap, BTreeSet};

use kiln_formats::encode::paint::{Anchor, Rect};
use kiln_formats::encode::{Tick, even_ticks};

use super::axis_labels::GAP;
use super::cells::value_text;
use super::frame::{Frame, Insets, text};
use super::legend::Legend;
use super::{AXIS, GRID, LABEL, Style};
use crate::colors::{ColorScale, border};
use crate::label::clean_label;
use crate::scene::{Fill, Item};
use crate::{CellShape, MatrixPoint};

/// The width and height of the plot.
const PLOT: (f32, f32) = (560.0, 400.0);
/// The cells of points, of which one is chosen by the distances between points.
const CELLS: [f32; 8] = [40.0, 32.0, 26.0, 20.0, 16.0, 12.0, 9.0, 7.0];
/// The maximum width of a label.
const MAX_LABEL: f32 = 170.0;
/// The number of labels that are tried: a plot has space for a few hundred.
const MAX_LABELS: usize = 5000;
/// The space between a point and its label.
const LABEL_SPACE: f32 = 4.0;
/// The minimum distance of ticks as a share of the axis.
const MIN_TICK_GAP: f64 = 0.1;
/// The minimum distance of labels of ticks of the x axis.
const TICK_SPACE: f32 = 10.0;

/// The size of a plot for cells of a side.
pub(super) fn plot_size(cell: f32) -> (f32, f32) {
    (PLOT.0.max(3.0 * cell), PLOT.1.max(3.0 * cell))
}

/// Measured points.
pub(super) struct PointsPlan<'c> {
    style: Style<'c>,
    points: &'c [MatrixPoint],
    /// The diameter of dots or the side of squares.
    diameter: f32,
    x: Domain,
    y: Domain,
    legend: Option<Legend>,
    pub(super) frame: Frame,
}

/// The values of an axis.
struct Domain {
    low: f64,
    high: f64,
    ticks: Vec<Tick>,
}

impl Domain {
    /// The range of `values` with a margin for points of `diameter` on an axis of `length`.
    fn new(values: impl Iterator<Item = f64>, length: f32, diameter: f32) -> Self {
        let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)));
        let (low, high) = if min < max {
            let share = f64::from(0.03 + (diameter / 2.0 + 2.0) / (length - diameter - 4.0));
            let margin = (max / 2.0 - min / 2.0) * share * 2.0;
            (min - margin, max + margin)
        } else {
            (min - (min.abs() * 0.1).max(0.5), min + (min.abs() * 0.1).max(0.5))
        };
        let (low, high) = (low.max(f64::MIN), high.min(f64::MAX));
        Self { low, high, ticks: even_ticks(low, high, 0.0, MIN_TICK_GAP) }
    }

    /// The position of a value on the axis, 0 to 1.
    fn position(&self, value: f64) -> f64 {
        let position = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.5 }
    }
}

/// The largest of [`CELLS`] at which no more than a tenth of the positions, in layout units, have a neighbor that is
/// nearer. Positions in the same square unit count as one.
fn cell_of(positions: impl Iterator<Item = (f32, f32)>) -> f32 {
    let distinct: BTreeSet<(i32, i32)> = positions.map(|(x, y)| (x.round() as i32, y.round() as i32)).collect();
    let is_sparse = |cell: &f32| {
        // Rounding to whole units changes distances.
        let distance = cell * 0.95;
        let bucket = |(x, y): (i32, i32)| ((x as f32 / cell) as i32, (y as f32 / cell) as i32);
        let mut buckets: BTreeMap<(i32, i32), Vec<(i32, i32)>> = BTreeMap::new();
        for position in &distinct {
            buckets.entry(bucket(*position)).or_default().push(*position);
        }
        let has_neighbor = |position: &&(i32, i32)| {
            let (column, row) = bucket(**position);
            let around = (-1..=1).flat_map(|dx| (-1..=1).map(move |dy| (column + dx, row + dy)));
            around.filter_map(|key| buckets.get(&key)).flatten().any(|other| {
                let (dx, dy) = ((other.0 - position.0) as f32, (other.1 - position.1) as f32);
                other != *position && dx.hypot(dy) < distance
            })
        };
        distinct.iter().filter(has_neighbor).take(distinct.len() / 10 + 1).count() <= distinct.len() / 10
    };
    CELLS.into_iter().find(is_sparse).unwrap_or(CELLS[CELLS.len() - 1])
}

impl<'c> PointsPlan<'c> {
    pub(super) fn new(style: Style<'c>, points: &'c [MatrixPoint], cell_size: Option<f32>) -> Self {
        let (chart, measure) = (style.chart, style.measure);
        let xs = || points.iter().map(|point| point.x);
        let ys = || points.iter().map(|point| point.y);
        let cell = cell_size.unwrap_or_else(|| {
            let smallest = CELLS[CELLS.len() - 1];
            let (x, y) = (Domain::new(xs(), PLOT.0, smallest), Domain::new(ys(), PLOT.1, smallest));
            cell_of(points.iter().map(|p| (x.position(p.x) as f32 * PLOT.0, y.position(p.y) as f32 * PLOT.1)))
        });
        // Cells of a given size may need a larger plot.
        let plot = plot_size(cell);
        let diameter = cell * chart.dot_size;
        let (x, y) = (Domain::new(xs(), plot.0, diameter), Domain::new(ys(), plot.1, diameter));
        let legend = Legend::new(&style, plot, None);
        let mut insets = Insets::default();
        if chart.axes {
            let width = |tick: &Tick| measure.width(LABEL.size, &tick.label);
            insets.left = y.ticks.iter().map(width).fold(0.0, f32::max) + GAP + 2.0;
            insets.right = x.ticks.iter().map(width).fold(0.0, f32::max) / 2.0;
            insets.bottom = GAP + 2.0 + LABEL.size;
            insets.top = LABEL.size / 2.0;
        }
        let frame = Frame::new(chart, measure, plot, insets, legend.as_ref());
        Self { style, points, diameter, x, y, legend, frame }
    }

    /// The elements, and the colors of the legend.
    pub(super) fn items(self, tooltips: bool) -> (Vec<Item>, Option<ColorScale>) {
        let mut items = Vec::with_capacity(2 * self.points.len());
        if self.style.chart.axes {
            self.axis_items(&mut items);
        }
        let mut occupied = Occupied::new(self.frame.plot);
        let radius = self.diameter / 2.0;
        for point in self.points {
            if self.style.measure.stop.is_set() {
                break;
            }
            let (x, y) = self.place(point);
            let rect = Rect { x: x - radius, y: y - radius, width: self.diameter, height: self.diameter };
            occupied.add(rect);
            let fill = self.style.colors.as_ref().map_or([255; 4], |scale| scale.color(point.value));
            let tooltip = if tooltips { self.tooltip(point) } else { String::new() };
            items.push(match self.style.chart.shape {
                Some(CellShape::Square) => Item::Cell { rect, fill: Fill::Color(fill), tooltip },
                _ => Item::Dot { x, y, radius, fill, border: border(fill), tooltip },
            });
        }
        self.label_items(&mut occupied, &mut items);
        self.frame.items(self.legend, &mut items);
        (items, self.style.colors)
    }

    /// The center of a point.
    fn place(&self, point: &MatrixPoint) -> (f32, f32) {
        let plot = self.frame.plot;
        let (across, up) = (self.x.position(point.x) as f32, self.y.position(point.y) as f32);
        (plot.x + across * plot.width, plot.y + (1.0 - up) * plot.height)
    }

    fn tooltip(&self, point: &MatrixPoint) -> String {
        let label = point.label.as_deref().map(clean_label).filter(|label| !label.is_empty());
        let label = label.unwrap_or_else(|| format!("{}, {}", point.x, point.y));
        let (value, unit) = (self.style.format.format(point.value), clean_label(&self.style.chart.unit));
        if unit.is_empty() { format!("{label}: {value}") } else { format!("{label}: {value} {unit}") }
    }

    /// Grid lines, axes and the labels of ticks.
    fn axis_items(&self, items: &mut Vec<Item>) {
        let plot = self.frame.plot;
        let (right, bottom) = (plot.x + plot.width, plot.y + plot.height);
        let center = |at: f32| at.floor() + 0.5;
        let mut labels = Vec::new();
        for tick in &self.y.ticks {
            let y = center(bottom - tick.position as f32 * plot.height);
            items.push(Item::Line { from: (plot.x, y), to: (right, y), color: GRID });
            let label = tick.label.clone();
            labels.push(Item::Text(text(plot.x - GAP, y + 4.0, Anchor::End, LABEL, label)));
        }
        let mut free_from = f32::MIN;
        for tick in &self.x.ticks {
            let x = center(plot.x + tick.position as f32 * plot.width);
            items.push(Item::Line { from: (x, plot.y), to: (x, bottom), color: GRID });
            let half = self.style.measure.width(LABEL.size, &tick.label) / 2.0;
            if x - half >= free_from {
                free_from = x + half + TICK_SPACE;
                let label = tick.label.clone();
                labels.push(Item::Text(text(x, bottom + GAP + 10.0, Anchor::Middle, LABEL, label)));
            }
        }
        let (x, y) = (center(plot.x), center(bottom));
        items.push(Item::Line { from: (x, plot.y), to: (x, bottom), color: AXIS });
        items.push(Item::Line { from: (x, y), to: (right, y), color: AXIS });
        items.append(&mut labels);
    }

    /// Labels: within their dot if they fit, else at its right, left, above or below, where nothing else is.
    fn label_items(&self, occupied: &mut Occupied, items: &mut Vec<Item>) {
        let radius = self.diameter / 2.0;
        // The upper edge of a line that is centered on y.
        let level_of = |y: f32| y - LABEL.size / 2.0;
        let labeled = self.points.iter().filter(|point| point.label.is_some());
        for point in labeled.take(MAX_LABELS) {
            let label = point.label.as_deref().map(clean_label).unwrap_or_default();
            let label = self.style.measure.shorten(LABEL.size, &label, MAX_LABEL);
            if label.is_empty() {
                continue;
            }
            let (x, y) = self.place(point);
            let (width, size) = (self.style.measure.width(LABEL.size, &label), LABEL.size);
            if width + 4.0 <= 0.9 * self.diameter {
                let fill = self.style.colors.as_ref().map_or([255; 4], |scale| scale.color(point.value));
                let rect = Rect { x: x - width / 2.0, y: level_of(y), width, height: size };
                if occupied.is_covered_once(rect) {
                    occupied.add(rect);
                    items.push(Item::Text(value_text(x, y + 4.0, size, fill, label)));
                }
                continue;
            }
            let (level, away) = (level_of(y), radius + LABEL_SPACE);
            let corners = [
                (x + away, level),
                (x - away - width, level),
                (x - width / 2.0, y - away - size),
                (x - width / 2.0, y + away),
            ];
            let rects = corners.map(|(x, y)| Rect { x, y, width, height: size });
            if let Some(free) = rects.into_iter().find(|rect| occupied.is_free(*rect)) {
                occupied.add(free);
                let baseline = free.y + 0.8 * size;
                items.push(Item::Text(text(free.x, baseline, Anchor::Start, LABEL, label)));
            }
        }
    }
}

/// The occupied squares of a grid over the plot.
struct Occupied {
    plot: Rect,
    columns: usize,
    rows: usize,
    counts: Vec<u32>,
}

/// The side of a square of [`Occupied`].
const SQUARE: f32 = 3.0;

impl Occupied {
    fn new(plot: Rect) -> Self {
        let count = |length: f32| (length / SQUARE).ceil() as usize;
        let (columns, rows) = (count(plot.width), count(plot.height));
        Self { plot, columns, rows, counts: vec![0; columns * rows] }
    }

    /// The indices of the squares that a rectangle touches within the plot.
    fn squares(&self, rect: Rect) -> impl Iterator<Item = usize> + use<> {
        let range = |start: f32, length: f32, count: usize| {
            let end = ((start + length) / SQUARE).ceil().max(0.0) as usize;
            ((start / SQUARE).floor().max(0.0) as usize).min(count)..end.min(count)
        };
        let columns = range(rect.x - self.plot.x, rect.width, self.columns);
        let stride = self.columns;
        range(rect.y - self.plot.y, rect.height, self.rows)
            .flat_map(move |row| columns.clone().map(move |column| row * stride + column))
    }

    fn add(&mut self, rect: Rect) {
        for square in self.squares(rect) {
            self.counts[square] = self.counts[square].saturating_add(1);
        }
    }

    /// Whether all of a rectangle is covered by a single one.
    fn is_covered_once(&self, rect: Rect) -> bool {
        self.squares(rect).all(|square| self.counts[square] == 1)
    }

    /// Whether a rectangle is within the plot and touches nothing.
    fn is_free(&self, rect: Rect) -> bool {
        let plot = self.plot;
        rect.x >= plot.x
            && rect.y >= plot.y
            && rect.x + rect.width <= plot.x + plot.width
            && rect.y + rect.height <= plot.y + plot.height
            && self.squares(rect).all(|square| self.counts[square] == 0)
    }
}
