//! Mapping of the cells of a grid level, of Web Mercator or of a square of a plane, to the pixels of a canvas, for point
//! sets that are stored as cells.
//!
//! `cell_to_pixel` maps cells to pixels, `band_accumulator` sums them per pixel, and `resample` distributes cells over
//! pixels that are not aligned with them.

mod band_accumulator;
mod cell_to_pixel;
mod resample;

pub use band_accumulator::{BandAccumulator, CellCount, CellSums};
pub use cell_to_pixel::{AlignedBand, CellToPixelMap, ColumnMap, OUTSIDE, RowMap};
pub use resample::Resampling;

/// The coarsest grid level: 256 cells around the world.
pub const MIN_LEVEL: u32 = 8;
/// The finest grid level: a cell is one unit of [`Frame`](crate::geo::Frame) coordinates.
pub const MAX_LEVEL: u32 = 32;
/// Binary logarithm of the cells along the side of a block: 2^6 × 2^6 cells.
pub const SIDE_BITS: u32 = 6;
/// Layers of at most this many points are binned at the stored precision, which is fast enough; larger ones by cells.
pub const MAX_EXACT_POINTS: u64 = 4_000_000;
