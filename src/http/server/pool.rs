//! A bounded thread pool for rendering.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::problem::{HttpResult, Problem};
use crate::error::Result;

/// A thread pool for CPU-bound tasks with a bounded queue. A thread that has completed a task takes the next one from
/// the queue itself, so that no thread must be woken in between.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Mutex<Queue>>,
    threads: usize,
    max_waiting: usize,
}

/// The number of running tasks, and the queue of waiting ones.
#[derive(Default)]
struct Queue {
    working: usize,
    /// Tasks by id, in ascending order.
    waiting: VecDeque<(u64, Task)>,
    /// The id of the last task that was queued.
    last_id: u64,
}

/// A task; it catches panics.
type Task = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting.len();
        f.debug_struct("Queue").field("working", &self.working).field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// Cancels a task when the future that waits for it is dropped.
pub(crate) struct CancelOnDrop(pub(crate) Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Removes a task from the queue when the future that waits for it is dropped.
struct DequeueOnDrop<'a>(&'a Pool, u64);

impl Drop for DequeueOnDrop<'_> {
    fn drop(&mut self) {
        let Self(pool, id) = *self;
        // Dropped after the lock is released: freeing the task's memory may take long.
        let _task = {
            let mut queue = lock(&pool.queue);
            let found = queue.waiting.binary_search_by_key(&id, |(id, _)| *id);
            found.ok().and_then(|at| queue.waiting.remove(at))
        };
    }
}

impl Pool {
    /// Creates a pool of `threads` with a queue of up to `max_waiting` tasks.
    pub(crate) fn new(threads: usize, max_waiting: usize) -> Self {
        Self { queue: Arc::default(), threads: threads.max(1), max_waiting }
    }

    /// The number of running tasks.
    pub(crate) fn working(&self) -> usize {
        lock(&self.queue).working
    }

    /// The number of queued tasks.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).waiting.len()
    }

    /// Runs `work` on a blocking thread as soon as one is free. Its flag is set when the returned future is dropped,
    /// for example when the client disconnects or the request times out.
    ///
    /// # Errors
    /// [`Problem::busy`] if the queue is full, and the error of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = CancelOnDrop(Arc::clone(&stop));
        let (send, receive) = oneshot::channel::<Result<Result<T>, Box<dyn Any + Send>>>();
        let id = self.submit(Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(|| work(&stop)));
            // The receiver may be dropped.
            let _ = send.send(result);
        }))?;
        let _dequeue = id.map(|id| DequeueOnDrop(self, id));
        match receive.await {
            Ok(Ok(result)) => Ok(result?),
            // The panic middleware reports and counts it.
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Problem::busy("the server is shutting down")),
        }
    }

    /// Starts the task, or queues it and returns its id.
    fn submit(&self, task: Task) -> HttpResult<Option<u64>> {
        let mut queue = lock(&self.queue);
        if queue.working < self.threads {
            queue.working += 1;
            let shared = Arc::clone(&self.queue);
            tokio::task::spawn_blocking(move || run_tasks(&shared, task));
            return Ok(None);
        }
        if queue.waiting.len() >= self.max_waiting {
            let detail = format!("the render queue is full, {} requests are waiting; retry later", self.max_waiting);
            return Err(Problem::busy(detail));
        }
        queue.last_id += 1;
        let id = queue.last_id;
        queue.waiting.push_back((id, task));
        Ok(Some(id))
    }
}

/// Runs the task, and then queued tasks until the queue is empty.
fn run_tasks(queue: &Mutex<Queue>, first: Task) {
    let mut task = first;
    loop {
        task();
        let mut queue = lock(queue);
        let Some((_, next)) = queue.waiting.pop_front() else {
            queue.working -= 1;
            return;
        };
        task = next;
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
    async fn a_full_queue_rejects_tasks_and_queued_tasks_are_run() {
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
        let rejected = pool.run(|_| Ok(3)).await.unwrap_err();
        assert_eq!(rejected.status().as_u16(), 503);
        release.send(()).unwrap();
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
        assert_eq!(pool.waiting(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_is_cancelled_when_its_future_is_dropped() {
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
        // The thread is free again, also after a panic.
        let shared = Arc::clone(&pool);
        let panicking = tokio::spawn(async move {
            shared.run(|_| -> Result<()> { std::panic::resume_unwind(Box::new("on purpose")) }).await
        });
        assert!(panicking.await.unwrap_err().is_panic());
        assert_eq!(pool.run(|_| Ok(7)).await.unwrap(), 7);
    }
}
