//! Compaction: fewer and larger segments, without the points that have expired.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::layer::{Change, StoredLayer};
use super::manifest::now_s;
use super::merge::{SegmentOptions, merge};
use super::progress::Progress;
use super::requests::Request;
use super::segment::Segment;
use super::snapshot::Snapshot;
use kiln_core::error::{Error, Result};

impl StoredLayer {
    /// Merges all segments into one, which makes reading faster and frees the space of removed points.
    ///
    /// # Errors
    /// [`Error::Io`] if the store cannot be written, [`Error::Cancelled`] if `progress` was stopped or another process
    /// changed the layer in between.
    pub fn compact(&self, threads: usize, progress: &Progress) -> Result<()> {
        let snapshot = self.snapshot();
        if snapshot.segments.len() < 2 {
            return Ok(());
        }
        self.replace(&snapshot, &snapshot.segments, None, threads, Some(progress)).map(drop)
    }

    /// Merges segments of about the same size once there are many, so that their number grows with the logarithm of the
    /// points only, where the number of merged points is within `rows`. Returns whether any were merged.
    ///
    /// # Errors
    /// [`Error::Io`] if the store cannot be written, [`Error::Cancelled`] if `progress` was stopped.
    pub fn compact_some(&self, rows: RangeInclusive<u64>, threads: usize, progress: &Progress) -> Result<bool> {
        /// Segments of one size that are merged, and how much larger the next size is.
        const MANY: usize = 8;
        /// Rows of the smallest size.
        const SMALL: u64 = 8192;
        /// Segments that are larger stay as they are.
        const LARGEST: u64 = 1 << 28;
        let snapshot = self.snapshot();
        let size = |segment: &Segment| (segment.entry.rows.max(SMALL) / SMALL).ilog(MANY as u64);
        let mut by_size: Vec<Vec<Arc<Segment>>> = Vec::new();
        for segment in snapshot.segments.iter().filter(|segment| segment.entry.rows <= LARGEST) {
            let size = size(segment) as usize;
            by_size.resize_with(by_size.len().max(size + 1), Vec::new);
            by_size[size].push(Arc::clone(segment));
        }
        let sum = |segments: &[Arc<Segment>]| segments.iter().map(|segment| segment.entry.rows).sum();
        let many = by_size.into_iter().find(|segments| segments.len() >= MANY && rows.contains(&sum(segments)));
        let Some(many) = many else { return Ok(false) };
        match self.replace(&snapshot, &many, None, threads, Some(progress)) {
            Ok(_) => Ok(true),
            // Another thread or process was faster.
            Err(Error::Cancelled) if !progress.is_stopped() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes points that are older than an instant, in microseconds since 1970-01-01 UTC, and returns their number.
    /// Points without a time stay.
    ///
    /// # Errors
    /// As [`compact`](Self::compact).
    pub fn expire(&self, before_us: i64, threads: usize, progress: &Progress) -> Result<u64> {
        let snapshot = self.snapshot();
        let old = |segment: &&Arc<Segment>| segment.entry.totals.time_us.is_some_and(|[first, _]| first < before_us);
        let old: Vec<Arc<Segment>> = snapshot.segments.iter().filter(old).cloned().collect();
        let mut expired = 0;
        // One by one, so that little is rewritten at once.
        for segment in old {
            let rows = segment.entry.rows;
            expired += rows - self.replace(&snapshot, &[segment], Some(before_us), threads, Some(progress))?;
        }
        Ok(expired)
    }

    /// Merges some of a snapshot's segments into one, and returns its number of points.
    pub(super) fn replace(
        &self,
        snapshot: &Snapshot,
        segments: &[Arc<Segment>],
        expire_before_us: Option<i64>,
        threads: usize,
        progress: Option<&Progress>,
    ) -> Result<u64> {
        // Merged points get a new checksum, so damage has to be found before.
        segments.iter().try_for_each(|segment| self.leave_out(segment, segment.points.verify(segment.entry.points)))?;
        let staging = self.staging_dir()?;
        let requests = segments.iter().flat_map(|segment| segment.requests.values().cloned());
        let requests = Request::still_kept(requests, now_s());
        let removed = segments.iter().map(|segment| segment.entry.id).collect();
        let removed_of = Some(snapshot.manifest.id.clone());
        let segments: Vec<&Segment> = segments.iter().map(|segment| &**segment).collect();
        let options = SegmentOptions { requests: &requests, threads, progress };
        let entry = merge(&segments, &staging, expire_before_us, &options)?;
        let rows = entry.rows;
        let added = if rows > 0 { vec![entry] } else { Vec::new() };
        let same_points = expire_before_us.is_none();
        self.commit(Change { added, removed, removed_of, same_points, ..Change::default() }, &[staging])?;
        Ok(rows)
    }
}
