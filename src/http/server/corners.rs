//! Bounds in Leaflet's notation.

use crate::geo::Bounds;

/// `[[south, west], [north, east]]` in degrees.
pub(crate) type Corners = [[f64; 2]; 2];

/// The corners of bounds, rounded to 1e-9 degrees (0.1 mm).
pub(crate) fn corners(bounds: Bounds) -> Corners {
    let round = |degrees: f64| (degrees * 1e9).round() / 1e9;
    [[round(bounds.south), round(bounds.west)], [round(bounds.north), round(bounds.east)]]
}

/// The corners of bounds, rounded outwards to 1e-9 degrees, so that points on the edges stay within them.
pub(crate) fn corners_around(bounds: Bounds) -> Corners {
    let [[south, west], [north, east]] = corners(bounds);
    let lower =
        |rounded: f64, exact: f64| if rounded > exact { ((rounded * 1e9).round() - 1.0) / 1e9 } else { rounded };
    let upper = |rounded: f64, exact: f64| -lower(-rounded, -exact);
    [[lower(south, bounds.south), lower(west, bounds.west)], [upper(north, bounds.north), upper(east, bounds.east)]]
}
