//! Rows shared out to threads.

use crate::parallel::for_each;

/// Lets up to `threads` threads write disjoint bands of rows: `work` takes a band's first row and its cells.
///
/// Every row is written by exactly one call. What a row holds must not depend on the band it is in.
pub(super) fn for_each_band<T: Send>(
    cells: &mut [T],
    width: usize,
    threads: usize,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let rows = (cells.len() / width.max(1)).div_ceil(threads.max(1));
    let bands = cells.chunks_mut((rows * width).max(1)).enumerate();
    for_each(bands, threads, |(band, cells)| work(band * rows, cells));
}
