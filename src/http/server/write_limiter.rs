//! Where requests change layers: so many at a time, and of those that bring much only a few.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::pool::StopOnDrop;
use super::problem::{Answer, Problem};

/// WriteLimiter for work that waits for the disk: it is many at once that share a commit.
#[derive(Debug)]
pub(crate) struct WriteLimiter {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// The place of a request, as long as it works.
#[derive(Debug)]
pub(crate) struct WritePermit {
    _small: OwnedSemaphorePermit,
    large: Mutex<Option<OwnedSemaphorePermit>>,
    places: Arc<Semaphore>,
    stop: Arc<AtomicBool>,
}

impl WriteLimiter {
    /// Requests that change layers at a time; the others wait.
    const SMALL: usize = 64;
    /// Those of them that hold more than a little in memory.
    const LARGE: usize = 4;

    pub(crate) fn new() -> Self {
        Self { small: Arc::new(Semaphore::new(Self::SMALL)), large: Arc::new(Semaphore::new(Self::LARGE)) }
    }

    /// How many work.
    pub(crate) fn working(&self) -> usize {
        Self::SMALL - self.small.available_permits()
    }

    /// Does `work` on a thread of its own as soon as there is a place. It is told by the place's flag once nobody waits for
    /// the answer any more; `meanwhile` goes on as long as it works.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        meanwhile: impl Future<Output = ()>,
        work: impl FnOnce(&WritePermit) -> Answer<T> + Send + 'static,
    ) -> Answer<T> {
        let small = Arc::clone(&self.small).acquire_owned().await.map_err(|_| stopping())?;
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let places = Arc::clone(&self.large);
        let mut done = tokio::task::spawn_blocking(move || {
            work(&WritePermit { _small: small, large: Mutex::default(), places, stop })
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
        // Told and counted where all panics are.
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
    /// Waits until there is room for work that holds more than a little in memory.
    pub(crate) fn grow(&self) -> std::io::Result<()> {
        let mut place = self.large.lock().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            let large = Handle::current().block_on(Arc::clone(&self.places).acquire_owned());
            *place = Some(large.map_err(std::io::Error::other)?);
        }
        Ok(())
    }

    /// Says that nobody waits for the answer any more.
    pub(crate) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }
}
