//! Cells of a level of the Web Mercator world on the pixels of a canvas: what rooms share that keep points as such cells.
//!
//! `place` leads from cells to pixels, `tally` sums up per pixel, and `resample` spreads cells over pixels that are not cells.

mod cell_sums;
mod placement;
mod resample;

pub use cell_sums::{CellSums, Tallies};
pub use placement::{AlignedCells, Columns, OUTSIDE, Placement, Rows};
pub use resample::Resampling;

/// The coarsest level of cells: 256 of them around the world.
pub const MIN_LEVEL: u32 = 8;
/// The finest level: a cell is a unit of the places.
pub const MAX_LEVEL: u32 = 32;
/// Cells along the side of a block of cells: 2^6.
pub const SIDE_BITS: u32 = 6;
/// So few points of a layer are placed as exactly as they are kept: it costs nothing. Of more, cells are.
pub const FEW_POINTS: u64 = 4_000_000;
