//! Rasterization: binning, kernel density, normalization and quantization. No I/O, no color.

mod bands;
mod bins;
pub mod cell_grid;
mod cells;
pub mod classic;
mod contours;
mod convolve;
mod density;
mod grid;
mod kernel;
mod normalize;
mod quantize;
mod splat;
mod thresholds;

pub(crate) use bins::update_max;
pub use bins::{Bins, Reduction, Sums};
pub use cells::Cells;
pub use contours::contour_lines;
pub use density::{Aggregation, density};
pub use grid::Grid;
pub use kernel::{Kernel, Shape};
pub use normalize::{Normalization, Span};
pub use quantize::{Curve, Quantizer};
