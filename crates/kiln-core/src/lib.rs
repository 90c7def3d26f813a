//! The core of Kiln: coordinates, rasterization, color and the indexed PNG, and what a source of points is.
//!
//! ```text
//! Source ── batches of points ──> Bins ── kernel ──> density ── Span, Curve ──> a byte per pixel ── Palette ──> PNG
//! source                          raster             raster     raster          raster              color       encode
//!                                 └──────────────────────────── on a Canvas (geo) ─────────────────────────────┘
//! ```
//!
//! Computation only: no files but those that a caller opens, no sockets, no async.

pub mod color;
pub mod encode;
pub mod error;
pub mod geo;
pub mod layer_name;
pub mod parallel;
pub mod parameter;
pub mod raster;
pub mod simd;
pub mod source;
pub mod spelling;

pub use error::{Error, Result};
pub use parameter::{Message, Parameter};

/// The number of threads that work in parallel on this machine; 1 if it will not say.
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
