//! Stored layers: readers get snapshots, writers commit changes.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::bins::other_rows;
use super::claim::Claim;
use super::clock::{Instant, now_s};
use super::disk::{self, File, FileIdentity, sync_folder};
use super::grace::Grace;
use super::lock::lock_layer;
use super::manifest::{self, Description, Manifest, Space};
use super::partition::Partition;
use super::queue::WriteQueue;
use super::segment::{self, SegmentEntry};
use super::snapshot::Snapshot;
use super::staging::StagingDir;
use super::sweep::{free_if_full, sweep_layer};
use super::sync::{Mutex, RwLock};
use kiln_core::error::{Error, Result};
use kiln_core::geo::Frame;
use kiln_core::parameter::Parameter;
use kiln_core::source::CoordinateSpace;

/// A layer of a store.
///
/// Any number of threads and processes may read it, each from its own snapshot. A change is prepared in a staging
/// folder and committed atomically under the layer's lock.
#[derive(Debug)]
pub struct StoredLayer {
    name: String,
    folder: PathBuf,
    /// The folder of the staging folders.
    staging: PathBuf,
    pub(super) current: RwLock<Current>,
    /// Locked while a thread opens a new snapshot.
    pub(super) opening: Mutex<()>,
    pub(super) queue: WriteQueue,
    claim: Arc<Claim>,
    grace: Grace,
    commits: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Current {
    pub(super) snapshot: Arc<Snapshot>,
    identity: FileIdentity,
    checked_at: Instant,
}

/// The identity of the manifest of the layer in `folder`.
fn identity_of(folder: &Path) -> Result<FileIdentity> {
    let path = folder.join(manifest::FILE);
    FileIdentity::at(&path).map_err(|error| Error::io(&path, "read", error))
}

/// The treatment of the existing points of a layer by an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingPoints {
    /// Keeps the existing points and adds the new ones.
    #[default]
    Keep,
    /// Replaces the existing points by the new ones in the same commit.
    Replace,
}

/// A change of a layer.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// New segments, each in its own staging folder.
    pub(super) added: Vec<SegmentEntry>,
    /// Segments to remove. The commit is cancelled if one of them is missing.
    pub(super) removed: Vec<u64>,
    /// The ID of the layer of the removed segments: a new layer of the same name has segments of the same numbers.
    pub(super) removed_of: Option<String>,
    pub(super) existing: ExistingPoints,
    /// The partition of new segments.
    pub(super) partition: Option<Partition>,
    /// Partitions whose segments are removed.
    pub(super) emptied: Vec<String>,
    /// Whether the points are unchanged, as in a compaction.
    pub(super) same_points: bool,
    pub(super) description: Option<Description>,
    /// The level of the bins of new segments; `None` if their rows are single points. The commit fails if the layer has
    /// other rows.
    pub(super) level: Option<u32>,
    /// The frame of the points of new segments. The commit fails if the layer has another one.
    pub(super) frame: Option<Frame>,
    /// The new coordinate space of a layer without points.
    pub(super) space: Option<CoordinateSpace>,
    /// Whether `frame` becomes that of a layer that has none.
    pub(super) sets_frame: bool,
}

/// The lock of a layer, which is released on drop.
#[derive(Debug)]
pub(super) struct LayerLock(#[allow(dead_code, reason = "an open file holds the lock")] File);

impl StoredLayer {
    /// Opens the layer `name` of the store in a folder; `None` if it does not exist. The name must be valid.
    /// Changes check `claim`, that of the store, and keep the files of removed segments for `grace`.
    pub(super) fn open(store: &Path, name: &str, claim: &Arc<Claim>, grace: Grace) -> Result<Option<Self>> {
        let folder = store.join(name);
        let Some((snapshot, identity)) = read(&folder, None)? else { return Ok(None) };
        snapshot.damaged().iter().for_each(|damage| damage.log(name));
        let current = Current { snapshot: Arc::new(snapshot), identity, checked_at: Instant::now() };
        Ok(Some(Self {
            name: name.to_owned(),
            folder,
            staging: store.to_owned(),
            current: RwLock::new(current),
            opening: Mutex::new(()),
            queue: WriteQueue::default(),
            claim: Arc::clone(claim),
            grace,
            commits: AtomicU64::new(0),
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of commits by this process.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The layer's current snapshot. Commits of other processes become visible within [`Self::REFRESH_INTERVAL`].
    pub fn snapshot(&self) -> Arc<Snapshot> {
        /// The age from which a snapshot is not used anymore: the files of its segments may be gone.
        const MAX_AGE: Duration = Duration::from_secs(30);
        let latest = || {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&current.snapshot), current.checked_at.elapsed())
        };
        let (mut snapshot, mut age) = latest();
        if self.exclude_newly_damaged(&snapshot) {
            (snapshot, age) = latest();
        }
        if age < Self::REFRESH_INTERVAL {
            return snapshot;
        }
        // While one thread refreshes the snapshot, the others use the current one.
        let opening = self.opening.try_lock();
        if opening.is_err() && age < MAX_AGE {
            return snapshot;
        }
        let _opening = opening.unwrap_or_else(|_is_held| self.opening.lock().unwrap_or_else(PoisonError::into_inner));
        match self.refresh() {
            Ok(newer) => newer,
            Err(error) => {
                tracing::warn!(layer = self.name, %error, "the layer cannot be refreshed; the last snapshot is served");
                self.current.write().unwrap_or_else(PoisonError::into_inner).checked_at = Instant::now();
                snapshot
            }
        }
    }

    /// The interval at which the manifest is checked for commits of other processes.
    pub const REFRESH_INTERVAL: Duration = Duration::from_millis(200);

    /// Returns the newest snapshot. Reads the manifest again if it has changed.
    pub(super) fn refresh(&self) -> Result<Arc<Snapshot>> {
        let identity = identity_of(&self.folder)?;
        let before = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.checked_at = Instant::now();
            if current.identity == identity {
                return Ok(Arc::clone(&current.snapshot));
            }
            Arc::clone(&current.snapshot)
        };
        let newer = read(&self.folder, Some(&before));
        if matches!(newer, Err(Error::DamagedManifest { .. })) {
            // Reported once: it is read again when it changes.
            self.current.write().unwrap_or_else(PoisonError::into_inner).identity = identity;
        }
        let Some((snapshot, identity)) = newer? else {
            return Err(Error::input(&self.folder, "the layer was removed"));
        };
        Ok(self.set(snapshot, identity))
    }

    fn set(&self, snapshot: Snapshot, identity: FileIdentity) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let known = current.snapshot.damaged();
        snapshot.damaged().iter().filter(|damage| !known.contains(damage)).for_each(|damage| damage.log(&self.name));
        *current = Current { snapshot: Arc::clone(&snapshot), identity, checked_at: Instant::now() };
        snapshot
    }

    /// Creates a staging folder.
    pub(super) fn staging_dir(&self) -> Result<StagingDir> {
        StagingDir::new(&self.staging)
    }

    /// Passes the result of a change on. If the disk is full, frees the space of removed segments and layers, so that the
    /// next attempt can succeed. The layer must not be locked by this thread.
    pub(super) fn free_if_full<T>(&self, result: Result<T>) -> Result<T> {
        free_if_full(&self.staging, result)
    }

    /// Commits a change under the layer's lock. `staged` are the staging folders of the new segments, in the same
    /// order.
    pub(super) fn commit(&self, change: Change, staged: &[StagingDir]) -> Result<()> {
        let lock = self.lock()?;
        self.commit_locked(&lock, change, staged)
    }

    /// Locks the layer, which no other process can change then.
    pub(super) fn lock(&self) -> Result<LayerLock> {
        match lock_layer(&self.folder) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Err(self.removed()),
            lock => lock.map(LayerLock),
        }
    }

    fn removed(&self) -> Error {
        Error::input(&self.folder, "the layer was removed concurrently")
    }

    /// Commits a change like [`commit`](Self::commit) under a lock that is held.
    pub(super) fn commit_locked(&self, _lock: &LayerLock, change: Change, staged: &[StagingDir]) -> Result<()> {
        let removed = || self.removed();
        self.claim.check()?;
        let mut manifest = Manifest::read(&self.folder)?.ok_or_else(removed)?;
        let exists = |id: &u64| manifest.segments.iter().any(|entry| entry.id == *id);
        let is_same_layer = change.removed_of.as_ref().is_none_or(|id| *id == manifest.id);
        if !is_same_layer || !change.removed.iter().all(exists) {
            self.set_manifest(manifest);
            return Err(Error::Cancelled);
        }
        if let (Some(Frame::Plane(frame)), Space::Plane { origin: origin @ None }) = (change.frame, &mut manifest.space)
            && change.sets_frame
        {
            *origin = Some(frame.origin());
        } else if !change.sets_frame && change.frame.is_some_and(|frame| manifest.space.frame() != Some(frame)) {
            self.set_manifest(manifest);
            return Err(Error::input(&self.folder, "the layer was replaced concurrently by one of other coordinates"));
        }
        if let Some(space) = change.space.filter(|space| *space != manifest.space.coordinate_space()) {
            if !manifest.segments.is_empty() {
                let before = manifest.space.coordinate_space();
                let reason =
                    format!("the points of the layer are in {before}; only an empty layer can change to {space}");
                self.set_manifest(manifest);
                return Err(Error::invalid(Parameter::CRS, reason));
            }
            manifest.set_space(Space::of(space));
        }
        let mut obsolete: Vec<u64> = manifest.segments.iter().map(|entry| entry.id).collect();
        match change.existing {
            ExistingPoints::Keep => manifest.segments.retain(|entry| !change.removed.contains(&entry.id)),
            ExistingPoints::Replace => manifest.segments.clear(),
        }
        let is_emptied = |name: &str| change.emptied.iter().any(|emptied| emptied == name);
        manifest.segments.retain(|entry| !entry.partition_name().is_some_and(is_emptied));
        obsolete.retain(|id| !manifest.segments.iter().any(|entry| entry.id == *id));
        if !change.added.is_empty() && manifest.level != change.level {
            if !manifest.segments.is_empty() {
                return Err(other_rows(manifest.level, change.level));
            }
            manifest.set_level(change.level);
        }
        let passed = manifest.removed.take_passed(now_s());
        if let Some(until_s) = self.grace.until_s(&self.staging) {
            manifest.removed.add(&obsolete, until_s);
            obsolete.clear();
        }
        if !change.same_points {
            manifest.changed_s = now_s();
        }
        let new_description = change.description.filter(|description| *description != manifest.description);
        if !change.same_points || new_description.is_some() {
            manifest.version += 1;
        }
        manifest.description = new_description.unwrap_or(manifest.description);
        let mut added = change.added;
        for entry in &mut added {
            entry.partition.clone_from(&change.partition);
        }
        if let Err(error) = self.write(&mut manifest, added, staged) {
            // Removes files that were moved already but are not listed in the manifest.
            sweep_layer(&self.folder);
            return Err(error);
        }
        // The change is committed from here on.
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.set_manifest(manifest);
        for id in obsolete.into_iter().chain(passed) {
            segment::remove(&self.folder, &Manifest::segment_name(id));
        }
        Ok(())
    }

    /// The coordinate space of the points.
    pub fn coordinate_space(&self) -> CoordinateSpace {
        self.snapshot().coordinate_space()
    }

    /// The frame of the layer. That of a plane becomes `first`, the frame of the first points, if there is none yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `first` is in another coordinate space than the layer; those of a commit.
    pub(super) fn frame_or(&self, first: Frame) -> Result<Frame> {
        let known = |snapshot: &Snapshot| match (snapshot.manifest.space, first) {
            (Space::Globe, Frame::Plane(_)) => Err(other_space(CoordinateSpace::Globe)),
            (Space::Plane { .. }, Frame::Mercator) => Err(other_space(CoordinateSpace::Plane)),
            (space, _) => Ok(space.frame()),
        };
        if let Some(frame) = known(&self.snapshot())? {
            return Ok(frame);
        }
        self.commit(Change { frame: Some(first), sets_frame: true, same_points: true, ..Change::default() }, &[])?;
        known(&*self.refresh()?)?.ok_or_else(|| Error::input(&self.folder, "the layer was replaced concurrently"))
    }

    /// Moves new segments into the layer's folder, and replaces the manifest by one that lists them.
    fn write(&self, manifest: &mut Manifest, added: Vec<SegmentEntry>, staged: &[StagingDir]) -> Result<()> {
        for (mut entry, staging) in added.into_iter().zip(staged) {
            entry.id = manifest.next_segment;
            manifest.next_segment += 1;
            move_segment(staging, &self.folder, &Manifest::segment_name(entry.id), &entry)?;
            manifest.segments.push(entry);
        }
        sync_folder(&self.folder).map_err(|error| Error::io(&self.folder, "write to", error))?;
        manifest.format = manifest.needed_format();
        manifest.write(&self.folder)
    }

    /// Opens the snapshot of a manifest. It must be the newest one, which the layer's lock ensures.
    fn set_manifest(&self, manifest: Manifest) {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).snapshot);
        let opened = Snapshot::open(&self.folder, manifest, Some(&current), true);
        match opened.and_then(|snapshot| Ok((snapshot, identity_of(&self.folder)?))) {
            Ok((snapshot, identity)) => drop(self.set(snapshot, identity)),
            // The manifest differs from that of the current snapshot, so the next refresh reads it.
            Err(error) => {
                tracing::warn!(layer = self.name, %error, "the change is committed, but the layer cannot be read yet");
            }
        }
    }

    /// Sets the description of the layer.
    ///
    /// # Errors
    /// [`Error::Io`] if writing to the store fails.
    pub fn set_description(&self, description: Description) -> Result<()> {
        let change = Change { description: Some(description), same_points: true, ..Change::default() };
        self.commit(change, &[])
    }

    /// Sets the coordinate space of a layer without points.
    ///
    /// # Errors
    /// [`Error::Invalid`] for the parameter `crs` if the layer has points in another one; [`Error::Io`] if writing to
    /// the store fails.
    pub fn set_coordinate_space(&self, space: CoordinateSpace) -> Result<()> {
        if self.refresh()?.coordinate_space() == space {
            return Ok(());
        }
        self.commit(Change { space: Some(space), ..Change::default() }, &[])
    }
}

/// The error of points in another coordinate space than `space`, that of their layer.
pub(super) fn other_space(space: CoordinateSpace) -> Error {
    Error::invalid(
        Parameter::CRS,
        match space {
            CoordinateSpace::Plane => "the layer is on a plane in meters; its points need plane coordinates: crs plane",
            CoordinateSpace::Globe => "the layer is on the globe; plane coordinates need a layer of their own",
        },
    )
}

/// Reads the snapshot of the layer in a folder, and retries if the layer changes while it is read; `None` if there is
/// no layer.
fn read(folder: &Path, before: Option<&Snapshot>) -> Result<Option<(Snapshot, FileIdentity)>> {
    let mut is_newest = false;
    let mut last: Option<Manifest> = None;
    loop {
        // Read before the manifest, so that the next refresh detects a change in between.
        let identity = match identity_of(folder) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            identity => identity?,
        };
        let Some(manifest) = Manifest::read(folder)? else { return Ok(None) };
        is_newest |= last.as_ref() == Some(&manifest);
        match Snapshot::open(folder, manifest.clone(), before, is_newest) {
            // A missing file means that the manifest is outdated or the layer is damaged.
            Err(Error::Io { .. }) if !is_newest => last = Some(manifest),
            snapshot => return snapshot.map(|snapshot| Some((snapshot, identity))),
        }
    }
}

/// Moves the files of a staged segment to the folder of its layer and renames them to `name`.
fn move_segment(staging: &StagingDir, to: &Path, name: &str, entry: &SegmentEntry) -> Result<()> {
    let (from, staged) = (staging.path(), StagingDir::SEGMENT);
    let rename = |from: PathBuf, to: PathBuf| disk::rename(&from, &to).map_err(|error| Error::io(&to, "write", error));
    rename(segment::points_path(from, staged), segment::points_path(to, name))?;
    if entry.bins.is_some() {
        rename(segment::bins_path(from, staged), segment::bins_path(to, name))?;
    }
    Ok(())
}
