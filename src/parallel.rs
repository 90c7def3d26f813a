//! Work on several threads at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// What `work` makes of each item, in the order of the items, which up to `threads` threads share. None is begun with any more
/// once one has failed.
///
/// # Errors
/// The first of `work`, in the order of the items.
pub(crate) fn each<T: Sync, R: Send + Sync>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let slots: Vec<_> = items.iter().map(|item| (item, OnceLock::new())).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let run = || {
        while !failed.load(Ordering::Relaxed)
            && let Some((item, slot)) = slots.get(next.fetch_add(1, Ordering::Relaxed))
        {
            let outcome = work(item);
            failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            let _ = slot.set(outcome);
        }
    };
    std::thread::scope(|scope| {
        (1..threads.min(items.len())).for_each(|_| drop(scope.spawn(run)));
        run();
    });
    // Those that were not begun with stand behind the one that failed.
    slots.into_iter().map(|(_, slot)| slot.into_inner().unwrap_or(Err(Error::Cancelled))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_item_has_its_result_and_the_first_failure_is_told() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [0, 1, 3, 200] {
            assert_eq!(each(&items, threads, |item| Ok(item * 2)).unwrap()[99], 198);
        }
        let odd = |item: &u32| {
            if item % 2 == 1 { Err(Error::invalid(crate::Parameter::POINTS, item.to_string())) } else { Ok(()) }
        };
        assert!(each(&items, 3, odd).unwrap_err().to_string().contains(": 1"));
        let begun = AtomicUsize::new(0);
        let counted = |item: &u32| {
            begun.fetch_add(1, Ordering::Relaxed);
            odd(item)
        };
        assert!(each(&items, 1, counted).is_err() && begun.into_inner() == 2);
        assert!(each(&[] as &[u32], 3, odd).unwrap().is_empty());
    }
}
