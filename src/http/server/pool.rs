//! A bounded thread pool for rendering.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::problem::{Answer, Problem};
use crate::error::Result;

/// A bounded pool for work that keeps a processor busy, with a bounded queue. A thread that has done its work takes the next
/// from the queue, so that no thread has to be woken in between.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Mutex<Queue>>,
    threads: usize,
    max_waiting: usize,
}

/// The work that runs, and the work that waits.
#[derive(Default)]
struct Queue {
    working: usize,
    waiting: VecDeque<(u64, Work)>,
    /// The number of the last work that waited.
    numbered: u64,
}

/// The work of a thread; it catches panics.
type Work = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting.len();
        f.debug_struct("Queue").field("working", &self.working).field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// Cancels the work when the future that waits for it is dropped.
pub(crate) struct StopOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Removes work from the queue when the future that waits for it is dropped.
struct LeaveOnDrop<'a>(&'a Pool, u64);

impl Drop for LeaveOnDrop<'_> {
    fn drop(&mut self) {
        let Self(pool, number) = *self;
        // Dropped after the lock is released: to free what the work holds may take long.
        let _left = {
            let mut queue = lock(&pool.queue);
            let found = queue.waiting.binary_search_by_key(&number, |(number, _)| *number);
            found.ok().and_then(|at| queue.waiting.remove(at))
        };
    }
}

impl Pool {
    /// A pool of `threads` that work, before which up to `max_waiting` may wait.
    pub(crate) fn new(threads: usize, max_waiting: usize) -> Self {
        Self { queue: Arc::default(), threads: threads.max(1), max_waiting }
    }

    /// The number of threads that work.
    pub(crate) fn working(&self) -> usize {
        lock(&self.queue).working
    }

    /// The length of the queue.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    /// Runs `work` on a blocking thread as soon as one is free. Its flag is set when the returned future is dropped, as when
    /// the client has disconnected or the time limit is over.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = StopOnDrop(Arc::clone(&stop));
        let (send, receive) = oneshot::channel::<Result<Result<T>, Box<dyn Any + Send>>>();
        let number = self.admit(Box::new(move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(&stop)));
            // The receiver may be dropped.
            let _ = send.send(done);
        }))?;
        let _leave = number.map(|number| LeaveOnDrop(self, number));
        match receive.await {
            Ok(Ok(done)) => Ok(done?),
            // Reported and counted as all panics are.
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Problem::busy("the server is stopping")),
        }
    }

    /// Starts the work, or queues it and returns its number.
    fn admit(&self, work: Work) -> Answer<Option<u64>> {
        let mut queue = lock(&self.queue);
        if queue.working < self.threads {
            queue.working += 1;
            let all = Arc::clone(&self.queue);
            tokio::task::spawn_blocking(move || work_on(&all, work));
            return Ok(None);
        }
        if queue.waiting.len() >= self.max_waiting {
            let why = format!("{} pictures wait to be drawn already; ask again in a moment", self.max_waiting);
            return Err(Problem::busy(why));
        }
        queue.numbered += 1;
        let number = queue.numbered;
        queue.waiting.push_back((number, work));
        Ok(Some(number))
    }
}

/// Runs the work, and then the queue until it is empty.
fn work_on(queue: &Mutex<Queue>, first: Work) {
    let mut work = first;
    loop {
        work();
        let mut queue = lock(queue);
        let Some((_, next)) = queue.waiting.pop_front() else {
            queue.working -= 1;
            return;
        };
        work = next;
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
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
