//! From points to density: cells, kernels and blends. No I/O, no color.

pub mod classic;
mod grid;

pub use grid::Grid;
