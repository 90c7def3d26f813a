//! Where on a canvas the cells of a level lie.
//!
//! Every point is drawn where its cell's middle is, whether it comes from a block or on its own: so a picture depends on
//! the points and the canvas alone, not on how they are stored. Where the pixels are cells themselves, as those of tiles
//! are, that is exact. Elsewhere cells are as fine as places are kept, which is exact too.

use std::ops::Range;

use super::{MAX_LEVEL, MIN_LEVEL, SIDE_BITS};
use crate::geo::{Canvas, Projection};

/// What stands for a column or a row outside the canvas: its sum with any other is beyond any canvas.
pub const OUTSIDE: u32 = 1 << 30;

/// Leads from cells of a level to the cells of a canvas.
#[derive(Clone, Debug)]
pub struct CellToPixelMap {
    /// The level of the cells, [`MIN_LEVEL`] to [`MAX_LEVEL`].
    pub level: u32,
    canvas: Canvas,
    /// Whether pixels are cells.
    is_aligned: bool,
    /// Whole turns around the world to add, for each copy of it that the canvas shows.
    pub turns: Vec<i64>,
}

impl CellToPixelMap {
    /// The map for `canvas`, which must be in Mercator or plate carrée.
    pub fn new(canvas: &Canvas) -> Self {
        let scale = canvas.scale();
        let [first, last] = [0.0, f64::from(canvas.width())].map(|column| canvas.world_at(column, 0.0)[0]);
        let turns = (first.floor() as i64..last.ceil() as i64).collect();
        let level_of = |scale: f64| scale.log2();
        let is_square = scale[0].to_bits() == scale[1].to_bits() && canvas.projection() == Projection::Mercator;
        let level = level_of(scale[0]);
        let is_aligned = is_square
            && canvas.origin() == [0.0, 0.0]
            && level.fract() == 0.0
            && (f64::from(MIN_LEVEL)..=f64::from(MAX_LEVEL)).contains(&level);
        let level = if is_aligned { level as u32 } else { MAX_LEVEL };
        Self { level, canvas: *canvas, is_aligned, turns }
    }

    /// Whether pixels are cells.
    pub fn is_aligned(&self) -> bool {
        self.is_aligned
    }

    /// The canvas's rows in parts of about so many. Where pixels are cells, parts begin where blocks do, so that no block is in
    /// two of them.
    pub fn bands(&self, rows: u32) -> Vec<Range<u32>> {
        const SIDE: u32 = 1 << SIDE_BITS;
        let height = self.canvas.height();
        if rows >= height {
            return std::iter::once(0..height).collect();
        }
        let (first, rows) = if self.is_aligned {
            let into_block = self.canvas.offset()[1].rem_euclid(i64::from(SIDE)) as u32;
            (SIDE - into_block, rows.div_ceil(SIDE).saturating_sub(1).max(1) * SIDE)
        } else {
            (rows, rows)
        };
        let ends: Vec<u32> = (first..height).step_by(rows as usize).chain([height]).collect();
        ends.iter().scan(0, |start, &end| Some(std::mem::replace(start, end)..end)).collect()
    }

    /// Bits of a place that tell places within a cell apart.
    pub fn shift(&self) -> u32 {
        MAX_LEVEL - self.level
    }

    /// The cells' columns `[first, end)` and rows `[first, end)` that may show in the canvas's rows `rows`, in one copy of
    /// the world; all that do show are among them.
    pub fn cell_window(&self, turn: i64, rows: Range<u32>) -> [[u64; 2]; 2] {
        let cells = (1u64 << self.level) as f64;
        let [west, _] = self.canvas.world_at(0.0, 0.0);
        let [east, _] = self.canvas.world_at(f64::from(self.canvas.width()), 0.0);
        let y_at = |row: u32| {
            let world = self.canvas.world_at(0.0, f64::from(row))[1];
            match self.canvas.projection() {
                Projection::Mercator => world,
                other => Projection::Mercator.forward(0.0, other.inverse(0.5, world).1.clamp(-89.9, 89.9)).1,
            }
        };
        // A cell more on each side, for what rounding brings in.
        let bound = |world: f64, more: f64| ((world * cells).floor() + more).clamp(0.0, cells) as u64;
        let range = |first: f64, end: f64| [bound(first, -1.0), bound(end, 2.0)];
        [range(west - turn as f64, east - turn as f64), range(y_at(rows.start), y_at(rows.end))]
    }

    /// The canvas's columns of cells, in one copy of the world.
    pub fn columns(&self, turn: i64) -> ColumnMap {
        let width = i64::from(self.canvas.width());
        let [offset, _] = self.canvas.offset();
        if self.is_aligned {
            return ColumnMap::Shifted { by: offset - (turn << self.level), width };
        }
        let scale = self.canvas.scale()[0];
        let corner = self.canvas.origin()[0] * scale;
        ColumnMap::Scaled { cells: (1u64 << self.level) as f64, turns: turn as f64, scale, corner, offset, width }
    }

    /// The canvas's rows of cells, each told as its first cell, counted from that of the band's first row; those outside of
    /// `band` are [`OUTSIDE`].
    pub fn rows(&self, band: Range<u32>) -> RowMap {
        let width = self.canvas.width();
        let [_, offset] = self.canvas.offset();
        let scale = self.canvas.scale()[1];
        let kind = match self.canvas.projection() {
            _ if self.is_aligned => RowKind::Shifted,
            Projection::Mercator => RowKind::Scaled,
            _ => RowKind::Unprojected,
        };
        let cells = (1u64 << self.level) as f64;
        RowMap { kind, cells, scale, corner: self.canvas.origin()[1] * scale, offset, width, band }
    }
}

/// Columns of a canvas by the columns of cells.
#[derive(Clone, Copy, Debug)]
pub enum ColumnMap {
    /// The pixels are cells.
    Shifted {
        /// Columns of cells west of the canvas's first column.
        by: i64,
        /// Columns of the canvas.
        width: i64,
    },
    /// A pixel is some cells wide.
    Scaled {
        /// Cells around the world.
        cells: f64,
        /// Turns of the world that the cells are shifted by.
        turns: f64,
        /// Pixels per world unit.
        scale: f64,
        /// The western edge of the canvas's grid, in pixels.
        corner: f64,
        /// Columns of the grid west of the canvas's first column.
        offset: i64,
        /// Columns of the canvas.
        width: i64,
    },
}

impl ColumnMap {
    /// The canvas's column of a cell's.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, cell: u32) -> u32 {
        match *self {
            Self::Shifted { by, width } => within(i64::from(cell) - by, width),
            Self::Scaled { cells, turns, scale, corner, offset, width } => {
                let middle = (f64::from(cell) + 0.5) / cells + turns;
                within((middle * scale - corner).floor() as i64 - offset, width)
            }
        }
    }
}

/// Where pixels are cells, the cell of the band's first pixel and the size of the band: all that is needed, and so small that
/// it fits in 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct AlignedBand {
    first: [i32; 2],
    size: [i32; 2],
}

impl AlignedBand {
    /// `None` where pixels are not cells, or numbers are too large.
    pub fn of(columns: &ColumnMap, rows: &RowMap) -> Option<Self> {
        /// Cells are told by 30 bits where a point is within a level of this at most.
        const MOST: i64 = 1 << 30;
        let ColumnMap::Shifted { by, width } = *columns else { return None };
        let RowKind::Shifted = rows.kind else { return None };
        let row = rows.offset + i64::from(rows.band.start);
        let small = |number: i64| i32::try_from(number).ok().filter(|_| number.abs() <= MOST);
        let height = i64::from(rows.band.end - rows.band.start);
        Some(Self { first: [small(by)?, small(row)?], size: [small(width)?, small(height)?] })
            .filter(|_| rows.cells <= MOST as f64)
    }

    /// The band's cell of the north-western cell of a block, if all of the block lies in the band.
    pub fn block(&self, column: u32, row: u32) -> Option<usize> {
        const SIDE: i32 = 1 << SIDE_BITS;
        let [width, height] = self.size;
        let (column, row) = (column as i32 - self.first[0], row as i32 - self.first[1]);
        let is_whole = column >= 0 && column + SIDE <= width && row >= 0 && row + SIDE <= height;
        is_whole.then(|| row as usize * width as usize + column as usize)
    }

    /// The band's cell that holds the place of a cell, or `outside`.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, column: u32, row: u32, outside: u32) -> u32 {
        let [width, height] = self.size;
        let (column, row) = (column as i32 - self.first[0], row as i32 - self.first[1]);
        // Below zero is far above any limit.
        let is_inside = [(column, width), (row, height)].map(|(at, limit)| (at as u32) < limit as u32);
        if is_inside == [true; 2] { row.wrapping_mul(width).wrapping_add(column) as u32 } else { outside }
    }
}

#[derive(Clone, Copy, Debug)]
enum RowKind {
    Shifted,
    Scaled,
    Unprojected,
}

/// Rows of a canvas by the rows of cells.
#[derive(Clone, Debug)]
pub struct RowMap {
    kind: RowKind,
    cells: f64,
    scale: f64,
    corner: f64,
    offset: i64,
    width: u32,
    band: Range<u32>,
}

impl RowMap {
    /// The first cell, in the band, of the canvas's row that a cell's row is drawn in.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, cell: u32) -> u32 {
        let row = match self.kind {
            RowKind::Shifted => i64::from(cell) - self.offset,
            RowKind::Scaled => {
                let middle = (f64::from(cell) + 0.5) / self.cells;
                (middle * self.scale - self.corner).floor() as i64 - self.offset
            }
            RowKind::Unprojected => {
                let (_, lat) = Projection::Mercator.inverse(0.5, (f64::from(cell) + 0.5) / self.cells);
                let (_, y) = Projection::PlateCarree.forward(0.0, lat);
                (y * self.scale - self.corner).floor() as i64 - self.offset
            }
        };
        if row >= i64::from(self.band.start) && row < i64::from(self.band.end) {
            (row as u32 - self.band.start) * self.width
        } else {
            OUTSIDE
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)]
fn within(at: i64, limit: i64) -> u32 {
    if at >= 0 && at < limit { at as u32 } else { OUTSIDE }
}
