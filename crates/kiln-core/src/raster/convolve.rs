//! Convolution with separable kernels, along one axis after the other.
//!
//! Each pixel is the same sum in the same order at any position in a window, so windows of a grid agree bit for bit.
//! Blocks without points are skipped, which changes no bit: they would only add zeros.

use super::Grid;
use super::bands::for_each_band;
use crate::simd::wide;

/// Pixels summed at a time, in registers.
const LANES: usize = 64;

/// Columns summed vertically at a time: with [`ROWS`] rows, the sums fit in the registers.
const STRIP: usize = 32;

/// Output rows summed at a time, so that each row of cells is read once for all of them.
const ROWS: usize = 4;

/// Convolves `cells` with `axis` (symmetric, an odd number of values) along both axes. The result is smaller than
/// `cells` by the kernel's reach on every side.
pub(super) fn separable(cells: &Grid<f32>, axis: &[f32], threads: usize) -> Grid<f32> {
    let reach = axis.len() / 2;
    let (width, height) = (cells.width() - 2 * reach, cells.height() - 2 * reach);
    let mut out = Grid::filled(width, height, 0.0f32);
    let blocks = cells.width().div_ceil(LANES);
    let occupied = occupied_rows(cells, blocks);
    let padding = [0.0; ROWS - 1];
    let factors = [&padding, axis, &padding].concat();
    for_each_band(out.cells_mut(), width, threads, |first_row, band| {
        // Padding after the last column, so that full blocks can be read there.
        let stride = blocks * LANES + 2 * reach + LANES;
        let mut columns = vec![0.0f32; ROWS * stride];
        let mut filled = vec![false; blocks];
        for (i, out) in band.chunks_mut(ROWS * width).enumerate() {
            let (row, rows) = (first_row + i * ROWS, out.len() / width);
            for (block, filled) in filled.iter_mut().enumerate() {
                let counts = &occupied[block * (cells.height() + 1)..];
                let any = counts[row + rows - 1 + axis.len()] > counts[row];
                if any || *filled {
                    sum_vertically(cells, row, rows, block * LANES, &factors, &mut columns, stride);
                    *filled = any;
                }
            }
            for (out, columns) in out.chunks_mut(width).zip(columns.chunks(stride)) {
                for (block, out) in out.chunks_mut(LANES).enumerate() {
                    let last = ((block + 1) * LANES + 2 * reach).div_ceil(LANES).min(blocks);
                    if filled[block..last].contains(&true) {
                        sum_horizontally(&columns[block * LANES..], axis, out);
                    }
                }
            }
        }
    });
    out
}

/// For each block of columns and each row, the number of occupied rows above it.
fn occupied_rows(cells: &Grid<f32>, blocks: usize) -> Vec<u32> {
    let stride = cells.height() + 1;
    let mut counts = vec![0; blocks * stride];
    for row in 0..cells.height() {
        for (block, cells) in cells.row(row).chunks(LANES).enumerate() {
            let any = cells.iter().fold(0, |any, cell| any | cell.to_bits()) != 0;
            counts[block * stride + row + 1] = counts[block * stride + row] + u32::from(any);
        }
    }
    counts
}

wide! {
    /// Convolves `rows` output rows vertically, from row `row` on, for the block of columns at `start`. The output rows
    /// are `stride` apart in `sums`.
    ///
    /// `factors` is the axis with [`ROWS`] - 1 zeros at each end: a row of cells is multiplied by one factor for the
    /// first output row, by the previous factor for the next one, and so on; by 0, which adds nothing, where it is out
    /// of reach.
    fn sum_vertically(
        cells: &Grid<f32>, row: usize, rows: usize, start: usize, factors: &[f32], sums: &mut [f32], stride: usize,
    ) {
        let width = cells.width();
        let end = width.min(start + LANES);
        if rows < ROWS || width < STRIP {
            for (i, sums) in sums.chunks_mut(stride).take(rows).enumerate() {
                let sums = &mut sums[start..end];
                sums.fill(0.0);
                for (k, factor) in factors[ROWS - 1..factors.len() + 1 - ROWS].iter().enumerate() {
                    let line = &cells.row(row + i + k)[start..end];
                    sums.iter_mut().zip(line).for_each(|(sum, cell)| *sum += cell * factor);
                }
            }
            return;
        }
        for start in (start..end).step_by(STRIP) {
            // The last strip ends at the last column; the columns that it sums again get the same values.
            let start = start.min(width - STRIP);
            let [mut a, mut b, mut c, mut d] = [[0.0f32; STRIP]; ROWS];
            for (k, factors) in factors.windows(ROWS).enumerate() {
                let Some(line) = cells.row(row + k)[start..].first_chunk::<STRIP>() else { return };
                let (fa, fb, fc, fd) = (factors[3], factors[2], factors[1], factors[0]);
                for lane in 0..STRIP {
                    a[lane] += line[lane] * fa;
                    b[lane] += line[lane] * fb;
                    c[lane] += line[lane] * fc;
                    d[lane] += line[lane] * fd;
                }
            }
            for (sums, strip) in sums.chunks_mut(stride).zip([a, b, c, d]) {
                sums[start..start + STRIP].copy_from_slice(&strip);
            }
        }
    }
}

wide! {
    /// Convolves `values` horizontally. `values` must extend beyond the last pixel of `out` by the kernel's reach.
    fn sum_horizontally(values: &[f32], axis: &[f32], out: &mut [f32]) {
        let mut sums = [0.0f32; LANES];
        for (k, factor) in axis.iter().enumerate() {
            let Some(line) = values[k..].first_chunk::<LANES>() else { return };
            for lane in 0..LANES {
                sums[lane] += line[lane] * factor;
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}
