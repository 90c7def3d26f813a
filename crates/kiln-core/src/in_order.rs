//! Parallel work whose results are consumed in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError, mpsc};

use crate::error::{Error, Result};

/// Calls `work` for each number below `count` on `threads` threads, and `take` on this thread with the results in the
/// order of the numbers. Workers are at most a few jobs ahead of the next result, so that few results are buffered. The
/// first error stops all workers.
///
/// # Errors
/// The first error of `work`, in the order of the numbers, or of `take`.
pub fn in_order<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
    mut take: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    /// The maximum number of jobs per thread ahead of the next result.
    const AHEAD: usize = 4;
    let threads = threads.clamp(1, count.max(1));
    let (jobs, queue) = mpsc::channel();
    let queue = Mutex::new(queue);
    let (sender, results) = mpsc::channel();
    let run = |sender: mpsc::Sender<_>| {
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(job) = next() {
            // A panic is sent as a result, since the calling thread waits for one.
            let result = catch_unwind(AssertUnwindSafe(|| work(job)));
            if sender.send((job, result)).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        // Dropped at the end of this closure, also on an error or a panic, which stops the workers.
        let (jobs, results) = (jobs, results);
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(|| run(sender));
        }
        let start = |job| {
            if job < count {
                // Cannot fail: the queue has a receiver as long as this thread runs.
                let _ = jobs.send(job);
            }
        };
        (0..AHEAD * threads).for_each(start);
        let mut early = BTreeMap::new();
        for job in 0..count {
            let result = loop {
                if let Some(result) = early.remove(&job) {
                    break result;
                }
                let (job, result) = results.recv().map_err(|_| Error::Cancelled)?;
                early.insert(job, result);
            };
            start(job + AHEAD * threads);
            take(job, result.unwrap_or_else(|panic| resume_unwind(panic))?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_are_in_order_and_few_are_buffered() {
        for threads in [0, 1, 2, 7] {
            let (taken, max_ahead) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |job: usize| {
                max_ahead.fetch_max(job.saturating_sub(taken.load(Ordering::SeqCst)), Ordering::SeqCst);
                Ok(job * 3)
            };
            let mut all = Vec::new();
            in_order(500, threads, work, |job, outcome| {
                all.push((job, outcome));
                taken.store(job + 1, Ordering::SeqCst);
                Ok(())
            })
            .unwrap();
            assert_eq!(all, (0..500).map(|job| (job, job * 3)).collect::<Vec<_>>());
            assert!(max_ahead.into_inner() <= 4 * threads.max(1) + 1);
        }
        in_order(0, 3, |_| Ok(()), |_, ()| Ok(())).unwrap();
    }

    #[test]
    fn an_error_of_a_worker_or_of_the_consumer_stops_all_work() {
        let failed = || Error::invalid(crate::Parameter::POINTS, "no");
        let work = |job| if job == 20 { Err(failed()) } else { Ok(job) };
        let mut taken = 0;
        let error = in_order(1000, 3, work, |_, _| {
            taken += 1;
            Ok(())
        });
        assert_eq!((error.unwrap_err().to_string(), taken), ("points: no".into(), 20));
        let error = in_order(1000, 3, Ok, |job, _| if job == 5 { Err(failed()) } else { Ok(()) });
        assert!(error.is_err());
    }

    #[test]
    fn a_panic_of_a_worker_propagates_to_the_caller() {
        let work = |job| if job == 20 { resume_unwind(Box::new("job 20")) } else { Ok(job) };
        let panic = catch_unwind(AssertUnwindSafe(|| in_order(1000, 3, work, |_, _| Ok(())))).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"job 20"));
    }
}
