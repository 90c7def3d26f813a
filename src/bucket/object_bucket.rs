//! Buckets of S3, Google Cloud Storage and Azure.

use std::collections::HashMap;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use kiln_objects::{ObjectError, ObjectErrorKind, ObjectUrl, Objects, Revision, Settings};

use crate::error::{Error, Result};
use crate::store::{Bucket, Fetched, MAX_FETCH_BYTES, ObjectEntry};

/// A folder of a bucket.
#[derive(Debug)]
pub(super) struct ObjectBucket {
    objects: Objects,
    /// The key of the folder, without a slash at its end; empty for the whole bucket.
    folder: String,
    url: String,
    /// The last revision of each object that was read, by key. A revision has more than its entity tag.
    revisions: Mutex<HashMap<String, Revision>>,
}

impl ObjectBucket {
    /// The time without a response, or without a part of one, after which a request fails. A check of all layers waits for it.
    const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);
    /// The variables that set another one.
    const TIMEOUT_VARIABLES: [&str; 3] = ["AWS_TIMEOUT", "GOOGLE_TIMEOUT", "AZURE_TIMEOUT"];

    pub(super) fn open(url: &ObjectUrl) -> Result<Self> {
        let settings = Settings::of_process();
        let is_set = Self::TIMEOUT_VARIABLES.iter().any(|name| settings.environment.get(name).is_some());
        let response_timeout = (!is_set).then_some(Self::RESPONSE_TIMEOUT);
        let objects =
            Objects::open(url, &Settings { response_timeout, ..settings }).map_err(ObjectError::into_error)?;
        let folder = url.key().trim_end_matches('/').to_owned();
        let url = url.with_key(folder.clone()).to_string().trim_end_matches('/').to_owned();
        Ok(Self { objects, folder, url, revisions: Mutex::default() })
    }

    /// The key in the bucket.
    fn key(&self, key: &str) -> String {
        if self.folder.is_empty() { key.to_owned() } else { format!("{}/{key}", self.folder) }
    }

    /// The key in the folder.
    fn without_folder<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.folder.is_empty() { Some(key) } else { key.strip_prefix(&self.folder)?.strip_prefix('/') }
    }

    fn revisions(&self) -> MutexGuard<'_, HashMap<String, Revision>> {
        self.revisions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The revision of an object whose entity tag is `tag`.
    fn revision(&self, key: &str, tag: &str) -> Option<Revision> {
        self.revisions().get(key).filter(|revision| tag_of(revision) == tag).cloned()
    }
}

fn tag_of(revision: &Revision) -> String {
    revision.etag().map_or_else(|| format!("{revision:?}"), str::to_owned)
}

/// Converts an error: of the kinds of a [`Bucket`].
fn to_error(error: ObjectError, action: &'static str) -> Error {
    use ObjectErrorKind::{Denied, Invalid, NoBucket};
    match error.kind() {
        ObjectErrorKind::Cancelled => Error::Cancelled,
        NoBucket | Denied | Invalid => error.into_error(),
        _ => Error::io(Path::new(error.url()), action, error.clone().into_io()),
    }
}

impl Bucket for ObjectBucket {
    fn url(&self) -> &str {
        &self.url
    }

    fn fetch(&self, key: &str, known: Option<&str>) -> Result<Fetched> {
        let known = known.and_then(|tag| self.revision(key, tag));
        match self.objects.get(&self.key(key), known.as_ref(), MAX_FETCH_BYTES) {
            Ok(None) => Ok(Fetched::Unchanged),
            Ok(Some((bytes, revision))) => {
                let tag = tag_of(&revision);
                self.revisions().insert(key.to_owned(), revision);
                Ok(Fetched::Content { bytes: bytes.into(), tag })
            }
            Err(error) if error.kind() == ObjectErrorKind::NotFound => Ok(Fetched::Missing),
            Err(error) => Err(to_error(error, "read")),
        }
    }

    fn open(&self, key: &str) -> Result<Option<Box<dyn Read + Send>>> {
        match self.objects.reader(&self.key(key)) {
            Ok(reader) => Ok(Some(Box::new(reader))),
            Err(error) if error.kind() == ObjectErrorKind::NotFound => Ok(None),
            Err(error) => Err(to_error(error, "read")),
        }
    }

    fn upload(&self, key: &str, file: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        match self.objects.upload(&self.key(key), file, sent) {
            Ok(_) => Ok(()),
            Err(_) if !file.exists() => Err(Error::io(file, "read", ErrorKind::NotFound.into())),
            Err(error) => Err(to_error(error, "write")),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.objects.put_any(&self.key(key), bytes.to_vec()).map(drop).map_err(|error| to_error(error, "write"))
    }

    fn swap(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Result<bool> {
        let revision = match expected {
            None => None,
            // Another writer's object was read since.
            Some(tag) => match self.revision(key, tag) {
                None => return Ok(false),
                known => known,
            },
        };
        match self.objects.put_if(&self.key(key), bytes.to_vec(), revision.as_ref()) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ObjectErrorKind::Conflict => Ok(false),
            Err(error) => Err(to_error(error, "write")),
        }
    }

    fn folders(&self) -> Result<Vec<String>> {
        let listing = self.objects.list_folder(&self.folder).map_err(|error| to_error(error, "list"))?;
        Ok(listing.folders.iter().filter_map(|folder| self.without_folder(folder)).map(str::to_owned).collect())
    }

    fn list(&self, folder: &str) -> Result<Vec<ObjectEntry>> {
        let listed = self.objects.list(&self.key(&format!("{folder}/"))).map_err(|error| to_error(error, "list"))?;
        let entry = |object: kiln_objects::ListedObject| {
            let since = object.info.modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let (bytes, modified_s) = (object.info.size.unwrap_or(0), since.map(|since| since.as_secs()));
            Some(ObjectEntry { key: self.without_folder(&object.key)?.to_owned(), bytes, modified_s })
        };
        Ok(listed.into_iter().filter_map(entry).collect())
    }

    fn delete(&self, key: &str) -> Result<()> {
        self.objects.delete(&self.key(key)).map_err(|error| to_error(error, "remove"))
    }
}
