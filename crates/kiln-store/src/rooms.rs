//! Rooms: an opaque file next to the manifest of a layer.

use std::io::{ErrorKind, Read};

use kiln_core::error::{Error, Result};

use super::Store;
use super::layer_file::LayerFile;
use super::seal::{seal, unseal};

/// The file in the folder of the layer.
pub(super) const FILE: LayerFile = LayerFile { name: "rooms.geojson", unfinished: "rooms.geojson.new" };

impl Store {
    /// Reads the rooms of the layer `name`; `None` if there is no such layer, or it has none.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if the file cannot be read; [`Error::Damaged`] if
    /// it is damaged.
    pub fn rooms(&self, name: &str) -> Result<Option<String>> {
        let Some(mut file) = FILE.open(self, name)? else { return Ok(None) };
        let path = || self.folder().join(name).join(FILE.name);
        let damaged = |reason: &str| Error::damaged(path(), reason);
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => damaged("it is not valid UTF-8"),
            _ => Error::io(path(), "read", error),
        })?;
        unseal(text).map(Some).map_err(damaged)
    }

    /// Replaces the rooms of the layer `name`, atomically, and syncs them to disk. Returns whether the layer had rooms;
    /// `None` if there is no such layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if writing fails. The previous rooms are then unchanged.
    pub fn set_rooms(&self, name: &str, text: &str) -> Result<Option<bool>> {
        FILE.replace(self, name, &[&seal(text), text.as_bytes()])
    }

    /// Removes the rooms of the layer `name`. Returns whether it had rooms.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if the file cannot be removed.
    pub fn remove_rooms(&self, name: &str) -> Result<bool> {
        FILE.remove(self, name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Description;

    #[test]
    fn rooms_are_replaced_kept_by_sweeps_and_go_with_their_layer() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.set_rooms("floor", "{}").unwrap(), None, "there is no such layer");
        store.create("floor", Description::default()).unwrap();
        assert_eq!((store.rooms("floor").unwrap(), store.remove_rooms("floor").unwrap()), (None, false));
        assert_eq!(store.set_rooms("floor", "{}").unwrap(), Some(false));
        assert_eq!(store.set_rooms("floor", "[]").unwrap(), Some(true));
        std::fs::write(folder.path().join("floor").join(FILE.unfinished), "torn").unwrap();
        store.sweep();
        assert!(!folder.path().join("floor").join(FILE.unfinished).exists());
        assert_eq!(Store::open(folder.path()).unwrap().rooms("floor").unwrap().as_deref(), Some("[]"));
        assert!(store.remove("floor").unwrap());
        store.create("floor", Description::default()).unwrap();
        assert_eq!(store.rooms("floor").unwrap(), None);
        assert!(store.rooms("../floor").is_err());
    }
}
