//! Encoders: `GeoTIFF`, `PMTiles`, animations, legends, print sheets and sidecar files.
//!
//! An encoder writes to any [`Write`](std::io::Write) and does not know the path of the file: when a write fails, the
//! path in the [`Error::Io`](kiln_core::Error::Io) is empty, and the caller sets it with
//! [`Error::for_path`](kiln_core::Error::for_path).

mod animation;
mod bins;
mod coverage;
pub mod geotiff;
mod legend;
mod outlines;
pub mod paint;
mod picture;
pub mod pmtiles;
mod print;
mod sidecar;
mod swatches;
mod table;
mod ticks;

pub use animation::{Animation, AnimationFormat};
pub use bins::{BinRow, BinsColumns, BinsWriter};
pub use legend::Legend;
pub use outlines::{OUTLINES_ATTRIBUTION, Outlines};
pub use picture::write_picture;
pub use print::Print;
pub use sidecar::{kml, world_file};
pub use swatches::swatches;
pub use table::{TableColumn, write_table};
pub use ticks::{Tick, even_ticks, nice_ticks, scaled_ticks};

use kiln_core::encode::{sides, write_error};
