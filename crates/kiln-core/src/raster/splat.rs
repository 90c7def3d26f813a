//! Kernels of any shape, spread around each occupied cell.
//!
//! A pixel gathers the cells around it in one fixed order, row by row and from west to east. Rows with few points are
//! spread cell by cell, crowded rows are gathered pixel by pixel; both do the same operations on a pixel in the same
//! order, so the choice is only one of speed, and windows of one grid agree bit for bit.

use super::Grid;
use super::bands::for_each_band;
use crate::simd::wide;

/// Pixels gathered side by side, in registers.
const LANES: usize = 64;

/// How the parts that reach a pixel combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combine {
    /// Their sum; 0 where there are none.
    Sum,
    /// The greatest of them; −∞ where there are none. Cells of −∞ hold no point.
    Max,
}

impl Combine {
    /// The value of a cell or a pixel that nothing reaches.
    fn nothing(self) -> f32 {
        match self {
            Self::Sum => 0.0,
            Self::Max => f32::NEG_INFINITY,
        }
    }
}

/// The picture that remains of `cells` when the kernel's `rows` are laid around each cell: it is smaller by the kernel's
/// reach on every side.
pub(super) fn stamp(cells: &Grid<f32>, rows: &[Vec<f32>], combine: Combine, threads: usize) -> Grid<f32> {
    let reach = rows.len() / 2;
    let (width, height) = (cells.width() - 2 * reach, cells.height() - 2 * reach);
    let nothing = combine.nothing();
    let mut out = Grid::filled(width, height, nothing);
    let occupied: Vec<Vec<u32>> = (0..cells.height())
        .map(|row| {
            let cells = cells.row(row).iter().enumerate();
            cells.filter(|(_, cell)| cell.to_bits() != nothing.to_bits()).map(|(col, _)| col as u32).collect()
        })
        .collect();
    for_each_band(out.cells_mut(), width, threads, |first_row, band| {
        let mut padded = vec![nothing; width.next_multiple_of(LANES) + 2 * reach];
        let mut sums = vec![nothing; width.next_multiple_of(LANES)];
        for (i, out) in band.chunks_mut(width).enumerate() {
            sums.fill(nothing);
            for (k, taps) in rows.iter().enumerate() {
                let row = first_row + i + k;
                let inset = reach - taps.len() / 2;
                // A cell spread costs a few vectors and the walk to it; a row gathered costs each of its pixels.
                let crowded = occupied[row].len() * (taps.len() / 16 + 2) > width * taps.len() / 32;
                if occupied[row].is_empty() || taps.is_empty() {
                    continue;
                }
                if crowded {
                    padded[..cells.width()].copy_from_slice(cells.row(row));
                    match combine {
                        Combine::Sum => gather_sum(&padded[inset..], taps, &mut sums),
                        Combine::Max => gather_max(&padded[inset..], taps, &mut sums),
                    }
                } else {
                    spread(cells.row(row), &occupied[row], taps, inset, combine, &mut sums[..width]);
                }
            }
            out.copy_from_slice(&sums[..width]);
        }
    });
    out
}

wide! {
    /// Lays `taps` around each occupied cell of a row; `inset` columns of the cells lie beyond the kernel's reach there.
    fn spread(cells: &[f32], occupied: &[u32], taps: &[f32], inset: usize, combine: Combine, out: &mut [f32]) {
        for &col in occupied {
            let cell = cells[col as usize];
            // The cell reaches the pixels from `col - inset - (taps - 1)` to `col - inset`; columns count from the halo's.
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
    /// Adds `taps` times the cells beside each other to each pixel; `cells` starts where the first pixel's row of taps does.
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
    /// As [`gather_sum`], for the greatest.
    fn gather_max(cells: &[f32], taps: &[f32], out: &mut [f32]) {
        for (block, out) in out.chunks_exact_mut(LANES).enumerate() {
            let cells = &cells[block * LANES..];
            let mut most = [0.0f32; LANES];
            most.copy_from_slice(out);
            for (k, tap) in taps.iter().enumerate() {
                for (most, cell) in most.iter_mut().zip(&cells[k..k + LANES]) {
                    let part = cell * tap;
                    *most = if part > *most { part } else { *most };
                }
            }
            out.copy_from_slice(&most);
        }
    }
}
