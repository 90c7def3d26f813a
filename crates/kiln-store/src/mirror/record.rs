//! The record of a mirror in its folder: which bucket it copies, and how far.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Store;
use crate::disk::{self, File};
use kiln_core::error::{Error, Result};

/// The file in the folder of a mirror.
const FILE: &str = "replica.json";
/// The interval in seconds at which the time of the last contact is saved.
const SAVE_EVERY_S: u64 = 60;

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The URL of the bucket, without secrets.
    bucket: String,
    /// Whether all layers were copied once.
    pub(super) is_complete: bool,
    /// The time of the last contact in Unix seconds.
    pub(super) contact_s: Option<u64>,
}

/// Whether a folder has a record.
pub(super) fn exists(folder: &Path) -> bool {
    disk::exists(&folder.join(FILE))
}

/// The bucket of the record in a folder; `None` without a valid one.
pub(super) fn bucket(folder: &Path) -> Option<String> {
    let path = folder.join(FILE);
    let text = disk::read_to_string(&path).ok()?;
    serde_json::from_str::<Saved>(&text).ok().map(|saved| saved.bucket).filter(|bucket| !bucket.is_empty())
}

/// The record of a mirror.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    saved: Mutex<Saved>,
    /// Whether the file exists: it is created at the first contact with the bucket.
    is_written: AtomicBool,
}

impl Record {
    /// Opens the record in the folder of a mirror of `bucket`.
    ///
    /// # Errors
    /// [`Error::Input`] if the folder has copies of another bucket, or layers of a store; [`Error::Io`] if it cannot be read.
    pub(super) fn open(folder: &Path, bucket: &str, store: &Store) -> Result<Self> {
        let path = folder.join(FILE);
        let text = match disk::read_to_string(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io(&path, "read", error)),
        };
        // After a power cut it may be empty: all layers are checked then before the mirror is ready.
        let saved = text.as_deref().map(|text| serde_json::from_str::<Saved>(text).unwrap_or_default());
        match &saved {
            None if !store.names()?.is_empty() => {
                let reason = "the folder has layers of a store; the cache of a bucket needs a folder of its own";
                return Err(Error::input(folder, reason));
            }
            // A folder without copies may become that of another bucket.
            Some(saved)
                if !["", bucket].contains(&saved.bucket.as_str())
                    && (saved.is_complete || !store.names()?.is_empty()) =>
            {
                let reason = format!(
                    "the folder is the cache of {}, not of {bucket}; choose another folder, or remove this one",
                    saved.bucket
                );
                return Err(Error::input(folder, reason));
            }
            _ => {}
        }
        let is_known = saved.as_ref().is_some_and(|saved| saved.bucket == bucket);
        let saved = Saved { bucket: bucket.to_owned(), ..saved.filter(|_| is_known).unwrap_or_default() };
        Ok(Self { path, saved: Mutex::new(saved), is_written: AtomicBool::new(is_known) })
    }

    /// The content as it was saved.
    pub(super) fn saved(&self) -> Saved {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Saves the time of the last contact from time to time, and at once that all layers were copied. A failure is not
    /// reported: the record is written again.
    pub(super) fn save(&self, contact_s: Option<u64>, is_complete: bool) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = contact_s.unwrap_or(0).abs_diff(saved.contact_s.unwrap_or(0)) >= SAVE_EVERY_S;
        let is_written = self.is_written.load(Ordering::Relaxed);
        if is_due || saved.is_complete != is_complete || !is_written {
            self.replace(&mut saved, contact_s, is_complete);
        }
    }

    /// Saves the time of the last contact before the process ends, unless there was none.
    pub(super) fn save_at_end(&self, contact_s: Option<u64>, is_complete: bool) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        if contact_s.is_some() && saved.contact_s != contact_s && self.is_written.load(Ordering::Relaxed) {
            self.replace(&mut saved, contact_s, is_complete);
        }
    }

    fn replace(&self, saved: &mut Saved, contact_s: Option<u64>, is_complete: bool) {
        let new = Saved { bucket: saved.bucket.clone(), is_complete, contact_s };
        if self.write(&new).is_ok() {
            *saved = new;
            self.is_written.store(true, Ordering::Relaxed);
        }
    }

    fn write(&self, saved: &Saved) -> std::io::Result<()> {
        let unfinished = self.path.with_extension("json.part");
        let mut file = File::create(&unfinished)?;
        file.write_all(serde_json::to_string(saved)?.as_bytes())?;
        file.sync_all()?;
        disk::rename(&unfinished, &self.path)
    }
}
