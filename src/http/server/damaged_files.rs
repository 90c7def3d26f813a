//! Damaged files next to the manifests of layers: rooms and floor plans, which are read by requests only.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::app::App;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::store::Damage;

/// A file next to the manifest of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LayerFile {
    Rooms,
    FloorPlan,
}

/// The files that reads have found to be damaged, by layer.
#[derive(Debug, Default)]
pub(crate) struct DamagedFiles(Mutex<BTreeSet<(String, LayerFile)>>);

impl DamagedFiles {
    /// Records the result of a read of a file: damage is logged when it is found.
    pub(super) fn record<T>(&self, layer: &str, file: LayerFile, read: &Result<T>) {
        let Err(error @ Error::Damaged { .. }) = read else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.insert((layer.to_owned(), file)) {
            tracing::error!(layer, "{error}");
        }
    }

    fn known(&self) -> BTreeSet<(String, LayerFile)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self, file: &(String, LayerFile)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(file);
    }
}

impl App {
    /// The layers with a damaged file that a request has found, each with the reason. The files are read again, since they may
    /// have been replaced.
    pub(crate) fn damaged_files(&self) -> Vec<(String, String)> {
        let reason = |layer: &Layer, file| match file {
            LayerFile::Rooms => self.rooms_of(layer).err(),
            LayerFile::FloorPlan => self.floor_plan_image(layer).err(),
        };
        let mut damaged = Vec::new();
        for known in self.damaged_files.known() {
            let (name, file) = &known;
            let layer = self.catalog.find(name).ok().flatten();
            match layer.and_then(|layer| reason(&layer, *file)) {
                Some(error) => damaged.push((name.clone(), Damage::public_reason_of(&error))),
                None => self.damaged_files.forget(&known),
            }
        }
        damaged
    }
}
