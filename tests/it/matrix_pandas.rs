//! Matrices against pandas: pivot tables of the same CSV file, which `matrix_pandas.py` computes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::arrow::python;
use crate::kiln::kiln;
use crate::server::Server;

/// The values that are not missing, by the keys of column and row.
fn cells(matrix: &Value) -> BTreeMap<String, f64> {
    let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    let keys = |axis: &str| matrix[axis]["keys"].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
    let (x, y) = (keys("x"), keys("y"));
    let mut cells = BTreeMap::new();
    for (row, values) in y.iter().zip(matrix["values"].as_array().unwrap()) {
        for (column, value) in x.iter().zip(values.as_array().unwrap()) {
            cells.extend(value.as_f64().map(|value| (format!("{column}|{row}"), value)));
        }
    }
    cells
}

#[test]
fn matrices_have_the_values_of_pandas_cell_for_cell() {
    let home = tempfile::tempdir().unwrap();
    let oracle = python(home.path(), include_str!("matrix_pandas.py"));
    let columns = "--weight delay --category-column carrier";
    kiln(home.path(), format!("import flights.csv --layer stored {columns}").split(' ')).done();
    let config = "[layers.file]\ninput = \"flights.csv\"\nweight = \"delay\"\ncategory = \"carrier\"\n";
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    let server = Server::at(home, &[]);
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 44);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let (zone, x, y, agg) = (text("zone"), text("x"), text("y"), text("agg"));
        let filter = match case["rows"].as_str() {
            Some("weekends") => "&weekdays=sat-sun&hours=1-3",
            Some("november") => "&start=2024-11-02&end=2024-11-05",
            _ => "",
        };
        let expected: BTreeMap<String, f64> = serde_json::from_value(case["cells"].clone()).unwrap();
        assert!(expected.len() > 20, "{x} {y} {agg}");
        let y = if y == "carrier" { "category" } else { y };
        for layer in ["stored", "file"] {
            let path = format!("/{layer}/matrix?x={x}&y={y}&agg={agg}&tz={zone}{filter}");
            let matrix = server.get(&path).ok(200).json();
            assert_eq!((&matrix["tz"], &matrix["unplaced"]), (&zone.into(), &0.into()), "{path}");
            let found = cells(&matrix);
            assert_eq!(found.len(), expected.len(), "{path}");
            for (key, value) in &expected {
                let found = found.get(key).unwrap_or_else(|| panic!("{path}: {key} is missing"));
                let tolerance = if agg == "mean" { value.abs() * 1e-12 } else { 0.0 };
                assert!((found - value).abs() <= tolerance, "{path}: {key} is {found}, not {value}");
            }
        }
    }
}
