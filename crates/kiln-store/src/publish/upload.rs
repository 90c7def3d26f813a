//! The files of a layer, and their upload.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::Current;
use crate::Store;
use crate::bucket::{Bucket, ObjectEntry};
use crate::copy_progress::CopyProgress;
use crate::grace::RemovedSegments;
use crate::manifest::Manifest;
use crate::published::{ContentDigest, LayerObject, Published, SideFile, segment_objects};
use crate::segment;
use crate::sync::Mutex;
use kiln_core::error::{Error, Result};

/// A layer of a store that is published.
pub(super) struct LocalLayer {
    pub(super) name: String,
    pub(super) manifest: Manifest,
    pub(super) published: Published,
    files: Vec<(LayerObject, Content)>,
}

/// The content of an object.
enum Content {
    /// A file of a segment, which never changes.
    Segment(PathBuf),
    /// The bytes of a file next to the manifest, which may be replaced at any time.
    Bytes(Vec<u8>),
}

impl LocalLayer {
    /// Reads the manifest of the layer `name`, and the files next to it; `None` if there is no such layer.
    pub(super) fn read(store: &Store, name: &str) -> Result<Option<Self>> {
        let folder = store.folder().join(name);
        let Some(mut manifest) = Manifest::read(&folder)? else { return Ok(None) };
        // Damaged rooms are not published.
        store.rooms(name)?;
        manifest.removed = RemovedSegments::default();
        manifest.published = None;
        let mut published = Published::default();
        let mut files = Vec::new();
        for side_file in SideFile::ALL {
            let Some(mut file) = side_file.file().open(store, name)? else { continue };
            let mut bytes = Vec::new();
            let read = file.read_to_end(&mut bytes);
            read.map_err(|error| Error::io(folder.join(side_file.file().name), "read", error))?;
            let digest = ContentDigest::of(&bytes);
            match side_file {
                SideFile::Rooms => published.rooms = Some(digest),
                SideFile::FloorPlan => published.floor_plan = Some(digest),
            }
            files.push((side_file.object(&manifest.id, digest), Content::Bytes(bytes)));
        }
        for entry in &manifest.segments {
            let base = Manifest::segment_name(entry.id);
            let paths = [segment::points_path(&folder, &base), segment::bins_path(&folder, &base)];
            let objects = segment_objects(&manifest.id, entry).into_iter().zip(paths);
            files.extend(objects.filter_map(|(object, path)| Some((object?, Content::Segment(path)))));
        }
        Ok(Some(Self { name: name.to_owned(), manifest, published, files }))
    }

    /// Whether the bucket has this version, with the same segments and files.
    pub(super) fn is_same(&self, current: &Current) -> bool {
        let (own, theirs) = (&self.published, &current.published);
        !theirs.is_removed
            && self.manifest == current.manifest
            && SideFile::ALL.iter().all(|file| own.side_file(*file) == theirs.side_file(*file))
    }

    /// Uploads the files that are not `listed` in the bucket. Returns their number and size; `None` if one was removed by a
    /// commit in the meantime.
    pub(super) fn upload(
        &self,
        bucket: &dyn Bucket,
        listed: &[ObjectEntry],
        threads: usize,
        progress: &CopyProgress,
    ) -> Result<Option<(u64, u64)>> {
        let existing: HashMap<&str, u64> = listed.iter().map(|entry| (entry.key.as_str(), entry.bytes)).collect();
        let missing = |(object, _): &&(LayerObject, Content)| {
            existing.get(format!("{}/{}", self.name, object.key).as_str()) != Some(&object.digest.bytes)
        };
        let missing: Vec<_> = self.files.iter().filter(missing).collect();
        let bytes = missing.iter().fold(0, |sum: u64, (object, _)| sum.saturating_add(object.digest.bytes));
        progress.expect(missing.len() as u64, bytes);
        let (next, has_lost_file, failed) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, missing.len().max(1)) {
                scope.spawn(|| {
                    while let Some((object, content)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.upload_one(bucket, object, content, progress) {
                            Ok(true) => progress.done(),
                            Ok(false) => has_lost_file.store(true, Ordering::Relaxed),
                            Err(error) => {
                                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            }
                        }
                        let is_failed = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                        if is_failed || has_lost_file.load(Ordering::Relaxed) {
                            return;
                        }
                    }
                });
            }
        });
        if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        Ok((!has_lost_file.into_inner()).then_some((missing.len() as u64, bytes)))
    }

    /// Uploads a file; `false` if it was removed.
    fn upload_one(
        &self,
        bucket: &dyn Bucket,
        object: &LayerObject,
        content: &Content,
        progress: &CopyProgress,
    ) -> Result<bool> {
        progress.check()?;
        let key = format!("{}/{}", self.name, object.key);
        match content {
            Content::Bytes(bytes) => {
                bucket.put(&key, bytes)?;
                progress.advance(bytes.len() as u64);
            }
            Content::Segment(path) => {
                let is_removed = |error: &Error| matches!(error, Error::Io { path: of, source, .. } if source.kind() == ErrorKind::NotFound && of == path);
                let sent = AtomicU64::new(0);
                let count = |bytes: u64| {
                    sent.fetch_add(bytes, Ordering::Relaxed);
                    progress.advance(bytes);
                };
                match verify(path, object.digest).and_then(|()| bucket.upload(&key, path, &count)) {
                    Err(error) if is_removed(&error) => return Ok(false),
                    result => result?,
                }
                // Some clients report only a part of what they send, or repeat some of it.
                progress.advance(object.digest.bytes.saturating_sub(sent.into_inner()));
            }
        }
        Ok(true)
    }
}

/// Checks the size and the checksum of a file before it is published.
fn verify(path: &Path, digest: ContentDigest) -> Result<()> {
    if ContentDigest::of_file(path)? != digest {
        return Err(Error::damaged(path, "the checksum does not match"));
    }
    Ok(())
}
