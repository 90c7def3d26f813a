//! Geographic bounds.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A bounding box in degrees (in plane units under [`Projection::Plane`](super::Projection::Plane)).
///
/// On the globe, bounds that cross the antimeridian have `east` < `west` or `east` > 180; both are accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Left edge: longitude in degrees, or minimum x.
    pub west: f64,
    /// Lower edge: latitude in degrees, or minimum y.
    pub south: f64,
    /// Right edge: longitude in degrees, or maximum x.
    pub east: f64,
    /// Upper edge: latitude in degrees, or maximum y.
    pub north: f64,
}

impl Bounds {
    /// The whole globe.
    pub const WORLD: Self = Self { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

    /// Creates bounds from their edges.
    ///
    /// # Errors
    /// [`Error::Invalid`] if an edge is not finite or `south` is not less than `north`.
    pub fn new(west: f64, south: f64, east: f64, north: f64) -> Result<Self> {
        if ![west, south, east, north].iter().all(|edge| edge.is_finite()) {
            return Err(Error::invalid(Parameter::BOUNDS, "west, south, east and north must be finite numbers"));
        }
        if south >= north {
            return Err(Error::invalid(
                Parameter::BOUNDS,
                format!("south ({south}) must be less than north ({north}); the order is west,south,east,north"),
            ));
        }
        Ok(Self { west, south, east, north })
    }
}

impl FromStr for Bounds {
    type Err = Error;

    /// Reads `west,south,east,north`, or `world`.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim().eq_ignore_ascii_case("world") {
            return Ok(Self::WORLD);
        }
        let malformed =
            || Error::invalid(Parameter::BOUNDS, format!("`{text}` is not west,south,east,north or `world`"));
        let edges: Vec<f64> =
            text.split(',').map(|edge| edge.trim().parse().map_err(|_| malformed())).collect::<Result<_>>()?;
        match edges[..] {
            [west, south, east, north] => Self::new(west, south, east, north),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Bounds {
    /// Writes `west,south,east,north` with at most six decimals (11 cm).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = |edge: f64| (edge * 1e6).round() / 1e6;
        write!(f, "{},{},{},{}", rounded(self.west), rounded(self.south), rounded(self.east), rounded(self.north))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_parsed() {
        assert_eq!("-10, 35,30,60".parse::<Bounds>().unwrap(), Bounds::new(-10.0, 35.0, 30.0, 60.0).unwrap());
        assert_eq!("World".parse::<Bounds>().unwrap(), Bounds::WORLD);
        for bad in ["", "1,2,3", "1,2,3,x", "0,10,10,0", "0,0,nan,1", "0,0,1,2,3"] {
            assert!(bad.parse::<Bounds>().is_err(), "{bad}");
        }
    }
}
