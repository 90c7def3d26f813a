//! Copies of whole files to and from buckets.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use futures_util::future::try_join_all;
use object_store::{ObjectStoreExt, PutPayload};

use crate::classify::Access;
use crate::error::{ObjectError, ObjectErrorKind, Result};
use crate::object_info::{ObjectInfo, Revision};
use crate::objects::Objects;

impl Objects {
    /// The size of the parts in which large objects are copied: 8 MiB.
    const PART_BYTES: u64 = 8 << 20;
    /// The number of parts that are uploaded at once.
    const CONCURRENT_UPLOADS: usize = 4;
    /// The maximum number of parts of an upload.
    const MAX_PARTS: u64 = 10_000;

    /// Writes a file as an object, in parts if it is large, and returns its revision. An object with the key is replaced. `on_bytes`
    /// is called with numbers of bytes that were written.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Denied`], [`ObjectErrorKind::NoBucket`] and those of connections; [`ObjectErrorKind::Other`] if the file
    /// cannot be read.
    pub fn upload(&self, key: &str, file: &Path, mut on_bytes: impl FnMut(u64)) -> Result<Revision> {
        let at = self.url().with_key(key);
        let unreadable = |error: std::io::Error| {
            ObjectError::new(&at, ObjectErrorKind::Other, format!("cannot read {}: {error}", file.display()))
        };
        let mut source = File::open(file).map_err(unreadable)?;
        let size = source.metadata().map_err(unreadable)?.len();
        if size <= Self::PART_BYTES {
            let bytes = read_part(&mut source, size).map_err(unreadable)?;
            let revision = self.put_any(key, bytes)?;
            on_bytes(size);
            return Ok(revision);
        }
        let (bucket, path) = (self.bucket()?, Self::path(&at)?);
        let part_bytes = Self::PART_BYTES.max(size.div_ceil(Self::MAX_PARTS));
        let mut upload = self.wait(&at, Access::Write, bucket.store.put_multipart(&path))?;
        let mut copy = || -> Result<()> {
            loop {
                let mut parts = Vec::new();
                let mut count = 0;
                while parts.len() < Self::CONCURRENT_UPLOADS {
                    let bytes = read_part(&mut source, part_bytes).map_err(unreadable)?;
                    if bytes.is_empty() {
                        break;
                    }
                    count += bytes.len() as u64;
                    parts.push(upload.put_part(PutPayload::from(bytes)));
                }
                if parts.is_empty() {
                    return Ok(());
                }
                self.wait(&at, Access::Write, try_join_all(parts))?;
                on_bytes(count);
            }
        };
        let copied = copy();
        let completed = copied.and_then(|()| self.wait(&at, Access::Write, upload.complete()));
        if completed.is_err() {
            // Parts without an object would be paid for; the error to report is the first one.
            let _ = self.wait(&at, Access::Write, upload.abort());
        }
        completed.map(Revision::from)
    }

    /// Copies an object to a file, from the position of the file on, and returns the size and revision of the object. Large objects
    /// are read by several ranges at once. `on_bytes` is called with numbers of bytes that were written.
    ///
    /// # Errors
    /// [`ObjectErrorKind::NotFound`], [`ObjectErrorKind::NoBucket`], [`ObjectErrorKind::Denied`], [`ObjectErrorKind::Changed`] and those of
    /// connections; [`ObjectErrorKind::Other`] if the file cannot be written.
    pub fn download(&self, key: &str, to: &mut File, mut on_bytes: impl FnMut(u64) + Send) -> Result<ObjectInfo> {
        let at = self.url().with_key(key);
        let unwritable = |error: std::io::Error| {
            ObjectError::new(&at, ObjectErrorKind::Other, format!("cannot write the copy: {error}"))
        };
        let mut reader = self.reader(key)?;
        let info = reader.info().clone();
        let size = info.size.unwrap_or(0);
        if size > 2 * Self::PART_BYTES && info.has_ranges && info.has_revision() {
            drop(reader);
            let start = to.stream_position().map_err(unwritable)?;
            self.get_ranges(key, &parts(size), &info, &mut |at, bytes| {
                to.seek(SeekFrom::Start(start + at))?;
                to.write_all(bytes)?;
                on_bytes(bytes.len() as u64);
                Ok(())
            })?;
            return Ok(info);
        }
        while let Some(part) = reader.next_part()? {
            to.write_all(&part).map_err(unwritable)?;
            on_bytes(part.len() as u64);
        }
        Ok(info)
    }
}

/// The ranges of the parts of an object.
fn parts(size: u64) -> Vec<Range<u64>> {
    let starts = (0..size).step_by(Objects::PART_BYTES as usize);
    starts.map(|start| start..size.min(start + Objects::PART_BYTES)).collect()
}

/// Reads up to `count` bytes.
fn read_part(file: &mut File, count: u64) -> std::io::Result<Bytes> {
    let mut bytes = Vec::new();
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}
