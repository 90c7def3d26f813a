//! Rows in: points from files and standard input, pushed as columnar batches.
//!
//! Each format is a [`Source`]; [`open`] picks the one that an input is in.

mod arrow;
#[allow(dead_code, reason = "readers move to it one by one")]
mod builder;
mod csv;
mod format;
mod input;
mod json;
mod packing;
mod parquet;
#[allow(dead_code, reason = "readers move to it one by one")]
mod table;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "../../../kiln-core/src/source/testing.rs"]
mod testing;

pub use arrow::Arrow;
pub use csv::Csv;
pub use format::MEDIA_TYPES;
pub use input::{Inputs, open, read, read_as};
pub use parquet::Parquet;

#[cfg(test)]
use kiln_core::error::Result;
#[cfg(test)]
use kiln_core::geo::Points;
#[cfg(test)]
use kiln_core::source::{Columns, Gathered};
use kiln_core::source::{
    Ground, Progress, Query, ScanReport, Sink, Source, batch, intake, labels, parts, read_error, role, time,
};
