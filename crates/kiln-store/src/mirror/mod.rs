//! Mirrors: copies of the layers in a bucket, in a folder that is a store.
//!
//! ```text
//! cache/replica.json                    the bucket, and whether its layers were copied completely
//!       trips/manifest.json             the folder of a layer, as in every store
//!             00000001.points.arrow
//!       .copy/trips/…                   files that are being copied
//! ```
//!
//! A mirror asks the bucket for the manifest of each layer at an interval, copies the files that it lacks next to those that
//! are served, and then replaces the manifest of its store, which is when readers get the new version. So no reader waits for the
//! bucket, and the last versions are served while it cannot be reached.
//!
//! Segments have numbers of their own in a mirror, and files are recognized by their checksums: a new layer of the same name, or
//! a damaged file that is copied again, never replaces a file that is in use. A layer that the bucket lacks stays, because the
//! bucket may have been emptied by mistake; layers are removed by their manifest.

mod check;
mod download;
mod install;
mod plan;
mod record;
mod state;
mod status;

use std::io::{self, ErrorKind};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Store;
use super::bucket::{Bucket, Fetched};
use super::manifest::Manifest;
use super::publish::{manifest_key, parse_published, published_layers};
use super::published::Published;
use kiln_core::error::{Error, Result};
use plan::Plan;
use record::Record;
use state::{Counters, LayerCopy, LayerState, Problem, Reason, State};
pub use status::{MirrorCounters, MirrorProblem, MirrorStatus};

/// The options of a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorOptions {
    /// The interval between the checks for new versions. Default: 5 s.
    pub refresh: Duration,
    /// The number of files that are copied at once. Default: 4.
    pub downloads: NonZeroUsize,
}

impl Default for MirrorOptions {
    fn default() -> Self {
        const DOWNLOADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(3);
        Self { refresh: Duration::from_secs(5), downloads: DOWNLOADS }
    }
}

/// A published version of a layer.
#[derive(Debug)]
struct Remote {
    manifest: Manifest,
    published: Published,
}

/// A mirror of the layers in a bucket.
#[derive(Debug)]
pub struct Mirror {
    bucket: Arc<dyn Bucket>,
    store: Arc<Store>,
    options: MirrorOptions,
    record: Record,
    state: Mutex<State>,
    /// Signals new work, and the end of the mirror.
    changed: Condvar,
    stopped: AtomicBool,
    counters: Counters,
}

/// Stops the threads of a mirror when it is dropped. It does not wait for them.
#[derive(Debug)]
pub struct MirrorThreads(Arc<Mirror>);

impl Drop for MirrorThreads {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Mirror {
    /// The number of checks of manifests between two lists of the layers, which cost more.
    const LIST_EVERY: u32 = 12;
    /// The number of manifests that are checked at once.
    const CHECKS: usize = 4;

    /// Opens the mirror in a folder of its own, and creates the folder if it is missing. Nothing is copied yet.
    ///
    /// # Errors
    /// [`Error::Input`] if the folder is that of another bucket or of a store, or another process uses it; [`Error::Io`] if it
    /// cannot be written.
    pub fn open(bucket: Arc<dyn Bucket>, folder: &Path, options: MirrorOptions) -> Result<Self> {
        let store = Store::open(folder)?;
        store.claim().map_err(to_cache_error)?;
        let record = Record::open(folder, bucket.url(), &store)?;
        store.sweep();
        let mut state = State::default();
        let saved = record.saved();
        (state.is_ready, state.contact_s) = (saved.is_complete, saved.contact_s);
        state.is_contact_saved = saved.contact_s.is_some();
        for name in store.names()? {
            state.layers.insert(name, LayerState::default());
        }
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let (stopped, counters) = (AtomicBool::new(false), Counters::default());
        Ok(Self { bucket, store: Arc::new(store), options, record, state, changed, stopped, counters })
    }

    /// Whether a folder is that of a mirror.
    pub fn is_cache(folder: &Path) -> bool {
        record::exists(folder)
    }

    /// The URL of the bucket whose copies are in a folder; `None` if the folder is that of no mirror, or its record is damaged.
    pub fn bucket_of(folder: &Path) -> Option<String> {
        record::bucket(folder)
    }

    /// The store that the mirror fills. It must not be written to.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The URL of the bucket, without secrets.
    pub fn url(&self) -> &str {
        self.bucket.url()
    }

    /// Lists the layers of the bucket, so that a mirror without a copy reports a wrong bucket or wrong credentials at once.
    ///
    /// # Errors
    /// [`Error::Input`] of the bucket. If it cannot be reached now, that is not an error.
    pub fn check_bucket(&self) -> Result<()> {
        match self.add_listed() {
            Err(error @ Error::Input { .. }) => Err(error),
            Err(error) => {
                self.lose_contact(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Starts the threads that check for new versions and copy files.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot start a thread.
    pub fn start(self: &Arc<Self>) -> Result<MirrorThreads> {
        let threads = MirrorThreads(Arc::clone(self));
        let spawn = |name: String, work: fn(&Self)| {
            let mirror = Arc::clone(self);
            let spawned = std::thread::Builder::new().name(name).spawn(move || work(&mirror));
            spawned.map(drop).map_err(|error| Error::io("a thread", "start", error))
        };
        for number in 0..self.options.downloads.get() {
            spawn(format!("copy-{number}"), Self::copy_files)?;
        }
        spawn("mirror".to_owned(), Self::poll_regularly)?;
        Ok(threads)
    }

    /// Stops the threads after the part of a file that they are copying, and saves the time of the last contact.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        let (contact_s, is_ready) = {
            let state = self.lock();
            (state.contact_s, state.is_ready)
        };
        self.changed.notify_all();
        self.record.save_at_end(contact_s, is_ready);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_regularly(&self) {
        while !self.is_stopped() {
            self.poll();
            let state = self.lock();
            let until_stopped = |_: &mut State| !self.is_stopped();
            // The result is checked by the loop.
            drop(self.changed.wait_timeout_while(state, self.options.refresh, until_stopped));
        }
    }

    fn copy_files(&self) {
        while !self.is_stopped() {
            if self.copy_file() {
                continue;
            }
            let state = self.lock();
            drop(self.changed.wait_while(state, |state| state.queue.is_empty() && !self.is_stopped()));
        }
    }

    /// Checks for new versions of all layers, and queues the files that they need.
    pub(super) fn poll(&self) {
        match self.check_layers() {
            Ok(()) => self.make_contact(),
            Err(Error::Cancelled) => {}
            Err(error) => self.lose_contact(&error),
        }
    }

    /// Adds the layers that the bucket lists.
    fn add_listed(&self) -> Result<()> {
        let names = published_layers(&*self.bucket)?;
        let mut state = self.lock();
        state.checks_until_list = Self::LIST_EVERY;
        state.is_listed = true;
        for name in names {
            state.layers.entry(name).or_default();
        }
        let (contact_s, is_ready) = (state.contact_s, state.is_ready);
        drop(state);
        // Before the first layer: the folder is that of this bucket from now on.
        self.record.save(contact_s, is_ready);
        Ok(())
    }

    fn check_layers(&self) -> Result<()> {
        let is_list_due = {
            let mut state = self.lock();
            state.checks_until_list = state.checks_until_list.saturating_sub(1);
            state.checks_until_list == 0 || !state.is_listed
        };
        if is_list_due {
            self.add_listed()?;
        }
        let names: Vec<String> = self.lock().layers.keys().cloned().collect();
        let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
        let check = || {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                let checked = if self.is_stopped() { Err(Error::Cancelled) } else { self.check_layer(name) };
                if let Err(error) = checked {
                    next.store(names.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..Self::CHECKS.min(names.len()) {
                scope.spawn(check);
            }
            check();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Checks for a new version of a layer, unless one is being copied.
    fn check_layer(&self, name: &str) -> Result<()> {
        let Some((tag, remote)) = self.lock().known(name, self.options.refresh) else { return Ok(()) };
        match self.bucket.fetch(&manifest_key(name), tag.as_deref())? {
            Fetched::Unchanged => {
                if let Some(remote) = remote.filter(|remote| !self.is_intact(name, remote)) {
                    self.begin(name, &remote, tag.unwrap_or_default());
                }
            }
            Fetched::Content { bytes, tag } => match parse_published(&*self.bucket, name, &bytes) {
                Ok((manifest, published)) => self.begin(name, &Arc::new(Remote { manifest, published }), tag),
                Err(error) => {
                    let is_served = self.is_served(name);
                    self.lock().reject(name, tag, Problem::Unreadable(Reason::of(&error)), is_served);
                }
            },
            Fetched::Missing => {
                let is_served = self.is_served(name);
                let mut state = self.lock();
                if is_served {
                    state.set_problem(name, Problem::Missing, true);
                }
                let layer = state.layers.entry(name.to_owned()).or_default();
                (layer.tag, layer.remote, layer.is_settled) = (None, None, true);
            }
        }
        Ok(())
    }

    /// Whether the store has a version of a layer.
    fn is_served(&self, name: &str) -> bool {
        matches!(self.store.layer(name), Ok(Some(_)))
    }

    /// Whether the copy of a layer is complete, as far as damage is known.
    fn is_intact(&self, name: &str, remote: &Remote) -> bool {
        match self.store.layer(name) {
            Ok(Some(layer)) => layer.snapshot().damaged().is_empty(),
            Ok(None) => remote.published.is_removed,
            Err(_) => false,
        }
    }

    /// Begins to copy a version: removes the layer, installs the version if no file is missing, or queues the missing files.
    fn begin(&self, name: &str, remote: &Arc<Remote>, tag: String) {
        let planned = if remote.published.is_removed {
            self.store.remove(name).map(|was_served| {
                if was_served {
                    tracing::info!(layer = name, "removed the layer, which was removed from the bucket");
                }
                None
            })
        } else {
            Plan::new(&self.store, name, &remote.manifest, &remote.published).map(Some)
        };
        let copy = |plan| Arc::new(LayerCopy::new(name, tag.clone(), remote, plan));
        match planned {
            Ok(Some(plan)) if !plan.is_installed => {
                let copy = copy(plan);
                let is_complete = copy.plan.downloads.is_empty();
                self.lock().queue_copy(&copy, &self.counters);
                if is_complete {
                    self.end(&copy);
                } else {
                    self.changed.notify_all();
                }
            }
            Ok(plan) => {
                let mut state = self.lock();
                state.settle(name, tag, plan.is_some().then(|| Arc::clone(remote)));
                drop(state);
                self.update_readiness();
            }
            Err(error) => {
                let is_served = self.is_served(name);
                self.lock().fail_layer(name, &error, is_served);
                self.counters.fail();
            }
        }
    }

    /// Copies a queued file, and installs its version if it was the last one. Returns whether there was one.
    pub(super) fn copy_file(&self) -> bool {
        let Some((copy, index)) = self.lock().next_file() else { return false };
        let download = &copy.plan.downloads[index];
        let key = format!("{}/{}", copy.layer, download.object.key);
        let copied = download::download(&*self.bucket, &key, download, &self.stopped, &self.counters);
        let mut ended = 1;
        if let Err(error) = copied {
            copy.fail(error);
            ended += self.lock().drop_files(&copy);
        }
        if copy.files_left.fetch_sub(ended, Ordering::AcqRel) == ended {
            self.end(&copy);
        }
        true
    }

    /// Installs a version whose files were copied, or reports the failure.
    fn end(&self, copy: &Arc<LayerCopy>) {
        let installed = match copy.take_failure() {
            Some(error) => Err(error),
            None => match check::check(&self.store, &copy.layer, &copy.plan) {
                Ok(Some(contradiction)) => return self.reject(copy, &contradiction),
                Ok(None) => install::install(&self.store, &copy.layer, &copy.plan),
                Err(error) => Err(error),
            },
        };
        let is_served = self.is_served(&copy.layer);
        let mut state = self.lock();
        state.end_copy(copy);
        match installed {
            Ok(()) => {
                state.settle(&copy.layer, copy.tag.clone(), Some(Arc::clone(&copy.remote)));
                self.counters.swap();
                let (version, files) = (copy.plan.target.version_text(), copy.plan.downloads.len());
                let seconds = copy.started.elapsed().as_secs_f64();
                let bytes = copy.bytes;
                tracing::info!(layer = copy.layer, version, files, bytes, seconds, "serves a new version");
            }
            Err(Error::Cancelled) => {}
            Err(error) => {
                state.fail_layer(&copy.layer, &error, is_served);
                self.counters.fail();
            }
        }
        drop(state);
        self.update_readiness();
    }

    /// Leaves the last version in place, because the manifest of a new one contradicts its files.
    fn reject(&self, copy: &LayerCopy, contradiction: &Error) {
        check::remove_copies(&copy.plan);
        let is_served = self.is_served(&copy.layer);
        let mut state = self.lock();
        state.end_copy(copy);
        state.reject(&copy.layer, copy.tag.clone(), Problem::Contradictory(Reason::of(contradiction)), is_served);
        drop(state);
        self.counters.fail();
        self.update_readiness();
    }

    /// Lets failed copies be repeated at once.
    #[cfg(test)]
    pub(super) fn forget_failures(&self) {
        self.lock().forget_failures();
    }

    /// Sets the time of the last contact.
    #[cfg(test)]
    pub(super) fn set_contact_s(&self, contact_s: u64) {
        self.lock().contact_s = Some(contact_s);
    }

    /// Records that the bucket was reached.
    fn make_contact(&self) {
        let was_away = self.lock().make_contact();
        if was_away {
            tracing::info!(bucket = self.url(), "the bucket can be reached again");
        }
        self.update_readiness();
        let (contact_s, is_ready) = {
            let state = self.lock();
            (state.contact_s, state.is_ready)
        };
        self.record.save(contact_s, is_ready);
    }

    /// Records that the bucket cannot be reached.
    fn lose_contact(&self, error: &Error) {
        self.counters.fail();
        let is_first = self.lock().outage.replace(error.to_string()).is_none();
        if is_first {
            tracing::warn!(bucket = self.url(), %error, "the bucket cannot be read; the last versions of its layers are served");
        }
    }

    /// Notices that all layers were copied once.
    fn update_readiness(&self) {
        let mut state = self.lock();
        if state.become_ready() {
            let (layers, contact_s) = (state.layers.len(), state.contact_s);
            drop(state);
            tracing::info!(bucket = self.url(), layers, "ready: all layers are copied");
            self.record.save(contact_s, true);
        }
    }
}

/// The error of a folder that cannot be a cache, in place of that of a store, whose remedies are others.
pub(super) fn to_cache_error(error: Error) -> Error {
    match error {
        Error::Input { input, .. } => {
            Error::input(input, "another server uses this cache; each replica needs a folder of its own")
        }
        Error::Io { path, action, source } if source.kind() == ErrorKind::ReadOnlyFilesystem => {
            let reason = "the file system is read-only; a replica needs a cache that it can write";
            Error::io(path, action, io::Error::new(ErrorKind::ReadOnlyFilesystem, reason))
        }
        error => error,
    }
}
