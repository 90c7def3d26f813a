//! Floor plans: an opaque file next to the manifest of a layer.

use kiln_core::error::Result;

use super::Store;
use super::disk::File;
use super::layer_file::LayerFile;

/// The file in the folder of the layer.
pub(super) const FILE: LayerFile = LayerFile { name: "floorplan", unfinished: "floorplan.new" };

impl Store {
    /// Opens the floor plan of the layer `name`; `None` if there is no such layer, or it has none.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if the name is invalid; [`Error::Io`](kiln_core::Error::Io) if the
    /// file cannot be opened.
    #[cfg_attr(test, allow(private_interfaces, reason = "tests have files of simulated disks"))]
    pub fn floor_plan(&self, name: &str) -> Result<Option<File>> {
        FILE.open(self, name)
    }

    /// Replaces the floor plan of the layer `name` by the concatenation of `parts`, atomically, and syncs it to disk.
    /// Returns whether the layer had one; `None` if there is no such layer.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if the name is invalid; [`Error::Io`](kiln_core::Error::Io) if
    /// writing fails. The previous plan is then unchanged.
    pub fn set_floor_plan(&self, name: &str, parts: &[&[u8]]) -> Result<Option<bool>> {
        FILE.replace(self, name, parts)
    }

    /// Removes the floor plan of the layer `name`. Returns whether it had one.
    ///
    /// # Errors
    /// [`Error::Invalid`](kiln_core::Error::Invalid) if the name is invalid; [`Error::Io`](kiln_core::Error::Io) if the
    /// file cannot be removed.
    pub fn remove_floor_plan(&self, name: &str) -> Result<bool> {
        FILE.remove(self, name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
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
        fs::write(folder.path().join("floor").join(FILE.unfinished), "torn").unwrap();
        store.sweep();
        assert!(!folder.path().join("floor").join(FILE.unfinished).exists());
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
        fs::create_dir(folder.path().join("floor").join(FILE.unfinished)).unwrap();
        let error = store.set_floor_plan("floor", &[b"new"]).unwrap_err().to_string();
        assert!(error.contains("floorplan") && error.contains("write"), "{error}");
        assert_eq!(plan(&store, "floor").unwrap(), b"old");
    }
}
