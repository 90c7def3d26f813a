//! Convolution of 8-bit levels with a symmetric kernel, rows first, in integers.
//!
//! Borders are reflected without repeating the outermost pixel (OpenCV's `BORDER_REFLECT_101`). Pixels without data are
//! excluded: each sum is divided by the total weight of the pixels with data.

use kiln_core::raster::Grid;
use kiln_core::simd::wide;

use crate::bands::row_bands;

/// The weights of one direction. Their sum is at most 257, so that the sum of a row fits in 16 bits.
pub(super) struct Taps {
    weights: Vec<u16>,
    sum: u32,
}

impl Taps {
    /// Creates taps from an odd number of weights.
    pub(super) fn new(weights: Vec<u16>) -> Self {
        let sum = weights.iter().map(|weight| u32::from(*weight)).sum();
        debug_assert!(sum <= 257 && weights.len() % 2 == 1);
        Self { weights, sum }
    }

    fn reach(&self) -> usize {
        self.weights.len() / 2
    }
}

/// Maps `at` to an index below `count` by reflection at both ends, without repeating the outermost indices.
pub(super) fn reflect(at: isize, count: usize) -> usize {
    let Some(last) = count.checked_sub(1).filter(|last| *last > 0) else { return 0 };
    let at = at.unsigned_abs() % (2 * last);
    if at > last { 2 * last - at } else { at }
}

/// Convolves levels with `across` in each row and `down` in each column, and divides by the sum of the weights, rounded.
pub(super) fn convolve(
    levels: &Grid<u8>,
    no_data: Option<&Grid<u8>>,
    across: &Taps,
    down: &Taps,
    threads: usize,
) -> Grid<u8> {
    let (width, height) = (levels.width(), levels.height());
    let mut out = Grid::filled(width, height, 0_u8);
    row_bands(&mut out, threads, |first, band| {
        let mut rows = RowSums::new(width, down.weights.len());
        let mut sums = vec![0_u32; width];
        let mut weights = no_data.map(|_| (RowSums::new(width, down.weights.len()), vec![0_u32; width]));
        for (index, out) in band.chunks_exact_mut(width).enumerate() {
            let row = first + index;
            sums.fill(0);
            for (tap, weight) in down.weights.iter().enumerate() {
                let source = reflect(row as isize + tap as isize - down.reach() as isize, height);
                let line = rows.of(source, |padded, line| {
                    pad_levels(levels.row(source), no_data.map(|grid| grid.row(source)), across.reach(), padded);
                    convolve_row(padded, &across.weights, line);
                });
                add_weighted(line, *weight, &mut sums);
            }
            match (&mut weights, no_data) {
                (Some((rows, weights)), Some(no_data)) => {
                    weights.fill(0);
                    for (tap, weight) in down.weights.iter().enumerate() {
                        let source = reflect(row as isize + tap as isize - down.reach() as isize, height);
                        let line = rows.of(source, |padded, line| {
                            pad(no_data.row(source), across.reach(), padded, |no_data| 1 - no_data.min(1));
                            convolve_row(padded, &across.weights, line);
                        });
                        add_weighted(line, *weight, weights);
                    }
                    divide_each(&sums, weights, out);
                }
                _ => divide(&sums, across.sum * down.sum, out),
            }
        }
    });
    out
}

/// The convolved rows that the kernel covers, each computed once.
struct RowSums {
    padded: Vec<u8>,
    lines: Vec<(usize, Vec<u16>)>,
}

impl RowSums {
    fn new(width: usize, rows: usize) -> Self {
        // One more row than the kernel covers, so that reflected rows do not replace a row that is still needed.
        Self { padded: Vec::new(), lines: (0..=rows).map(|_| (usize::MAX, vec![0; width])).collect() }
    }

    /// Returns the sums of a row, computed with `make` unless they are cached.
    fn of(&mut self, row: usize, make: impl FnOnce(&mut Vec<u8>, &mut [u16])) -> &[u16] {
        let slot = row % self.lines.len();
        let (cached_row, line) = &mut self.lines[slot];
        if *cached_row != row {
            make(&mut self.padded, line);
            *cached_row = row;
        }
        line
    }
}

/// Writes a row with `reach` reflected pixels at both ends to `padded`.
fn pad(row: &[u8], reach: usize, padded: &mut Vec<u8>, value: impl Fn(u8) -> u8) {
    padded.clear();
    let reflected = |at: isize| value(row[reflect(at, row.len())]);
    padded.extend((1..=reach as isize).rev().map(|at| reflected(-at)));
    padded.extend(row.iter().map(|cell| value(*cell)));
    padded.extend((0..reach as isize).map(|at| reflected(row.len() as isize + at)));
}

/// Writes a row of levels with reflected ends to `padded`, with 0 for pixels without data.
fn pad_levels(row: &[u8], no_data: Option<&[u8]>, reach: usize, padded: &mut Vec<u8>) {
    pad(row, reach, padded, |level| level);
    if let Some(no_data) = no_data {
        let masked = |padded: &mut u8, at: isize| *padded *= 1 - no_data[reflect(at, row.len())].min(1);
        padded.iter_mut().enumerate().for_each(|(index, level)| masked(level, index as isize - reach as isize));
    }
}

wide! {
    /// Computes the weighted sum of the row neighbors of each pixel. The weights are symmetric.
    fn convolve_row(padded: &[u8], weights: &[u16], line: &mut [u16]) {
        let (width, reach) = (line.len(), weights.len() / 2);
        let center = &padded[reach..reach + width];
        for (sum, level) in line.iter_mut().zip(center) {
            *sum = weights[reach] * u16::from(*level);
        }
        for (tap, weight) in weights[..reach].iter().enumerate() {
            let far = weights.len() - 1 - tap;
            let (before, after) = (&padded[tap..tap + width], &padded[far..far + width]);
            for ((sum, before), after) in line.iter_mut().zip(before).zip(after) {
                *sum += *weight * (u16::from(*before) + u16::from(*after));
            }
        }
    }
}

wide! {
    fn add_weighted(line: &[u16], weight: u16, sums: &mut [u32]) {
        let weight = u32::from(weight);
        for (sum, line) in sums.iter_mut().zip(line) {
            *sum += weight * u32::from(*line);
        }
    }
}

wide! {
    /// Divides sums by a common divisor, rounded half up.
    fn divide(sums: &[u32], divisor: u32, out: &mut [u8]) {
        if divisor == 1 << 16 {
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = ((*sum + (1 << 15)) >> 16) as u8;
            }
        } else {
            // f64 represents every sum exactly, and no fractional quotient rounds to an integer.
            let divisor_f64 = f64::from(divisor);
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = (f64::from(*sum + divisor / 2) / divisor_f64) as i32 as u8;
            }
        }
    }
}

wide! {
    /// Divides each sum by its divisor, rounded half up; 0 if the divisor is 0.
    fn divide_each(sums: &[u32], divisors: &[u32], out: &mut [u8]) {
        for ((out, sum), divisor) in out.iter_mut().zip(sums).zip(divisors) {
            let divisor = (*divisor).max(1);
            *out = (f64::from(*sum + divisor / 2) / f64::from(divisor)) as i32 as u8;
        }
    }
}
