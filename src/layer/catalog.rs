//! The catalog of layers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use super::selections::Selections;
use super::views::Views;
use super::{Layer, LayerSpec, ProtectedLayers, SelectionLimits, View};
use crate::error::{Error, Result};
use crate::source::{Filter, PointSet, Provider};

/// A temporary layer: the points of another layer that pass a filter.
#[derive(Clone, Debug)]
pub struct SelectedEntry {
    /// The name of the other layer.
    pub parent: String,
    /// The filter.
    pub filter: Filter,
    /// The number of selected points when the layer was created.
    pub points: u64,
    /// The time at which the layer expires, in Unix seconds.
    pub expires_s: u64,
    /// The client that created the layer; `None` if it is unknown.
    pub client: Option<String>,
    /// The key that created the layer, if the layer is visible to clients with the key only.
    pub owner: Option<SelectionOwner>,
}

/// The key that created a temporary layer, and what it saw of the other layer: the temporary layer has no other points.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectionOwner {
    /// The name of the key.
    pub key: String,
    /// What the key sees of the other layer; `None`: all.
    pub view: Option<View>,
}

/// All layers: fixed layers, from files, and the layers of providers, such as a store or a database, which can be
/// added, changed and removed while the catalog is in use.
#[derive(Debug, Default)]
pub struct Catalog {
    layers: RwLock<BTreeMap<String, Arc<Layer>>>,
    /// Sample layers, which are listed until a provider has a layer.
    samples: BTreeMap<String, Arc<Layer>>,
    samples_replaced: AtomicBool,
    providers: Vec<Arc<dyn Provider>>,
    /// The protections of the layers of the providers.
    protected: ProtectedLayers,
    selected: RwLock<Selections>,
    /// The layers of the providers and the selections, as last returned.
    cached: RwLock<BTreeMap<String, Arc<Layer>>>,
    views: Views,
}

impl Catalog {
    /// A catalog of fixed layers with distinct names.
    pub fn new(layers: impl IntoIterator<Item = Layer>) -> Self {
        let layers = layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect();
        Self { layers: RwLock::new(layers), ..Self::default() }
    }

    /// Replaces the fixed layer with the name of `layer`, or adds it. Requests in progress keep the previous one.
    pub fn replace(&self, layer: Layer) {
        let name = layer.name().to_owned();
        self.layers.write().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(layer));
    }

    fn fixed(&self, name: &str) -> Option<Arc<Layer>> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Adds sample layers. They are listed until a provider has a layer, and not again after that. Later they can still
    /// be found by name, so that pages that display one continue to work; layers of the providers take precedence.
    #[must_use]
    pub fn with_samples(mut self, layers: impl IntoIterator<Item = Layer>) -> Self {
        self.samples = layers.into_iter().map(|layer| (layer.name().to_owned(), Arc::new(layer))).collect();
        self
    }

    /// Whether the layer `name` is a listed sample layer.
    pub fn is_sample(&self, name: &str) -> bool {
        if !self.samples.contains_key(name) || self.samples_replaced.load(Ordering::Relaxed) {
            return false;
        }
        let has_layers = |provider: &Arc<dyn Provider>| provider.names().is_ok_and(|names| !names.is_empty());
        let is_replaced = self.providers.iter().any(has_layers);
        self.samples_replaced.fetch_or(is_replaced, Ordering::Relaxed);
        !is_replaced
    }

    /// Adds the layers of a provider. If several layers have the same name, a layer passed to [`new`](Self::new) takes
    /// precedence, then the provider that was added first.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.providers.push(provider);
        self
    }

    /// Protects layers of the providers by minimum counts. Layers passed to [`new`](Self::new) are protected by their
    /// [specifications](LayerSpec::protection).
    #[must_use]
    pub fn with_protected(mut self, protected: ProtectedLayers) -> Self {
        self.protected = protected;
        self
    }

    /// Whether the layer `name` of a provider is protected.
    pub fn is_protected(&self, name: &str) -> bool {
        self.protected.protection(name).is_some()
    }

    /// All layers, sorted by name. Layers that cannot be read are logged and skipped.
    pub fn layers(&self) -> Vec<Arc<Layer>> {
        let provided = self.providers.iter().flat_map(|provider| {
            provider.names().unwrap_or_else(|error| {
                tracing::error!(%error, "layers cannot be listed");
                Vec::new()
            })
        });
        let samples = self.samples.keys().filter(|name| self.is_sample(name));
        let mut names: Vec<String> =
            self.layers.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        names.extend(samples.cloned().chain(provided));
        names.sort_unstable();
        names.dedup();
        // Drops the removed layers, which occupy disk space as long as they are open.
        let selected = self.selected.read().unwrap_or_else(PoisonError::into_inner);
        let exists = |name: &String| names.binary_search(name).is_ok() || selected.contains_key(name);
        self.cached.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| exists(name));
        self.protected.retain(exists);
        self.views.retain(exists);
        drop(selected);
        names.iter().filter_map(|name| self.find(name).inspect_err(|error| log_unreadable(name, error)).ok()?).collect()
    }

    /// Adds a temporary layer called `name`, a name that no other layer has, or extends the life of an equal one. Removes the
    /// expired temporary layers, and beyond the limits those of the client with the largest share.
    pub fn select(&self, name: &str, entry: SelectedEntry, now_s: u64, limits: SelectionLimits) {
        let mut selected = self.selected.write().unwrap_or_else(PoisonError::into_inner);
        let removed = selected.insert(name, entry, now_s, limits);
        let mut cached = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        for name in &removed {
            cached.remove(name);
        }
    }

    /// The current state of the temporary layer `name`; `None` if there is none, or it has expired at `now_s`.
    fn selected(&self, name: &str, now_s: u64) -> Result<Option<Arc<Layer>>> {
        let entry = self.selected.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let Some(entry) = entry.filter(|entry| entry.expires_s > now_s) else { return Ok(None) };
        let Some(mut parent) = self.find(&entry.parent)? else { return Ok(None) };
        if let Some(view) = entry.owner.as_ref().and_then(|owner| owner.view.as_ref()) {
            parent = self.view(&parent, view)?;
        }
        let is_current = |layer: &Layer| layer.parent().is_some_and(|cached| Arc::ptr_eq(cached, &parent));
        let make = || Ok(Layer::selected(name, Arc::clone(&parent), entry.filter.clone(), entry.points));
        self.get_or_make(name, is_current, make).map(Some)
    }

    /// What a client sees of a layer.
    ///
    /// # Errors
    /// As [`View::of`].
    pub fn view(&self, all: &Arc<Layer>, view: &View) -> Result<Arc<Layer>> {
        if view.is_everything() {
            return Ok(Arc::clone(all));
        }
        self.protected.run(|| self.views.of(all, view)).unwrap_or(Err(Error::Cancelled))
    }

    /// Drops the views that clients have of layers, after their rights have changed.
    pub fn clear_views(&self) {
        self.views.clear();
    }

    /// The temporary layer `name`; `None` if there is none.
    pub fn selection(&self, name: &str) -> Option<SelectedEntry> {
        self.selected.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The current state of the layer `name`; `None` if there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn find(&self, name: &str) -> Result<Option<Arc<Layer>>> {
        self.find_latest(name, false)
    }

    /// The current state of the layer `name`. If it is protected, and large, its released points may be older than its
    /// points, unless `is_latest`.
    fn find_latest(&self, name: &str, is_latest: bool) -> Result<Option<Arc<Layer>>> {
        if let Some(layer) = self.fixed(name) {
            return Ok(Some(layer));
        }
        for provider in &self.providers {
            if let Some(points) = provider.find(name)? {
                return self.provided(name, points, is_latest).map(Some);
            }
        }
        if let Some(sample) = self.samples.get(name) {
            return Ok(Some(Arc::clone(sample)));
        }
        if self.selected.read().unwrap_or_else(PoisonError::into_inner).contains_key(name) {
            return self.selected(name, now_s());
        }
        self.cached.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.protected.remove(name);
        Ok(None)
    }

    /// The layer `name` of the points of a provider, or of those of them that are released.
    fn provided(&self, name: &str, points: Arc<dyn PointSet>, is_latest: bool) -> Result<Arc<Layer>> {
        let protection = self.protected.protection(name);
        let points = self.protected.release(name, points, is_latest)?;
        let is_current = |layer: &Layer| std::ptr::addr_eq(Arc::as_ptr(layer.point_set()), Arc::as_ptr(&points));
        let make = || {
            let spec = LayerSpec::described(name, &*points)?;
            Ok(Layer::new(LayerSpec { protection, ..spec }, Arc::clone(&points)))
        };
        self.get_or_make(name, is_current, make)
    }

    /// The layer `name`, refreshed by its provider; `None` if there is none.
    ///
    /// # Errors
    /// As [`find`](Self::find), and if the refresh fails; [`Error::Cancelled`] once `stop` is
    /// set.
    pub fn find_refreshed(&self, name: &str, stop: &AtomicBool) -> Result<Option<Arc<Layer>>> {
        if self.fixed(name).is_none() {
            self.providers.iter().try_for_each(|provider| provider.refresh(name, stop))?;
        }
        self.find_latest(name, true)
    }

    /// Returns the cached layer `name` if it `is_current`, else caches and returns a new one.
    fn get_or_make(
        &self,
        name: &str,
        is_current: impl Fn(&Layer) -> bool,
        make: impl FnOnce() -> Result<Layer>,
    ) -> Result<Arc<Layer>> {
        let cached = self.cached.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some(cached) = cached.filter(|layer| is_current(layer)) {
            return Ok(cached);
        }
        let mut all = self.cached.write().unwrap_or_else(PoisonError::into_inner);
        // A concurrent call may have added it. Its shadings must not be computed twice.
        if let Some(cached) = all.get(name).filter(|layer| is_current(layer)) {
            return Ok(Arc::clone(cached));
        }
        let layer = Arc::new(make()?);
        all.insert(name.to_owned(), Arc::clone(&layer));
        Ok(layer)
    }
}

/// Logs that a layer cannot be read. The store logs damaged manifests itself, once.
fn log_unreadable(name: &str, error: &Error) {
    if !matches!(error, Error::DamagedManifest { .. }) {
        tracing::error!(%error, "{name}");
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
    fn removed_layers_of_a_store_are_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let other_process = Store::open(folder.path()).unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let provider: Arc<dyn Provider> = Arc::<Store>::clone(&store);
        let catalog = Catalog::new([]).with_provider(provider);
        let names = ["found", "listed"];
        let held = names.map(|name| {
            other_process.create(name, Description::default()).unwrap();
            let stored = store.layer(name).unwrap().unwrap();
            (Arc::downgrade(&catalog.find(name).unwrap().unwrap()), Arc::downgrade(&stored))
        });
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() > 0 && stored.strong_count() > 0));
        assert!(names.iter().all(|name| other_process.remove(name).unwrap()));
        assert!(catalog.find("found").unwrap().is_none());
        assert!(catalog.layers().is_empty());
        assert!(held.iter().all(|(layer, stored)| layer.strong_count() + stored.strong_count() == 0));
    }
}
