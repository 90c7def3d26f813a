//! Layers by name.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Layer;
use crate::error::Result;
use crate::source::{Filter, Provider};

/// Some of a layer's points that are a layer for a while.
#[derive(Clone, Debug)]
pub struct SelectedEntry {
    /// The name of the layer that they are of.
    pub parent: String,
    /// Which points.
    pub filter: Filter,
    /// How many there were when they were counted.
    pub points: u64,
    /// When they are removed, in Unix seconds.
    pub expires_s: u64,
}

/// All layers: those of files, which stay as they are, and those of providers, such as a store or the tables of a database,
/// which come, change and go.
#[derive(Debug, Default)]
pub struct Catalog {
    layers: BTreeMap<String, Arc<Layer>>,
    providers: Vec<Arc<dyn Provider>>,
    selected: RwLock<BTreeMap<String, SelectedEntry>>,
    /// The layers of the providers as they were last found.
    found: RwLock<BTreeMap<String, Arc<Layer>>>,
}

impl Catalog {
    /// A catalog of layers that stay as they are, each with a name of its own.
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        let layers = layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect();
        Self { layers, ..Self::default() }
    }

    /// The same with the layers of a provider. Where several have a name, the layers of [`new`](Self::new) win, then the
    /// provider that was added first.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.providers.push(provider);
        self
    }

    /// All layers, by name. Those that cannot be read are logged and left out.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        let provided = self.providers.iter().flat_map(|provider| {
            provider.names().unwrap_or_else(|error| {
                tracing::error!(%error, "layers cannot be listed");
                Vec::new()
            })
        });
        let mut names: Vec<String> = self.layers.keys().cloned().chain(provided).collect();
        names.sort_unstable();
        names.dedup();
        // A layer that was removed takes room on the disk as long as somebody has it open.
        let selected = self.selected.read().unwrap_or_else(PoisonError::into_inner);
        let is_there = |name: &String| names.binary_search(name).is_ok() || selected.contains_key(name);
        self.found.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| is_there(name));
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
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        for name in gone {
            selected.remove(&name);
            found.remove(&name);
        }
    }

    /// The selection `name` as it is now; `None` if there is none, or its time is over at `now_s`.
    fn selected(&self, name: &str, now_s: u64) -> Result<Option<Arc<Layer>>> {
        let entry = self.selected.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some(entry) = entry.filter(|entry| entry.expires_s > now_s) else { return Ok(None) };
        let Some(of) = self.find(&entry.parent)? else { return Ok(None) };
        let is_same = |layer: &Layer| layer.parent().is_some_and(|found| Arc::ptr_eq(found, &of));
        let make = || Ok(Layer::selected(name, Arc::clone(&of), entry.filter.clone(), entry.points));
        self.found(name, is_same, make).map(Some)
    }

    /// The layer `name` as it is now; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        if let Some(layer) = self.layers.get(name) {
            return Ok(Some(Arc::clone(layer)));
        }
        for provider in &self.providers {
            if let Some(points) = provider.find(name)? {
                let is_same = |layer: &Layer| std::ptr::addr_eq(Arc::as_ptr(layer.point_set()), Arc::as_ptr(&points));
                return self.found(name, is_same, || Layer::described(name, Arc::clone(&points))).map(Some);
            }
        }
        if self.selected.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            return self.selected(name, now_s());
        }
        self.found.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(None)
    }

    /// The layer `name` with its newest points; `None` if there is none.
    ///
    /// # Errors
    /// As [`find`](Self::find), and if the points cannot be read anew; [`Error::Cancelled`](crate::Error::Cancelled) once
    /// `stop` is set.
    pub fn find_refreshed(&self, name: &str, stop: &AtomicBool) -> Result<Option<Arc<Layer>>> {
        if !self.layers.contains_key(name) {
            self.providers.iter().try_for_each(|provider| provider.refresh(name, stop))?;
        }
        self.find(name)
    }

    /// The layer `name` as it was last found, if `is_same`, else a new one.
    fn found(
        &self,
        name: &str,
        is_same: impl Fn(&Layer) -> bool,
        make: impl FnOnce() -> Result<Layer>,
    ) -> Result<Arc<Layer>> {
        let found = self.found.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(found) = found.filter(|layer| is_same(layer)) {
            return Ok(found);
        }
        let mut all = self.found.write().unwrap_or_else(PoisonError::into_inner);
        // A concurrent call may have made it, with shadings that are not to be computed again.
        if let Some(found) = all.get(name).filter(|layer| is_same(layer)) {
            return Ok(Arc::clone(found));
        }
        let layer = Arc::new(make()?);
        all.insert(name.to_owned(), Arc::clone(&layer));
        Ok(layer)
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::store::{Description, Store};

    #[test]
    fn layers_of_a_store_that_were_removed_are_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = Store::open(folder.path()).unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let provider: Arc<dyn Provider> = Arc::<Store>::clone(&store);
        let catalog = Catalog::new([]).with_provider(provider);
        let names = ["asked-for", "listed"];
        let held = names.map(|name| {
            elsewhere.create(name, Description::default()).unwrap();
            let stored = store.layer(name).unwrap().unwrap();
            (Arc::downgrade(&catalog.find(name).unwrap().unwrap()), Arc::downgrade(&stored))
        });
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() > 0 && stored.strong_count() > 0));
        assert!(names.iter().all(|name| elsewhere.remove(name).unwrap()));
        assert!(catalog.find("asked-for").unwrap().is_none());
        assert!(catalog.layers().is_empty());
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() + stored.strong_count() == 0));
    }
}
