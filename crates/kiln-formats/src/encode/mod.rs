//! From cells to bytes in any writer: indexed PNG, GeoTIFF, legends.
//!
//! An encoder knows its writer, not the file behind it: when writing fails, the path in the [`Error::Io`](kiln_core::Error::Io) is empty, for
//! the caller to fill in ([`Error::for_path`](kiln_core::Error::for_path)).

mod animation;
mod bins;
pub mod geotiff;
mod legend;
mod paint;
mod picture;
mod place;
pub mod pmtiles;
mod print;
mod swatches;
mod ticks;

pub use animation::{Animation, AnimationFormat};
pub use bins::{Bin, BinsWriter};
pub use legend::Legend;
pub use picture::write_picture;
pub use place::{kml, world_file};
pub use print::Print;
pub use swatches::swatches;
pub use ticks::{Tick, nice_ticks};

use kiln_core::encode::{sides, write_error};
