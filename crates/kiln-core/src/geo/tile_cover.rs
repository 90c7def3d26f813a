//! The tiles that show some ground.

use std::ops::Range;

use super::{Bounds, MAX_MERCATOR_LAT_DEG, Projection, TileCoord};

/// The tiles of a zoom that show any of some bounds, across the antimeridian too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileCover {
    zoom: u8,
    /// The westernmost column, and how many there are to the east of it, around the world.
    first_column: u32,
    columns: u32,
    rows: Range<u32>,
}

impl TileCover {
    /// The tiles of a zoom, at most [`TileCoord::MAX_ZOOM`], that show any of `bounds`. Edges belong to the tile in the east
    /// and the south, so that bounds of whole tiles are covered by these alone.
    pub fn of(bounds: Bounds, zoom: u8) -> Self {
        let zoom = zoom.min(TileCoord::MAX_ZOOM);
        let across = f64::from(1u32 << zoom);
        let lat = |lat: f64| lat.clamp(-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG);
        let turn = if bounds.east < bounds.west { 360.0 } else { 0.0 };
        let (x0, y0) = Projection::Mercator.forward(bounds.west, lat(bounds.north));
        let (x1, y1) = Projection::Mercator.forward(bounds.east + turn, lat(bounds.south));
        // What is meant as the edge of a tile may come out a little beyond it.
        let nudge = 1e-9;
        let first = |share: f64| (share * across + nudge).floor();
        let end = |share: f64| (share * across - nudge).ceil();
        let columns = (end(x1) - first(x0)).clamp(1.0, across) as u32;
        let rows = first(y0).clamp(0.0, across - 1.0) as u32..end(y1).clamp(1.0, across) as u32;
        let rows = rows.start..rows.end.max(rows.start + 1);
        Self { zoom, first_column: first(x0).rem_euclid(across) as u32, columns, rows }
    }

    /// Whether a tile is one of them.
    pub fn contains(&self, tile: TileCoord) -> bool {
        tile.zoom() == self.zoom && self.rows.contains(&tile.y()) && self.has_column(tile.x())
    }

    fn has_column(&self, column: u32) -> bool {
        let across = 1u32 << self.zoom;
        (column + across - self.first_column) % across < self.columns
    }

    /// The westernmost column.
    pub fn first_column(&self) -> u32 {
        self.first_column
    }

    /// How many columns there are to the east of the first, that one included; beyond the antimeridian they go on at 0.
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
    fn bounds_are_covered_by_the_tiles_that_show_them() {
        assert_eq!(cover([-180.0, -90.0, 180.0, 90.0], 3), (0, 8, 0..8));
        assert_eq!(cover([0.0, 0.0, 45.0, 40.97], 3), (4, 1, 3..4));
        assert_eq!(cover([0.0, 0.0, 45.1, 41.0], 3), (4, 2, 2..4));
        assert_eq!(cover([18.07, 59.33, 18.07, 59.33], 24).1, 1);
        assert_eq!(cover([10.0, 88.0, 11.0, 89.0], 5), (16, 1, 0..1));
        assert_eq!(cover([-540.0, -10.0, 540.0, 10.0], 2), (0, 4, 1..3));
    }

    #[test]
    fn across_the_antimeridian_columns_go_on_at_the_other_end() {
        let has = |bounds: [f64; 4], column: u32| {
            let [west, south, east, north] = bounds;
            TileCover::of(Bounds { west, south, east, north }, 4).contains(TileCoord::new(4, column, 8).unwrap())
        };
        for bounds in [[170.0, -20.0, -170.0, -5.0], [170.0, -20.0, 190.0, -5.0], [-190.0, -20.0, -170.0, -5.0]] {
            assert!(has(bounds, 15) && has(bounds, 0) && !has(bounds, 1) && !has(bounds, 14), "{bounds:?}");
        }
    }
}
