//! The core of Kiln: coordinates, rasterization, colors, the indexed PNG, and the trait for sources of points.
//!
//! ```text
//! Source ── batches of points ──> Bins ── kernel ──> density ── Span, Curve ──> a byte per pixel ── Palette ──> PNG
//! source                          raster             raster     raster          raster              color       encode
//!                                 └──────────────────────────── on a Canvas (geo) ─────────────────────────────┘
//! ```
//!
//! Computation only: the crate opens no files and no sockets, and has no async code.

pub mod calendar;
pub mod cell_bins;
pub mod color;
pub mod encode;
pub mod error;
pub mod geo;
pub mod in_order;
pub mod keyed_digest;
pub mod layer_name;
pub mod matrix;
pub mod occupancy;
pub mod parallel;
pub mod parameter;
pub mod protection;
pub mod raster;
pub mod redact;
pub mod simd;
pub mod source;
pub mod spelling;
pub mod unwind;
pub mod workers;
pub mod xml;

pub use error::{Error, Result};
pub use parameter::{Message, Parameter};

/// The number of threads that this machine runs in parallel; 1 if it is unknown.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
