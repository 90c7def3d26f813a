//! The edges of the pixels of a canvas, in cells.

use std::ops::Range;

use kiln_core::geo::Canvas;
use kiln_core::raster::cell_grid::{CellToPixelMap, OUTSIDE};

/// The edges of columns and rows of pixels, in cells of a level. Each pixel spans from one edge to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PixelEdges {
    pub(super) level: u32,
    /// Edges of columns, ascending.
    pub(super) columns: Vec<u64>,
    /// The visible ranges of columns.
    pub(super) spans: Vec<Range<u64>>,
    /// Edges of rows, ascending.
    pub(super) rows: Vec<u64>,
}

impl PixelEdges {
    /// The edges of the pixels of a canvas, in all copies of the world. All cells between two edges belong to the same
    /// pixel.
    pub(super) fn of_canvas(canvas: &Canvas, pixel_map: &CellToPixelMap) -> Self {
        let all = 0..canvas.height();
        let rows = pixel_map.rows(all.clone());
        let (mut columns, mut spans, mut row_edges) = (Vec::new(), Vec::new(), Vec::new());
        for &turn in &pixel_map.turns {
            let [column_range, row_range] = pixel_map.cell_window(turn, all.clone());
            let turn_columns = pixel_map.columns(turn);
            let found = changes(column_range, |cell| turn_columns.at(cell));
            if let (Some(&first), Some(&last)) = (found.first(), found.last()) {
                spans.push(first..last);
            }
            columns.extend(found);
            if row_edges.is_empty() {
                row_edges = changes(row_range, |cell| rows.at(cell));
            }
        }
        columns.sort_unstable();
        columns.dedup();
        Self { level: pixel_map.level, columns, spans: merged(spans), rows: row_edges }
    }

    /// The edges of the cells at `level` within the quadtree node `x`, `y` at `depth`.
    pub(super) fn of_node(depth: u32, [x, y]: [u32; 2], level: u32) -> Self {
        let cells = |at: u32| {
            let first = u64::from(at) << (level - depth);
            (first..=first + (1 << (level - depth))).collect::<Vec<u64>>()
        };
        let columns = cells(x);
        let spans = columns.first().zip(columns.last()).map(|(first, last)| *first..*last).into_iter().collect();
        Self { level, columns, spans, rows: cells(y) }
    }

    /// The lowest fixed-point coordinate of a cell.
    pub(super) fn unit(&self, cell: u64) -> u64 {
        cell << (32 - self.level)
    }

    /// Whether there are no pixels.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.len() < 2 || self.rows.len() < 2
    }
}

/// The cells at which the pixel of `at` changes, without those that are [`OUTSIDE`], and the end of each visible range.
fn changes([first, end]: [u64; 2], at: impl Fn(u32) -> u32) -> Vec<u64> {
    let mut found = Vec::new();
    let mut cell = first;
    while cell < end {
        let pixel = at(cell as u32);
        // The first cell of another pixel is between these two.
        let (mut same, mut step) = (cell, 1);
        while same + step < end && at((same + step) as u32) == pixel {
            same += step;
            step *= 2;
        }
        let mut other = (same + step).min(end);
        while same + 1 < other {
            let mid = same + (other - same) / 2;
            if at(mid as u32) == pixel { same = mid } else { other = mid }
        }
        if pixel < OUTSIDE {
            found.push(cell);
            if other == end || at(other as u32) >= OUTSIDE {
                found.push(other);
            }
        }
        cell = other;
    }
    found
}

/// Merges ranges that touch or overlap.
fn merged(mut spans: Vec<Range<u64>>) -> Vec<Range<u64>> {
    spans.sort_unstable_by_key(|span| span.start);
    let mut all: Vec<Range<u64>> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use kiln_core::geo::{Bounds, Projection, TileCoord};

    #[test]
    fn edges_of_a_tile_are_its_cells_in_all_copies_of_the_world() {
        let canvas = Canvas::tile(TileCoord::new(3, 2, 5).unwrap(), 256).unwrap();
        let edges = PixelEdges::of_canvas(&canvas, &CellToPixelMap::new(&canvas));
        assert_eq!(edges.level, 11);
        assert_eq!((edges.columns.len(), edges.rows.len()), (257, 257));
        assert_eq!((edges.columns[0], edges.rows[0]), (512, 1280));
        assert_eq!(edges.spans.first().zip(edges.spans.get(1)), None);
        assert_eq!(edges.spans[0], 512..768);
        let west = Canvas::tile(TileCoord::new(2, 0, 0).unwrap(), 256).unwrap().grow(10);
        let edges = PixelEdges::of_canvas(&west, &CellToPixelMap::new(&west));
        assert_eq!(edges.spans, [0..266, 1014..1024]);
        assert_eq!((edges.rows[0], edges.rows.len()), (0, 267));
    }

    #[test]
    fn each_edge_of_an_unaligned_canvas_is_the_first_cell_of_a_pixel() {
        let bounds = Bounds::new(10.0, 50.0, 11.0, 51.0).unwrap();
        let canvas = Canvas::new(Projection::PlateCarree, bounds, 100, 90).unwrap();
        let pixel_map = CellToPixelMap::new(&canvas);
        let edges = PixelEdges::of_canvas(&canvas, &pixel_map);
        assert_eq!((edges.columns.len(), edges.rows.len()), (101, 91));
        let (columns, rows) = (pixel_map.columns(0), pixel_map.rows(0..90));
        for i in 0..100 {
            assert_eq!(columns.at(edges.columns[i] as u32), i as u32);
            assert_eq!(columns.at(edges.columns[i + 1] as u32 - 1), i as u32);
        }
        assert!((0..90).all(|i| rows.at(edges.rows[i] as u32) == 100 * i as u32));
    }
}
