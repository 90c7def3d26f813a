//! Cells of a level of the Web Mercator world on the pixels of a canvas: what rooms share that keep points as such cells.
//!
//! `place` leads from cells to pixels, `reduction` sums up per pixel, and `resample` spreads cells over pixels that are not cells.

mod band_accumulator;
mod cell_to_pixel;
mod resample;

pub use band_accumulator::{BandAccumulator, CellSums};
pub use cell_to_pixel::{AlignedBand, CellToPixelMap, ColumnMap, OUTSIDE, RowMap};
pub use resample::Resampling;

/// The coarsest level of cells: 256 of them around the world.
pub const MIN_LEVEL: u32 = 8;
/// The finest level: a cell is a unit of the places.
pub const MAX_LEVEL: u32 = 32;
/// Cells along the side of a block of cells: 2^6.
pub const SIDE_BITS: u32 = 6;
/// So few points of a layer are placed as exactly as they are kept: it costs nothing. Of more, cells are.
pub const MAX_EXACT_POINTS: u64 = 4_000_000;
