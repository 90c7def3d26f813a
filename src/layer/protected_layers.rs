//! The released points of layers with a minimum count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::LayerSpec;
use crate::error::{Error, Result};
use crate::protection::{ProtectedPoints, Protection};
use crate::source::PointSet;

/// The protection of a layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerProtection {
    /// The settings.
    pub protection: Protection,
    /// The interval in which the released points do not change, although the points do; `None`: they follow the points.
    pub refresh: Option<Duration>,
}

/// The protections of layers by name, and the released points of these layers, computed once per state of the points.
///
/// Released points are computed by the first request for a layer. Once there are some, those of a large layer whose
/// points have changed are computed in the background, and the previous ones are returned until then.
pub struct ProtectedLayers {
    protections: BTreeMap<String, LayerProtection>,
    slots: Mutex<BTreeMap<String, Arc<Slot>>>,
    run_blocking: fn(&mut dyn FnMut()),
}

/// The released points of a layer.
#[derive(Default)]
struct Slot {
    computed: Mutex<Option<Computed>>,
    /// Locked while released points are computed.
    computing: Mutex<()>,
    /// Whether a background thread computes released points.
    is_refreshing: AtomicBool,
}

/// The released points of a state of a layer, or the error.
struct Computed {
    /// The points that they were computed from. Weak, so that removed points do not occupy disk space.
    origin: Weak<dyn PointSet>,
    released: Result<Arc<dyn PointSet>, String>,
    at: Instant,
}

impl Computed {
    /// The time until a failed computation for the same points is repeated.
    const RETRY: Duration = Duration::from_secs(10);

    fn is_current(&self, points: &Arc<dyn PointSet>, refresh: Option<Duration>) -> bool {
        let is_same = std::ptr::addr_eq(self.origin.as_ptr(), Arc::as_ptr(points));
        let age = self.at.elapsed();
        match &self.released {
            Ok(_) => is_same || refresh.is_some_and(|refresh| age < refresh),
            Err(_) => is_same && age < Self::RETRY,
        }
    }

    fn outcome(&self, name: &str) -> Result<Arc<dyn PointSet>> {
        self.released.as_ref().map(Arc::clone).map_err(|message| Error::input(name, message.as_str()))
    }
}

impl ProtectedLayers {
    /// The maximum number of points of a layer whose released points are always computed by the request, which takes
    /// milliseconds, so that it returns the latest ones.
    const MAX_INLINE_POINTS: u64 = 100_000;

    /// The protections of layers by name.
    pub fn new(protections: BTreeMap<String, LayerProtection>) -> Self {
        Self { protections, ..Self::default() }
    }

    /// Sets the function that runs computations, and waits for them, on behalf of a request. Default: it calls them.
    #[must_use]
    pub fn with_runner(mut self, run_blocking: fn(&mut dyn FnMut())) -> Self {
        self.run_blocking = run_blocking;
        self
    }

    /// Runs a computation that a request waits for.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let (mut work, mut outcome) = (Some(work), None);
        (self.run_blocking)(&mut || outcome = work.take().map(|work| work()));
        outcome
    }

    /// The protection of the layer `name`.
    pub fn protection(&self, name: &str) -> Option<Protection> {
        self.protections.get(name).map(|layer| layer.protection)
    }

    /// The released points of the layer `name`, whose current points are `points`; `points` if the layer is not
    /// protected. Unless `is_latest`, those of a large layer may be the previous ones.
    ///
    /// # Errors
    /// As [`ProtectedPoints::of`].
    pub fn release(&self, name: &str, points: Arc<dyn PointSet>, is_latest: bool) -> Result<Arc<dyn PointSet>> {
        let Some(&LayerProtection { protection, refresh }) = self.protections.get(name) else { return Ok(points) };
        let slot = Arc::clone(lock(&self.slots).entry(name.to_owned()).or_default());
        if let Some(current) = slot.current(name, &points, refresh) {
            return current;
        }
        let previous = lock(&slot.computed).as_ref().and_then(|computed| computed.released.clone().ok());
        if let (Some(previous), false, true) = (previous, is_latest, points.points() > Self::MAX_INLINE_POINTS) {
            slot.refresh(name.to_owned(), points, protection);
            return Ok(previous);
        }
        (self.run_blocking)(&mut || {
            let _guard = lock(&slot.computing);
            // A concurrent request may have computed them.
            if slot.current(name, &points, refresh).is_none() {
                slot.compute(name, &points, &protection, crate::available_threads());
            }
        });
        let computed = lock(&slot.computed);
        computed.as_ref().map_or_else(|| Err(Error::Cancelled), |computed| computed.outcome(name))
    }

    /// Drops the released points of the layer `name`.
    pub fn remove(&self, name: &str) {
        lock(&self.slots).remove(name);
    }

    /// Drops the released points of layers that do not exist.
    pub fn retain(&self, exists: impl Fn(&String) -> bool) {
        lock(&self.slots).retain(|name, _| exists(name));
    }
}

impl Slot {
    /// The released points of `points`, if they were computed.
    fn current(
        &self,
        name: &str,
        points: &Arc<dyn PointSet>,
        refresh: Option<Duration>,
    ) -> Option<Result<Arc<dyn PointSet>>> {
        let computed = lock(&self.computed);
        computed.as_ref().filter(|computed| computed.is_current(points, refresh)).map(|computed| computed.outcome(name))
    }

    /// Computes the released points of `points`.
    fn compute(&self, name: &str, points: &Arc<dyn PointSet>, protection: &Protection, threads: usize) {
        let released = LayerSpec::described(name, &**points)
            .and_then(|spec| ProtectedPoints::of(&**points, &spec.query(), protection, threads));
        match &released {
            Ok(released) => log_released(name, released),
            Err(error) => tracing::error!(layer = name, %error, "the points cannot be released"),
        }
        let released = released.map_err(|error| match error {
            Error::Invalid { message, .. } | Error::Input { message, .. } => message.with_keys(),
            other => other.to_string(),
        });
        let released = released.map(|released| {
            let released: Arc<dyn PointSet> = Arc::new(released);
            // Unchanged points keep their pictures in the caches.
            let previous = lock(&self.computed).as_ref().and_then(|computed| computed.released.clone().ok());
            previous.filter(|previous| previous.version() == released.version()).unwrap_or(released)
        });
        *lock(&self.computed) = Some(Computed { origin: Arc::downgrade(points), released, at: Instant::now() });
    }

    /// Computes the released points of `points` on a background thread, unless one is running.
    fn refresh(self: Arc<Self>, name: String, points: Arc<dyn PointSet>, protection: Protection) {
        if self.is_refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let slot = Arc::clone(&self);
        let work = move || {
            let running = Refreshing(&slot.is_refreshing);
            let _guard = lock(&slot.computing);
            // One thread, which leaves the others to requests.
            slot.compute(&name, &points, &protection, 1);
            drop(running);
        };
        if let Err(error) = std::thread::Builder::new().name("release".into()).spawn(work) {
            tracing::error!(%error, "no thread to compute released points");
            self.is_refreshing.store(false, Ordering::Release);
        }
    }
}

/// Resets the flag of a background thread when it ends, also by a panic.
struct Refreshing<'s>(&'s AtomicBool);

impl Drop for Refreshing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Logs the number of released points of a layer, and of the others, for the operator.
pub(super) fn log_released(name: &str, points: &ProtectedPoints) {
    let (released, suppressed) = (points.points(), points.suppressed());
    tracing::info!(layer = name, released, suppressed, groups = points.groups(), "min_count applied");
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for ProtectedLayers {
    fn default() -> Self {
        let protections = BTreeMap::new();
        Self { protections, slots: Mutex::default(), run_blocking: |work| work() }
    }
}

impl std::fmt::Debug for ProtectedLayers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtectedLayers").field("protections", &self.protections).finish_non_exhaustive()
    }
}
