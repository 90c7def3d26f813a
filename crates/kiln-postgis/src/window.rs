//! Pixel edges in degrees, as the arguments of `width_bucket`.

use super::pixel_edges::PixelEdges;
use super::relation::Box4;
use kiln_core::geo::fixed::{first_lat, first_lon};

/// Pixel edges in degrees.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The lowest longitude of each column, ascending, for each copy of the world that has points.
    pub(super) lon: Vec<f64>,
    /// The lowest latitude of each row, ascending, that is, from the last row to the first.
    pub(super) lat: Vec<f64>,
    /// The rectangles that contain the points of the window.
    pub(super) boxes: Vec<Box4>,
    columns: usize,
}

impl Window {
    /// The window of `edges` for points within `extent`: west, south, east and north.
    pub(super) fn new(edges: &PixelEdges, extent: Box4) -> Self {
        let turns = [extent[0], extent[2]].map(|lon| (lon / 360.0 + 0.5).floor() as i64);
        let turns = turns[0]..=turns[1];
        let lon_at = |turn: i64, cell: u64| first_lon(turn, edges.unit(cell));
        let mut lon = Vec::with_capacity(edges.columns.len());
        for turn in turns.clone() {
            lon.extend(edges.columns.iter().map(|cell| lon_at(turn, *cell)));
        }
        let lat: Vec<f64> = edges.rows.iter().rev().map(|cell| first_lat(edges.unit(*cell))).collect();
        let mut boxes = Vec::new();
        if let (Some(&south), Some(&north)) = (lat.first(), lat.last()) {
            for span in &edges.spans {
                for turn in turns.clone() {
                    let found = [lon_at(turn, span.start), south, lon_at(turn, span.end), north];
                    boxes.extend(intersection(found, extent));
                }
            }
        }
        Self { lon, lat, boxes, columns: edges.columns.len() }
    }

    /// The column and row of a pair of bucket numbers, as `width_bucket` returns them; `None` outside of the window.
    pub(super) fn cell(&self, lon: usize, lat: usize) -> Option<[usize; 2]> {
        let column = lon.checked_sub(1)? % self.columns;
        let row = self.lat.len().checked_sub(lat + 1)?;
        (column + 1 < self.columns && lat > 0).then_some([column, row])
    }

    /// The boxes to filter by; `None` if one of them contains the extent.
    pub(super) fn boxes(&self, extent: Box4) -> Option<&[Box4]> {
        let [west, south, east, north] = extent;
        let contains_extent =
            |found: &Box4| found[0] <= west && found[1] <= south && found[2] >= east && found[3] >= north;
        (!self.boxes.iter().any(contains_extent)).then_some(&self.boxes)
    }
}

/// The intersection of two rectangles.
pub(super) fn intersection(a: Box4, b: Box4) -> Option<Box4> {
    let both = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    (both[0] <= both[2] && both[1] <= both[3]).then_some(both)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use kiln_core::geo::{Canvas, TileCoord};
    use kiln_core::raster::cell_grid::CellToPixelMap;

    #[test]
    fn bucket_numbers_map_to_columns_and_rows() {
        let canvas = Canvas::tile(TileCoord::new(1, 0, 1).unwrap(), 256).unwrap();
        let edges = PixelEdges::of_canvas(&canvas, &CellToPixelMap::new(&canvas));
        let window = Window::new(&edges, [-170.0, -60.0, 180.0, 60.0]);
        assert_eq!((window.lon.len(), window.lat.len()), (2 * 257, 257));
        let bucket = |limits: &[f64], at: f64| limits.partition_point(|limit| *limit <= at);
        let cell = |lon: f64, lat: f64| window.cell(bucket(&window.lon, lon), bucket(&window.lat, lat));
        assert_eq!(cell(-180.0, -1e-9), Some([0, 0]));
        assert_eq!(cell(180.0, -1e-9), Some([0, 0]));
        assert_eq!(cell(-1e-9, -85.05), Some([255, 255]));
        assert_eq!(
            (cell(0.0, -10.0), cell(-10.0, 0.1), cell(-10.0, -86.0), cell(-190.0, -10.0)),
            (None, None, None, None)
        );
        assert_eq!(window.boxes.len(), 2);
        assert!(window.boxes([-170.0, -60.0, 180.0, 60.0]).is_some());
        assert!(window.boxes([-170.0, -60.0, -10.0, -10.0]).is_none());
    }
}
