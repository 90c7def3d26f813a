//! Durations and sizes: numbers with a unit.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in whole seconds, written `90s`, `30m`, `1h` or `2d`; a number without a unit counts seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(
    with = "String",
    extend("type" = ["string", "integer"], "format" = "time-span", "pattern" = r"^ *[0-9.]+ *[smhdSMHD]? *$"),
    // The range of keys that declare no other: a second to a day.
    extend("minimum" = 1, "maximum" = 86_400)
)]
pub struct TimeSpan(u64);

impl TimeSpan {
    /// The units with their factors, the unit of 1 first.
    const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

    /// A duration of this many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The duration in seconds.
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Reads the maximum age of points, whose unit is required: an age in seconds that was meant in days would remove
    /// nearly all points.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) if `text` is not a duration with a unit, or is 0.
    pub fn parse_age(text: &str) -> crate::error::Result<Self> {
        match Self::parse_with_unit(text)? {
            Self(0) => Err(Self::invalid("0 would remove all points; expected 1s or more".into())),
            age => Ok(age),
        }
    }

    /// Reads a duration whose unit is required.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) if `text` is not a duration with a unit.
    pub fn parse_with_unit(text: &str) -> crate::error::Result<Self> {
        let span = text.parse::<Self>()?;
        if text.contains(|c: char| c.is_ascii_alphabetic()) {
            return Ok(span);
        }
        let text = text.trim();
        Err(Self::invalid(format!("`{text}` has no unit; expected a time such as 90s, 30m, 1h or 30d")))
    }

    fn invalid(detail: String) -> crate::error::Error {
        crate::error::Error::invalid(crate::parameter::Parameter::new("time"), detail)
    }

    /// The duration as the type of the standard library.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

/// A number of bytes, written `500MB` or `1GiB`; a number without a unit counts bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(
    with = "String",
    extend("type" = ["string", "integer"], "format" = "byte-size", "pattern" = r"^ *[0-9.]+ *([kKMmGgTt][iI]?)?[bB]? *$")
)]
pub struct ByteSize(u64);

impl ByteSize {
    /// The units with their factors, the unit of 1 first.
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("kB", 1000),
        ("MB", 1000_u64.pow(2)),
        ("GB", 1000_u64.pow(3)),
        ("TB", 1000_u64.pow(4)),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
    ];

    /// A size of this many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Reads a number with an optional unit in any case; without a unit, the number is in the unit of 1. `None` if it is
/// negative, not a number, exceeds `u64`, or is a fraction below 1.
fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
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

/// Writes an amount in the largest unit that divides it. The first of `units` is the unit of 1.
fn write(amount: u64, units: &[(&str, u64)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let fits = |(_, factor): &&(&str, u64)| amount > 0 && amount.is_multiple_of(*factor);
    let largest = units.iter().filter(fits).max_by_key(|(_, factor)| *factor).or(units.first());
    let (unit, factor) = largest.copied().unwrap_or(("", 1));
    f.pad(&format!("{}{unit}", amount / factor))
}

/// A string or a number, or a list of numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Integer(i64),
    Number(f64),
    List(Vec<f64>),
}

/// Reads a string, or a number as a string, or a list of numbers as a string with commas.
pub(super) fn scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Scalar::deserialize(deserializer)? {
        Scalar::Text(text) => text,
        Scalar::Integer(number) => number.to_string(),
        Scalar::Number(number) => number.to_string(),
        Scalar::List(numbers) => numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(","),
    })
}

/// Reads a [`scalar`] of a key that may be missing.
pub(super) fn optional_scalar<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    scalar(deserializer).map(Some)
}

/// Implements parsing, printing and (de)serialization of `$type`.
macro_rules! quantity {
    ($type:ident, $parameter:literal, $example:literal) => {
        impl std::str::FromStr for $type {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> crate::error::Result<Self> {
                let invalid = || {
                    crate::error::Error::invalid(
                        const { crate::parameter::Parameter::new($parameter) },
                        format!(concat!("`{}` is not a ", $example), text),
                    )
                };
                read(text, &Self::UNITS).map(Self).ok_or_else(invalid)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(self.0, &Self::UNITS, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                scalar(deserializer)?.parse().map_err(Error::custom)
            }
        }
    };
}
quantity!(TimeSpan, "time", "time such as 90s, 30m, 1h or 2d");
quantity!(ByteSize, "size", "size such as 500MB or 1GiB");

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        for (text, seconds, printed) in [
            ("90", 90, "90s"),
            ("1.5h", 5400, "90m"),
            (" 60 m", 3600, "1h"),
            ("2D", 172_800, "2d"),
            ("0", 0, "0s"),
            ("18446744073709551615", u64::MAX, "18446744073709551615s"),
        ] {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!((span.as_secs(), span.to_string().as_str()), (seconds, printed), "{text}");
            assert_eq!(printed.parse::<TimeSpan>().unwrap(), span);
        }
        for bad in ["", "-1s", "1 fortnight", "h", "nan", "inf", "0.2s", "1e300d", "18446744073709551615m", "1s s"] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ages_of_points_need_a_unit() {
        assert_eq!(TimeSpan::parse_age("1.5h").unwrap().as_secs(), 5400);
        for (bad, part) in [
            ("30", "`30` has no unit; expected a time such as 90s, 30m, 1h or 30d"),
            (" 30 ", "`30` has no unit"),
            ("0", "has no unit"),
            ("0d", "1s or more"),
            ("soon", "`soon` is not a time such as"),
        ] {
            let error = TimeSpan::parse_age(bad).unwrap_err().to_string();
            assert!(error.contains(part), "{bad}: {error}");
        }
    }

    #[test]
    fn sizes_are_read_and_printed() {
        for (text, bytes, printed) in [
            ("1GiB", 1 << 30, "1GiB"),
            ("500 mb", 500_000_000, "500MB"),
            ("1.5kB", 1500, "1500B"),
            ("1536 MiB", 1536 << 20, "1536MiB"),
            ("2000000000000", 2_000_000_000_000, "2TB"),
            ("0", 0, "0B"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, printed), "{text}");
            assert_eq!(printed.parse::<ByteSize>().unwrap(), size);
        }
        for bad in ["", "-1B", "1 heap", "GiB", "nan", "0.5B", "1e30GB", "99999999 TiB"] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad}");
        }
    }
}
