//! Projections of single points to world units and back.
//!
//! Batches are projected by [`CellMapper`](super::CellMapper), which agrees with these functions within 1/16 pixel.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A map projection. World coordinates increase to the east and to the **south**.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Projection {
    /// Spherical Web Mercator, EPSG:3857, the default of web maps. The square world is 0..1 by 0..1.
    #[default]
    Mercator,
    /// Plate carrée, EPSG:4326, like `L.CRS.EPSG4326` of Leaflet. The world is 0..1 by 0..½.
    PlateCarree,
    /// Unprojected coordinates, like `L.CRS.Simple` of Leaflet, for floor plans and other planes. World units are plane
    /// units.
    Plane,
}

/// Radius of the Web Mercator sphere in meters (EPSG:3857, WGS 84 semi-major axis).
pub const EARTH_RADIUS_M: f64 = 6_378_137.0;

/// The latitude in degrees at which the Web Mercator world becomes a square: atan(sinh π).
pub const MAX_MERCATOR_LAT_DEG: f64 = 85.051_128_779_806_59;

impl Projection {
    /// World coordinates of a point. In Mercator, a latitude of ±90 is at infinity.
    pub fn forward(self, lon: f64, lat: f64) -> (f64, f64) {
        match self {
            Self::Mercator => (lon / 360.0 + 0.5, mercator_y(lat)),
            Self::PlateCarree => (lon / 360.0 + 0.5, 0.25 - lat / 360.0),
            Self::Plane => (lon, -lat),
        }
    }

    /// The point at world coordinates.
    pub fn inverse(self, x: f64, y: f64) -> (f64, f64) {
        match self {
            Self::Mercator => ((x - 0.5) * 360.0, (PI * (1.0 - 2.0 * y)).sinh().atan().to_degrees()),
            Self::PlateCarree => ((x - 0.5) * 360.0, (0.25 - y) * 360.0),
            Self::Plane => (x, -y),
        }
    }

    /// Whether the world repeats every world unit to the east and west.
    pub fn wraps(self) -> bool {
        self != Self::Plane
    }

    /// The range of latitudes of the projection, to which bounds are clamped.
    pub fn lat_range(self) -> (f64, f64) {
        match self {
            Self::Mercator => (-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG),
            Self::PlateCarree => (-90.0, 90.0),
            Self::Plane => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// Meters on the Earth's surface per world unit, along a parallel at `lat`; `None` on a plane.
    pub fn meters_per_unit_x(self, lat: f64) -> Option<f64> {
        self.wraps().then(|| 2.0 * PI * EARTH_RADIUS_M * lat.to_radians().cos())
    }

    /// Meters on the Earth's surface per world unit, along a meridian at `lat`; `None` on a plane.
    pub fn meters_per_unit_y(self, lat: f64) -> Option<f64> {
        match self {
            Self::Mercator => self.meters_per_unit_x(lat),
            Self::PlateCarree => Some(2.0 * PI * EARTH_RADIUS_M),
            Self::Plane => None,
        }
    }
}

/// Web Mercator y of a latitude, 0 in the north: ½ − artanh(sin φ) / 2π; exactly 0 and 1 at the edges of the square
/// world.
fn mercator_y(lat: f64) -> f64 {
    if lat.abs() == MAX_MERCATOR_LAT_DEG {
        return if lat > 0.0 { 0.0 } else { 1.0 };
    }
    0.5 - lat.to_radians().tan().asinh() / (2.0 * PI)
}

impl FromStr for Projection {
    type Err = Error;

    /// Reads `mercator` (or `EPSG:3857`), `platecarree` (or `EPSG:4326`) or `plane`.
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "mercator" | "epsg:3857" | "3857" => Ok(Self::Mercator),
            "platecarree" | "epsg:4326" | "4326" => Ok(Self::PlateCarree),
            "plane" => Ok(Self::Plane),
            _ => Err(Error::invalid(Parameter::PROJECTION, format!("`{text}` is not mercator, platecarree or plane"))),
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mercator => "mercator",
            Self::PlateCarree => "platecarree",
            Self::Plane => "plane",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn forward_and_inverse_agree() {
        for projection in [Projection::Mercator, Projection::PlateCarree, Projection::Plane] {
            for (lon, lat) in [(0.0, 0.0), (-122.4, 37.8), (179.9, -85.0), (18.06, 59.33)] {
                let (x, y) = projection.forward(lon, lat);
                let (lon2, lat2) = projection.inverse(x, y);
                assert!((lon - lon2).abs() < 1e-9 && (lat - lat2).abs() < 1e-9, "{projection} {lon} {lat}");
            }
        }
    }

    #[test]
    fn web_mercator_agrees_with_the_epsg_example() {
        // EPSG:3857 of 10° E 50° N is 1113194.91 m, 6446275.84 m (EPSG guidance note 7-2's sphere).
        let (x, y) = Projection::Mercator.forward(10.0, 50.0);
        let circumference_m = 2.0 * PI * EARTH_RADIUS_M;
        assert!(((x - 0.5) * circumference_m - 1_113_194.91).abs() < 0.01);
        assert!(((0.5 - y) * circumference_m - 6_446_275.84).abs() < 0.01);
        assert_eq!(Projection::Mercator.forward(0.0, MAX_MERCATOR_LAT_DEG).1.to_bits(), 0);
    }
}
