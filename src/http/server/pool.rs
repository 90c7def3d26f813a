//! A bounded thread pool for rendering: cheap work first, and heavy work on a part of the threads.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::client::ClientQuota;
use super::price::Price;
use super::problem::{HttpResult, Problem};
use super::trace::Waiting;
use crate::config::LimitsConfig;
use crate::error::Result;

/// A thread pool for CPU-bound tasks with a bounded queue. A thread that has completed a task takes the next one from
/// the queue itself, so that no thread must be woken in between.
///
/// Work has a [`Price`]. Heavy work runs on half of the threads at most, so that light work never waits for all of them; with
/// a single thread, a second one runs light work while the first is heavy. The other half is for light work only while heavy
/// work waits: otherwise clients that send light work all the time would stop heavy work. Light work is taken in the order of
/// its arrival, and heavy work in the order in which it is due: after its arrival and its price, so that cheaper work passes
/// dearer work, but not forever.
#[derive(Debug)]
pub(crate) struct Pool {
    queue: Arc<Mutex<Queue>>,
    max_waiting: usize,
    max_price: u64,
    quota: ClientQuota,
}

/// The numbers of running tasks, and the queue of waiting ones.
struct Queue {
    threads: usize,
    /// The number of running light tasks.
    light: usize,
    /// The number of running heavy tasks.
    heavy: usize,
    /// Waiting light tasks, in the order in which they are taken.
    light_waiting: BTreeMap<TaskKey, Task>,
    /// Waiting heavy tasks, in the order in which they are taken.
    heavy_waiting: BTreeMap<TaskKey, Task>,
    /// The id of the last task that was queued.
    last_id: u64,
}

/// The position of a task in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TaskKey {
    /// When a heavy task is due; of light ones, when they arrived.
    due: Instant,
    id: u64,
}

/// A task that waits in the queue of its kind.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    is_heavy: bool,
    key: TaskKey,
}

/// The time for which cheaper work that arrives later passes a dear task; less than the default timeout of a request.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// A task; it catches panics.
type Task = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.waiting();
        let (light, heavy) = (self.light, self.heavy);
        let mut queue = f.debug_struct("Queue");
        queue.field("light", &light).field("heavy", &heavy).field("waiting", &waiting).finish_non_exhaustive()
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
struct DequeueOnDrop<'a>(&'a Pool, Waiter);

impl Drop for DequeueOnDrop<'_> {
    fn drop(&mut self) {
        let Self(pool, Waiter { is_heavy, key }) = *self;
        // Dropped after the lock is released: freeing the task's memory may take long.
        let _task = lock(&pool.queue).waiting_of(is_heavy).remove(&key);
    }
}

impl Queue {
    /// The maximum number of running heavy tasks: half of the threads, and at least 1.
    fn max_heavy(&self) -> usize {
        (self.threads / 2).max(1)
    }

    /// Whether a task can start now.
    fn has_thread(&self, is_heavy: bool) -> bool {
        if is_heavy {
            self.heavy < self.max_heavy() && (self.light + self.heavy < self.threads)
        } else {
            self.light < self.threads.saturating_sub(self.heavy).max(1)
        }
    }

    /// Counts a task that starts.
    fn start(&mut self, is_heavy: bool) {
        *if is_heavy { &mut self.heavy } else { &mut self.light } += 1;
    }

    /// Counts a task that ended.
    fn end(&mut self, is_heavy: bool) {
        *if is_heavy { &mut self.heavy } else { &mut self.light } -= 1;
    }

    /// The number of waiting tasks.
    fn waiting(&self) -> usize {
        self.light_waiting.len() + self.heavy_waiting.len()
    }

    /// The waiting tasks of a kind.
    fn waiting_of(&mut self, is_heavy: bool) -> &mut BTreeMap<TaskKey, Task> {
        if is_heavy { &mut self.heavy_waiting } else { &mut self.light_waiting }
    }

    /// Takes the next task that can start now, and counts it as running. A heavy one is first as long as heavy work has
    /// less than its share of the threads.
    fn next(&mut self) -> Option<(bool, Task)> {
        let is_heavy =
            [true, false].into_iter().find(|kind| !self.waiting_of(*kind).is_empty() && self.has_thread(*kind))?;
        self.start(is_heavy);
        let (_, task) = self.waiting_of(is_heavy).pop_first()?;
        Some((is_heavy, task))
    }
}

impl Pool {
    /// Creates a pool of `threads` with a queue of up to `max_waiting` tasks, half of which may be heavy.
    pub(crate) fn new(threads: usize, max_waiting: usize, limits: &LimitsConfig) -> Self {
        let queue = Queue {
            threads: threads.max(1),
            light: 0,
            heavy: 0,
            light_waiting: BTreeMap::new(),
            heavy_waiting: BTreeMap::new(),
            last_id: 0,
        };
        Self {
            queue: Arc::new(Mutex::new(queue)),
            max_waiting,
            max_price: limits.price,
            quota: ClientQuota::new(limits.client_price),
        }
    }

    /// The number of running tasks.
    pub(crate) fn working(&self) -> usize {
        let queue = lock(&self.queue);
        queue.light + queue.heavy
    }

    /// The number of queued tasks.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.queue).waiting()
    }

    /// Runs light work as [`run_at`](Self::run_at) does.
    ///
    /// # Errors
    /// As [`run_at`](Self::run_at).
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        self.run_at(Price::LIGHT, work).await
    }

    /// Runs `work` of a price on a blocking thread as soon as one is free. Its flag is set when the returned future is
    /// dropped, for example when the client disconnects or the request times out.
    ///
    /// # Errors
    /// [`Problem::busy`] if the queue is full; 400 if the price exceeds `limits.price`; 429 if the client has used its
    /// quota; and the error of `work`.
    pub(crate) async fn run_at<T: Send + 'static>(
        &self,
        price: Price,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        self.admit(price)?;
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = CancelOnDrop(Arc::clone(&stop));
        let (send, receive) = oneshot::channel::<Result<Result<T>, Box<dyn Any + Send>>>();
        let waiting = Waiting::begin();
        let task = move || {
            let result = waiting.end(|| catch_unwind(AssertUnwindSafe(|| work(&stop))));
            // The receiver may be dropped.
            let _ = send.send(result);
        };
        let waiter = self.submit(price, Box::new(task))?;
        let _dequeue = waiter.map(|waiter| DequeueOnDrop(self, waiter));
        match receive.await {
            Ok(Ok(result)) => Ok(result?),
            // The panic middleware reports and counts it.
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Problem::busy("the server is shutting down")),
        }
    }

    /// Checks a price against the limits, and records it for the log and the metrics, also if it exceeds them.
    pub(super) fn admit(&self, price: Price) -> HttpResult<()> {
        price.record();
        if price.ms() > self.max_price {
            let (price, limit) = (price.ms(), self.max_price);
            let detail = format!(
                "the request would take some {price} ms of processor time, which exceeds the limit of {limit}; request \
                 fewer pixels, a smaller radius, or fewer points or corners of a polygon"
            );
            return Err(Problem::parameter("limits.price", detail));
        }
        self.quota.take(price)
    }

    /// Starts the task, or queues it and returns its position.
    fn submit(&self, price: Price, task: Task) -> HttpResult<Option<Waiter>> {
        let is_heavy = price.is_heavy();
        let mut queue = lock(&self.queue);
        if queue.has_thread(is_heavy) {
            queue.start(is_heavy);
            drop(queue);
            spawn(Arc::clone(&self.queue), is_heavy, task);
            return Ok(None);
        }
        let max = if is_heavy { self.max_waiting.div_ceil(2) } else { self.max_waiting };
        if queue.waiting_of(is_heavy).len() >= max {
            let kind = if is_heavy { "heavy " } else { "" };
            let waiting = if max == 1 { "request is waiting" } else { "requests are waiting" };
            return Err(Problem::busy(format!("the render queue is full, {max} {kind}{waiting}; retry later")));
        }
        queue.last_id += 1;
        let delay = if is_heavy { Duration::from_millis(price.ms()).min(MAX_DELAY) } else { Duration::ZERO };
        let key = TaskKey { due: Instant::now() + delay, id: queue.last_id };
        queue.waiting_of(is_heavy).insert(key, task);
        Ok(Some(Waiter { is_heavy, key }))
    }
}

/// Runs the task on a blocking thread, and then queued tasks until none can start.
fn spawn(queue: Arc<Mutex<Queue>>, is_heavy: bool, task: Task) {
    tokio::task::spawn_blocking(move || {
        let (mut is_heavy, mut task) = (is_heavy, task);
        loop {
            task();
            let mut locked = lock(&queue);
            locked.end(is_heavy);
            let Some(next) = locked.next() else { return };
            (is_heavy, task) = next;
            // The end of a heavy task may admit a light one on this thread and a heavy one on another.
            if let Some((is_heavy, task)) = locked.next() {
                drop(locked);
                spawn(Arc::clone(&queue), is_heavy, task);
            }
        }
    });
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::panic::Location;
    use std::sync::mpsc;

    use super::*;
    use crate::error::Error;

    fn pool(threads: usize, max_waiting: usize) -> Pool {
        Pool::new(threads, max_waiting, &LimitsConfig::default())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_full_queue_rejects_tasks_and_queued_tasks_are_run() {
        let pool = Arc::new(pool(1, 1));
        let (release, held) = mpsc::channel::<()>();
        let spawn = |work: Box<dyn FnOnce() -> u32 + Send>| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.run(move |_| Ok(work())).await })
        };
        let first = spawn(Box::new(move || {
            held.recv().unwrap();
            1
        }));
        until(|| pool.working() == 1).await;
        let second = spawn(Box::new(|| 2));
        until(|| pool.waiting() == 1).await;
        let rejected = pool.run(|_| Ok(3)).await.unwrap_err();
        assert_eq!(rejected.status().as_u16(), 503);
        release.send(()).unwrap();
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
        assert_eq!(pool.waiting(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_is_cancelled_when_its_future_is_dropped() {
        let pool = Arc::new(pool(1, 1));
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

    /// A task that waits until its sender is dropped.
    fn held(pool: &Arc<Pool>, price: Price) -> (mpsc::Sender<()>, tokio::task::JoinHandle<u16>) {
        let (release, held) = mpsc::channel::<()>();
        let pool = Arc::clone(pool);
        let task = tokio::spawn(async move {
            let work = pool.run_at(price, move |_| {
                let _ = held.recv();
                Ok(())
            });
            work.await.map_or_else(|problem| problem.status().as_u16(), |()| 200)
        });
        (release, task)
    }

    /// Waits until a condition is met.
    ///
    /// # Panics
    /// After a minute, with the place of the call: a test that waited forever would say nothing.
    #[track_caller]
    pub(in crate::http::server) fn until(is_met: impl Fn() -> bool) -> impl Future<Output = ()> {
        let (caller, start) = (Location::caller(), Instant::now());
        async move {
            while !is_met() {
                assert!(start.elapsed() < Duration::from_secs(60), "not met after a minute: {caller}");
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn heavy_tasks_take_half_of_the_threads_and_light_ones_pass_them() {
        let heavy = Price::of_ms(1000.0);
        for (threads, max_heavy) in [(1, 1), (2, 1), (3, 1), (4, 2), (9, 4)] {
            let pool = Arc::new(pool(threads, 40));
            let tasks: Vec<_> = (0..2 * threads + 2).map(|_| held(&pool, heavy)).collect();
            until(|| pool.waiting() + pool.working() == tasks.len()).await;
            assert_eq!(pool.working(), max_heavy, "{threads}");
            // They were all there first.
            assert_eq!(pool.run(|_| Ok(7)).await.unwrap(), 7);
            until(|| pool.working() == max_heavy).await;
            // Which of them run depends on the order in which they arrived.
            let (releases, tasks): (Vec<_>, Vec<_>) = tasks.into_iter().unzip();
            drop(releases);
            for task in tasks {
                assert_eq!(task.await.unwrap(), 200);
            }
            until(|| pool.working() == 0).await;
            assert_eq!(pool.waiting(), 0);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn queued_tasks_start_in_the_order_of_their_prices() {
        let pool = Arc::new(pool(1, 40));
        let heavy = held(&pool, Price::of_ms(1000.0));
        until(|| pool.working() == 1).await;
        let blockers = [heavy, held(&pool, Price::LIGHT)];
        until(|| pool.working() == 2).await;
        let (log, order) = mpsc::channel();
        let mut tasks = Vec::new();
        for (queued, ms) in [1e6, 1.0, 4e3, 1e2, 4e3].into_iter().enumerate() {
            let (log, shared) = (log.clone(), Arc::clone(&pool));
            tasks.push(tokio::spawn(async move {
                let work = move |_: &AtomicBool| {
                    log.send(ms as u64).unwrap();
                    Ok(())
                };
                shared.run_at(Price::of_ms(ms), work).await.unwrap();
            }));
            until(|| pool.waiting() == queued + 1).await;
        }
        let [(heavy, _), (light, _)] = blockers;
        // The thread of light work runs all of the light tasks, and the other one the heavy ones.
        drop(light);
        assert_eq!([order.recv().unwrap(), order.recv().unwrap()], [1, 100]);
        drop(heavy);
        assert_eq!([order.recv().unwrap(), order.recv().unwrap(), order.recv().unwrap()], [4000, 4000, 1_000_000]);
        for task in tasks {
            task.await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn light_tasks_that_arrive_all_the_time_do_not_stop_heavy_ones() {
        let pool = Arc::new(pool(2, 40));
        let [first, second] = [held(&pool, Price::LIGHT), held(&pool, Price::LIGHT)];
        until(|| pool.working() == 2).await;
        let heavy = held(&pool, Price::of_ms(1000.0));
        until(|| pool.waiting() == 1).await;
        let others = [held(&pool, Price::LIGHT), held(&pool, Price::LIGHT)];
        until(|| pool.waiting() == 3).await;
        // The first thread that is free takes the heavy task, although light ones wait.
        drop(first.0);
        assert_eq!(first.1.await.unwrap(), 200);
        until(|| lock(&pool.queue).heavy == 1).await;
        assert_eq!(pool.waiting(), 2);
        for (release, task) in [second, heavy].into_iter().chain(others) {
            drop(release);
            assert_eq!(task.await.unwrap(), 200);
        }
    }

    #[test]
    fn cheaper_heavy_tasks_pass_a_dear_one_for_ten_seconds() {
        let pool = pool(1, 40);
        lock(&pool.queue).heavy = 1;
        let submit = |ms: f64| pool.submit(Price::of_ms(ms), Box::new(|| {})).unwrap().unwrap().key;
        let (dear, cheap) = (submit(1e6), submit(1e3));
        assert!(cheap < dear);
        let after = TaskKey { due: cheap.due + MAX_DELAY, id: 3 };
        assert!(dear < after);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn waiting_heavy_tasks_leave_half_of_the_queue_to_light_ones() {
        let pool = Arc::new(pool(1, 4));
        let heavy = Price::of_ms(1000.0);
        let mut tasks = vec![held(&pool, heavy)];
        until(|| pool.working() == 1).await;
        tasks.extend((0..2).map(|_| held(&pool, heavy)));
        until(|| pool.working() + pool.waiting() == 3).await;
        let rejected = pool.run_at(heavy, |_| Ok(())).await.unwrap_err();
        assert!(rejected.status().as_u16() == 503 && rejected.detail().contains("2 heavy"), "{}", rejected.detail());
        tasks.extend((0..5).map(|_| held(&pool, Price::LIGHT)));
        until(|| pool.waiting() == 2 + 4).await;
        assert_eq!(pool.run(|_| Ok(())).await.unwrap_err().status().as_u16(), 503);
        // A client that disconnects leaves the queue.
        for (_, task) in &tasks[1..] {
            task.abort();
        }
        until(|| pool.waiting() == 0).await;
        assert_eq!(lock(&pool.queue).heavy_waiting.len(), 0);
    }

    #[tokio::test]
    async fn a_price_above_the_limit_is_rejected_by_its_name() {
        let limits = LimitsConfig { price: 500, ..LimitsConfig::default() };
        let pool = Pool::new(1, 1, &limits);
        assert!(pool.run_at(Price::of_ms(500.0), |_| Ok(())).await.is_ok());
        let problem = pool.run_at(Price::of_ms(501.0), |_| Ok(())).await.unwrap_err();
        assert_eq!(problem.status().as_u16(), 400);
        assert!(problem.detail().contains("limits.price") && problem.detail().contains("501"), "{}", problem.detail());
    }
}
