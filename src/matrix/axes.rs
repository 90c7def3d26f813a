//! The axes that a layer has.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use super::{Axis, BinQuantity, MatrixOptions, NumberBins};
use crate::calendar::TimePart;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Points};
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::source::{CoordinateSpace, Query, TableColumn};
use crate::spelling;

/// An axis by its name, without its bins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerAxis {
    /// A single value, for a matrix of one row or column.
    Whole,
    /// A part of the local time.
    Time(TimePart),
    /// The category.
    Category,
    /// Numbers in bins.
    Number(BinQuantity),
    /// The values of a column of a live table.
    Column(String),
}

/// The axes and values that a layer has.
#[derive(Clone, Debug)]
pub struct LayerAxes {
    space: CoordinateSpace,
    has_positions: bool,
    has_times: bool,
    has_categories: bool,
    /// The name of the category column, if it is known.
    category: Option<String>,
    /// The label of the weights, if points have weights.
    weight: Option<String>,
    /// The columns of a live table.
    columns: Vec<TableColumn>,
}

impl LayerAxes {
    /// The name of the axis with a single value.
    pub const WHOLE: &str = "none";
    /// The name of the axis of categories.
    pub const CATEGORY: &str = "category";
    /// The name of the axis of weights.
    pub const VALUE: &str = "value";
    /// The name of the weights as a value.
    pub const WEIGHT: &str = "weight";

    /// The axes of `layer`. Times and categories of files are found in their first rows.
    ///
    /// # Errors
    /// If the points cannot be read; [`Error::Cancelled`] once `stop` is set.
    pub fn of(layer: &Layer, stop: &AtomicBool) -> Result<Self> {
        let points = layer.point_set();
        let columns = points.table_columns()?;
        let (has_times, has_categories) = match points.totals() {
            Some(totals) => {
                let categories = points.categories(Some(stop))?;
                (totals.time_us.is_some(), categories.is_some_and(|categories| categories.total > 0))
            }
            None => first_batch(layer, stop)?,
        };
        Ok(Self {
            space: layer.coordinate_space(),
            has_positions: points.has_positions(),
            has_times,
            has_categories,
            category: layer.query().columns.names.category,
            weight: layer.weight().map(str::to_owned),
            columns,
        })
    }

    /// The names of the coordinates.
    fn coordinates(&self) -> [&'static str; 2] {
        if self.space.wraps() { ["lon", "lat"] } else { ["x", "y"] }
    }

    /// The names of the axes, of which each may be the x or the y axis.
    pub fn names(&self) -> Vec<String> {
        let parts = TimePart::NAMES.iter().copied().filter(|_| self.has_times);
        let category = self.has_categories.then_some(Self::CATEGORY);
        let value = self.weight.is_some().then_some(Self::VALUE);
        let coordinates = self.coordinates().into_iter().filter(|_| self.has_positions);
        let fixed = parts.chain(category).chain(coordinates).chain(value).chain([Self::WHOLE]);
        let mut names: Vec<String> = fixed.map(str::to_owned).collect();
        let columns = self.columns.iter().filter(|column| self.fixed(&column.name).is_none());
        names.extend(columns.map(|column| column.name.clone()));
        names
    }

    /// The names of the numeric values.
    pub fn numbers(&self) -> Vec<String> {
        let mut names: Vec<String> = self.weight.iter().cloned().collect();
        for column in self.columns.iter().filter(|column| column.is_numeric) {
            if !names.contains(&column.name) {
                names.push(column.name.clone());
            }
        }
        names
    }

    /// Finds an axis of points by its name, whether or not this layer has it; not the columns of a table.
    fn fixed(&self, name: &str) -> Option<LayerAxis> {
        let lower = name.to_ascii_lowercase();
        if let Ok(part) = lower.parse() {
            return Some(LayerAxis::Time(part));
        }
        let [x, y] = self.coordinates();
        let is_category = lower == Self::CATEGORY || self.category.as_deref() == Some(name);
        Some(match lower.as_str() {
            Self::WHOLE => LayerAxis::Whole,
            _ if is_category => LayerAxis::Category,
            text if text == x || text == "lon" => LayerAxis::Number(BinQuantity::Lon),
            text if text == y || text == "lat" => LayerAxis::Number(BinQuantity::Lat),
            Self::VALUE => LayerAxis::Number(BinQuantity::Weight),
            _ if self.weight.as_deref() == Some(name) || lower == Self::WEIGHT => {
                LayerAxis::Number(BinQuantity::Weight)
            }
            _ => return None,
        })
    }

    /// Finds an axis by its name. A numeric column is an axis of bins if `bins` are given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `parameter` if the layer has no such axis; the message lists those that it has.
    pub fn find(&self, name: &str, bins: Option<u32>, parameter: Parameter) -> Result<LayerAxis> {
        // A column of a table takes precedence over another name of the weights.
        let column = self.columns.iter().find(|column| column.name == name);
        let fixed = self.fixed(name).filter(|axis| {
            column.is_none() || !matches!(axis, LayerAxis::Number(BinQuantity::Weight)) || name == Self::VALUE
        });
        let missing = match (&fixed, column) {
            (Some(LayerAxis::Time(_)), _) if !self.has_times => Some("time column"),
            (Some(LayerAxis::Category), _) if !self.has_categories => Some("category column"),
            (Some(LayerAxis::Number(BinQuantity::Weight)), _) if self.weight.is_none() => Some("weights"),
            (Some(LayerAxis::Number(BinQuantity::Lon | BinQuantity::Lat)), _) if !self.has_positions => {
                Some("positions")
            }
            _ => None,
        };
        match (fixed, column, missing) {
            (_, None, Some(missing)) => {
                let message = format!("the layer has no {missing}; expected one of {}", self.names().join(", "));
                Err(Error::invalid(parameter, message))
            }
            (Some(axis), _, None) => Ok(axis),
            (_, Some(TableColumn { name, is_numeric }), _) => Ok(match bins {
                Some(_) if *is_numeric => LayerAxis::Number(BinQuantity::Column(name.clone())),
                _ => LayerAxis::Column(name.clone()),
            }),
            (None, None, None) => Err(unknown(name, "axis", &self.names(), parameter)),
        }
    }

    /// Finds the values by their name: `None` for the weights, or a numeric column.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `value` if the layer has no such numbers; the message lists those that it has.
    pub fn find_value(&self, name: &str) -> Result<Option<String>> {
        if self.weight.as_deref() == Some(name) {
            return Ok(None);
        }
        let numbers = self.numbers();
        match self.columns.iter().find(|column| column.name == name) {
            Some(column) if column.is_numeric => return Ok(Some(column.name.clone())),
            Some(_) => {
                let message = if numbers.is_empty() {
                    format!("the column `{name}` is not numeric, and the layer has no numeric values; use agg=count")
                } else {
                    format!("the column `{name}` is not numeric; expected one of {}", numbers.join(", "))
                };
                return Err(Error::invalid(Parameter::VALUE, message));
            }
            None => {}
        }
        if self.weight.is_some() && name.eq_ignore_ascii_case(Self::WEIGHT) {
            return Ok(None);
        }
        if numbers.is_empty() {
            let name: String = name.chars().take(MAX_CHARS).collect();
            let message = format!("there is no value `{name}`, since the points have no weights; use agg=count");
            return Err(Error::invalid(Parameter::VALUE, message));
        }
        Err(unknown(name, "value", &numbers, Parameter::VALUE))
    }
}

/// The maximum length of a name in a message.
const MAX_CHARS: usize = 64;

/// The error of an unknown name.
fn unknown(name: &str, kind: &str, known: &[String], parameter: Parameter) -> Error {
    let name: String = name.chars().take(MAX_CHARS).collect();
    let near = spelling::nearest(&name, known.iter().map(String::as_str), str::to_lowercase);
    let near = spelling::did_you_mean(&near);
    let message = format!("there is no {kind} `{name}`; {near}expected one of {}", known.join(", "));
    Error::invalid(parameter, message)
}

/// Whether the first points of a layer have times and categories.
fn first_batch(layer: &Layer, stop: &AtomicBool) -> Result<(bool, bool)> {
    let query = layer.query().with_times(true).with_categories(true).with_positions(false).with_stop(Some(stop));
    let mut found = None;
    let mut sink = |points: Points<'_>| {
        if points.is_empty() {
            return ControlFlow::Continue(());
        }
        found = Some((points.time_us().is_some(), points.category().is_some()));
        ControlFlow::Break(())
    };
    let scanned = layer.point_set().scan(&query, &mut [&mut sink]);
    match (found, scanned) {
        // The sink has stopped the scan.
        (Some(found), _) => Ok(found),
        (None, scanned) => scanned.map(|_| (false, false)),
    }
}

/// The bins of numbers of the points of `layer` that pass `query`; `bounds` limit the positions.
///
/// # Errors
/// If the points cannot be read.
pub(super) fn bins_of(
    layer: &Layer,
    query: &Query<'_>,
    quantity: &BinQuantity,
    bins: Option<u32>,
    bounds: Option<Bounds>,
) -> Result<NumberBins> {
    let count = bins.unwrap_or(MatrixOptions::DEFAULT_BINS);
    // Bounds across the antimeridian are not an interval of longitudes.
    let bounds = bounds.filter(|bounds| bounds.west <= bounds.east).or_else(|| layer.extent().bounds(false));
    let range = match quantity {
        BinQuantity::Lon => bounds.map(|bounds| [bounds.west, bounds.east]),
        BinQuantity::Lat => bounds.map(|bounds| [bounds.south, bounds.north]),
        BinQuantity::Weight | BinQuantity::Column(_) => layer.point_set().number_range(query, quantity)?,
    };
    let [min, max] = range.unwrap_or([0.0, 1.0]);
    NumberBins::between(min, max, count)
}

/// The axis of a matrix: `axis` with the bins of its numbers.
///
/// # Errors
/// As [`bins_of`].
pub(super) fn with_bins(
    axis: LayerAxis,
    layer: &Layer,
    query: &Query<'_>,
    bins: Option<u32>,
    bounds: Option<Bounds>,
) -> Result<Axis> {
    Ok(match axis {
        LayerAxis::Whole => Axis::Whole,
        LayerAxis::Time(part) => Axis::Time(part),
        LayerAxis::Category => Axis::Category,
        LayerAxis::Column(name) => Axis::Column(name),
        LayerAxis::Number(quantity) => {
            let bins = bins_of(layer, query, &quantity, bins, bounds)?;
            Axis::Bins(quantity, bins)
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn axes() -> LayerAxes {
        LayerAxes {
            space: CoordinateSpace::Globe,
            has_positions: true,
            has_times: true,
            has_categories: true,
            category: Some("carrier".into()),
            weight: Some("delay".into()),
            columns: vec![
                TableColumn { name: "gate".into(), is_numeric: false },
                TableColumn { name: "speed".into(), is_numeric: true },
            ],
        }
    }

    #[test]
    fn axes_are_found_by_name() {
        let find = |name: &str| axes().find(name, None, Parameter::X).unwrap();
        assert_eq!(find("Hour"), LayerAxis::Time(TimePart::Hour));
        assert_eq!((find("category"), find("carrier")), (LayerAxis::Category, LayerAxis::Category));
        assert_eq!((find("none"), find("lat")), (LayerAxis::Whole, LayerAxis::Number(BinQuantity::Lat)));
        for name in ["value", "weight", "delay"] {
            assert_eq!(find(name), LayerAxis::Number(BinQuantity::Weight), "{name}");
        }
        assert_eq!(
            (find("gate"), find("speed")),
            (LayerAxis::Column("gate".into()), LayerAxis::Column("speed".into()))
        );
        let speed = axes().find("speed", Some(5), Parameter::X).unwrap();
        assert_eq!(speed, LayerAxis::Number(BinQuantity::Column("speed".into())));
    }

    #[test]
    fn an_unknown_axis_or_value_is_an_error_that_lists_the_known_ones() {
        let error = |name: &str| axes().find(name, None, Parameter::Y).unwrap_err().to_string();
        assert!(error("hours").starts_with("y: there is no axis `hours`; did you mean hour? expected one of hour, "));
        assert!(error("dealy").ends_with("lon, lat, value, none, gate, speed"), "{}", error("dealy"));
        let bare = LayerAxes { has_times: false, has_categories: false, weight: None, columns: vec![], ..axes() };
        let error = |name: &str| bare.find(name, None, Parameter::X).unwrap_err().to_string();
        assert_eq!(error("hour"), "x: the layer has no time column; expected one of lon, lat, none");
        assert!(error("category").starts_with("x: the layer has no category column"));
        assert!(error("value").starts_with("x: the layer has no weights"));
        let value = |name: &str| axes().find_value(name);
        assert_eq!((value("delay").unwrap(), value("speed").unwrap()), (None, Some("speed".into())));
        assert_eq!(value("weight").unwrap(), None);
        let error = value("gate").unwrap_err().to_string();
        assert_eq!(error, "value: the column `gate` is not numeric; expected one of delay, speed");
        assert!(value("delai").unwrap_err().to_string().contains("did you mean delay?"));
        assert!(bare.find_value("weight").unwrap_err().to_string().contains("no weights; use agg=count"));
    }
}
