//! Matrices as data of Chart.js.

use std::io::Write;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use serde_json::Value;

use super::MAX_TEXT_BYTES;
use crate::Matrix;

/// The bytes of a cell without its labels: keys, punctuation, a value and a count.
const CELL_BYTES: u64 = 64;

/// Writes the `data` object of a Chart.js chart of the type `matrix`, with additional `labels.x` and `labels.y`.
///
/// `{"labels": {"x": […], "y": […]}, "xLabels": […], "yLabels": […], "datasets": [{"label": label, "data": [{"x": "7", "y":
/// "Mon", "value": 12.5, "count": 3}, …]}], "min": …, "max": …}`. Missing cells are omitted; `min` and `max` are null if
/// all are missing. `counts` are numbers of points, in the order of the values.
///
/// # Errors
/// [`Error::Invalid`] for `format` if the labels of all cells would exceed 64 MiB; [`Error::Io`] if `out` fails.
pub fn write_chartjs(matrix: &Matrix, counts: Option<&[u64]>, label: &str, mut out: impl Write) -> Result<()> {
    let quoted = |labels: &[String]| labels.iter().map(|label| Value::from(label.as_str()).to_string()).collect();
    let (columns, rows): (Vec<String>, Vec<String>) = (quoted(matrix.columns()), quoted(matrix.rows()));
    check_size(matrix, &columns, &rows)?;
    write(matrix, counts, label, (&columns, &rows), &mut out).map_err(|error| Error::io("", "write", error))
}

/// Checks the size before any cell is written: each repeats the labels of its column and row.
fn check_size(matrix: &Matrix, columns: &[String], rows: &[String]) -> Result<()> {
    let mut bytes = 0_u64;
    for (values, row) in matrix.values().chunks(columns.len().max(1)).zip(rows) {
        let cells = columns.iter().zip(values).filter(|(_, value)| value.is_some());
        bytes += cells.map(|(column, _)| CELL_BYTES + (column.len() + row.len()) as u64).sum::<u64>();
    }
    if bytes <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let (mib, max) = (bytes.div_ceil(1 << 20), MAX_TEXT_BYTES >> 20);
    let message = format!(
        "chartjs repeats the labels in each cell, and about {mib} MiB exceed the limit of {max} MiB; use json, which has \
         each label once"
    );
    Err(Error::invalid(Parameter::FORMAT, message))
}

fn write(
    matrix: &Matrix,
    counts: Option<&[u64]>,
    label: &str,
    (columns, rows): (&[String], &[String]),
    out: &mut impl Write,
) -> std::io::Result<()> {
    let (x, y) = (columns.join(","), rows.join(","));
    write!(out, "{{\"labels\":{{\"x\":[{x}],\"y\":[{y}]}},\"xLabels\":[{x}],\"yLabels\":[{y}],")?;
    write!(out, "\"datasets\":[{{\"label\":{},\"data\":[", Value::from(label))?;
    let mut separator = "";
    for (index, value) in matrix.values().iter().enumerate() {
        let Some(value) = value else { continue };
        let (column, row) = (&columns[index % columns.len()], &rows[index / columns.len()]);
        write!(out, "{separator}{{\"x\":{column},\"y\":{row},\"value\":{}", Value::from(*value))?;
        if let Some(count) = counts.and_then(|counts| counts.get(index)) {
            write!(out, ",\"count\":{count}")?;
        }
        out.write_all(b"}")?;
        separator = ",";
    }
    let [min, max] = matrix.range().map_or([Value::Null, Value::Null], |range| range.map(Value::from));
    write!(out, "]}}],\"min\":{min},\"max\":{max}}}")?;
    out.flush()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chartjs(matrix: &Matrix, counts: Option<&[u64]>, label: &str) -> Value {
        let mut bytes = Vec::new();
        write_chartjs(matrix, counts, label, &mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn points_have_labels_values_and_counts_and_missing_cells_are_omitted() {
        let labels = |labels: [&str; 2]| labels.map(str::to_owned).to_vec();
        let values = vec![Some(1.5), None, None, Some(2.0)];
        let matrix = Matrix::new(labels(["0", "\"1\"\n"]), labels(["Mon", "Tue"]), values).unwrap();
        let expected = json!({
            "labels": {"x": ["0", "\"1\"\n"], "y": ["Mon", "Tue"]},
            "xLabels": ["0", "\"1\"\n"],
            "yLabels": ["Mon", "Tue"],
            "datasets": [{"label": "mean", "data": [
                {"x": "0", "y": "Mon", "value": 1.5, "count": 3},
                {"x": "\"1\"\n", "y": "Tue", "value": 2.0, "count": 9},
            ]}],
            "min": 1.5,
            "max": 2.0,
        });
        assert_eq!(chartjs(&matrix, Some(&[3, 0, 0, 9]), "mean"), expected);
        let empty = Matrix::new(labels(["0", "1"]), vec!["r".to_owned()], vec![None, None]).unwrap();
        let empty = chartjs(&empty, None, "");
        assert_eq!((&empty["min"], &empty["datasets"][0]["data"]), (&Value::Null, &json!([])));
    }

    #[test]
    fn long_labels_in_many_cells_are_an_error_that_names_json() {
        let labels = vec!["x".repeat(10_000); 100];
        let matrix = |values| Matrix::new(labels.clone(), labels.clone(), values).unwrap();
        let mut bytes = Vec::new();
        let error = write_chartjs(&matrix(vec![Some(1.0); 10_000]), None, "", &mut bytes).unwrap_err().to_string();
        assert!(error.starts_with("format: chartjs repeats the labels") && error.contains("use json"), "{error}");
        assert!(bytes.is_empty());
        let mut few = vec![None; 10_000];
        few[7] = Some(1.0);
        assert!(write_chartjs(&matrix(few), None, "", &mut bytes).is_ok());
    }
}
