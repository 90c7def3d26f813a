//! Floor plans: an opaque file beside the manifest of a layer.
//!
//! The file goes with its layer: a removal of the layer removes it, and imports, compaction and the sweep keep it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use kiln_core::error::{Error, Result};
use kiln_core::layer_name;

use super::Store;
use super::lock::lock_layer;
use super::manifest::{self, sync_folder};

/// The name of the file in the folder of the layer.
const FILE: &str = "floorplan";
/// The name of a file that is being written.
pub(super) const UNFINISHED: &str = "floorplan.new";

impl Store {
    /// Opens the floor plan of the layer `name`; `None` if there is no such layer, or it has none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if the file cannot be opened.
    pub fn floor_plan(&self, name: &str) -> Result<Option<File>> {
        let path = self.plan_folder(name)?.join(FILE);
        match File::open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, "read", error)),
        }
    }

    /// Replaces the floor plan of the layer `name` by the concatenation of `parts`, atomically, and syncs it to disk.
    /// Returns whether the layer had one; `None` if there is no such layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if writing fails. The previous plan is then unchanged.
    pub fn set_floor_plan(&self, name: &str, parts: &[&[u8]]) -> Result<Option<bool>> {
        let folder = self.plan_folder(name)?;
        if !folder.join(manifest::FILE).exists() {
            return Ok(None);
        }
        let _lock = lock_layer(&folder)?;
        let (path, unfinished) = (folder.join(FILE), folder.join(UNFINISHED));
        let existed = path.exists();
        match write(&folder, &unfinished, &path, parts) {
            Ok(()) => Ok(Some(existed)),
            // The layer was removed concurrently.
            Err(_) if !folder.join(manifest::FILE).exists() => Ok(None),
            Err(error) => {
                let _ = fs::remove_file(&unfinished);
                Err(Error::io(&path, "write", error))
            }
        }
    }

    /// Removes the floor plan of the layer `name`. Returns whether it had one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if the file cannot be removed.
    pub fn remove_floor_plan(&self, name: &str) -> Result<bool> {
        let folder = self.plan_folder(name)?;
        let path = folder.join(FILE);
        let failed = |error| Error::io(&path, "remove", error);
        if !path.exists() {
            return Ok(false);
        }
        let _lock = lock_layer(&folder)?;
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&folder).map(|()| true).map_err(failed),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// The folder of the layer `name`, which is valid and leads out of no folder.
    fn plan_folder(&self, name: &str) -> Result<PathBuf> {
        layer_name::check(name)?;
        Ok(self.folder().join(name))
    }
}

fn write(folder: &Path, unfinished: &Path, path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut file = File::create(unfinished)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    fs::rename(unfinished, path)?;
    sync_folder(folder)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use super::*;
    use kiln_core::geo::Points;

    use crate::{Batch, Description, Progress};

    fn plan(store: &Store, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        store.floor_plan(name).unwrap()?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    #[test]
    fn a_floor_plan_survives_writes_compaction_and_sweeps_and_goes_with_its_layer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.set_floor_plan("floor", &[b"x"]).unwrap(), None, "there is no such layer");
        let layer = store.create("floor", Description::default()).unwrap();
        assert_eq!((plan(&store, "floor"), store.remove_floor_plan("floor").unwrap()), (None, false));
        assert_eq!(store.set_floor_plan("floor", &[b"head", b"image"]).unwrap(), Some(false));
        for x in 0..4 {
            let lon = [f64::from(x)];
            let mut batch = Batch::default();
            batch.add(Points::new(&lon, &lon).unwrap());
            layer.append(batch, None).unwrap();
        }
        layer.compact(1, &Progress::default()).unwrap();
        fs::write(folder.path().join("floor").join(UNFINISHED), "torn").unwrap();
        store.sweep();
        assert!(!folder.path().join("floor").join(UNFINISHED).exists());
        assert_eq!(plan(&Store::open(folder.path()).unwrap(), "floor").unwrap(), b"headimage");
        assert_eq!(store.set_floor_plan("floor", &[b"new"]).unwrap(), Some(true));
        assert_eq!(plan(&store, "floor").unwrap(), b"new");
        assert!(store.remove("floor").unwrap());
        store.create("floor", Description::default()).unwrap();
        assert_eq!(plan(&store, "floor"), None);
        store.set_floor_plan("floor", &[b"again"]).unwrap();
        assert!(store.remove_floor_plan("floor").unwrap());
        assert_eq!(plan(&store, "floor"), None);
        assert!(store.floor_plan("../floor").is_err() && store.set_floor_plan("a/b", &[]).is_err());
    }

    #[test]
    fn a_plan_that_cannot_be_written_leaves_the_previous_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.create("floor", Description::default()).unwrap();
        store.set_floor_plan("floor", &[b"old"]).unwrap();
        // A folder in place of the temporary file, which also fails where tests run as root.
        fs::create_dir(folder.path().join("floor").join(UNFINISHED)).unwrap();
        let error = store.set_floor_plan("floor", &[b"new"]).unwrap_err().to_string();
        assert!(error.contains("floorplan") && error.contains("write"), "{error}");
        assert_eq!(plan(&store, "floor").unwrap(), b"old");
    }
}
