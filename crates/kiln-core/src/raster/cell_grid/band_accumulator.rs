//! Sums per cell of a part of a canvas.

use std::ops::Range;

use super::SIDE_BITS;
use crate::raster::Reduction;
use crate::simd::wide;

/// Cells along the side of a block.
const SIDE: usize = 1 << SIDE_BITS;

/// What cells hold, a column each.
#[derive(Clone, Copy, Debug)]
pub struct CellSums<'a> {
    /// Points.
    pub n: &'a [u32],
    /// Sums of weights and greatest weights; `None` where every point weighs 1.
    pub weights: Option<(&'a [f64], &'a [f32])>,
}

/// Sums per cell of some rows of a canvas; what lies outside goes into one cell more.
#[derive(Debug)]
pub struct BandAccumulator {
    outside: usize,
    width: u32,
    /// Which cells count for `inside`.
    counted: Range<u32>,
    counts: Option<Vec<u32>>,
    sums: Option<Vec<f64>>,
    max: Option<Vec<f32>>,
    /// Points inside.
    pub inside: u64,
}

impl BandAccumulator {
    /// Empty sums of `width` by `height` cells.
    pub fn new(reduction: Reduction, width: u32, height: u32) -> Self {
        let cells = width as usize * height as usize;
        let counting = matches!(reduction, Reduction::Count | Reduction::CountAndSum);
        let summing = matches!(reduction, Reduction::Sum | Reduction::CountAndSum);
        Self {
            outside: cells,
            width,
            counted: 0..cells as u32,
            counts: counting.then(|| vec![0; cells + 1]),
            sums: summing.then(|| vec![0.0; cells + 1]),
            max: (reduction == Reduction::Max).then(|| vec![f32::NEG_INFINITY; cells + 1]),
            inside: 0,
        }
    }

    /// Lets only some rows count for `inside`.
    pub fn count_only(&mut self, rows: Range<u32>) {
        self.counted = rows.start * self.width..rows.end * self.width;
    }

    /// Points per cell, where they are kept; the last is those outside.
    pub fn counts(&self) -> Option<&[u32]> {
        self.counts.as_deref()
    }

    /// Sums of weights per cell, where they are kept.
    pub fn sums(&self) -> Option<&[f64]> {
        self.sums.as_deref()
    }

    /// Greatest weights per cell, where they are kept.
    pub fn max(&self) -> Option<&[f32]> {
        self.max.as_deref()
    }

    /// The number that stands for what lies outside.
    pub fn outside(&self) -> u32 {
        self.outside as u32
    }

    /// Adds cells, each to the cell of the canvas that `at` says.
    pub fn add_cells(&mut self, at: &[u32], cells: CellSums<'_>) {
        self.inside += inside(at, cells.n, &self.counted);
        if let Some(counts) = &mut self.counts {
            for (&at, &n) in at.iter().zip(cells.n) {
                let count = &mut counts[at as usize];
                *count = count.saturating_add(n);
            }
        }
        let weights = cells.weights;
        match (&mut self.sums, weights) {
            (Some(sums), Some((sum, _))) => at.iter().zip(sum).for_each(|(&at, sum)| sums[at as usize] += sum),
            (Some(sums), None) => at.iter().zip(cells.n).for_each(|(&at, &n)| sums[at as usize] += f64::from(n)),
            (None, _) => {}
        }
        if let Some(max) = &mut self.max {
            match weights {
                Some((_, greatest)) => at.iter().zip(greatest).for_each(|(&at, &weight)| raise(max, at, weight)),
                None => at.iter().for_each(|&at| raise(max, at, 1.0)),
            }
        }
    }

    /// Adds the cells of a block of 64 × 64 that lies inside as a whole and holds `points`; `first` is the number of its
    /// north-western cell. Answers whether it could: only sums are added this way, and only where all of its
    /// cells count or none.
    pub fn add_whole_block(&mut self, first: usize, cell: &[u16], cells: CellSums<'_>, points: u64) -> bool {
        let (Some(sums), None, None) = (&mut self.sums, &self.counts, &self.max) else { return false };
        let width = self.width as usize;
        let reach = first + (SIDE - 1) * width + SIDE;
        let Range { start, end } = self.counted;
        let counts = start as usize <= first && reach <= end as usize;
        if reach > sums.len() || !counts && first < end as usize && reach > start as usize {
            return false;
        }
        let sums = &mut sums[first..reach];
        let at = |cell: u16| usize::from(cell) / SIDE % SIDE * width + usize::from(cell) % SIDE;
        match cells.weights {
            Some((sum, _)) => cell.iter().zip(sum).for_each(|(&cell, sum)| sums[at(cell)] += sum),
            None => cell.iter().zip(cells.n).for_each(|(&cell, &n)| sums[at(cell)] += f64::from(n)),
        }
        self.inside += if counts { points } else { 0 };
        true
    }

    /// Adds points, each to the cell of the canvas that `at` says.
    pub fn add_points(&mut self, at: &[u32], weight: Option<&[f32]>) {
        self.inside += count_of(at, &self.counted) as u64;
        if let Some(counts) = &mut self.counts {
            for &at in at {
                let count = &mut counts[at as usize];
                *count = count.saturating_add(1);
            }
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
                Some(weight) => at.iter().zip(weight).for_each(|(&at, &weight)| raise(max, at, weight)),
                None => at.iter().for_each(|&at| raise(max, at, 1.0)),
            }
        }
    }

    /// Rounds to `f32` once, into those of the three that are there.
    pub fn write_to(&self, counts: Option<&mut [f32]>, sums: Option<&mut [f32]>, max: Option<&mut [f32]>) {
        if let (Some(kept), Some(counts)) = (&self.counts, counts) {
            round_counts(kept, counts);
        }
        if let (Some(kept), Some(sums)) = (&self.sums, sums) {
            round_sums(kept, sums);
        }
        if let (Some(kept), Some(max)) = (&self.max, max) {
            let cells = max.len();
            max.copy_from_slice(&kept[..cells]);
        }
    }
}

fn raise(max: &mut [f32], at: u32, weight: f32) {
    let most = &mut max[at as usize];
    *most = if weight > *most { weight } else { *most };
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
    fn round_counts(kept: &[u32], counts: &mut [f32]) {
        for (count, &kept) in counts.iter_mut().zip(kept) {
            *count = kept as f32;
        }
    }
}

wide! {
    fn round_sums(kept: &[f64], sums: &mut [f32]) {
        for (sum, &kept) in sums.iter_mut().zip(kept) {
            *sum = kept as f32;
        }
    }
}
