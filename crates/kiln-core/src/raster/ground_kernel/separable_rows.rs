//! Factors of separable kernels on the ground.

use std::ops::Range;

use super::RowKernels;
use super::row_tables::{RowTables, Rows, inverse};
use crate::parallel::for_each;
use crate::raster::convolve::{FactorGroup, Factors, ROWS, RowFactors, Separable};
use crate::raster::{Shape, profile};

/// [`RowKernels`] of a separable shape.
pub(in crate::raster) struct SeparableRows<'a> {
    kernels: &'a RowKernels,
    tables: &'a SeparableTables,
}

impl<'a> SeparableRows<'a> {
    /// The factors of `kernels`; `None` if their shape is round.
    pub(in crate::raster) fn new(kernels: &'a RowKernels, threads: usize) -> Option<Self> {
        let is_separable = matches!(kernels.shape(), Shape::Gaussian | Shape::Triangular);
        is_separable.then(|| Self { kernels, tables: kernels.tables.separable(threads) })
    }
}

impl Separable for SeparableRows<'_> {
    fn halo(&self) -> [usize; 3] {
        self.kernels.tables.halo
    }

    fn factors<'a>(&'a self, rows: Range<usize>, buffer: &'a mut Factors) -> RowFactors<'a> {
        if let Some(factors) = &self.tables.factors {
            return factors.group(rows.start / ROWS);
        }
        buffer.clear();
        self.tables.append(&self.kernels.tables, rows, buffer);
        buffer.group(0)
    }
}

/// The tables of a separable shape.
#[derive(Debug)]
pub(super) struct SeparableTables {
    /// The reciprocals of N of the rows of cells.
    inverse_norms: Vec<f32>,
    /// The sums of K · A over a row, where K is the factor along the parallel, as in `rows` of the tables.
    weights: Vec<f32>,
    /// The factors of all output rows; none if they are too large to be kept.
    factors: Option<Factors>,
}

/// The maximum size in bytes of factors that are kept: 512 rows of 33 px of radius. Those of 100 px
/// of radius take 5 % of the time of the convolution.
const MAX_FACTORS_BYTES: usize = 512 << 10;

impl SeparableTables {
    pub(super) fn new(tables: &RowTables, threads: usize) -> Self {
        const ROWS_AT_A_TIME: usize = 32;
        let (shape, rows) = (tables.shape, &tables.rows);
        let row_sums = rows.radius_px.iter().map(|radius_px| profile::row_sum(shape, *radius_px));
        let weights: Vec<f32> = row_sums.zip(&rows.area_m2).map(|(sum, area_m2)| (sum * area_m2) as f32).collect();
        let mut inverse_norms = vec![0.0; tables.targets.len()];
        for_each(inverse_norms.chunks_mut(ROWS_AT_A_TIME).enumerate(), threads, |(chunk, inverse_norms)| {
            let mut scratch = Vec::new();
            for (cell_row, inverse_norm) in (chunk * ROWS_AT_A_TIME..).zip(inverse_norms) {
                let (row, targets) = (cell_row + tables.padding, tables.targets[cell_row].clone());
                let (positions, weights) = (&rows.north_m[targets.clone()], &weights[targets]);
                let (center, scale) = (rows.north_m[row], rows.inverse_radius[row]);
                *inverse_norm = inverse(profile::norm(shape, positions, weights, center, scale, &mut scratch)) as f32;
            }
        });
        let mut all = Self { inverse_norms, weights, factors: None };
        let [vertical, horizontal] = lengths(tables);
        if bytes([vertical, horizontal]) <= MAX_FACTORS_BYTES {
            let mut factors = Factors::with_capacity(vertical, horizontal);
            let height = tables.sources.len();
            for row in (0..height).step_by(ROWS) {
                all.append(tables, row..height.min(row + ROWS), &mut factors);
            }
            all.factors = Some(factors);
        }
        all
    }

    #[cfg(test)]
    pub(super) fn keeps_factors(&self) -> bool {
        self.factors.is_some()
    }

    /// The maximum size in bytes.
    pub(super) fn max_bytes(tables: &RowTables) -> usize {
        let factors_bytes = Some(bytes(lengths(tables))).filter(|bytes| *bytes <= MAX_FACTORS_BYTES).unwrap_or(0);
        (tables.targets.len() + tables.rows.north_m.len()) * size_of::<f32>() + factors_bytes
    }

    /// Appends the factors of up to [`ROWS`] output rows.
    fn append(&self, tables: &RowTables, output_rows: Range<usize>, factors: &mut Factors) {
        let Rows { north_m, inverse_radius, radius_px, .. } = &tables.rows;
        let first = output_rows.start + tables.first_output_row();
        let all = &tables.sources[output_rows];
        let range = union(all);
        let Factors { vertical, horizontal, groups, scratch } = factors;
        let start = vertical.len();
        vertical.resize(start + range.len(), [0.0; ROWS]);
        let mut group =
            FactorGroup { first: range.start, vertical: start..vertical.len(), horizontal: Default::default() };
        for (lane, sources) in all.iter().enumerate() {
            let (to, from) = (first + lane, sources.start + tables.padding..sources.end + tables.padding);
            let out = &mut vertical[start + sources.start - range.start..];
            let sources = profile::Sources {
                positions: &north_m[from.clone()],
                scales: &inverse_radius[from],
                factors: &self.inverse_norms[sources.clone()],
            };
            profile::vertical(tables.shape, sources, north_m[to], self.weights[to], lane, scratch, out);
            let start = horizontal.len();
            profile::horizontal(tables.shape, radius_px[to], reach(tables, to), horizontal);
            group.horizontal[lane] = start..horizontal.len();
        }
        groups.push(group);
    }
}

/// The number of columns from a pixel to the farthest one that dots in it can reach, in a row of `rows`.
fn reach(tables: &RowTables, row: usize) -> usize {
    (tables.rows.radius_px[row] * tables.shape.reach()) as usize
}

/// The range of all `ranges`.
fn union(ranges: &[Range<usize>]) -> Range<usize> {
    let start = ranges.iter().map(|range| range.start).min().unwrap_or(0);
    start..ranges.iter().map(|range| range.end).max().unwrap_or(start)
}

/// The numbers of vertical factors, in groups, and of horizontal factors of all output rows.
fn lengths(tables: &RowTables) -> [usize; 2] {
    let first = tables.first_output_row();
    let vertical = tables.sources.chunks(ROWS).map(|sources| union(sources).len()).sum();
    let horizontal = (first..first + tables.sources.len()).map(|row| 2 * reach(tables, row) + 1).sum();
    [vertical, horizontal]
}

/// The size of factors in bytes.
fn bytes([vertical, horizontal]: [usize; 2]) -> usize {
    vertical * size_of::<[f32; ROWS]>() + horizontal * size_of::<f32>()
}
