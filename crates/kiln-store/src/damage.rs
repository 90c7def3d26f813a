//! Damaged segments: found when they are opened, verified, or first read, and excluded from then on.

use std::sync::{Arc, PoisonError};

use super::layer::{Change, StoredLayer};
use super::segment::{Segment, SegmentEntry};
use super::snapshot::Snapshot;
use kiln_core::error::{Error, Result};

/// A damaged segment, which is excluded from the snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub(super) segment: u64,
    /// The checksum that its points should have.
    pub(super) crc32: u32,
    /// Number of points in the segment.
    pub points: u64,
    /// The file and the reason.
    pub reason: String,
    /// The name of the file, without its folder, and the reason.
    pub public_reason: String,
}

impl Damage {
    /// The damage of a segment that `error` describes.
    pub(super) fn new(entry: &SegmentEntry, error: &Error) -> Self {
        let (reason, public_reason) = (error.to_string(), Self::public_reason_of(error));
        Self { segment: entry.id, crc32: entry.points.crc32, points: entry.point_count(), reason, public_reason }
    }

    /// Describes an error of a file without the folder of the file.
    pub fn public_reason_of(error: &Error) -> String {
        let (path, cause) = match error {
            Error::Input { input, message } => (input, message.to_string()),
            Error::Damaged { file, reason } | Error::DamagedManifest { file, reason, .. } => {
                (file, format!("it is damaged: {reason}"))
            }
            Error::Io { path, action, source } => (path, format!("cannot {action}: {source}")),
            _ => return "it cannot be read".to_owned(),
        };
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        format!("{file}: {cause}")
    }

    /// A reason without `it is damaged`, for a sentence that says so.
    pub fn cause(reason: &str) -> String {
        reason.replacen(": it is damaged: ", ": ", 1)
    }

    /// Logs the damage of a layer.
    pub(super) fn log(&self, layer: &str) {
        tracing::error!(layer, points = self.points, "a damaged segment is left out: {}", Self::cause(&self.reason));
    }
}

impl Snapshot {
    /// Checks the segments after a read.
    ///
    /// # Errors
    /// [`Error::Damaged`] if a read has found a damaged segment, of which points may be missing in the result.
    pub(super) fn check_damage(&self) -> Result<()> {
        self.segments.iter().find_map(|segment| segment.damage()).map_or(Ok(()), Err)
    }

    /// The segments that reads have found to be damaged.
    fn newly_damaged(&self) -> impl Iterator<Item = (&Arc<Segment>, Error)> {
        self.segments.iter().filter_map(|segment| Some((segment, segment.damage()?)))
    }
}

impl StoredLayer {
    /// Removes the damaged segments for good, with their files, and returns them. Their points are lost.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails, [`Error::Cancelled`] if another process changed the layer
    /// concurrently.
    pub fn drop_damaged(&self) -> Result<Vec<Damage>> {
        let damaged = self.verify();
        if !damaged.is_empty() {
            let removed = damaged.iter().map(|damage| damage.segment).collect();
            let removed_of = Some(self.snapshot().manifest.id.clone());
            self.commit(Change { removed, removed_of, ..Change::default() }, &[])?;
        }
        Ok(damaged)
    }

    /// Verifies the checksums of all files, excludes damaged segments from the snapshot, and returns the damage.
    pub fn verify(&self) -> Vec<Damage> {
        for segment in &self.snapshot().segments {
            // The snapshot lists the damage.
            let _ = self.exclude_damaged(segment, segment.verify());
        }
        self.snapshot().damaged().to_vec()
    }

    /// Excludes a segment from the snapshot if `verified`, the result of its verification, is an error.
    pub(super) fn exclude_damaged(&self, segment: &Arc<Segment>, verified: Result<()>) -> Result<()> {
        verified.inspect_err(|error| self.exclude(segment, error))
    }

    /// Excludes the segments that reads of `snapshot` have found to be damaged. Returns whether there are any.
    pub(super) fn exclude_newly_damaged(&self, snapshot: &Snapshot) -> bool {
        let mut damaged = snapshot.newly_damaged().peekable();
        let any = damaged.peek().is_some();
        damaged.for_each(|(segment, error)| self.exclude(segment, &error));
        any
    }

    fn exclude(&self, segment: &Arc<Segment>, error: &Error) {
        let damage = Damage::new(&segment.entry, error);
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // It may have been merged, or excluded by another thread, in the meantime.
        if current.snapshot.segments.iter().any(|current| Arc::ptr_eq(current, segment)) {
            damage.log(self.name());
            current.snapshot = Arc::new(current.snapshot.without(damage));
        }
    }
}
