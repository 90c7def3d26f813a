//! Drawings as text for a terminal.

mod points;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::fmt::Write as _;

use kiln_core::error::Result;

use crate::calendar_names::is_calendar;
use crate::colors::{ColorScale, ink};
use crate::label::{columns_of, pad, plain};
use crate::layout::{color_scale, validate, value_format};
use crate::{Chart, ChartData, Matrix, ShowValues, ValueFormat};

/// The minimum width of a terminal.
const MIN_COLUMNS: usize = 20;
/// The bounds of the width of a cell in characters.
const CELLS: (usize, usize) = (2, 10);
/// The width that labels of rows are given for the title of their axis.
const MAX_TITLE: usize = 12;
/// The steps of the color bar.
const BAR: usize = 20;
/// A missing value.
const MISSING: char = '·';
/// Ends the colors of a terminal.
const RESET: &str = "\x1b[0m";

/// Writes a chart with lines of at most `columns` characters.
pub(crate) fn write(chart: &Chart, columns: usize, colors: bool) -> Result<String> {
    validate(chart)?;
    let scale = color_scale(chart)?;
    let columns = columns.max(MIN_COLUMNS);
    let mut out = Terminal { text: String::new(), columns, colors, scale };
    let title = plain(&chart.title);
    if !title.is_empty() {
        out.line(&title);
    }
    match &chart.data {
        ChartData::Cells(matrix) => out.cells(chart, matrix),
        ChartData::Points(points) => out.points(chart, points),
    }
    Ok(out.text)
}

struct Terminal {
    text: String,
    columns: usize,
    colors: bool,
    scale: Option<ColorScale>,
}

/// Neighboring columns of a matrix as one: their mean, without missing values.
struct Merged {
    columns: usize,
    values: Vec<Option<f64>>,
}

impl Merged {
    /// A column for each `group` columns of the matrix.
    fn new(matrix: &Matrix, group: usize) -> Self {
        let columns = matrix.columns().len().div_ceil(group);
        let mean = |values: &[Option<f64>]| {
            let count = values.iter().flatten().count() as f64;
            // The sum of the shares does not exceed the range of a double, unlike the sum.
            (count > 0.0).then(|| values.iter().flatten().map(|value| value / count).sum())
        };
        let rows = matrix.values().chunks(matrix.columns().len());
        Self { columns, values: rows.flat_map(|row| row.chunks(group).map(mean)).collect() }
    }
}

impl Terminal {
    /// Adds a line, shortened to the width and without spaces at its end.
    fn line(&mut self, line: &str) {
        let line = pad(line, self.columns);
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn cells(&mut self, chart: &Chart, matrix: &Matrix) {
        let rows: Vec<String> = matrix.rows().iter().map(|label| plain(label)).collect();
        let (x_title, y_title) = axis_titles(chart, matrix);
        let label_width = if chart.axes {
            let title = columns_of(&y_title).min(MAX_TITLE);
            let longest = rows.iter().map(|label| columns_of(label)).max().unwrap_or(0).max(title);
            longest.min(self.columns * 3 / 10) + 1
        } else {
            0
        };
        let available = self.columns - label_width;
        let group = matrix.columns().len().div_ceil(available / CELLS.0).max(1);
        let merged = Merged::new(matrix, group);
        let format = value_format(chart, self.scale.as_ref(), &merged.values.iter().flatten().copied());
        let texts = format.format_all(&merged.values);
        let longest = texts.iter().flatten().map(|text| columns_of(text)).max().unwrap_or(0);
        let widest = (available / merged.columns).clamp(CELLS.0, CELLS.1.max(longest + 1));
        let has_values = chart.show_values != ShowValues::Never && longest < widest;
        // Cells are as wide as values or labels need, and no wider than the terminal allows.
        let labels = || matrix.columns().iter().step_by(group).map(|label| plain(label));
        let longest_label = if chart.axes { labels().map(|label| columns_of(&label)).max().unwrap_or(0) } else { 0 };
        let needed = if has_values { longest + 1 } else { CELLS.0 };
        let width = needed.max((longest_label + 1).min(8)).clamp(CELLS.0, widest);
        for (row, label) in rows.iter().enumerate() {
            if label_width > 0 {
                let label = pad(label, label_width - 1);
                let _ = write!(self.text, "{label} ");
            }
            let range = row * merged.columns..(row + 1) * merged.columns;
            for (value, text) in merged.values[range.clone()].iter().zip(&texts[range]) {
                let text = if has_values { text.as_deref() } else { None };
                self.cell(*value, text, width);
            }
            self.end_line();
        }
        if chart.axes {
            let corner = if label_width > 0 { pad(&y_title, label_width - 1) + " " } else { String::new() };
            self.column_labels(&labels().collect::<Vec<_>>(), width, corner);
            if !x_title.is_empty() {
                self.line(&format!("{}{x_title}", " ".repeat(label_width)));
            }
        }
        if chart.legend {
            let values: Vec<f64> = merged.values.iter().flatten().copied().collect();
            self.legend(chart, &format, has_values, merged.values.len() > values.len());
        }
        if group > 1 {
            self.line(&format!("Each cell is the mean of {group} columns."));
        }
    }

    /// A cell of `width` characters.
    fn cell(&mut self, value: Option<f64>, text: Option<&str>, width: usize) {
        let color = value.zip(self.scale.as_ref()).map(|(value, scale)| scale.color(value));
        let content = match (value, text, self.scale.as_ref()) {
            (None, ..) | (_, None, None) => MISSING.to_string(),
            (Some(_), Some(text), _) => text.to_owned(),
            (Some(_), None, _) if self.colors => String::new(),
            (Some(value), None, Some(scale)) => digit(scale, value).to_string(),
        };
        let free = width.saturating_sub(columns_of(&content));
        // Values are at the right with a space after them, where the next cell begins.
        let after = if text.is_some() && free > 0 { usize::from(self.colors) } else { free / 2 };
        let (before, after) = (" ".repeat(free - after), " ".repeat(after));
        match color.filter(|_| self.colors) {
            Some(color) => {
                let ([red, green, blue, _], [ink, ..]) = (color, ink(color));
                let _ = write!(
                    self.text,
                    "\x1b[48;2;{red};{green};{blue};38;2;{ink};{ink};{ink}m{before}{content}{after}{RESET}"
                );
            }
            None => {
                let _ = write!(self.text, "{before}{content}{after}");
            }
        }
    }

    /// Ends a line of cells, without spaces at its end.
    fn end_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    /// Labels of columns after a corner: each, or every second, third, fifth, … that fits.
    fn column_labels(&mut self, labels: &[String], width: usize, corner: String) {
        let longest = labels.iter().map(|label| columns_of(label)).max().unwrap_or(0);
        if longest == 0 {
            if !corner.trim().is_empty() {
                self.line(&corner);
            }
            return;
        }
        let steps = [1, 2, 3, 5, 10, 20, 25, 50, 100];
        // Long labels are shortened to 12 characters rather than thinned further.
        let step = steps.into_iter().find(|step| step * width > longest.min(12)).unwrap_or(100);
        let mut line = corner;
        for label in labels.iter().step_by(step) {
            let space = (step * width).min(self.columns.saturating_sub(columns_of(&line))).saturating_sub(1);
            line.push_str(&pad(label, space));
            line.push(' ');
        }
        self.line(line.trim_end());
    }

    /// The color bar, or the meaning of digits, and that of missing values.
    fn legend(&mut self, chart: &Chart, format: &ValueFormat, has_values: bool, has_missing: bool) {
        let mut parts: Vec<String> = Vec::new();
        let mut bar = String::new();
        let unit = plain(&chart.unit);
        if let Some(scale) = &self.scale {
            let (low, high) = (format.format(scale.vmin), format.format(scale.vmax));
            let needed = columns_of(&low) + columns_of(&high) + BAR + 2;
            if self.colors && needed <= self.columns {
                for step in 0..BAR {
                    let [red, green, blue, _] = scale.at((step as f64 + 0.5) / BAR as f64);
                    let _ = write!(bar, "\x1b[48;2;{red};{green};{blue}m ");
                }
                bar = format!("{low} {bar}{RESET} {high}");
                let rest = pad(&unit, (self.columns - needed).saturating_sub(1));
                bar = format!("{bar} {rest}");
                bar.truncate(bar.trim_end().len());
            } else if self.colors || has_values {
                parts.push(format!("{low} to {high} {unit}"));
            } else {
                parts.push(format!("0 = {low}, 9 = {high} {unit}"));
            }
        }
        if has_missing {
            parts.push(format!("{MISSING} no value"));
        }
        if !bar.is_empty() {
            self.text.push_str(&bar);
            self.text.push('\n');
        }
        for part in parts {
            self.line(part.trim_end());
        }
    }
}

/// The titles of the x and the y axis; empty for an axis whose labels are days of the week or months.
fn axis_titles(chart: &Chart, matrix: &Matrix) -> (String, String) {
    let title = |title: &str, labels: &[String]| if is_calendar(labels) { String::new() } else { plain(title) };
    (title(&chart.x_title, matrix.columns()), title(&chart.y_title, matrix.rows()))
}

/// A digit for the position of a value on the scale.
fn digit(scale: &ColorScale, value: f64) -> char {
    let step = (scale.position(value) * 10.0).floor().clamp(0.0, 9.0) as u32;
    char::from_digit(step, 10).unwrap_or('9')
}
