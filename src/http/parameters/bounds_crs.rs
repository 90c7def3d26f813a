//! The coordinate reference system of the bounds of a request.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Projection};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};
use crate::source::CoordinateSpace;

/// The coordinate reference system of bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BoundsCrs {
    /// Longitude and latitude in degrees, or meters for a layer on a plane.
    #[default]
    OfLayer,
    /// EPSG:4326, as longitude and latitude in degrees.
    Degrees,
    /// EPSG:3857, the meters of web maps.
    WebMercator,
}

from_str_values!(BoundsCrs);

impl FromStr for BoundsCrs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let code = text.split_at_checked(5).filter(|(prefix, _)| prefix.eq_ignore_ascii_case("EPSG:"));
        match code.map_or(text, |(_, code)| code) {
            "4326" => Ok(Self::Degrees),
            "3857" => Ok(Self::WebMercator),
            _ => Err(Error::invalid(Parameter::CRS, format!("`{text}` is neither EPSG:4326 nor EPSG:3857"))),
        }
    }
}

impl fmt::Display for BoundsCrs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::WebMercator { "EPSG:3857" } else { "EPSG:4326" })
    }
}

parameter_set! {
    /// The coordinate reference system of bounds.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct BoundsCrsOptions {
        /// Coordinate reference system of the bounds: `EPSG:4326`, longitude and latitude in degrees, or `EPSG:3857`, the
        /// meters of web maps, as in `{bbox-epsg-3857}` of Mapbox and MapLibre. The prefix `EPSG:` may be omitted.
        crs: BoundsCrs = Declaration::new(Parameter::CRS, Kind::Name).default("EPSG:4326").example("EPSG:3857"),
    }
}

impl BoundsCrs {
    /// Half the circumference of the sphere of EPSG:3857 in meters.
    const HALF_M: f64 = 6_378_137.0 * PI;

    /// Reads the parameter `crs`.
    pub(crate) fn read(fields: &mut Fields) -> HttpResult<Self> {
        Ok(fields.read::<BoundsCrsOptions>()?.crs.unwrap_or_default())
    }

    /// The bounds in the coordinates of `layer`.
    pub(crate) fn to_layer(self, layer: &Layer, bounds: Option<Bounds>) -> HttpResult<Option<Bounds>> {
        self.to_space(layer.coordinate_space(), bounds)
    }

    /// The bounds in the coordinates of a space.
    pub(crate) fn to_space(self, space: CoordinateSpace, bounds: Option<Bounds>) -> HttpResult<Option<Bounds>> {
        if self != Self::OfLayer && space == CoordinateSpace::Plane {
            return Err(Problem::parameter("crs", "the layer is on a plane: its bounds are in meters, without a crs"));
        }
        match bounds {
            Some(bounds) if self == Self::WebMercator && bounds != Bounds::WORLD => degrees_of(bounds).map(Some),
            bounds => Ok(bounds),
        }
    }
}

/// The bounds in degrees of bounds in the meters of EPSG:3857.
fn degrees_of(bounds: Bounds) -> HttpResult<Bounds> {
    let world = |meters: f64| meters / (2.0 * BoundsCrs::HALF_M);
    let corner = |x: f64, y: f64| Projection::Mercator.inverse(0.5 + world(x), 0.5 - world(y));
    let ((west, south), (east, north)) = (corner(bounds.west, bounds.south), corner(bounds.east, bounds.north));
    Ok(Bounds::new(west, south, east, north)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Canvas, TileCoord};

    #[test]
    fn a_crs_is_read_with_and_without_its_prefix() {
        for (text, crs) in [
            ("3857", BoundsCrs::WebMercator),
            ("EPSG:3857", BoundsCrs::WebMercator),
            ("epsg:3857", BoundsCrs::WebMercator),
            ("EPSG:4326", BoundsCrs::Degrees),
            (" 4326", BoundsCrs::Degrees),
        ] {
            assert_eq!(text.parse::<BoundsCrs>().unwrap(), crs, "{text}");
        }
        for bad in ["", "25832", "EPSG:", "EPSG:25832", "meters", "épsg:3857", "CRS84"] {
            let error = bad.parse::<BoundsCrs>().unwrap_err().to_string();
            assert!(error.contains("neither EPSG:4326 nor EPSG:3857"), "{error}");
        }
    }

    #[test]
    fn the_meters_of_a_tile_give_the_canvas_of_the_tile() {
        // As MapLibre computes `{bbox-epsg-3857}`.
        let bbox = |zoom: u8, x: u32, y: u32| {
            let meters = |index: f64| index * 2.0 * BoundsCrs::HALF_M / f64::from(1_u32 << zoom) - BoundsCrs::HALF_M;
            let [x, y] = [x, (1 << zoom) - 1 - y].map(f64::from);
            Bounds::new(meters(x), meters(y), meters(x + 1.0), meters(y + 1.0)).unwrap()
        };
        for (zoom, x, y) in [(0, 0, 0), (1, 1, 0), (5, 16, 10), (12, 2200, 1343), (20, 563_000, 361_234)] {
            for side in [256, 512] {
                let tile = Canvas::tile(TileCoord::new(zoom, x, y).unwrap(), side).unwrap();
                let bounds = BoundsCrs::WebMercator.to_space(CoordinateSpace::Globe, Some(bbox(zoom, x, y)));
                let canvas = Canvas::new(Projection::Mercator, bounds.unwrap().unwrap(), side, side).unwrap();
                assert_eq!(canvas, tile, "{zoom}/{x}/{y}");
            }
        }
    }

    #[test]
    fn a_plane_has_no_other_reference_system() {
        let bounds = Some(Bounds { west: 0.0, south: 0.0, east: 9.0, north: 9.0 });
        assert_eq!(BoundsCrs::OfLayer.to_space(CoordinateSpace::Plane, bounds).unwrap(), bounds);
        for crs in [BoundsCrs::Degrees, BoundsCrs::WebMercator] {
            assert!(crs.to_space(CoordinateSpace::Plane, bounds).unwrap_err().detail().starts_with("crs: "));
        }
    }
}
