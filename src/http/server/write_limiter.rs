//! Limits concurrent writes, and large ones further.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::pool::StopOnDrop;
use super::problem::{Answer, Problem};

/// Limits concurrent writes. Many are allowed, since writes that wait for the disk share a commit.
#[derive(Debug)]
pub(crate) struct WriteLimiter {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The permit of a write, held as long as it runs.
#[derive(Debug)]
pub(crate) struct WritePermit {
    _small: OwnedSemaphorePermit,
    large: Mutex<Option<OwnedSemaphorePermit>>,
    more: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

impl WriteLimiter {
    /// Concurrent writes; others wait.
    const SMALL: usize = 64;
    /// Those of them that may hold much in memory.
    const LARGE: usize = 4;

    /// A limiter without any writes.
    pub(crate) fn new() -> Self {
        Self { small: Arc::new(Semaphore::new(Self::SMALL)), large: Arc::new(Semaphore::new(Self::LARGE)) }
    }

    /// The number of writes that run.
    pub(crate) fn working(&self) -> usize {
        Self::SMALL - self.small.available_permits()
    }

    /// Runs `work` on a blocking thread as soon as there is a permit, and `meanwhile` as long as it runs. The permit's flag is
    /// set when the returned future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        meanwhile: impl Future<Output = ()>,
        work: impl FnOnce(&WritePermit) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let small = Arc::clone(&self.small).acquire_owned().await.map_err(|_| stopping())?;
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let more = Arc::clone(&self.large);
        let mut done = tokio::task::spawn_blocking(move || {
            work(&WritePermit { _small: small, large: Mutex::default(), more, stop })
        });
        tokio::select! {
            answer = &mut done => return ended(answer),
            () = meanwhile => {}
        }
        ended(done.await)
    }
}

fn ended<T>(done: Result<Answer<T>, JoinError>) -> Answer<T> {
    match done {
        Ok(answer) => answer,
        // Reported and counted as all panics are.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(stopping()),
        },
    }
}

fn stopping() -> Box<Problem> {
    Problem::busy("the server is stopping")
}

impl WritePermit {
    /// Waits until the write may hold much in memory.
    pub(crate) fn grow(&self) -> std::io::Result<()> {
        let mut permit = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        if permit.is_none() {
            let large = Handle::current().block_on(Arc::clone(&self.more).acquire_owned());
            *permit = Some(large.map_err(std::io::Error::other)?);
        }
        Ok(())
    }

    /// The flag that cancels the write.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }
}
