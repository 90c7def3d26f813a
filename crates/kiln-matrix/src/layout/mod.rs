//! The layout of drawings: from a chart to the elements of a scene.

mod axis_labels;
mod cells;
mod frame;
mod legend;
mod low_legend;
mod points;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use kiln_core::color::Family;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_formats::encode::paint::TextStyle;

use crate::colors::ColorScale;
use crate::label::Measure;
use crate::scene::Scene;
use crate::stop::Stop;
use crate::{Chart, ChartData, ShowValues, ValueFormat};

const TITLE: TextStyle = TextStyle { size: 16.0, color: [28, 32, 38, 255] };
const AXIS_TITLE: TextStyle = TextStyle { size: 12.0, color: [58, 65, 74, 255] };
const LABEL: TextStyle = TextStyle { size: 11.0, color: [74, 82, 92, 255] };
const GRID: [u8; 4] = [229, 232, 236, 255];
const AXIS: [u8; 4] = [160, 168, 178, 255];

/// The sizes of cells to suggest where a picture is too large.
const SUGGESTED_SIZES: [f32; 9] = [48.0, 32.0, 24.0, 16.0, 12.0, 8.0, 4.0, 2.0, 1.0];

/// The options of a chart, with those that depend on its values.
struct Style<'c> {
    chart: &'c Chart,
    measure: &'c Measure<'c>,
    /// The colors of the values; `None` without values.
    colors: Option<ColorScale>,
    /// The format of all values.
    format: ValueFormat,
}

/// The data of a chart, measured: the size of its drawing is known before elements exist.
enum Plan<'c> {
    Cells(cells::CellsPlan<'c>),
    Points(points::PointsPlan<'c>),
}

impl<'c> Plan<'c> {
    fn new(chart: &'c Chart, measure: &'c Measure<'c>, cell_size: Option<f32>) -> Result<Self> {
        let colors = color_scale(chart)?;
        let format = value_format(chart, colors.as_ref(), &chart.data.values());
        let style = Style { chart, measure, colors, format };
        Ok(match &chart.data {
            ChartData::Cells(matrix) => Self::Cells(cells::CellsPlan::new(style, matrix, cell_size)),
            ChartData::Points(points) => Self::Points(points::PointsPlan::new(style, points, cell_size)),
        })
    }

    fn frame(&self) -> &frame::Frame {
        match self {
            Self::Cells(plan) => &plan.frame,
            Self::Points(plan) => &plan.frame,
        }
    }
}

/// The maximum number of cells or points with tooltips.
const MAX_TOOLTIPS: usize = 20_000;

/// Places the elements of a chart. `pixel_ratio` is that of the picture, whose pixels are limited. Tooltips are left empty
/// unless `tooltips`, and for more than [`MAX_TOOLTIPS`] cells or points.
pub(crate) fn layout(chart: &Chart, pixel_ratio: f32, tooltips: bool, stop: Stop<'_>) -> Result<Scene> {
    validate(chart)?;
    // The measurement of many labels takes seconds, so that pictures that cannot fit are rejected before it.
    let least = least_size(chart);
    if pixels(least, 1.0) > chart.max_pixels as f64 {
        return Err(too_large(chart, least, UNMEASURED, pixel_ratio, true));
    }
    let measure = Measure::with_stop(stop)?;
    let plan = Plan::new(chart, &measure, chart.cell_size)?;
    stop.check()?;
    let frame = plan.frame();
    let (width, height) = (frame.width, frame.height);
    if pixels((width, height), pixel_ratio) > chart.max_pixels as f64 {
        let around = (width - frame.plot.width, height - frame.plot.height + OTHER_LABELS);
        return Err(too_large(chart, (width, height), around, pixel_ratio, false));
    }
    let tooltips = tooltips && count(chart) <= MAX_TOOLTIPS;
    let (items, scale) = match plan {
        Plan::Cells(plan) => plan.items(tooltips),
        Plan::Points(plan) => plan.items(tooltips),
    };
    stop.check()?;
    Ok(Scene { width, height, description: description(chart), items, scale })
}

/// The number of cells or points.
fn count(chart: &Chart) -> usize {
    match &chart.data {
        ChartData::Cells(matrix) => matrix.values().len(),
        ChartData::Points(points) => points.len(),
    }
}

/// An upper bound of the width and height around a plot that was not measured: labels, titles and legend.
const UNMEASURED: (f32, f32) = (800.0, 500.0);
/// The height by which the space below the plot may grow for smaller cells: labels of columns may be rotated, and the legend
/// may move there.
const OTHER_LABELS: f32 = 400.0;

/// A lower bound of the size of a picture: the plot and the margins.
fn least_size(chart: &Chart) -> (f32, f32) {
    let plot = plot_size(chart, chart.cell_size.unwrap_or(cells::SIDES.0));
    (plot.0 + 2.0 * frame::MARGIN, plot.1 + 2.0 * frame::MARGIN)
}

/// The size of a plot with cells of a side that do not grow for values.
fn plot_size(chart: &Chart, cell: f32) -> (f32, f32) {
    match &chart.data {
        ChartData::Cells(matrix) => (matrix.columns().len() as f32 * cell, matrix.rows().len() as f32 * cell),
        ChartData::Points(_) => points::plot_size(cell),
    }
}

fn pixels((width, height): (f32, f32), pixel_ratio: f32) -> f64 {
    let side = |units: f32| f64::from((units * pixel_ratio).ceil());
    side(width) * side(height)
}

/// The error of a picture with too many pixels. It names a pixel ratio or cell size that fits, by arithmetic: another layout
/// would measure all labels again. `around` bounds the width and height around the plot; `at_least` marks `size` as a lower
/// bound.
fn too_large(chart: &Chart, size: (f32, f32), around: (f32, f32), pixel_ratio: f32, at_least: bool) -> Error {
    let fits = |size: (f32, f32), ratio: f32| pixels(size, ratio) <= chart.max_pixels as f64;
    let (width, height) = ((size.0 * pixel_ratio).ceil(), (size.1 * pixel_ratio).ceil());
    let at_least = if at_least { "at least " } else { "" };
    let problem =
        format!("the picture has {at_least}{width}×{height} pixels, which exceeds {} pixels", chart.max_pixels);
    if let Some(ratio) = (10..40).rev().map(|tenths| tenths as f32 / 10.0).find(|r| *r < pixel_ratio && fits(size, *r))
    {
        return Error::invalid(Parameter::PIXEL_RATIO, format!("{problem}; {ratio} or less fits"));
    }
    let is_smaller = |cell: &f32| chart.cell_size.is_none_or(|current| *cell < current);
    let fits_with = |cell: &f32| {
        let plot = plot_size(chart, *cell);
        fits((plot.0 + around.0, plot.1 + around.1), 1.0)
    };
    // Cells grow for values that are always written, whatever their size.
    let sizes = SUGGESTED_SIZES.into_iter().filter(|_| chart.show_values != ShowValues::Always);
    match sizes.filter(is_smaller).find(fits_with) {
        Some(cell) => Error::invalid(Parameter::CELL_SIZE, format!("{problem}; {cell} at a pixel ratio of 1 fits")),
        None => Error::invalid(Parameter::MAX_PIXELS, format!("{problem}; fewer columns and rows would fit")),
    }
}

pub(crate) fn validate(chart: &Chart) -> Result<()> {
    let within = |parameter: Parameter, value: f32, min: f32, max: f32| {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(Error::invalid(parameter, format!("{value} is not between {min} and {max}")))
    };
    within(Parameter::PIXEL_RATIO, chart.pixel_ratio, 1.0, 4.0)?;
    within(Parameter::DOT_SIZE, chart.dot_size, 0.01, 1.0)?;
    if let Some(size) = chart.cell_size {
        within(Parameter::CELL_SIZE, size, 1.0, 400.0)?;
    }
    match &chart.data {
        ChartData::Cells(matrix) if matrix.columns().is_empty() || matrix.rows().is_empty() => {
            Err(Error::invalid(Parameter::VALUES, "there are none; expected at least one column and one row"))
        }
        ChartData::Points(points) if points.is_empty() => {
            Err(Error::invalid(Parameter::POINTS, "there are none; expected at least one"))
        }
        ChartData::Points(points) => {
            let is_finite = |point: &crate::MatrixPoint| [point.x, point.y, point.value].iter().all(|n| n.is_finite());
            match points.iter().position(|point| !is_finite(point)) {
                Some(index) => {
                    let message = format!("point {} has an x, y or value that is not a finite number", index + 1);
                    Err(Error::invalid(Parameter::POINTS, message))
                }
                None => Ok(()),
            }
        }
        ChartData::Cells(_) => Ok(()),
    }
}

/// The colors of the values; `None` without values.
pub(crate) fn color_scale(chart: &Chart) -> Result<Option<ColorScale>> {
    for (parameter, bound) in [(Parameter::VMIN, chart.vmin), (Parameter::VMAX, chart.vmax)] {
        if let Some(bound) = bound.filter(|bound| !bound.is_finite()) {
            return Err(Error::invalid(parameter, format!("{bound} is not a finite number")));
        }
    }
    if let (Some(vmin), Some(vmax)) = (chart.vmin, chart.vmax)
        && vmin >= vmax
    {
        return Err(Error::invalid(Parameter::VMAX, format!("{vmax} is not above vmin, {vmin}")));
    }
    let Some([min, max]) = chart.data.range() else { return Ok(None) };
    let is_signed = chart.scheme.family() == Family::Diverging && min < 0.0 && max > 0.0;
    let largest = max.max(-min);
    let (vmin, vmax) = match (chart.vmin, chart.vmax) {
        // The middle color of a diverging scheme is that of 0.
        (None, None) if is_signed => (-largest, largest),
        (Some(vmin), None) if is_signed => (vmin, if vmin < 0.0 { -vmin } else { largest.max(vmin) }),
        (None, Some(vmax)) if is_signed => (if vmax > 0.0 { -vmax } else { -largest.max(-vmax) }, vmax),
        (None, None) => (min, max),
        // A bound beyond all values leaves a single one.
        (Some(vmin), vmax) => (vmin, vmax.unwrap_or(max).max(vmin)),
        (None, Some(vmax)) => (min.min(vmax), vmax),
    };
    Ok(Some(ColorScale::new(&chart.scheme, vmin, vmax)))
}

/// The format of `values` of a chart with `colors`.
pub(crate) fn value_format(
    chart: &Chart,
    colors: Option<&ColorScale>,
    values: &(impl Iterator<Item = f64> + Clone),
) -> ValueFormat {
    let bounds: Vec<f64> = [chart.vmin, chart.vmax].into_iter().flatten().collect();
    let span = colors.map_or([0.0; 2], |colors| [colors.vmin, colors.vmax]);
    chart.value_format.resolve(values, span, &bounds)
}

/// A sentence for readers who do not see the picture.
fn description(chart: &Chart) -> String {
    let what = match &chart.data {
        ChartData::Cells(matrix) => {
            format!("Heat map of {} columns and {} rows", matrix.columns().len(), matrix.rows().len())
        }
        ChartData::Points(points) => format!("Heat map of {} points", points.len()),
    };
    let title = crate::label::clean(&chart.title);
    if title.is_empty() { what } else { format!("{title}. {what}") }
}
