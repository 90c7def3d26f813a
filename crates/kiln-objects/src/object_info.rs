//! The size and revision of an object.

use std::time::{Duration, SystemTime};

use object_store::{ObjectMeta, PutResult, UpdateVersion};

/// The revision of the content of an object: its entity tag, the generation that Google Cloud Storage counts, or the time of
/// change that a web server states.
///
/// Revisions are equal if their entity tags are: not every response of a server has the other parts.
#[derive(Clone, Debug, Default)]
pub struct Revision {
    pub(crate) etag: Option<String>,
    pub(crate) version: Option<String>,
    /// The header `Last-Modified` of a web server.
    pub(crate) last_modified: Option<String>,
}

impl PartialEq for Revision {
    fn eq(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(one), Some(other)) => one == other,
            _ => self.version == other.version && self.last_modified == other.last_modified,
        }
    }
}

impl Eq for Revision {}

impl Revision {
    /// The entity tag, with its quotation marks.
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// The entity tag for comparisons by `If-Match`, which a weak tag never passes.
    pub(crate) fn strong_etag(&self) -> Option<&str> {
        self.etag().filter(|etag| !etag.starts_with("W/"))
    }

    pub(crate) fn to_update(&self) -> UpdateVersion {
        UpdateVersion { e_tag: self.etag.clone(), version: self.version.clone() }
    }
}

impl From<PutResult> for Revision {
    fn from(result: PutResult) -> Self {
        Self { etag: result.e_tag, version: result.version, last_modified: None }
    }
}

/// The size and revision of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// The size in bytes; `None` if a web server does not state it.
    pub size: Option<u64>,
    /// The revision of the content.
    pub revision: Revision,
    /// The time of the last change; `None` if a web server does not state it.
    pub modified: Option<SystemTime>,
    /// Whether the server sends ranges of the object.
    pub has_ranges: bool,
}

impl ObjectInfo {
    /// Whether two states of an object are the same, as far as the server states it.
    pub fn is_same(&self, other: &Self) -> bool {
        self.revision == other.revision && (self.size == other.size || self.size.is_none() || other.size.is_none())
    }

    /// Whether the server states an entity tag or a time of change, by which a change is found.
    pub fn has_revision(&self) -> bool {
        self.revision.etag.is_some() || self.revision.last_modified.is_some()
    }
}

impl From<&ObjectMeta> for ObjectInfo {
    fn from(meta: &ObjectMeta) -> Self {
        let revision = Revision { etag: meta.e_tag.clone(), version: meta.version.clone(), last_modified: None };
        Self { size: Some(meta.size), revision, modified: system_time(meta), has_ranges: true }
    }
}

fn system_time(meta: &ObjectMeta) -> Option<SystemTime> {
    let seconds = u64::try_from(meta.last_modified.timestamp()).ok().filter(|seconds| *seconds > 0)?;
    let nanos = meta.last_modified.timestamp_subsec_nanos();
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}
