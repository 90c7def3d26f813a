//! What a published manifest has in addition to that of a store, and the keys of the objects of a layer.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::arrow_file::FileDigest;
use super::disk::File;
use super::grace::Grace;
use super::layer_file::LayerFile;
use super::manifest::Manifest;
use super::segment::{self, SegmentEntry};
use super::{floor_plan, rooms};
use kiln_core::error::{Error, Result};

/// The member of a manifest that is published, or was copied from a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    /// The time of the publication in Unix seconds.
    pub(super) at_s: u64,
    /// Counts the publications of a version with other segments: sums are the same, but value ranges are sampled by segment.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) revision: u64,
    /// Whether the layer was removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_removed: bool,
    /// The rooms of the layer, if it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rooms: Option<ContentDigest>,
    /// The floor plan of the layer, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) floor_plan: Option<ContentDigest>,
    /// Objects of earlier versions, which stay for a while, because mirrors may be copying them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) removed: Vec<RemovedObjects>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The size and the checksum of a file next to a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContentDigest {
    /// The size in bytes.
    pub(super) bytes: u64,
    /// CRC-32 (IEEE) of the file.
    pub(super) crc32: u32,
}

impl ContentDigest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc32: crc32fast::hash(bytes) }
    }

    /// Reads a file for its size and checksum.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        const BUFFER_BYTES: usize = 1 << 18;
        let failed = |error| Error::io(path, "read", error);
        let mut file = File::open(path).map_err(failed)?;
        let (mut crc, mut bytes, mut buffer) = (crc32fast::Hasher::new(), 0, vec![0; BUFFER_BYTES]);
        loop {
            let length = file.read(&mut buffer).map_err(failed)?;
            if length == 0 {
                return Ok(Self { bytes, crc32: crc.finalize() });
            }
            crc.update(&buffer[..length]);
            bytes += length as u64;
        }
    }
}

impl From<FileDigest> for ContentDigest {
    fn from(FileDigest { bytes, crc32, .. }: FileDigest) -> Self {
        Self { bytes, crc32 }
    }
}

/// Objects that stay until a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RemovedObjects {
    /// Unix seconds.
    pub(super) until_s: u64,
    /// Keys within the folder of the layer.
    pub(super) keys: BTreeSet<String>,
}

/// An immutable object of a published layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LayerObject {
    /// The key within the folder of the layer.
    pub(super) key: String,
    pub(super) digest: ContentDigest,
}

/// The objects of a segment: its points, and its bins if it has some.
pub(super) fn segment_objects(layer_id: &str, entry: &SegmentEntry) -> [Option<LayerObject>; 2] {
    let object = |digest: FileDigest, name: fn(&str) -> String| LayerObject {
        key: format!("{layer_id}/{}", name(&format!("{}-{:08x}", Manifest::segment_name(entry.id), digest.crc32))),
        digest: digest.into(),
    };
    [Some(object(entry.points, segment::points_name)), entry.bins.map(|bins| object(bins, segment::bins_name))]
}

/// A file next to the manifest of a layer that is published with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SideFile {
    Rooms,
    FloorPlan,
}

impl SideFile {
    pub(super) const ALL: [Self; 2] = [Self::Rooms, Self::FloorPlan];

    /// The file in the folder of a layer.
    pub(super) fn file(self) -> LayerFile {
        match self {
            Self::Rooms => rooms::FILE,
            Self::FloorPlan => floor_plan::FILE,
        }
    }

    /// The object of a content.
    pub(super) fn object(self, layer_id: &str, digest: ContentDigest) -> LayerObject {
        let (name, end) = match self {
            Self::Rooms => ("rooms", ".geojson"),
            Self::FloorPlan => ("floorplan", ""),
        };
        LayerObject { key: format!("{layer_id}/{name}-{:08x}-{}{end}", digest.crc32, digest.bytes), digest }
    }
}

impl Published {
    pub(super) fn side_file(&self, file: SideFile) -> Option<ContentDigest> {
        match file {
            SideFile::Rooms => self.rooms,
            SideFile::FloorPlan => self.floor_plan,
        }
    }

    /// Adds objects that stay until `until_s`, without those of `needed`, which the current version has.
    pub(super) fn keep_removed(&mut self, keys: BTreeSet<String>, until_s: u64, needed: &BTreeSet<String>) {
        match self.removed.iter_mut().find(|removed| removed.until_s == until_s) {
            Some(removed) => removed.keys.extend(keys),
            None => self.removed.push(RemovedObjects { until_s, keys }),
        }
        for removed in &mut self.removed {
            removed.keys.retain(|key| !needed.contains(key));
        }
        self.removed.retain(|removed| !removed.keys.is_empty());
    }

    /// Takes the objects from the list whose time has passed at `now_s`.
    pub(super) fn take_passed(&mut self, now_s: u64) -> BTreeSet<String> {
        let (passed, kept) = std::mem::take(&mut self.removed)
            .into_iter()
            .partition(|removed| Grace::has_passed(removed.until_s, now_s));
        self.removed = kept;
        let passed: Vec<RemovedObjects> = passed;
        passed.into_iter().flat_map(|removed| removed.keys).collect()
    }
}

impl Manifest {
    /// The objects of the segments and of the files next to the manifest, as far as `published` names them.
    pub(super) fn objects(&self, published: &Published) -> Vec<LayerObject> {
        let segments = self.segments.iter().flat_map(|entry| segment_objects(&self.id, entry)).flatten();
        let side_files = SideFile::ALL.into_iter();
        let side_files = side_files.filter_map(|file| Some(file.object(&self.id, published.side_file(file)?)));
        segments.chain(side_files).collect()
    }
}
