//! Which ground the tiles of a layer show.

use super::Layer;
use crate::geo::{Bounds, MAX_MERCATOR_LAT_DEG, Projection};

impl Layer {
    /// The latitude of true scale of the layer's tiles in degrees: its middle on the map, to a degree, so that a few more
    /// points do not move it.
    pub fn center_lat_deg(&self) -> f64 {
        /// As far as a latitude of true scale may be.
        const MOST_DEG: f64 = 85.0;
        let bounds = self.bounds();
        let y = |lat: f64| Projection::Mercator.forward(0.0, lat.clamp(-MOST_DEG, MOST_DEG)).1;
        let middle = f64::midpoint(y(bounds.south), y(bounds.north));
        Projection::Mercator.inverse(0.0, middle).1.round()
    }
}

/// The world coordinates of the corners of bounds, as far as a Mercator map shows them.
fn world([south, west]: [f64; 2], [north, east]: [f64; 2]) -> [[f64; 2]; 2] {
    let at = |lon: f64, lat: f64| {
        let (x, y) = Projection::Mercator.forward(lon, lat.clamp(-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG));
        [x, y]
    };
    [at(west, north), at(east, south)]
}

/// Longitude and latitude of the middle of bounds in degrees, and the deepest zoom at which they fit about 1024 pixels of
/// tiles of `side_px`, not beyond `maxzoom`.
pub fn center(bounds: Bounds, side_px: u32, maxzoom: u8) -> (f64, f64, u8) {
    const WINDOW_PX: f64 = 1024.0;
    /// The zoom at which a lone point is shown: a part of a town.
    const LONE_ZOOM: u8 = 14;
    let [[x0, y0], [x1, y1]] = world([bounds.south, bounds.west], [bounds.north, bounds.east]);
    let (lon, lat) = Projection::Mercator.inverse(f64::midpoint(x0, x1), f64::midpoint(y0, y1));
    let longest_px = f64::from(side_px) * (x1 - x0).max(y1 - y0);
    // Without any extent that is infinite, and cut.
    let zoom = (WINDOW_PX / longest_px).log2().floor().clamp(0.0, f64::from(LONE_ZOOM)) as u8;
    let round = |degrees: f64| (degrees * 1e6).round() / 1e6;
    (round((lon + 180.0).rem_euclid(360.0) - 180.0), round(lat), zoom.min(maxzoom))
}

/// How far dots of `radius_px` pixels reach on a map of tiles of `side_px` at a zoom, as a share of the world.
pub fn dot_reach(radius_px: f64, side_px: u32, zoom: u8) -> f64 {
    /// No dot reaches further than so many radii.
    const REACH: f64 = 5.0 / 3.0;
    // One pixel more, for the pixel that the outermost point itself lies in.
    (radius_px * REACH + 1.0) / (f64::from(side_px) * f64::from(1u32 << zoom))
}

/// West, south, east and north in degrees of a map that shows bounds and, as a share of the world, `reach` around them. Never
/// across the antimeridian.
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
    fn the_middle_is_shown_at_a_zoom_that_fits() {
        let bounds = |west, south, east, north| Bounds { west, south, east, north };
        assert_eq!(center(Bounds::WORLD, 256, 24), (0.0, 0.0, 2));
        assert_eq!(center(Bounds::WORLD, 512, 24), (0.0, 0.0, 1));
        // Fiji lies on both sides of the antimeridian, and Sweden is higher than wide.
        assert_eq!(center(bounds(177.0, -20.0, 183.0, -16.0), 256, 24), (-180.0, -18.011_348, 7));
        let (lon, lat, zoom) = center(bounds(11.0, 55.3, 24.0, 69.0), 256, 24);
        assert!((lon, zoom) == (17.5, 5) && (62.9..63.3).contains(&lat), "{lon} {lat} {zoom}");
        let lone = bounds(18.07, 59.33, 18.07, 59.33);
        assert_eq!(center(lone, 256, 24), (18.07, 59.33, 14));
        assert_eq!(center(lone, 256, 9).2, 9);
    }
}
