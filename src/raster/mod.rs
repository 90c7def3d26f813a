//! From points to density: cells, kernels and blends. No I/O, no color.

mod grid;

pub use grid::Grid;
