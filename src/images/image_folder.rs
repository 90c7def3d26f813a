//! A folder of pictures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::usage::Usage;
use super::{AtomicFile, ImageName};
use crate::error::{Error, Result};

/// A folder of pictures that expire.
#[derive(Clone, Debug)]
pub struct ImageFolder {
    path: PathBuf,
    usage: Usage,
}

/// A picture in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) name: ImageName,
    pub(super) bytes: u64,
}

impl ImageFolder {
    /// The age of a temporary file from which it counts as abandoned by a dead process: no picture takes that long to
    /// write.
    const ABANDONED: Duration = Duration::from_secs(600);

    /// Opens the folder at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be created or written to.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        fs::create_dir_all(&path).map_err(|error| Error::io(&path, "create", error))?;
        // Checks the write permission now rather than at the first picture.
        AtomicFile::create(path.join("writable")).map(drop).map_err(|error| match error {
            Error::Io { source, .. } => Error::io(&path, "write to", source),
            other => other,
        })?;
        Ok(Self { path, usage: Usage::default() })
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the picture `name`.
    pub fn path_of(&self, name: ImageName) -> PathBuf {
        self.path.join(name.to_string())
    }

    /// Atomically writes a picture that was rendered at `created_s` (seconds since 1970), under a new name.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written, for example because the disk is full.
    pub fn write(&self, created_s: u64, bytes: &[u8]) -> Result<ImageName> {
        let (name, file) = self.stage(created_s, bytes)?;
        file.commit()?;
        Ok(name)
    }

    /// Writes a picture to a temporary file and syncs it, so that after a power cut a picture is complete or missing, and never
    /// damaged. The folder is not synced, which would take as long again: a missing picture is rendered by the next request.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub(super) fn stage(&self, created_s: u64, bytes: &[u8]) -> Result<(ImageName, AtomicFile)> {
        let name = ImageName::new(created_s);
        let path = self.path_of(name);
        let mut file = match AtomicFile::create(&path) {
            // The folder was removed. It is created again.
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(&self.path).map_err(|error| Error::io(&self.path, "create", error))?;
                AtomicFile::create(&path)?
            }
            created => created?,
        };
        let written = file.file().write_all(bytes).and_then(|()| file.file().sync_all());
        written.map_err(|error| Error::io(&path, "write", error))?;
        Ok((name, file))
    }

    pub(super) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The pictures in the folder, oldest first. Files with other names are ignored.
    pub(super) fn pictures(&self) -> Result<Vec<Picture>> {
        let mut pictures = Vec::new();
        for entry in self.entries()? {
            let name = entry.file_name().to_str().and_then(|name| name.parse().ok());
            // A file may be removed between the listing and the call to `metadata`.
            if let (Some(name), Ok(metadata)) = (name, entry.metadata())
                && metadata.is_file()
            {
                pictures.push(Picture { name, bytes: metadata.len() });
            }
        }
        pictures.sort_by_key(|picture| picture.name);
        Ok(pictures)
    }

    /// Removes abandoned temporary files, and returns their number.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn remove_unfinished(&self) -> Result<u64> {
        let (prefix, suffix) = AtomicFile::UNFINISHED;
        let now = SystemTime::now();
        let mut removed = 0;
        for entry in self.entries()? {
            let is_temporary =
                entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix));
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if is_temporary && age.is_some_and(|age| age > Self::ABANDONED) && fs::remove_file(entry.path()).is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn entries(&self) -> Result<Vec<fs::DirEntry>> {
        let failed = |error| Error::io(&self.path, "read", error);
        fs::read_dir(&self.path).map_err(failed)?.map(|entry| entry.map_err(failed)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_listed_oldest_first() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(parent.path().join("a/b")).unwrap();
        let young = folder.write(2_000_000_000, b"young").unwrap();
        let old = folder.write(1_000_000_000, b"the old one").unwrap();
        fs::write(folder.path().join("holiday.png"), "mine").unwrap();
        fs::create_dir(folder.path_of(ImageName::new(5))).unwrap();
        let found: Vec<_> = folder.pictures().unwrap().iter().map(|picture| (picture.name, picture.bytes)).collect();
        assert_eq!(found, [(old, 11), (young, 5)]);
        assert_eq!(fs::read(folder.path_of(young)).unwrap(), b"young");
    }

    #[test]
    fn only_abandoned_temporary_files_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = ImageFolder::open(parent.path()).unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        for name in [".kiln-abc.part", ".kiln-keep", "other.part"] {
            let file = fs::File::create(parent.path().join(name)).unwrap();
            file.set_modified(long_ago).unwrap();
        }
        let being_written = AtomicFile::create(parent.path().join("x.png")).unwrap();
        assert_eq!(folder.remove_unfinished().unwrap(), 1);
        being_written.commit().unwrap();
        assert!(parent.path().join("other.part").exists() && parent.path().join(".kiln-keep").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_an_error() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("file"), "").unwrap();
        assert!(ImageFolder::open(parent.path().join("file/inside")).is_err());
    }
}
