//! Stores: folders of layers.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::claim::Claim;
use super::clock::now_s;
use super::disk::{self, OpenFolder};
use super::grace::Grace;
use super::layer::StoredLayer;
use super::lock::lock_layer;
use super::manifest::{self, Description, Manifest, Space};
use super::missing_manifest::{check_manifest, lacks_manifest};
use super::retention::{ClockCheck, RetentionClock};
use super::snapshot::Snapshot;
use super::staging::StagingDir;
use super::sweep::{free_if_full, sweep, sweep_removed};
use super::sync::{Mutex, RwLock};
use kiln_core::error::{Error, Result};
use kiln_core::layer_name;
use kiln_core::parameter::Parameter;
use kiln_core::source::CoordinateSpace;

/// A folder of layers.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    layers: RwLock<BTreeMap<String, Arc<StoredLayer>>>,
    /// The layers whose damaged manifest was logged.
    logged: Mutex<BTreeSet<String>>,
    claim: Arc<Claim>,
    clock: RetentionClock,
    grace: Grace,
}

impl Store {
    /// Opens the store in a folder. The folder may be missing: the first layer creates it.
    ///
    /// # Errors
    /// [`Error::Input`] if the path is not a folder.
    pub fn open(folder: &Path) -> Result<Self> {
        if disk::exists(folder) && !disk::is_dir(folder) {
            return Err(Error::input(folder, "not a folder; a store must be a folder"));
        }
        let claim = Arc::new(Claim::new(folder));
        let clock = RetentionClock::new(folder);
        let (layers, logged, grace) = (RwLock::default(), Mutex::default(), Grace::default());
        Ok(Self { folder: folder.to_owned(), layers, logged, claim, clock, grace })
    }

    /// Sets the grace time: the files of segments and layers stay for it after their removal, because servers on other
    /// machines may read them. `None` is an hour on a network file system, and no time on a local disk. At most a week. Files
    /// that were removed before stay as long as it was set then.
    #[must_use]
    pub fn with_grace(self, grace: Option<Duration>) -> Self {
        Self { grace: Grace::of(grace), ..self }
    }

    /// Opens the store for a server. Only one server can use a store at a time; a second one is rejected until the
    /// first has ended. A missing folder is not created, so that a server of files alone leaves nothing on disk. Layers
    /// that other processes create in it later are served, and the first server to [claim](Self::claim) the store owns
    /// it.
    ///
    /// # Errors
    /// [`Error::Input`] if another server has claimed it; [`Error::Io`] if the folder cannot be written.
    pub fn open_for_server(folder: &Path) -> Result<Self> {
        let store = Self::open(folder)?;
        if disk::exists(folder) {
            store.claim()?;
            store.sweep();
        }
        Ok(store)
    }

    /// Claims the store: no other server can open it while this value exists. Creates the folder if it is missing. If the
    /// folder was removed or replaced since the store was claimed, claims the new one.
    ///
    /// # Errors
    /// As for [`open_for_server`](Self::open_for_server).
    pub fn claim(&self) -> Result<()> {
        self.claim.make()
    }

    /// Whether the folder of a claimed store is still the one that was claimed: false if it was removed or replaced. True
    /// for a store that was not claimed.
    pub fn is_in_place(&self) -> bool {
        self.claim.is_valid()
    }

    /// Judges the system clock before a server removes the points of a layer that are too old, because points are lost
    /// forever if it has jumped.
    pub fn check_clock(&self, snapshot: &Snapshot) -> ClockCheck {
        self.clock.check(snapshot)
    }

    /// Removes the files of processes that were killed. Files in use are kept.
    pub fn sweep(&self) {
        sweep(&self.folder);
    }

    /// Removes the files of removed segments and layers whose [grace time](Self::with_grace) has passed.
    pub fn sweep_removed(&self) {
        let _ = sweep_removed(&self.folder, now_s());
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The names of all layers, sorted. A folder with points, but without a manifest, is a damaged layer.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let failed = |error| Error::io(&self.folder, "read", error);
        let entries = match disk::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let folder = entry.path();
            let is_layer = || disk::exists(&folder.join(manifest::FILE)) || lacks_manifest(&folder);
            if layer_name::is_valid(&name) && is_layer() {
                names.push(name);
            }
        }
        names.sort_unstable();
        // Closes removed layers, which frees their disk space.
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|name, _| names.binary_search(name).is_ok());
        Ok(names)
    }

    /// The layer `name`; `None` if it does not exist.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the [name](layer_name) is invalid; [`Error::DamagedManifest`] if the manifest is damaged,
    /// which is logged once, or missing; [`Error::Input`] if another version of Kiln wrote it; [`Error::Io`] if it cannot be
    /// read.
    pub fn layer(&self, name: &str) -> Result<Option<Arc<StoredLayer>>> {
        let folder = self.layer_folder(name)?;
        let path = folder.join(manifest::FILE);
        let exists = disk::try_exists(&path).map_err(|error| Error::io(&path, "read", error))?;
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        if !exists {
            layers.remove(name);
            drop(layers);
            let checked = check_manifest(&folder, name);
            self.log_damaged_manifest(name, checked.as_ref().err());
            return checked.map(|()| None);
        }
        if let Some(layer) = layers.get(name) {
            return Ok(Some(Arc::clone(layer)));
        }
        let opened = StoredLayer::open(&self.folder, name, &self.claim, self.grace);
        self.log_damaged_manifest(name, opened.as_ref().err());
        let Some(layer) = opened? else { return Ok(None) };
        let layer = Arc::new(layer);
        layers.insert(name.to_owned(), Arc::clone(&layer));
        Ok(Some(layer))
    }

    /// Logs that the manifest of a layer is damaged, once until it is readable again.
    fn log_damaged_manifest(&self, name: &str, error: Option<&Error>) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error @ Error::DamagedManifest { .. }) => {
                if logged.insert(name.to_owned()) {
                    tracing::error!(layer = name, "the layer is not served: {error}");
                }
            }
            Some(_) => {}
            None => drop(logged.remove(name)),
        }
    }

    /// Creates a layer without points on the globe.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid or in use; [`Error::Io`] if writing to the folder fails.
    pub fn create(&self, name: &str, description: Description) -> Result<Arc<StoredLayer>> {
        self.create_in(name, CoordinateSpace::Globe, description)
    }

    /// Creates a layer without points in a coordinate space.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_in(&self, name: &str, space: CoordinateSpace, description: Description) -> Result<Arc<StoredLayer>> {
        self.create_with(name, space, description, |_| Ok(()))?;
        let removed = || Error::input(self.folder.join(name), "the layer was removed concurrently");
        self.layer(name)?.ok_or_else(removed)
    }

    /// Creates a layer atomically with the points that `fill` adds: it becomes visible with all of them or, if `fill`
    /// fails or the process ends, not at all. Returns the result of `fill`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid or in use; [`Error::Io`] if writing to the folder fails; those of
    /// `fill`.
    pub fn create_with<T>(
        &self,
        name: &str,
        space: CoordinateSpace,
        description: Description,
        fill: impl FnOnce(&StoredLayer) -> Result<T>,
    ) -> Result<T> {
        free_if_full(&self.folder, self.create_filled(name, space, description, fill))
    }

    fn create_filled<T>(
        &self,
        name: &str,
        space: CoordinateSpace,
        description: Description,
        fill: impl FnOnce(&StoredLayer) -> Result<T>,
    ) -> Result<T> {
        let folder = self.layer_folder(name)?;
        let taken = || Error::invalid(Parameter::LAYER, format!("there is a layer `{name}` already"));
        if disk::exists(&folder.join(manifest::FILE)) {
            return Err(taken());
        }
        let failed = |error: io::Error| match error.kind() {
            _ if disk::exists(&folder.join(manifest::FILE)) => taken(),
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                Error::input(&folder, "it exists already, but is not a layer; remove it, or choose another name")
            }
            _ => Error::io(&folder, "create", error),
        };
        let staging = StagingDir::new(&self.folder)?;
        let staged = staging.path().join(name);
        disk::create_dir(&staged).map_err(failed)?;
        Manifest::new(Space::of(space), description, now_s()).write(&staged)?;
        let layer = StoredLayer::open(staging.path(), name, &self.claim, Grace::Seconds(0))?;
        let filled = fill(&layer.ok_or_else(|| Error::input(&staged, "it was removed concurrently"))?)?;
        self.claim.check()?;
        let opened = OpenFolder::open(&self.folder).map_err(failed)?;
        disk::rename(&staged, &folder).map_err(failed)?;
        if let Err(error) = opened.sync() {
            // The layer is reported as missing. A power cut could bring it back, so its files must stay until a sync.
            if disk::rename(&folder, &staged).is_err() || opened.sync().is_err() {
                staging.leave_to_sweep();
            }
            return Err(Error::io(&folder, "create", error));
        }
        Ok(filled)
    }

    /// Removes a layer with all its points. Open snapshots can still be read. Returns whether the layer existed.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the name is invalid; [`Error::Io`] if writing to the folder fails.
    pub fn remove(&self, name: &str) -> Result<bool> {
        let folder = self.layer_folder(name)?;
        let failed = |error| Error::io(&folder, "remove", error);
        if !disk::try_exists(&folder).map_err(failed)? || !disk::is_dir(&folder) {
            return Ok(false);
        }
        let _lock = lock_layer(&folder)?;
        self.claim.check()?;
        let until_s = self.grace.until_s(&self.folder);
        let staging = match until_s {
            Some(until_s) => StagingDir::removed(&self.folder, until_s)?,
            None => StagingDir::new(&self.folder)?,
        };
        let removed = staging.path().join(name);
        let opened = OpenFolder::open(&self.folder).map_err(failed)?;
        disk::rename(&folder, &removed).map_err(failed)?;
        if let Err(error) = opened.sync() {
            // A power cut could bring the folder back, so its files must stay.
            if disk::rename(&removed, &folder).is_err() {
                staging.leave_to_sweep();
            }
            return Err(failed(error));
        }
        if until_s.is_some() {
            staging.leave_to_sweep();
        }
        self.layers.write().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(true)
    }

    /// Checks before a change that the folder of a claimed store is still its own.
    pub(super) fn check_claim(&self) -> Result<()> {
        self.claim.check()
    }

    /// The time in Unix seconds until which files that are removed now stay; `None` without a grace time.
    pub(super) fn grace_until_s(&self) -> Option<u64> {
        self.grace.until_s(&self.folder)
    }

    /// The folder of the layer `name`. All paths are built here from validated names, so none leads out of the store.
    fn layer_folder(&self, name: &str) -> Result<PathBuf> {
        layer_name::check(name)?;
        Ok(self.folder.join(name))
    }
}
