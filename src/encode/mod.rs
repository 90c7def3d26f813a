//! From cells to bytes in any writer: indexed PNG, `GeoTIFF`, legends.

mod legend;
mod paint;
mod picture;
mod swatches;
mod ticks;

pub use legend::Legend;
pub use picture::write_picture;
pub use swatches::swatches;
pub use ticks::{Tick, nice_ticks};
