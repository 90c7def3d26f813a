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
mod ground_kernel;
mod kernel;
mod normalize;
mod profile;
mod quantize;
mod splat;
mod thresholds;

pub(crate) use bins::update_max;
pub use bins::{Bins, Reduction, Sums};
pub use cells::Cells;
pub use contours::contour_lines;
pub use density::{Aggregation, density, divide_by_area, ground_density};
pub use grid::Grid;
pub use ground_kernel::{GroundKernel, RowKernels};
pub use kernel::{Kernel, Shape};
pub use normalize::{Normalization, Span};
pub use quantize::{Curve, Quantizer};
