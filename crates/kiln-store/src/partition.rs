//! Partitions: parts of a layer that are replaced as a whole, such as the points of a day.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::import::{ImportReport, PreparedImport};
use super::layer::{Change, StoredLayer};
use super::manifest::Description;
use super::segment::SegmentEntry;
use super::snapshot::Snapshot;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// The partition of an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    name: String,
    /// The identity of the run that wrote the points: another import of it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<String>,
}

/// The points of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionSummary {
    /// The name of the partition.
    pub name: String,
    /// The identity of the run that wrote its points, if it is known.
    pub run: Option<String>,
    /// The number of its points.
    pub points: u64,
}

impl Partition {
    /// The maximum length of a name.
    pub const MAX_BYTES: usize = 100;

    /// The partition `name`. Another import of the same `run` changes nothing; `None` is never the same.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid.
    pub fn new(name: &str, run: Option<String>) -> Result<Self> {
        Self::check_name(name)?;
        Ok(Self { name: name.to_owned(), run })
    }

    /// Checks a name: 1 to 100 letters, digits and characters of `-_.:=+`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is invalid.
    pub fn check_name(name: &str) -> Result<()> {
        let is_valid = |c: char| c.is_ascii_alphanumeric() || "-_.:=+".contains(c);
        if !name.is_empty() && name.len() <= Self::MAX_BYTES && name.chars().all(is_valid) {
            return Ok(());
        }
        let reason = format!(
            "`{name}` is not the name of a partition; expected 1 to {} characters of A-Z, a-z, 0-9 and -_.:=+, such as \
             2026-11-28",
            Self::MAX_BYTES
        );
        Err(Error::invalid(Parameter::PARTITION, reason))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The identity of its run, if it is known.
    pub fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }

    /// The partition of the merged points of segments; `None` unless all are in one partition.
    pub(super) fn of_merged<'a>(mut entries: impl Iterator<Item = &'a SegmentEntry>) -> Option<Self> {
        let mut merged = entries.next()?.partition.clone()?;
        for entry in entries {
            let other = entry.partition.as_ref().filter(|other| other.name == merged.name)?;
            if other.run != merged.run {
                merged.run = None;
            }
        }
        Some(merged)
    }
}

impl SegmentEntry {
    /// The name of the partition of its points.
    pub(super) fn partition_name(&self) -> Option<&str> {
        self.partition.as_ref().map(|partition| &*partition.name)
    }
}

impl Snapshot {
    /// The partitions by name, with damaged ones. Points without a partition are in none.
    pub fn partitions(&self) -> Vec<PartitionSummary> {
        let mut partitions = BTreeMap::<&str, PartitionSummary>::new();
        for entry in &self.manifest.segments {
            let Some(Partition { name, run }) = &entry.partition else { continue };
            let empty = || PartitionSummary { name: name.clone(), run: run.clone(), points: 0 };
            let summary = partitions.entry(name).or_insert_with(empty);
            summary.points = summary.points.saturating_add(entry.point_count());
            if summary.run != *run {
                summary.run = None;
            }
        }
        partitions.into_values().collect()
    }

    /// Whether the partition has the points of the same run, undamaged.
    pub fn has_run(&self, partition: &Partition) -> bool {
        let is_same = |entry: &SegmentEntry| entry.partition.as_ref() == Some(partition);
        partition.run.is_some()
            && self.segments.iter().any(|segment| is_same(&segment.entry))
            && self.damaged().iter().all(|damage| {
                let damaged = self.manifest.segments.iter().find(|entry| entry.id == damage.segment);
                damaged.is_none_or(|entry| !is_same(entry))
            })
    }
}

impl StoredLayer {
    /// Replaces the points of a partition by prepared ones, atomically, and sets the layer's description in the same
    /// commit, if one is given. If the partition has the points of the same run, it is unchanged. Without points, the
    /// layer is unchanged. Returns the report, and whether the points were replaced.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails. The layer is unchanged then.
    pub fn commit_partition(
        &self,
        prepared: PreparedImport,
        partition: Partition,
        description: Option<Description>,
    ) -> Result<(ImportReport, bool)> {
        self.free_if_full(self.replace_partition(prepared, partition, description))
    }

    fn replace_partition(
        &self,
        prepared: PreparedImport,
        partition: Partition,
        description: Option<Description>,
    ) -> Result<(ImportReport, bool)> {
        let (imported, mut change, staged) = prepared.into_change(description);
        if change.added.is_empty() {
            return Ok((imported, false));
        }
        let lock = self.lock()?;
        let is_same = self.refresh()?.has_run(&partition);
        if is_same {
            change = Change { description: change.description, same_points: true, ..Change::default() };
        } else {
            change.emptied = vec![partition.name.clone()];
            change.partition = Some(partition);
        }
        let staged = if is_same { &[] } else { &staged[..] };
        self.commit_locked(&lock, change, staged)?;
        Ok((imported, !is_same))
    }

    /// Removes the points of partitions, atomically, and returns their number.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails. The layer is unchanged then.
    pub fn remove_partitions(&self, is_removed: impl Fn(&str) -> bool) -> Result<u64> {
        let remove = || {
            let lock = self.lock()?;
            let partitions = self.refresh()?.partitions();
            let removed: Vec<_> = partitions.into_iter().filter(|partition| is_removed(&partition.name)).collect();
            if removed.is_empty() {
                return Ok(0);
            }
            let points = removed.iter().fold(0, |sum: u64, partition| sum.saturating_add(partition.points));
            let emptied = removed.into_iter().map(|partition| partition.name).collect();
            self.commit_locked(&lock, Change { emptied, ..Change::default() }, &[])?;
            Ok(points)
        };
        self.free_if_full(remove())
    }
}
