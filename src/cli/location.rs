//! Files and folders on a disk or in a bucket.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::objects::{Listing, ObjectError, ObjectErrorKind, ObjectInfo, ObjectUrl, Objects, Scheme};

/// A file or folder, on a disk or in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    Path(PathBuf),
    /// The URL of an object or folder; its key has no slash at its end.
    Url(Box<OrderedUrl>),
}

/// A URL in the order of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OrderedUrl(ObjectUrl);

impl Ord for OrderedUrl {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_string().cmp(&other.0.to_string())
    }
}

impl PartialOrd for OrderedUrl {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The content of a folder.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// The names of the files; of objects with their sizes.
    pub(super) files: BTreeMap<String, Option<ObjectInfo>>,
    /// The names of the folders.
    pub(super) folders: BTreeSet<String>,
}

impl Entries {
    /// The size of the file `name` of the folder, which is at `location`.
    pub(super) fn size(&self, name: &str, location: &Location) -> Result<u64> {
        match (self.files.get(name), location) {
            (Some(Some(ObjectInfo { size: Some(size), .. })), _) => Ok(*size),
            (_, Location::Path(path)) => {
                fs::metadata(path).map(|found| found.len()).map_err(|error| Error::io(path, "read", error))
            }
            (_, Location::Url(url)) => Ok(head(&url.0)?.size.unwrap_or(0)),
        }
    }
}

fn head(url: &ObjectUrl) -> Result<ObjectInfo> {
    Objects::shared(url).and_then(|objects| objects.head(url.key())).map_err(ObjectError::into_error)
}

fn list_folder(url: &ObjectUrl) -> Result<Listing> {
    Objects::shared(url).and_then(|objects| objects.list_folder(url.key())).map_err(ObjectError::into_error)
}

impl Location {
    /// The location of an input.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is an invalid URL.
    pub(super) fn of(input: &str) -> Result<Self> {
        if !ObjectUrl::is_url(input) {
            return Ok(Self::Path(input.into()));
        }
        input.parse().map(Self::of_url)
    }

    fn of_url(url: ObjectUrl) -> Self {
        let url = if url.scheme() == Scheme::Web { url } else { url.with_key(url.key().trim_end_matches('/')) };
        Self::Url(Box::new(OrderedUrl(url)))
    }

    /// Whether it is a folder: of a bucket, one that is written with a slash at its end, or whose name has no extension and that
    /// has objects.
    ///
    /// # Errors
    /// [`Error::Input`] if the bucket cannot be listed.
    pub(super) fn is_folder(&self, has_slash: bool) -> Result<bool> {
        let url = match self {
            Self::Path(path) => return Ok(path.is_dir()),
            Self::Url(url) => &url.0,
        };
        if url.scheme() == Scheme::Web || url.is_pattern() {
            return Ok(false);
        }
        if has_slash || Path::new(url.file_name()).extension().is_some() {
            return Ok(has_slash);
        }
        let listing = list_folder(url)?;
        Ok(url.key().is_empty() || !(listing.folders.is_empty() && listing.objects.is_empty()))
    }

    /// The content of a folder.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`] if it cannot be read.
    pub(super) fn entries(&self) -> Result<Entries> {
        let mut entries = Entries::default();
        match self {
            Self::Path(path) => {
                let failed = |error| Error::io(path, "read", error);
                for entry in fs::read_dir(path).map_err(failed)? {
                    let name = entry.map_err(failed)?.file_name();
                    let name =
                        name.into_string().map_err(|_| Error::input(path, "the name of a file in it is not UTF-8"))?;
                    let kind = fs::metadata(path.join(&name)).ok().map(|metadata| metadata.file_type());
                    if kind.is_some_and(|kind| kind.is_dir()) {
                        entries.folders.insert(name);
                    } else if kind.is_some_and(|kind| !kind.is_file()) && !name.starts_with(['_', '.']) {
                        // A pipe without a writer, or an endless device, would be read forever.
                        let reason = format!("`{name}` in it is a pipe, socket or device; a folder has regular files");
                        return Err(Error::input(path, reason));
                    } else {
                        entries.files.insert(name, None);
                    }
                }
            }
            Self::Url(url) => {
                let listing = list_folder(&url.0)?;
                let name = |key: &str| key.rsplit('/').next().unwrap_or(key).to_owned();
                entries.folders.extend(listing.folders.iter().map(|key| name(key)));
                entries.files.extend(listing.objects.into_iter().map(|object| (name(&object.key), Some(object.info))));
            }
        }
        Ok(entries)
    }

    /// The content of a file of at most `max_bytes`; `None` if there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`] if it cannot be read, or is larger.
    pub(super) fn read_small(&self, max_bytes: u64) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Path(path) => {
                let mut bytes = Vec::new();
                let read = fs::File::open(path).and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes));
                match read {
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(Error::io(path, "read", error)),
                    Ok(length) if length as u64 > max_bytes => {
                        Err(self.error(format!("it has more than {max_bytes} bytes")))
                    }
                    Ok(_) => Ok(Some(bytes)),
                }
            }
            Self::Url(url) => {
                let read = Objects::shared(&url.0).and_then(|objects| objects.get(url.0.key(), None, max_bytes));
                match read {
                    Err(error) if error.kind() == ObjectErrorKind::NotFound => Ok(None),
                    read => Ok(read.map_err(ObjectError::into_error)?.map(|(bytes, _)| bytes.into())),
                }
            }
        }
    }

    /// Writes the content of a file to `hash`, or of an object its size and entity tag. Returns false for a web address, whose
    /// content is not known before it is read.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Input`] if it cannot be read.
    pub(super) fn hash_content(&self, hash: &mut impl Write) -> Result<bool> {
        match self {
            Self::Path(path) => {
                let read = fs::File::open(path).and_then(|mut file| io::copy(&mut file, hash));
                read.map(|_| true).map_err(|error| Error::io(path, "read", error))
            }
            Self::Url(url) if url.0.scheme() == Scheme::Web => Ok(false),
            Self::Url(url) => {
                let info = head(&url.0)?;
                let Some(etag) = info.revision.etag() else { return Ok(false) };
                let written = writeln!(hash, "{:?} {etag}", info.size);
                written.map(|()| true).map_err(|error| Error::io(url.0.to_string(), "read", error))
            }
        }
    }

    /// The bytes that identify a folder.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder does not exist.
    pub(super) fn identity(&self) -> Result<Vec<u8>> {
        match self {
            Self::Path(path) => {
                let path = fs::canonicalize(path).map_err(|error| Error::io(path, "read", error))?;
                Ok(path.into_os_string().into_encoded_bytes())
            }
            Self::Url(url) => Ok(url.0.to_string().into_bytes()),
        }
    }

    /// A file or folder in this folder.
    pub(super) fn join(&self, name: &str) -> Self {
        match self {
            Self::Path(path) => Self::Path(path.join(name)),
            Self::Url(url) => Self::of_url(url.0.join(name)),
        }
    }

    /// The folder that it is in; `None` for a file of a web server, which has no listings.
    pub(super) fn parent(&self) -> Option<Self> {
        match self {
            Self::Path(path) => path.parent().map(|path| Self::Path(path.to_owned())),
            Self::Url(url) if url.0.scheme() == Scheme::Web => None,
            Self::Url(url) => {
                let (folder, _) = url.0.key().rsplit_once('/')?;
                Some(Self::of_url(url.0.with_key(folder)))
            }
        }
    }

    /// The last part of the path.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Path(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Url(url) => url.0.file_name().to_owned(),
        }
    }

    /// The text of the location as an input.
    ///
    /// # Errors
    /// [`Error::Input`] if the path is not UTF-8.
    pub(super) fn into_input(self) -> Result<String> {
        match self {
            Self::Path(path) => {
                let text = path.into_os_string().into_string();
                text.map_err(|name| Error::input(PathBuf::from(name), "the filename is not UTF-8"))
            }
            Self::Url(url) => Ok(url.0.to_string()),
        }
    }

    /// An error of the content of this location.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        match self {
            Self::Path(path) => Error::input(path, reason.into()),
            Self::Url(url) => Error::input(url.0.to_string(), reason.into()),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Url(url) => write!(f, "{}", url.0),
        }
    }
}
