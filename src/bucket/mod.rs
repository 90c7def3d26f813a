//! Buckets by their URLs: those that layers are published to and copied from.

mod object_bucket;

use std::path::Path;
use std::sync::Arc;

use kiln_objects::{ObjectUrl, Scheme};

use crate::error::{Error, Result};
use crate::layer_name;
use crate::redact::without_password;
use crate::store::{Bucket, FolderBucket};
use object_bucket::ObjectBucket;

/// The accepted URLs, as the end of a sentence.
const EXPECTED: &str = "expected the URL of a bucket, such as s3://bucket/maps, gs://bucket/maps or az://container/maps, or of \
                        a folder, such as file:///srv/maps";

/// Opens the bucket at a URL, with the credentials of the environment. Nothing is read yet.
///
/// # Errors
/// [`Error::Input`] if the URL is invalid, its scheme is not supported, or the environment is invalid.
pub fn open(url: &str) -> Result<Arc<dyn Bucket>> {
    let invalid = |reason: &str| Error::input(&*without_password(url), format!("{reason}; {EXPECTED}"));
    if let Some(folder) = url.strip_prefix("file://") {
        if !folder.starts_with('/') {
            return Err(invalid("the path of a folder must be absolute"));
        }
        return Ok(Arc::new(FolderBucket::new(Path::new(folder))?));
    }
    if !ObjectUrl::is_url(url) {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| layer_name::is_valid(scheme));
        let reason = scheme.map_or("not a URL".to_owned(), |scheme| format!("the scheme {scheme}:// is not supported"));
        return Err(invalid(&reason));
    }
    // Its message does not repeat the text, which may have a password.
    let parsed: ObjectUrl = url.parse().map_err(|error: Error| invalid(&error.into_message().with_keys()))?;
    if parsed.scheme() == Scheme::Web {
        return Err(invalid("layers cannot be in files of a web server"));
    }
    Ok(Arc::new(ObjectBucket::open(&parsed)?))
}

/// Cancels the transfers of the process, such as those of a large file, which would end later otherwise.
pub fn cancel_transfers() {
    kiln_objects::cancel_all();
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_buckets_and_folders_are_opened_and_others_are_errors_without_passwords() {
        assert_eq!(open("file:///srv/maps").unwrap().url(), "file:///srv/maps");
        assert_eq!(open("s3://maps/heat/").unwrap().url(), "s3://maps/heat");
        for (url, word) in [
            ("file://srv/maps", "must be absolute"),
            ("maps", "not a URL"),
            ("ftp://maps/heat", "the scheme ftp:// is not supported"),
            ("https://maps.example/heat", "files of a web server"),
            ("s3://ann:s3cret@maps/heat", "credentials in the URL are not supported"),
            ("s3://", "the bucket of the s3:// URL is missing"),
        ] {
            let message = open(url).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("file:///srv/maps"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
