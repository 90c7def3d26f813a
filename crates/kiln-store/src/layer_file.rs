//! Files next to the manifest of a layer, such as its floor plan.
//!
//! Such a file goes with its layer: a removal of the layer removes it, and imports, compaction and the sweep keep it.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use kiln_core::error::{Error, Result};
use kiln_core::layer_name;

use super::Store;
use super::disk::{self, File, sync_folder};
use super::lock::lock_layer;
use super::manifest;

/// A file in the folder of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerFile {
    /// The name of the file.
    pub(super) name: &'static str,
    /// The name of the file while it is being written.
    pub(super) unfinished: &'static str,
}

impl LayerFile {
    /// Opens the file of a layer; `None` if there is no such layer, or it has none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name of the layer is invalid; [`Error::Io`] if the file cannot be opened.
    pub(super) fn open(self, store: &Store, layer: &str) -> Result<Option<File>> {
        let path = folder_of(store, layer)?.join(self.name);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, "read", error)),
        }
    }

    /// Replaces the file of a layer by the concatenation of `parts`, atomically, and syncs it to disk. Returns whether the
    /// layer had one; `None` if there is no such layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name of the layer is invalid; [`Error::Io`] if writing fails. The previous file is then
    /// unchanged.
    pub(super) fn replace(self, store: &Store, layer: &str, parts: &[&[u8]]) -> Result<Option<bool>> {
        let folder = folder_of(store, layer)?;
        let manifest = folder.join(manifest::FILE);
        if !disk::try_exists(&manifest).map_err(|error| Error::io(&manifest, "read", error))? {
            return Ok(None);
        }
        let _lock = lock_layer(&folder)?;
        store.check_claim()?;
        let (path, unfinished) = (folder.join(self.name), folder.join(self.unfinished));
        let existed = disk::exists(&path);
        match write(&folder, &unfinished, &path, parts) {
            Ok(()) => Ok(Some(existed)),
            // The layer was removed concurrently.
            Err(_) if !disk::exists(&folder.join(manifest::FILE)) => Ok(None),
            Err(error) => {
                let _ = disk::remove_file(&unfinished);
                Err(Error::io(&path, "write", error))
            }
        }
    }

    /// Removes the file of a layer. Returns whether it had one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name of the layer is invalid; [`Error::Io`] if the file cannot be removed.
    pub(super) fn remove(self, store: &Store, layer: &str) -> Result<bool> {
        let folder = folder_of(store, layer)?;
        let path = folder.join(self.name);
        let failed = |error| Error::io(&path, "remove", error);
        if !disk::try_exists(&path).map_err(failed)? {
            return Ok(false);
        }
        let _lock = lock_layer(&folder)?;
        store.check_claim()?;
        match disk::remove_file(&path) {
            Ok(()) => sync_folder(&folder).map(|()| true).map_err(failed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The folder of a layer, whose name is valid and leads out of no folder.
fn folder_of(store: &Store, layer: &str) -> Result<PathBuf> {
    layer_name::check(layer)?;
    Ok(store.folder().join(layer))
}

fn write(folder: &Path, unfinished: &Path, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut file = File::create(unfinished)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    disk::rename(unfinished, path)?;
    sync_folder(folder)
}
