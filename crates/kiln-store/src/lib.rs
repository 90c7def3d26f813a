//! Stored layers: points on disk, in files that other tools can read.
//!
//! ```text
//! store/cities/manifest.json           the layer's segments and its description; replaced atomically
//!              00000001.points.arrow   a segment's points in Z-order: x, y, weight, time, category
//!              00000001.bins.arrow     their sums per cell of each zoom, if there are many points
//!              floorplan               the floor plan of the layer, if it has one
//!              rooms.geojson           the rooms of the layer, if it has any
//! ```
//!
//! A write creates a new segment in a staging folder, syncs it to disk, and then replaces the manifest under the
//! layer's lock. It is acknowledged after that; until then, none of it is visible. Concurrent writes share a commit.
//! Segments are immutable; compaction merges small ones into larger ones, which is another commit. Readers use an
//! immutable [`Snapshot`]. Several processes may use a store at the same time: a server and commands.
//!
//! The cells of a picture are summed from blocks of precomputed cells, squares of the quadtree, where points outnumber
//! cells, and from the points elsewhere. So the cost depends on the number of pixels, not on the number of points.
//!
//! The modules build on each other from left to right:
//!
//! ```text
//! checksums ─ arrow_file ─ points, blocks ─ segment ─ manifest ─ staging, snapshot ─ layer ─ append, import, compaction ─ store
//! ```

mod aggregate;
mod append;
mod arrow_file;
mod bin_matrix;
mod bins;
mod blocks;
mod bucket;
mod build;
mod cell_bins;
mod checksums;
mod claim;
mod clock;
mod compaction;
mod copy_progress;
mod damage;
#[cfg_attr(test, allow(clippy::unwrap_used))]
mod disk;
mod expiry;
mod filter;
mod floor_plan;
mod grace;
mod groups;

mod import;
mod layer;
mod layer_file;
mod lock;
mod manifest;
mod matrix;
mod merge;
mod mirror;
mod missing_manifest;
mod numbers;
mod occupancy;
mod partition;
mod point_set;
mod points;
mod progress;
mod publish;
mod published;
mod queue;
mod requests;
mod retention;
mod rooms;
mod rows;
mod sample;
mod scan;
mod seal;
mod segment;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::needless_range_loop,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test, whose file names are those of the store"
)]
mod simulation;
mod snapshot;
mod staging;
#[allow(clippy::module_inception, reason = "the main type is in a file of its name")]
mod store;
mod sweep;
#[cfg_attr(test, allow(clippy::unwrap_used))]
mod sync;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
mod totals_check;

pub use append::Batch;
pub use bucket::{Bucket, Fetched, FolderBucket, MAX_FETCH_BYTES, ObjectEntry};
pub use copy_progress::CopyProgress;
pub use damage::Damage;
pub use expiry::Expiry;
pub use import::{ImportReport, PreparedImport};
pub use layer::{ExistingPoints, StoredLayer};
pub use manifest::{Description, FORMATS};
pub use mirror::{Mirror, MirrorCounters, MirrorOptions, MirrorProblem, MirrorStatus, MirrorThreads};
pub use partition::{Partition, PartitionSummary};
pub use progress::{Progress, Stage};
pub use publish::{PublishOptions, PublishReport, published_layers, unpublish};
pub use queue::AppendOutcome;
pub use requests::Request;
pub use retention::ClockCheck;
pub use snapshot::{Snapshot, Summary};
pub use store::Store;
