//! Work that is shared out to threads, and taken in its order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// What the threads share.
struct Shared<T> {
    /// The next job that nobody is at.
    next: usize,
    /// The next outcome to be taken.
    wanted: usize,
    ready: BTreeMap<usize, Result<T>>,
    is_over: bool,
}

/// Does `work` for each number below `count`, on `threads` threads, and gives the outcomes to `take` in the order of the numbers.
/// No thread works further ahead than a few jobs, so that few outcomes wait. The first error ends it.
pub(super) fn in_order<T: Send>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> Result<T> + Sync,
    mut take: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    /// Jobs that may be ahead of the one that is awaited, per thread.
    const AHEAD: usize = 4;
    let threads = threads.clamp(1, count.max(1));
    let shared = Mutex::new(Shared { next: 0, wanted: 0, ready: BTreeMap::new(), is_over: false });
    let (is_ready, has_room) = (Condvar::new(), Condvar::new());
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let wait =
        |on: &Condvar, guard| -> MutexGuard<'_, Shared<T>> { on.wait(guard).unwrap_or_else(PoisonError::into_inner) };
    let run = || loop {
        let mut state = lock();
        while !state.is_over && state.next < count && state.next >= state.wanted + AHEAD * threads {
            state = wait(&has_room, state);
        }
        if state.is_over || state.next >= count {
            return;
        }
        let job = state.next;
        state.next += 1;
        drop(state);
        let mut outcome = Ended { shared: &shared, is_ready: &is_ready, job, outcome: Some(Err(Error::Cancelled)) };
        outcome.outcome = Some(work(job));
    };
    std::thread::scope(|scope| {
        (0..threads).for_each(|_| drop(scope.spawn(run)));
        let mut taken = Ok(());
        for job in 0..count {
            let mut state = lock();
            let outcome = loop {
                match state.ready.remove(&job) {
                    Some(outcome) => break outcome,
                    None => state = wait(&is_ready, state),
                }
            };
            state.wanted = job + 1;
            drop(state);
            has_room.notify_all();
            taken = outcome.and_then(|outcome| take(job, outcome));
            if taken.is_err() {
                break;
            }
        }
        lock().is_over = true;
        has_room.notify_all();
        taken
    })
}

/// Hands an outcome over, even that of work that came to a sudden end.
struct Ended<'a, T> {
    shared: &'a Mutex<Shared<T>>,
    is_ready: &'a Condvar,
    job: usize,
    outcome: Option<Result<T>>,
}

impl<T> Drop for Ended<'_, T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = self.outcome.take() {
            state.ready.insert(self.job, outcome);
        }
        drop(state);
        self.is_ready.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn outcomes_come_in_order_and_few_wait() {
        for threads in [0, 1, 2, 7] {
            let (taken, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |job: usize| {
                most.fetch_max(job.saturating_sub(taken.load(Ordering::SeqCst)), Ordering::SeqCst);
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
            assert!(most.into_inner() <= 4 * threads.max(1) + 1);
        }
        in_order(0, 3, |_| Ok(()), |_, ()| Ok(())).unwrap();
    }

    #[test]
    fn an_error_ends_it_wherever_it_comes_from() {
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
}
