//! The coordinate space of points.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The coordinate space of points, which defines the valid coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CoordinateSpace {
    /// Degrees: |latitude| ≤ 90, |longitude| ≤ 360, both finite.
    #[default]
    Globe,
    /// A plane, x to the east and y to the north in meters: any finite number.
    Plane,
}

impl CoordinateSpace {
    /// The text of every value: the coordinate reference system of the stored coordinates.
    pub const WORDS: &[&str] = &["EPSG:4326", "plane"];

    /// Whether x is periodic.
    pub fn wraps(self) -> bool {
        self == Self::Globe
    }
}

impl FromStr for CoordinateSpace {
    type Err = Error;

    /// Reads `EPSG:4326`, the globe, or `plane`, in any case.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            _ if text.eq_ignore_ascii_case("plane") => Ok(Self::Plane),
            _ if text.eq_ignore_ascii_case("EPSG:4326") => Ok(Self::Globe),
            _ => {
                let words = Self::WORDS.join(" or ");
                Err(Error::invalid(Parameter::CRS, format!("`{text}` is invalid; expected {words}")))
            }
        }
    }
}

impl fmt::Display for CoordinateSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Globe => "EPSG:4326",
            Self::Plane => "plane",
        })
    }
}
