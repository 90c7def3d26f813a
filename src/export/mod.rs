//! A layer's tiles in a file or a folder, for where there is no Kiln: web servers, GIS programs, printers.
//!
//! ```text
//! layer ── blocks of 8 × 8 tiles, drawn together ── cut, encoded ──> journal ──> PMTiles, MBTiles, folder, COG
//! ```
//!
//! From zoom to zoom only those blocks are looked at that have points within reach. The tiles are those of the server, byte
//! for byte. What is finished is kept in a folder beside the target until all is: an export that came to a sudden end goes on
//! from there, and comes to the same bytes.

mod bins_export;
mod block;
mod block_record;
mod block_result;
mod cog;
mod export_journal;
mod export_key;
mod folder;
mod format;
mod in_order;
mod mbtiles;
mod occupancy_probe;
mod pmtiles;
mod progress;
mod pyramid_walk;
mod sqlite;
mod staging_dir;
mod tile_export;
mod tile_renderer;
mod tileset_metadata;

pub use bins_export::{BinsExport, BinsExportReport};
pub use format::Format;
pub use progress::Progress;
pub use tile_export::{TileExport, TileExportReport};

/// Width and height of a tile.
pub(crate) const TILE_PX: u32 = 256;
