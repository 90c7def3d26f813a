//! The copy of a file.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::plan::Download;
use super::state::Counters;
use crate::bucket::Bucket;
use crate::disk::{self, File};
use crate::publish::object_path;
use crate::published::ContentDigest;
use kiln_core::error::{Error, Result};

/// Copies an object to its staged path. A copy that an earlier process has completed is used as it is.
///
/// # Errors
/// [`Error::Input`] if the object is missing or damaged, [`Error::Cancelled`] if `stopped` is set, [`Error::Io`] if the disk
/// cannot be written, and those of the bucket. No part of the file stays then.
pub(super) fn download(
    bucket: &dyn Bucket,
    key: &str,
    download: &Download,
    stopped: &AtomicBool,
    counters: &Counters,
) -> Result<()> {
    let (digest, to) = (download.object.digest, &download.staged);
    if disk::length(to).is_ok_and(|bytes| bytes == digest.bytes) {
        counters.skip(digest.bytes);
        return Ok(());
    }
    let path = object_path(bucket, key);
    let missing = || Error::input(&path, "the object is missing, although the manifest names it");
    let reader = bucket.open(key)?.ok_or_else(missing)?;
    let unfinished = PathBuf::from(format!("{}.part", to.display()));
    let mut copied = 0;
    let written = copy(reader, &path, &unfinished, digest, stopped, &mut |bytes| {
        copied += bytes;
        counters.advance(bytes);
    });
    let renamed = written.and_then(|()| disk::rename(&unfinished, to).map_err(|error| Error::io(to, "write", error)));
    if renamed.is_ok() {
        counters.finish_file();
    } else {
        let _ = disk::remove_file(&unfinished);
        counters.take_back(copied);
    }
    renamed
}

fn copy(
    mut reader: impl Read,
    from: &Path,
    to: &Path,
    digest: ContentDigest,
    stopped: &AtomicBool,
    count: &mut dyn FnMut(u64),
) -> Result<()> {
    const BUFFER_BYTES: usize = 1 << 18;
    let write_error = |error| Error::io(to, "write", error);
    let mut file = File::create(to).map_err(write_error)?;
    let (mut crc, mut bytes, mut buffer) = (crc32fast::Hasher::new(), 0, vec![0; BUFFER_BYTES]);
    while bytes <= digest.bytes {
        if stopped.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let length = match reader.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            length => length.map_err(|error| Error::io(from, "read", error))?,
        };
        if length == 0 {
            break;
        }
        crc.update(&buffer[..length]);
        file.write_all(&buffer[..length]).map_err(write_error)?;
        bytes += length as u64;
        count(length as u64);
    }
    if bytes != digest.bytes {
        let size = if bytes > digest.bytes { "more than the".to_owned() } else { format!("{bytes} of") };
        let reason = format!("it is damaged: the copy has {size} {} bytes that the manifest names", digest.bytes);
        return Err(Error::input(from, reason));
    }
    if crc.finalize() != digest.crc32 {
        return Err(Error::input(from, "it is damaged: the checksum does not match"));
    }
    file.sync_all().map_err(write_error)
}
