//! Matrices as data of Chart.js.

use serde_json::{Map, Value, json};

use crate::Matrix;

/// The `data` object of a Chart.js chart of the type `matrix`, with additional `labels.x` and `labels.y`.
///
/// `{"labels": {"x": […], "y": […]}, "xLabels": […], "yLabels": […], "datasets": [{"label": label, "data": [{"x": "7", "y":
/// "Mon", "value": 12.5, "count": 3}, …]}], "min": …, "max": …}`. Missing cells are omitted; `min` and `max` are null if
/// all are missing. `counts` are numbers of points, in the order of the values.
pub fn chartjs(matrix: &Matrix, counts: Option<&[u64]>, label: &str) -> Value {
    let (columns, rows) = (matrix.columns(), matrix.rows());
    let mut data = Vec::new();
    for (index, value) in matrix.values().iter().enumerate() {
        let Some(value) = value else { continue };
        let mut point = Map::new();
        point.insert("x".to_owned(), json!(columns[index % columns.len()]));
        point.insert("y".to_owned(), json!(rows[index / columns.len()]));
        point.insert("value".to_owned(), json!(value));
        if let Some(count) = counts.and_then(|counts| counts.get(index)) {
            point.insert("count".to_owned(), json!(count));
        }
        data.push(Value::Object(point));
    }
    let (min, max) = matrix.range().map_or((None, None), |[min, max]| (Some(min), Some(max)));
    json!({
        "labels": {"x": columns, "y": rows},
        "xLabels": columns,
        "yLabels": rows,
        "datasets": [{"label": label, "data": data}],
        "min": min,
        "max": max,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn points_have_labels_values_and_counts_and_missing_cells_are_omitted() {
        let labels = |labels: [&str; 2]| labels.map(str::to_owned).to_vec();
        let values = vec![Some(1.5), None, None, Some(2.0)];
        let matrix = Matrix::new(labels(["0", "1"]), labels(["Mon", "Tue"]), values).unwrap();
        let expected = json!({
            "labels": {"x": ["0", "1"], "y": ["Mon", "Tue"]},
            "xLabels": ["0", "1"],
            "yLabels": ["Mon", "Tue"],
            "datasets": [{"label": "mean", "data": [
                {"x": "0", "y": "Mon", "value": 1.5, "count": 3},
                {"x": "1", "y": "Tue", "value": 2.0, "count": 9},
            ]}],
            "min": 1.5,
            "max": 2.0,
        });
        assert_eq!(chartjs(&matrix, Some(&[3, 0, 0, 9]), "mean"), expected);
        let empty = Matrix::new(labels(["0", "1"]), vec!["r".to_owned()], vec![None, None]).unwrap();
        let empty = chartjs(&empty, None, "");
        assert_eq!((&empty["min"], &empty["datasets"][0]["data"]), (&Value::Null, &json!([])));
    }
}
