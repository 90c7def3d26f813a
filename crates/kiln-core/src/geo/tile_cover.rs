//! Tile covers of bounds.

use std::ops::Range;

use super::{Bounds, MAX_MERCATOR_LAT_DEG, Projection, TileCoord};

/// The tiles of a zoom level that intersect bounds, also across the antimeridian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileCover {
    zoom: u8,
    /// The westernmost column, from which `columns` columns continue to the east, around the world.
    first_column: u32,
    columns: u32,
    rows: Range<u32>,
}

impl TileCover {
    /// The tiles of `zoom` (at most [`TileCoord::MAX_ZOOM`]) that intersect `bounds`. An edge belongs to the tile to
    /// its east or south, so the cover of the bounds of a tile is that tile alone.
    pub fn of(bounds: Bounds, zoom: u8) -> Self {
        let zoom = zoom.min(TileCoord::MAX_ZOOM);
        let world_tiles = f64::from(1u32 << zoom);
        let lat = |lat: f64| lat.clamp(-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG);
        let turn = if bounds.east < bounds.west { 360.0 } else { 0.0 };
        let (x0, y0) = Projection::Mercator.forward(bounds.west, lat(bounds.north));
        let (x1, y1) = Projection::Mercator.forward(bounds.east + turn, lat(bounds.south));
        // The rounding error of an edge that coincides with that of a tile.
        let tolerance = 1e-9;
        let first = |world: f64| (world * world_tiles + tolerance).floor();
        let end = |world: f64| (world * world_tiles - tolerance).ceil();
        let columns = (end(x1) - first(x0)).clamp(1.0, world_tiles) as u32;
        let rows = first(y0).clamp(0.0, world_tiles - 1.0) as u32..end(y1).clamp(1.0, world_tiles) as u32;
        let rows = rows.start..rows.end.max(rows.start + 1);
        Self { zoom, first_column: first(x0).rem_euclid(world_tiles) as u32, columns, rows }
    }

    /// Whether the cover contains `tile`.
    pub fn contains(&self, tile: TileCoord) -> bool {
        tile.zoom() == self.zoom && self.rows.contains(&tile.y()) && self.contains_column(tile.x())
    }

    fn contains_column(&self, column: u32) -> bool {
        let world_tiles = 1u32 << self.zoom;
        (column + world_tiles - self.first_column) % world_tiles < self.columns
    }

    /// The westernmost column.
    pub fn first_column(&self) -> u32 {
        self.first_column
    }

    /// The number of columns, counted to the east from the first; at the antimeridian they continue with column 0.
    pub fn columns(&self) -> u32 {
        self.columns
    }

    /// The rows.
    pub fn rows(&self) -> Range<u32> {
        self.rows.clone()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn cover(bounds: [f64; 4], zoom: u8) -> (u32, u32, Range<u32>) {
        let [west, south, east, north] = bounds;
        let cover = TileCover::of(Bounds { west, south, east, north }, zoom);
        (cover.first_column, cover.columns, cover.rows)
    }

    #[test]
    fn a_cover_has_the_tiles_that_intersect_the_bounds() {
        assert_eq!(cover([-180.0, -90.0, 180.0, 90.0], 3), (0, 8, 0..8));
        assert_eq!(cover([0.0, 0.0, 45.0, 40.97], 3), (4, 1, 3..4));
        assert_eq!(cover([0.0, 0.0, 45.1, 41.0], 3), (4, 2, 2..4));
        assert_eq!(cover([18.07, 59.33, 18.07, 59.33], 24).1, 1);
        assert_eq!(cover([10.0, 88.0, 11.0, 89.0], 5), (16, 1, 0..1));
        assert_eq!(cover([-540.0, -10.0, 540.0, 10.0], 2), (0, 4, 1..3));
    }

    #[test]
    fn columns_wrap_at_the_antimeridian() {
        let contains = |bounds: [f64; 4], column: u32| {
            let [west, south, east, north] = bounds;
            TileCover::of(Bounds { west, south, east, north }, 4).contains(TileCoord::new(4, column, 8).unwrap())
        };
        for bounds in [[170.0, -20.0, -170.0, -5.0], [170.0, -20.0, 190.0, -5.0], [-190.0, -20.0, -170.0, -5.0]] {
            assert!(contains(bounds, 15) && contains(bounds, 0), "{bounds:?}");
            assert!(!contains(bounds, 1) && !contains(bounds, 14), "{bounds:?}");
        }
    }
}
