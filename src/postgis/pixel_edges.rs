//! Where the pixels of a canvas begin, in cells.

use std::ops::Range;

use crate::geo::Canvas;
use crate::raster::lattice::{OUTSIDE, Placement};

/// Cells of a level, as the columns and rows of a window: each reaches from one cut to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts {
    pub(super) level: u32,
    /// Columns of cells, rising.
    pub(super) columns: Vec<u64>,
    /// The stretches of columns that show; what lies between them does not.
    pub(super) spans: Vec<Range<u64>>,
    /// Rows of cells, rising.
    pub(super) rows: Vec<u64>,
}

impl Cuts {
    /// Those of the pixels of a canvas, in whatever copy of the world they are: within them a cell makes no difference.
    pub(super) fn of_canvas(canvas: &Canvas, placement: &Placement) -> Self {
        let all = 0..canvas.height();
        let rows = placement.rows(all.clone());
        let (mut columns, mut spans, mut down) = (Vec::new(), Vec::new(), Vec::new());
        for &turn in &placement.turns {
            let [across, window] = placement.window(turn, all.clone());
            let of_turn = placement.columns(turn);
            let found = changes(across, |cell| of_turn.at(cell));
            if let (Some(&first), Some(&last)) = (found.first(), found.last()) {
                spans.push(first..last);
            }
            columns.extend(found);
            if down.is_empty() {
                down = changes(window, |cell| rows.at(cell));
            }
        }
        columns.sort_unstable();
        columns.dedup();
        Self { level: placement.level, columns, spans: joined(spans), rows: down }
    }

    /// Those of the cells of a level that a node of the quadtree holds, which is `depth` levels down and has the place `x`,
    /// `y` there.
    pub(super) fn of_node(depth: u32, [x, y]: [u32; 2], level: u32) -> Self {
        let cells = |at: u32| {
            let first = u64::from(at) << (level - depth);
            (first..=first + (1 << (level - depth))).collect::<Vec<u64>>()
        };
        let columns = cells(x);
        let spans = columns.first().zip(columns.last()).map(|(first, last)| *first..*last).into_iter().collect();
        Self { level, columns, spans, rows: cells(y) }
    }

    /// A cell of a level that fits the cuts, as its first unit.
    pub(super) fn unit(&self, cell: u64) -> u64 {
        cell << (32 - self.level)
    }

    /// Whether nothing shows.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.len() < 2 || self.rows.len() < 2
    }
}

/// The cells at which what `at` answers changes, where it answers anything, and the one behind the last.
fn changes([first, end]: [u64; 2], at: impl Fn(u32) -> u32) -> Vec<u64> {
    let mut found = Vec::new();
    let mut cell = first;
    while cell < end {
        let here = at(cell as u32);
        // The first cell that differs lies between these two.
        let (mut same, mut step) = (cell, 1);
        while same + step < end && at((same + step) as u32) == here {
            same += step;
            step *= 2;
        }
        let mut other = (same + step).min(end);
        while same + 1 < other {
            let middle = same + (other - same) / 2;
            if at(middle as u32) == here { same = middle } else { other = middle }
        }
        if here < OUTSIDE {
            found.push(cell);
            if other == end || at(other as u32) >= OUTSIDE {
                found.push(other);
            }
        }
        cell = other;
    }
    found
}

/// Stretches that meet or overlap, as one.
fn joined(mut spans: Vec<Range<u64>>) -> Vec<Range<u64>> {
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
    use crate::geo::{Bounds, Projection, TileCoord};

    #[test]
    fn a_tile_is_cut_at_its_cells_and_around_the_world() {
        let canvas = Canvas::tile(TileCoord::new(3, 2, 5).unwrap(), 256).unwrap();
        let cuts = Cuts::of_canvas(&canvas, &Placement::new(&canvas));
        assert_eq!(cuts.level, 11);
        assert_eq!((cuts.columns.len(), cuts.rows.len()), (257, 257));
        assert_eq!((cuts.columns[0], cuts.rows[0]), (512, 1280));
        assert_eq!(cuts.spans.first().zip(cuts.spans.get(1)), None);
        assert_eq!(cuts.spans[0], 512..768);
        let west = Canvas::tile(TileCoord::new(2, 0, 0).unwrap(), 256).unwrap().grow(10);
        let cuts = Cuts::of_canvas(&west, &Placement::new(&west));
        assert_eq!(cuts.spans, [0..266, 1014..1024]);
        assert_eq!((cuts.rows[0], cuts.rows.len()), (0, 267));
    }

    #[test]
    fn pixels_that_are_no_cells_are_cut_where_the_next_begins() {
        let bounds = Bounds::new(10.0, 50.0, 11.0, 51.0).unwrap();
        let canvas = Canvas::new(Projection::PlateCarree, bounds, 100, 90).unwrap();
        let placement = Placement::new(&canvas);
        let cuts = Cuts::of_canvas(&canvas, &placement);
        assert_eq!((cuts.columns.len(), cuts.rows.len()), (101, 91));
        let (columns, rows) = (placement.columns(0), placement.rows(0..90));
        for i in 0..100 {
            assert_eq!(columns.at(cuts.columns[i] as u32), i as u32);
            assert_eq!(columns.at(cuts.columns[i + 1] as u32 - 1), i as u32);
        }
        assert!((0..90).all(|i| rows.at(cuts.rows[i] as u32) == 100 * i as u32));
    }
}
