//! Compaction: merges segments and removes expired points.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::clock::now_s;
use super::layer::{Change, StoredLayer};
use super::merge::{SegmentOptions, merge};
use super::partition::Partition;
use super::progress::Progress;
use super::requests::Request;
use super::segment::Segment;
use super::snapshot::Snapshot;
use kiln_core::error::{Error, Result};

/// The segments by the name of their partition.
fn by_partition(segments: &[Arc<Segment>]) -> BTreeMap<Option<&str>, Vec<Arc<Segment>>> {
    let mut partitions = BTreeMap::<_, Vec<_>>::new();
    for segment in segments {
        partitions.entry(segment.entry.partition_name()).or_default().push(Arc::clone(segment));
    }
    partitions
}

impl StoredLayer {
    /// Merges all segments of each partition into one, which makes reading faster and frees the space of removed points.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails, [`Error::Cancelled`] if `progress` was stopped or another process
    /// changed the layer concurrently.
    pub fn compact(&self, threads: usize, progress: &Progress) -> Result<()> {
        let snapshot = self.snapshot();
        for segments in by_partition(&snapshot.segments).into_values().filter(|segments| segments.len() > 1) {
            self.replace(&snapshot, &segments, None, threads, Some(progress))?;
        }
        Ok(())
    }

    /// Size-tiered compaction: merges segments of about the same size once there are 8 of them, so that their number
    /// grows only with the logarithm of the points. Considers only merges whose number of points is within `rows`.
    /// Returns whether any segments were merged.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails, [`Error::Cancelled`] if `progress` was stopped.
    pub fn compact_some(&self, rows: RangeInclusive<u64>, threads: usize, progress: &Progress) -> Result<bool> {
        /// The number of segments of a tier that are merged, and the ratio of the sizes of two tiers.
        const TIER_SEGMENTS: usize = 8;
        /// The number of rows of the smallest tier.
        const MIN_TIER_ROWS: u64 = 8192;
        /// Larger segments are not merged.
        const MAX_ROWS: u64 = 1 << 28;
        let snapshot = self.snapshot();
        let tier =
            |segment: &Segment| (segment.entry.rows.max(MIN_TIER_ROWS) / MIN_TIER_ROWS).ilog(TIER_SEGMENTS as u64);
        let mut tiers: BTreeMap<_, Vec<Arc<Segment>>> = BTreeMap::new();
        for segment in snapshot.segments.iter().filter(|segment| segment.entry.rows <= MAX_ROWS) {
            tiers.entry((tier(segment), segment.entry.partition_name())).or_default().push(Arc::clone(segment));
        }
        let sum = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.entry.rows).sum();
        let full_tier =
            tiers.into_values().find(|segments| segments.len() >= TIER_SEGMENTS && rows.contains(&sum(segments)));
        let Some(full_tier) = full_tier else { return Ok(false) };
        match self.replace(&snapshot, &full_tier, None, threads, Some(progress)) {
            Ok(_) => Ok(true),
            // Another thread or process has committed first.
            Err(Error::Cancelled) if !progress.is_stopped() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes points with times before `before_us`, in microseconds since 1970-01-01 UTC, and returns their number.
    /// Points without a time are kept.
    ///
    /// # Errors
    /// As for [`compact`](Self::compact).
    pub fn expire(&self, before_us: i64, threads: usize, progress: &Progress) -> Result<u64> {
        let snapshot = self.snapshot();
        let old = |segment: &&Arc<Segment>| segment.entry.totals.time_us.is_some_and(|[first, _]| first < before_us);
        let old: Vec<Arc<Segment>> = snapshot.segments.iter().filter(old).cloned().collect();
        let mut expired = 0;
        // One at a time, so that each rewrite is small.
        for segment in old {
            let points = segment.entry.point_count();
            let kept = self.replace(&snapshot, &[segment], Some(before_us), threads, Some(progress))?;
            expired = points.saturating_sub(kept).saturating_add(expired);
        }
        Ok(expired)
    }

    /// Merges `segments` of a snapshot into one, and returns its number of points.
    pub(super) fn replace(
        &self,
        snapshot: &Snapshot,
        segments: &[Arc<Segment>],
        expire_before_us: Option<i64>,
        threads: usize,
        progress: Option<&Progress>,
    ) -> Result<u64> {
        self.free_if_full(self.merge_into_one(snapshot, segments, expire_before_us, threads, progress))
    }

    fn merge_into_one(
        &self,
        snapshot: &Snapshot,
        segments: &[Arc<Segment>],
        expire_before_us: Option<i64>,
        threads: usize,
        progress: Option<&Progress>,
    ) -> Result<u64> {
        // Merged points get a new checksum, so damage must be detected before the merge.
        segments
            .iter()
            .try_for_each(|segment| self.exclude_damaged(segment, segment.points.verify(segment.entry.points)))?;
        let staging = self.staging_dir()?;
        let requests = segments.iter().flat_map(|segment| segment.requests.values().cloned());
        let requests = Request::unexpired(requests, now_s());
        let removed = segments.iter().map(|segment| segment.entry.id).collect();
        let removed_of = Some(snapshot.manifest.id.clone());
        let merged: Vec<&Segment> = segments.iter().map(|segment| &**segment).collect();
        let options = SegmentOptions { requests: &requests, threads, progress };
        let entry = merge(&merged, &staging, expire_before_us, &options)?;
        segments.iter().try_for_each(|segment| segment.damage().map_or(Ok(()), Err))?;
        let points = entry.point_count();
        let added = if entry.rows > 0 { vec![entry] } else { Vec::new() };
        let (same_points, frame) = (expire_before_us.is_none(), Some(snapshot.frame()));
        let level = snapshot.manifest.level;
        let partition = Partition::of_merged(segments.iter().map(|segment| &segment.entry));
        let change = Change { added, removed, removed_of, partition, same_points, level, frame, ..Change::default() };
        self.commit(change, &[staging])?;
        Ok(points)
    }
}
