//! Center and bounds of a layer's tiles.

use super::{Radius, Style};
use crate::error::Result;
use crate::geo::{Bounds, Canvas, EARTH_RADIUS_M, MAX_MERCATOR_LAT_DEG, Projection, TileCoord};

/// The world coordinates of the corners of bounds, clamped to the latitudes of a Mercator map.
fn world([south, west]: [f64; 2], [north, east]: [f64; 2]) -> [[f64; 2]; 2] {
    let at = |lon: f64, lat: f64| {
        let (x, y) = Projection::Mercator.forward(lon, lat.clamp(-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG));
        [x, y]
    };
    [at(west, north), at(east, south)]
}

/// Longitude and latitude of the center of bounds in degrees, and the highest zoom, up to `maxzoom`, at which the
/// bounds fit into about 1024 pixels of tiles of `side_px`.
pub fn center(bounds: Bounds, side_px: u32, maxzoom: u8) -> (f64, f64, u8) {
    const WINDOW_PX: f64 = 1024.0;
    /// The zoom for a single point: a part of a town.
    const SINGLE_POINT_ZOOM: u8 = 14;
    let [[x0, y0], [x1, y1]] = world([bounds.south, bounds.west], [bounds.north, bounds.east]);
    let (lon, lat) = Projection::Mercator.inverse(f64::midpoint(x0, x1), f64::midpoint(y0, y1));
    let longest_px = f64::from(side_px) * (x1 - x0).max(y1 - y0);
    // Infinite for a single point, and clamped.
    let zoom = (WINDOW_PX / longest_px).log2().floor().clamp(0.0, f64::from(SINGLE_POINT_ZOOM)) as u8;
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    (round((lon + 180.0).rem_euclid(360.0) - 180.0), round(lat), zoom.min(maxzoom))
}

/// The distance from a point to the edge of its dot on tiles of a zoom.
#[derive(Clone, Copy, Debug, Default)]
pub struct DotReach {
    /// The distance on the ground, in meters.
    ground_m: f64,
    /// The distance on the map, as a share of the world.
    map: f64,
}

impl DotReach {
    /// The reach of dots of `style` on tiles of `side_px` pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) if the zoom is out of range.
    pub fn of(style: &Style, side_px: u32, zoom: u8) -> Result<Self> {
        /// The maximum reach of a dot, in radii.
        const MAX_REACH: f64 = 5.0 / 3.0;
        let (ground_m, radius_px) = match style.radius {
            Radius::Meters(meters) => (meters, 0.0),
            _ => (0.0, style.min_radius_px(&Canvas::tile(TileCoord::new(zoom, 0, 0)?, side_px)?)),
        };
        // One pixel is added for the pixel of the outermost point itself.
        let map = (radius_px * MAX_REACH + 1.0) / (f64::from(side_px) * f64::from(1u32 << zoom));
        Ok(Self { ground_m: ground_m * MAX_REACH, map })
    }
}

/// West, south, east and north in degrees of bounds expanded on each side by `reach`. Bounds that would cross the
/// antimeridian are expanded to all longitudes.
pub fn bounds_with_reach(bounds: Bounds, reach: DotReach) -> [f64; 4] {
    let bounds = expand(bounds, reach.ground_m);
    let [[x0, y0], [x1, y1]] = world([bounds.south, bounds.west], [bounds.north, bounds.east]);
    let (west, north) = Projection::Mercator.inverse(x0 - reach.map, (y0 - reach.map).max(0.0));
    let (east, south) = Projection::Mercator.inverse(x1 + reach.map, (y1 + reach.map).min(1.0));
    let (west, east) = if west < -180.0 || east > 180.0 { (-180.0, 180.0) } else { (west, east) };
    let (down, up) = (|degrees: f64| (degrees * 1e6).floor() / 1e6, |degrees: f64| (degrees * 1e6).ceil() / 1e6);
    [down(west), down(south), up(east), up(north)]
}

/// Bounds expanded on each side by a distance on the ground, to at most all longitudes and the poles.
pub(super) fn expand(bounds: Bounds, meters: f64) -> Bounds {
    if meters == 0.0 {
        return bounds;
    }
    let degrees = (meters / EARTH_RADIUS_M).to_degrees();
    let (south, north) = ((bounds.south - degrees).max(-90.0), (bounds.north + degrees).min(90.0));
    // The parallel that is nearest to a pole is the shortest one.
    let parallel = south.abs().max(north.abs()).to_radians().cos();
    let sideways = if parallel > 1e-9 { degrees / parallel } else { f64::INFINITY };
    let missing = ((360.0 - (bounds.east - bounds.west)) / 2.0).max(0.0);
    let sideways = sideways.min(missing);
    Bounds { west: bounds.west - sideways, south, east: bounds.east + sideways, north }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bounds_include_dots_of_a_radius_on_the_ground_at_their_latitude() {
        let style = Style { radius: Radius::Meters(60_000.0), ..Style::new().unwrap() };
        let bounds = Bounds { west: 10.0, south: 58.0, east: 20.0, north: 59.0 };
        let [west, south, east, north] = bounds_with_reach(bounds, DotReach::of(&style, 256, 12).unwrap());
        // 100 km are 0.898 degrees of latitude, and twice as many of longitude at 60 degrees.
        assert!((57.1 - south).abs() < 0.01 && (north - 59.9).abs() < 0.01, "{south} {north}");
        assert!((8.2 - west).abs() < 0.02 && (east - 21.8).abs() < 0.02, "{west} {east}");
        let pole = Bounds { west: 10.0, south: 84.0, east: 20.0, north: 89.0 };
        let [west, _, east, north] = bounds_with_reach(pole, DotReach::of(&style, 256, 12).unwrap());
        assert_eq!((west, east), (-180.0, 180.0));
        assert!((north - MAX_MERCATOR_LAT_DEG).abs() < 1e-5, "{north}");
    }

    #[test]
    fn the_center_has_a_zoom_at_which_the_bounds_fit() {
        let bounds = |west, south, east, north| Bounds { west, south, east, north };
        assert_eq!(center(Bounds::WORLD, 256, 24), (0.0, 0.0, 2));
        assert_eq!(center(Bounds::WORLD, 512, 24), (0.0, 0.0, 1));
        // Fiji crosses the antimeridian, and Sweden is higher than wide.
        assert_eq!(center(bounds(177.0, -20.0, 183.0, -16.0), 256, 24), (-180.0, -18.011_348, 7));
        let (lon, lat, zoom) = center(bounds(11.0, 55.3, 24.0, 69.0), 256, 24);
        assert!((lon, zoom) == (17.5, 5) && (62.9..63.3).contains(&lat), "{lon} {lat} {zoom}");
        let point = bounds(18.07, 59.33, 18.07, 59.33);
        assert_eq!(center(point, 256, 24), (18.07, 59.33, 14));
        assert_eq!(center(point, 256, 9).2, 9);
    }
}
