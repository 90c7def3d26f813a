//! Matrices against pandas: pivot tables of the same CSV file, which `matrix_pandas.py` computes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::arrow::python;
use crate::kiln::kiln;

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
    let home = home.path();
    let oracle = python(home, include_str!("matrix_pandas.py"));
    let columns = "--weight delay --category-column carrier";
    kiln(home, format!("import flights.csv --layer flights {columns}").split(' ')).done();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 44);
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap();
        let (zone, x, y, agg) = (text("zone"), text("x"), text("y"), text("agg"));
        let filter = match case["rows"].as_str() {
            Some("weekends") => "--weekdays sat-sun --hours 1-3",
            Some("november") => "--start 2024-11-02 --end 2024-11-05",
            _ => "",
        };
        let expected: BTreeMap<String, f64> = serde_json::from_value(case["cells"].clone()).unwrap();
        assert!(expected.len() > 20, "{x} {y} {agg}");
        // The stored layer, and the file itself.
        for (input, category) in [("flights", "category"), ("flights.csv", "carrier")] {
            let y = if y == "carrier" { category } else { y };
            let line = format!("matrix {input} --x {x} --y {y} --agg {agg} --tz {zone} {filter} -q -o - --format json");
            let value = if input == "flights.csv" { " --value delay" } else { "" };
            let run = kiln(home, format!("{line}{value}").split_whitespace());
            assert_eq!(run.code, 0, "{line}: {}", run.stderr);
            let matrix: Value = serde_json::from_slice(&run.stdout).unwrap();
            assert_eq!((&matrix["tz"], &matrix["unplaced"]), (&zone.into(), &0.into()), "{line}");
            let found = cells(&matrix);
            assert_eq!(found.len(), expected.len(), "{line}");
            for (key, value) in &expected {
                let found = found.get(key).unwrap_or_else(|| panic!("{line}: {key} is missing"));
                let tolerance = if agg == "mean" { value.abs() * 1e-12 } else { 0.0 };
                assert!((found - value).abs() <= tolerance, "{line}: {key} is {found}, not {value}");
            }
        }
    }
}
