//! Charts of matrices and points have their pictures.

use std::io::Cursor;

use kiln::color::Scheme;
use kiln::kiln_matrix::{CellShape, Chart, ChartData, Matrix, MatrixPoint};

use crate::golden::{self, Picture};

/// Compares the PNG of a chart with its reference.
fn check(name: &str, chart: &Chart) {
    golden::check(&format!("matrix/{name}"), &Picture::decode(Cursor::new(chart.png().unwrap())).unwrap());
}

fn labels(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

/// A chart of a smooth surface from −2 to 9, of which every `missing`-th value is missing.
fn surface(columns: Vec<String>, rows: Vec<String>, missing: usize) -> Chart {
    let (width, height) = (columns.len(), rows.len());
    let value = |index: usize| {
        let (x, y) = ((index % width) as f64 / width as f64, (index / width) as f64 / height as f64);
        // A parabola, because the last digits of sines and cosines differ between platforms.
        let value = 9.0 - 30.0 * (x - 0.4).powi(2) - 12.0 * (y - 0.3).powi(2);
        (index % missing != missing - 1).then_some((value * 8.0).round() / 8.0)
    };
    Chart::new(ChartData::Cells(Matrix::new(columns, rows, (0..width * height).map(value).collect()).unwrap()))
}

#[test]
fn values_are_written_in_cells_that_have_space() {
    let names = labels(&["Latency", "Errors", "Throughput"]);
    let chart = surface(labels(&["web", "api", "db"]), names, 100).with_title("Service health").with_unit("ms");
    check("values", &chart);
}

#[test]
fn a_week_has_all_labels_missing_values_and_values_beyond_the_range() {
    let days = labels(&["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]);
    let mut chart =
        surface(numbers(24), days, 23).with_title("Delay by hour and weekday").with_axis_titles("hour", "weekday");
    chart = chart.with_unit("mean of delay in minutes").with_range(Some(1.0), Some(8.0));
    chart.cell_size = Some(16.0);
    check("week", &chart);
}

#[test]
fn labels_of_large_matrices_are_thinned() {
    let rows = (0..200).map(|row| format!("server {row}")).collect();
    let mut chart = surface(numbers(50), rows, 31).with_scheme(Scheme::named("rdbu_r").unwrap());
    chart.cell_size = Some(2.0);
    check("large", &chart);
}

#[test]
fn long_labels_are_shortened_and_missing_glyphs_are_boxes() {
    let long = "A label that does not fit ".repeat(400);
    let columns = labels(&[&long, "😀 emoji", "שלום", ""]);
    let rows = labels(&["<b>bold</b>", "日本語", &long]);
    let mut chart = surface(columns, rows, 5).with_title(&long).with_axis_titles(&long, &long).with_unit(&long);
    chart.cell_size = Some(30.0);
    check("labels", &chart);
}

#[test]
fn dots_have_a_border_and_their_values() {
    let mut chart =
        surface(labels(&["a", "b", "c"]), labels(&["p", "q"]), 5).with_scheme(Scheme::named("heat").unwrap());
    (chart.shape, chart.dot_size, chart.pixel_ratio) = (Some(CellShape::Dot), 0.9, 2.0);
    chart.legend = false;
    check("dots", &chart);
}

#[test]
fn points_have_axes_and_labels() {
    let point = |x, y, value, label: &str| {
        let label = (!label.is_empty()).then(|| label.to_owned());
        MatrixPoint { x, y, value, label }
    };
    let points = vec![
        point(1.0, 2.0, 120.0, "North"),
        point(2.5, 3.5, 340.0, "South"),
        point(3.0, 1.0, 90.0, ""),
        point(4.2, 2.8, 210.0, "West"),
        point(2.6, 3.4, 280.0, "Center"),
    ];
    let chart = Chart::new(ChartData::Points(points)).with_title("Sales by region").with_unit("k€");
    check("points", &chart.clone().with_axis_titles("stores", "visits"));
    let mut bare = chart;
    (bare.axes, bare.legend) = (false, false);
    check("points_bare", &bare);
}
