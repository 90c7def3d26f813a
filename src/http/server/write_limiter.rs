//! Limits of concurrent writes, with a lower limit for large ones.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::pool::CancelOnDrop;
use super::problem::{HttpResult, Problem};

/// Limits concurrent writes. Many are allowed, since writes that wait for the disk share a commit.
#[derive(Debug)]
pub(crate) struct WriteLimiter {
    all: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The permit of a running write.
#[derive(Debug)]
pub(crate) struct WritePermit {
    _permit: OwnedSemaphorePermit,
    large_permit: Mutex<Option<OwnedSemaphorePermit>>,
    large: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

impl WriteLimiter {
    /// The maximum number of concurrent writes; others wait.
    const MAX_WRITES: usize = 64;
    /// The maximum number of concurrent writes that buffer much in memory.
    const MAX_LARGE_WRITES: usize = 4;

    /// Creates a limiter.
    pub(crate) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { all: semaphore(Self::MAX_WRITES), large: semaphore(Self::MAX_LARGE_WRITES) }
    }

    /// The number of running writes.
    pub(crate) fn working(&self) -> usize {
        Self::MAX_WRITES - self.all.available_permits()
    }

    /// Runs `work` on a blocking thread as soon as a permit is available, and polls `feed`, which sends it the request
    /// body. The flag of the permit is set when the returned future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        feed: impl Future<Output = ()>,
        work: impl FnOnce(&WritePermit) -> HttpResult<T> + Send + 'static,
    ) -> HttpResult<T> {
        let permit = Arc::clone(&self.all).acquire_owned().await.map_err(|_| shutting_down())?;
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = CancelOnDrop(Arc::clone(&stop));
        let large = Arc::clone(&self.large);
        let mut task = tokio::task::spawn_blocking(move || {
            work(&WritePermit { _permit: permit, large_permit: Mutex::default(), large, stop })
        });
        tokio::select! {
            joined = &mut task => return into_result(joined),
            () = feed => {}
        }
        into_result(task.await)
    }
}

fn into_result<T>(joined: Result<HttpResult<T>, JoinError>) -> HttpResult<T> {
    match joined {
        Ok(result) => result,
        // The panic middleware reports and counts it.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(shutting_down()),
        },
    }
}

fn shutting_down() -> Box<Problem> {
    Problem::busy("the server is shutting down")
}

impl WritePermit {
    /// Waits for the additional permit of a large write.
    pub(crate) fn grow(&self) -> std::io::Result<()> {
        let mut permit = self.large_permit.lock().unwrap_or_else(PoisonError::into_inner);
        if permit.is_none() {
            let large = Handle::current().block_on(Arc::clone(&self.large).acquire_owned());
            *permit = Some(large.map_err(std::io::Error::other)?);
        }
        Ok(())
    }

    /// The flag that cancels the write.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }
}
