//! A folder of stored masks.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::MaskId;
use super::record::{BackgroundRecord, MaskRecord};
use super::value_file::{self, Layout};
use crate::error::{Error, Result};
use crate::images::{AtomicFile, sync_folder};
use crate::mask::Mask;

/// A folder of stored masks. Each mask has its own subfolder with `mask.json`, a file of values and a background file.
///
/// Creation is atomic: the subfolder is written under a temporary name and renamed. A change writes new files under new names
/// and then replaces `mask.json`, which refers to them. A killed process can leave unreferenced files, which
/// [`sweep`](Self::sweep) removes. Several processes may use one folder.
#[derive(Debug)]
pub struct MaskFolder {
    path: PathBuf,
    /// Locked from reading a record to writing it.
    writing: Mutex<()>,
}

/// An uploaded image and its size in pixels.
#[derive(Clone, Copy, Debug)]
pub struct UploadedBackground<'b> {
    /// The bytes of the image.
    pub bytes: &'b [u8],
    /// Width and height in pixels.
    pub size: (usize, usize),
}

/// The file name of the record in the folder of a mask.
const RECORD: &str = "mask.json";
/// The prefixes of the names of value and background files.
const VALUES: &str = "values-";
const BACKGROUND: &str = "background-";

impl MaskFolder {
    /// Opens the folder at `path`. It is created when the first mask is stored.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), writing: Mutex::new(()) }
    }

    /// The path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn folder_of(&self, id: MaskId) -> PathBuf {
        self.path.join(id.to_string())
    }

    /// A temporary path in the folder, which the sweep removes if it is abandoned.
    pub(super) fn staging_path(&self) -> PathBuf {
        let (begin, end) = AtomicFile::UNFINISHED;
        self.path.join(format!("{begin}{}{end}", Uuid::new_v4().simple()))
    }

    /// Stores a mask that was created at `created_s` (seconds since 1970). `describe` completes its record.
    ///
    /// # Errors
    /// [`Error::Io`] if writing fails, for example because the disk is full; nothing is stored then.
    pub fn create(
        &self,
        created_s: u64,
        mask: &Mask,
        background: Option<UploadedBackground<'_>>,
        describe: impl FnOnce(&mut MaskRecord),
    ) -> Result<(MaskId, MaskRecord)> {
        fs::create_dir_all(&self.path).map_err(|error| Error::io(&self.path, "create", error))?;
        let staging = self.staging_path();
        fs::create_dir(&staging).map_err(|error| Error::io(&staging, "create", error))?;
        let write = || {
            let mut record = MaskRecord::new(created_s, Layout::of(mask), String::new());
            write_values(&staging, mask, &mut record)?;
            write_background(&staging, background, &mut record)?;
            describe(&mut record);
            write_record(&staging, &record)?;
            let id = MaskId::random();
            let path = self.folder_of(id);
            fs::rename(&staging, &path).map_err(|error| Error::io(&path, "write", error))?;
            sync_folder(&self.path)?;
            Ok((id, record))
        };
        let written = write();
        if written.is_err() {
            // The sweep removes the rest.
            let _ = fs::remove_dir_all(&staging);
        }
        written
    }

    /// The record of a mask; `None` if there is no such mask.
    ///
    /// # Errors
    /// [`Error::Io`] if reading fails, [`Error::Input`] if the file is damaged.
    pub fn record(&self, id: MaskId) -> Result<Option<MaskRecord>> {
        let path = self.folder_of(id).join(RECORD);
        match fs::read(&path) {
            Ok(json) => {
                let record = serde_json::from_slice(&json);
                record.map(Some).map_err(|error| Error::input(&path, format!("invalid mask record: {error}")))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, "read", error)),
        }
    }

    /// Reads the values of a mask.
    ///
    /// # Errors
    /// [`Error::Io`] if the file is missing or reading fails, [`Error::Input`] if the file is damaged.
    pub fn mask(&self, id: MaskId, record: &MaskRecord) -> Result<Mask> {
        value_file::read(&self.folder_of(id).join(&record.values), record.layout)
    }

    /// Reads one value of a mask, in constant time; `None` outside the mask and for a cell without data.
    ///
    /// # Errors
    /// As [`mask`](Self::mask).
    pub fn value(&self, id: MaskId, record: &MaskRecord, row: usize, column: usize) -> Result<Option<f64>> {
        if row >= record.rows() || column >= record.columns() {
            return Ok(None);
        }
        value_file::read_value(&self.folder_of(id).join(&record.values), record.layout, (row, column))
    }

    /// Reads the background of a mask as it was uploaded; `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Io`] if the file is missing or reading fails.
    pub fn background(&self, id: MaskId, record: &MaskRecord) -> Result<Option<Vec<u8>>> {
        let Some(background) = &record.background else { return Ok(None) };
        let path = self.folder_of(id).join(&background.file);
        fs::read(&path).map(Some).map_err(|error| Error::io(&path, "read", error))
    }

    /// Applies `change` to the current record of a mask, and returns the new record; `None` if the mask does not exist. Changes
    /// within a process are serialized.
    ///
    /// # Errors
    /// Errors of `change`, and [`Error::Io`] if writing fails; the mask is unchanged then.
    pub fn change<E: From<Error>>(
        &self,
        id: MaskId,
        change: impl FnOnce(&mut MaskRecord) -> Result<(), E>,
    ) -> Result<Option<MaskRecord>, E> {
        self.replace(id, None, None, change)
    }

    /// Like [`change`](Self::change), and also replaces the values or the background.
    ///
    /// # Errors
    /// As [`change`](Self::change).
    pub fn replace<E: From<Error>>(
        &self,
        id: MaskId,
        mask: Option<&Mask>,
        background: Option<UploadedBackground<'_>>,
        change: impl FnOnce(&mut MaskRecord) -> Result<(), E>,
    ) -> Result<Option<MaskRecord>, E> {
        let folder = self.folder_of(id);
        let _writing = self.lock();
        let Some(old) = self.record(id)? else { return Ok(None) };
        let mut record = old.clone();
        let written = write_change(&folder, mask, background, &mut record, change);
        let stale = |kept: &MaskRecord, other: &MaskRecord| {
            let files = [Some(other.values.as_str()), other.background_key()];
            let kept = [Some(kept.values.as_str()), kept.background_key()];
            for file in files.into_iter().filter(|file| !kept.contains(file)).flatten() {
                // The sweep removes the rest.
                let _ = fs::remove_file(folder.join(file));
            }
        };
        match written {
            Ok(()) => {
                stale(&record, &old);
                Ok(Some(record))
            }
            Err(error) => {
                stale(&old, &record);
                Err(error)
            }
        }
    }

    /// Removes a mask, and returns whether it existed.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be removed.
    pub fn remove(&self, id: MaskId) -> Result<bool> {
        let (path, gone) = (self.folder_of(id), self.staging_path());
        let _writing = self.lock();
        match fs::rename(&path, &gone) {
            Ok(()) => {
                // The sweep removes the rest.
                let _ = fs::remove_dir_all(&gone);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(&path, "remove", error)),
        }
    }

    /// The size of the files of a mask in bytes; 0 if there is no such mask.
    pub fn bytes(&self, id: MaskId) -> u64 {
        let Ok(files) = fs::read_dir(self.folder_of(id)) else { return 0 };
        files.flatten().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }

    /// The size of the background of a mask as it was uploaded, in bytes; 0 if it has none.
    pub fn background_bytes(&self, id: MaskId, record: &MaskRecord) -> u64 {
        let path = record.background_key().map(|file| self.folder_of(id).join(file));
        path.and_then(|path| fs::metadata(path).ok()).map_or(0, |metadata| metadata.len())
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a file in the folder of a mask was written by Kiln and is not referenced by `record`.
pub(super) fn is_stale(record: &MaskRecord, name: &str) -> bool {
    let (begin, end) = AtomicFile::UNFINISHED;
    let is_ours = |prefix: &str| name.strip_prefix(prefix).is_some_and(|id| Uuid::try_parse(id).is_ok());
    let is_data = is_ours(VALUES) || is_ours(BACKGROUND);
    let is_used = name == record.values || Some(name) == record.background_key();
    is_data && !is_used || name.starts_with(begin) && name.ends_with(end)
}

/// Writes new files and the record that refers to them.
fn write_change<E: From<Error>>(
    folder: &Path,
    mask: Option<&Mask>,
    background: Option<UploadedBackground<'_>>,
    record: &mut MaskRecord,
    change: impl FnOnce(&mut MaskRecord) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(mask) = mask {
        record.layout = Layout::of(mask);
        write_values(folder, mask, record)?;
    }
    if background.is_some() {
        write_background(folder, background, record)?;
    }
    change(record)?;
    write_record(folder, record)?;
    Ok(())
}

fn write_values(folder: &Path, mask: &Mask, record: &mut MaskRecord) -> Result<()> {
    record.values = format!("{VALUES}{}", Uuid::new_v4().simple());
    (record.range, record.missing) = (mask.range(), mask.missing());
    write_file(&folder.join(&record.values), |file| value_file::write(mask, file))
}

fn write_background(folder: &Path, background: Option<UploadedBackground<'_>>, record: &mut MaskRecord) -> Result<()> {
    let Some(UploadedBackground { bytes, size: (width, height) }) = background else { return Ok(()) };
    let file = format!("{BACKGROUND}{}", Uuid::new_v4().simple());
    write_file(&folder.join(&file), |opened| opened.write_all(bytes))?;
    record.background = Some(BackgroundRecord { file, width, height });
    Ok(())
}

fn write_file(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    written.map_err(|error| Error::io(path, "write", error))
}

/// Replaces the record in a folder atomically, also across a power failure.
fn write_record(folder: &Path, record: &MaskRecord) -> Result<()> {
    let path = folder.join(RECORD);
    let json = serde_json::to_vec(record).map_err(|error| Error::input(&path, error.to_string()))?;
    let mut file = AtomicFile::create(&path)?;
    file.file().write_all(&json).map_err(|error| Error::io(&path, "write", error))?;
    file.commit_durably()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::mask::Values;
    use crate::masks::MaskOptions;
    use crate::raster::Grid;

    fn mask(values: &[f32]) -> Mask {
        Mask::new(Values::Single(Grid::from_cells(values.len(), 1, values.to_vec()).unwrap())).unwrap()
    }

    fn files(folder: &MaskFolder, id: MaskId) -> usize {
        fs::read_dir(folder.folder_of(id)).unwrap().count()
    }

    #[test]
    fn a_mask_is_stored_changed_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let folder = MaskFolder::new(home.path().join("masks"));
        let background = UploadedBackground { bytes: b"picture", size: (30, 10) };
        let style = MaskOptions { opacity: Some(40.0), ..MaskOptions::default() };
        let (id, made) = folder
            .create(7, &mask(&[1.0, f32::NAN, 3.0]), Some(background), |record| record.set_style(&style))
            .unwrap();
        let record = folder.record(id).unwrap().unwrap();
        assert_eq!(record, made);
        assert_eq!((record.created_s, record.rows(), record.columns(), record.missing), (7, 1, 3, 1));
        assert_eq!((record.range, record.background_size()), (Some((1.0, 3.0)), Some((30, 10))));
        assert_eq!(record.style().unwrap(), style);
        assert_eq!(folder.background(id, &record).unwrap().unwrap(), b"picture");
        assert_eq!(folder.value(id, &record, 0, 2).unwrap(), Some(3.0));
        assert_eq!(folder.value(id, &record, 1, 0).unwrap(), None);

        let other = mask(&[5.0, 6.0]);
        let changed = folder.replace(id, Some(&other), None, |_| Ok::<_, Error>(())).unwrap().unwrap();
        assert_eq!((changed.columns(), changed.range, files(&folder, id)), (2, Some((5.0, 6.0)), 3));
        assert_ne!(changed.values_key(), record.values_key());
        assert_eq!(folder.mask(id, &changed).unwrap().value(0, 1), Some(6.0));
        assert!(folder.mask(id, &record).is_err(), "the old values are gone");

        assert!(folder.remove(id).unwrap() && !folder.remove(id).unwrap());
        assert!(folder.record(id).unwrap().is_none());
        assert!(folder.change(id, |_| Ok::<_, Error>(())).unwrap().is_none());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_rejected_change_leaves_the_mask_unchanged() {
        let home = tempfile::tempdir().unwrap();
        let folder = MaskFolder::new(home.path());
        let (id, made) = folder.create(7, &mask(&[1.0]), None, |_| ()).unwrap();
        let background = UploadedBackground { bytes: b"picture", size: (1, 1) };
        let reject = |_: &mut MaskRecord| Err(Error::Cancelled);
        assert!(folder.replace(id, Some(&mask(&[2.0])), Some(background), reject).is_err());
        assert_eq!((folder.record(id).unwrap().unwrap(), files(&folder, id)), (made.clone(), 2));
        assert_eq!(folder.value(id, &made, 0, 0).unwrap(), Some(1.0));
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let home = tempfile::tempdir().unwrap();
        let folder = MaskFolder::new(home.path());
        let (id, _) = folder.create(7, &mask(&[1.0]), None, |_| ()).unwrap();
        fs::write(folder.folder_of(id).join(RECORD), "{\"created_s\": 7").unwrap();
        assert!(folder.record(id).unwrap_err().to_string().contains("invalid mask record"));
    }
}
