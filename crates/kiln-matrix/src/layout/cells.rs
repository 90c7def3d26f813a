//! The layout of a matrix.

use kiln_formats::encode::paint::{Anchor, Rect, TextStyle};

use super::axis_labels::{AxisLabels, GAP};
use super::frame::{Frame, Insets, text};
use super::legend::Legend;
use super::{LABEL, Style};
use crate::colors::{ColorScale, border, ink};
use crate::label::{Measure, clean_label};
use crate::scene::{Fill, Item, MISSING, Text};
use crate::{CellShape, Chart, Matrix, ShowValues, ValueFormat};

/// The width and height that the plot aims at.
const TARGET: (f32, f32) = (900.0, 640.0);
/// The bounds of the side of a cell.
pub(super) const SIDES: (f32, f32) = (3.0, 56.0);
/// The maximum width of cells that grow for labels or values.
const GROWN: f32 = 96.0;
/// The width of plots up to which cells grow for labels.
const GROWN_PLOT: f32 = 640.0;
/// The sizes of values in cells, the first that fits.
const VALUE_SIZES: [f32; 4] = [12.0, 11.0, 10.0, 9.0];
/// The space around a value: the sum of left and right, and of above and below.
const VALUE_SPACE: (f32, f32) = (7.0, 5.0);
/// The maximum number of values that are written unless they are requested.
const MAX_AUTO_VALUES: usize = 2500;
/// The side from which a hatch is visible.
const HATCHED: f32 = 6.0;
/// The side from which cells have a gap of 1 between them.
const GAP_FROM: f32 = 10.0;

/// A measured matrix.
pub(super) struct CellsPlan<'c> {
    style: Style<'c>,
    matrix: &'c Matrix,
    cell: (f32, f32),
    /// The texts in cells, and their size.
    values: Option<(Vec<Option<String>>, f32)>,
    labels: Option<(AxisLabels, AxisLabels)>,
    legend: Option<Legend>,
    pub(super) frame: Frame,
}

impl<'c> CellsPlan<'c> {
    pub(super) fn new(style: Style<'c>, matrix: &'c Matrix, cell_size: Option<f32>) -> Self {
        let (chart, measure) = (style.chart, style.measure);
        let counts = (matrix.columns().len() as f32, matrix.rows().len() as f32);
        let mut cell = cell_size.map_or_else(|| default_cell(chart, matrix, measure), |size| (size, size));
        let values = values(&style, matrix, cell_size.is_some(), &mut cell);
        let size = (counts.0 * cell.0, counts.1 * cell.1);
        let missing = matrix.values().contains(&None).then(|| missing_fill(cell));
        let legend = Legend::new(&style, size, missing);
        let labels = chart.axes.then(|| {
            let rest = size.0 + legend.as_ref().map_or(0.0, Legend::width_beside);
            let rows = AxisLabels::rows(measure, matrix.rows(), cell.1, rest);
            (AxisLabels::columns(measure, matrix.columns(), cell.0, size.1), rows)
        });
        let mut insets = Insets::default();
        if let Some((columns, rows)) = &labels {
            let (left, right) = columns.overhangs(measure, size.0);
            let row_labels = if rows.length > 0.0 { rows.length + GAP } else { 0.0 };
            let half_line = ((LABEL.size - cell.1) / 2.0).max(0.0);
            insets =
                Insets { left: row_labels.max(left), right, top: half_line, bottom: columns.height().max(half_line) };
        }
        let frame = Frame::new(chart, measure, size, insets, legend.as_ref());
        Self { style, matrix, cell, values, labels, legend, frame }
    }

    /// The elements, and the colors of the legend.
    pub(super) fn items(self, tooltips: bool) -> (Vec<Item>, Option<ColorScale>) {
        let mut items = Vec::with_capacity(self.matrix.values().len());
        let plot = self.frame.plot;
        let chart = self.style.chart;
        let columns = self.matrix.columns().len();
        let gap = if self.cell.0.min(self.cell.1) >= GAP_FROM { 1.0 } else { 0.0 };
        let missing = missing_fill(self.cell);
        let tooltips = tooltips.then(|| Tooltips::new(&self.style, self.matrix));
        let mut texts = Vec::new();
        for (index, value) in self.matrix.values().iter().enumerate() {
            if self.style.measure.stop.is_set() {
                break;
            }
            let (column, row) = (index % columns, index / columns);
            let (x, y) = (plot.x + column as f32 * self.cell.0, plot.y + row as f32 * self.cell.1);
            let rect = Rect { x, y, width: self.cell.0 - gap, height: self.cell.1 - gap };
            let tooltip = tooltips.as_ref().map(|tooltips| tooltips.text(column, row, *value)).unwrap_or_default();
            let fill = value.zip(self.style.colors.as_ref()).map(|(value, scale)| scale.color(value));
            items.push(match (fill, chart.shape) {
                (Some(fill), Some(CellShape::Dot)) => {
                    let (x, y) = (x + self.cell.0 / 2.0, y + self.cell.1 / 2.0);
                    let radius = self.cell.0.min(self.cell.1) / 2.0 * chart.dot_size;
                    Item::Dot { x, y, radius, fill, border: border(fill), tooltip }
                }
                (Some(fill), _) => Item::Cell { rect, fill: Fill::Color(fill), tooltip },
                (None, Some(CellShape::Dot)) => {
                    let side = self.cell.0.min(self.cell.1) * chart.dot_size;
                    let (x, y) = (x + (self.cell.0 - side) / 2.0, y + (self.cell.1 - side) / 2.0);
                    Item::Cell { rect: Rect { x, y, width: side, height: side }, fill: missing, tooltip }
                }
                (None, _) => Item::Cell { rect, fill: missing, tooltip },
            });
            if let (Some((values, size)), Some(fill)) = (&self.values, fill)
                && let Some(Some(value)) = values.get(index)
            {
                let gap = if chart.shape == Some(CellShape::Dot) { 0.0 } else { gap };
                let (x, y) = (x + (self.cell.0 - gap) / 2.0, y + (self.cell.1 - gap) / 2.0 + 0.36 * size);
                texts.push(Item::Text(value_text(x, y, *size, fill, value.clone())));
            }
        }
        items.append(&mut texts);
        if let Some((columns, rows)) = &self.labels {
            rows.row_items(plot.x, plot.y, &mut items);
            columns.column_items(plot.x, plot.y + plot.height, &mut items);
        }
        self.frame.items(self.legend, &mut items);
        (items, self.style.colors)
    }
}

/// The texts of tooltips.
struct Tooltips<'c> {
    format: &'c ValueFormat,
    columns: Vec<String>,
    rows: Vec<String>,
    unit: String,
}

impl<'c> Tooltips<'c> {
    fn new(style: &'c Style<'c>, matrix: &Matrix) -> Self {
        let labels = |labels: &[String]| labels.iter().map(|label| clean_label(label)).collect();
        let unit = clean_label(&style.chart.unit);
        let unit = if unit.is_empty() { unit } else { format!(" {unit}") };
        Self { format: &style.format, columns: labels(matrix.columns()), rows: labels(matrix.rows()), unit }
    }

    fn text(&self, column: usize, row: usize, value: Option<f64>) -> String {
        let value = match value {
            Some(value) => self.format.format(value) + &self.unit,
            None => "no value".to_owned(),
        };
        let [column, row] =
            [self.columns.get(column), self.rows.get(row)].map(|label| label.map_or("", String::as_str));
        format!("{column}, {row}: {value}")
    }
}

/// The filling of missing values: a hatch, or gray in cells that are too small for one.
fn missing_fill(cell: (f32, f32)) -> Fill {
    if cell.0.min(cell.1) < HATCHED { Fill::Color(MISSING) } else { Fill::Hatch }
}

/// A value in a cell, black or white by the contrast.
pub(super) fn value_text(x: f32, y: f32, size: f32, background: [u8; 4], value: String) -> Text {
    text(x, y, Anchor::Middle, TextStyle { size, color: ink(background) }, value)
}

/// The default size of a cell, by the number of columns and rows and the labels of columns.
fn default_cell(chart: &Chart, matrix: &Matrix, measure: &Measure) -> (f32, f32) {
    let (columns, rows) = (matrix.columns().len() as f32, matrix.rows().len() as f32);
    let side = |target: f32, count: f32| (target / count).floor().clamp(SIDES.0, SIDES.1);
    let (mut width, mut height) = (side(TARGET.0, columns), side(TARGET.1, rows));
    // Rows need not be higher than cells are wide, if their labels fit; cells need not be much wider than high.
    height = height.min(width.max(18.0));
    width = width.min((3.0 * height).max(12.0));
    if chart.shape == Some(CellShape::Dot) || (width.min(height) >= 18.0 && width.max(height) < 1.6 * width.min(height))
    {
        (width, height) = (width.min(height), width.min(height));
    }
    // A few columns are better wider than with rotated labels.
    if chart.axes && columns * width < GROWN_PLOT {
        let longest = matrix
            .columns()
            .iter()
            .map(|label| measure.width(LABEL.size, &measure.clean_label(label)).ceil())
            .fold(0.0, f32::max);
        if longest + 8.0 > width && longest + 8.0 <= GROWN && columns * (longest + 8.0) <= GROWN_PLOT {
            width = longest + 8.0;
        }
    }
    (width, height)
}

/// The texts of values and their size, if values are shown. The cell grows if it may and values need it.
fn values(
    style: &Style<'_>,
    matrix: &Matrix,
    is_fixed: bool,
    cell: &mut (f32, f32),
) -> Option<(Vec<Option<String>>, f32)> {
    let (chart, measure) = (style.chart, style.measure);
    let is_always = chart.show_values == ShowValues::Always;
    if chart.show_values == ShowValues::Never || (!is_always && matrix.values().len() > MAX_AUTO_VALUES) {
        return None;
    }
    // The share of a cell that is free for a text: that of a dot is less than its diameter.
    let share = if chart.shape == Some(CellShape::Dot) { 0.9 * chart.dot_size } else { 1.0 };
    let texts = style.format.format_all(matrix.values());
    let at_one = texts.iter().flatten().map(|text| measure.width(1.0, text)).fold(0.0, f32::max);
    let needs = |size: f32| ((at_one * size + VALUE_SPACE.0) / share, (size + VALUE_SPACE.1) / share);
    let fits = |size: &f32| needs(*size).0 <= cell.0 && needs(*size).1 <= cell.1;
    if let Some(size) = VALUE_SIZES.into_iter().find(fits) {
        return Some((texts, size));
    }
    let size = VALUE_SIZES[1];
    let (width, height) = (needs(size).0.ceil(), needs(size).1.ceil());
    let is_small = width <= GROWN && height <= cell.1 && width * matrix.columns().len() as f32 <= TARGET.0;
    if !is_always && (is_fixed || !is_small) {
        return None;
    }
    *cell = (cell.0.max(width), cell.1.max(height));
    if chart.shape == Some(CellShape::Dot) {
        *cell = (cell.0.max(cell.1), cell.0.max(cell.1));
    }
    Some((texts, size))
}
