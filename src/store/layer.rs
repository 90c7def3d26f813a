//! A layer of a store: who reads it gets snapshots, who changes it makes a new manifest.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use super::import::{Existing, Imported, import};
use super::lock::lock_file;
use super::manifest::{self, Description, Manifest, now_s, sync_folder};
use super::merge::{Merging, merge};
use super::progress::Progress;
use super::queue::Queue;
use super::requests::Request;
use super::segment::{self, Segment, SegmentEntry};
use super::snapshot::{Damage, Snapshot};
use super::staging::StagingDir;
use super::sweep::sweep_layer;
use crate::error::{Error, Result};
use crate::source::{Query, Source};

/// A layer of a store.
///
/// Any number of threads and processes read it, each the snapshot that it began with. Changes are made beside it and take
/// their place under a lock of the layer, all at once: they are there altogether, or not at all.
#[derive(Debug)]
pub struct StoredLayer {
    name: String,
    folder: PathBuf,
    /// Where files are made before they belong to the layer.
    staging_dirs: PathBuf,
    current: RwLock<Current>,
    /// One at a time opens a new snapshot.
    opening: Mutex<()>,
    pub(super) queue: Queue,
    commits: AtomicU64,
}

#[derive(Debug)]
struct Current {
    snapshot: Arc<Snapshot>,
    stamp: Stamp,
    looked_at: Instant,
}

/// What tells one manifest file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(manifest::FILE);
        let metadata = fs::metadata(&path).map_err(|error| Error::io(&path, "read", error))?;
        Ok(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}

/// A change of a layer.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// New segments, whose files lie in staging folders, each in its own.
    pub(super) added: Vec<SegmentEntry>,
    /// Segments that go. The change is given up if one of them is gone already.
    pub(super) removed: Vec<u64>,
    /// The id of the layer that they are of, where any go: another one of the same name has segments of the same numbers.
    pub(super) removed_of: Option<String>,
    pub(super) existing: Existing,
    /// Whether the points are the same as before, only stored otherwise.
    pub(super) same_points: bool,
    pub(super) description: Option<Description>,
}

impl StoredLayer {
    /// Opens a layer that is there; `None` if it is not.
    pub(super) fn open(store: &Path, name: &str) -> Result<Option<Self>> {
        let folder = store.join(name);
        let Some((snapshot, stamp)) = read(&folder, None)? else { return Ok(None) };
        let current = Current { snapshot: Arc::new(snapshot), stamp, looked_at: Instant::now() };
        Ok(Some(Self {
            name: name.to_owned(),
            folder,
            staging_dirs: store.to_owned(),
            current: RwLock::new(current),
            opening: Mutex::new(()),
            queue: Queue::default(),
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

    /// How many changes of it this process has put on the disk.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// The layer as it is now. What another process changes is seen within [`Self::LOOK_AFTER`].
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let (snapshot, is_fresh) = {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&current.snapshot), current.looked_at.elapsed() < Self::LOOK_AFTER)
        };
        if is_fresh {
            return snapshot;
        }
        // While somebody looks, the others go on with what they have.
        let Ok(_opening) = self.opening.try_lock() else { return snapshot };
        match self.refresh() {
            Ok(newer) => newer,
            Err(error) => {
                tracing::warn!(layer = self.name, %error, "the layer cannot be read anew; the last state is served");
                self.current.write().unwrap_or_else(PoisonError::into_inner).looked_at = Instant::now();
                snapshot
            }
        }
    }

    /// How soon a change that another process makes is seen.
    pub const LOOK_AFTER: Duration = Duration::from_millis(200);

    /// The layer as it is now: reads the manifest anew if it has changed.
    pub(super) fn refresh(&self) -> Result<Arc<Snapshot>> {
        let stamp = Stamp::of(&self.folder)?;
        let before = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            current.looked_at = Instant::now();
            if current.stamp == stamp {
                return Ok(Arc::clone(&current.snapshot));
            }
            Arc::clone(&current.snapshot)
        };
        let Some((snapshot, stamp)) = read(&self.folder, Some(&before))? else {
            return Err(Error::input(&self.folder, "the layer was removed"));
        };
        Ok(self.set(snapshot, stamp))
    }

    fn set(&self, snapshot: Snapshot, stamp: Stamp) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        for damage in snapshot.damaged() {
            tracing::error!(layer = self.name, points = damage.points, "{}", damage.reason);
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Current { snapshot: Arc::clone(&snapshot), stamp, looked_at: Instant::now() };
        snapshot
    }

    /// A folder for new files.
    pub(super) fn staging_dir(&self) -> Result<StagingDir> {
        StagingDir::new(&self.staging_dirs)
    }

    /// Makes a change that is ready, under the lock of the layer. `staging_dirs` are those of the new segments, in their order.
    pub(super) fn commit(&self, change: Change, staging_dirs: &[StagingDir]) -> Result<()> {
        let gone = || Error::input(&self.folder, "the layer was removed meanwhile");
        let _lock = match lock(&self.folder) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Err(gone()),
            lock => lock?,
        };
        let mut manifest = Manifest::read(&self.folder)?.ok_or_else(gone)?;
        let is_there = |id: &u64| manifest.segments.iter().any(|entry| entry.id == *id);
        let is_same_layer = change.removed_of.as_ref().is_none_or(|id| *id == manifest.id);
        if !is_same_layer || !change.removed.iter().all(is_there) {
            self.take_over(manifest);
            return Err(Error::Cancelled);
        }
        let mut gone: Vec<u64> = manifest.segments.iter().map(|entry| entry.id).collect();
        match change.existing {
            Existing::Kept => manifest.segments.retain(|entry| !change.removed.contains(&entry.id)),
            Existing::Replaced => manifest.segments.clear(),
        }
        gone.retain(|id| !manifest.segments.iter().any(|entry| entry.id == *id));
        if !change.same_points {
            manifest.changed_s = now_s();
        }
        let described = change.description.filter(|description| *description != manifest.description);
        if !change.same_points || described.is_some() {
            manifest.version += 1;
        }
        manifest.description = described.unwrap_or(manifest.description);
        if let Err(error) = self.write(&mut manifest, change.added, staging_dirs) {
            // What has its place already, but is in no manifest, takes room.
            sweep_layer(&self.folder);
            return Err(error);
        }
        // From here on the change is made.
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.take_over(manifest);
        for id in gone {
            segment::remove(&self.folder, &Manifest::segment_name(id));
        }
        Ok(())
    }

    /// Gives new segments their places, and puts the manifest that names them in the place of the one that is there.
    fn write(&self, manifest: &mut Manifest, added: Vec<SegmentEntry>, staging_dirs: &[StagingDir]) -> Result<()> {
        for (mut entry, staging) in added.into_iter().zip(staging_dirs) {
            entry.id = manifest.next_segment;
            manifest.next_segment += 1;
            place(staging.path(), &self.folder, &Manifest::segment_name(entry.id), &entry)?;
            manifest.segments.push(entry);
        }
        sync_folder(&self.folder).map_err(|error| Error::io(&self.folder, "write to", error))?;
        manifest.write(&self.folder)
    }

    /// Takes over a manifest that has just been written, under the lock of the layer.
    fn take_over(&self, manifest: Manifest) {
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let current = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).snapshot);
        let opened = Snapshot::open(&self.folder, manifest, Some(&current), true);
        match opened.and_then(|snapshot| Ok((snapshot, Stamp::of(&self.folder)?))) {
            Ok((snapshot, stamp)) => drop(self.set(snapshot, stamp)),
            // The manifest is another one than the one that is known, so whoever asks next reads it.
            Err(error) => {
                tracing::warn!(layer = self.name, %error, "the layer is changed, but cannot be read anew yet");
            }
        }
    }

    /// Brings all points of `source` that pass `query` into the layer, all of them or none, with up to `threads`
    /// threads, and with them what people are told of it from then on, where that is given. Memory is bounded whatever
    /// the size. Where no point passes, the layer stays as it is, whatever `existing` says.
    ///
    /// # Errors
    /// If the source cannot be read or the store not be written, [`Error::Cancelled`] if `progress` was told to stop: the
    /// layer is as it was then.
    pub fn import(
        &self,
        source: &dyn Source,
        query: &Query<'_>,
        existing: Existing,
        description: Option<Description>,
        threads: usize,
        progress: &Progress,
    ) -> Result<Imported> {
        import(self, source, query, existing, description, threads, progress)
    }

    /// Changes what people are told of the layer.
    ///
    /// # Errors
    /// [`Error::Io`] if the store cannot be written.
    pub fn describe(&self, description: Description) -> Result<()> {
        let change = Change { description: Some(description), same_points: true, ..Change::default() };
        self.commit(change, &[])
    }

    /// Makes one segment of all, which makes reading faster and frees the room of what was removed.
    ///
    /// # Errors
    /// [`Error::Io`] if the store cannot be written, [`Error::Cancelled`] if `progress` was told to stop or another process
    /// changed the layer meanwhile.
    pub fn compact(&self, threads: usize, progress: &Progress) -> Result<()> {
        let snapshot = self.snapshot();
        if snapshot.segments.len() < 2 {
            return Ok(());
        }
        self.replace(&snapshot, &snapshot.segments, None, threads, Some(progress)).map(drop)
    }

    /// Merges segments of about the same size once there are many, so that their number grows with the logarithm of the
    /// points only, where the merged ones hold as many points as `rows` says. Answers whether there was anything to do.
    ///
    /// # Errors
    /// [`Error::Io`] if the store cannot be written, [`Error::Cancelled`] if `progress` was told to stop.
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
            // Somebody else was faster.
            Err(Error::Cancelled) if !progress.is_stopped() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the points of before an instant, in microseconds since 1970-01-01 UTC, and answers how many there were.
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

    /// Makes one segment of some of a snapshot's, and answers how many points it holds.
    pub(super) fn replace(
        &self,
        snapshot: &Snapshot,
        segments: &[Arc<Segment>],
        expire_before_us: Option<i64>,
        threads: usize,
        progress: Option<&Progress>,
    ) -> Result<u64> {
        // What is merged gets a new checksum, so that whatever is wrong by then would never be found out.
        segments.iter().try_for_each(|segment| self.leave_out(segment, segment.points.verify(segment.entry.points)))?;
        let staging = self.staging_dir()?;
        let requests = segments.iter().flat_map(|segment| segment.requests.values().cloned());
        let requests = Request::still_kept(requests, now_s());
        let removed = segments.iter().map(|segment| segment.entry.id).collect();
        let removed_of = Some(snapshot.manifest.id.clone());
        let segments: Vec<&Segment> = segments.iter().map(|segment| &**segment).collect();
        let how = Merging { expire_before_us, requests: &requests, threads, progress };
        let entry = merge(&segments, staging.path(), StagingDir::RESULT, how)?;
        let rows = entry.rows;
        let added = if rows > 0 { vec![entry] } else { Vec::new() };
        let same_points = expire_before_us.is_none();
        self.commit(Change { added, removed, removed_of, same_points, ..Change::default() }, &[staging])?;
        Ok(rows)
    }

    /// Looks through all files, and leaves out those that are not as they were written. Answers what is wrong.
    pub fn verify(&self) -> Vec<Damage> {
        for segment in &self.snapshot().segments {
            // What is wrong is told by what is left out from then on.
            let _ = self.leave_out(segment, segment.verify());
        }
        self.snapshot().damaged().to_vec()
    }

    /// Leaves out a segment from now on whose files were looked through and are not as they were written.
    fn leave_out(&self, segment: &Arc<Segment>, verified: Result<()>) -> Result<()> {
        verified.inspect_err(|error| {
            tracing::error!(layer = self.name, points = segment.entry.rows, "{error}");
            let damage = Damage { segment: segment.entry.id, points: segment.entry.rows, reason: error.to_string() };
            let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            // It may have been merged into another one meanwhile.
            if current.snapshot.segments.iter().any(|there| Arc::ptr_eq(there, segment)) {
                current.snapshot = Arc::new(current.snapshot.without(damage));
            }
        })
    }
}

/// The layer in a folder as it is now, read again where it changes while it is read; `None` if there is none.
fn read(folder: &Path, before: Option<&Snapshot>) -> Result<Option<(Snapshot, Stamp)>> {
    let mut is_newest = false;
    let mut last: Option<Manifest> = None;
    loop {
        // Before the manifest, so that a change in between is seen when somebody looks again.
        let stamp = match Stamp::of(folder) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            stamp => stamp?,
        };
        let Some(manifest) = Manifest::read(folder)? else { return Ok(None) };
        is_newest |= last.as_ref() == Some(&manifest);
        match Snapshot::open(folder, manifest.clone(), before, is_newest) {
            // A file of it is gone: unless it is damaged, the manifest is an older one by now.
            Err(Error::Io { .. }) if !is_newest => last = Some(manifest),
            snapshot => return snapshot.map(|snapshot| Some((snapshot, stamp))),
        }
    }
}

/// The lock of a layer, which one holds while its manifest is swapped.
pub(super) fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(".lock");
    lock_file(&path).map_err(|error| Error::io(&path, "lock", error))
}

/// Gives the files of a finished segment their place and name.
fn place(from: &Path, to: &Path, name: &str, entry: &SegmentEntry) -> Result<()> {
    let moved = |from: PathBuf, to: PathBuf| fs::rename(&from, &to).map_err(|error| Error::io(&to, "write", error));
    moved(segment::points_path(from, StagingDir::RESULT), segment::points_path(to, name))?;
    if entry.bins.is_some() {
        moved(segment::bins_path(from, StagingDir::RESULT), segment::bins_path(to, name))?;
    }
    Ok(())
}

/// Makes a layer in a staging folder, lets `fill` bring points into it, and gives it its place in the store: so it is there as
/// a whole, or not at all.
pub(super) fn create<T>(
    store: &Path,
    name: &str,
    description: Description,
    fill: impl FnOnce(&StoredLayer) -> Result<T>,
) -> Result<T> {
    let place = store.join(name);
    let taken = || Error::invalid("layer", format!("there is a layer `{name}` already"));
    if place.join(manifest::FILE).exists() {
        return Err(taken());
    }
    let refused = |error: io::Error| match error.kind() {
        _ if place.join(manifest::FILE).exists() => taken(),
        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
            Error::input(&place, "there is something else than a layer already; remove it, or choose another name")
        }
        _ => Error::io(&place, "create", error),
    };
    let staging = StagingDir::new(store)?;
    let folder = staging.path().join(name);
    fs::create_dir(&folder).map_err(refused)?;
    Manifest::new(description, now_s()).write(&folder)?;
    let layer = StoredLayer::open(staging.path(), name)?;
    let filled = fill(&layer.ok_or_else(|| Error::input(&folder, "it was removed meanwhile"))?)?;
    fs::rename(&folder, &place).map_err(refused)?;
    sync_folder(store).map_err(refused)?;
    Ok(filled)
}

/// Removes a layer, at once for whoever opens it later; what is open stays readable.
pub(super) fn remove(store: &Path, name: &str) -> Result<()> {
    let folder = store.join(name);
    let refused = |error| Error::io(&folder, "remove", error);
    let _lock = lock(&folder)?;
    let staging = StagingDir::new(store)?;
    fs::rename(&folder, staging.path().join(name)).map_err(refused)?;
    sync_folder(store).map_err(refused)
}
