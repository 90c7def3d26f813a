//! The file operations of the standard library, and memory maps.

use std::io;
use std::ops::Deref;
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::{Advice, UncheckedAdvice};

pub(crate) use std::fs::{File, create_dir, metadata, read_dir, remove_dir, remove_dir_all, remove_file, rename};

#[cfg(not(test))]
pub(crate) use std::fs::read_to_string;

/// Whether there is a file or folder at `path`.
pub(crate) fn exists(path: &Path) -> bool {
    metadata(path).is_ok()
}

/// Whether there is a file or folder at `path`; an error if it cannot be known.
pub(crate) fn try_exists(path: &Path) -> io::Result<bool> {
    match metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The size of the file at `path` in bytes.
pub(crate) fn length(path: &Path) -> io::Result<u64> {
    metadata(path).map(|metadata| metadata.len())
}

/// Whether there is a folder at `path`.
pub(crate) fn is_dir(path: &Path) -> bool {
    metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Whether a folder, or the nearest existing one above it, is on a file system that other machines can change: a network
/// file system, or one in user space, which most often is one.
#[cfg(target_os = "linux")]
pub(crate) fn is_network(folder: &Path) -> bool {
    /// The magic numbers of statfs(2): NFS, SMB, CIFS, SMB2, FUSE, Ceph, 9P, AFS, Coda, Lustre, GPFS, `BeeGFS`, OCFS2, GFS2.
    const NETWORK: [u32; 14] = [
        0x6969,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x6573_5546,
        0x00C3_6400,
        0x0102_1997,
        0x5346_414F,
        0x7375_7245,
        0x0BD0_0BD0,
        0x4750_4653,
        0x1983_0326,
        0x7461_636F,
        0x0116_1970,
    ];
    let mut existing =
        folder.ancestors().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    // The type of the magic number depends on the processor.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it has 32 bits")]
    let magic = existing.find_map(|folder| rustix::fs::statfs(folder).ok()).map(|status| status.f_type as u32);
    magic.is_some_and(|magic| NETWORK.contains(&magic))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_network(_folder: &Path) -> bool {
    false
}

/// Opens a file for writing without changing its content, and creates it if it is missing.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Creates a folder with an unused name in `parent`, and returns its path.
pub(crate) fn create_unique_dir(parent: &Path, prefix: &str) -> io::Result<std::path::PathBuf> {
    tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map(tempfile::TempDir::keep)
}

/// Syncs the entries of a folder to disk.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A folder that was opened to sync its entries later, so that too many open files cannot fail the sync.
#[cfg(not(test))]
pub(crate) struct OpenFolder(#[cfg(unix)] File);

#[cfg(not(test))]
impl OpenFolder {
    /// Opens a folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        return File::open(folder).map(Self);
        #[cfg(not(unix))]
        {
            let _ = folder;
            Ok(Self())
        }
    }

    /// Syncs the entries of the folder to disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(unix)]
        self.0.sync_all()?;
        Ok(())
    }
}

/// A random ID of eight characters.
pub(crate) fn random_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..8].to_owned()
}

/// The identity of a file, which changes when the file is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    modified: Option<SystemTime>,
    length: u64,
    /// Device and inode.
    #[cfg(unix)]
    node: [u64; 2],
}

impl FileIdentity {
    /// The identity of the file at `path`.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        metadata(path).map(|metadata| Self::of(&metadata))
    }

    /// The identity of an open file.
    pub(crate) fn of_file(file: &File) -> io::Result<Self> {
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

    /// Whether both are on the same device. Always true where files have no inodes.
    pub(crate) fn is_on_same_device(&self, other: &Self) -> bool {
        #[cfg(unix)]
        return self.node[0] == other.node[0];
        #[cfg(not(unix))]
        {
            let _ = other;
            true
        }
    }

    /// Whether both are the same file, whose content may have changed in between. Always true where files have no
    /// inodes.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
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
pub(crate) struct Map(Mmap);

impl Map {
    /// Maps a file, which must never be written to again.
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: segments are never written to after they were renamed to their final name, and removing a file keeps
        // its mapping valid. Truncating one manually would kill the process.
        #[allow(unsafe_code)]
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self(map))
    }

    /// Hints whether the file is read sequentially, which enables read-ahead. Without effect on Windows.
    #[cfg_attr(not(unix), allow(clippy::unused_self, unused_variables))]
    pub(crate) fn advise_sequential(&self, is_sequential: bool) {
        #[cfg(unix)]
        let _ = self.0.advise(if is_sequential { Advice::Sequential } else { Advice::Normal });
    }

    /// Releases the whole pages of a range of the file from memory. Without effect on Windows.
    #[cfg_attr(not(unix), allow(clippy::unused_self, unused_variables))]
    pub(crate) fn release(&self, offset: usize, length: usize) {
        #[cfg(unix)]
        {
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
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
