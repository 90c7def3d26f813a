//! Stored layers: points on disk, in files that other tools can read.
//!
//! ```text
//! store/cities/manifest.json           the layer's segments and its description; replaced atomically
//!              00000001.points.arrow   a segment's points in Z-order: x, y, weight, time, category
//!              00000001.bins.arrow     their sums per cell of each zoom, where there are many
//! ```
//!
//! A write makes a new segment in a staging folder, syncs it to disk, and then replaces the manifest under the layer's lock.
//! It is acknowledged after that; before, nobody sees any of it. Concurrent writes share a commit. Segments never change;
//! small ones are merged into larger ones, which is another commit. Readers hold a [`Snapshot`], which never changes.
//! Several processes may use a store at the same time: a server, and commands.
//!
//! A picture is summed from blocks of cells, squares of the quadtree, where points outnumber cells, and from the points
//! themselves elsewhere. So its cost depends on its pixels, not on the number of points.
//!
//! The modules build on each other from left to right:
//!
//! ```text
//! arrow_file ─ points, blocks ─ segment ─ manifest ─ staging, snapshot ─ layer ─ append, import, compaction ─ store
//! ```

mod append;
mod arrow_file;
mod blocks;
mod build;
mod compaction;
mod filter;
mod gather;
mod import;
mod layer;
mod lock;
mod manifest;
mod merge;
mod point_set;
mod points;
mod progress;
mod queue;
mod requests;
mod rows;
mod sample;
mod scan;
mod segment;
mod snapshot;
mod staging;
#[allow(clippy::module_inception, reason = "the main type stands in a file of its name")]
mod store;
mod sweep;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use append::Batch;
pub use import::ImportReport;
pub use layer::{ExistingPoints, StoredLayer};
pub use manifest::Description;
pub use progress::{Progress, Stage};
pub use queue::AppendOutcome;
pub use requests::Request;
pub use snapshot::{Damage, Snapshot, Summary};
pub use store::Store;
