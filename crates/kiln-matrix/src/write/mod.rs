//! Writers of matrices as data.

mod chartjs;
mod csv;

pub use chartjs::chartjs;
pub use csv::write_csv;
