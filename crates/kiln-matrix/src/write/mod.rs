//! Writers of matrices as data.

mod chartjs;
mod csv;

pub use chartjs::write_chartjs;
pub use csv::write_csv;

/// The maximum number of bytes of texts that repeat labels or have an element per cell.
pub(crate) const MAX_TEXT_BYTES: u64 = 64 << 20;
