//! Layers on the disk: points that stay, in files that other tools can read.
//!
//! ```text
//! store/cities/manifest.json           what the layer is made of; swapped whole
//!              00000001.points.arrow   a segment's points in Z-order: x, y, weight, time, category
//!              00000001.bins.arrow     their sums per cell of each zoom, where there are many
//! ```
//!
//! A write makes a new segment beside the layer, puts it on the disk, and then swaps the manifest under the layer's lock:
//! it is acknowledged after that, and until then nothing of it is seen. Writes that come at once share one such commit.
//! Segments never change; small ones are merged into larger ones, which swaps the manifest again. Whoever reads holds
//! a [`Snapshot`], which nothing changes. Processes may share a store: a server, and commands beside it.
//!
//! A picture is summed up from blocks of cells, squares of the quadtree, where there are more points than cells, and from
//! the points themselves elsewhere. So what it costs depends on its pixels, not on the number of points.

mod arrow_file;
mod blocks;
mod build;
mod filter;
mod gather;
mod import;
mod layer;
mod lock;
mod manifest;
mod merge;
mod points;
mod progress;
mod queue;
mod requests;
mod rows;
mod sample;
mod scan;
mod segment;
mod snapshot;
mod staging;
mod sweep;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

pub use import::{Batch, Existing, Imported};
pub use layer::StoredLayer;
pub use manifest::Description;
pub use progress::{Progress, Stage};
pub use queue::Appended;
pub use requests::Request;
pub use snapshot::{Damage, Snapshot, Summary};

use crate::error::{Error, Result};

/// A folder of layers.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    layers: RwLock<BTreeMap<String, Arc<StoredLayer>>>,
    /// Held by the server that serves the store.
    server: Mutex<Option<File>>,
}

impl Store {
    /// Opens the store in a folder, which need not be there: the first layer makes it.
    ///
    /// # Errors
    /// [`Error::Input`] if it is something else than a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        if folder.exists() && !folder.is_dir() {
            return Err(Error::input(folder, "it is not a folder, so no store"));
        }
        let folder = folder.to_owned();
        Ok(Self { folder, layers: RwLock::default(), server: Mutex::default() })
    }

    /// Opens the store for the one server that serves it: a second one is refused until the first has ended. A folder
    /// that is not there yet is not made, so that who only serves files finds nothing new beside them; layers that
    /// others make in it later are served, and whoever [claims](Self::claim) it first has it.
    ///
    /// # Errors
    /// [`Error::Input`] if another server has it; [`Error::Io`] if the folder cannot be written.
    pub fn open_for_server(folder: &Path) -> Result<Self> {
        let store = Self::open(folder)?;
        if folder.exists() {
            store.claim()?;
            store.sweep();
        }
        Ok(store)
    }

    /// Makes sure that no other server has the store, as long as this one is open. The folder is made if it is not
    /// there.
    ///
    /// # Errors
    /// As [`open_for_server`](Self::open_for_server).
    pub fn claim(&self) -> Result<()> {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if server.is_some() {
            return Ok(());
        }
        let path = self.folder.join("server.lock");
        let refused = |error| Error::io(&path, "lock", error);
        manifest::create_folder(&self.folder).map_err(refused)?;
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let why = "another server has this store; stop it, or serve it here with --read-only";
                return Err(Error::input(&self.folder, why));
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        *server = Some(lock);
        Ok(())
    }

    /// Removes what processes left behind that came to a sudden end. What others are at stays.
    pub fn sweep(&self) {
        sweep::sweep(&self.folder);
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The names of all layers.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let refused = |error| Error::io(&self.folder, "read", error);
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(refused(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(refused)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if is_name(&name) && entry.path().join(manifest::FILE).exists() {
                names.push(name);
            }
        }
        names.sort_unstable();
        // What was removed is let go, so that its room on the disk is free.
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|name, _| names.binary_search(name).is_ok());
        Ok(names)
    }

    /// The layer `name`; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Input`] if its manifest is damaged; [`Error::Io`] if it cannot be read.
    pub fn layer(&self, name: &str) -> Result<Option<Arc<StoredLayer>>> {
        let is_there = self.folder.join(name).join(manifest::FILE).exists();
        if !is_name(name) || !is_there {
            self.layers.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            return Ok(None);
        }
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(layer) = layers.get(name) {
            return Ok(Some(Arc::clone(layer)));
        }
        let Some(layer) = StoredLayer::open(&self.folder, name)? else { return Ok(None) };
        let layer = Arc::new(layer);
        layers.insert(name.to_owned(), Arc::clone(&layer));
        Ok(Some(layer))
    }

    /// Makes a layer without points.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is none, or taken; [`Error::Io`] if the folder cannot be written.
    pub fn create(&self, name: &str, description: Description) -> Result<Arc<StoredLayer>> {
        self.create_with(name, description, |_| Ok(()))?;
        let missing = || Error::input(self.folder.join(name), "the layer was removed meanwhile");
        self.layer(name)?.ok_or_else(missing)
    }

    /// Makes a layer that `fill` brings points into before anybody else sees it: it is there with all of them, or, where
    /// `fill` fails or the process ends, not at all. Answers what `fill` does.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is none, or taken; [`Error::Io`] if the folder cannot be written; those of `fill`.
    pub fn create_with<T>(
        &self,
        name: &str,
        description: Description,
        fill: impl FnOnce(&StoredLayer) -> Result<T>,
    ) -> Result<T> {
        if !is_name(name) {
            return Err(Error::invalid("layer", "a layer's name has 1 to 64 letters A-Z, a-z, digits, _ or -"));
        }
        layer::create(&self.folder, name, description, fill)
    }

    /// Removes a layer with all its points. Answers whether there was one.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be written.
    pub fn remove(&self, name: &str) -> Result<bool> {
        if !is_name(name) || !self.folder.join(name).is_dir() {
            return Ok(false);
        }
        layer::remove(&self.folder, name)?;
        self.layers.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(true)
    }
}

/// Whether a layer may be called that: nothing that leads out of the folder.
fn is_name(name: &str) -> bool {
    const MAX_BYTES: usize = 64;
    let fits = (1..=MAX_BYTES).contains(&name.len());
    fits && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}
