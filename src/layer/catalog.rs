//! Layers by name.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Layer, LayerSpec, Selection, StyleOptions};
use crate::error::{Error, Result};
use crate::layer_name;
use crate::postgis::LiveTable;
use crate::source::{Columns, Ground};
use crate::store::{Snapshot, Store};

/// A live table that is a layer.
#[derive(Debug)]
pub struct LiveEntry {
    /// What the layer is called, and how it is drawn.
    pub spec: LayerSpec,
    /// Its points.
    pub table: Arc<LiveTable>,
}

/// Some of a layer's points that are a layer for a while.
#[derive(Clone, Debug)]
pub struct SelectedEntry {
    /// The name of the layer that they are of.
    pub of: String,
    /// Which points.
    pub selection: Selection,
    /// How many there were when they were counted.
    pub points: u64,
    /// When they are gone, in Unix seconds.
    pub expires_s: u64,
}

/// All layers: those of inputs, which stay as they are, live tables, which change, and those of a store, which come, change
/// and go.
#[derive(Debug, Default)]
pub struct Catalog {
    layers: BTreeMap<String, Arc<Layer>>,
    live: BTreeMap<String, LiveEntry>,
    selected: RwLock<BTreeMap<String, SelectedEntry>>,
    store: Option<Store>,
    /// The layers of the store and the live tables as they were last seen.
    seen: RwLock<BTreeMap<String, Arc<Layer>>>,
}

impl Catalog {
    /// The layers of inputs, of which each has a name of its own, and those of a store. Where both have a name, it is the
    /// one of the inputs.
    pub fn new(layers: impl IntoIterator<Item = Layer>, store: Option<Store>) -> Self {
        let layers = layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect();
        Self { layers, store, ..Self::default() }
    }

    /// The same with live tables, of which each has a name of its own.
    #[must_use]
    pub fn with_live(self, tables: impl IntoIterator<Item = LiveEntry>) -> Self {
        let live = tables.into_iter().map(|entry| (entry.spec.name.clone(), entry)).collect();
        Self { live, ..self }
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
        let mut names: Vec<String> = self.layers.keys().chain(self.live.keys()).cloned().chain(stored).collect();
        names.sort_unstable();
        names.dedup();
        // A layer that was removed takes room on the disk as long as somebody has it open.
        let selected = self.selected.read().unwrap_or_else(PoisonError::into_inner);
        let is_there = |name: &String| names.binary_search(name).is_ok() || selected.contains_key(name);
        self.seen.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_there(name));
        drop(selected);
        names
            .iter()
            .filter_map(|name| self.find(name).inspect_err(|error| tracing::error!(%error, "{name}")).ok()?)
            .collect()
    }

    /// Makes some of a layer's points a layer called `name`, which no other layer has, until its time is over. Those whose
    /// time is over by now go; of more than `most`, those go that would the soonest.
    pub fn select(&self, name: &str, entry: SelectedEntry, now_s: u64, most: usize) {
        let mut selected = self.selected.write().unwrap_or_else(PoisonError::into_inner);
        selected.insert(name.to_owned(), entry);
        let mut gone: Vec<String> =
            selected.iter().filter(|(_, entry)| entry.expires_s <= now_s).map(|(name, _)| name.clone()).collect();
        let mut rest: Vec<(u64, String)> = selected
            .iter()
            .filter(|(other, entry)| entry.expires_s > now_s && *other != name)
            .map(|(name, entry)| (entry.expires_s, name.clone()))
            .collect();
        rest.sort_unstable();
        rest.truncate((rest.len() + 1).saturating_sub(most.max(1)));
        gone.extend(rest.into_iter().map(|(_, name)| name));
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        for name in gone {
            selected.remove(&name);
            seen.remove(&name);
        }
    }

    /// The selection `name` as it is now; `None` if there is none, or its time is over at `now_s`.
    fn selected(&self, name: &str, now_s: u64) -> Result<Option<Arc<Layer>>> {
        let entry = self.selected.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some(entry) = entry.filter(|entry| entry.expires_s > now_s) else { return Ok(None) };
        let Some(of) = self.find(&entry.of)? else { return Ok(None) };
        let is_same = |layer: &Layer| layer.selected_of().is_some_and(|seen| Arc::ptr_eq(seen, &of));
        let make = || Ok(Layer::selected(name, Arc::clone(&of), entry.selection.clone(), entry.points));
        self.seen(name, is_same, make).map(Some)
    }

    /// The layer `name` as it is now; `None` if there is none.
    ///
    /// # Errors
    /// If it is in the store, and cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        if let Some(layer) = self.layers.get(name) {
            return Ok(Some(Arc::clone(layer)));
        }
        if let Some(LiveEntry { spec, table }) = self.live.get(name) {
            let snapshot = table.snapshot();
            let is_same = |layer: &Layer| layer.live_snapshot().is_some_and(|seen| Arc::ptr_eq(seen, &snapshot));
            return self.seen(name, is_same, || Ok(Layer::live(spec.clone(), Arc::clone(&snapshot)))).map(Some);
        }
        if self.selected.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            return self.selected(name, now_s());
        }
        let Some(store) = self.store.as_ref().filter(|_| layer_name::is_valid(name)) else { return Ok(None) };
        let Some(stored) = store.layer(name)? else {
            self.seen.write().unwrap_or_else(PoisonError::into_inner).remove(name);
            return Ok(None);
        };
        let snapshot = stored.snapshot();
        let is_same = |layer: &Layer| layer.snapshot().is_some_and(|seen| Arc::ptr_eq(seen, &snapshot));
        self.seen(name, is_same, || Ok(Layer::stored(spec(name, &snapshot)?, Arc::clone(&snapshot)))).map(Some)
    }

    /// The layer `name`; a live table is looked at anew. `None` if there is none.
    ///
    /// # Errors
    /// As [`find`](Self::find), and if the database of a live table does not answer; [`Error::Cancelled`] once `stop` says so.
    pub fn find_anew(&self, name: &str, stop: &AtomicBool) -> Result<Option<Arc<Layer>>> {
        if let Some(entry) = self.live.get(name).filter(|_| !self.layers.contains_key(name)) {
            entry.table.renew(stop)?;
        }
        self.find(name)
    }

    /// The layer `name` as it was last seen, if `is_same`, else a new one.
    fn seen(
        &self,
        name: &str,
        is_same: impl Fn(&Layer) -> bool,
        make: impl FnOnce() -> Result<Layer>,
    ) -> Result<Arc<Layer>> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(seen) = seen.filter(|layer| is_same(layer)) {
            return Ok(seen);
        }
        let mut all = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have been faster, and nobody's shadings are to be lost.
        if let Some(seen) = all.get(name).filter(|layer| is_same(layer)) {
            return Ok(Arc::clone(seen));
        }
        let layer = Arc::new(make()?);
        all.insert(name.to_owned(), Arc::clone(&layer));
        Ok(layer)
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
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
        comparable: Vec::new(),
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
