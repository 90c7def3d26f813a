//! Layers by name.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::{Layer, LayerSpec, StyleOptions};
use crate::error::{Error, Result};
use crate::source::{Columns, Ground};
use crate::store::{Snapshot, Store};

/// All layers: those of inputs, which stay as they are, and those of a store, which come, change and go.
#[derive(Debug, Default)]
pub struct Catalog {
    layers: BTreeMap<String, Arc<Layer>>,
    store: Option<Store>,
    /// The layers of the store as they were last seen.
    stored: RwLock<BTreeMap<String, Arc<Layer>>>,
}

impl Catalog {
    /// The layers of inputs, of which each has a name of its own, and those of a store. Where both have a name, it is the
    /// one of the inputs.
    pub fn new(layers: impl IntoIterator<Item = Layer>, store: Option<Store>) -> Self {
        let layers = layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect();
        Self { layers, store, stored: RwLock::default() }
    }

    /// The store, if there is one.
    pub fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// All layers, by name. Those of the store that cannot be read are told in the log, and left out.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        let stored = self.store.iter().flat_map(|store| {
            store.names().unwrap_or_else(|error| {
                tracing::error!(%error, "the store cannot be read");
                Vec::new()
            })
        });
        let mut names: Vec<String> = self.layers.keys().cloned().chain(stored).collect();
        names.sort_unstable();
        names.dedup();
        // A layer that was removed takes room on the disk as long as somebody has it open.
        let mut all = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|name, _| names.binary_search(name).is_ok());
        drop(all);
        names
            .iter()
            .filter_map(|name| self.find(name).inspect_err(|error| tracing::error!(%error, "{name}")).ok()?)
            .collect()
    }

    /// The layer `name` as it is now; `None` if there is none.
    ///
    /// # Errors
    /// If it is in the store, and cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        if let Some(layer) = self.layers.get(name) {
            return Ok(Some(Arc::clone(layer)));
        }
        let Some(store) = &self.store else { return Ok(None) };
        let Some(stored) = store.layer(name)? else {
            self.stored.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            return Ok(None);
        };
        let snapshot = stored.snapshot();
        let is_same = |layer: &&Arc<Layer>| layer.snapshot().is_some_and(|seen| Arc::ptr_eq(seen, &snapshot));
        let seen = self.stored.read().unwrap_or_else(PoisonError::into_inner).get(name).filter(is_same).cloned();
        if let Some(seen) = seen {
            return Ok(Some(seen));
        }
        let mut all = self.stored.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have been faster, and nobody's shadings are to be lost.
        if let Some(seen) = all.get(name).filter(is_same) {
            return Ok(Some(Arc::clone(seen)));
        }
        let layer = Arc::new(Layer::stored(spec(name, &snapshot)?, snapshot));
        all.insert(name.to_owned(), Arc::clone(&layer));
        Ok(Some(layer))
    }
}

/// What a stored layer is called, and how it is drawn.
fn spec(name: &str, snapshot: &Snapshot) -> Result<LayerSpec> {
    let description = snapshot.description();
    let mut style = StyleOptions::default();
    for (parameter, text) in &description.style {
        if !style.set(parameter, text)? {
            return Err(Error::invalid(
                "style",
                format!("the layer `{name}` has a style with an unknown `{parameter}`"),
            ));
        }
    }
    Ok(LayerSpec {
        name: name.to_owned(),
        inputs: Vec::new(),
        title: description.title.clone(),
        attribution: description.attribution.clone(),
        columns: Columns { weight: description.weight.clone(), ..Columns::default() },
        ground: Ground::Globe,
        style,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::Description;

    #[test]
    fn layers_of_a_store_that_were_removed_are_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Store::open(folder.path()).unwrap();
        let catalog = Catalog::new([], Some(Store::open(folder.path()).unwrap()));
        let names = ["asked-for", "listed"];
        let held = names.map(|name| {
            elsewhere.create(name, Description::default()).unwrap();
            let stored = catalog.store().unwrap().layer(name).unwrap().unwrap();
            (Arc::downgrade(&catalog.find(name).unwrap().unwrap()), Arc::downgrade(&stored))
        });
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() > 0 && stored.strong_count() > 0));
        assert!(names.iter().all(|name| elsewhere.remove(name).unwrap()));
        assert!(catalog.find("asked-for").unwrap().is_none());
        assert!(catalog.layers().is_empty());
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() + stored.strong_count() == 0));
    }
}
