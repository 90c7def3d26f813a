//! Readers of matrices and points.

use kiln_core::error::{Error, Result};
use kiln_core::matrix::MatrixRequest;
use kiln_core::parameter::Parameter;
use kiln_core::raster::Aggregation;
use serde_json::{Map, Value};

use crate::ChartData;

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
    /// Whether numeric x and y of long CSV or points are names of columns and rows, in ascending order, rather than
    /// continuous positions. Default: false for JSON, true for CSV.
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
    ///   of columns and rows, in order of first appearance or of `x_labels` and `y_labels`; with these, whole numbers are
    ///   indices from 0;
    /// - a bare array of rows, or of points.
    ///
    /// CSV:
    /// - long, if `x` or `y` is set, or the header has the columns x, y and (unless the aggregation is count) value;
    /// - else rows of numbers alone;
    /// - else wide: the labels of columns in the first row, those of rows in the first column.
    ///
    /// Empty fields, `NA`, `NaN` (CSV), `null` and `-` are missing values.
    ///
    /// # Errors
    /// [`Error::Input`] for ragged rows, values that are not finite numbers, empty input, unknown columns (the existing
    /// ones are listed) and malformed JSON or CSV, with row and column; [`Error::Invalid`] for labels whose number is not
    /// that of the columns or rows, a cell that occurs twice without an aggregation, and more cells than allowed.
    pub fn parse(bytes: &[u8], format: InputFormat, options: &InputOptions) -> Result<Self> {
        let _ = (bytes, format, options);
        Err(Error::invalid(Parameter::INPUT, "input"))
    }
}
