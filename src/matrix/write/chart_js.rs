//! The data of a chart of Chart.js.

use std::io::Write;

use serde::Serialize;

use super::Number;
use crate::error::{Error, Result};
use crate::matrix::LayerMatrix;

/// Writes a matrix as the `data` of a chart of the type `matrix` of Chart.js: the labels, and a dataset with the cells by
/// their labels. Missing cells are omitted.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_chart_js(matrix: &LayerMatrix, out: impl Write) -> Result<()> {
    let (x, y) = (&matrix.x.labels, &matrix.y.labels);
    let columns = x.len().max(1);
    let cells = matrix.matrix.values().iter().zip(&matrix.counts).enumerate();
    let data = cells.filter_map(|(index, (value, count))| {
        let (x, y) = (x.get(index % columns)?, y.get(index / columns)?);
        Some(Cell { x, y, value: Number((*value)?), count: Some(*count) })
    });
    let dataset = Dataset { label: &matrix.unit, data: data.collect() };
    write_data(x, y, dataset, matrix.matrix.range(), out)
}

/// Writes the values of labels as the `data` of a chart: see [`write_chart_js`].
fn write_data(
    x: &[String],
    y: &[String],
    dataset: Dataset<'_>,
    range: Option<[f64; 2]>,
    out: impl Write,
) -> Result<()> {
    let [min, max] = range.map_or([None; 2], |range| range.map(|value| Some(Number(value))));
    let data = Data { labels: Labels { x, y }, x_labels: x, y_labels: y, datasets: [dataset], min, max };
    serde_json::to_writer(out, &data).map_err(|error| Error::io("", "write", error.into()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    labels: Labels<'a>,
    /// The labels of a category axis, which Chart.js reads if the axis declares none.
    x_labels: &'a [String],
    y_labels: &'a [String],
    datasets: [Dataset<'a>; 1],
    min: Option<Number>,
    max: Option<Number>,
}

#[derive(Serialize)]
struct Labels<'a> {
    x: &'a [String],
    y: &'a [String],
}

#[derive(Serialize)]
struct Dataset<'a> {
    label: &'a str,
    data: Vec<Cell<'a>>,
}

#[derive(Serialize)]
struct Cell<'a> {
    x: &'a str,
    y: &'a str,
    value: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}
