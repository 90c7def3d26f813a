//! Threads for the requests of live tables, which mostly wait for the database.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::pool::CancelOnDrop;
use super::price::Price;
use super::problem::{HttpResult, Problem};
use super::trace;
use crate::error::Result;

/// Runs the requests of each live table on a bounded number of threads, apart from the render threads. A table that is
/// locked or slow delays its own requests only.
#[derive(Debug)]
pub(crate) struct LivePool {
    /// The number of threads per table.
    share: usize,
    /// The maximum number of requests of a table that wait for a thread.
    max_waiting: usize,
    tables: Mutex<HashMap<String, Arc<Places>>>,
    /// The threads of all tables.
    threads: Arc<Semaphore>,
}

/// The threads of a table.
#[derive(Debug)]
struct Places {
    threads: Arc<Semaphore>,
    /// One place for heavy work, so that it leaves the other threads to light work.
    heavy: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Counts a request as waiting until it is dropped.
struct Waiting<'p>(&'p Places);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LivePool {
    /// The maximum number of threads: a quarter of those that the runtime starts for blocking work.
    const MAX_THREADS: usize = 128;

    /// Creates a pool of `share` threads per table, for which up to `max_waiting` requests wait.
    pub(crate) fn new(share: usize, max_waiting: usize) -> Self {
        let share = share.clamp(1, Self::MAX_THREADS);
        Self { share, max_waiting, tables: Mutex::default(), threads: Arc::new(Semaphore::new(Self::MAX_THREADS)) }
    }

    fn places(&self, table: &str) -> Arc<Places> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = tables.get(table) {
            return Arc::clone(places);
        }
        // Tables that no longer exist are forgotten.
        tables.retain(|_, places| Arc::strong_count(places) > 1);
        let [threads, heavy] = [self.share, 1].map(|places| Arc::new(Semaphore::new(places)));
        let places = Arc::new(Places { threads, heavy, waiting: AtomicUsize::new(0) });
        tables.insert(table.to_owned(), Arc::clone(&places));
        places
    }

    /// Runs `work` on a thread of `table` as soon as one is free. Its flag is set when the returned future is dropped.
    ///
    /// # Errors
    /// [`Problem::busy`] if too many requests wait, and the error of `work`.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        table: &str,
        price: Price,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        let stopping = || Problem::busy("the server is shutting down");
        let places = self.places(table);
        let waiting = Waiting(&places);
        let span = trace::Waiting::begin();
        if places.waiting.fetch_add(1, Ordering::Relaxed) >= self.max_waiting.max(1) {
            let detail = format!("{} requests wait for the table of the layer; retry later", self.max_waiting);
            return Err(Problem::busy(detail));
        }
        let heavy = if price.is_heavy() { Some(Arc::clone(&places.heavy).acquire_owned().await) } else { None };
        let own = Arc::clone(&places.threads).acquire_owned().await.map_err(|_| stopping())?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(|_| stopping())?;
        drop(waiting);
        let stop = Arc::new(AtomicBool::new(false));
        let _stop = CancelOnDrop(Arc::clone(&stop));
        let held = Arc::clone(&places);
        // The places are free once the work has ended, also if nothing waits for its result any more.
        let ended = tokio::task::spawn_blocking(move || {
            let _places = (held, heavy, own, thread);
            span.end(|| catch_unwind(AssertUnwindSafe(|| work(&stop))))
        });
        match ended.await {
            Ok(Ok(result)) => Ok(result?),
            // The panic middleware reports and counts it.
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(stopping()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc;

    use super::super::pool::tests::until;
    use super::*;
    use crate::error::Error;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn requests_of_a_locked_table_do_not_delay_those_of_another_one() {
        let pool = Arc::new(LivePool::new(2, 2));
        // Free threads, free places for heavy work, and requests that wait.
        let state = || {
            let places = pool.places("locked");
            let waiting = places.waiting.load(Ordering::Relaxed);
            (places.threads.available_permits(), places.heavy.available_permits(), waiting)
        };
        let (releases, held): (Vec<_>, Vec<_>) = (0..2).map(|_| mpsc::channel::<()>()).unzip();
        let locked: Vec<_> = held
            .into_iter()
            .map(|held| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move { pool.run("locked", Price::LIGHT, move |_| Ok(held.recv().is_ok())).await })
            })
            .collect();
        until(|| state() == (0, 1, 0)).await;
        let wait = || {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.run("locked", Price::LIGHT, |_| Ok(())).await })
        };
        let waiting = [wait(), wait()];
        until(|| state() == (0, 1, 2)).await;
        assert_eq!(pool.run("locked", Price::LIGHT, |_| Ok(())).await.unwrap_err().status().as_u16(), 503);
        assert_eq!(pool.run("other", Price::LIGHT, |_| Ok(1)).await.unwrap(), 1);
        // A request that is given up no longer waits.
        let [given_up, waiting] = waiting;
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
        assert_eq!(state(), (0, 1, 1));
        for release in &releases {
            release.send(()).unwrap();
        }
        for locked in locked {
            assert!(locked.await.unwrap().unwrap());
        }
        waiting.await.unwrap().unwrap();
        let failed = pool.run("locked", Price::LIGHT, |_| -> Result<()> { Err(Error::Cancelled) }).await;
        assert_eq!(failed.unwrap_err().status().as_u16(), 503);
        assert_eq!(state(), (2, 1, 0));
        // Heavy work leaves a thread to light work.
        let (release, held) = mpsc::channel::<()>();
        let run_heavy = |held: mpsc::Receiver<()>| {
            let (pool, price) = (Arc::clone(&pool), Price::of_ms(1e6));
            tokio::spawn(async move { pool.run("locked", price, move |_| Ok(held.recv().is_ok())).await })
        };
        let first = run_heavy(held);
        // The second one starts when the first one has the place, since tasks run in any order.
        until(|| state() == (1, 0, 0)).await;
        let second = run_heavy(mpsc::channel().1);
        until(|| state() == (1, 0, 1)).await;
        assert!(pool.run("locked", Price::LIGHT, |_| Ok(())).await.is_ok());
        release.send(()).unwrap();
        assert!(first.await.unwrap().unwrap());
        assert!(!second.await.unwrap().unwrap());
    }
}
