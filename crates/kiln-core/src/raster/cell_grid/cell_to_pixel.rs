//! Mapping of the cells of a grid level to the pixels of a canvas.
//!
//! Every point is drawn at the center of its cell, whether it is stored in a block or as a single point, so a picture
//! depends on the points and the canvas alone, not on the storage. If pixels are cells, as in tiles, this is exact.
//! Otherwise the cells are as fine as the stored coordinates, which is exact too.

use std::ops::Range;

use super::{MAX_LEVEL, MIN_LEVEL, SIDE_BITS};
use crate::geo::{Canvas, PlaneFrame, Projection};

/// The value of columns and rows outside the canvas. Its sum with any other value is outside every canvas.
pub const OUTSIDE: u32 = 1 << 30;

/// Maps the cells of a grid level to the pixels of a canvas.
#[derive(Clone, Debug)]
pub struct CellToPixelMap {
    /// The grid level of the cells, [`MIN_LEVEL`] to [`MAX_LEVEL`].
    pub level: u32,
    canvas: Canvas,
    /// Whether pixels are cells.
    is_aligned: bool,
    /// The copies of the world on the canvas, each as its offset to the east in multiples of 360°.
    pub turns: Vec<i64>,
}

impl CellToPixelMap {
    /// The map for `canvas`, which must be in Mercator or plate carrée.
    pub fn new(canvas: &Canvas) -> Self {
        let scale = canvas.scale();
        let [first, last] = [0.0, f64::from(canvas.width())].map(|column| canvas.world_at(column, 0.0)[0]);
        let turns = (first.floor() as i64..last.ceil() as i64).collect();
        let is_square = scale[0].to_bits() == scale[1].to_bits() && canvas.projection() == Projection::Mercator;
        let level = scale[0].log2();
        let is_aligned = is_square
            && canvas.origin() == [0.0, 0.0]
            && level.fract() == 0.0
            && (f64::from(MIN_LEVEL)..=f64::from(MAX_LEVEL)).contains(&level);
        let level = if is_aligned { level as u32 } else { MAX_LEVEL };
        Self { level, canvas: *canvas, is_aligned, turns }
    }

    /// The map for `canvas` on a plane, with the finest cells of `frame`.
    pub fn on_plane(canvas: &Canvas, frame: PlaneFrame) -> Self {
        Self { level: MAX_LEVEL, canvas: canvas.in_frame(frame), is_aligned: false, turns: vec![0] }
    }

    /// Whether pixels are cells.
    pub fn is_aligned(&self) -> bool {
        self.is_aligned
    }

    /// Splits the rows of the canvas into bands of about `rows`. If pixels are cells, bands start at block boundaries,
    /// so that no block is in two bands.
    pub fn bands(&self, rows: u32) -> Vec<Range<u32>> {
        const SIDE: u32 = 1 << SIDE_BITS;
        let height = self.canvas.height();
        if rows >= height {
            return std::iter::once(0..height).collect();
        }
        let (first, rows) = if self.is_aligned {
            let row_in_block = self.canvas.offset()[1].rem_euclid(i64::from(SIDE)) as u32;
            (SIDE - row_in_block, rows.div_ceil(SIDE).saturating_sub(1).max(1) * SIDE)
        } else {
            (rows, rows)
        };
        let ends: Vec<u32> = (first..height).step_by(rows as usize).chain([height]).collect();
        ends.iter().scan(0, |start, &end| Some(std::mem::replace(start, end)..end)).collect()
    }

    /// The right shift from fixed-point coordinates to the columns and rows of cells.
    pub fn shift(&self) -> u32 {
        MAX_LEVEL - self.level
    }

    /// The columns `[first, end)` and rows `[first, end)` of all cells that may be inside the canvas rows `rows`, in
    /// one copy of the world.
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
        // One more cell on each side, for rounding.
        let bound = |world: f64, margin: f64| ((world * cells).floor() + margin).clamp(0.0, cells) as u64;
        let range = |first: f64, end: f64| [bound(first, -1.0), bound(end, 2.0)];
        [range(west - turn as f64, east - turn as f64), range(y_at(rows.start), y_at(rows.end))]
    }

    /// The map from cell columns to canvas columns, in one copy of the world.
    pub fn columns(&self, turn: i64) -> ColumnMap {
        let width = i64::from(self.canvas.width());
        let [offset, _] = self.canvas.offset();
        if self.is_aligned {
            return ColumnMap::Aligned { first_cell: offset - (turn << self.level), width };
        }
        let scale = self.canvas.scale()[0];
        let corner = self.canvas.origin()[0] * scale;
        ColumnMap::Scaled { cells: (1u64 << self.level) as f64, turns: turn as f64, scale, corner, offset, width }
    }

    /// The map from cell rows to the rows of a band of the canvas.
    pub fn rows(&self, band: Range<u32>) -> RowMap {
        let width = self.canvas.width();
        let [_, offset] = self.canvas.offset();
        let scale = self.canvas.scale()[1];
        let transform = match self.canvas.projection() {
            _ if self.is_aligned => RowTransform::Aligned,
            Projection::Mercator => RowTransform::Scaled,
            _ => RowTransform::PlateCarree,
        };
        let cells = (1u64 << self.level) as f64;
        RowMap { transform, cells, scale, corner: self.canvas.origin()[1] * scale, offset, width, band }
    }
}

/// Maps the columns of cells to the columns of a canvas.
#[derive(Clone, Copy, Debug)]
pub enum ColumnMap {
    /// Pixels are cells.
    Aligned {
        /// The cell column of the first column of the canvas.
        first_cell: i64,
        /// The number of columns of the canvas.
        width: i64,
    },
    /// Pixels are not cells.
    Scaled {
        /// The number of cells around the world.
        cells: f64,
        /// The offset of the copy of the world, in multiples of 360°.
        turns: f64,
        /// Pixels per world unit.
        scale: f64,
        /// The western edge of the canvas's pixel grid, in pixels from that of the world.
        corner: f64,
        /// The grid column of the first column of the canvas.
        offset: i64,
        /// The number of columns of the canvas.
        width: i64,
    },
}

impl ColumnMap {
    /// The canvas column of a cell column, or [`OUTSIDE`].
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, cell: u32) -> u32 {
        match *self {
            Self::Aligned { first_cell, width } => column_or_outside(i64::from(cell) - first_cell, width),
            Self::Scaled { cells, turns, scale, corner, offset, width } => {
                let center = (f64::from(cell) + 0.5) / cells + turns;
                column_or_outside((center * scale - corner).floor() as i64 - offset, width)
            }
        }
    }
}

/// The map of a band whose pixels are cells, in 32-bit arithmetic: the cell of the first pixel, and the size of the
/// band.
#[derive(Clone, Copy, Debug)]
pub struct AlignedBand {
    first: [i32; 2],
    size: [i32; 2],
}

impl AlignedBand {
    /// `None` if pixels are not cells, or the numbers are too large.
    pub fn of(columns: &ColumnMap, rows: &RowMap) -> Option<Self> {
        /// The columns and rows of cells up to level 30 fit in an `i32`.
        const LIMIT: i64 = 1 << 30;
        let ColumnMap::Aligned { first_cell, width } = *columns else { return None };
        let RowTransform::Aligned = rows.transform else { return None };
        let row = rows.offset + i64::from(rows.band.start);
        let small = |number: i64| i32::try_from(number).ok().filter(|_| number.abs() <= LIMIT);
        let height = i64::from(rows.band.end - rows.band.start);
        Some(Self { first: [small(first_cell)?, small(row)?], size: [small(width)?, small(height)?] })
            .filter(|_| rows.cells <= LIMIT as f64)
    }

    /// The index in the band of the north-western cell of a block; `None` unless the entire block is inside.
    pub fn block(&self, column: u32, row: u32) -> Option<usize> {
        const SIDE: i32 = 1 << SIDE_BITS;
        let [width, height] = self.size;
        let (column, row) = (column as i32 - self.first[0], row as i32 - self.first[1]);
        let is_inside = column >= 0 && column + SIDE <= width && row >= 0 && row + SIDE <= height;
        is_inside.then(|| row as usize * width as usize + column as usize)
    }

    /// The index of a cell in the band, or `outside`.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, column: u32, row: u32, outside: u32) -> u32 {
        let [width, height] = self.size;
        let (column, row) = (column as i32 - self.first[0], row as i32 - self.first[1]);
        // As `u32`, negative numbers exceed every limit.
        let is_inside = [(column, width), (row, height)].map(|(at, limit)| (at as u32) < limit as u32);
        if is_inside == [true; 2] { row.wrapping_mul(width).wrapping_add(column) as u32 } else { outside }
    }
}

#[derive(Clone, Copy, Debug)]
enum RowTransform {
    /// Pixels are cells.
    Aligned,
    /// Pixels are not cells; the canvas is in Mercator, too.
    Scaled,
    /// The canvas is in plate carrée.
    PlateCarree,
}

/// Maps the rows of cells to the rows of a band of a canvas.
#[derive(Clone, Debug)]
pub struct RowMap {
    transform: RowTransform,
    cells: f64,
    scale: f64,
    corner: f64,
    offset: i64,
    width: u32,
    band: Range<u32>,
}

impl RowMap {
    /// The index of the first pixel, in the band, of the row of a cell; [`OUTSIDE`] if the row is not in the band.
    #[inline(always)]
    #[allow(clippy::inline_always)]
    pub fn at(&self, cell: u32) -> u32 {
        let row = match self.transform {
            RowTransform::Aligned => i64::from(cell) - self.offset,
            RowTransform::Scaled => {
                let center = (f64::from(cell) + 0.5) / self.cells;
                (center * self.scale - self.corner).floor() as i64 - self.offset
            }
            RowTransform::PlateCarree => {
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
fn column_or_outside(column: i64, width: i64) -> u32 {
    if column >= 0 && column < width { column as u32 } else { OUTSIDE }
}
