//! What archives say of themselves.

use crate::geo::Zooms;

/// What archives say of themselves.
pub(super) struct TilesetMetadata<'a> {
    pub(super) title: &'a str,
    pub(super) attribution: Option<&'a str>,
    pub(super) description: String,
    pub(super) zooms: Zooms,
    /// West, south, east and north in degrees, never across the antimeridian.
    pub(super) bounds_deg: [f64; 4],
    /// Longitude, latitude and zoom of a map that shows all.
    pub(super) center: (f64, f64, u8),
}
