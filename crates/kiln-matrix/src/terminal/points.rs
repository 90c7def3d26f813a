//! Points in a terminal: a grid of characters.

use std::fmt::Write as _;

use super::{RESET, Terminal, digit};
use crate::label::{columns_of, plain};
use crate::layout::value_format;
use crate::{Chart, MatrixPoint};

/// The maximum width of a plot, and its height.
const PLOT: (usize, usize) = (72, 24);

/// The values of an axis, which take `count` characters.
struct Axis {
    min: f64,
    max: f64,
    count: usize,
}

impl Axis {
    fn new(values: impl Iterator<Item = f64>, count: usize) -> Self {
        let (min, max) = values.fold((f64::MAX, f64::MIN), |(min, max), value| (min.min(value), max.max(value)));
        Self { min, max, count }
    }

    /// The character of a value; the middle one if all values are equal.
    fn place(&self, value: f64) -> usize {
        let position = (value / 2.0 - self.min / 2.0) / (self.max / 2.0 - self.min / 2.0);
        if position.is_nan() { self.count / 2 } else { (position * (self.count - 1) as f64).round() as usize }
    }
}

/// The points and letters of a plot, row by row.
struct Grid {
    width: usize,
    points: Vec<Option<f64>>,
    letters: Vec<Option<char>>,
}

impl Grid {
    fn new((width, height): (usize, usize)) -> Self {
        Self { width, points: vec![None; width * height], letters: vec![None; width * height] }
    }

    /// Writes a label at the right of a point, else at its left, if nothing else is there.
    fn add_label(&mut self, (column, row): (usize, usize), label: &str) {
        let letters: Vec<char> = label.chars().collect();
        // Letters of two columns, and marks of none, would move the points after them.
        if letters.is_empty() || letters.iter().any(|letter| columns_of(letter.encode_utf8(&mut [0; 4])) != 1) {
            return;
        }
        let starts = [Some(column + 2), column.checked_sub(letters.len() + 1)];
        let free = starts.into_iter().flatten().find(|start| self.is_free(*start, row, letters.len(), column));
        if let Some(start) = free {
            for (letter, cell) in letters.into_iter().zip(&mut self.letters[row * self.width + start..]) {
                *cell = Some(letter);
            }
        }
    }

    /// Whether characters of a row and one on each side are free, except for the point at `own`.
    fn is_free(&self, start: usize, row: usize, length: usize, own: usize) -> bool {
        let is_empty = |column: usize| {
            let index = row * self.width + column;
            column == own || (self.points[index].is_none() && self.letters[index].is_none())
        };
        start + length <= self.width && (start.saturating_sub(1)..(start + length + 1).min(self.width)).all(is_empty)
    }
}

impl Terminal {
    /// Writes points, later ones over earlier ones, with labels where there is space.
    pub(super) fn points(&mut self, chart: &Chart, points: &[MatrixPoint]) {
        let (width, height) = (self.columns.min(PLOT.0), PLOT.1);
        let x = Axis::new(points.iter().map(|point| point.x), width);
        let y = Axis::new(points.iter().map(|point| point.y), height);
        let place = |point: &MatrixPoint| (x.place(point.x), height - 1 - y.place(point.y));
        let mut grid = Grid::new((width, height));
        for point in points {
            let (column, row) = place(point);
            grid.points[row * width + column] = Some(point.value);
        }
        for point in points {
            if let Some(label) = &point.label {
                grid.add_label(place(point), &plain(label));
            }
        }
        for (points, letters) in grid.points.chunks(width).zip(grid.letters.chunks(width)) {
            for (point, letter) in points.iter().zip(letters) {
                self.character(*point, *letter);
            }
            self.end_line();
        }
        if chart.axes {
            let title = |title: &str, name: &str| {
                let title = plain(title);
                if title.is_empty() { name.to_owned() } else { title }
            };
            let (x_title, y_title) = (title(&chart.x_title, "x"), title(&chart.y_title, "y"));
            self.line(&format!("{x_title}: {} to {}, {y_title}: {} to {}", x.min, x.max, y.min, y.max));
        }
        if chart.legend {
            let format = value_format(chart, self.scale.as_ref(), &points.iter().map(|point| point.value));
            self.legend(chart, &format, false, false);
        }
    }

    /// Writes a point, a letter or a space.
    fn character(&mut self, point: Option<f64>, letter: Option<char>) {
        match (point, &self.scale) {
            (Some(value), Some(scale)) if self.colors => {
                let [red, green, blue, _] = scale.color(value);
                // Writing to a string does not fail.
                let _ = write!(self.text, "\x1b[38;2;{red};{green};{blue}m●{RESET}");
            }
            (Some(value), Some(scale)) => self.text.push(digit(scale, value)),
            _ => self.text.push(letter.unwrap_or(' ')),
        }
    }
}
