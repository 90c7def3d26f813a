//! Sums per cell of a matrix, as arrays.

use super::MatrixCell;
use super::axis_index::AxisIndex;
use crate::raster::{Sums, update_max};

/// The sums of the cells of a matrix by the indices of their columns and rows. The arrays grow with the axes.
#[derive(Debug)]
pub(super) struct CellSums {
    columns: usize,
    rows: usize,
    /// The numbers of points, by row and column. The last one is that of points in no cell.
    counts: Vec<u64>,
    /// The sums and maxima of the weights, once any point had one.
    weights: Option<(Sums, Vec<f32>)>,
    /// A reused buffer: the cells of points.
    at: Vec<u32>,
}

impl CellSums {
    /// The maximum number of columns times rows, so that arrays that are up to twice as long in each direction have
    /// 32-bit indices.
    pub(super) const MAX_CELLS: usize = 1 << 29;

    pub(super) fn new(columns: usize, rows: usize) -> Self {
        Self { columns, rows, counts: vec![0; columns * rows + 1], weights: None, at: Vec::new() }
    }

    /// The number of points in no cell.
    pub(super) fn outside(&self) -> u64 {
        self.counts.last().copied().unwrap_or(0)
    }

    /// Makes room for `columns` and `rows`.
    pub(super) fn grow(&mut self, columns: usize, rows: usize) {
        if columns <= self.columns && rows <= self.rows {
            return;
        }
        let longer = |len: usize, of: usize| if of > len { of.next_power_of_two() } else { len };
        let grown = Self::new(longer(self.columns, columns), longer(self.rows, rows));
        let (old, new) = (self.columns, grown.columns);
        let (end, new_end) = (self.counts.len() - 1, grown.counts.len() - 1);
        let to = |cell: usize| if cell == end { new_end } else { cell / old * new + cell % old };
        *self = Self { at: std::mem::take(&mut self.at), ..std::mem::replace(self, grown).moved(new, new_end, to) };
    }

    /// The same sums in arrays of `columns` and `cells`, and one more: those of cell i move to cell `to(i)`.
    fn moved(self, columns: usize, cells: usize, to: impl Fn(usize) -> usize) -> Self {
        let mut counts = vec![0; cells + 1];
        let occupied = || self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        occupied().for_each(|(cell, &count)| counts[to(cell)] = count);
        let weights = self.weights.map(|(sums, max)| {
            let mut moved = vec![f32::NEG_INFINITY; cells + 1];
            occupied().for_each(|(cell, _)| moved[to(cell)] = max[cell]);
            (sums.moved(cells + 1, &to), moved)
        });
        Self { columns, rows: cells / columns, counts, weights, at: self.at }
    }

    /// Adds points to the cells of columns `x` and rows `y`, each as many times as `copies` has for it.
    pub(super) fn add(&mut self, x: &[u32], y: &[u32], weight: Option<&[f32]>, copies: Option<&[u32]>) {
        let mut at = std::mem::take(&mut self.at);
        at.clear();
        let (columns, outside) = (self.columns as u32, (self.counts.len() - 1) as u32);
        at.extend(x.iter().zip(y).map(|(&x, &y)| {
            let cell = y.wrapping_mul(columns).wrapping_add(x);
            // The largest number stands for no index, so one comparison is enough.
            if x.max(y) == AxisIndex::NONE { outside } else { cell }
        }));
        if weight.is_some() {
            self.weigh();
        }
        match copies {
            None => self.add_points(&at, weight),
            Some(copies) => self.add_copies(&at, weight, copies),
        }
        self.at = at;
    }

    fn add_points(&mut self, at: &[u32], weight: Option<&[f32]>) {
        for &cell in at {
            self.counts[cell as usize] += 1;
        }
        if let Some((sums, max)) = &mut self.weights {
            sums.add(at, weight);
            update_max(max, at, weight);
        }
    }

    fn add_copies(&mut self, at: &[u32], weight: Option<&[f32]>, copies: &[u32]) {
        at.iter().zip(copies).for_each(|(&cell, &copies)| self.counts[cell as usize] += u64::from(copies));
        if let Some((sums, max)) = &mut self.weights {
            sums.add_copies(at, copies, weight);
            for (index, &cell) in at.iter().enumerate().filter(|(index, _)| copies[*index] > 0) {
                let max = &mut max[cell as usize];
                *max = max.max(weight.map_or(1.0, |weight| weight[index]));
            }
        }
    }

    /// Creates the sums of weights; all points so far have weight 1.
    fn weigh(&mut self) {
        if self.weights.is_some() {
            return;
        }
        let mut sums = Sums::new(self.counts.len());
        let mut max = vec![f32::NEG_INFINITY; self.counts.len()];
        for (cell, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            max[cell] = 1.0;
            let mut left = count;
            while left > 0 {
                let copies = left.min(u64::from(u32::MAX)) as u32;
                sums.add_copies(&[cell as u32], &[copies], None);
                left -= u64::from(copies);
            }
        }
        self.weights = Some((sums, max));
    }

    /// Adds the sums of others, whose column i is the column `x[i]` and row i the row `y[i]` of these, which must have
    /// room for all of them.
    pub(super) fn merge(&mut self, mut other: Self, x: &[u32], y: &[u32]) {
        if self.weights.is_some() || other.weights.is_some() {
            self.weigh();
            other.weigh();
        }
        let (columns, end, new_end) = (other.columns, other.counts.len() - 1, self.counts.len() - 1);
        let to = |cell: usize| {
            let cell_of = |x: u32, y: u32| y as usize * self.columns + x as usize;
            if cell == end { new_end } else { cell_of(x[cell % columns], y[cell / columns]) }
        };
        let other = other.moved(self.columns, new_end, to);
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        if let (Some((sums, max)), Some((other_sums, other_max))) = (&mut self.weights, other.weights) {
            sums.merge(other_sums);
            max.iter_mut().zip(other_max).for_each(|(max, other)| *max = max.max(other));
        }
    }

    /// The cells that have points, with their indices of columns and rows.
    pub(super) fn cells(&self) -> Vec<MatrixCell> {
        let (_, counts) = self.counts.split_last().unwrap_or((&0, &[]));
        let occupied = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        occupied
            .map(|(cell, &count)| {
                let (sum, max) = match &self.weights {
                    Some((sums, max)) => (sums.sum(cell), f64::from(max[cell])),
                    None => (count as f64, 1.0),
                };
                MatrixCell { x: (cell % self.columns) as u32, y: (cell / self.columns) as u32, count, sum, max }
            })
            .collect()
    }
}
