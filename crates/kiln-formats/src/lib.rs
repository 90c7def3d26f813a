//! File formats: readers that turn files into batches of points, and writers for rendered pictures and tiles.
//!
//! A reader is one file in [`source`] that implements [`Source`](kiln_core::source::Source); a writer is one file in
//! [`encode`]. Neither knows layers, stores or servers.

pub mod encode;
pub mod source;
