//! Options for reading inputs.

use std::fmt;
use std::str::FromStr;

use super::time::TimeFormat;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Options for reading an input. By default they are detected from the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The coordinate reference system, such as `EPSG:25832`. Default: the one that the input declares, or WGS 84 in
    /// degrees.
    pub crs: Option<String>,
    /// The axis order of coordinate pairs. Default: that of the format.
    pub order: Option<AxisOrder>,
    /// The format of times. Default: detected per value.
    pub time_format: TimeFormat,
    /// Whether the day is before the month in `05/01/2024`. Default: detected per column.
    pub day_first: Option<bool>,
    /// The character encoding of text, as a WHATWG label such as `windows-1252`. Default: that of the byte order mark,
    /// or UTF-8.
    pub encoding: Option<String>,
    /// The quoting of CSV fields. Default: detected from the file.
    pub quote: Option<Quote>,
    /// The path of the list of records in a JSON document, such as `data.items`, or the name of the table in a
    /// GeoPackage. Default: the document itself or its only list of objects, or the only table.
    pub records: Option<String>,
}

/// The axis order of a coordinate pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisOrder {
    /// Longitude, then latitude, or x, then y: `lon-lat`.
    LonLat,
    /// Latitude, then longitude: `lat-lon`.
    LatLon,
}

/// The quoting of CSV fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    /// A field that begins with `"` ends with the next single `"` (RFC 4180): `double`.
    Double,
    /// Quotes are ordinary characters: `none`.
    None,
}

macro_rules! words {
    ($type:ident, $parameter:ident, $($word:literal = $variant:ident),+) => {
        impl $type {
            /// The text of every value.
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
