//! Parallel writes to bands of rows.

use super::convolve::ROWS;
use crate::parallel::for_each;
use crate::workers::Workers;

/// Calls `work` with the first row and the cells of disjoint bands of rows, on up to that many threads.
///
/// `work` checks the flag of the workers at each row. Every row is in exactly one band. The values of a row must not depend on its band. The first row of a band is a multiple of
/// [`ROWS`], so that rows that are computed together are in one band.
pub(super) fn for_each_band<T: Send>(
    cells: &mut [T],
    width: usize,
    workers: Workers<'_>,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let threads = workers.threads();
    let rows = (cells.len() / width.max(1)).div_ceil(threads.max(1)).next_multiple_of(ROWS);
    let bands = cells.chunks_mut((rows * width).max(1)).enumerate();
    for_each(bands, threads, |(band, cells)| work(band * rows, cells));
}
