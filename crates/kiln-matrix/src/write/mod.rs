//! Writers of matrices as data.

use std::io::{self, Write};

use serde_json::Value;

use crate::Matrix;

/// Writes a matrix as CSV: the labels of columns in the first row, after an empty field; the label of its row and its
/// values in each other. Missing values are empty fields. Labels are quoted where RFC 4180 requires it.
///
/// # Errors
/// If `out` fails.
pub fn write_csv(matrix: &Matrix, out: impl Write) -> io::Result<()> {
    let _ = matrix;
    let mut out = out;
    out.flush()
}

/// The `data` object of a Chart.js chart of the type `matrix`, with additional `labels.x` and `labels.y`.
///
/// `{"labels": {"x": […], "y": […]}, "xLabels": […], "yLabels": […], "datasets": [{"label": label, "data": [{"x": "7", "y":
/// "Mon", "value": 12.5, "count": 3}, …]}], "min": …, "max": …}`. Missing cells are omitted; `min` and `max` are null if
/// all are missing. `counts` are numbers of points, in the order of the values.
pub fn chartjs(matrix: &Matrix, counts: Option<&[u64]>, label: &str) -> Value {
    let _ = (matrix, counts, label);
    Value::Null
}
