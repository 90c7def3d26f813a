//! How an input is read, where it does not say so itself.

use std::fmt;
use std::str::FromStr;

use super::time::TimeFormat;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// How an input is read. The default finds out from the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The coordinate reference system of the coordinates, such as `EPSG:25832`. Default: the one that the input declares,
    /// else WGS 84 in degrees.
    pub crs: Option<String>,
    /// The order of the coordinates in pairs without names. Default: that of the format.
    pub order: Option<AxisOrder>,
    /// How times are written. Default: found out from each value.
    pub time_format: TimeFormat,
    /// Whether the day comes before the month in `05/01/2024`. Default: found out from the column.
    pub day_first: Option<bool>,
    /// The character encoding of a text, by its WHATWG label such as `windows-1252`. Default: that of its byte order mark,
    /// else UTF-8.
    pub encoding: Option<String>,
    /// Which fields of a CSV are quoted. Default: found out from the file.
    pub quote: Option<Quote>,
    /// The path of the list of records in a JSON document, such as `data.items`, or the name of the table in a GeoPackage.
    /// Default: the document itself, or its only list of objects; the only table.
    pub records: Option<String>,
}

/// The order of the coordinates in a pair without names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisOrder {
    /// Longitude, then latitude, or x, then y: `lon-lat`.
    LonLat,
    /// Latitude, then longitude: `lat-lon`.
    LatLon,
}

/// Whether quotes enclose fields of a CSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    /// A field that begins with `"` ends with the next single `"` (RFC 4180): `double`.
    Double,
    /// A quote is text like any other character: `none`.
    None,
}

macro_rules! words {
    ($type:ident, $parameter:ident, $($word:literal = $variant:ident),+) => {
        impl $type {
            /// The words for the values.
            pub const WORDS: &[&str] = &[$($word),+];
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                match text {
                    $(_ if text.eq_ignore_ascii_case($word) => Ok(Self::$variant),)+
                    _ => {
                        let words = Self::WORDS.join(" or ");
                        Err(Error::invalid(Parameter::$parameter, format!("`{text}` is invalid; expected {words}")))
                    }
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words!(AxisOrder, ORDER, "lon-lat" = LonLat, "lat-lon" = LatLon);
words!(Quote, QUOTE, "double" = Double, "none" = None);
