//! Kiln fires points into heat.

pub mod color;
pub mod encode;
pub mod error;
pub mod geo;
pub mod layer;
pub mod raster;
pub mod source;

pub use error::{Error, Result};
