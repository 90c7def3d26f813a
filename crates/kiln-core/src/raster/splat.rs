//! Convolution with kernels of any shape.
//!
//! The cells around a pixel are combined in a fixed order, row by row and from west to east. Sparse rows are scattered
//! cell by cell, dense rows are gathered pixel by pixel; both apply the same operations to a pixel in the same order,
//! so the choice affects only the speed, and windows of a grid agree bit for bit.

use super::bands::for_each_band;
use super::kernel::Scale;
use super::profile::{TapRow, Taps};
use super::{Grid, RowKernels, Shape, profile};
use crate::simd::wide;
use crate::workers::Workers;

/// Pixels gathered at a time, in registers.
const LANES: usize = 64;

/// The combination of the contributions to a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// The sum; 0 without contributions.
    Sum,
    /// The maximum; −∞ without contributions. Cells of −∞ have no points.
    Max,
}

impl Combine {
    /// The value of a cell without points, and of a pixel without contributions.
    fn identity(self) -> f32 {
        match self {
            Self::Sum => 0.0,
            Self::Max => f32::NEG_INFINITY,
        }
    }
}

/// Convolves `cells` with the kernel's `rows`. The result is smaller than `cells` by the kernel's reach on every side.
pub(super) fn splat(cells: &Grid<f32>, rows: &[Vec<f32>], combine: Combine, workers: Workers<'_>) -> Grid<f32> {
    let reach = rows.len() / 2;
    let (width, height) = (cells.width() - 2 * reach, cells.height() - 2 * reach);
    let empty = combine.identity();
    let mut out = Grid::filled(width, height, empty);
    let occupied = occupied_columns(cells, combine);
    for_each_band(out.cells_mut(), width, workers, |first_row, band| {
        let mut padded = vec![empty; width.next_multiple_of(LANES) + 2 * reach];
        let mut sums = vec![empty; width.next_multiple_of(LANES)];
        for (i, out) in band.chunks_mut(width).enumerate() {
            if workers.are_stopped() {
                return;
            }
            sums.fill(empty);
            for (k, taps) in rows.iter().enumerate() {
                let row = first_row + i + k;
                let inset = reach - taps.len() / 2;
                if occupied[row].is_empty() || taps.is_empty() {
                    continue;
                }
                if is_dense(occupied[row].len(), taps.len(), width) {
                    padded[..cells.width()].copy_from_slice(cells.row(row));
                    match combine {
                        Combine::Sum => gather_sum(&padded[inset..], taps, &mut sums),
                        Combine::Max => gather_max(&padded[inset..], taps, &mut sums),
                    }
                } else {
                    scatter(cells.row(row), &occupied[row], taps, inset, combine, &mut sums[..width]);
                }
            }
            out.copy_from_slice(&sums[..width]);
        }
    });
    out
}

/// The columns of the cells with points, row by row.
fn occupied_columns(cells: &Grid<f32>, combine: Combine) -> Vec<Vec<u32>> {
    let empty = combine.identity().to_bits();
    let columns = |row| {
        let cells = cells.row(row).iter().enumerate();
        cells.filter(|(_, cell)| cell.to_bits() != empty).map(|(col, _)| col as u32).collect()
    };
    (0..cells.height()).map(columns).collect()
}

/// Convolves `cells` with a kernel that differs from row to row: that of `shape`, which must be round unless it is a
/// maximum. The result is smaller than `cells` by the halo of `kernels`.
///
/// The rows of cells are spread one after the other, so that each combination of two rows needs its taps once, and the
/// contributions to a pixel are combined in the same order as in [`splat`].
pub(super) fn splat_rows(
    cells: &Grid<f32>,
    kernels: &RowKernels,
    shape: Shape,
    scale: Scale,
    combine: Combine,
    workers: Workers<'_>,
) -> Grid<f32> {
    let [reach, north, south] = kernels.halo();
    let (width, height) = (cells.width() - 2 * reach, cells.height() - north - south);
    let empty = combine.identity();
    let mut out = Grid::filled(width, height, empty);
    let occupied = occupied_columns(cells, combine);
    for_each_band(out.cells_mut(), width, workers, |first_row, band| {
        let rows = first_row..first_row + band.len() / width;
        let mut padded = vec![empty; width.next_multiple_of(LANES) + 2 * reach];
        let mut sums = vec![empty; width.next_multiple_of(LANES)];
        let (mut tap_rows, mut taps, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for row in kernels.sources(rows.start).start..kernels.sources(rows.end - 1).end {
            let occupied = &occupied[row];
            if workers.are_stopped() {
                return;
            }
            if occupied.is_empty() {
                continue;
            }
            let norm = match scale {
                Scale::Mass => Some(kernels.round_inverse_norm(row)),
                Scale::Peak => None,
            };
            let is_near = |tap_row: &TapRow| tap_row.distance.abs() <= 1.0;
            let near =
                kernels.output_rows(row, &rows).map(|output_row| (output_row, kernels.tap_row(row, output_row, norm)));
            // The rows within the radius are adjacent.
            let mut near = near.skip_while(|(_, tap_row)| !is_near(tap_row)).peekable();
            let Some(&(first, _)) = near.peek() else { continue };
            tap_rows.clear();
            tap_rows.extend(near.map(|(_, tap_row)| tap_row).take_while(is_near));
            profile::taps(shape, &tap_rows, &mut taps, &mut values);
            let mut is_padded = false;
            let lines = band[(first - rows.start) * width..].chunks_mut(width);
            for (out, Taps { half, start }) in lines.zip(&taps) {
                let taps = &values[*start..=start + 2 * half];
                // Rounding may leave zeros at the ends, which are not contributions to a maximum.
                let zeros = taps.iter().take_while(|tap| **tap == 0.0).count();
                let Some(taps) = taps.get(zeros..taps.len().saturating_sub(zeros)) else { continue };
                let inset = reach - half + zeros;
                if is_dense(occupied.len(), taps.len(), width) {
                    if !is_padded {
                        padded[..cells.width()].copy_from_slice(cells.row(row));
                        is_padded = true;
                    }
                    sums[..width].copy_from_slice(out);
                    match combine {
                        Combine::Sum => gather_sum(&padded[inset..], taps, &mut sums),
                        Combine::Max => gather_max(&padded[inset..], taps, &mut sums),
                    }
                    out.copy_from_slice(&sums[..width]);
                } else {
                    scatter(cells.row(row), occupied, taps, inset, combine, out);
                }
            }
        }
    });
    out
}

/// Whether a row is gathered: the cost of scattering is per occupied cell, that of gathering per pixel of the row.
fn is_dense(occupied: usize, taps: usize, width: usize) -> bool {
    occupied * (taps / 16 + 2) > width * taps / 32
}

wide! {
    /// Adds `taps` around each occupied cell of a row. In this row, the kernel is `inset` columns narrower on each side
    /// than its reach.
    fn scatter(cells: &[f32], occupied: &[u32], taps: &[f32], inset: usize, combine: Combine, out: &mut [f32]) {
        for &col in occupied {
            let cell = cells[col as usize];
            // The cell contributes to the pixels from `col - inset - (taps - 1)` to `col - inset`; `col` includes the
            // halo.
            let end = (col as usize + 1).saturating_sub(inset);
            let start = end.saturating_sub(taps.len());
            let cut = taps.len() - (end - start);
            let end = end.min(out.len());
            if start >= end {
                continue;
            }
            let taps = &taps[cut..cut + end - start];
            match combine {
                Combine::Sum => out[start..end].iter_mut().zip(taps).for_each(|(out, tap)| *out += cell * tap),
                Combine::Max => out[start..end].iter_mut().zip(taps).for_each(|(out, tap)| {
                    let part = cell * tap;
                    *out = if part > *out { part } else { *out };
                }),
            }
        }
    }
}

wide! {
    /// Adds the products of `taps` and cells to each pixel. The taps of the first pixel start at the first cell.
    fn gather_sum(cells: &[f32], taps: &[f32], out: &mut [f32]) {
        for (block, out) in out.chunks_exact_mut(LANES).enumerate() {
            let cells = &cells[block * LANES..];
            let mut sums = [0.0f32; LANES];
            sums.copy_from_slice(out);
            for (k, tap) in taps.iter().enumerate() {
                for (sum, cell) in sums.iter_mut().zip(&cells[k..k + LANES]) {
                    *sum += cell * tap;
                }
            }
            out.copy_from_slice(&sums);
        }
    }
}

wide! {
    /// Like [`gather_sum`], for the maximum.
    fn gather_max(cells: &[f32], taps: &[f32], out: &mut [f32]) {
        for (block, out) in out.chunks_exact_mut(LANES).enumerate() {
            let cells = &cells[block * LANES..];
            let mut max = [0.0f32; LANES];
            max.copy_from_slice(out);
            for (k, tap) in taps.iter().enumerate() {
                for (max, cell) in max.iter_mut().zip(&cells[k..k + LANES]) {
                    let part = cell * tap;
                    *max = if part > *max { part } else { *max };
                }
            }
            out.copy_from_slice(&max);
        }
    }
}
