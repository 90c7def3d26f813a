//! Accumulation of points per cell of a matrix.

use std::ops::ControlFlow;

use super::axis_index::AxisIndex;
use super::cell_sums::CellSums;
use super::{MatrixCell, MatrixRequest, PointMatrix};
use crate::calendar::TimeUnits;
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::parameter::Parameter;

/// Accumulates points per cell of a [`MatrixRequest`].
#[derive(Debug)]
pub struct MatrixAccumulator<'a> {
    request: &'a MatrixRequest,
    /// The units of time of both axes; none if no axis has times.
    units: TimeUnits,
    x: AxisIndex<'a>,
    y: AxisIndex<'a>,
    sums: CellSums,
    /// The dictionary of the last categories, of those that callers number.
    dictionary: Option<usize>,
    failed: bool,
}

impl<'a> MatrixAccumulator<'a> {
    /// Points per chunk.
    const CHUNK: usize = 1024;
    /// The times that axes look up: the century from 1970 on. Other times are computed one by one.
    const CENTURY_US: [i64; 2] = [0, 36_525 * 86_400_000_000 - 1];

    /// An empty accumulator.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `x`, `y` or `value` if it is a column of a table.
    pub fn new(request: &'a MatrixRequest) -> Result<Self> {
        let columns = [
            (Parameter::X, request.x.column()),
            (Parameter::Y, request.y.column()),
            (Parameter::VALUE, request.value.as_deref()),
        ];
        if let Some((parameter, Some(column))) = columns.into_iter().find(|(_, column)| column.is_some()) {
            let message = format!("`{column}` is unknown; only live tables have columns of any name");
            return Err(Error::invalid(parameter, message));
        }
        let has_times = request.axes().iter().any(|axis| axis.needs_times());
        let units = if has_times { TimeUnits::new([&request.zone], Self::CENTURY_US) } else { TimeUnits::default() };
        Ok(Self::empty(request, units))
    }

    fn empty(request: &'a MatrixRequest, units: TimeUnits) -> Self {
        let [x, y] = request.axes().map(|axis| AxisIndex::new(axis, &request.zone, units));
        let sums = CellSums::new(x.initial_len(), y.initial_len());
        Self { request, units, x, y, sums, dictionary: None, failed: false }
    }

    /// Empty accumulators for the `workers` threads of a scan, at least one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_workers(request: &'a MatrixRequest, workers: usize) -> Result<Vec<Self>> {
        let first = Self::new(request)?;
        let units = first.units;
        let others = (1..workers).map(|_| Self::empty(request, units));
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Adds points. `Break` once there are more cells than the request allows; [`finish`](Self::finish) returns the
    /// error.
    pub fn add(&mut self, points: Points<'_>) -> ControlFlow<()> {
        self.add_all(points, None, None)
    }

    /// Like [`add`](Self::add). All points that are added with the same number of a `dictionary` must have the same
    /// names of categories; each name is then looked up once.
    pub fn add_from(&mut self, dictionary: usize, points: Points<'_>) -> ControlFlow<()> {
        self.add_all(points, None, Some(dictionary))
    }

    /// Adds each of `points` as many times as `copies` has for it, with the same result as [`add`](Self::add) of that
    /// many equal points.
    pub fn add_copies(&mut self, points: Points<'_>, copies: &[u32]) -> ControlFlow<()> {
        self.add_all(points, Some(copies), None)
    }

    fn add_all(&mut self, points: Points<'_>, copies: Option<&[u32]>, dictionary: Option<usize>) -> ControlFlow<()> {
        if dictionary.is_none() || dictionary != self.dictionary {
            self.x.forget_categories();
            self.y.forget_categories();
        }
        self.dictionary = dictionary;
        for start in (0..points.len()).step_by(Self::CHUNK) {
            let chunk = points.slice(start..start + Self::CHUNK);
            let copies = copies.and_then(|copies| copies.get(start..start + chunk.len()));
            self.add_chunk(chunk, copies)?;
        }
        ControlFlow::Continue(())
    }

    /// Adds up to [`CHUNK`](Self::CHUNK) points.
    fn add_chunk(&mut self, points: Points<'_>, copies: Option<&[u32]>) -> ControlFlow<()> {
        let mut units = [TimeUnits::OUTSIDE; Self::CHUNK];
        if let (Some(times), false) = (points.time_us(), self.units.is_empty()) {
            self.units.locate(times, &mut units);
        }
        let (mut x, mut y) = ([AxisIndex::NONE; Self::CHUNK], [AxisIndex::NONE; Self::CHUNK]);
        let (x, y) = (&mut x[..points.len()], &mut y[..points.len()]);
        self.x.locate(points, &units, x);
        self.y.locate(points, &units, y);
        self.failed |= self.has_too_many_cells();
        if self.failed {
            return ControlFlow::Break(());
        }
        self.sums.grow(self.x.len(), self.y.len());
        self.sums.add(x, y, points.weight(), copies);
        ControlFlow::Continue(())
    }

    fn has_too_many_cells(&self) -> bool {
        let cells = self.x.len().saturating_mul(self.y.len());
        cells > self.request.max_cells || cells > CellSums::MAX_CELLS
    }

    /// Adds the cells of another accumulator of the same request.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `x` if there are more cells than the request allows.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        let (x, y) = (self.x.merge(other.x), self.y.merge(other.y));
        self.failed |= other.failed || self.has_too_many_cells();
        if self.failed {
            return Err(self.request.too_many_cells());
        }
        self.sums.grow(self.x.len(), self.y.len());
        self.sums.merge(other.sums, &x, &y);
        Ok(())
    }

    /// The matrix of the points of all workers.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `x` if there are more cells than the request allows.
    pub fn finish_all(workers: Vec<Self>) -> Result<PointMatrix> {
        let mut workers = workers.into_iter();
        let Some(mut merged) = workers.next() else { return Ok(PointMatrix::default()) };
        workers.try_for_each(|worker| merged.merge(worker))?;
        merged.finish()
    }

    /// The matrix of the points.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `x` if there are more cells than the request allows.
    pub fn finish(self) -> Result<PointMatrix> {
        if self.failed {
            return Err(self.request.too_many_cells());
        }
        let mut cells = self.sums.cells();
        let mut used = [vec![false; self.x.len()], vec![false; self.y.len()]];
        for MatrixCell { x, y, .. } in &cells {
            used[0][*x as usize] = true;
            used[1][*y as usize] = true;
        }
        let ((x, x_ranks), (y, y_ranks)) = (self.x.finish(&used[0]), self.y.finish(&used[1]));
        for cell in &mut cells {
            (cell.x, cell.y) = (x_ranks[cell.x as usize], y_ranks[cell.y as usize]);
        }
        cells.sort_unstable_by_key(|cell| (cell.y, cell.x));
        Ok(PointMatrix { x, y, cells, unplaced: self.sums.outside(), ..PointMatrix::default() })
    }
}
