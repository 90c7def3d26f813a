//! The size of cells.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::from_str_values;

/// The size of cells: a length in meters, or a level of the H3 grid, depending on the shape of the cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// The number: meters, or the level.
    pub number: f64,
    /// Whether the number has a unit of length, so that it cannot be a level.
    pub has_unit: bool,
}

impl FromStr for Resolution {
    type Err = Error;

    /// Reads `0.5`, `0.5m`, `100 m`, `1km`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let invalid = |reason: &str| {
            Error::invalid(Parameter::RESOLUTION, format!("`{text}` {reason}; expected one such as 0.5, 100m or 1km"))
        };
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e').unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let factor = match unit {
            "" | "m" => 1.0,
            "cm" => 0.01,
            "km" => 1000.0,
            _ => return Err(invalid("is not a length")),
        };
        let number: f64 = number.trim().parse().map_err(|_| invalid("is not a length"))?;
        let number = number * factor;
        if !number.is_finite() || number < 0.0 || number == 0.0 && !unit.is_empty() {
            return Err(invalid("is not above 0"));
        }
        Ok(Self { number, has_unit: !unit.is_empty() })
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.number, if self.has_unit { "m" } else { "" })
    }
}

from_str_values!(Resolution);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_and_written_so_that_they_read_back() {
        for (text, number) in
            [("0.5", 0.5), ("0.5m", 0.5), ("100 m", 100.0), ("1km", 1000.0), ("25cm", 0.25), ("1e2", 100.0)]
        {
            let read: Resolution = text.parse().unwrap();
            assert_eq!(read.number.to_bits(), f64::to_bits(number), "{text}");
            assert_eq!(read.to_string().parse::<Resolution>().unwrap(), read);
        }
        for bad in ["", "m", "-1", "0m", "nan", "inf", "NaN", "1 mile", "0.5px", "wide"] {
            let message = bad.parse::<Resolution>().unwrap_err().to_string();
            assert!(message.starts_with("resolution: ") && message.contains("0.5, 100m or 1km"), "{bad}: {message}");
        }
    }
}
