//! The JSON of a matrix.

use std::io::Write;

use kiln_matrix::Matrix;
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::Number;
use crate::error::{Error, Result};
use crate::matrix::{AxisKey, ChartTexts, LabeledAxis, LayerMatrix};
use crate::parameters::time_text;

/// Writes a matrix as a JSON object: axes, values and counts row by row, and what they are. Missing values are null.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_json(matrix: &LayerMatrix, out: impl Write) -> Result<()> {
    let [min, max] = matrix.matrix.range().map_or([None; 2], |range| range.map(|value| Some(Number(value))));
    let time = |time_us: Option<i64>| time_us.map(time_text);
    let json = MatrixJson {
        x: AxisJson::of(&matrix.x),
        y: AxisJson::of(&matrix.y),
        values: Rows {
            cells: matrix.matrix.values(),
            columns: matrix.x.labels.len(),
            to: |value: &Option<f64>| value.map(Number),
        },
        counts: Rows { cells: &matrix.counts, columns: matrix.x.labels.len(), to: |count: &u64| *count },
        min,
        max,
        agg: matrix.aggregate.to_string(),
        value: matrix.value.as_deref(),
        unit: &matrix.unit,
        tz: &matrix.zone,
        start: time(matrix.time_us[0]),
        end: time(matrix.time_us[1]),
        total: matrix.total,
        unplaced: matrix.unplaced,
        axes: &matrix.axes,
        numbers: &matrix.numbers,
    };
    serde_json::to_writer(out, &json).map_err(|error| Error::io("", "write", error.into()))
}

/// Writes a matrix without points as a JSON object: labels, and values row by row. Missing values are null.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_table_json(matrix: &Matrix, texts: &ChartTexts, out: impl Write) -> Result<()> {
    let [min, max] = matrix.range().map_or([None; 2], |range| range.map(|value| Some(Number(value))));
    let (columns, to) = (matrix.columns().len(), |value: &Option<f64>| value.map(Number));
    let json = TableJson {
        x: LabelsJson { title: &texts.x_title, labels: matrix.columns() },
        y: LabelsJson { title: &texts.y_title, labels: matrix.rows() },
        values: Rows { cells: matrix.values(), columns, to },
        min,
        max,
        unit: &texts.unit,
    };
    serde_json::to_writer(out, &json).map_err(|error| Error::io("", "write", error.into()))
}

#[derive(Serialize)]
struct TableJson<'a, V: Serialize> {
    x: LabelsJson<'a>,
    y: LabelsJson<'a>,
    values: V,
    min: Option<Number>,
    max: Option<Number>,
    unit: &'a str,
}

#[derive(Serialize)]
struct LabelsJson<'a> {
    title: &'a str,
    labels: &'a [String],
}

#[derive(Serialize)]
struct MatrixJson<'a, V: Serialize, C: Serialize> {
    x: AxisJson<'a>,
    y: AxisJson<'a>,
    values: V,
    counts: C,
    min: Option<Number>,
    max: Option<Number>,
    agg: String,
    value: Option<&'a str>,
    unit: &'a str,
    tz: &'a str,
    start: Option<String>,
    end: Option<String>,
    total: u64,
    unplaced: u64,
    axes: &'a [String],
    numbers: &'a [String],
}

#[derive(Serialize)]
struct AxisJson<'a> {
    axis: &'a str,
    title: &'a str,
    labels: &'a [String],
    keys: Vec<KeyJson<'a>>,
}

impl<'a> AxisJson<'a> {
    fn of(axis: &'a LabeledAxis) -> Self {
        let LabeledAxis { name, title, labels, keys } = axis;
        Self { axis: name, title, labels, keys: keys.iter().map(KeyJson::of).collect() }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum KeyJson<'a> {
    Integer(i64),
    Text(&'a str),
    Bin([Number; 2]),
}

impl<'a> KeyJson<'a> {
    fn of(key: &'a AxisKey) -> Self {
        match key {
            AxisKey::Integer(key) => Self::Integer(*key),
            AxisKey::Text(key) => Self::Text(key),
            AxisKey::Bin(edges) => Self::Bin(edges.map(Number)),
        }
    }
}

/// Cells as an array of rows.
struct Rows<'a, T, F> {
    cells: &'a [T],
    columns: usize,
    to: F,
}

impl<T, S: Serialize, F: Fn(&T) -> S> Serialize for Rows<'_, T, F> {
    fn serialize<R: Serializer>(&self, serializer: R) -> Result<R::Ok, R::Error> {
        let rows = self.cells.chunks(self.columns.max(1));
        let mut list = serializer.serialize_seq(Some(rows.len()))?;
        for row in rows {
            list.serialize_element(&row.iter().map(&self.to).collect::<Vec<S>>())?;
        }
        list.end()
    }
}
