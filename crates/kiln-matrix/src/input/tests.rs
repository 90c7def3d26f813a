//! Tests of the readers.

use kiln_core::raster::Aggregation;
use proptest::prelude::*;

use super::*;
use crate::MatrixPoint;

fn read(text: &str, format: InputFormat, options: &InputOptions) -> MatrixInput {
    MatrixInput::parse(text.as_bytes(), format, options).unwrap()
}

fn csv(text: &str) -> MatrixInput {
    read(text, InputFormat::Csv, &InputOptions::default())
}

fn json(text: &str) -> MatrixInput {
    read(text, InputFormat::Json, &InputOptions::default())
}

fn fails(text: &str, format: InputFormat, options: &InputOptions) -> String {
    MatrixInput::parse(text.as_bytes(), format, options).unwrap_err().to_string()
}

/// The labels of columns and rows, and the values.
fn cells(input: &MatrixInput) -> (Vec<&str>, Vec<&str>, Vec<Option<f64>>) {
    let ChartData::Cells(matrix) = &input.data else { panic!("{:?} are not cells", input.data) };
    (
        matrix.columns().iter().map(String::as_str).collect(),
        matrix.rows().iter().map(String::as_str).collect(),
        matrix.values().to_vec(),
    )
}

#[test]
fn rows_of_numbers_have_numbers_as_labels() {
    let expected = (vec!["1", "2"], vec!["1", "2"], vec![Some(1.0), None, Some(-2.5), Some(3.0)]);
    assert_eq!(cells(&json("[[1, null], [-2.5, 3]]")), expected);
    assert_eq!(cells(&json(r#"{"values": [[1, null], [-2.5, 3]]}"#)), expected);
    for text in ["1,\n-2.5,3\n", "\u{feff}1;NA\r\n-2,5;3", "1\tNaN\n\n-2.5\t3\n", "\"1\",-\n-2.5,3e0"] {
        assert_eq!(cells(&csv(text)), expected, "{text:?}");
    }
}

#[test]
fn labels_are_those_of_the_input_or_the_options() {
    let text = r#"{"values": [[1, 2]], "x_labels": ["a", 2020], "y_labels": ["r"], "title": "T", "vmin": 0}"#;
    let input = json(text);
    assert_eq!(cells(&input), (vec!["a", "2020"], vec!["r"], vec![Some(1.0), Some(2.0)]));
    assert_eq!(input.other.keys().collect::<Vec<_>>(), ["title", "vmin"]);
    let options = InputOptions { x_labels: Some(vec!["p".into(), "q".into()]), ..InputOptions::default() };
    assert_eq!(cells(&read(text, InputFormat::Json, &options)).0, ["p", "q"]);
    assert_eq!(cells(&read("hour,Mon,Tue\n0,1,2", InputFormat::Csv, &options)).0, ["p", "q"]);
    let error = fails("1,2,3", InputFormat::Csv, &options);
    assert_eq!(error, "x_labels: 2 labels for 3 columns");
}

#[test]
fn wide_csv_has_labels_in_its_first_row_and_column() {
    let input = csv("hour,Mon,\"Tue, 2\"\n0,1,2\n7,,4\n");
    assert_eq!(cells(&input), (vec!["Mon", "Tue, 2"], vec!["0", "7"], vec![Some(1.0), Some(2.0), None, Some(4.0)]));
    assert_eq!(input.y_title.as_deref(), Some("hour"));
    assert_eq!(cells(&csv(",0,1\nMon,5,6")).0, ["0", "1"]);
    assert_eq!(cells(&csv(",0,1\n2020,5,6")), (vec!["0", "1"], vec!["2020"], vec![Some(5.0), Some(6.0)]));
}

#[test]
fn long_csv_has_a_row_per_cell() {
    let input = csv("x,y,value\nb,Mon,1\na,Tue,2\na,Mon,\n");
    assert_eq!(cells(&input), (vec!["b", "a"], vec!["Mon", "Tue"], vec![Some(1.0), None, None, Some(2.0)]));
    let options = InputOptions {
        x: Some("hour".into()),
        y: Some("DAY".into()),
        value: Some("delay".into()),
        ..Default::default()
    };
    let input = read("day,hour,delay\nMon,10,1\nMon,9,2\nTue,09,3", InputFormat::Csv, &options);
    assert_eq!(cells(&input), (vec!["9", "10"], vec!["Mon", "Tue"], vec![Some(2.0), Some(1.0), Some(3.0), None]));
    assert_eq!(
        (input.x_title.as_deref(), input.y_title.as_deref(), input.unit.as_deref()),
        (Some("hour"), Some("DAY"), Some("delay"))
    );
}

#[test]
fn names_of_days_and_months_are_in_calendar_order() {
    let input = csv("x,y,value\nSun,March,1\nmon,January,2\nWednesday,march,3\n");
    let (columns, rows, values) = cells(&input);
    assert_eq!((columns, rows), (vec!["mon", "Wednesday", "Sun"], vec!["January", "March", "march"]));
    assert_eq!(values[..3], [Some(2.0), None, None]);
    assert_eq!(values[5..], [Some(1.0), None, Some(3.0), None]);
    let points = json(r#"[{"x": "Sun", "y": "b", "value": 1}, {"x": "Mon", "y": "a", "value": 2}]"#);
    assert_eq!(cells(&points), (vec!["Mon", "Sun"], vec!["b", "a"], vec![None, Some(1.0), Some(2.0), None]));
    let mixed = csv("x,y,value\nSun,p,1\nOther,p,2\nMon,p,3\n");
    assert_eq!(cells(&mixed).0, ["Sun", "Other", "Mon"], "not all labels are days");
}

#[test]
fn several_rows_of_a_cell_are_aggregated() {
    let text = "x,y,value\na,r,1\na,r,4\nb,r,-3\na,r,\nc,r,NA\n";
    let values = |agg: Aggregation| {
        let options = InputOptions { agg: Some(agg), ..InputOptions::default() };
        cells(&read(text, InputFormat::Csv, &options)).2
    };
    assert_eq!(values(Aggregation::Sum), [Some(5.0), Some(-3.0), None]);
    assert_eq!(values(Aggregation::Mean), [Some(2.5), Some(-3.0), None]);
    assert_eq!(values(Aggregation::Max), [Some(4.0), Some(-3.0), None]);
    assert_eq!(values(Aggregation::Count), [Some(3.0), Some(1.0), Some(1.0)], "rows, without a column of values");
    let options =
        InputOptions { agg: Some(Aggregation::Count), value: Some("value".into()), ..InputOptions::default() };
    assert_eq!(cells(&read(text, InputFormat::Csv, &options)).2, [Some(2.0), Some(1.0), None]);
    let error = fails(text, InputFormat::Csv, &InputOptions::default());
    assert_eq!(error, "agg: the cell a, r occurs in row 2 and row 3; expected it once, or agg sum, mean, count or max");
    let points = r#"{"points": [{"x": 2, "y": 1, "n": 1}, {"x": 2, "y": 1, "n": 2}], "value": "n", "agg": "mean"}"#;
    let input = json(points);
    assert_eq!(cells(&input), (vec!["2"], vec!["1"], vec![Some(1.5)]));
    assert_eq!(input.unit.as_deref(), Some("mean of n"));
}

#[test]
fn points_are_continuous_named_or_indexed() {
    let input = json(r#"[{"x": 1.5, "y": -2, "value": 3, "label": "N"}, {"x": 0, "y": 0, "value": null}]"#);
    let point = MatrixPoint { x: 1.5, y: -2.0, value: 3.0, label: Some("N".into()) };
    assert_eq!(input.data, ChartData::Points(vec![point]));
    let named = json(r#"[{"x": "b", "y": 2, "value": 1}, {"x": "a", "y": 1, "value": 2}]"#);
    assert_eq!(cells(&named), (vec!["b", "a"], vec!["1", "2"], vec![None, Some(2.0), Some(1.0), None]));
    let indexed = json(r#"{"points": [{"x": 2, "y": 0, "value": 1}], "x_labels": ["a", "b", "c"], "index": true}"#);
    assert_eq!(cells(&indexed), (vec!["a", "b", "c"], vec!["0"], vec![None, None, Some(1.0)]));
    let by_name = json(r#"{"points": [{"x": "c", "y": "r", "value": 1}], "x_labels": ["a", "b", "c"]}"#);
    assert_eq!(cells(&by_name).2, [None, None, Some(1.0)]);
    let options = InputOptions { categorical: Some(false), ..InputOptions::default() };
    let input = read("x,y,value,label\n1,2,3,p\n", InputFormat::Csv, &options);
    assert!(matches!(input.data, ChartData::Points(points) if points[0].label.as_deref() == Some("p")));
}

#[test]
fn errors_name_the_row_the_column_and_what_is_accepted() {
    let default = InputOptions::default();
    let labels = || Some(vec!["a".to_owned(), "b".to_owned()]);
    let labeled = InputOptions { x_labels: labels(), ..InputOptions::default() };
    let unknown = InputOptions { x: Some("hours".into()), ..InputOptions::default() };
    let limited = InputOptions { max_cells: 3, ..InputOptions::default() };
    let indexed = InputOptions { index: true, max_cells: 100, ..InputOptions::default() };
    let cases: Vec<(&str, InputFormat, &InputOptions, &str)> = vec![
        (" \n", InputFormat::Csv, &default, "matrix: the input is empty; expected rows of numbers or points"),
        ("1,2\n3\n", InputFormat::Csv, &default, "matrix: row 2 has 1 fields, but row 1 has 2"),
        (
            ",a,b\nr,1,two\n",
            InputFormat::Csv,
            &default,
            "matrix: row 2, column 3 is `two` where a number or an empty field is expected",
        ),
        (
            ",a\nr,inf\n",
            InputFormat::Csv,
            &default,
            "matrix: row 2, column 2 is `inf`, which is not finite, where a number or an empty field is expected",
        ),
        (
            "hour,day,value\n1,2,3\n",
            InputFormat::Csv,
            &unknown,
            "x: no column is named `hours`; the columns are hour, day, value",
        ),
        (
            "x,y,value\na,b,c\n",
            InputFormat::Csv,
            &default,
            "matrix: row 2, column value is `c` where a number or an empty field is expected",
        ),
        (
            "x,y,value\n",
            InputFormat::Csv,
            &default,
            "matrix: there are no rows below the header; expected at least one",
        ),
        (
            "x,y,value\n,b,1\n",
            InputFormat::Csv,
            &default,
            "matrix: row 2, column 1 is empty where a name or number is expected",
        ),
        ("x,y,value\nc,b,1\n", InputFormat::Csv, &labeled, "x_labels: row 2 has the x `c`, which is none of a, b"),
        ("1,2\n3,4\n", InputFormat::Csv, &limited, "matrix: 4 cells or more exceed the limit of 3, limits.cells"),
        (
            "[[1, 2], [3, 4]]",
            InputFormat::Json,
            &limited,
            "matrix: 4 cells or more exceed the limit of 3, limits.cells",
        ),
        (
            "x,y,value\na,b,1\nc,d,1\n",
            InputFormat::Csv,
            &limited,
            "matrix: 4 cells of 2 columns and 2 rows exceed the limit of 3, limits.cells",
        ),
        ("[[1], [2, 3]]", InputFormat::Json, &default, "matrix: row 2 has 2 values, but row 1 has 1"),
        ("[[]]", InputFormat::Json, &default, "matrix: row 1 has no values; expected at least one"),
        (
            "[[\"1\"]]",
            InputFormat::Json,
            &default,
            "matrix: row 1, column 1 is the text `1` where a number or null is expected",
        ),
        ("[]", InputFormat::Json, &default, "matrix: the array is empty; expected rows of numbers or points"),
        ("3", InputFormat::Json, &default, "matrix: a number where an object or an array is expected"),
        ("{\"a\": 1}", InputFormat::Json, &default, "matrix: the object has neither values nor points; its keys are a"),
        ("[{\"x\": 1}]", InputFormat::Json, &default, "matrix: point 1 has no key `value`; its keys are x"),
        (
            "[{\"x\": 1, \"y\": true, \"value\": 1}]",
            InputFormat::Json,
            &default,
            "matrix: point 1: y is a boolean where a number or text is expected",
        ),
        (
            "[{\"x\": 5, \"y\": 0, \"value\": 1}]",
            InputFormat::Json,
            &labeled,
            "x_labels: point 1 has the x 5; expected an index of the 2 labels, 0 to 1",
        ),
        (
            "[{\"x\": 0.5, \"y\": 0, \"value\": 1}]",
            InputFormat::Json,
            &indexed,
            "matrix: point 1: x `0.5` is not an index; expected a whole number from 0",
        ),
        (
            "[{\"x\": 1e9, \"y\": 0, \"value\": 1}]",
            InputFormat::Json,
            &indexed,
            "matrix: 1000000001 columns or rows exceed the limit of 100, limits.cells",
        ),
    ];
    for (text, format, options, expected) in cases {
        assert_eq!(fails(text, format, options), expected);
    }
}

#[test]
fn invalid_json_and_text_are_errors_with_their_place() {
    let default = InputOptions::default();
    let error = fails("[[1, NaN]]", InputFormat::Json, &default);
    assert!(error.starts_with("matrix: the JSON is invalid: expected value at line 1 column"), "{error}");
    let error = MatrixInput::parse(b"1,2\n\xff", InputFormat::Csv, &default).unwrap_err().to_string();
    assert_eq!(error, "matrix: byte 5 is not UTF-8; expected text in UTF-8");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_is_read_or_rejected(
        text in "[\\[\\]{}\",:;0-9.xy a-c\n\t-]{0,60}",
        header in prop::sample::select(vec!["", "x,y,value\n", ",a,b\n", "[[", "[{\"x\":1,\"y\":"]),
        agg in prop::option::of(prop::sample::select(vec![Aggregation::Count, Aggregation::Mean])),
        index in any::<bool>(),
    ) {
        let options = InputOptions { agg, index, max_cells: 1000, ..InputOptions::default() };
        for format in [InputFormat::Json, InputFormat::Csv] {
            if let Err(error) = MatrixInput::parse(format!("{header}{text}").as_bytes(), format, &options) {
                prop_assert!(!error.to_string().is_empty() && error.to_string().lines().count() == 1, "{}", error);
            }
        }
    }
}

#[test]
fn a_leading_tab_is_an_empty_corner() {
    let input = MatrixInput::parse(b"\ta\nr\t1\n", InputFormat::Csv, &InputOptions::default()).unwrap();
    let matrix = Matrix::new(vec!["a".to_owned()], vec!["r".to_owned()], vec![Some(1.0)]).unwrap();
    assert_eq!(input.data, ChartData::Cells(matrix));
}
