//! A folder as a bucket, such as a share that several machines mount.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Bucket, Fetched, MAX_FETCH_BYTES, ObjectEntry};
use kiln_core::error::{Error, Result};

/// A folder as a bucket: `file:///srv/maps`. Objects are files, which are replaced atomically by a rename.
#[derive(Debug)]
pub struct FolderBucket {
    folder: PathBuf,
    url: String,
}

impl FolderBucket {
    /// The lock of replacements, in the folder of the object.
    const LOCK: &'static str = ".swap.lock";
    /// The end of the names of unfinished files.
    const UNFINISHED: &'static str = ".part";

    /// The bucket in a folder. The folder may be missing: the first object creates it.
    ///
    /// # Errors
    /// [`Error::Input`] if the path is a file.
    pub fn new(folder: &Path) -> Result<Self> {
        if folder.exists() && !folder.is_dir() {
            return Err(Error::input(folder, "not a folder; a bucket must be a folder"));
        }
        Ok(Self { folder: folder.to_owned(), url: format!("file://{}", folder.display()) })
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(key)
    }

    /// Writes a file and renames it to its name.
    fn replace(&self, key: &str, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
        let path = self.path(key);
        let written = || {
            let parent = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(parent)?;
            let mut file = tempfile::Builder::new()
                .prefix(".")
                .suffix(Self::UNFINISHED)
                .permissions_of_umask()
                .tempfile_in(parent)?;
            write(file.as_file_mut())?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            sync(parent)
        };
        written().map_err(|error: std::io::Error| Error::io(&path, "write", error))
    }

    fn lock(&self, key: &str) -> Result<File> {
        let path = self.path(key).with_file_name(Self::LOCK);
        let locked = || {
            fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
            let file = File::options().create(true).truncate(false).write(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        locked().map_err(|error: std::io::Error| Error::io(&path, "lock", error))
    }
}

/// Files that other users of a shared folder can read, as far as the umask allows.
trait PermissionsOfUmask {
    fn permissions_of_umask(&mut self) -> &mut Self;
}

impl PermissionsOfUmask for tempfile::Builder<'_, '_> {
    fn permissions_of_umask(&mut self) -> &mut Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            self.permissions(fs::Permissions::from_mode(0o666));
        }
        self
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The entity tag of a content.
fn tag_of(bytes: &[u8]) -> String {
    format!("{:08x}-{}", crc32fast::hash(bytes), bytes.len())
}

impl Bucket for FolderBucket {
    fn url(&self) -> &str {
        &self.url
    }

    fn fetch(&self, key: &str, known: Option<&str>) -> Result<Fetched> {
        let path = self.path(key);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_FETCH_BYTES + 1).read_to_end(&mut bytes)) {
            Ok(length) if length as u64 > MAX_FETCH_BYTES => {
                let message = format!("it has more than {MAX_FETCH_BYTES} bytes");
                return Err(Error::io(&path, "read", std::io::Error::other(message)));
            }
            Ok(_) => {}
            // A share that is not mounted looks like an empty folder, but the folder of the bucket is missing then.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Fetched::Missing),
            Err(error) => return Err(Error::io(&path, "read", error)),
        }
        let tag = tag_of(&bytes);
        Ok(if known == Some(&tag) { Fetched::Unchanged } else { Fetched::Content { bytes, tag } })
    }

    fn open(&self, key: &str) -> Result<Option<Box<dyn Read + Send>>> {
        let path = self.path(key);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, "read", error)),
        }
    }

    fn upload(&self, key: &str, from: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<()> {
        const BUFFER_BYTES: usize = 1 << 18;
        let read_error = |error| Error::io(from, "read", error);
        let mut source = File::open(from).map_err(read_error)?;
        self.replace(key, |file| {
            let mut buffer = vec![0; BUFFER_BYTES];
            loop {
                let length = source.read(&mut buffer)?;
                if length == 0 {
                    return Ok(());
                }
                file.write_all(&buffer[..length])?;
                sent(length as u64);
            }
        })
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        self.replace(key, |file| file.write_all(bytes))
    }

    fn swap(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Result<bool> {
        let _lock = self.lock(key)?;
        let is_expected = match (self.fetch(key, expected)?, expected) {
            (Fetched::Unchanged, _) | (Fetched::Missing, None) => true,
            (Fetched::Content { .. } | Fetched::Missing, _) => false,
        };
        if is_expected {
            self.put(key, bytes)?;
        }
        Ok(is_expected)
    }

    fn folders(&self) -> Result<Vec<String>> {
        let failed = |error: std::io::Error| Error::io(&self.folder, "read", error);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn list(&self, folder: &str) -> Result<Vec<ObjectEntry>> {
        let mut entries = Vec::new();
        let root = self.path(folder);
        match add_entries(folder, &root, &mut entries) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&root, "read", error)),
            _ => Ok(entries),
        }
    }

    fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&path, "remove", error)),
            _ => {
                // The folder of a layer that was replaced is empty at last.
                if let Some(parent) = path.parent().filter(|parent| *parent != self.folder) {
                    let _ = fs::remove_dir(parent);
                }
                Ok(())
            }
        }
    }
}

/// Adds the files below a folder, whose keys begin with `key`.
fn add_entries(key: &str, folder: &Path, entries: &mut Vec<ObjectEntry>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let key = format!("{key}/{name}");
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        if metadata.is_dir() {
            add_entries(&key, &entry.path(), entries)?;
        } else if name != FolderBucket::LOCK {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified_s = modified.map(|since| since.as_secs());
            entries.push(ObjectEntry { key, bytes: metadata.len(), modified_s });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn content(bucket: &FolderBucket, key: &str) -> Option<(Vec<u8>, String)> {
        match bucket.fetch(key, None).unwrap() {
            Fetched::Content { bytes, tag } => Some((bytes, tag)),
            _ => None,
        }
    }

    #[test]
    fn only_the_writer_that_knows_the_object_replaces_it() {
        let home = tempfile::tempdir().unwrap();
        let bucket = FolderBucket::new(&home.path().join("maps")).unwrap();
        assert!(bucket.folders().is_err() && bucket.list("trips").unwrap().is_empty());
        assert!(bucket.swap("trips/manifest.json", b"one", None).unwrap());
        assert!(!bucket.swap("trips/manifest.json", b"two", None).unwrap());
        assert!(!bucket.swap("trips/manifest.json", b"two", Some("other")).unwrap());
        let (bytes, tag) = content(&bucket, "trips/manifest.json").unwrap();
        assert_eq!(bytes, b"one");
        assert_eq!(bucket.fetch("trips/manifest.json", Some(&tag)).unwrap(), Fetched::Unchanged);
        assert!(bucket.swap("trips/manifest.json", b"three", Some(&tag)).unwrap());
        assert!(!bucket.swap("trips/manifest.json", b"four", Some(&tag)).unwrap());
        assert_eq!(content(&bucket, "trips/manifest.json").unwrap().0, b"three");
        assert!(!bucket.swap("other/manifest.json", b"one", Some(&tag)).unwrap());
    }

    #[test]
    fn objects_are_listed_read_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let bucket = FolderBucket::new(&home.path().join("maps")).unwrap();
        let file = home.path().join("file");
        fs::write(&file, vec![7; 600_000]).unwrap();
        let sent = std::sync::atomic::AtomicU64::new(0);
        let add = |bytes| {
            sent.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
        };
        bucket.upload("trips/a/1", &file, &add).unwrap();
        bucket.put("trips/a/2", b"two").unwrap();
        assert_eq!((bucket.folders().unwrap(), sent.into_inner()), (vec!["trips".to_owned()], 600_000));
        let mut listed: Vec<_> =
            bucket.list("trips").unwrap().into_iter().map(|entry| (entry.key, entry.bytes)).collect();
        listed.sort();
        assert_eq!(listed, [("trips/a/1".to_owned(), 600_000), ("trips/a/2".to_owned(), 3)]);
        let mut text = String::new();
        bucket.open("trips/a/2").unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert!(text == "two" && bucket.open("trips/a/3").unwrap().is_none());
        bucket.delete("trips/a/1").unwrap();
        bucket.delete("trips/a/1").unwrap();
        bucket.delete("trips/a/2").unwrap();
        assert!(!home.path().join("maps/trips/a").exists());
        assert!(FolderBucket::new(&file).is_err());
    }
}
