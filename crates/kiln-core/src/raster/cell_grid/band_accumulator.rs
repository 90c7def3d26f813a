//! Accumulation of cells and points per pixel of a band of canvas rows.

use std::ops::Range;

use super::SIDE_BITS;
use crate::raster::Reduction;
use crate::simd::wide;

/// Cells along the side of a block.
const SIDE: usize = 1 << SIDE_BITS;

/// A number of points per cell: `u32`, or any unsigned integer for rows that stand for many points each.
pub trait CellCount: Copy + Into<u64> {
    /// The number of points of the cells whose pixel, in `at`, is `counted`.
    fn inside(at: &[u32], n: &[Self], counted: &Range<u32>) -> u64;

    /// The nearest `f64`.
    fn to_f64(self) -> f64;
}

impl CellCount for u32 {
    fn inside(at: &[u32], n: &[Self], counted: &Range<u32>) -> u64 {
        inside(at, n, counted)
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl CellCount for u8 {
    fn inside(at: &[u32], n: &[Self], counted: &Range<u32>) -> u64 {
        sum_inside(at, n, counted)
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl CellCount for u16 {
    fn inside(at: &[u32], n: &[Self], counted: &Range<u32>) -> u64 {
        sum_inside(at, n, counted)
    }

    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl CellCount for u64 {
    fn inside(at: &[u32], n: &[Self], counted: &Range<u32>) -> u64 {
        sum_inside(at, n, counted)
    }

    fn to_f64(self) -> f64 {
        self as f64
    }
}

/// The sum of the numbers of the cells whose pixel is `counted`.
fn sum_inside<N: CellCount>(at: &[u32], n: &[N], counted: &Range<u32>) -> u64 {
    let counted = at.iter().zip(n).filter(|(at, _)| counted.contains(at));
    counted.fold(0, |sum: u64, (_, &n)| sum.saturating_add(n.into()))
}

/// The aggregates of cells, one column per aggregate.
#[derive(Clone, Copy, Debug)]
pub struct CellSums<'a, N = u32> {
    /// The number of points per cell.
    pub n: &'a [N],
    /// The sum and the maximum of the weights per cell; `None` if the weight of every point is 1.
    pub weights: Option<(&'a [f64], &'a [f32])>,
}

/// Numbers of points per pixel.
#[derive(Debug)]
enum Counts {
    /// Of single points.
    Narrow(Vec<u32>),
    /// Of rows that stand for many points each.
    Wide(Vec<u64>),
}

/// Sums per pixel of a band of canvas rows. One more pixel accumulates points outside the band.
#[derive(Debug)]
pub struct BandAccumulator {
    outside: usize,
    width: u32,
    /// The pixels whose points are counted in `inside`.
    counted: Range<u32>,
    counts: Option<Counts>,
    sums: Option<Vec<f64>>,
    max: Option<Vec<f32>>,
    /// The number of points inside the counted rows.
    pub inside: u64,
}

impl BandAccumulator {
    /// An empty accumulator of `width` × `height` pixels.
    pub fn new(reduction: Reduction, width: u32, height: u32) -> Self {
        let pixels = width as usize * height as usize;
        let counting = matches!(reduction, Reduction::Count | Reduction::CountAndSum);
        let summing = matches!(reduction, Reduction::Sum | Reduction::CountAndSum);
        Self {
            outside: pixels,
            width,
            counted: 0..pixels as u32,
            counts: counting.then(|| Counts::Narrow(vec![0; pixels + 1])),
            sums: summing.then(|| vec![0.0; pixels + 1]),
            max: (reduction == Reduction::Max).then(|| vec![f32::NEG_INFINITY; pixels + 1]),
            inside: 0,
        }
    }

    /// Counts beyond `u32`, for rows that stand for many points each.
    #[must_use]
    pub fn with_wide_counts(mut self) -> Self {
        self.counts = self.counts.map(|_| Counts::Wide(vec![0; self.outside + 1]));
        self
    }

    /// Restricts the count in `inside` to `rows`.
    pub fn count_only(&mut self, rows: Range<u32>) {
        self.counted = rows.start * self.width..rows.end * self.width;
    }

    /// The number of points per pixel, if the reduction has counts; the last element is for points outside.
    pub fn counts(&self) -> Option<Vec<f64>> {
        self.counts.as_ref().map(|counts| match counts {
            Counts::Narrow(counts) => counts.iter().map(|&count| f64::from(count)).collect(),
            Counts::Wide(counts) => counts.iter().map(|&count| count as f64).collect(),
        })
    }

    /// The sum of weights per pixel, if the reduction has sums.
    pub fn sums(&self) -> Option<&[f64]> {
        self.sums.as_deref()
    }

    /// The maximum weight per pixel, if the reduction is [`Reduction::Max`].
    pub fn max(&self) -> Option<&[f32]> {
        self.max.as_deref()
    }

    /// The index of the pixel for points outside.
    pub fn outside(&self) -> u32 {
        self.outside as u32
    }

    /// Adds each cell to the pixel with the index in `at`.
    pub fn add_cells<N: CellCount>(&mut self, at: &[u32], cells: CellSums<'_, N>) {
        self.inside = self.inside.saturating_add(N::inside(at, cells.n, &self.counted));
        match &mut self.counts {
            Some(Counts::Narrow(counts)) => {
                for (&at, &n) in at.iter().zip(cells.n) {
                    let count = &mut counts[at as usize];
                    *count = count.saturating_add(u32::try_from(n.into()).unwrap_or(u32::MAX));
                }
            }
            Some(Counts::Wide(counts)) => {
                for (&at, &n) in at.iter().zip(cells.n) {
                    let count = &mut counts[at as usize];
                    *count = count.saturating_add(n.into());
                }
            }
            None => {}
        }
        let weights = cells.weights;
        match (&mut self.sums, weights) {
            (Some(sums), Some((sum, _))) => at.iter().zip(sum).for_each(|(&at, sum)| sums[at as usize] += sum),
            (Some(sums), None) => at.iter().zip(cells.n).for_each(|(&at, &n)| sums[at as usize] += n.to_f64()),
            (None, _) => {}
        }
        if let Some(max) = &mut self.max {
            match weights {
                Some((_, weights)) => at.iter().zip(weights).for_each(|(&at, &weight)| update_max(max, at, weight)),
                None => at.iter().for_each(|&at| update_max(max, at, 1.0)),
            }
        }
    }

    /// Adds the cells of a block of 64 × 64 pixels that is entirely inside and contains `points` points. `first` is the
    /// index of its north-western pixel. Returns `false` without adding it unless only sums are accumulated, and either
    /// all or none of its rows are counted.
    pub fn add_whole_block<N: CellCount>(
        &mut self,
        first: usize,
        cell: &[u16],
        cells: CellSums<'_, N>,
        points: u64,
    ) -> bool {
        let (Some(sums), None, None) = (&mut self.sums, &self.counts, &self.max) else { return false };
        let width = self.width as usize;
        let last = first + (SIDE - 1) * width + SIDE;
        let Range { start, end } = self.counted;
        let counts = start as usize <= first && last <= end as usize;
        if last > sums.len() || !counts && first < end as usize && last > start as usize {
            return false;
        }
        let sums = &mut sums[first..last];
        let at = |cell: u16| usize::from(cell) / SIDE % SIDE * width + usize::from(cell) % SIDE;
        match cells.weights {
            Some((sum, _)) => cell.iter().zip(sum).for_each(|(&cell, sum)| sums[at(cell)] += sum),
            None => cell.iter().zip(cells.n).for_each(|(&cell, &n)| sums[at(cell)] += n.to_f64()),
        }
        self.inside += if counts { points } else { 0 };
        true
    }

    /// Adds each point to the pixel with the index in `at`.
    pub fn add_points(&mut self, at: &[u32], weight: Option<&[f32]>) {
        self.inside += count_of(at, &self.counted) as u64;
        match &mut self.counts {
            Some(Counts::Narrow(counts)) => {
                for &at in at {
                    let count = &mut counts[at as usize];
                    *count = count.saturating_add(1);
                }
            }
            Some(Counts::Wide(counts)) => at.iter().for_each(|&at| counts[at as usize] += 1),
            None => {}
        }
        match (&mut self.sums, weight) {
            (Some(sums), Some(weight)) => {
                at.iter().zip(weight).for_each(|(&at, &weight)| sums[at as usize] += f64::from(weight));
            }
            (Some(sums), None) => at.iter().for_each(|&at| sums[at as usize] += 1.0),
            (None, _) => {}
        }
        if let Some(max) = &mut self.max {
            match weight {
                Some(weight) => at.iter().zip(weight).for_each(|(&at, &weight)| update_max(max, at, weight)),
                None => at.iter().for_each(|&at| update_max(max, at, 1.0)),
            }
        }
    }

    /// Writes the accumulated counts, sums and maxima, each rounded to `f32` once.
    pub fn write_to(&self, counts: Option<&mut [f32]>, sums: Option<&mut [f32]>, max: Option<&mut [f32]>) {
        match (&self.counts, counts) {
            (Some(Counts::Narrow(exact)), Some(counts)) => round_counts(exact, counts),
            (Some(Counts::Wide(exact)), Some(counts)) => {
                counts.iter_mut().zip(exact).for_each(|(count, &exact)| *count = exact as f32);
            }
            _ => {}
        }
        if let (Some(exact), Some(sums)) = (&self.sums, sums) {
            round_sums(exact, sums);
        }
        if let (Some(own), Some(max)) = (&self.max, max) {
            let pixels = max.len();
            max.copy_from_slice(&own[..pixels]);
        }
    }
}

fn update_max(max: &mut [f32], at: u32, weight: f32) {
    let max = &mut max[at as usize];
    *max = if weight > *max { weight } else { *max };
}

wide! {
    fn inside(at: &[u32], n: &[u32], counted: &Range<u32>) -> u64 {
        at.iter().zip(n).fold(0, |sum, (&at, &n)| sum + if counted.contains(&at) { u64::from(n) } else { 0 })
    }
}

wide! {
    fn count_of(at: &[u32], counted: &Range<u32>) -> usize {
        at.iter().fold(0, |count, at| count + usize::from(counted.contains(at)))
    }
}

wide! {
    fn round_counts(exact: &[u32], counts: &mut [f32]) {
        for (count, &exact) in counts.iter_mut().zip(exact) {
            *count = exact as f32;
        }
    }
}

wide! {
    fn round_sums(exact: &[f64], sums: &mut [f32]) {
        for (sum, &exact) in sums.iter_mut().zip(exact) {
            *sum = exact as f32;
        }
    }
}
