//! Work on several threads at once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// What `work` makes of each item, in the order of the items, which up to `threads` threads share.
///
/// # Errors
/// The first of `work`, in the order of the items.
pub(crate) fn each<T: Sync, R: Send + Sync>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let slots: Vec<_> = items.iter().map(|item| (item, OnceLock::new())).collect();
    let next = AtomicUsize::new(0);
    let run = || {
        while let Some((item, slot)) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
            let _ = slot.set(work(item));
        }
    };
    std::thread::scope(|scope| {
        (1..threads.min(items.len())).for_each(|_| drop(scope.spawn(run)));
        run();
    });
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
        let odd = |item: &u32| if item % 2 == 1 { Err(Error::invalid("item", item.to_string())) } else { Ok(()) };
        assert!(each(&items, 3, odd).unwrap_err().to_string().contains(": 1"));
        assert!(each(&[] as &[u32], 3, odd).unwrap().is_empty());
    }
}
