//! The bounding box of streamed points.

use super::{Bounds, Points};

/// The bounding box of points, updated batch by batch.
#[derive(Clone, Debug)]
pub struct Extent {
    min: [f64; 2],
    max: [f64; 2],
    /// The westernmost longitude of the eastern half of the world, and the easternmost of the western half.
    east_min: f64,
    west_max: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            min: [f64::INFINITY; 2],
            max: [f64::NEG_INFINITY; 2],
            east_min: f64::INFINITY,
            west_max: f64::NEG_INFINITY,
        }
    }
}

impl Extent {
    /// Extends the box by `points`, whose coordinates must be finite.
    pub fn add(&mut self, points: Points<'_>) {
        for (&lon, &lat) in points.lon().iter().zip(points.lat()) {
            self.min = [self.min[0].min(lon), self.min[1].min(lat)];
            self.max = [self.max[0].max(lon), self.max[1].max(lat)];
            let wrapped = (lon + 180.0).rem_euclid(360.0) - 180.0;
            if wrapped < 0.0 {
                self.west_max = self.west_max.max(wrapped);
            } else {
                self.east_min = self.east_min.min(wrapped);
            }
        }
    }

    /// Extends the box by that of `other`.
    pub fn merge(&mut self, other: &Self) {
        for axis in 0..2 {
            self.min[axis] = self.min[axis].min(other.min[axis]);
            self.max[axis] = self.max[axis].max(other.max[axis]);
        }
        self.east_min = self.east_min.min(other.east_min);
        self.west_max = self.west_max.max(other.west_max);
    }

    /// Whether the box intersects `bounds`. With `wraps`, longitudes are compared modulo 360°.
    pub fn intersects(&self, bounds: Bounds, wraps: bool) -> bool {
        let Some(own) = self.bounds(wraps) else { return false };
        if own.south > bounds.north || own.north < bounds.south {
            return false;
        }
        if !wraps {
            return own.west <= bounds.east && own.east >= bounds.west;
        }
        // The distance from the western edge of `bounds` east to that of the box.
        let offset = (own.west - bounds.west).rem_euclid(360.0);
        let (width, own_width) = (bounds.east - bounds.west, own.east - own.west);
        offset <= width || offset + own_width >= 360.0
    }

    /// The box, edges included; `None` if there are no points. Its width or height may be 0.
    ///
    /// With `wraps`, the box of points on both sides of the antimeridian crosses it (`east` > 180) if that box is less
    /// than half as wide as the one that does not.
    pub fn bounds(&self, wraps: bool) -> Option<Bounds> {
        if self.min[0] > self.max[0] {
            return None;
        }
        let [west, south] = self.min;
        let [east, north] = self.max;
        let crossing = (self.east_min, self.west_max + 360.0);
        let both_sides = self.east_min.is_finite() && self.west_max.is_finite();
        let is_narrower = both_sides && crossing.1 - crossing.0 < (east - west) / 2.0;
        let (west, east) = if wraps && is_narrower { crossing } else { (west, east) };
        Some(Bounds { west, south, east, north })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn extent(lon: &[f64], lat: &[f64]) -> Extent {
        let mut extent = Extent::default();
        extent.add(Points::new(lon, lat).unwrap());
        extent
    }

    #[test]
    fn the_box_of_points_around_the_antimeridian_crosses_it() {
        let fiji = extent(&[177.0, -179.0, 178.5], &[-17.0, -18.0, -16.0]);
        assert_eq!(fiji.bounds(true), Some(Bounds { west: 177.0, south: -18.0, east: 181.0, north: -16.0 }));
        assert_eq!(fiji.bounds(false), Some(Bounds { west: -179.0, south: -18.0, east: 178.5, north: -16.0 }));
        let world = extent(&[-179.0, 0.5, 179.0], &[0.0; 3]);
        assert_eq!(world.bounds(true), Some(Bounds { west: -179.0, south: 0.0, east: 179.0, north: 0.0 }));
    }

    #[test]
    fn extents_intersect_bounds_in_any_copy_of_the_world() {
        let fiji = extent(&[177.0, -179.0], &[-18.0, -16.0]);
        let bounds = |west, east| Bounds { west, south: -17.0, east, north: 0.0 };
        for (west, east) in
            [(170.0, 178.0), (180.5, 182.0), (-190.0, -180.5), (-179.5, 0.0), (-180.0, 180.0), (538.0, 540.0)]
        {
            assert!(fiji.intersects(bounds(west, east), true), "{west} {east}");
        }
        for (west, east) in [(170.0, 176.0), (-178.0, 176.0), (182.0, 200.0)] {
            assert!(!fiji.intersects(bounds(west, east), true), "{west} {east}");
        }
        assert!(!fiji.intersects(Bounds { south: -15.0, ..bounds(170.0, 190.0) }, true));
        assert!(!extent(&[5.0], &[-17.0]).intersects(bounds(364.0, 366.0), false));
        assert!(!Extent::default().intersects(Bounds::WORLD, true));
    }

    #[test]
    fn merged_extents_contain_both() {
        let mut one = extent(&[1.0], &[2.0]);
        one.merge(&extent(&[-3.0, 4.0], &[5.0, -6.0]));
        assert_eq!(one.bounds(true), Some(Bounds { west: -3.0, south: -6.0, east: 4.0, north: 5.0 }));
        assert_eq!(Extent::default().bounds(true), None);
        let one = extent(&[18.0], &[59.0]).bounds(true);
        assert_eq!(one, Some(Bounds { west: 18.0, south: 59.0, east: 18.0, north: 59.0 }));
    }
}
