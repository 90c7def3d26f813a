//! Parallel processing of a grid in bands of rows.

use kiln_core::parallel;
use kiln_core::raster::Grid;

/// Rows per band: enough that the rows above and below a band, which a kernel also reads, cost little.
pub(crate) const ROWS_PER_BAND: usize = 64;

/// Calls `work` with the first row of each band and the cells of its rows.
pub(crate) fn row_bands<T: Copy + Send>(grid: &mut Grid<T>, threads: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let width = grid.width().max(1);
    let bands = grid.cells_mut().chunks_mut(ROWS_PER_BAND * width).enumerate();
    parallel::for_each(bands, threads, |(band, cells)| work(band * ROWS_PER_BAND, cells));
}
