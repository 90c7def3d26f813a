//! `min_count` and the keys that go with it: the protection of a layer.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::origin::Fault;
use super::quantity::scalar;
use super::style::parts;
use super::{Config, LayerConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::layer::{LayerProtection, ProtectedLayers};
use crate::parameter::Parameter;
use crate::protection::Protection;

/// A length in meters, written `100m`, `2.5km` or `50cm`; a number without a unit counts meters.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(with = "String", extend("type" = ["string", "number"], "format" = "length"))]
pub struct Length(f64);

/// The length of the periods of a protection: a time span, or `all` for times that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("type" = ["string", "integer"], "format" = "period"))]
pub enum Period {
    /// All times are one period.
    All,
    /// Periods of equal length.
    Span(TimeSpan),
}

impl Length {
    /// The units with their lengths in meters.
    const UNITS: [(&str, f64); 4] = [("cm", 0.01), ("mm", 0.001), ("km", 1000.0), ("m", 1.0)];

    /// The length in meters.
    pub const fn meters(self) -> f64 {
        self.0
    }
}

impl FromStr for Length {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let of_unit = |(unit, meters): &(&str, f64)| Some((trimmed.strip_suffix(unit)?, *meters));
        let (number, meters) = Self::UNITS.iter().find_map(of_unit).unwrap_or((trimmed, 1.0));
        let length = number.trim_end().parse::<f64>().ok().map(|number| number * meters);
        let is_valid = |length: &f64| length.is_finite() && *length >= Protection::MIN_CELL_M;
        length.filter(is_valid).map(Self).ok_or_else(|| {
            let message = format!("`{text}` is not a length from 1mm, such as 100m, 2.5km or 50cm");
            Error::invalid(Parameter::MIN_COUNT_CELL, message)
        })
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        let span = text.parse::<TimeSpan>().ok().filter(|span| span.as_secs() > 0).map(Self::Span);
        let message = || format!("`{text}` is neither a time such as 1h or 7d, nor all");
        span.ok_or_else(|| Error::invalid(Parameter::MIN_COUNT_PERIOD, message()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Span(span) => span.fmt(f),
        }
    }
}

/// Implements (de)serialization of `$type` as text.
macro_rules! as_text {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                scalar(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    };
}
as_text!(Length);
as_text!(Period);

impl LayerConfig {
    /// The protection of the layer; `None` without `min_count`.
    ///
    /// # Errors
    /// [`Error::Config`] if a value is invalid. This cannot happen in a [checked](super::Config::check) configuration.
    pub fn protection(&self) -> Result<Option<Protection>> {
        self.read_protection().map_err(|Fault { path, message, .. }| Error::config(path, message))
    }

    /// Reads and checks the keys of the protection.
    pub(super) fn read_protection(&self) -> std::result::Result<Option<Protection>, Fault> {
        let Some(min_count) = self.min_count else {
            let keys = [
                ("min_count_cell", self.min_count_cell.is_some()),
                ("min_count_period", self.min_count_period.is_some()),
            ];
            return match keys.iter().find(|(_, is_set)| *is_set) {
                Some((key, _)) => Err(Fault::key(*key, "the key needs min_count, the minimum number of points")),
                None => Ok(None),
            };
        };
        let protection = Protection::new(min_count).and_then(|protection| {
            let protection = match self.min_count_cell {
                Some(cell) => protection.with_cell(cell.meters())?,
                None => protection,
            };
            match self.min_count_period {
                Some(Period::All) => protection.with_period(None),
                Some(Period::Span(span)) => protection.with_period(Some(to_us(span))),
                None => Ok(protection),
            }
        });
        protection.map(Some).map_err(|error| {
            let (parameter, message) = parts(error);
            Fault::value(parameter.map_or("min_count", Parameter::key), message)
        })
    }
}

impl Config {
    /// The protections of the layers that have a `min_count`.
    ///
    /// # Errors
    /// As [`LayerConfig::protection`].
    pub fn protected_layers(&self) -> Result<ProtectedLayers> {
        let mut protections = BTreeMap::new();
        for (name, layer) in &self.layers {
            if let Some(protection) = layer.protection()? {
                // A table is read in its interval, so that its points do not change in between.
                let refresh = layer.refresh.filter(|_| layer.store).map(TimeSpan::duration);
                protections.insert(name.clone(), LayerProtection { protection, refresh });
            }
        }
        Ok(ProtectedLayers::new(protections))
    }
}

fn to_us(span: TimeSpan) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::source::CoordinateSpace;

    #[test]
    fn lengths_are_read_and_printed() {
        for (text, meters, printed) in
            [("100m", 100.0, "100m"), ("2.5 km", 2500.0, "2500m"), ("50cm", 0.5, "0.5m"), (" 3", 3.0, "3m")]
        {
            let length: Length = text.parse().unwrap();
            assert_eq!((length.meters(), length.to_string().as_str()), (meters, printed), "{text}");
            assert_eq!(printed.parse::<Length>().unwrap(), length);
        }
        for bad in ["", "m", "0", "-1m", "nan", "inf", "1 mile", "1e999km", "5px"] {
            assert!(bad.parse::<Length>().is_err(), "{bad}");
        }
    }

    #[test]
    fn periods_are_read_and_printed() {
        for text in ["all", "90s", "7d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for (text, is_length) in [("1mm", true), ("0.9mm", false), ("1e-9", false), ("0", false)] {
            assert_eq!(text.parse::<Length>().is_ok(), is_length, "{text}");
        }
        assert!(["", "0", "ever", "-1d"].iter().all(|bad| bad.parse::<Period>().is_err()));
    }

    #[test]
    fn a_layer_has_the_protection_of_its_keys() {
        let layer = |keys: &str| toml::from_str::<LayerConfig>(keys).unwrap().read_protection();
        assert_eq!(layer("input = \"a.csv\"").unwrap(), None);
        let default = layer("min_count = 5").unwrap().unwrap();
        assert_eq!((default.min_count(), default.period_us()), (5, Some(86_400_000_000)));
        let keys = "min_count = 9\nmin_count_cell = \"1km\"\nmin_count_period = \"1h\"";
        let hourly = layer(keys).unwrap().unwrap();
        assert_eq!((hourly.cell_m(CoordinateSpace::Globe), hourly.period_us()), (1000.0, Some(3_600_000_000)));
        assert_eq!(layer("min_count = 2\nmin_count_period = \"all\"").unwrap().unwrap().period_us(), None);
        for (keys, path) in [
            ("min_count = 1", "min_count"),
            ("min_count_cell = \"5m\"", "min_count_cell"),
            ("min_count_period = \"5m\"", "min_count_period"),
        ] {
            assert_eq!(layer(keys).unwrap_err().path, path);
        }
    }
}
