//! The quantity of a grid's values.

use std::fmt;
use std::str::FromStr;

use super::Aggregates;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::from_str_values;
use crate::raster::Aggregation;

/// The quantity of a grid's values: `heatmap_type` of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantity {
    /// The number of points.
    #[default]
    Occupancy,
    /// The mean weight.
    Mean,
    /// The maximum weight.
    Max,
    /// The sum of the weights.
    Sum,
    /// Seconds of presence: see [`Dwell`](super::Dwell).
    Dwell,
}

impl Quantity {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["occupancy", "mean", "max", "sum", "dwell"];
    const ALL: [Self; 5] = [Self::Occupancy, Self::Mean, Self::Max, Self::Sum, Self::Dwell];

    /// Whether the value of two disjoint sets of points is the sum of their values. If so, a cell without points has the
    /// value 0; else it has none.
    pub fn is_additive(self) -> bool {
        matches!(self, Self::Occupancy | Self::Sum | Self::Dwell)
    }

    /// Whether the values need the weights of points.
    pub fn needs_weights(self) -> bool {
        matches!(self, Self::Mean | Self::Max | Self::Sum)
    }

    /// The aggregation of pictures of this quantity.
    pub fn aggregation(self) -> Aggregation {
        match self {
            Self::Occupancy => Aggregation::Count,
            Self::Mean => Aggregation::Mean,
            Self::Max => Aggregation::Max,
            Self::Sum | Self::Dwell => Aggregation::Sum,
        }
    }

    /// The value of a set of points; `None` if it has none.
    pub fn value(self, points: &Aggregates) -> Option<f64> {
        match self {
            Self::Occupancy => Some(points.count as f64),
            Self::Sum => Some(points.weight_sum),
            Self::Mean => (points.count > 0).then(|| points.weight_sum / points.count as f64),
            Self::Max => (points.count > 0).then_some(points.weight_max),
            Self::Dwell => Some(points.dwell_us as f64 / 1e6),
        }
    }

    /// The unit of the values; `weight` is the label of the weights.
    pub fn unit(self, weight: Option<&str>) -> String {
        let weight = weight.unwrap_or("points");
        match self {
            Self::Occupancy => "points".into(),
            Self::Sum => weight.into(),
            Self::Mean | Self::Max => format!("{self} of {weight}"),
            Self::Dwell => "seconds".into(),
        }
    }
}

impl FromStr for Quantity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
        at.map(|at| Self::ALL[at]).ok_or_else(|| {
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::HEATMAP_TYPE, message)
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(Quantity);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_the_quantity_that_writes_it() {
        for (name, quantity) in Quantity::NAMES.iter().zip(Quantity::ALL) {
            assert_eq!((name.parse::<Quantity>().unwrap(), quantity.to_string().as_str()), (quantity, *name));
        }
        let message = "peak".parse::<Quantity>().unwrap_err().to_string();
        assert_eq!(message, "heatmap_type: `peak` is unknown; expected one of occupancy, mean, max, sum, dwell");
    }

    #[test]
    fn means_and_maxima_of_no_points_have_no_value() {
        let none = Aggregates::default();
        let values = Quantity::ALL.map(|quantity| quantity.value(&none));
        assert_eq!(values, [Some(0.0), None, None, Some(0.0), Some(0.0)]);
    }
}
