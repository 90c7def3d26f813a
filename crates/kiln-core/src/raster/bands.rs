//! Parallel writes to bands of rows.

use crate::parallel::for_each;

/// Calls `work` with the first row and the cells of disjoint bands of rows, on up to `threads` threads.
///
/// Every row is in exactly one band. The values of a row must not depend on its band.
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
