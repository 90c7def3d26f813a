//! Numbers with a unit, as people write them.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Reads a number and the unit behind it, in any case; a number without one counts `units`' first. `None` if it is
/// negative, no number, beyond `u64`, or so small a fraction that nothing is left of it.
pub(super) fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (number, unit) = (number.trim(), unit.trim());
    let factor = match units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => 1,
        None => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let product = number.parse::<f64>().ok()? * factor as f64;
    (1.0..u64::MAX as f64).contains(&product).then_some(product as u64)
}

/// Writes an amount with the largest unit that it is a whole multiple of; `units` begin with the unit of 1.
pub(super) fn write(amount: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| amount > 0 && amount.is_multiple_of(*factor);
    let largest = units.iter().filter(fits).max_by_key(|(_, factor)| *factor).or(units.first());
    let (unit, factor) = largest.copied().unwrap_or(("", 1));
    f.pad(&format!("{}{unit}", amount / factor))
}

/// Takes a string or a number, as text.
pub(super) fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Scalar;
    impl Visitor<'_> for Scalar {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a number")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<String, E> {
            Ok(number.to_string())
        }
    }
    deserializer.deserialize_any(Scalar)
}

/// Reads, prints and (de)serializes `$type`, a newtype over `u64` with its own `UNITS`.
macro_rules! quantity {
    ($type:ident, $parameter:literal, $example:literal) => {
        impl std::str::FromStr for $type {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> crate::error::Result<Self> {
                let why = || {
                    crate::error::Error::invalid(
                        const { crate::parameter::Parameter::new($parameter) },
                        format!(concat!("`{}` is not a ", $example), text),
                    )
                };
                $crate::config::quantity::read(text, &Self::UNITS).map(Self).ok_or_else(why)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::config::quantity::write(self.0, &Self::UNITS, f)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::config::quantity::scalar(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use quantity;
