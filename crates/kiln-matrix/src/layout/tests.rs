//! Tests of layouts: every text is within the picture, and no two overlap.

use kiln_core::color::Scheme;
use kiln_core::error::Error;
use kiln_formats::encode::paint::{Anchor, Rect};
use proptest::prelude::*;

use super::{color_scale, layout};
use crate::label::Measure;
use crate::scene::{Fill, Item, MISSING, Scene, Text};
use crate::stop::Stop;
use crate::{CellShape, Chart, ChartData, Matrix, MatrixPoint, ShowValues, ValueFormat};

/// The heights above and below the baseline of letters without accents, in em.
const ASCENT: f32 = 0.76;
const DESCENT: f32 = 0.24;

/// The rectangle that a text covers.
fn bounds(text: &Text, measure: &Measure) -> Rect {
    let width = measure.width(text.style.size, &text.content);
    let before = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let (above, height) = (ASCENT * text.style.size, (ASCENT + DESCENT) * text.style.size);
    if text.upward {
        Rect { x: text.x - above, y: text.y + before - width, width: height, height: width }
    } else {
        Rect { x: text.x - before, y: text.y - above, width, height }
    }
}

fn texts(scene: &Scene) -> Vec<(&str, Rect)> {
    let measure = Measure::new().unwrap();
    let texts = scene.items.iter().filter_map(|item| match item {
        Item::Text(text) => Some((text.content.as_str(), bounds(text, &measure))),
        _ => None,
    });
    texts.collect()
}

/// Checks that texts are within the picture, overlap neither each other nor the color bar, and are in order.
fn check(scene: &Scene) {
    let texts = texts(scene);
    let tolerance = 0.6;
    for (text, rect) in &texts {
        assert!(
            rect.x >= 0.0
                && rect.y >= 0.0
                && rect.x + rect.width <= scene.width
                && rect.y + rect.height <= scene.height,
            "{text} at {rect:?} exceeds {}×{}",
            scene.width,
            scene.height
        );
    }
    let overlap = |a: &Rect, b: &Rect| {
        a.x + tolerance < b.x + b.width
            && b.x + tolerance < a.x + a.width
            && a.y + tolerance < b.y + b.height
            && b.y + tolerance < a.y + a.height
    };
    for (index, (text, rect)) in texts.iter().enumerate() {
        for (other, other_rect) in &texts[..index] {
            assert!(!overlap(rect, other_rect), "{text:?} at {rect:?} overlaps {other:?} at {other_rect:?}");
        }
        for item in &scene.items {
            if let Item::Bar { rect: bar } = item {
                assert!(!overlap(rect, bar), "{text:?} at {rect:?} overlaps the color bar");
            }
        }
    }
}

fn labels(count: usize, label: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(label).collect()
}

fn matrix(columns: Vec<String>, rows: Vec<String>) -> ChartData {
    let count = columns.len() * rows.len();
    ChartData::Cells(Matrix::new(columns, rows, (0..count).map(|i| Some(i as f64 / 7.0)).collect()).unwrap())
}

#[test]
fn labels_fit_at_all_sizes() {
    for (columns, rows) in [(1, 1), (3, 3), (24, 7), (7, 24), (200, 50), (50, 200), (1000, 1), (1, 1000)] {
        for length in [1, 12, 40, 10_000] {
            let label = |index: usize| format!("{index} {}", "m".repeat(length));
            let data = matrix(labels(columns, label), labels(rows, label));
            let titled = Chart::new(data.clone()).with_title("T".repeat(length)).with_axis_titles(label(0), label(1));
            check(&layout(&titled.with_unit(label(2)), 1.0, false, Stop::NEVER).unwrap());
            check(&layout(&Chart::new(data), 1.0, false, Stop::NEVER).unwrap());
        }
    }
}

#[test]
fn every_label_of_usual_matrices_is_drawn() {
    let hours = labels(24, |hour| hour.to_string());
    let days = labels(7, |day| format!("day {day}"));
    let scene = layout(&Chart::new(matrix(hours.clone(), days.clone())), 1.0, false, Stop::NEVER).unwrap();
    let drawn: Vec<&str> = texts(&scene).into_iter().map(|(text, _)| text).collect();
    assert!(hours.iter().chain(&days).all(|label| drawn.contains(&label.as_str())), "{drawn:?}");
}

#[test]
fn labels_of_many_columns_are_thinned_evenly() {
    let scene = layout(
        &Chart::new(matrix(labels(200, |i| i.to_string()), labels(2, |_| String::new()))),
        1.0,
        false,
        Stop::NEVER,
    );
    let scene = scene.unwrap();
    let drawn: Vec<&str> = texts(&scene).into_iter().map(|(text, _)| text).collect();
    assert!(drawn.contains(&"0") && drawn.contains(&"10") && drawn.contains(&"190") && !drawn.contains(&"5"));
}

#[test]
fn a_bound_beyond_which_there_are_values_is_marked() {
    let chart = Chart::new(matrix(labels(3, |_| String::new()), labels(3, |_| String::new())));
    let drawn = |chart: &Chart| {
        let scene = layout(chart, 1.0, false, Stop::NEVER).unwrap();
        texts(&scene).into_iter().map(|(text, _)| text.to_owned()).collect::<Vec<_>>()
    };
    let clamped = drawn(&chart.clone().with_range(Some(0.2), Some(0.9)));
    assert!(clamped.contains(&"≤ 0.20".to_owned()) && clamped.contains(&"≥ 0.90".to_owned()), "{clamped:?}");
    let free = drawn(&chart.with_range(Some(-1.0), Some(9.0)));
    assert!(!free.iter().any(|text| text.contains(['≤', '≥'])), "{free:?}");
}

#[test]
fn values_are_all_written_or_none() {
    let count = |data: ChartData, show: ShowValues, size: Option<f32>| {
        let mut chart = Chart::new(data);
        (chart.show_values, chart.axes, chart.legend, chart.cell_size) = (show, false, false, size);
        let scene = layout(&chart, 1.0, false, Stop::NEVER).unwrap();
        check(&scene);
        texts(&scene).len()
    };
    let small = || matrix(labels(4, |_| String::new()), labels(5, |_| String::new()));
    let large = || matrix(labels(100, |_| String::new()), labels(20, |_| String::new()));
    assert_eq!(count(small(), ShowValues::Auto, None), 20);
    assert_eq!(count(small(), ShowValues::Never, None), 0);
    assert_eq!(count(small(), ShowValues::Auto, Some(10.0)), 0);
    assert_eq!(count(large(), ShowValues::Auto, None), 0);
    assert_eq!(count(large(), ShowValues::Always, None), 2000);
}

#[test]
fn missing_values_are_hatched_and_in_the_legend() {
    let values = vec![Some(0.0), None, Some(1.0), None];
    let chart = Chart::new(ChartData::Cells(
        Matrix::new(labels(2, |_| "c".into()), labels(2, |_| "r".into()), values).unwrap(),
    ));
    let scene = layout(&chart, 1.0, true, Stop::NEVER).unwrap();
    let hatched = scene.items.iter().filter(|item| matches!(item, Item::Cell { fill: Fill::Hatch, .. })).count();
    assert_eq!(hatched, 3, "two cells and the legend");
    assert!(texts(&scene).iter().any(|(text, _)| *text == "no value"));
    let tooltips: Vec<&str> = scene
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Cell { tooltip, .. } => Some(tooltip.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(tooltips[..2], ["c, r: 0", "c, r: no value"]);
    let mut small = chart;
    small.cell_size = Some(2.0);
    let scene = layout(&small, 1.0, true, Stop::NEVER).unwrap();
    let gray = scene
        .items
        .iter()
        .filter(|item| matches!(item, Item::Cell { fill: Fill::Color(color), .. } if *color == MISSING));
    assert_eq!(gray.count(), 3, "a hatch of two pixels would be white");
}

#[test]
fn a_long_unit_is_wrapped_above_the_color_bar_if_it_is_longer_than_that() {
    let drawn = |rows: usize| {
        let mut chart = Chart::new(matrix(labels(2, |_| String::new()), labels(rows, |_| String::new())));
        (chart.show_values, chart.cell_size) = (ShowValues::Never, Some(20.0));
        let scene = layout(&chart.with_unit("mean of delay in minutes"), 1.0, false, Stop::NEVER).unwrap();
        texts(&scene).into_iter().map(|(text, _)| text.to_owned()).collect::<Vec<_>>()
    };
    assert!(drawn(10).contains(&"mean of delay in minutes".to_owned()));
    let low = drawn(5);
    assert!(low[..2] == ["mean of delay in", "minutes"], "{low:?}");
}

#[test]
fn a_diverging_scheme_has_a_range_around_zero() {
    let range = |values: [f64; 2], scheme: &str, vmin: Option<f64>, vmax: Option<f64>| {
        let matrix = Matrix::new(labels(2, |_| "c".into()), labels(1, |_| "r".into()), values.map(Some).to_vec());
        let chart = Chart::new(ChartData::Cells(matrix.unwrap())).with_scheme(Scheme::named(scheme).unwrap());
        color_scale(&chart.with_range(vmin, vmax)).unwrap().map(|scale| (scale.vmin, scale.vmax))
    };
    assert_eq!(range([-2.0, 9.0], "rdbu_r", None, None), Some((-9.0, 9.0)));
    assert_eq!(range([-2.0, 9.0], "rdbu_r", Some(-4.0), None), Some((-4.0, 4.0)));
    assert_eq!(range([-2.0, 9.0], "rdbu_r", None, Some(5.0)), Some((-5.0, 5.0)));
    assert_eq!(range([-2.0, 9.0], "rdbu_r", Some(-1.0), Some(5.0)), Some((-1.0, 5.0)));
    assert_eq!(range([2.0, 9.0], "rdbu_r", None, None), Some((2.0, 9.0)), "values of one sign");
    assert_eq!(range([-2.0, 9.0], "viridis", None, None), Some((-2.0, 9.0)));
}

#[test]
fn the_legend_of_a_low_plot_is_below_it() {
    let chart = Chart::new(matrix(labels(7, |day| format!("day {day}")), labels(1, |_| "r".into())));
    let scene = layout(&chart.with_unit("mean of delay in minutes").with_axis_titles("x", ""), 1.0, false, Stop::NEVER)
        .unwrap();
    check(&scene);
    let bar = scene.items.iter().find_map(|item| if let Item::Bar { rect } = item { Some(*rect) } else { None });
    let bar = bar.unwrap();
    assert!(bar.width > bar.height && bar.y + bar.height + 45.0 > scene.height, "{bar:?} of {}", scene.height);
}

#[test]
fn long_labels_of_rows_have_space_next_to_a_small_plot() {
    let name = "a warehouse in the north-west";
    let scene =
        layout(&Chart::new(matrix(labels(1, |_| "c".into()), labels(3, |_| name.into()))), 1.0, false, Stop::NEVER);
    assert_eq!(texts(&scene.unwrap()).iter().filter(|(text, _)| *text == name).count(), 3);
}

#[test]
fn labels_that_are_thinned_have_marks() {
    let marks = |count: usize| {
        let mut chart = Chart::new(matrix(labels(2, |_| String::new()), labels(count, |i| i.to_string())));
        (chart.legend, chart.cell_size) = (false, Some(4.0));
        let scene = layout(&chart, 1.0, false, Stop::NEVER).unwrap();
        scene.items.iter().filter(|item| matches!(item, Item::Line { .. })).count()
    };
    assert_eq!(marks(30), 10);
    let mut chart = Chart::new(matrix(labels(2, |_| String::new()), labels(3, |i| i.to_string())));
    chart.legend = false;
    assert!(
        !layout(&chart, 1.0, false, Stop::NEVER).unwrap().items.iter().any(|item| matches!(item, Item::Line { .. }))
    );
}

#[test]
fn cells_tooltips_and_legend_have_the_same_format() {
    let values = [135_120.0, 123_000.0, 89_213.0, 82_468.0].map(Some).to_vec();
    let matrix = Matrix::new(labels(2, |_| "c".into()), labels(2, |_| "r".into()), values).unwrap();
    let scene = layout(&Chart::new(ChartData::Cells(matrix)), 1.0, true, Stop::NEVER).unwrap();
    let drawn: Vec<&str> = texts(&scene).into_iter().map(|(text, _)| text).collect();
    for text in ["135k", "123k", "89k", "82k", "90k", "100k", "110k", "120k", "130k"] {
        assert!(drawn.contains(&text), "{text} in {drawn:?}");
    }
    let has_tooltip = |item: &Item| matches!(item, Item::Cell { tooltip, .. } if tooltip == "c, r: 89k");
    assert!(scene.items.iter().any(has_tooltip));
}

#[test]
fn a_picture_with_too_many_pixels_names_what_fits() {
    let mut chart = Chart::new(matrix(labels(100, |i| i.to_string()), labels(100, |i| i.to_string())));
    chart.max_pixels = 2_000_000;
    chart.pixel_ratio = 4.0;
    let error = chart.png().unwrap_err().to_string();
    let ratio = error.strip_suffix(" or less fits").and_then(|error| error.rsplit(' ').next()).unwrap();
    chart.pixel_ratio = ratio.parse().unwrap();
    assert!(error.starts_with("pixel_ratio: the picture has ") && chart.png().is_ok(), "{error}");
    chart.max_pixels = 200_000;
    let error = chart.png().unwrap_err();
    assert!(matches!(error, Error::Invalid { parameter: kiln_core::Parameter::CELL_SIZE, .. }), "{error}");
    let error = error.to_string();
    let size = error.split("; ").nth(1).and_then(|hint| hint.split(' ').next()).unwrap();
    (chart.cell_size, chart.pixel_ratio) = (Some(size.parse().unwrap()), 1.0);
    assert!(chart.png().is_ok(), "{error}");
    chart.max_pixels = 100;
    assert!(chart.png().unwrap_err().to_string().ends_with("fewer columns and rows would fit"));
}

#[test]
fn a_picture_that_cannot_fit_is_rejected_before_its_labels_are_measured() {
    let mut chart = Chart::new(matrix(labels(1000, |i| i.to_string()), labels(1000, |i| i.to_string())));
    chart.max_pixels = 5_000_000;
    let error = chart.png().unwrap_err().to_string();
    assert!(error.contains("the picture has at least 3040×3040 pixels, which exceeds 5000000 pixels"), "{error}");
    assert!(error.starts_with("cell_size: ") && error.ends_with("; 1 at a pixel ratio of 1 fits"), "{error}");
    chart.cell_size = Some(1.0);
    assert!(chart.png().is_ok());
}

#[test]
fn options_out_of_range_are_rejected() {
    let chart = Chart::new(matrix(labels(1, |_| String::new()), labels(1, |_| String::new())));
    let fails = |change: &dyn Fn(&mut Chart), message: &str| {
        let mut chart = chart.clone();
        change(&mut chart);
        for error in [chart.png().unwrap_err(), chart.svg().unwrap_err(), chart.text(80, true).unwrap_err()] {
            assert_eq!(error.to_string(), message);
        }
    };
    fails(&|chart| chart.pixel_ratio = 5.0, "pixel_ratio: 5 is not between 1 and 4");
    fails(&|chart| chart.dot_size = f32::NAN, "dot_size: NaN is not between 0.01 and 1");
    fails(&|chart| chart.cell_size = Some(0.0), "cell_size: 0 is not between 1 and 400");
    fails(&|chart| chart.vmin = Some(f64::INFINITY), "vmin: inf is not a finite number");
    fails(&|chart| (chart.vmin, chart.vmax) = (Some(2.0), Some(1.0)), "vmax: 1 is not above vmin, 2");
    fails(&|chart| chart.data = ChartData::Points(vec![]), "points: there are none; expected at least one");
    let point = MatrixPoint { x: 1.0, y: f64::NAN, value: 0.0, label: None };
    fails(
        &|chart| chart.data = ChartData::Points(vec![point.clone()]),
        "points: point 1 has an x, y or value that is not a finite number",
    );
    let empty = ChartData::Cells(Matrix::new(vec![], vec!["r".into()], vec![]).unwrap());
    fails(&|chart| chart.data = empty.clone(), "values: there are none; expected at least one column and one row");
}

/// Any finite number, often a usual one.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![4 => -1000.0..1000.0, 1 => Just(0.0), 1 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL]
}

fn any_label() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z]{0,8}",
        1 => "\\PC{0,60}",
        1 => any::<String>(),
        1 => "[\u{5d0}-\u{5ea}\u{202e}\u{1f600}-\u{1f64f}\u{301} ]{0,40}",
    ]
}

fn any_data() -> impl Strategy<Value = ChartData> {
    let cells = (1_usize..14, 1_usize..14).prop_flat_map(|(columns, rows)| {
        let labels = |count| prop::collection::vec(any_label(), count);
        let values = prop::collection::vec(prop::option::weighted(0.9, number()), columns * rows);
        (labels(columns), labels(rows), values)
    });
    let point = (number(), number(), number(), prop::option::of(any_label()));
    let point = point.prop_map(|(x, y, value, label)| MatrixPoint { x, y, value, label });
    prop_oneof![
        cells.prop_map(|(columns, rows, values)| ChartData::Cells(Matrix::new(columns, rows, values).unwrap())),
        prop::collection::vec(point, 1..30).prop_map(ChartData::Points),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chart_is_drawn_without_overlap(
        data in any_data(),
        texts in prop::array::uniform4(any_label()),
        (is_dot, dot_size) in (prop::option::of(any::<bool>()), 0.01_f32..=1.0),
        show in prop::sample::select(ShowValues::ALL.map(|(_, show)| show).to_vec()),
        (legend, axes) in any::<(bool, bool)>(),
        (vmin, cell_size) in (prop::option::of(number()), prop::option::of(1.0_f32..40.0)),
        format in prop::sample::select(vec!["auto", "0.0", ",0.00k", "0%", "0e"]),
    ) {
        let [title, x_title, y_title, unit] = texts;
        let mut chart = Chart::new(data).with_title(title).with_axis_titles(x_title, y_title).with_unit(unit);
        chart.shape = is_dot.map(|is_dot| if is_dot { CellShape::Dot } else { CellShape::Square });
        chart.value_format = format.parse::<ValueFormat>().unwrap();
        (chart.dot_size, chart.show_values, chart.legend, chart.axes) = (dot_size, show, legend, axes);
        (chart.vmin, chart.cell_size, chart.max_pixels) = (vmin, cell_size, 700_000);
        let scene = match layout(&chart, 1.0, true, Stop::NEVER) {
            Ok(scene) => scene,
            // Values such as 1e308 in fixed notation need cells of thousands of units.
            Err(error) => {
                prop_assert!(error.to_string().contains("pixels"), "{}", error);
                return Ok(());
            }
        };
        check(&scene);
        prop_assert!(chart.svg().unwrap().ends_with("</svg>\n"));
        prop_assert!(chart.png().unwrap().starts_with(b"\x89PNG"));
        for colors in [true, false] {
            let text = chart.text(60, colors).unwrap();
            let has_escape = text.contains('\u{1b}');
            prop_assert!(colors || !has_escape);
        }
    }
}
