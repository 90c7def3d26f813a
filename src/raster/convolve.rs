//! Kernels that are products of two factors, applied along one axis after the other.
//!
//! Each pixel is the same sum in the same order wherever it lies, so windows of one grid agree bit for bit. Stretches
//! without a point are skipped, which changes no bit: they would only add zeros.

use super::Grid;
use super::bands::for_each_band;
use crate::simd::wide;

/// Pixels summed side by side, in registers.
const LANES: usize = 64;

/// The picture that remains of `cells` when `axis` (an odd number of values, symmetric) is applied along both axes: it is
/// smaller by the kernel's reach on every side.
pub(super) fn separable(cells: &Grid<f32>, axis: &[f32], threads: usize) -> Grid<f32> {
    let reach = axis.len() / 2;
    let (width, height) = (cells.width() - 2 * reach, cells.height() - 2 * reach);
    let mut out = Grid::filled(width, height, 0.0f32);
    let blocks = cells.width().div_ceil(LANES);
    let occupied = occupied_rows(cells, blocks);
    for_each_band(out.cells_mut(), width, threads, |first_row, band| {
        // Room behind the last column, so that whole blocks can be read and written there.
        let mut columns = vec![0.0f32; blocks * LANES + 2 * reach + LANES];
        let mut filled = vec![false; blocks];
        for (i, out) in band.chunks_mut(width).enumerate() {
            let row = first_row + i;
            for block in 0..blocks {
                let counts = &occupied[block * (cells.height() + 1)..];
                let any = counts[row + axis.len()] > counts[row];
                if any || filled[block] {
                    let start = block * LANES;
                    let end = (start + LANES).min(cells.width());
                    columns[start..end].fill(0.0);
                    if any {
                        down(cells, row, start, axis, &mut columns[start..end]);
                    }
                    filled[block] = any;
                }
            }
            for (block, out) in out.chunks_mut(LANES).enumerate() {
                let last = ((block + 1) * LANES + 2 * reach).div_ceil(LANES).min(blocks);
                if filled[block..last].contains(&true) {
                    along(&columns[block * LANES..], axis, out);
                }
            }
        }
    });
    out
}

/// For each block of columns, how many of the rows above each row hold anything there.
fn occupied_rows(cells: &Grid<f32>, blocks: usize) -> Vec<u32> {
    let stride = cells.height() + 1;
    let mut counts = vec![0; blocks * stride];
    for row in 0..cells.height() {
        for (block, stretch) in cells.row(row).chunks(LANES).enumerate() {
            let any = stretch.iter().fold(0, |any, cell| any | cell.to_bits()) != 0;
            counts[block * stride + row + 1] = counts[block * stride + row] + u32::from(any);
        }
    }
    counts
}

wide! {
    /// Sums `axis` times the cells below each other, from `row` down, for the columns from `start`.
    fn down(cells: &Grid<f32>, row: usize, start: usize, axis: &[f32], out: &mut [f32]) {
        let mut sums = [0.0f32; LANES];
        let count = out.len();
        if count == LANES {
            for (k, factor) in axis.iter().enumerate() {
                let line = &cells.row(row + k)[start..start + LANES];
                for (sum, cell) in sums.iter_mut().zip(line) {
                    *sum += cell * factor;
                }
            }
        } else {
            for (k, factor) in axis.iter().enumerate() {
                let line = &cells.row(row + k)[start..start + count];
                for (sum, cell) in sums.iter_mut().zip(line) {
                    *sum += cell * factor;
                }
            }
        }
        out.copy_from_slice(&sums[..count]);
    }
}

wide! {
    /// Sums `axis` times the values beside each other, for each pixel of `out`; `values` reaches far enough behind it.
    fn along(values: &[f32], axis: &[f32], out: &mut [f32]) {
        let mut sums = [0.0f32; LANES];
        for (k, factor) in axis.iter().enumerate() {
            let line = &values[k..k + LANES];
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += value * factor;
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}
