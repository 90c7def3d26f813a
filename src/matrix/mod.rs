//! Matrices: points grouped by the values of two axes as data, and matrices of layers with their labels.
//!
//! The computation is that of `kiln-core`. With the feature `server`, [`MatrixOptions`] are the parameters of a matrix,
//! from which all front ends are derived, [`LayerAxes`] are the axes that a layer has, and [`MatrixLayer::matrix`] computes
//! the values with their labels. `write` turns them into JSON and data of Chart.js.

#[cfg(feature = "server")]
mod aggregate;
#[cfg(feature = "server")]
mod axes;
#[cfg(feature = "server")]
mod compute;
#[cfg(feature = "server")]
mod labels;
#[cfg(feature = "server")]
mod options;
#[cfg(feature = "server")]
mod style;
#[cfg(feature = "server")]
mod table_options;
#[cfg(feature = "server")]
pub mod write;

pub use kiln_core::matrix::*;

#[cfg(feature = "server")]
pub use self::{
    aggregate::MatrixAggregate,
    axes::{LayerAxes, LayerAxis},
    compute::{LayerMatrix, MatrixLayer},
    labels::{AxisKey, LabeledAxis},
    options::{MatrixFormat, MatrixFormatOptions, MatrixOptions},
    style::{ChartTexts, MatrixStyleOptions},
    table_options::{MatrixTableOptions, TableColumnOptions},
};
