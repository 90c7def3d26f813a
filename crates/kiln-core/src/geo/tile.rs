//! Tile coordinates.

use std::fmt;

use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A valid tile coordinate in the XYZ scheme: 2^zoom × 2^zoom tiles, row 0 in the north.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TileCoord {
    zoom: u8,
    x: u32,
    y: u32,
}

impl TileCoord {
    /// The maximum zoom, at which a pixel of a 256-pixel tile is 9 mm wide at the equator.
    pub const MAX_ZOOM: u8 = 24;

    /// Creates a tile coordinate.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the zoom exceeds [`Self::MAX_ZOOM`] or the column or row is outside the world.
    pub fn new(zoom: u8, x: u32, y: u32) -> Result<Self> {
        if zoom > Self::MAX_ZOOM {
            return Err(Error::invalid(Parameter::TILE, format!("zoom {zoom} exceeds {}", Self::MAX_ZOOM)));
        }
        let limit = 1u32 << zoom;
        if x >= limit || y >= limit {
            return Err(Error::invalid(
                Parameter::TILE,
                format!("{x}/{y} is outside zoom {zoom}: both must be less than {limit}"),
            ));
        }
        Ok(Self { zoom, x, y })
    }

    /// Zoom, 0..=24.
    pub fn zoom(self) -> u8 {
        self.zoom
    }

    /// Column, from the antimeridian to the east.
    pub fn x(self) -> u32 {
        self.x
    }

    /// Row, from the north.
    pub fn y(self) -> u32 {
        self.y
    }
}

impl fmt::Display for TileCoord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.zoom, self.x, self.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_outside_the_world_are_rejected() {
        assert!(TileCoord::new(3, 7, 7).is_ok());
        assert!(TileCoord::new(3, 8, 0).is_err());
        assert!(TileCoord::new(0, 0, 1).is_err());
        assert!(TileCoord::new(25, 0, 0).is_err());
    }
}
