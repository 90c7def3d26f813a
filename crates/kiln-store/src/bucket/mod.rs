//! Buckets: object stores to which layers are [published](super::Store::publish), and from which [mirrors](super::Mirror)
//! copy them.
//!
//! ```text
//! maps/trips/manifest.json                                the manifest that is published last; replaced atomically
//!            1f2e3d4c/00000001-89abcdef.points.arrow      files of segments: the ID of the layer, the number of the
//!            1f2e3d4c/00000001-01234567.bins.arrow        segment, and the checksum of the file
//!            1f2e3d4c/rooms-00c0ffee-812.geojson          rooms and floor plans: their checksum and size
//! ```
//!
//! An object other than a manifest is never changed: its key has the checksum of its content. The manifest is that of a store
//! with a member [`published`](super::published::Published), so its format is known to the same code.

mod folder;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod memory;

use std::fmt;
use std::io::Read;
use std::path::Path;

use kiln_core::error::Result;

pub use folder::FolderBucket;
#[cfg(test)]
pub(super) use memory::{Fault, MemoryBucket};

/// The maximum size in bytes of an object that is [read as a whole](Bucket::fetch): a manifest of a hundred thousand segments.
pub const MAX_FETCH_BYTES: u64 = 64 << 20;

/// The result of a [conditional read](Bucket::fetch).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// There is no such object.
    Missing,
    /// The object is the one that the caller knows.
    Unchanged,
    /// The object.
    Content {
        /// Its bytes.
        bytes: Vec<u8>,
        /// The entity tag of this content.
        tag: String,
    },
}

/// An object in a [list](Bucket::list).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    /// The key, from the root of the bucket on.
    pub key: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The time of the last change in Unix seconds, by the clock of the bucket; `None` if it is unknown.
    pub modified_s: Option<u64>,
}

/// An object store, or a folder of one, in which keys are relative paths with `/`.
///
/// Errors are of two kinds: [`Error::Input`](kiln_core::Error::Input) if a retry would not help, such as wrong credentials or
/// a missing bucket, and [`Error::Io`](kiln_core::Error::Io) otherwise, such as a timeout. Both name the URL without secrets.
pub trait Bucket: fmt::Debug + Send + Sync {
    /// The URL of the bucket, without secrets.
    fn url(&self) -> &str;

    /// Reads a small object, unless its entity tag is `known`.
    ///
    /// # Errors
    /// As described for the trait, and for an object of more than [`MAX_FETCH_BYTES`].
    fn fetch(&self, key: &str, known: Option<&str>) -> Result<Fetched>;

    /// Opens an object for reading from its start; `None` if there is no such object.
    ///
    /// # Errors
    /// As described for the trait. Errors of the reader are transient.
    fn open(&self, key: &str) -> Result<Option<Box<dyn Read + Send>>>;

    /// Writes an object from a file, atomically, and calls `sent` with the number of bytes of each part that was sent.
    ///
    /// # Errors
    /// As described for the trait; [`Error::Io`](kiln_core::Error::Io) for the file if it cannot be read.
    fn upload(&self, key: &str, file: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<()>;

    /// Writes a small object, atomically.
    ///
    /// # Errors
    /// As described for the trait.
    fn put(&self, key: &str, bytes: &[u8]) -> Result<()>;

    /// Replaces an object if its entity tag is `expected`, or creates it if `expected` is `None` and there is no such object.
    /// Returns whether it was written; `false` if another writer was first.
    ///
    /// # Errors
    /// As described for the trait. After a transient error, the object may have been written.
    fn swap(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Result<bool>;

    /// The names of the folders in the root, in any order.
    ///
    /// # Errors
    /// As described for the trait.
    fn folders(&self) -> Result<Vec<String>>;

    /// All objects in a folder and the folders below it.
    ///
    /// # Errors
    /// As described for the trait.
    fn list(&self, folder: &str) -> Result<Vec<ObjectEntry>>;

    /// Removes an object, if it exists.
    ///
    /// # Errors
    /// As described for the trait.
    fn delete(&self, key: &str) -> Result<()>;
}
