//! The value of a cell of a matrix.

use std::fmt;
use std::str::FromStr;

use super::MatrixCell;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::from_str_values;

/// The value of a cell of a matrix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixAggregate {
    /// The number of points.
    #[default]
    Count,
    /// The sum of the values.
    Sum,
    /// The mean of the values.
    Mean,
    /// The maximum of the values.
    Max,
}

impl MatrixAggregate {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["count", "sum", "mean", "max"];
    const ALL: [Self; 4] = [Self::Count, Self::Sum, Self::Mean, Self::Max];

    /// Whether the aggregate needs values, rather than the number of points.
    pub fn needs_values(self) -> bool {
        self != Self::Count
    }

    /// The value of a cell, whose count is at least 1; `None` if it is not finite.
    pub fn of(self, cell: &MatrixCell) -> Option<f64> {
        let value = match self {
            Self::Count => cell.count as f64,
            Self::Sum => cell.sum,
            Self::Mean => cell.sum / cell.count as f64,
            Self::Max => cell.max,
        };
        value.is_finite().then_some(value)
    }

    /// The value of a cell as it is written. A sum that is a multiple of 2^-10, as that of integers and short binary
    /// fractions, is exact; other values are rounded to `digits` significant decimal digits, since the digits beyond are
    /// noise of the binary numbers.
    pub(super) fn rounded_of(self, cell: &MatrixCell, digits: usize) -> Option<f64> {
        const UNITS: f64 = 1024.0;
        let checked = if self == Self::Max { cell.max } else { cell.sum };
        let value = self.of(cell)?;
        let is_exact = self == Self::Count || (checked * UNITS).fract() == 0.0;
        Some(if is_exact { value } else { round(value, digits) })
    }

    /// The unit of the values: `points`, or `mean of delay`. `value` is the name of the values.
    pub fn unit(self, value: Option<&str>) -> String {
        match self {
            Self::Count => "points".to_owned(),
            _ => format!("{self} of {}", value.unwrap_or("weight")),
        }
    }
}

/// Rounds a finite number to a number of significant decimal digits.
fn round(value: f64, digits: usize) -> f64 {
    format!("{value:.*e}", digits.saturating_sub(1)).parse().unwrap_or(value)
}

impl FromStr for MatrixAggregate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let at = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text.trim()));
        at.map(|at| Self::ALL[at]).ok_or_else(|| {
            let text: String = text.chars().take(64).collect();
            let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
            Error::invalid(Parameter::AGG, message)
        })
    }
}

impl fmt::Display for MatrixAggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(MatrixAggregate);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_a_cell_is_that_of_its_points() {
        let cell = MatrixCell { x: 0, y: 0, count: 4, sum: 10.0, max: 7.0 };
        let values = MatrixAggregate::NAMES.iter().map(|name| name.parse::<MatrixAggregate>().unwrap().of(&cell));
        assert_eq!(values.collect::<Vec<_>>(), [Some(4.0), Some(10.0), Some(2.5), Some(7.0)]);
        assert_eq!(MatrixAggregate::Max.of(&MatrixCell { max: f64::INFINITY, ..cell }), None);
        let decimals = MatrixCell { sum: 116.400_011_777_877_81, max: f64::from(58.2_f32), ..cell };
        let values = MatrixAggregate::ALL.map(|aggregate| aggregate.rounded_of(&decimals, 7));
        assert_eq!(values, [Some(4.0), Some(116.4), Some(29.1), Some(58.2)]);
        assert_eq!(MatrixAggregate::Sum.rounded_of(&decimals, 15), Some(116.400_011_777_878));
        let exact = MatrixCell { count: 3, sum: 123_456_789.5, ..cell };
        assert_eq!(MatrixAggregate::Sum.rounded_of(&exact, 7), Some(123_456_789.5));
        assert_eq!(MatrixAggregate::Mean.rounded_of(&exact, 7), Some(123_456_789.5 / 3.0));
        assert_eq!(MatrixAggregate::Mean.unit(Some("delay")), "mean of delay");
        assert_eq!(MatrixAggregate::Count.unit(Some("delay")), "points");
        assert!("median".parse::<MatrixAggregate>().unwrap_err().to_string().contains("count, sum, mean, max"));
    }
}
