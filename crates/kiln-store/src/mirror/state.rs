//! The state of a mirror: its layers, and the files that are queued.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Remote;
use super::plan::Plan;
use crate::clock::{Instant, now_s};
use crate::damage::Damage;
use kiln_core::error::Error;

/// The state of a mirror.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) layers: BTreeMap<String, LayerState>,
    /// The files to copy, each as an index of the downloads of its copy. Those of small copies are at the end, which is next.
    pub(super) queue: Vec<(Arc<LayerCopy>, usize)>,
    /// Whether all layers were copied once.
    pub(super) is_ready: bool,
    /// Whether the layers were listed since the start.
    pub(super) is_listed: bool,
    pub(super) checks_until_list: u32,
    /// The time of the last contact in Unix seconds.
    pub(super) contact_s: Option<u64>,
    /// Whether `contact_s` is that of an earlier process, which may have had later contacts.
    pub(super) is_contact_saved: bool,
    /// Why the bucket cannot be reached.
    pub(super) outage: Option<String>,
}

/// The state of a layer.
#[derive(Debug, Default)]
pub(super) struct LayerState {
    /// The entity tag of the manifest that was read last.
    pub(super) tag: Option<String>,
    /// The version that was installed last.
    pub(super) remote: Option<Arc<Remote>>,
    copy: Option<Arc<LayerCopy>>,
    /// Whether the version in the bucket is served, or nothing can be.
    pub(super) is_settled: bool,
    pub(super) problem: Option<Problem>,
    /// The number of failed copies in a row, and the time of the last one.
    failures: u32,
    failed_at: Option<Instant>,
}

/// Why the version in the bucket is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The manifest is damaged, or of another version of Kiln.
    Unreadable(Reason),
    /// The manifest contradicts the files of the version.
    Contradictory(Reason),
    /// The bucket lacks the manifest.
    Missing,
    /// The last copy failed.
    Copy(Reason),
}

/// The message of an error, and one without folders and hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    text: String,
    public: String,
}

impl Reason {
    pub(super) fn of(error: &Error) -> Self {
        Self { text: error.to_string(), public: Damage::public_reason_of(error) }
    }
}

impl Problem {
    pub(super) fn reason(&self, layer: &str) -> String {
        match self {
            Self::Unreadable(reason) => format!("the published manifest cannot be read: {}", reason.text),
            Self::Contradictory(reason) => {
                format!("the published version contradicts itself; publish the layer again: {}", reason.text)
            }
            Self::Missing => format!(
                "the bucket has no manifest of the layer; publish it again, or remove it by `kiln publish --remove {layer}`"
            ),
            Self::Copy(reason) => format!("the new version cannot be copied: {}", reason.text),
        }
    }

    pub(super) fn public_reason(&self) -> String {
        match self {
            Self::Unreadable(reason) | Self::Contradictory(reason) | Self::Copy(reason) => reason.public.clone(),
            Self::Missing => "manifest.json: the bucket lacks it".to_owned(),
        }
    }
}

/// The copy of a version.
#[derive(Debug)]
pub(super) struct LayerCopy {
    pub(super) layer: String,
    pub(super) tag: String,
    pub(super) remote: Arc<Remote>,
    pub(super) plan: Plan,
    pub(super) bytes: u64,
    pub(super) files_left: AtomicUsize,
    pub(super) started: Instant,
    failure: Mutex<Option<Error>>,
}

impl LayerCopy {
    pub(super) fn new(layer: &str, tag: String, remote: &Arc<Remote>, plan: Plan) -> Self {
        let (layer, remote, started) = (layer.to_owned(), Arc::clone(remote), Instant::now());
        let sizes = plan.downloads.iter().map(|download| download.object.digest.bytes);
        let bytes = sizes.fold(0, u64::saturating_add);
        let files_left = AtomicUsize::new(plan.downloads.len());
        Self { layer, tag, remote, plan, bytes, files_left, started, failure: Mutex::default() }
    }

    /// Records the first failure.
    pub(super) fn fail(&self, error: Error) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Counters of a mirror.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Files and bytes of the copies in progress, done and in total.
    pub(super) files: [AtomicU64; 2],
    pub(super) bytes: [AtomicU64; 2],
    /// Since the start.
    pub(super) copied_bytes: AtomicU64,
    pub(super) swaps: AtomicU64,
    pub(super) failures: AtomicU64,
}

impl Counters {
    /// Adds bytes that were copied.
    pub(super) fn advance(&self, bytes: u64) {
        self.bytes[0].fetch_add(bytes, Ordering::Relaxed);
        self.copied_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds a file that was copied.
    pub(super) fn finish_file(&self) {
        self.files[0].fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a file that an earlier process has copied.
    pub(super) fn skip(&self, bytes: u64) {
        self.bytes[0].fetch_add(bytes, Ordering::Relaxed);
        self.finish_file();
    }

    /// Takes bytes back whose file is copied again.
    pub(super) fn take_back(&self, bytes: u64) {
        self.bytes[0].fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn fail(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn swap(&self) {
        self.swaps.fetch_add(1, Ordering::Relaxed);
    }
}

impl State {
    /// The entity tag of a layer's manifest, and the installed version; `None` while the layer must not be checked: a version is
    /// being copied, or the last copy failed a moment ago.
    pub(super) fn known(&self, name: &str, refresh: Duration) -> Option<(Option<String>, Option<Arc<Remote>>)> {
        const MAX_WAIT: Duration = Duration::from_secs(300);
        let Some(layer) = self.layers.get(name) else { return Some((None, None)) };
        // The first repetition is at the next check.
        let wait = refresh.saturating_mul(1 << layer.failures.saturating_sub(1).min(16)).min(MAX_WAIT);
        let is_paused = layer.failures > 1 && layer.failed_at.is_some_and(|failed| failed.elapsed() < wait);
        (layer.copy.is_none() && !is_paused).then(|| (layer.tag.clone(), layer.remote.clone()))
    }

    /// Queues the files of a copy. Small copies are first.
    pub(super) fn queue_copy(&mut self, copy: &Arc<LayerCopy>, counters: &Counters) {
        if !self.is_copying() {
            for counter in counters.files.iter().chain(&counters.bytes) {
                counter.store(0, Ordering::Relaxed);
            }
        }
        self.layers.entry(copy.layer.clone()).or_default().copy = Some(Arc::clone(copy));
        counters.files[1].fetch_add(copy.plan.downloads.len() as u64, Ordering::Relaxed);
        counters.bytes[1].fetch_add(copy.bytes, Ordering::Relaxed);
        self.queue.extend((0..copy.plan.downloads.len()).rev().map(|index| (Arc::clone(copy), index)));
        self.queue.sort_by_key(|(copy, _)| std::cmp::Reverse(copy.bytes));
    }

    /// Takes the next file from the queue.
    pub(super) fn next_file(&mut self) -> Option<(Arc<LayerCopy>, usize)> {
        self.queue.pop()
    }

    /// Removes the files of a copy from the queue, and returns their number.
    pub(super) fn drop_files(&mut self, copy: &Arc<LayerCopy>) -> usize {
        let before = self.queue.len();
        self.queue.retain(|(other, _)| !Arc::ptr_eq(other, copy));
        before - self.queue.len()
    }

    /// Removes a copy that has ended.
    pub(super) fn end_copy(&mut self, copy: &LayerCopy) {
        self.layers.entry(copy.layer.clone()).or_default().copy = None;
    }

    /// Whether files are being copied.
    pub(super) fn is_copying(&self) -> bool {
        self.layers.values().any(|layer| layer.copy.is_some())
    }

    /// Records that the version of a layer in the bucket is served.
    pub(super) fn settle(&mut self, name: &str, tag: String, remote: Option<Arc<Remote>>) {
        let layer = self.layers.entry(name.to_owned()).or_default();
        if layer.problem.take().is_some() {
            tracing::info!(layer = name, "the published version of the layer is served again");
        }
        *layer = LayerState { tag: Some(tag), remote, is_settled: true, ..LayerState::default() };
    }

    /// Records that a version could not be copied.
    pub(super) fn fail_layer(&mut self, name: &str, error: &Error, is_served: bool) {
        let layer = self.layers.entry(name.to_owned()).or_default();
        layer.failures = layer.failures.saturating_add(1);
        layer.failed_at = Some(Instant::now());
        self.set_problem(name, Problem::Copy(Reason::of(error)), is_served);
    }

    /// Records that the version whose manifest has the entity tag `tag` is not served, until there is another one.
    pub(super) fn reject(&mut self, name: &str, tag: String, problem: Problem, is_served: bool) {
        self.set_problem(name, problem, is_served);
        let layer = self.layers.entry(name.to_owned()).or_default();
        (layer.tag, layer.is_settled) = (Some(tag), is_served);
    }

    /// Sets the problem of a layer, and logs it if it is another one than before.
    pub(super) fn set_problem(&mut self, name: &str, problem: Problem, is_served: bool) {
        let layer = self.layers.entry(name.to_owned()).or_default();
        if layer.problem.as_ref() != Some(&problem) {
            let reason = problem.reason(name);
            let rest = if is_served { "; the last version is served" } else { "" };
            match problem {
                Problem::Unreadable(_) | Problem::Contradictory(_) => tracing::error!(layer = name, "{reason}{rest}"),
                Problem::Missing | Problem::Copy(_) => tracing::warn!(layer = name, "{reason}{rest}"),
            }
        }
        layer.problem = Some(problem);
    }

    #[cfg(test)]
    pub(super) fn forget_failures(&mut self) {
        self.layers.values_mut().for_each(|layer| layer.failures = 0);
    }

    /// Records a contact with the bucket. Returns whether it could not be reached before.
    pub(super) fn make_contact(&mut self) -> bool {
        (self.contact_s, self.is_contact_saved) = (Some(now_s()), false);
        self.outage.take().is_some()
    }

    /// Whether all layers were copied for the first time now.
    pub(super) fn become_ready(&mut self) -> bool {
        let is_copied = |layer: &LayerState| layer.is_settled && layer.copy.is_none();
        let becomes = !self.is_ready && self.is_listed && self.layers.values().all(is_copied);
        self.is_ready |= becomes;
        becomes
    }
}
