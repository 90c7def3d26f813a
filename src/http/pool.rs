//! Where pictures are drawn: so many at a time, so many waiting, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::fields::Answer;
use super::problem::Problem;
use crate::error::Result;

/// A bounded pool for work that keeps a processor busy.
#[derive(Debug)]
pub(super) struct Pool {
    slots: Arc<Semaphore>,
    threads: usize,
    max_waiting: usize,
    waiting: AtomicUsize,
}

/// One that waits; it no longer does once this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the work to stop once nobody waits for it any more.
pub(super) struct StopOnDrop(pub(super) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool of `threads` that work, before which up to `max_waiting` may wait.
    pub(super) fn new(threads: usize, max_waiting: usize) -> Self {
        let threads = threads.max(1);
        Self { slots: Arc::new(Semaphore::new(threads)), threads, max_waiting, waiting: AtomicUsize::new(0) }
    }

    /// How many work.
    pub(super) fn working(&self) -> usize {
        self.threads - self.slots.available_permits()
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Does `work` on a thread of its own as soon as there is room. The work is told by its flag once nobody waits for the
    /// answer any more: the client has left, or the time is over.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let slot = if let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() {
            slot
        } else {
            if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let why = format!("{} pictures wait to be drawn already; ask again in a moment", self.max_waiting);
                return Err(Problem::busy(why));
            }
            let _waiting = Waiting(&self.waiting);
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            slot.map_err(|_| Problem::busy("the server is stopping"))?
        };
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let done = tokio::task::spawn_blocking(move || {
            // The slot is free again when the work has ended, not when its client has left.
            let _slot = slot;
            work(&stop)
        });
        match done.await {
            Ok(done) => Ok(done?),
            // Told and counted where all panics are.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Problem::busy("the server is stopping")),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::error::Error;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_too_much_is_refused_and_what_waits_gets_its_turn() {
        let pool = Arc::new(Pool::new(1, 1));
        let (release, held) = mpsc::channel::<()>();
        let spawn = |work: Box<dyn FnOnce() -> u32 + Send>| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.run(move |_| Ok(work())).await })
        };
        let first = spawn(Box::new(move || {
            held.recv().unwrap();
            1
        }));
        while pool.working() == 0 {
            tokio::task::yield_now().await;
        }
        let second = spawn(Box::new(|| 2));
        while pool.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let refused = pool.run(|_| Ok(3)).await.unwrap_err();
        assert_eq!(refused.status().as_u16(), 503);
        release.send(()).unwrap();
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
        assert_eq!(pool.waiting(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_that_nobody_waits_for_is_told_to_stop() {
        let pool = Arc::new(Pool::new(1, 1));
        let (stopped, was_stopped) = mpsc::channel();
        let work = pool.run(move |stop| {
            while !stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            stopped.send(()).unwrap();
            Err::<(), _>(Error::Cancelled)
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        was_stopped.recv_timeout(Duration::from_secs(30)).unwrap();
        // The slot is free again, after a panic too.
        let pool_there = Arc::clone(&pool);
        let panicking = tokio::spawn(async move {
            pool_there.run(|_| -> Result<()> { std::panic::resume_unwind(Box::new("on purpose")) }).await
        });
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(pool.run(|_| Ok(7)).await.unwrap(), 7);
    }
}
