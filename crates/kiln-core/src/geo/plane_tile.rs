//! Tiles of planes.

use std::fmt;

use super::Bounds;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// The address of a tile of a plane, in the matrix of `L.CRS.Simple` of Leaflet.
///
/// At zoom z, a meter is 2^z pixels, and tile (x, y) covers the pixels from 256·x to 256·(x + 1) east of the origin, and
/// from 256·y to 256·(y + 1) south of it. Tiles west of the origin have negative columns, and tiles north of it negative
/// rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlaneTile {
    zoom: i8,
    x: i64,
    y: i64,
}

impl PlaneTile {
    /// The minimum zoom, at which a pixel is 1,049 km wide.
    pub const MIN_ZOOM: i8 = -20;
    /// The maximum zoom, at which a pixel is 60 nm wide.
    pub const MAX_ZOOM: i8 = 24;
    /// Columns and rows are less than this, and at least its negative: 4,194 km on each side of the origin at
    /// [`MAX_ZOOM`](Self::MAX_ZOOM), and twice as far at each lower zoom. A position within it is exact to 1/16 pixel in
    /// `f64`, also in tiles of 2,048 pixels.
    pub const END: i64 = 1 << 38;
    /// Width and height of a tile in CSS pixels.
    pub const SIDE_PX: u32 = 256;

    /// Creates the address of a tile.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the zoom is not in [`MIN_ZOOM`](Self::MIN_ZOOM)..=[`MAX_ZOOM`](Self::MAX_ZOOM), or the
    /// column or row is not in −[`END`](Self::END)..[`END`](Self::END).
    pub fn new(zoom: i8, x: i64, y: i64) -> Result<Self> {
        let invalid = |message: String| Err(Error::invalid(Parameter::TILE, message));
        let (min, max, end) = (Self::MIN_ZOOM, Self::MAX_ZOOM, Self::END);
        if !(min..=max).contains(&zoom) {
            return invalid(format!("zoom {zoom} is outside {min} to {max}, the zooms of a plane"));
        }
        if ![x, y].iter().all(|index| (-end..end).contains(index)) {
            return invalid(format!(
                "{x}/{y} is too far from the origin: both must be at least -{end} and below {end}"
            ));
        }
        Ok(Self { zoom, x, y })
    }

    /// The address of the tile at `zoom` that contains the point (`x_m`, `y_m`) in meters. A point on an edge belongs to
    /// the tile to its east or south.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn containing(zoom: i8, x_m: f64, y_m: f64) -> Result<Self> {
        // An integer saturates, and is then out of range.
        let index = |meters: f64| (meters * Self::scale_of(zoom) / f64::from(Self::SIDE_PX)).floor() as i64;
        Self::new(zoom, index(x_m), index(-y_m))
    }

    /// The CSS pixels per meter at a zoom: 2^`zoom`.
    pub fn scale_of(zoom: i8) -> f64 {
        2f64.powi(i32::from(zoom))
    }

    /// Zoom, −20..=24.
    pub fn zoom(self) -> i8 {
        self.zoom
    }

    /// Column, from the origin to the east.
    pub fn x(self) -> i64 {
        self.x
    }

    /// Row, from the origin to the south.
    pub fn y(self) -> i64 {
        self.y
    }

    /// The bounds in meters.
    pub fn bounds(self) -> Bounds {
        let meters = |index: i64| index as f64 * f64::from(Self::SIDE_PX) / Self::scale_of(self.zoom);
        // Zero minus the edge, so that the edge at the origin is 0 and not −0.
        Bounds {
            west: meters(self.x),
            south: 0.0 - meters(self.y + 1),
            east: meters(self.x + 1),
            north: 0.0 - meters(self.y),
        }
    }
}

impl fmt::Display for PlaneTile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.zoom, self.x, self.y)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{Canvas, Projection};

    #[test]
    fn rows_north_of_the_origin_are_negative() {
        // At zoom 4, a meter is 16 pixels, and a tile is 16 m wide.
        let tile = PlaneTile::new(4, 0, -3).unwrap();
        assert_eq!(tile.bounds(), Bounds { west: 0.0, south: 32.0, east: 16.0, north: 48.0 });
        assert_eq!(
            PlaneTile::new(-1, -1, 0).unwrap().bounds(),
            Bounds { west: -512.0, south: -512.0, east: 0.0, north: 0.0 }
        );
        assert_eq!(PlaneTile::containing(4, 0.0, 47.9).unwrap(), tile);
        assert_eq!(PlaneTile::containing(4, 15.9, 32.1).unwrap(), tile);
        assert_eq!(PlaneTile::containing(4, -0.1, 48.1).unwrap(), PlaneTile::new(4, -1, -4).unwrap());
    }

    #[test]
    fn tiles_out_of_range_are_rejected() {
        let end = PlaneTile::END;
        for (zoom, x, y) in [(-20, 0, 0), (24, -end, end - 1)] {
            assert_eq!(PlaneTile::new(zoom, x, y).unwrap().to_string(), format!("{zoom}/{x}/{y}"));
        }
        for (zoom, x, y) in [(-21, 0, 0), (25, 0, 0), (0, end, 0), (0, 0, -end - 1), (0, i64::MIN, i64::MAX)] {
            assert!(PlaneTile::new(zoom, x, y).is_err(), "{zoom}/{x}/{y}");
        }
        for meters in [f64::INFINITY, 1e300, -1e300] {
            assert!(PlaneTile::containing(0, meters, 0.0).is_err(), "{meters}");
        }
    }

    #[test]
    fn the_canvas_of_a_tile_has_its_bounds() {
        for (zoom, x, y) in [(4, 0, -3), (-20, -1, 5), (24, 100_000, -100_001), (0, 0, 0)] {
            let tile = PlaneTile::new(zoom, x, y).unwrap();
            for side_px in [256, 512, 2048] {
                let canvas = Canvas::plane_tile(tile, side_px).unwrap();
                assert_eq!((canvas.bounds(), canvas.width()), (tile.bounds(), side_px), "{tile}");
                let Bounds { west, south, east, north } = tile.bounds();
                let same =
                    Canvas::new(Projection::Plane, Bounds { west, south, east, north }, side_px, side_px).unwrap();
                assert_eq!(canvas.scale().map(f64::to_bits), same.scale().map(f64::to_bits), "{tile}");
            }
        }
    }
}
