//! Publication of layers in a bucket: the files of new segments first, and then the manifest, by compare-and-swap.
//!
//! A publication that is killed or fails leaves the bucket with the previous version. The objects of earlier versions stay for
//! a grace time, for mirrors that are copying them, and are removed by a later publication; so are objects that a killed one
//! has left.

mod upload;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Store;
use super::bucket::{Bucket, Fetched, ObjectEntry};
use super::clock::now_s;
use super::copy_progress::CopyProgress;
use super::disk::FileIdentity;
use super::grace::{Grace, RemovedSegments};
use super::manifest::{self, Manifest};
use super::published::{Published, SideFile};
use kiln_core::error::{Error, Result};
use kiln_core::layer_name;
use kiln_core::message;
use kiln_core::parameter::Parameter;
use upload::LocalLayer;

/// The options of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// The time for which objects of earlier versions stay, at most a week. Default: an hour.
    pub grace: Duration,
    /// Whether a newer version, another layer of the same name or a damaged manifest is replaced. Default: false.
    pub force: bool,
    /// The number of uploads at once. Default: 4.
    pub uploads: usize,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self { grace: Duration::from_secs(Grace::SHARED_S), force: false, uploads: 4 }
    }
}

/// The result of a publication.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishReport {
    /// The version of the layer in the bucket.
    pub version: String,
    /// Whether the manifest was replaced: false if the bucket had this version already.
    pub is_new: bool,
    /// The number of files of the layer.
    pub files: u64,
    /// The number of files that were uploaded; the bucket had the others.
    pub uploaded: u64,
    /// The size of the files that were uploaded, in bytes.
    pub bytes: u64,
    /// The number of objects of earlier versions that were removed.
    pub removed: u64,
}

/// The key of the manifest of a layer.
pub(super) fn manifest_key(layer: &str) -> String {
    format!("{layer}/{}", manifest::FILE)
}

/// The manifest in a bucket.
struct Current {
    manifest: Manifest,
    published: Published,
}

impl Current {
    /// Reads the manifest of a layer. A manifest that cannot be read is `None` if `force` is set.
    fn read(bucket: &dyn Bucket, layer: &str, force: bool) -> Result<(Option<Self>, Option<String>)> {
        let key = manifest_key(layer);
        let (bytes, tag) = match bucket.fetch(&key, None)? {
            Fetched::Content { bytes, tag } => (bytes, tag),
            Fetched::Missing | Fetched::Unchanged => return Ok((None, None)),
        };
        match parse_published(bucket, layer, &bytes) {
            Ok((manifest, published)) => Ok((Some(Self { manifest, published }), Some(tag))),
            Err(_) if force => Ok((None, Some(tag))),
            Err(Error::Input { input, message }) => {
                Err(Error::input(input, message!(message, "; ", Parameter::new("force"), " replaces it")))
            }
            Err(error) => Err(error),
        }
    }

    /// The keys of the objects of the current version.
    fn keys(&self) -> BTreeSet<String> {
        self.manifest.objects(&self.published).into_iter().map(|object| object.key).collect()
    }
}

/// The path of an object in messages.
pub(super) fn object_path(bucket: &dyn Bucket, key: &str) -> PathBuf {
    Path::new(&format!("{}/{key}", bucket.url())).to_owned()
}

/// Parses the manifest of a layer in a bucket.
///
/// # Errors
/// [`Error::Input`] if it is damaged, was not published, or another version of Kiln wrote it.
pub(super) fn parse_published(bucket: &dyn Bucket, layer: &str, bytes: &[u8]) -> Result<(Manifest, Published)> {
    let path = object_path(bucket, &manifest_key(layer));
    let invalid = |reason: &str| Error::input(&path, reason.to_owned());
    let text = std::str::from_utf8(bytes).map_err(|_| invalid("it is damaged: it is not valid UTF-8"))?;
    let mut manifest = match Manifest::parse(text, &path, layer) {
        Err(Error::DamagedManifest { reason, .. }) => return Err(invalid(&format!("it is damaged: {reason}"))),
        manifest => manifest?,
    };
    let published = manifest.published.take().ok_or_else(|| {
        invalid("it is the manifest of a store, not a published one; publish the layer by `kiln publish`")
    })?;
    // They are parts of paths, also in the folder of a mirror.
    let mut keys = published.removed.iter().flat_map(|removed| &removed.keys);
    if !is_name(&manifest.id) || !keys.all(|key| key.split('/').all(is_name)) {
        return Err(invalid("it is damaged: a key is invalid"));
    }
    Ok((manifest, published))
}

/// Whether a text can be a part of a key: it has letters, digits and some punctuation marks, and does not begin with a dot.
fn is_name(text: &str) -> bool {
    let is_valid = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    (1..=128).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_valid)
}

impl Store {
    /// A number that changes with the version of the layer `name`, its rooms and its floor plan, and not with merges of segments;
    /// `None` if there is no such layer.
    ///
    /// # Errors
    /// As for [`layer`](Self::layer).
    pub fn state_of(&self, name: &str) -> Result<Option<u64>> {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let Some(layer) = self.layer(name)? else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        layer.refresh()?.manifest.version_text().hash(&mut hasher);
        for file in SideFile::ALL {
            let identity = FileIdentity::at(&layer.folder().join(file.file().name)).ok();
            format!("{identity:?}").hash(&mut hasher);
        }
        Ok(Some(hasher.finish()))
    }

    /// Publishes the layer `name` in a bucket. If the bucket has this version, only missing files are uploaded.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such layer; [`Error::Input`] if the bucket has a newer version or another layer of the
    /// name and `options.force` is not set, or if another process publishes the layer at the same time; [`Error::Damaged`] if
    /// a file of the layer is damaged; [`Error::Cancelled`] if `progress` was stopped; those of the bucket. The bucket has the
    /// previous version then.
    pub fn publish(
        &self,
        name: &str,
        bucket: &dyn Bucket,
        options: &PublishOptions,
        progress: &CopyProgress,
    ) -> Result<PublishReport> {
        /// Each attempt after the first one follows a commit of another process, which removed a file.
        const MAX_TRIES: usize = 10;
        layer_name::check(name)?;
        for _ in 0..MAX_TRIES {
            let Some(layer) = LocalLayer::read(self, name)? else {
                return Err(Error::invalid(Parameter::LAYER, format!("there is no layer `{name}`")));
            };
            if let Some(report) = publish(&layer, bucket, options, progress)? {
                return Ok(report);
            }
        }
        Err(Error::input(self.folder().join(name), "the layer changes faster than it can be published; try again"))
    }
}

/// Publishes a layer; `None` if one of its files was removed in the meantime.
fn publish(
    layer: &LocalLayer,
    bucket: &dyn Bucket,
    options: &PublishOptions,
    progress: &CopyProgress,
) -> Result<Option<PublishReport>> {
    let (current, tag) = Current::read(bucket, &layer.name, options.force)?;
    if let Some(current) = &current {
        check_order(layer, current, bucket, options.force)?;
    }
    let listed = bucket.list(&layer.name)?;
    let mut published = layer.published.clone();
    published.revision = current.as_ref().map_or(0, |current| revision(layer, current));
    let Some((uploaded, bytes)) = layer.upload(bucket, &listed, options.uploads, progress)? else { return Ok(None) };

    let needed: BTreeSet<String> = layer.manifest.objects(&published).into_iter().map(|object| object.key).collect();
    let mut removed = 0;
    if let Some(current) = &current {
        published.removed.clone_from(&current.published.removed);
        let obsolete: BTreeSet<String> = current.keys().difference(&needed).cloned().collect();
        let passed = published.take_passed(now_s());
        published.keep_removed(obsolete, until_s(options.grace), &needed);
        removed = remove_objects(bucket, &layer.name, passed, &listed, &published, &needed)?;
    }

    let is_same = current
        .as_ref()
        .is_some_and(|current| layer.is_same(current) && current.published.removed == published.removed);
    let version = version_of(&layer.manifest, &published);
    if !is_same {
        progress.check()?;
        swap(bucket, &layer.name, &layer.manifest, published, tag.as_deref())?;
    }
    let files = needed.len() as u64;
    let is_new = !current.as_ref().is_some_and(|current| layer.is_same(current));
    Ok(Some(PublishReport { version, is_new, files, uploaded, bytes, removed }))
}

/// Removes the objects of earlier versions whose grace time has passed, and those that killed publications have left.
/// Returns their number.
fn remove_objects(
    bucket: &dyn Bucket,
    layer: &str,
    passed: BTreeSet<String>,
    listed: &[ObjectEntry],
    published: &Published,
    needed: &BTreeSet<String>,
) -> Result<u64> {
    let is_kept = |key: &String| published.removed.iter().any(|removed| removed.keys.contains(key));
    let unused =
        passed.into_iter().chain(abandoned(layer, listed)).filter(|key| !needed.contains(key) && !is_kept(key));
    let unused: BTreeSet<String> = unused.collect();
    unused.iter().try_for_each(|key| bucket.delete(&format!("{layer}/{key}")))?;
    Ok(unused.len() as u64)
}

/// The version that mirrors serve.
fn version_of(manifest: &Manifest, published: &Published) -> String {
    Manifest { published: Some(published.clone()), ..manifest.clone() }.version_text()
}

/// The time until which objects stay that are removed now.
fn until_s(grace: Duration) -> u64 {
    Grace::of(Some(grace)).until_s(Path::new("")).unwrap_or_else(now_s)
}

/// The revision of a version that is published after `current`: the segments of a version and a revision never change.
fn revision(layer: &LocalLayer, current: &Current) -> u64 {
    let (own, theirs) = (&layer.manifest, &current.manifest);
    if own.id != theirs.id || own.version > theirs.version {
        return 0;
    }
    let is_same = own.version == theirs.version && (own.segments == theirs.segments || current.published.is_removed);
    current.published.revision + u64::from(!is_same)
}

/// Checks that a publication does not replace a newer version or another layer.
fn check_order(layer: &LocalLayer, current: &Current, bucket: &dyn Bucket, force: bool) -> Result<()> {
    let (own, theirs) = (&layer.manifest, &current.manifest);
    if force || current.published.is_removed {
        return Ok(());
    }
    let reason = if own.id != theirs.id {
        "the bucket has another layer of this name, which was created separately; publish the layer under another name, or ".to_owned()
    } else if own.version < theirs.version {
        format!(
            "the bucket has version {} of the layer, and the store has the older version {}; publish from the store with the \
             newer version, or ",
            theirs.version, own.version
        )
    } else {
        return Ok(());
    };
    let path = object_path(bucket, &manifest_key(&layer.name));
    Err(Error::input(path, message!(reason, Parameter::new("force"), " replaces it")))
}

/// The objects of a layer that killed publications have left: no manifest names them, and they are old.
fn abandoned(layer: &str, listed: &[ObjectEntry]) -> Vec<String> {
    /// The age from which an object is abandoned: longer than an upload takes, and than clocks differ.
    const MIN_AGE_S: u64 = 24 * 3600;
    let now_s = now_s();
    let is_old = |entry: &&ObjectEntry| entry.modified_s.is_some_and(|time_s| time_s.saturating_add(MIN_AGE_S) < now_s);
    let keys = listed.iter().filter(is_old).filter_map(|entry| entry.key.strip_prefix(layer)?.strip_prefix('/'));
    keys.filter(|key| *key != manifest::FILE).map(str::to_owned).collect()
}

/// Replaces the manifest of a layer in a bucket.
fn swap(bucket: &dyn Bucket, layer: &str, manifest: &Manifest, published: Published, tag: Option<&str>) -> Result<()> {
    let key = manifest_key(layer);
    let path = || object_path(bucket, &key);
    let published = Published { at_s: now_s(), ..published };
    let manifest = Manifest { published: Some(published), removed: RemovedSegments::default(), ..manifest.clone() };
    let text = manifest.to_text().map_err(|error| Error::io(path(), "write", error))?;
    let swapped = bucket.swap(&key, text.as_bytes(), tag);
    if matches!(swapped, Ok(true)) {
        return Ok(());
    }
    // A request that is repeated after a lost response finds its own manifest.
    if let Ok(Fetched::Content { bytes, .. }) = bucket.fetch(&key, None)
        && bytes == text.as_bytes()
    {
        return Ok(());
    }
    match swapped {
        Err(error) => Err(error),
        Ok(_) => Err(Error::input(
            path(),
            "another process published the layer at the same time; its version stays; try again",
        )),
    }
}

/// Removes a layer from a bucket: its manifest says so from then on, and its objects stay for the grace time. Returns whether
/// the bucket had the layer.
///
/// # Errors
/// [`Error::Invalid`] if the name is invalid; [`Error::Input`] if another process publishes the layer at the same time, or if
/// the manifest cannot be read and `options.force` is not set; those of the bucket.
pub fn unpublish(name: &str, bucket: &dyn Bucket, options: &PublishOptions) -> Result<bool> {
    layer_name::check(name)?;
    let (current, tag) = Current::read(bucket, name, options.force)?;
    let Some(current) = current else { return Ok(false) };
    let is_published = !current.published.is_removed;
    let mut published = Published { is_removed: true, rooms: None, floor_plan: None, ..current.published.clone() };
    let passed = published.take_passed(now_s());
    published.keep_removed(current.keys(), until_s(options.grace), &BTreeSet::new());
    remove_objects(bucket, name, passed, &bucket.list(name)?, &published, &BTreeSet::new())?;
    if is_published || published != current.published {
        let mut manifest = current.manifest;
        manifest.segments.clear();
        manifest.set_level(None);
        swap(bucket, name, &manifest, published, tag.as_deref())?;
    }
    Ok(is_published)
}

/// The names of the layers that are published in a bucket, sorted.
///
/// # Errors
/// Those of the bucket.
pub fn published_layers(bucket: &dyn Bucket) -> Result<Vec<String>> {
    let mut names = bucket.folders()?;
    names.retain(|name| layer_name::is_valid(name));
    names.sort_unstable();
    Ok(names)
}
