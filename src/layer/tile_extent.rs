//! Center, bounds and latitude of true scale of a layer's tiles.

use super::Layer;
use crate::geo::{Bounds, MAX_MERCATOR_LAT_DEG, Projection};

impl Layer {
    /// The latitude of true scale of the layer's tiles in degrees: the center of the layer on the map, rounded to a
    /// degree, so that a few more points do not change it.
    pub fn center_lat_deg(&self) -> f64 {
        /// The maximum latitude of true scale.
        const MAX_DEG: f64 = 85.0;
        let bounds = self.bounds();
        let y = |lat: f64| Projection::Mercator.forward(0.0, lat.clamp(-MAX_DEG, MAX_DEG)).1;
        let center = f64::midpoint(y(bounds.south), y(bounds.north));
        Projection::Mercator.inverse(0.0, center).1.round()
    }
}

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

/// The reach of dots of `radius_px` pixels on a map of tiles of `side_px` pixels at a zoom, as a share of the world.
pub fn dot_reach(radius_px: f64, side_px: u32, zoom: u8) -> f64 {
    /// The maximum reach of a dot, in radii.
    const MAX_REACH: f64 = 5.0 / 3.0;
    // One pixel is added for the pixel of the outermost point itself.
    (radius_px * MAX_REACH + 1.0) / (f64::from(side_px) * f64::from(1u32 << zoom))
}

/// West, south, east and north in degrees of bounds expanded on each side by `reach`, a share of the world. Bounds that
/// would cross the antimeridian are expanded to all longitudes.
pub fn bounds_with_reach(bounds: Bounds, reach: f64) -> [f64; 4] {
    let [[x0, y0], [x1, y1]] = world([bounds.south, bounds.west], [bounds.north, bounds.east]);
    let (west, north) = Projection::Mercator.inverse(x0 - reach, (y0 - reach).max(0.0));
    let (east, south) = Projection::Mercator.inverse(x1 + reach, (y1 + reach).min(1.0));
    let (west, east) = if west < -180.0 || east > 180.0 { (-180.0, 180.0) } else { (west, east) };
    let (down, up) = (|degrees: f64| (degrees * 1e6).floor() / 1e6, |degrees: f64| (degrees * 1e6).ceil() / 1e6);
    [down(west), down(south), up(east), up(north)]
}

#[cfg(test)]
mod tests {
    use super::*;

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
