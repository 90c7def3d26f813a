//! The client of one bucket or web server.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::time::Instant;

use crate::classify::{Access, INVALID_KEY, changed, classify};
use crate::environment::{Credentials, azure, gs, s3};
use crate::error::{ObjectError, ObjectErrorKind, Result};
use crate::object_info::{ObjectInfo, Revision};
use crate::reader::ObjectReader;
use crate::runtime::{Ended, wait};
use crate::settings::Settings;
use crate::store::Bucket;
use crate::transport::{Transport, next_part};
use crate::url::{ObjectUrl, Scheme};
use crate::web::Web;

/// The client of one bucket, or of one address of a web server. Clones share their connections.
///
/// Keys of objects are relative to the bucket. A client of a web address reads this address only, whatever the key.
#[derive(Clone, Debug)]
pub struct Objects {
    url: ObjectUrl,
    backend: Backend,
    credentials: Credentials,
    settings: Arc<Settings>,
    /// The number of keys that the last list left out.
    pub(crate) unsupported: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
enum Backend {
    Bucket(Bucket),
    Web(Arc<Web>),
}

/// The error of an object that is larger than one that is read as a whole.
pub(crate) fn too_large(at: &ObjectUrl, max_bytes: u64) -> ObjectError {
    ObjectError::new(at, ObjectErrorKind::Other, format!("it has more than {max_bytes} bytes"))
}

impl Objects {
    /// The number of ranges that are read at once.
    const CONCURRENT: usize = 8;

    /// A client for the bucket or the web address of `url`.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Invalid`] if the environment or the address is invalid.
    pub fn open(url: &ObjectUrl, settings: &Settings) -> Result<Self> {
        let invalid = |message: String| ObjectError::new(url, ObjectErrorKind::Invalid, message);
        // Credentials may be refreshed by tasks of the client.
        let _entered = crate::runtime::runtime().map_err(invalid)?.enter();
        let response_timeout = settings.response_timeout(url.scheme());
        let transport = || Transport::for_buckets(settings.connect_timeout, response_timeout);
        let bucket = |opened: Result<(Bucket, Credentials), String>| {
            let (bucket, credentials) = opened.map_err(invalid)?;
            Ok((Backend::Bucket(bucket), credentials))
        };
        let (backend, credentials) = match url.scheme() {
            Scheme::S3 => bucket(s3(url, settings, &transport()))?,
            Scheme::Gs => bucket(gs(url, settings, &transport()))?,
            Scheme::Azure => bucket(azure(url, settings, &transport()))?,
            Scheme::Web => {
                let web = Web::new(url, settings)?;
                (Backend::Web(Arc::new(web)), Credentials::Anonymous("credentials in the URL"))
            }
        };
        Ok(Self {
            url: url.clone(),
            backend,
            credentials,
            settings: Arc::new(settings.clone()),
            unsupported: Arc::default(),
        })
    }

    /// A client with the [settings of the process](Settings::of_process), which is kept for other objects of the bucket.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn shared(url: &ObjectUrl) -> Result<Self> {
        type Key = (Scheme, String, Option<String>);
        static CLIENTS: Mutex<Option<HashMap<Key, Objects>>> = Mutex::new(None);
        if url.scheme() == Scheme::Web {
            return Self::open(url, &Settings::of_process());
        }
        let key = (url.scheme(), url.bucket().to_owned(), url.account().map(str::to_owned));
        let lock = || CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get_or_insert_default().get(&key).cloned();
        if let Some(client) = known {
            return Ok(Self { url: url.clone(), ..client });
        }
        let client = Self::open(url, &Settings::of_process())?;
        lock().get_or_insert_default().insert(key, client.clone());
        Ok(client)
    }

    /// The URL that the client was opened with.
    pub fn url(&self) -> &ObjectUrl {
        &self.url
    }

    /// The URL of the object `key`.
    fn at(&self, key: &str) -> ObjectUrl {
        if self.url.scheme() == Scheme::Web { self.url.clone() } else { self.url.with_key(key) }
    }

    pub(crate) fn bucket(&self) -> Result<&Bucket> {
        match &self.backend {
            Backend::Bucket(bucket) => Ok(bucket),
            Backend::Web(_) => {
                let message = "a web server has no listings and takes no writes; expected s3://, gs:// or az://";
                Err(ObjectError::new(&self.url, ObjectErrorKind::Invalid, message))
            }
        }
    }

    pub(crate) fn path(at: &ObjectUrl) -> Result<Path> {
        match Path::parse(at.key()) {
            Ok(path) if !at.key().is_empty() && !at.key().ends_with('/') => Ok(path),
            Ok(_) => {
                let message = "the URL is that of a folder; expected that of an object";
                Err(ObjectError::new(at, ObjectErrorKind::Invalid, message))
            }
            Err(_) => Err(ObjectError::new(at, ObjectErrorKind::Invalid, INVALID_KEY)),
        }
    }

    /// Waits for an operation on a bucket.
    pub(crate) fn wait<T>(
        &self,
        at: &ObjectUrl,
        access: Access,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        self.wait_for(at, async { work.await.map_err(|error| classify(at, &self.credentials, access, &error)) })
    }

    fn wait_for<T>(&self, at: &ObjectUrl, work: impl Future<Output = Result<T>>) -> Result<T> {
        match wait(self.settings.stop.as_deref(), work) {
            Ended::Complete(result) => result,
            Ended::Cancelled => Err(ObjectError::new(at, ObjectErrorKind::Cancelled, "cancelled")),
            Ended::NoRuntime(reason) => Err(ObjectError::new(at, ObjectErrorKind::Other, reason)),
        }
    }

    /// The size and revision of an object.
    ///
    /// # Errors
    /// [`ObjectErrorKind::NotFound`], [`ObjectErrorKind::NoBucket`], [`ObjectErrorKind::Denied`] and those of connections.
    pub fn head(&self, key: &str) -> Result<ObjectInfo> {
        let at = self.at(key);
        match &self.backend {
            Backend::Web(web) => self.wait_for(&at, web.head()),
            Backend::Bucket(bucket) => {
                let path = Self::path(&at)?;
                match self.wait(&at, Access::Read, bucket.store.head(&path)) {
                    Ok(meta) => Ok(ObjectInfo::from(&meta)),
                    // A response to HEAD has no code that distinguishes a missing bucket.
                    Err(error) if error.kind() == ObjectErrorKind::NotFound => Err(self.missing(&at, error)),
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// The error of a missing object: that of its bucket, if this is missing too.
    fn missing(&self, at: &ObjectUrl, error: ObjectError) -> ObjectError {
        let read = self.bucket().and_then(|bucket| {
            let path = Self::path(at)?;
            self.wait(at, Access::Read, bucket.store.get_range(&path, 0..1))
        });
        match read {
            Err(found) if found.kind() == ObjectErrorKind::NoBucket => found,
            _ => error,
        }
    }

    /// Reads a range of an object. With `of`, only of this state of it.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Changed`] if the object is another than `of` or shorter than the range; those of [`head`](Self::head).
    pub fn get_range(&self, key: &str, range: Range<u64>, of: Option<&ObjectInfo>) -> Result<Bytes> {
        let at = self.at(key);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.wait_for(&at, self.range(&at, range, of))
    }

    async fn range(&self, at: &ObjectUrl, range: Range<u64>, of: Option<&ObjectInfo>) -> Result<Bytes> {
        let bytes = match &self.backend {
            Backend::Web(web) => web.range(range.clone(), of).await?,
            Backend::Bucket(bucket) => {
                let to_error = |error| classify(at, &self.credentials, Access::Read, &error);
                let options = GetOptions {
                    if_match: of.and_then(|of| of.revision.strong_etag()).map(str::to_owned),
                    range: Some(GetRange::Bounded(range.clone())),
                    ..GetOptions::default()
                };
                let result = bucket.store.get_opts(&Self::path(at)?, options).await.map_err(to_error)?;
                if of.is_some_and(|of| !ObjectInfo::from(&result.meta).is_same(of)) {
                    return Err(changed(at));
                }
                result.bytes().await.map_err(to_error)?
            }
        };
        if bytes.len() as u64 == range.end - range.start { Ok(bytes) } else { Err(changed(at)) }
    }

    /// Reads ranges of one state of an object, several at once, and calls `write` with the start of each range and its bytes, in
    /// the order of the ranges.
    ///
    /// # Errors
    /// Those of [`get_range`](Self::get_range); [`ObjectErrorKind::Other`] with the error of `write`.
    pub fn get_ranges(
        &self,
        key: &str,
        ranges: &[Range<u64>],
        of: &ObjectInfo,
        write: &mut (dyn FnMut(u64, &[u8]) -> io::Result<()> + Send),
    ) -> Result<()> {
        let at = self.at(key);
        let reads = futures_util::stream::iter(ranges.iter().cloned()).map(|range| {
            let at = &at;
            async move { Ok((range.start, self.range(at, range, Some(of)).await?)) }
        });
        let mut write = |(start, bytes): (u64, Bytes)| {
            write(start, &bytes).map_err(|error| {
                ObjectError::new(&at, ObjectErrorKind::Other, format!("cannot write the copy: {error}"))
            })
        };
        let all = reads.buffered(Self::CONCURRENT).try_for_each(|part| std::future::ready(write(part)));
        self.wait_for(&at, all)
    }

    /// Opens an object for reading from its start.
    ///
    /// # Errors
    /// Those of [`head`](Self::head). An error of a later read is that of [`ObjectError::into_io`].
    pub fn reader(&self, key: &str) -> Result<ObjectReader> {
        let at = self.at(key);
        let stop = self.settings.stop.clone();
        match &self.backend {
            Backend::Web(web) => {
                let (info, body) = self.wait_for(&at, web.stream())?;
                Ok(ObjectReader::new(at, info, body, stop))
            }
            Backend::Bucket(bucket) => {
                let result = self.get_opts(&at, bucket, GetOptions::default())?;
                let info = ObjectInfo::from(&result.meta);
                let (url, credentials) = (at.clone(), self.credentials.clone());
                let to_error = move |error| classify(&url, &credentials, Access::Read, &error);
                Ok(ObjectReader::new(at, info, result.into_stream().map_err(to_error).boxed(), stop))
            }
        }
    }

    fn get_opts(&self, at: &ObjectUrl, bucket: &Bucket, options: GetOptions) -> Result<GetResult> {
        let path = Self::path(at)?;
        self.wait(at, Access::Read, bucket.store.get_opts(&path, options))
    }

    /// The maximum size in bytes of an object that [`get`](Self::get) reads.
    pub const MAX_GET_BYTES: u64 = 64 << 20;

    /// Reads a whole object, such as a manifest, of at most `max_bytes`, up to [`Self::MAX_GET_BYTES`]; `None` if it still has
    /// the revision `known`.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Other`] if it is larger; those of [`head`](Self::head).
    pub fn get(&self, key: &str, known: Option<&Revision>, max_bytes: u64) -> Result<Option<(Bytes, Revision)>> {
        let at = self.at(key);
        let max_bytes = max_bytes.min(Self::MAX_GET_BYTES);
        let bucket = match &self.backend {
            Backend::Web(web) => return self.wait_for(&at, web.get(known, max_bytes)),
            Backend::Bucket(bucket) => bucket,
        };
        let path = Self::path(&at)?;
        let if_none_match = known.and_then(Revision::etag).map(str::to_owned);
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        let timeout = self.settings.response_timeout(self.url.scheme());
        let read = async {
            match bucket.store.get_opts(&path, options).await {
                Err(object_store::Error::NotModified { .. }) => Ok(None),
                Err(error) => Err(error),
                Ok(result) => {
                    let revision = ObjectInfo::from(&result.meta).revision;
                    let is_small = result.meta.size <= max_bytes;
                    Ok(Some((if is_small { Some(collect(result, timeout).await?) } else { None }, revision)))
                }
            }
        };
        let read = match self.wait(&at, Access::Read, read)? {
            Some((None, _)) => return Err(too_large(&at, max_bytes)),
            Some((Some(bytes), revision)) => Some((bytes, revision)),
            None => None,
        };
        // A server may ignore the condition.
        Ok(read.filter(|(_, revision)| known != Some(revision)))
    }

    /// Writes an object that does not exist yet, and returns its revision.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Conflict`] if it exists; [`ObjectErrorKind::Denied`] and those of connections. After a timeout, the object
    /// may have been written.
    pub fn put_new(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Revision> {
        self.put_if(key, bytes, None)
    }

    /// Writes an object if it has the revision `expected`, or with `None` if it does not exist, and returns its new revision.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Conflict`] if it has another revision; those of [`put_new`](Self::put_new).
    pub fn put_if(&self, key: &str, bytes: impl Into<Bytes>, expected: Option<&Revision>) -> Result<Revision> {
        let mode = expected.map_or(PutMode::Create, |revision| PutMode::Update(revision.to_update()));
        self.put(key, bytes.into(), mode)
    }

    /// Writes an object, whether it exists or not, and returns its revision.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Denied`] and those of connections.
    pub fn put_any(&self, key: &str, bytes: impl Into<Bytes>) -> Result<Revision> {
        self.put(key, bytes.into(), PutMode::Overwrite)
    }

    fn put(&self, key: &str, bytes: Bytes, mode: PutMode) -> Result<Revision> {
        let at = self.at(key);
        let (bucket, path) = (self.bucket()?, Self::path(&at)?);
        let put = bucket.store.put_opts(&path, PutPayload::from(bytes), PutOptions::from(mode));
        self.wait(&at, Access::Write, put).map(Revision::from)
    }

    /// Deletes an object. That it does not exist is no error.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Denied`], [`ObjectErrorKind::NoBucket`] and those of connections.
    pub fn delete(&self, key: &str) -> Result<()> {
        let at = self.at(key);
        let (bucket, path) = (self.bucket()?, Self::path(&at)?);
        match self.wait(&at, Access::Write, bucket.store.delete(&path)) {
            Err(error) if error.kind() == ObjectErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Reads a small object.
async fn collect(result: GetResult, response_timeout: Duration) -> object_store::Result<Bytes> {
    let (mut body, mut bytes, started) = (result.into_stream(), BytesMut::new(), Instant::now());
    loop {
        let part = next_part(&mut body, started, bytes.len(), response_timeout).await;
        match part.map_err(|error| object_store::Error::Generic { store: "bucket", source: Box::new(error) })? {
            Some(part) => bytes.extend_from_slice(&part?),
            None => return Ok(bytes.freeze()),
        }
    }
}
