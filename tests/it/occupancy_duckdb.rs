//! Occupancy grids against `DuckDB`: counts per cell of the same Parquet file, which `occupancy_duckdb.py` groups.

use std::collections::BTreeMap;

use crate::arrow::python;
use crate::kiln::kiln;

/// Counts by the bits of the center of a cell.
fn counts<'a>(cells: impl Iterator<Item = (&'a str, &'a str, u64)>) -> BTreeMap<[u64; 2], u64> {
    let bits = |number: &str| number.parse::<f64>().unwrap().to_bits();
    cells.map(|(x, y, count)| ([bits(x), bits(y)], count)).collect()
}

#[test]
fn grids_have_the_counts_of_duckdb_cell_for_cell() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let oracle = python(home, include_str!("occupancy_duckdb.py"));
    let import = "import detections.parquet --layer floor --crs plane --category-column space";
    kiln(home, import.split(' ')).done();
    let cases = oracle["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 18);
    for case in cases {
        let (side, day) = (&case["side"], |index: usize| case["days"][index].as_u64().unwrap() + 1);
        let end = if day(1) > 31 { "2024-01-31".to_owned() } else { format!("2024-01-{:02}", day(1)) };
        let range = format!("--resolution {side} --start 2024-01-{:02} --end {end}", day(0));
        let floor = case["floor"].as_str().map(|floor| format!(" --category {floor}")).unwrap_or_default();
        let expected = case["cells"].as_object().unwrap();
        let expected = counts(expected.iter().map(|(center, count)| {
            let (x, y) = center.split_once(',').unwrap();
            (x, y, count.as_u64().unwrap())
        }));
        assert!(expected.len() >= 4);
        // The stored layer, and the file itself.
        for input in ["floor", "detections.parquet --crs plane --category-column space"] {
            let run = kiln(home, format!("grid {input} {range}{floor} -q").split(' '));
            let text = String::from_utf8(run.stdout.clone()).unwrap();
            let found = counts(text.lines().skip(1).map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                (fields[0], fields[1], fields[2].parse().unwrap())
            }));
            assert!(found == expected, "{input} {range}{floor}: {}", run.stderr);
        }
    }
}
