//! Matrices of values with labels, as pictures and data.
//!
//! A [`Matrix`] has a value per column and row; a missing value is not zero. A [`Chart`] draws it, or points at continuous
//! positions, with axes, values and a legend: as PNG, as SVG, or as text for a terminal.

mod matrix;

pub use matrix::Matrix;
