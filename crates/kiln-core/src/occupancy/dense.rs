//! Sums of groups as arrays over a window of cells.

use super::fast_hash::FastMap;
use super::group::{GroupKey, GroupSums};
use super::{Cell, CellSystem, OccupancyGrid, OccupancyRequest};
use crate::error::Result;
use crate::geo::{Bounds, Categories, floor_f64};
use crate::simd::wide;

/// A rectangle of cells, whose cells are numbered by row and column: for implementations of
/// [`PointSet::occupancy`](crate::source::PointSet::occupancy) with an array of counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellWindow {
    /// The side of a cell; `None` if there is only one cell.
    side: Option<f64>,
    first: Cell,
    columns: u32,
    rows: u32,
}

impl CellWindow {
    /// The index of points outside the window.
    pub const OUTSIDE: u32 = u32::MAX;
    /// The maximum memory of the arrays of all threads, in bytes: 16 million counts.
    pub(super) const MAX_BYTES: usize = 128 << 20;

    /// The window of the cells of `request` that intersect `bounds`; `None` if counts on `threads` threads would take
    /// too much memory, or cells do not have a rectangular order.
    pub fn new(request: &OccupancyRequest, bounds: Bounds, threads: usize) -> Option<Self> {
        Self::of(request.cells, bounds, Self::MAX_BYTES / size_of::<u64>() / threads.max(1))
    }

    /// The window of the cells that intersect `bounds`; `None` if there are more than `max_cells`, or cells do not
    /// have a rectangular order.
    fn of(cells: CellSystem, bounds: Bounds, max_cells: usize) -> Option<Self> {
        /// The largest absolute row and column, for which [`floor_f64`] is exact by a wide margin.
        const MAX_INDEX: i64 = 1 << 50;
        let side = match cells {
            CellSystem::Whole => return Some(Self { side: None, first: Cell::default(), columns: 1, rows: 1 }),
            CellSystem::Square { side } => side,
            CellSystem::Ground { .. } | CellSystem::Hexagon { .. } => return None,
        };
        let first = cells.cell_at(bounds.west, bounds.south)?;
        let last = cells.cell_at(bounds.east, bounds.north)?;
        let is_small = |index: i64| (-MAX_INDEX..=MAX_INDEX).contains(&index);
        let (columns, rows) = (last.column - first.column + 1, last.row - first.row + 1);
        let is_valid = [first.row, first.column, last.row, last.column].into_iter().all(is_small)
            && columns >= 1
            && rows >= 1
            && (columns as u64).checked_mul(rows as u64)? <= (max_cells as u64).min(u64::from(Self::OUTSIDE));
        is_valid.then_some(Self { side: Some(side), first, columns: columns as u32, rows: rows as u32 })
    }

    /// The number of cells.
    #[allow(clippy::len_without_is_empty, reason = "a window is never empty")]
    pub fn len(&self) -> usize {
        self.columns as usize * self.rows as usize
    }

    /// The cell at an index.
    pub fn cell(&self, index: usize) -> Cell {
        let (row, column) = (index as u32 / self.columns, index as u32 % self.columns);
        Cell { row: self.first.row + i64::from(row), column: self.first.column + i64::from(column) }
    }

    /// The index of a cell, or [`OUTSIDE`](Self::OUTSIDE).
    pub fn index(&self, cell: Cell) -> u32 {
        let within = |index: i64, first: i64, count: u32| {
            index.checked_sub(first).and_then(|offset| u32::try_from(offset).ok()).filter(|&offset| offset < count)
        };
        let row = within(cell.row, self.first.row, self.rows);
        let column = within(cell.column, self.first.column, self.columns);
        row.zip(column).map_or(Self::OUTSIDE, |(row, column)| row * self.columns + column)
    }

    /// The grid of `counts`, which are the numbers of points of weight 1 of each cell.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for `resolution` if more cells have points than `request` allows.
    pub fn grid(&self, request: &OccupancyRequest, counts: &[u64]) -> Result<OccupancyGrid> {
        let mut groups = Vec::new();
        for (index, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            if groups.len() == request.max_groups {
                return Err(request.too_many_groups());
            }
            let key = GroupKey { cell: self.cell(index), period: GroupKey::NO_PERIOD, category: Categories::NONE };
            groups.push(GroupSums::ones(count).group(key));
        }
        Ok(OccupancyGrid { groups, ..OccupancyGrid::default() })
    }

    /// Writes the indices of the cells of points to `at`, or [`OUTSIDE`](Self::OUTSIDE).
    pub fn locate(&self, x: &[f64], y: &[f64], at: &mut [u32]) {
        match self.side {
            None => at.fill(0),
            Some(side) => locate_squares(x, y, side, self, at),
        }
    }
}

wide! {
    fn locate_squares(x: &[f64], y: &[f64], side: f64, window: &CellWindow, at: &mut [u32]) {
        let (first_column, first_row) = (window.first.column as f64, window.first.row as f64);
        let (columns, rows) = (f64::from(window.columns), f64::from(window.rows));
        for ((at, x), y) in at.iter_mut().zip(x).zip(y) {
            // A quotient beyond the range of `floor_f64` stays beyond the window. NaN and infinity compare false.
            let column = floor_f64(x / side) - first_column;
            let row = floor_f64(y / side) - first_row;
            let is_inside = (0.0..columns).contains(&column) && (0.0..rows).contains(&row);
            let index = if is_inside { row * columns + column } else { f64::from(CellWindow::OUTSIDE) };
            // SAFETY: the index is a whole number in 0..=u32::MAX, below 2^53 and so exact.
            #[allow(unsafe_code)]
            let index: i64 = unsafe { index.to_int_unchecked() };
            *at = index as u32;
        }
    }
}

/// The sums of all groups within a window of cells: one layer per period and category.
#[derive(Debug)]
pub(super) struct DenseSums {
    pub(super) window: CellWindow,
    max_layers: usize,
    layers: Vec<Layer>,
    /// The indices of the layers by period and category.
    by_key: FastMap<(i64, u32), usize>,
    /// The last result of [`layer`](Self::layer).
    last: Option<((i64, u32), Option<usize>)>,
    /// The number of groups with points.
    occupied: usize,
}

/// The sums of the cells for one period and category. A cell without points has count 0.
#[derive(Debug)]
struct Layer {
    period: i64,
    category: u32,
    counts: Vec<u64>,
    /// Sums and maxima of the weights, once any point had one.
    weights: Option<(Vec<i128>, Vec<f32>)>,
}

impl DenseSums {
    /// Bytes per cell of a layer, with and without weights.
    pub(super) const WEIGHTED_CELL_BYTES: usize = 8 + 16 + 4;
    pub(super) const CELL_BYTES: usize = 8;

    /// Empty sums of up to `max_cells` cells in all layers together; `None` if the window has more.
    pub(super) fn new(cells: CellSystem, bounds: Bounds, max_cells: usize) -> Option<Self> {
        let window = CellWindow::of(cells, bounds, max_cells)?;
        let max_layers = max_cells / window.len();
        Some(Self { window, max_layers, layers: Vec::new(), by_key: FastMap::default(), last: None, occupied: 0 })
    }

    /// The number of groups with points.
    pub(super) fn occupied(&self) -> usize {
        self.occupied
    }

    /// The index of the layer of a period and category; `None` if there is no memory left for it.
    pub(super) fn layer(&mut self, period: i64, category: u32) -> Option<usize> {
        let key = (period, category);
        if let Some((last, layer)) = self.last
            && last == key
        {
            return layer;
        }
        let mut layer = self.by_key.get(&key).copied();
        if layer.is_none() && self.layers.len() < self.max_layers {
            layer = Some(self.layers.len());
            self.layers.push(Layer { period, category, counts: vec![0; self.window.len()], weights: None });
            self.by_key.insert(key, self.layers.len() - 1);
        }
        self.last = Some((key, layer));
        layer
    }

    /// Adds points of weight 1 to the cells `at`, all of which are inside.
    pub(super) fn count(&mut self, layer: usize, at: &[u32]) {
        let layer = &mut self.layers[layer];
        if layer.weights.is_some() {
            self.occupied += at.iter().map(|&at| layer.add(at, GroupSums::ones(1))).sum::<usize>();
            return;
        }
        // Neighbors in a batch are often in the same cell: a counter in memory would be loaded right after its store.
        for run in at.chunk_by(|one, next| one == next) {
            let count = &mut layer.counts[run[0] as usize];
            self.occupied += usize::from(*count == 0);
            *count += run.len() as u64;
        }
    }

    /// Adds sums to the cell `at`, which is inside.
    pub(super) fn add(&mut self, layer: usize, at: u32, sums: GroupSums, weighted: bool) {
        let layer = &mut self.layers[layer];
        if weighted || layer.weights.is_some() {
            layer.weigh();
        }
        self.occupied += layer.add(at, sums);
    }

    /// Passes all groups to `take`.
    pub(super) fn for_each(&self, mut take: impl FnMut(GroupKey, GroupSums)) {
        for Layer { period, category, counts, weights } in &self.layers {
            for (index, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let key = GroupKey { cell: self.window.cell(index), period: *period, category: *category };
                let sums = match weights {
                    Some((units, max)) => GroupSums { count, weight_units: units[index], weight_max: max[index] },
                    None => GroupSums::ones(count),
                };
                take(key, sums);
            }
        }
    }
}

impl Layer {
    /// Creates the columns of weights.
    fn weigh(&mut self) {
        let counts = &self.counts;
        self.weights.get_or_insert_with(|| {
            let units = counts.iter().map(|&count| GroupSums::ones(count).weight_units).collect();
            (units, vec![1.0; counts.len()])
        });
    }

    /// Adds sums to a cell, and returns 1 if the cell had no points, otherwise 0.
    fn add(&mut self, at: u32, sums: GroupSums) -> usize {
        let at = at as usize;
        let is_first = self.counts[at] == 0;
        self.counts[at] += sums.count;
        if let Some((units, max)) = &mut self.weights {
            units[at] += sums.weight_units;
            max[at] = if is_first { sums.weight_max } else { max[at].max(sums.weight_max) };
        }
        usize::from(is_first)
    }
}
