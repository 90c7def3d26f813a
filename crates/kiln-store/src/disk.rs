//! The file operations of the store.
//!
//! All modules of the store use files only through this one. It forwards to [`std::fs`] and memory maps without any cost.
//! In tests of this crate, a thread can use a simulated disk in their place.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::time::SystemTime;

use memmap2::{Advice, Mmap, UncheckedAdvice};

pub(super) use std::fs::{
    File, create_dir, metadata, read_dir, read_to_string, remove_dir, remove_dir_all, remove_file, rename,
};

/// Whether there is a file or folder at `path`.
pub(super) fn exists(path: &Path) -> bool {
    metadata(path).is_ok()
}

/// Whether there is a folder at `path`.
pub(super) fn is_dir(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Opens a file for writing without changing its content, and creates it if it is missing.
pub(super) fn open_or_create(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Creates a folder with an unused name in `parent`, and returns its path.
pub(super) fn create_unique_dir(parent: &Path, prefix: &str) -> io::Result<std::path::PathBuf> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map(tempfile::TempDir::keep)
}

/// Syncs the entries of a folder to disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A random ID of eight characters.
pub(super) fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// The identity of a file, which changes when the file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileIdentity {
    modified: Option<SystemTime>,
    length: u64,
    /// Device and inode.
    #[cfg(unix)]
    node: [u64; 2],
}

impl FileIdentity {
    /// The identity of the file at `path`.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// The identity of an open file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::of(&metadata))
    }

    fn of(metadata: &std::fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            node: [metadata.dev(), metadata.ino()],
        }
    }

    /// Whether both are the same file, whose content may have changed in between. Always true where files have no
    /// inodes.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        #[cfg(unix)]
        return self.node == other.node;
        #[cfg(not(unix))]
        {
            let _ = other;
            true
        }
    }
}

/// A memory-mapped file.
#[derive(Debug)]
pub(super) struct Map(Mmap);

impl Map {
    /// Maps a file, which must never be written to again.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: segments are never written to after they were renamed to their final name, and removing a file keeps
        // its mapping valid. Truncating one manually would kill the process.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self(map))
    }

    /// Hints whether the file is read sequentially, which enables read-ahead.
    pub(super) fn advise_sequential(&self, is_sequential: bool) {
        let _ = self.0.advise(if is_sequential { Advice::Sequential } else { Advice::Normal });
    }

    /// Releases the whole pages of a range of the file from memory.
    pub(super) fn release(&self, offset: usize, length: usize) {
        const PAGE: usize = 4096;
        let (start, end) = (offset.next_multiple_of(PAGE), (offset + length) / PAGE * PAGE);
        if start < end {
            // SAFETY: this is a shared mapping of a file that is only read: discarded pages are read again from the
            // file.
            #[allow(unsafe_code)]
            let _ = unsafe { self.0.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        }
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
