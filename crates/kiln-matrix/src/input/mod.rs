//! Readers of matrices and points.

mod column_names;
mod csv;
mod json;
mod placement;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests;

pub use column_names::column_names;

use std::str::FromStr;
use std::sync::atomic::AtomicBool;

use kiln_core::error::{Error, Result};
use kiln_core::matrix::MatrixRequest;
use kiln_core::parameter::{Message, Parameter};
use kiln_core::raster::Aggregation;
use serde_json::{Map, Value};

use crate::stop::Stop;
use crate::{ChartData, Matrix};

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputFormat {
    /// A JSON object with `points` or `values`, or a bare array of rows or of points.
    Json,
    /// CSV in UTF-8, separated by commas, semicolons or tabs: wide (labels in the first row and column), numbers alone, or
    /// long (a row per cell or event).
    Csv,
}

/// Options of [`MatrixInput::parse`]. A JSON object may have each of them as a key of the same name, except
/// [`max_cells`](Self::max_cells) and [`name`](Self::name); an option that is set here takes precedence.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InputOptions {
    /// The name of the input in errors. Default: `matrix`.
    pub name: String,
    /// The labels of the columns, from left to right. Default: those of the input, else the numbers of the columns from 1.
    pub x_labels: Option<Vec<String>>,
    /// The labels of the rows, from top to bottom. Default: those of the input, else the numbers of the rows from 1.
    pub y_labels: Option<Vec<String>>,
    /// The name of the column or key of x positions or names. Default: `x`. In CSV, this or `y` selects the long form.
    pub x: Option<String>,
    /// The name of the column or key of y positions or names. Default: `y`.
    pub y: Option<String>,
    /// The name of the column or key of values. Default: `value`.
    pub value: Option<String>,
    /// The aggregation of several points or rows in a cell; count needs no values. Default: a second one in the same cell
    /// is an error.
    pub agg: Option<Aggregation>,
    /// Whether the x and y of points are indices, from 0, of columns and rows, even without labels. Default: false, but
    /// true for whole numbers of an axis that has labels.
    pub index: bool,
    /// Whether numeric x and y of points or long CSV are names of columns and rows, in ascending order, rather than
    /// continuous positions. With an aggregation, or if the other axis has names, they always are. Default: false for JSON,
    /// true for CSV.
    pub categorical: Option<bool>,
    /// The maximum number of cells or points. Default: [`MatrixRequest::MAX_CELLS`].
    pub max_cells: usize,
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            name: "matrix".to_owned(),
            x_labels: None,
            y_labels: None,
            x: None,
            y: None,
            value: None,
            agg: None,
            index: false,
            categorical: None,
            max_cells: MatrixRequest::MAX_CELLS,
        }
    }
}

/// What an input contains.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MatrixInput {
    /// The matrix or the points.
    pub data: ChartData,
    /// The name of the column of x, if the input has one that is not `x`: a title of the axis.
    pub x_title: Option<String>,
    /// The name of the column of y, if the input has one that is not `y`.
    pub y_title: Option<String>,
    /// The name of the column of values, if the input has one that is not `value`, with the aggregation: `mean of delay`.
    pub unit: Option<String>,
    /// The other keys of a JSON object, such as those of a style. Empty for all other inputs.
    pub other: Map<String, Value>,
}

impl MatrixInput {
    /// Reads a matrix or points.
    ///
    /// JSON:
    /// - `{"values": [[1, null], [2, 3]], "x_labels": […], "y_labels": […]}`: rows of numbers, the first one on top; null is
    ///   missing;
    /// - `{"points": [{"x": 1.5, "y": 2, "value": 3, "label": "a"}, …]}`: numbers are continuous positions; texts are names
    ///   of columns and rows, in the order of `x_labels` and `y_labels` or that of long CSV; with labels, whole numbers are
    ///   indices from 0;
    /// - a bare array of rows, or of points.
    ///
    /// CSV:
    /// - long, if `x`, `y`, `value` or `agg` is set, or the header has the columns x, y and value;
    /// - else rows of numbers alone, if all fields are numbers or missing;
    /// - else wide: the labels of columns in the first row, those of rows in the first column. Labels may be numbers if the
    ///   first field is empty or a text.
    ///
    /// The delimiter is the most frequent of comma, semicolon and tab in the first row. With semicolons, a comma is a decimal
    /// point. Names of rows and columns of long CSV are in order of first appearance, or ascending if all are numbers, or from
    /// Monday or January on if all are English names, full or of three letters, of days of the week or months. Empty fields,
    /// `NA`, `N/A`, `NaN`, `null` and `-` in any case are missing values.
    ///
    /// # Errors
    /// [`Error::Input`] for ragged rows, values that are not finite numbers, empty input, unknown columns (the existing
    /// ones are listed) and malformed JSON or CSV, with row and column; [`Error::Invalid`] for labels whose number is not
    /// that of the columns or rows, a cell that occurs twice without an aggregation, and more cells than allowed.
    pub fn parse(bytes: &[u8], format: InputFormat, options: &InputOptions) -> Result<Self> {
        Self::read(bytes, format, options, Stop::NEVER)
    }

    /// As [`parse`](Self::parse), with a flag that is checked at each row or point.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); [`Error::Cancelled`] once `stop` is set.
    pub fn parse_with_stop(
        bytes: &[u8],
        format: InputFormat,
        options: &InputOptions,
        stop: &AtomicBool,
    ) -> Result<Self> {
        Self::read(bytes, format, options, Stop::new(stop))
    }

    fn read(bytes: &[u8], format: InputFormat, options: &InputOptions, stop: Stop<'_>) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            options.error(format!("byte {} is not UTF-8; expected text in UTF-8", error.valid_up_to() + 1))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(options.error("the input is empty; expected rows of numbers or points"));
        }
        match format {
            InputFormat::Json => json::parse(text, options, stop),
            InputFormat::Csv => csv::parse(text, options, stop),
        }
    }

    /// A matrix of rows of the same length, with the labels of the options or the numbers from 1.
    fn from_rows(columns: usize, values: Vec<Option<f64>>, options: &InputOptions) -> Result<ChartData> {
        let rows = values.len() / columns.max(1);
        let labels = |labels: &Option<Vec<String>>, count: usize, parameter: Parameter, what: &str| match labels {
            Some(labels) if labels.len() != count => {
                Err(Error::invalid(parameter, format!("{} labels for {count} {what}", labels.len())))
            }
            Some(labels) => Ok(labels.clone()),
            None => Ok((1..=count).map(|number| number.to_string()).collect()),
        };
        let columns = labels(&options.x_labels, columns, Parameter::X_LABELS, "columns")?;
        let rows = labels(&options.y_labels, rows, Parameter::Y_LABELS, "rows")?;
        Ok(ChartData::Cells(Matrix::new(columns, rows, values)?))
    }
}

impl InputOptions {
    /// An error in the content of the input.
    fn error(&self, message: impl Into<Message>) -> Error {
        Error::input(&self.name, message)
    }

    /// The error of more cells or points than allowed.
    fn check_count(&self, count: usize, what: &str) -> Result<()> {
        if count <= self.max_cells {
            return Ok(());
        }
        Err(self.error(format!("{count} {what} exceed the limit of {}, limits.cells", self.max_cells)))
    }

    /// The name of the column or key of x.
    fn x_name(&self) -> &str {
        self.x.as_deref().unwrap_or("x")
    }

    /// The name of the column or key of y.
    fn y_name(&self) -> &str {
        self.y.as_deref().unwrap_or("y")
    }

    /// The name of the column or key of values.
    fn value_name(&self) -> &str {
        self.value.as_deref().unwrap_or("value")
    }

    /// Whether values are read: a count needs none.
    fn needs_values(&self) -> bool {
        self.agg != Some(Aggregation::Count) || self.value.is_some()
    }

    /// The input of points or long rows, with titles after the names of columns.
    fn input(&self, data: ChartData) -> MatrixInput {
        let title = |name: &str, default: &str| (name != default).then(|| name.to_owned());
        let unit = match (self.agg, title(self.value_name(), "value")) {
            (None, unit) => unit,
            (Some(agg), Some(name)) => Some(format!("{agg} of {name}")),
            (Some(Aggregation::Count), None) => Some("count".to_owned()),
            (Some(_), None) => None,
        };
        let (x_title, y_title) = (title(self.x_name(), "x"), title(self.y_name(), "y"));
        MatrixInput { data, x_title, y_title, unit, other: Map::new() }
    }
}

impl FromStr for InputFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "json" => Ok(Self::Json),
            "csv" | "tsv" => Ok(Self::Csv),
            _ => Err(Error::invalid(Parameter::FORMAT, format!("`{text}` is none of json, csv"))),
        }
    }
}

/// The first characters of a text of the input, for an error.
fn excerpt(text: &str) -> String {
    let short: String = crate::label::clean(text).chars().take(40).collect();
    if short.chars().count() < text.chars().count() { format!("{short}…") } else { short }
}
