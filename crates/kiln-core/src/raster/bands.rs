//! Rows shared out to threads.

/// Lets up to `threads` threads write disjoint bands of rows: `work` takes a band's first row and its cells.
///
/// Every row is written by exactly one call. What a row holds must not depend on the band it is in.
pub(super) fn for_each_band<T: Send>(
    cells: &mut [T],
    width: usize,
    threads: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let height = cells.len() / width.max(1);
    let threads = threads.clamp(1, height.max(1));
    if threads == 1 {
        work(0, cells);
        return;
    }
    let rows = height.div_ceil(threads);
    std::thread::scope(|scope| {
        let mut bands = cells.chunks_mut(rows * width).enumerate();
        let first = bands.next();
        for (band, cells) in bands {
            let work = &work;
            scope.spawn(move || work(band * rows, cells));
        }
        if let Some((_, cells)) = first {
            work(0, cells);
        }
    });
}
