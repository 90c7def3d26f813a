//! Listings of buckets.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use object_store::list::PaginatedListOptions;
use object_store::path::Path;

use crate::classify::Access;
use crate::error::{ObjectError, ObjectErrorKind, Result};
use crate::list_response::UNSUPPORTED_KEY;
use crate::object_info::ObjectInfo;
use crate::objects::Objects;
use crate::store::Bucket;
use crate::url::ObjectUrl;

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// The size and revision.
    pub info: ObjectInfo,
}

/// The content of a folder of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The keys of the folders in it, without a slash at their end, sorted.
    pub folders: Vec<String>,
    /// The objects in it, sorted by key.
    pub objects: Vec<ListedObject>,
}

impl Objects {
    /// The maximum number of objects of a listing.
    pub const MAX_LISTED: usize = 1_000_000;

    /// Lists the objects whose key starts with `prefix`, at any depth, sorted by key. Markers of folders, whose key ends with a
    /// slash, are omitted.
    ///
    /// # Errors
    /// [`ObjectErrorKind::NoBucket`], [`ObjectErrorKind::Denied`] and those of connections; [`ObjectErrorKind::Invalid`] for a web
    /// address, and for more than [`Self::MAX_LISTED`] objects.
    pub fn list(&self, prefix: &str) -> Result<Vec<ListedObject>> {
        self.list_pages(prefix, None).map(|listing| listing.objects)
    }

    /// Lists the folder `folder`, which may end with a slash; the empty text is the bucket.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_folder(&self, folder: &str) -> Result<Listing> {
        let folder = folder.trim_end_matches('/');
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        self.list_pages(&prefix, Some("/"))
    }

    /// Lists the folders and objects whose key starts with `prefix`, without those in deeper folders.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn list_level(&self, prefix: &str) -> Result<Listing> {
        self.list_pages(prefix, Some("/"))
    }

    fn list_pages(&self, prefix: &str, delimiter: Option<&'static str>) -> Result<Listing> {
        let Bucket { lister, .. } = self.bucket()?;
        let at = self.url().with_key(prefix);
        let mut listing = Listing::default();
        let (mut page_token, mut unsupported) = (None, 0);
        let mut tokens = HashSet::new();
        loop {
            let options =
                PaginatedListOptions { delimiter: delimiter.map(Into::into), page_token, ..Default::default() };
            let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
            let page = self.wait(&at, Access::List, lister.list_paginated(prefix, options))?;
            let folders: Vec<_> = page.result.common_prefixes.iter().filter(|folder| is_supported(folder)).collect();
            let objects: Vec<_> = page.result.objects.iter().filter(|meta| is_supported(&meta.location)).collect();
            let all = page.result.common_prefixes.len() + page.result.objects.len();
            unsupported += all - folders.len() - objects.len();
            listing.folders.extend(folders.into_iter().map(|folder| folder.as_ref().trim_end_matches('/').to_owned()));
            let objects = objects.into_iter().map(|meta| {
                let info = ObjectInfo::from(meta);
                ListedObject { key: meta.location.to_string(), info }
            });
            // The marker of a folder has the key of the folder, whose slash the library removes.
            let is_marker = |object: &ListedObject| object.key.len() < at.key().len();
            listing.objects.extend(objects.filter(|object| !is_marker(object)));
            if listing.objects.len() + listing.folders.len() > Self::MAX_LISTED {
                let message = format!("more than {} objects; use a longer prefix", Self::MAX_LISTED);
                return Err(ObjectError::new(&at, ObjectErrorKind::Invalid, message));
            }
            page_token = page.page_token;
            let Some(token) = &page_token else { break };
            if !tokens.insert(token.clone()) {
                let message = "the listing repeats a page without an end; is it the endpoint of a bucket?";
                return Err(ObjectError::new(&at, ObjectErrorKind::Invalid, message.to_owned()));
            }
        }
        self.warn_of_unsupported(&at, unsupported);
        listing.folders.sort_unstable();
        listing.folders.dedup();
        listing.objects.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        remove_markers(&mut listing.objects);
        Ok(listing)
    }
}

impl Objects {
    /// Warns that keys were left out of a list, once until their number changes.
    fn warn_of_unsupported(&self, at: &ObjectUrl, count: usize) {
        let before = self.unsupported.swap(count, Ordering::Relaxed);
        if count > 0 && before != count {
            let keys = if count == 1 { "1 key has" } else { &format!("{count} keys have") };
            tracing::warn!(url = %at, "{keys} an empty part, `.`, `..` or a control character, and are not read");
        }
    }
}

/// Whether a key is supported by the client library.
fn is_supported(key: &Path) -> bool {
    key.as_ref().trim_end_matches('/') != UNSUPPORTED_KEY
}

/// Removes the markers of folders: empty objects with the name of a folder, whose slash the library removes.
fn remove_markers(objects: &mut Vec<ListedObject>) {
    let folders: HashSet<String> =
        objects.iter().flat_map(|object| folders_of(&object.key)).map(str::to_owned).collect();
    objects.retain(|object| object.info.size != Some(0) || !folders.contains(&object.key));
}

/// The folders that an object is in.
fn folders_of(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object_info::Revision;

    #[test]
    fn markers_of_folders_are_no_objects() {
        let object = |(key, size): (&str, u64)| ListedObject {
            key: key.to_owned(),
            info: ObjectInfo { size: Some(size), revision: Revision::default(), modified: None, has_ranges: true },
        };
        let mut objects: Vec<_> =
            [("a", 0), ("a/b", 0), ("a/b/c.csv", 5), ("a/empty.csv", 0), ("d", 1), ("d/e", 2)].map(object).into();
        remove_markers(&mut objects);
        let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["a/b/c.csv", "a/empty.csv", "d", "d/e"]);
    }
}
