//! The computation of the matrix of a layer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::tz::TimeZone;
use kiln_matrix::Matrix;

use super::axes::with_bins;
use super::labels::AxisValues;
use super::{
    Axis, BinQuantity, ChartTexts, LabeledAxis, LayerAxes, LayerAxis, MatrixAggregate, MatrixOptions, MatrixRequest,
};
use crate::calendar::{TimePart, TimePartFilter, zone_name};
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::message;
use crate::occupancy::{check_categories, rectangle, with_polygon};
use crate::parameter::Parameter;
use crate::source::Query;

/// The points of a matrix.
#[derive(Clone, Copy, Debug)]
pub struct MatrixLayer<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The query that selects its points.
    pub query: &'a Query<'a>,
    /// The number of threads.
    pub threads: usize,
    /// Cancels the computation.
    pub stop: &'a AtomicBool,
}

/// The matrix of a layer: values with labels, and what they are.
#[derive(Clone, Debug)]
pub struct LayerMatrix {
    /// The axis of the columns.
    pub x: LabeledAxis,
    /// The axis of the rows.
    pub y: LabeledAxis,
    /// The values with their labels.
    pub matrix: Matrix,
    /// The number of points of each cell, row by row.
    pub counts: Vec<u64>,
    /// What the values are.
    pub aggregate: MatrixAggregate,
    /// The name of the aggregated values; `None` for counts of points without weights.
    pub value: Option<String>,
    /// The unit of the values.
    pub unit: String,
    /// The name of the time zone.
    pub zone: String,
    /// The time range of the filter, in microseconds since 1970-01-01 UTC.
    pub time_us: [Option<i64>; 2],
    /// The number of points in cells.
    pub total: u64,
    /// The number of points without a value on an axis.
    pub unplaced: u64,
    /// The names of the axes that the layer has.
    pub axes: Vec<String>,
    /// The names of the numeric values that the layer has.
    pub numbers: Vec<String>,
}

impl LayerMatrix {
    /// The texts of a chart; `title` is that of the layer. The titles of parts of the time have the time zone, unless it
    /// is UTC.
    pub fn chart_texts(&self, title: &str) -> ChartTexts {
        let axis_title = |axis: &LabeledAxis| {
            let is_time = axis.name.parse::<TimePart>().is_ok();
            if is_time && self.zone != "UTC" { format!("{} ({})", axis.title, self.zone) } else { axis.title.clone() }
        };
        ChartTexts {
            title: title.to_owned(),
            x_title: axis_title(&self.x),
            y_title: axis_title(&self.y),
            unit: self.unit.clone(),
        }
    }
}

impl MatrixLayer<'_> {
    /// Computes a matrix with at most `max_cells` cells, with times in `zone`.
    ///
    /// # Errors
    /// As [`PointSet::matrix`](crate::source::PointSet::matrix); [`Error::Invalid`] for `x`, `y` or `value` if the layer
    /// has no such axis or numbers, for `x` if there are more cells than `max_cells`, for `agg` if the points have no
    /// values, for `bounds` if the query has a polygon already, and for `category` if no point has one of the filter.
    pub fn matrix(&self, options: &MatrixOptions, zone: Option<TimeZone>, max_cells: u64) -> Result<LayerMatrix> {
        let zone = zone.unwrap_or(TimeZone::UTC);
        let axes = LayerAxes::of(self.layer, self.stop)?;
        let query = match options.bounds {
            Some(bounds) => {
                let polygon = Arc::new(rectangle(bounds, self.layer.coordinate_space().wraps())?);
                with_polygon(self.query.clone(), &polygon, Parameter::BOUNDS)?
            }
            None => self.query.clone(),
        };
        let (aggregate, value) = (options.aggregate(), self.value(&axes, options)?);
        let query = query.with_weights(aggregate.needs_values());
        let found = axes.find(options.x_text(), options.x_bins, Parameter::X)?;
        check_bins(&found, options.x_bins, Parameter::X_BINS)?;
        let x = with_bins(found, self.layer, &query, options.x_bins, options.bounds)
            .map_err(|error| of_parameter(error, Parameter::X_BINS))?;
        let found = axes.find(options.y_text(), options.y_bins, Parameter::Y)?;
        check_bins(&found, options.y_bins, Parameter::Y_BINS)?;
        let y = with_bins(found, self.layer, &query, options.y_bins, options.bounds)
            .map_err(|error| of_parameter(error, Parameter::Y_BINS))?;
        let name = zone_name(&zone).to_owned();
        let max_points = usize::try_from(max_cells).unwrap_or(usize::MAX);
        let request = MatrixRequest::new(x, y).with_zone(zone).with_value(value.clone()).with_max_cells(max_points);
        let points = self.layer.point_set().matrix(&query, &request, self.threads).map_err(|error| {
            let is_limit = error.to_string() == request.too_many_cells().to_string();
            if is_limit { too_many(max_cells, None) } else { error }
        })?;
        let listed = |axis: &Axis| listed_values(axis, &query.filter.time_parts, &request.zone);
        let x = AxisValues::new(&request.x, &points.x, false).with_listed(listed(&request.x));
        let y = AxisValues::new(&request.y, &points.y, true).with_listed(listed(&request.y));
        let (columns, rows) = (x.len(), y.len());
        let count = columns.saturating_mul(rows);
        if count > max_cells {
            return Err(too_many(max_cells, Some([columns, rows])));
        }
        let columns = usize::try_from(columns).unwrap_or(0);
        let len = usize::try_from(count).unwrap_or(0);
        let (mut values, mut counts) = (vec![None; len], vec![0; len]);
        let digits = if points.has_doubles { DOUBLE_DIGITS } else { WEIGHT_DIGITS };
        let mut total = 0;
        for cell in &points.cells {
            total += cell.count;
            let Some((x, y)) = x.position(cell.x).zip(y.position(cell.y)) else { continue };
            values[y * columns + x] = aggregate.rounded_of(cell, digits);
            counts[y * columns + x] = cell.count;
        }
        let categories = &query.filter.categories;
        if categories.len() > 1 || !categories.is_empty() && total == 0 {
            check_categories(self.layer, categories, self.stop, self.threads)?;
        }
        let [x_name, y_name] = [(&request.x, options.x_text()), (&request.y, options.y_text())]
            .map(|(axis, text)| self.axis_name(axis, text));
        let (x, y) = (x.labeled(x_name), y.labeled(y_name));
        let matrix = Matrix::new(x.labels.clone(), y.labels.clone(), values)?;
        let value = value.or_else(|| self.layer.weight().map(str::to_owned));
        let unit = aggregate.unit(value.as_deref());
        let time_us = [query.filter.start_us, query.filter.end_us];
        let (numbers, axes) = (axes.numbers(), axes.names());
        let unplaced = points.unplaced;
        Ok(LayerMatrix {
            x,
            y,
            matrix,
            counts,
            aggregate,
            value,
            unit,
            zone: name,
            time_us,
            total,
            unplaced,
            axes,
            numbers,
        })
    }

    /// The column of the values; `None` for the weights, or a count.
    fn value(&self, axes: &LayerAxes, options: &MatrixOptions) -> Result<Option<String>> {
        let value = options.value.as_deref().map(|name| axes.find_value(name)).transpose()?.flatten();
        let aggregate = options.aggregate();
        if aggregate.needs_values() && value.is_none() && self.layer.weight().is_none() {
            let numbers = axes.numbers();
            let message = if numbers.is_empty() {
                format!("the points have no weights, so there is no {aggregate} of them; use count")
            } else {
                format!("missing; the {aggregate} needs one of the numeric columns {}", numbers.join(", "))
            };
            let parameter = if numbers.is_empty() { Parameter::AGG } else { Parameter::VALUE };
            return Err(Error::invalid(parameter, message));
        }
        Ok(value)
    }

    /// The canonical name of an axis; `text` is that of the request.
    fn axis_name(&self, axis: &Axis, text: &str) -> String {
        match axis {
            Axis::Whole => LayerAxes::WHOLE.to_owned(),
            Axis::Time(part) => part.to_string(),
            Axis::Bins(BinQuantity::Weight, _) => self.layer.weight().unwrap_or(text).to_owned(),
            Axis::Category | Axis::Column(_) | Axis::Bins(..) => text.to_owned(),
        }
    }
}

/// The significant decimal digits of values that are weights of 32 bits.
const WEIGHT_DIGITS: usize = 7;
/// The significant decimal digits of values in double precision.
const DOUBLE_DIGITS: usize = 15;

/// The values of an axis that pass filters by the same part of the time in `zone`; `None` if no filter applies.
fn listed_values(axis: &Axis, filters: &[TimePartFilter], zone: &TimeZone) -> Option<Vec<i64>> {
    let Axis::Time(part) = axis else { return None };
    let values = |filter: &TimePartFilter| -> Option<Vec<i64>> {
        match part {
            TimePart::Hour => Some(filter.hours?.values().collect()),
            TimePart::Weekday => Some(filter.weekdays?.values().collect()),
            TimePart::Month => Some(filter.months?.values().collect()),
            _ => None,
        }
    };
    let sets = filters.iter().filter(|filter| zone_name(&filter.zone) == zone_name(zone)).filter_map(values);
    sets.reduce(|all, set| all.into_iter().filter(|value| set.contains(value)).collect())
}

/// Rejects bins of an axis that has none.
fn check_bins(axis: &LayerAxis, bins: Option<u32>, parameter: Parameter) -> Result<()> {
    if bins.is_none() || matches!(axis, LayerAxis::Number(_)) {
        return Ok(());
    }
    Err(Error::invalid(parameter, "it applies to an axis of numbers only"))
}

/// An error of bins as one of `parameter`, which sets their number.
fn of_parameter(error: Error, parameter: Parameter) -> Error {
    match error {
        Error::Invalid { parameter: Parameter::BINS, message } => Error::invalid(parameter, message),
        other => other,
    }
}

/// The error of a matrix with too many cells, which has these columns and rows.
fn too_many(limit: u64, size: Option<[u64; 2]>) -> Error {
    let size = size.map_or_else(
        || format!("the matrix has more than {limit} cells"),
        |[columns, rows]| format!("the matrix has {columns} columns and {rows} rows"),
    );
    let detail = message!(
        size,
        format!(
            " and exceeds the limit of {limit} cells, limits.cells; use an axis with fewer values, or filter with "
        ),
        Parameter::START,
        " and ",
        Parameter::END
    );
    Error::invalid(Parameter::X, detail)
}
