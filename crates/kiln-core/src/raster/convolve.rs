//! Convolution with separable kernels, along one axis after the other.
//!
//! Each pixel is the same sum in the same order at any position in a window, so windows of a grid agree bit for bit.
//! Blocks without points are skipped, which changes no bit: they would only add zeros.

use std::ops::Range;

use super::Grid;
use super::bands::for_each_band;
use crate::simd::wide;
use crate::workers::Workers;

/// Pixels summed at a time, in registers.
const LANES: usize = 64;

/// Values in a cache line.
const LINE: usize = 16;

/// Columns summed vertically at a time: with [`ROWS`] rows, the sums fit in the registers.
const STRIP: usize = 32;

/// Output rows summed at a time, so that each row of cells is read once for all of them.
pub(super) const ROWS: usize = 4;

/// A separable kernel, which may differ from row to row.
pub(super) trait Separable: Sync {
    /// The number of columns and rows by which the cells exceed the picture: on either side, in the north, in the south.
    fn halo(&self) -> [usize; 3];

    /// The factors of up to [`ROWS`] adjacent output rows, of which the first is a multiple of [`ROWS`]. They may be computed
    /// in `buffer`.
    fn factors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Factors) -> RowFactors<'a>;
}

/// The factors of a separable kernel in up to [`ROWS`] adjacent output rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowFactors<'a> {
    /// The first row of cells with a factor.
    first: usize,
    /// The factors of each row of cells from `first` on, one for each output row; 0, which adds nothing, where the row
    /// is out of reach. Rows beyond the last row of cells are ignored.
    vertical: &'a [[f32; ROWS]],
    /// The factors of the columns around a pixel in each output row: an odd number.
    horizontal: [&'a [f32]; ROWS],
}

/// A buffer of factors in groups of up to [`ROWS`] adjacent output rows.
#[derive(Debug, Default)]
pub(super) struct Factors {
    pub(super) vertical: Vec<[f32; ROWS]>,
    pub(super) horizontal: Vec<f32>,
    pub(super) groups: Vec<FactorGroup>,
    /// A buffer for their computation.
    pub(super) scratch: Vec<f32>,
}

/// A group of [`Factors`]: where those of its [`RowFactors`] are.
#[derive(Debug)]
pub(super) struct FactorGroup {
    pub(super) first: usize,
    pub(super) vertical: Range<usize>,
    pub(super) horizontal: [Range<usize>; ROWS],
}

impl Factors {
    pub(super) fn with_capacity(vertical: usize, horizontal: usize) -> Self {
        Self { vertical: Vec::with_capacity(vertical), horizontal: Vec::with_capacity(horizontal), ..Self::default() }
    }

    pub(super) fn clear(&mut self) {
        self.vertical.clear();
        self.horizontal.clear();
        self.groups.clear();
    }

    pub(super) fn group(&self, index: usize) -> RowFactors<'_> {
        let FactorGroup { first, vertical, horizontal } = &self.groups[index];
        let horizontal = horizontal.each_ref().map(|range| &self.horizontal[range.clone()]);
        RowFactors { first: *first, vertical: &self.vertical[vertical.clone()], horizontal }
    }
}

/// The same kernel in all rows.
pub(super) struct Axis {
    /// Its factors along both axes, an odd number.
    factors: Vec<f32>,
    vertical: Vec<[f32; ROWS]>,
}

impl Axis {
    /// The kernel with the same factors along both axes, an odd number.
    pub(super) fn new(factors: Vec<f32>) -> Self {
        // Each row of cells has one factor for the first output row, the previous factor for the next one, and so on.
        let padding = [0.0; ROWS - 1];
        let padded = [&padding, &factors[..], &padding].concat();
        let vertical = padded.windows(ROWS).map(|w| [w[3], w[2], w[1], w[0]]).collect();
        Self { factors, vertical }
    }
}

impl Separable for Axis {
    fn halo(&self) -> [usize; 3] {
        [self.factors.len() / 2; 3]
    }

    fn factors<'a>(&'a self, rows: Range<usize>, _: &'a mut Factors) -> RowFactors<'a> {
        RowFactors { first: rows.start, vertical: &self.vertical, horizontal: [&self.factors; ROWS] }
    }
}

/// Convolves `cells` with `kernel`. The result is smaller than `cells` by the kernel's halo.
pub(super) fn separable(cells: &Grid<f32>, kernel: &impl Separable, workers: Workers<'_>) -> Grid<f32> {
    let [halo, north, south] = kernel.halo();
    let (width, height) = (cells.width() - 2 * halo, cells.height() - north - south);
    let mut out = Grid::filled(width, height, 0.0f32);
    let blocks = cells.width().div_ceil(LANES);
    let occupied = occupied_rows(cells, blocks);
    for_each_band(out.cells_mut(), width, workers, |first_row, band| {
        // Padding after the last column, so that full blocks can be read there.
        let stride = (blocks * LANES + 2 * halo + LANES).next_multiple_of(LINE);
        let mut columns = vec![0.0f32; ROWS * stride + LINE];
        // At the start of a cache line, where loads and stores do not cross into the next one.
        let aligned = columns.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let columns = &mut columns[aligned..];
        let mut filled = vec![false; blocks];
        let mut buffer = Factors::default();
        for (i, out) in band.chunks_mut(ROWS * width).enumerate() {
            if workers.are_stopped() {
                return;
            }
            let (row, rows) = (first_row + i * ROWS, out.len() / width);
            let factors = kernel.factors(row..row + rows, &mut buffer);
            let vertical = &factors.vertical[..factors.vertical.len().min(cells.height() - factors.first)];
            let reach = factors.horizontal[..rows].iter().map(|factors| factors.len() / 2).max().unwrap_or(0);
            let near = (halo - reach) / LANES..(halo + width + reach).div_ceil(LANES);
            for (block, filled) in filled.iter_mut().enumerate().take(near.end).skip(near.start) {
                let counts = &occupied[block * (cells.height() + 1)..];
                let any = counts[factors.first + vertical.len()] > counts[factors.first];
                if any || *filled {
                    let sums = Columns { start: block * LANES, stride, rows };
                    sum_vertically(cells, factors.first, vertical, sums, columns);
                    *filled = any;
                }
            }
            for ((out, columns), axis) in out.chunks_mut(width).zip(columns.chunks(stride)).zip(factors.horizontal) {
                let inset = halo - axis.len() / 2;
                for (block, out) in out.chunks_mut(LANES).enumerate() {
                    let start = block * LANES + inset;
                    let last = (start + LANES + axis.len() - 1).div_ceil(LANES).min(blocks);
                    if filled[start / LANES..last].contains(&true) {
                        sum_horizontally(&columns[start..], axis, out);
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

/// The block of columns that is summed vertically: its first column, the distance of its output rows, and their number.
#[derive(Clone, Copy)]
struct Columns {
    start: usize,
    stride: usize,
    rows: usize,
}

wide! {
    /// Sums a block of columns vertically, from the row of cells `row` on, with its factors.
    fn sum_vertically(cells: &Grid<f32>, row: usize, factors: &[[f32; ROWS]], block: Columns, sums: &mut [f32]) {
        let width = cells.width();
        let Columns { start, stride, rows } = block;
        let end = width.min(start + LANES);
        if rows < ROWS || width < STRIP {
            for (i, sums) in sums.chunks_mut(stride).take(rows).enumerate() {
                let sums = &mut sums[start..end];
                sums.fill(0.0);
                for (k, factors) in factors.iter().enumerate() {
                    let line = &cells.row(row + k)[start..end];
                    sums.iter_mut().zip(line).for_each(|(sum, cell)| *sum += cell * factors[i]);
                }
            }
            return;
        }
        for start in (start..end).step_by(STRIP) {
            // The last strip ends at the last column; the columns that it sums again get the same values.
            let start = start.min(width - STRIP);
            let [mut a, mut b, mut c, mut d] = [[0.0f32; STRIP]; ROWS];
            for (k, &[fa, fb, fc, fd]) in factors.iter().enumerate() {
                let Some(line) = cells.row(row + k)[start..].first_chunk::<STRIP>() else { return };
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
