//! Bounds in Leaflet's notation.

use crate::geo::Bounds;

/// `[[south, west], [north, east]]` in degrees.
pub(crate) type Corners = [[f64; 2]; 2];

/// The corners of bounds, rounded to 1e-9 degrees (0.1 mm).
pub(crate) fn corners(bounds: Bounds) -> Corners {
    let round = |degrees: f64| (degrees * 1e9).round() / 1e9;
    [[round(bounds.south), round(bounds.west)], [round(bounds.north), round(bounds.east)]]
}
