//! From points to density: cells, kernels and blends. No I/O, no color.

mod bands;
mod bins;
mod cells;
pub mod classic;
mod convolve;
mod density;
mod grid;
mod kernel;
pub mod lattice;
mod normalize;
mod quantize;
mod splat;
mod steps;

pub use bins::{Bins, Sums, Tally};
pub use cells::Cells;
pub use density::{Aggregation, density};
pub use grid::Grid;
pub use kernel::{Kernel, Shape};
pub use normalize::{Normalization, Span};
pub use quantize::{Curve, Quantizer};
