//! Appending points to a layer, with group commit of concurrent writes.

use super::bins::{mixed_rows, other_rows};
use super::layer::{Change, LayerLock, StoredLayer};
use super::merge::{SegmentOptions, write_segment};
use super::queue::{AppendOutcome, PendingPoints, PendingWrite};
use super::requests::Request;
use super::rows::Rows;
use super::segment::SegmentEntry;
use super::staging::StagingDir;
use kiln_core::error::{Error, Result};
use kiln_core::geo::{Frame, PlaneFrame, Points};
use kiln_core::parameter::Parameter;
use kiln_core::source::CoordinateSpace;

/// Points to append to a layer. The default is for layers on the globe.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) rows: Rows,
    /// Whether the first points choose the frame, on a plane.
    pub(super) chooses_frame: bool,
    /// Whether rows of another kind than the first ones were added, of this level.
    #[allow(clippy::option_option, reason = "no other rows, or rows of a level, which points have not")]
    pub(super) mixed: Option<Option<u32>>,
}

impl Batch {
    /// An empty batch for a layer that does not exist yet.
    pub fn in_space(space: CoordinateSpace) -> Self {
        Self { chooses_frame: space == CoordinateSpace::Plane, ..Self::default() }
    }

    /// Adds points, and returns how many of them were skipped because they are beyond the edge of the Web Mercator
    /// world, 85.05° north or south; on a plane, outside the layer's square.
    pub fn add(&mut self, points: Points<'_>) -> usize {
        if self.chooses_frame && !points.is_empty() {
            self.rows.frame = first_frame(CoordinateSpace::Plane, points);
            self.chooses_frame = false;
        }
        let level = points.bins().map(|bins| bins.level);
        if !self.is_empty() && !points.is_empty() && self.rows.level != level {
            self.mixed = Some(level);
            return 0;
        }
        self.rows.add(points)
    }

    /// The number of points: that of the rows, unless they stand for many points each.
    pub fn points(&self) -> u64 {
        self.rows.points()
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// The frame of a layer whose first points are `points`.
pub(super) fn first_frame(space: CoordinateSpace, points: Points<'_>) -> Frame {
    match space {
        CoordinateSpace::Globe => Frame::Mercator,
        CoordinateSpace::Plane => Frame::Plane(PlaneFrame::around(points)),
    }
}

impl StoredLayer {
    /// An empty batch for this layer.
    pub fn batch(&self) -> Batch {
        let snapshot = self.snapshot();
        match snapshot.manifest.space.frame() {
            Some(frame) => Batch { rows: Rows { frame, ..Rows::default() }, ..Batch::default() },
            None => Batch::in_space(snapshot.coordinate_space()),
        }
    }

    /// The points of a batch in the frame of the layer.
    fn in_frame(&self, mut rows: Rows) -> Result<Rows> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let frame = self.frame_or(rows.frame)?;
        if rows.frame != frame {
            // The batch was made before other points became the first ones of the layer.
            let outside = rows.reframe(frame);
            if outside > 0 {
                let bounds = frame.plane().map(|frame| frame.bounds().to_string()).unwrap_or_default();
                let reason = format!("{outside} points are outside the bounds of the layer, {bounds}; send them again");
                return Err(Error::invalid(Parameter::POINTS, reason));
            }
        }
        Ok(rows)
    }

    /// Appends points, and returns when they are synced to disk. Concurrent writes share a commit.
    ///
    /// If a request with the same idempotency key has been committed before, nothing is appended.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `Idempotency-Key` if the key was used for another body, or if the batch is in another
    /// coordinate space than the layer; [`Error::Io`] if writing to the store fails. No points are appended then.
    pub fn append(&self, batch: Batch, request: Option<Request>) -> Result<AppendOutcome> {
        self.free_if_full(self.append_batch(batch, request))
    }

    fn append_batch(&self, batch: Batch, request: Option<Request>) -> Result<AppendOutcome> {
        /// The number of points from which a write becomes a separate segment.
        const MIN_SEGMENT_ROWS: usize = 1 << 17;
        if let Some(level) = batch.mixed {
            return Err(mixed_rows(batch.rows.level, level));
        }
        let rows = self.in_frame(batch.rows)?;
        let (frame, level) = (rows.frame, rows.level);
        let points = if rows.len() < MIN_SEGMENT_ROWS {
            PendingPoints::Rows(rows)
        } else {
            let staging = self.staging_dir()?;
            let entry = write_segment(&staging, rows, true, &options(request.as_slice()))?;
            PendingPoints::Segment(entry, staging)
        };
        self.queue.submit(PendingWrite { points, frame, level, request }, |writes| self.commit_writes(writes))
    }

    /// Commits writes together, and returns the outcome of each.
    fn commit_writes(&self, writes: Vec<PendingWrite>) -> Vec<Result<AppendOutcome>> {
        // The newest snapshot, not the one that is served: a request that is missing in it counts as new. The lock keeps
        // other processes from committing the same request in between.
        let has_requests = writes.iter().any(|write| write.request.is_some());
        let lock = has_requests.then(|| self.lock()).transpose();
        let (lock, snapshot) = match lock.and_then(|lock| Ok((lock, self.refresh()?))) {
            Ok(found) => found,
            Err(error) => return writes.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let mut outcomes = Vec::with_capacity(writes.len());
        let (mut shared_rows, mut segments) = (Rows::default(), Vec::new());
        let (mut requests, mut requests_of_shared) = (Vec::<Request>::new(), Vec::new());
        let frame = snapshot.frame();
        // The first rows of an empty layer decide whether it has bins.
        let mut kind = (!snapshot.manifest.segments.is_empty()).then_some(snapshot.manifest.level);
        for PendingWrite { points, frame: own_frame, level, request } in writes {
            if own_frame != frame && points.len() > 0 {
                outcomes.push(Err(Error::input(self.folder(), "the layer was replaced concurrently")));
                continue;
            }
            if points.len() > 0 && *kind.get_or_insert(level) != level {
                outcomes.push(Err(other_rows(kind.flatten(), level)));
                continue;
            }
            let earlier = request.as_ref().and_then(|request| {
                let in_this_commit = requests.iter().find(|other| other.key == request.key);
                let earlier = in_this_commit.or_else(|| snapshot.request(&request.key))?;
                Some((earlier.clone(), earlier.digest == request.digest))
            });
            if let Some((earlier, is_same_body)) = earlier {
                let reused = || Error::invalid(Parameter::IDEMPOTENCY_KEY, "it was used for another body before");
                outcomes.push(if is_same_body { Ok(AppendOutcome::Duplicate(earlier)) } else { Err(reused()) });
                continue;
            }
            outcomes.push(Ok(AppendOutcome::Appended));
            requests.extend(request.clone().filter(|_| points.len() > 0));
            match points {
                PendingPoints::Rows(rows) => {
                    requests_of_shared.extend(request.filter(|_| !rows.is_empty()));
                    shared_rows.append(rows);
                }
                PendingPoints::Segment(entry, staging) => segments.push((entry, staging)),
            }
        }
        if let Err(error) =
            self.commit_points(lock.as_ref(), (frame, kind.flatten()), shared_rows, &requests_of_shared, segments)
        {
            for outcome in &mut outcomes {
                let depends_on_commit = match outcome {
                    Ok(AppendOutcome::Appended) => true,
                    // Its first request may have been part of this commit.
                    Ok(AppendOutcome::Duplicate(earlier)) => requests.iter().any(|request| request.key == earlier.key),
                    Err(_) => false,
                };
                if depends_on_commit {
                    *outcome = Err(error.duplicate());
                }
            }
        }
        outcomes
    }

    fn commit_points(
        &self,
        lock: Option<&LayerLock>,
        (frame, level): (Frame, Option<u32>),
        shared_rows: Rows,
        requests: &[Request],
        segments: Vec<(SegmentEntry, StagingDir)>,
    ) -> Result<()> {
        let (mut added, mut staged): (Vec<_>, Vec<_>) = segments.into_iter().unzip();
        if !shared_rows.is_empty() {
            /// The number of points up to which bins are left to the next merge; smaller in tests, which need bins.
            const MAX_UNBINNED_ROWS: usize = if cfg!(test) { 1 << 13 } else { 1 << 15 };
            let (staging, with_bins) = (self.staging_dir()?, shared_rows.len() > MAX_UNBINNED_ROWS);
            added.push(write_segment(&staging, shared_rows, with_bins, &options(requests))?);
            staged.push(staging);
        }
        if added.is_empty() {
            return Ok(());
        }
        let change = Change { added, level, frame: Some(frame), ..Change::default() };
        match lock {
            Some(lock) => self.commit_locked(lock, change, &staged),
            None => self.commit(change, &staged),
        }
    }
}

fn options(requests: &[Request]) -> SegmentOptions<'_> {
    SegmentOptions { requests, threads: 1, progress: None }
}
