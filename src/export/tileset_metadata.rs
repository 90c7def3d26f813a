//! The metadata of a tile archive.

use super::TILE_PX;
use crate::error::Result;
use crate::geo::{Bounds, Zooms};
use crate::layer::{DotReach, Layer, Style, bounds_with_reach, center};

/// The metadata of a tile archive.
pub(super) struct TilesetMetadata<'a> {
    pub(super) title: &'a str,
    pub(super) attribution: Option<&'a str>,
    pub(super) description: String,
    pub(super) zooms: Zooms,
    /// West, south, east and north in degrees, never across the antimeridian.
    pub(super) bounds_deg: [f64; 4],
    /// Longitude, latitude and zoom of a map that shows all tiles.
    pub(super) center: (f64, f64, u8),
}

impl<'a> TilesetMetadata<'a> {
    /// The metadata of the tiles of a layer within `bounds`, or of all its points.
    pub(super) fn of(layer: &'a Layer, style: &Style, zooms: Zooms, bounds: Option<Bounds>) -> Result<Self> {
        /// The bounds include the reach of dots at this many zooms below that of the center. Dots reach further at
        /// lower zooms.
        const ZOOMS_OUT: u8 = 2;
        let Zooms { first, last } = zooms;
        let extent = bounds.unwrap_or_else(|| layer.bounds());
        let (lon, lat, zoom) = center(extent, TILE_PX, last);
        let zoom = zoom.max(first);
        let Bounds { west, south, east, north } = extent;
        let bounds_deg = if bounds.is_some() && -180.0 <= west && west < east && east <= 180.0 {
            [west, south, east, north]
        } else if bounds.is_some() {
            bounds_with_reach(extent, DotReach::default())
        } else {
            let lowest = zoom.saturating_sub(ZOOMS_OUT).clamp(first, last);
            bounds_with_reach(extent, DotReach::of(style, TILE_PX, lowest)?)
        };
        let weighted_by = layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
        Ok(Self {
            title: layer.title(),
            attribution: layer.attribution(),
            description: match layer.points() {
                1 => format!("1 point{weighted_by}"),
                points => format!("{points} points{weighted_by}"),
            },
            zooms,
            bounds_deg,
            center: (lon, lat, zoom),
        })
    }
}
