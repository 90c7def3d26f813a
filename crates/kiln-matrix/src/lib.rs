//! Matrices of values with labels, as pictures and data.
//!
//! A [`Matrix`] has a value per column and row; a missing value is not zero. A [`Chart`] draws it, or points at continuous
//! positions, with axes, values and a legend: as PNG, as SVG, or as text for a terminal. [`MatrixInput`] reads either from
//! JSON or CSV; [`write_csv`] and [`write_chartjs`] write a matrix as data.
//!
//! ```
//! use kiln_matrix::{Chart, ChartData, Matrix};
//!
//! let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
//! let matrix = Matrix::new(labels(&["Mon", "Tue"]), labels(&["a", "b"]), vec![Some(1.0), None, Some(2.5), Some(3.0)])?;
//! let chart = Chart::new(ChartData::Cells(matrix)).with_title("Load").with_unit("%");
//! assert!(chart.png()?.starts_with(b"\x89PNG"));
//! assert!(chart.svg()?.starts_with("<svg"));
//! # Ok::<(), kiln_core::Error>(())
//! ```

mod calendar_names;
mod chart;
mod colors;
mod input;
mod label;
mod layout;
mod matrix;
mod png;
mod scene;
mod stop;
mod svg;
mod terminal;
mod value_format;
mod write;

pub use chart::{CellShape, Chart, ChartData, MatrixPoint, ShowValues};
pub use input::{InputFormat, InputOptions, MatrixInput, column_names};
pub use matrix::Matrix;
pub use stop::CancellableChart;
pub use value_format::ValueFormat;
pub use write::{write_chartjs, write_csv};
