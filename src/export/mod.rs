//! Exports the tiles of a layer to a file or a folder, for static file servers, GIS programs and printing.
//!
//! ```text
//! TileExport ──> PyramidWalk: blocks of 4 × 4 tiles, zoom by zoom ── OccupancyProbe: which blocks have points
//!                     └── TileRenderer ── BlockResult ──> ExportJournal ──> PMTiles, MBTiles, folder, COG
//! ```
//!
//! At each zoom only the blocks with points within reach are visited. The tiles are identical to those of the server,
//! byte for byte. Finished blocks are stored in a staging directory next to the target, from which an interrupted
//! export resumes. Its output has the same bytes as that of an uninterrupted export.

mod bin_runs;
mod bin_sorter;
mod bins_export;
mod block;
mod block_record;
mod block_result;
mod cog;
mod export_journal;
mod export_key;
mod folder;
mod format;
mod mbtiles;
mod occupancy_probe;
mod pmtiles;
mod progress;
mod pyramid_walk;
mod sqlite;
mod staging_dir;
mod tile_count;
mod tile_export;
mod tile_renderer;
mod tileset_metadata;

pub use bins_export::{BinsExport, BinsExportReport};
pub use format::Format;
pub use progress::Progress;
pub use tile_export::{TileExport, TileExportReport};

/// Width and height of a tile in pixels.
pub(crate) const TILE_PX: u32 = 256;
