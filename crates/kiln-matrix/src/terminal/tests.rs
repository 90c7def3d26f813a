//! Tests of text for terminals.

use crate::label::columns_of;
use crate::{Chart, ChartData, Matrix, MatrixPoint, ShowValues};

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn chart() -> Chart {
    let values = vec![Some(1.0), None, Some(2.5), Some(10.0), Some(-3.0), Some(0.0)];
    let matrix = Matrix::new(labels(&["a", "b", "c"]), labels(&["Mon", "Tuesday"]), values).unwrap();
    Chart::new(ChartData::Cells(matrix)).with_title("Load").with_unit("%")
}

/// The text without ANSI sequences.
fn without_colors(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn cells_have_values_if_they_fit() {
    let expected = "Load\n\
        Mon       1.0  ·    2.5\n\
        Tuesday  10.0 −3.0  0.0\n\
        \u{20}       a    b    c\n\
        −3.0 to 10.0 %\n\
        · no value\n";
    assert_eq!(chart().text(60, false).unwrap(), expected);
}

#[test]
fn cells_without_space_for_values_have_digits() {
    let mut chart = chart();
    chart.show_values = ShowValues::Never;
    let expected = "Load\n\
        Mon      3 · 4\n\
        Tuesday  9 0 2\n\
        \u{20}       a b c\n\
        0 = −3.0, 9 = 10.0 %\n\
        · no value\n";
    assert_eq!(chart.text(60, false).unwrap(), expected);
    (chart.axes, chart.legend) = (false, false);
    assert_eq!(chart.text(60, false).unwrap(), "Load\n 3 · 4\n 9 0 2\n");
}

#[test]
fn axes_have_titles_unless_their_labels_are_days_or_months() {
    let chart = chart().with_axis_titles("server", "weekday");
    let expected = "Load\n\
        Mon       1.0  ·    2.5\n\
        Tuesday  10.0 −3.0  0.0\n\
        \u{20}       a    b    c\n\
        \u{20}       server\n\
        −3.0 to 10.0 %\n\
        · no value\n";
    assert_eq!(chart.text(60, false).unwrap(), expected);
    let matrix = Matrix::new(labels(&["a"]), labels(&["p", "q"]), vec![Some(1.0), Some(2.0)]).unwrap();
    let chart = Chart::new(ChartData::Cells(matrix)).with_axis_titles("server", "rack");
    assert_eq!(chart.text(60, false).unwrap(), "p     1\nq     2\nrack a\n     server\n1 to 2\n");
}

#[test]
fn colors_are_backgrounds_and_missing_values_have_none() {
    let text = chart().text(60, true).unwrap();
    assert!(text.contains("\u{1b}[48;2;254;232;37;38;2;0;0;0m"), "the maximum is yellow with black text: {text:?}");
    assert!(text.contains("\u{1b}[48;2;68;1;84;38;2;255;255;255m"), "the minimum is purple with white text: {text:?}");
    let first = text.lines().nth(1).unwrap();
    assert_eq!(first.matches("\u{1b}[48").count(), 2, "{first:?}");
    assert!(text.lines().all(|line| !line.contains('\u{1b}') || line.matches("\u{1b}[0m").count() > 0));
}

#[test]
fn columns_that_do_not_fit_are_averaged_and_no_line_is_too_wide() {
    let names: Vec<String> = (0..100).map(|index| format!("column {index}")).collect();
    let values = (0..200).map(|index| Some(f64::from(index % 100))).collect();
    let matrix = Matrix::new(names, labels(&["a long name of the first row", "日本語のラベル"]), values).unwrap();
    let chart = Chart::new(ChartData::Cells(matrix)).with_title("T".repeat(500)).with_unit("u".repeat(500));
    for columns in [20, 21, 40, 80, 400] {
        for colors in [true, false] {
            let text = without_colors(&chart.text(columns, colors).unwrap());
            for line in text.lines() {
                assert!(columns_of(line) <= columns, "{columns}: {line:?}");
            }
            assert_eq!(text.lines().last() == Some("Each cell is the mean of 4 columns."), columns == 80, "{text}");
        }
    }
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let matrix = Matrix::new(labels(&["\u{1b}[2J"]), labels(&["a\u{202e}b\r\n"]), vec![Some(1.0)]).unwrap();
    let chart = Chart::new(ChartData::Cells(matrix)).with_title("\u{1b}]0;x\u{7}").with_unit("\u{9b}31m");
    let text = chart.text(80, false).unwrap();
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
}

#[test]
fn points_have_labels_where_there_is_space() {
    let point = |x, y, value, label: &str| MatrixPoint { x, y, value, label: Some(label.to_owned()) };
    let points = vec![point(0.0, 0.0, 1.0, "West"), point(9.0, 5.0, 2.0, "East"), point(0.0, 0.0, 3.0, "Other")];
    let chart = Chart::new(ChartData::Points(points));
    let text = chart.text(40, false).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].trim_start(), "East 5");
    assert_eq!(lines[23], "9 West");
    assert_eq!(lines[24..], ["x: 0 to 9, y: 0 to 5", "0 = 1, 9 = 3"]);
    assert!(!text.contains("Other"));
}
