//! A buffer of uploaded bytes, in memory up to a size and beyond that in a temporary file.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use axum::body::Bytes;

use crate::error::Error;
use crate::http::server::problem::{HttpResult, Problem};

/// Bytes of a request: up to [`Spool::SMALL_BYTES`] in memory, beyond that in an unnamed file, so that slow requests and
/// requests that wait for a permit need little memory.
#[derive(Debug)]
pub(crate) struct Spool {
    /// The folder of the file.
    folder: PathBuf,
    /// Bytes that are not written to the file yet.
    buffer: Vec<u8>,
    file: Option<File>,
    len: u64,
}

impl Spool {
    /// The maximum number of bytes in memory.
    pub(crate) const SMALL_BYTES: usize = 1 << 20;

    /// Creates an empty spool. A file is created in `folder` if the bytes exceed [`Self::SMALL_BYTES`].
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), buffer: Vec::new(), file: None, len: 0 }
    }

    /// Creates a spool of `bytes`.
    pub(crate) async fn of(folder: &Path, bytes: Bytes) -> HttpResult<Self> {
        let mut spool = Self::new(folder);
        spool.push(&bytes).await?;
        Ok(spool)
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether the bytes exceed [`Self::SMALL_BYTES`].
    pub(crate) fn is_large(&self) -> bool {
        self.len > Self::SMALL_BYTES as u64
    }

    /// Appends bytes. Returns the number of bytes that were moved from memory to the file.
    pub(crate) async fn push(&mut self, bytes: &[u8]) -> HttpResult<usize> {
        self.buffer.extend_from_slice(bytes);
        self.len += bytes.len() as u64;
        if self.buffer.len() > Self::SMALL_BYTES {
            let spooled = self.buffer.len();
            let (folder, file, buffer) = (self.folder.clone(), self.file.take(), std::mem::take(&mut self.buffer));
            let write = move || -> io::Result<_> {
                let mut opened = if let Some(file) = file {
                    file
                } else {
                    fs::create_dir_all(&folder)?;
                    tempfile::tempfile_in(&folder)?
                };
                opened.write_all(&buffer)?;
                Ok(opened)
            };
            self.file = Some(self.blocking(write).await?);
            return Ok(spooled);
        }
        Ok(0)
    }

    /// Reads all bytes into memory. For a large spool the caller has a permit.
    pub(crate) async fn read(self) -> HttpResult<Bytes> {
        let Self { folder, buffer, file, len } = self;
        let Some(mut file) = file else { return Ok(buffer.into()) };
        let read = move || -> io::Result<Bytes> {
            let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            bytes.extend_from_slice(&buffer);
            Ok(bytes.into())
        };
        Self::new(&folder).blocking(read).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| Problem::busy("the server is stopping"))?;
        Ok(done.map_err(|error| Error::io(&self.folder, "write", error))?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_bytes_are_in_a_file_without_a_name_and_read_in_order() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("masks");
        for chunks in [0, 1, 20, 70] {
            let mut spool = Spool::new(&folder);
            let mut all = Vec::new();
            for chunk in 0..chunks {
                let bytes = vec![chunk as u8; 50_000];
                spool.push(&bytes).await.unwrap();
                all.extend(bytes);
                assert!(spool.buffer.len() <= Spool::SMALL_BYTES);
            }
            assert_eq!((spool.len(), spool.is_large()), (all.len() as u64, chunks == 70));
            assert_eq!(spool.file.is_some(), chunks == 70);
            assert_eq!(spool.read().await.unwrap(), all);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
