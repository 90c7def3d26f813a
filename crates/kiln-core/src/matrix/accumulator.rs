//! Accumulation of points per cell of a matrix.

use std::ops::ControlFlow;

use super::axis_index::AxisIndex;
use super::{MatrixCell, MatrixRequest, PointMatrix};
use crate::calendar::LocalClock;
use crate::error::{Error, Result};
use crate::geo::Points;
use crate::occupancy::{FastMap, GroupSums};
use crate::parameter::Parameter;

/// Accumulates points per cell of a [`MatrixRequest`].
#[derive(Debug)]
pub struct MatrixAccumulator<'a> {
    request: &'a MatrixRequest,
    x: AxisIndex<'a>,
    y: AxisIndex<'a>,
    /// The sums of the cells that have points, by the indices of the column and the row.
    cells: FastMap<(u32, u32), GroupSums>,
    unplaced: u64,
    failed: bool,
}

impl<'a> MatrixAccumulator<'a> {
    /// Points per chunk.
    const CHUNK: usize = 1024;

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
        let clock = LocalClock::new(&request.zone);
        let (x, y) = (AxisIndex::new(&request.x, clock.clone()), AxisIndex::new(&request.y, clock));
        Ok(Self { request, x, y, cells: FastMap::default(), unplaced: 0, failed: false })
    }

    /// Empty accumulators for the `workers` threads of a scan, at least one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_workers(request: &'a MatrixRequest, workers: usize) -> Result<Vec<Self>> {
        (0..workers.max(1)).map(|_| Self::new(request)).collect()
    }

    /// Adds points. `Break` once there are more cells than the request allows; [`finish`](Self::finish) returns the
    /// error.
    pub fn add(&mut self, points: Points<'_>) -> ControlFlow<()> {
        self.add_all(points, None)
    }

    /// Adds each of `points` as many times as `copies` has for it, with the same result as [`add`](Self::add) of that
    /// many equal points.
    pub fn add_copies(&mut self, points: Points<'_>, copies: &[u32]) -> ControlFlow<()> {
        self.add_all(points, Some(copies))
    }

    fn add_all(&mut self, points: Points<'_>, copies: Option<&[u32]>) -> ControlFlow<()> {
        let codes = [self.x.codes(points), self.y.codes(points)];
        for start in (0..points.len()).step_by(Self::CHUNK) {
            let chunk = points.slice(start..start + Self::CHUNK);
            let copies = copies.and_then(|copies| copies.get(start..start + chunk.len()));
            self.add_chunk(chunk, copies, &codes)?;
        }
        ControlFlow::Continue(())
    }

    /// Adds up to [`CHUNK`](Self::CHUNK) points. `codes` are the indices of their categories on both axes.
    fn add_chunk(&mut self, points: Points<'_>, copies: Option<&[u32]>, codes: &[Vec<u32>; 2]) -> ControlFlow<()> {
        let (mut x, mut y) = ([AxisIndex::NONE; Self::CHUNK], [AxisIndex::NONE; Self::CHUNK]);
        let (x, y) = (&mut x[..points.len()], &mut y[..points.len()]);
        self.x.locate(points, &codes[0], x);
        self.y.locate(points, &codes[1], y);
        for (index, (&x, &y)) in x.iter().zip(&*y).enumerate() {
            let sums = points.weight().map_or_else(|| GroupSums::ones(1), |weight| GroupSums::of(weight[index]));
            let sums = copies.map_or(sums, |copies| sums.times(copies[index]));
            if x == AxisIndex::NONE || y == AxisIndex::NONE {
                self.unplaced += sums.count;
            } else if sums.count > 0 {
                self.cells.entry((y, x)).and_modify(|cell| cell.add(sums)).or_insert(sums);
            }
        }
        self.failed |= self.has_too_many_cells();
        if self.failed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn has_too_many_cells(&self) -> bool {
        self.x.len().saturating_mul(self.y.len()) > self.request.max_cells
    }

    /// Adds the cells of another accumulator of the same request.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `x` if there are more cells than the request allows.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        let (x, y) = (self.x.merge(other.x), self.y.merge(other.y));
        for ((row, column), sums) in other.cells {
            let key = (y[row as usize], x[column as usize]);
            self.cells.entry(key).and_modify(|cell| cell.add(sums)).or_insert(sums);
        }
        self.unplaced += other.unplaced;
        self.failed |= other.failed || self.has_too_many_cells();
        if self.failed { Err(self.request.too_many_cells()) } else { Ok(()) }
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
        let mut used = [vec![false; self.x.len()], vec![false; self.y.len()]];
        for (y, x) in self.cells.keys() {
            used[0][*x as usize] = true;
            used[1][*y as usize] = true;
        }
        let ((x, x_ranks), (y, y_ranks)) = (self.x.finish(&used[0]), self.y.finish(&used[1]));
        let mut cells: Vec<MatrixCell> = self
            .cells
            .into_iter()
            .map(|((y, x), sums)| {
                let (x, y) = (x_ranks[x as usize], y_ranks[y as usize]);
                MatrixCell { x, y, count: sums.count, sum: sums.weight_sum(), max: f64::from(sums.weight_max) }
            })
            .collect();
        cells.sort_unstable_by_key(|cell| (cell.y, cell.x));
        Ok(PointMatrix { x, y, cells, unplaced: self.unplaced, ..PointMatrix::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::super::{Axis, AxisKeys, BinQuantity, NumberBins, scan_matrix};
    use super::*;
    use crate::calendar::TimePart;
    use crate::geo::Categories;
    use crate::source::{MemorySource, Query};

    const LON: [f64; 5] = [0.5, 1.5, 2.5, 1.5, 3.5];

    fn times() -> [i64; 5] {
        // Mondays 07:30, 07:45 and 09:00, a Tuesday at 07:00, and no time; UTC.
        let time = |text: &str| text.parse::<Timestamp>().unwrap().as_microsecond();
        [
            time("2024-05-06T07:30:00Z"),
            time("2024-05-13T07:45:00Z"),
            time("2024-05-06T09:00:00Z"),
            time("2024-05-07T07:00:00Z"),
            Points::NO_TIME,
        ]
    }

    fn cells(matrix: &PointMatrix) -> Vec<(u32, u32, u64, f64, f64)> {
        matrix.cells.iter().map(|cell| (cell.x, cell.y, cell.count, cell.sum, cell.max)).collect()
    }

    #[test]
    fn points_are_grouped_by_parts_of_local_time() {
        let times = times();
        let points = Points::new(&LON, &LON).unwrap().with_weight(&[1.5, 2.0, -4.0, 8.0, 9.0]).unwrap();
        let points = MemorySource(points.with_time(&times).unwrap());
        let request = MatrixRequest::new(Axis::Time(TimePart::Hour), Axis::Time(TimePart::Weekday));
        let query = Query::default().with_weights(true);
        for threads in [1, 3] {
            let matrix = scan_matrix(&points, &query, &request, threads).unwrap();
            assert_eq!(matrix.x, AxisKeys::Numbers(vec![7, 9]));
            assert_eq!(matrix.y, AxisKeys::Numbers(vec![0, 1]));
            assert_eq!(cells(&matrix), [(0, 0, 2, 3.5, 2.0), (1, 0, 1, -4.0, -4.0), (0, 1, 1, 8.0, 8.0)]);
            assert_eq!(matrix.unplaced, 1);
        }
        let request = request.with_zone(TimeZone::get("Asia/Kathmandu").unwrap());
        let matrix = scan_matrix(&points, &query, &request, 2).unwrap();
        assert_eq!(matrix.x, AxisKeys::Numbers(vec![12, 13, 14]), "the offset is 5:45");
    }

    #[test]
    fn points_are_grouped_by_category_and_bins() {
        let names = ["b".into(), "a".into(), "unused".into()];
        let categories = Categories { codes: &[0, 0, 1, Categories::NONE, 1], names: &names };
        let points = MemorySource(Points::new(&LON, &LON).unwrap().with_category(categories).unwrap());
        let bins = Axis::Bins(BinQuantity::Lon, NumberBins::between(0.0, 2.5, 2).unwrap());
        let request = MatrixRequest::new(Axis::Category, bins);
        let matrix = scan_matrix(&points, &Query::default(), &request, 2).unwrap();
        assert_eq!(matrix.x, AxisKeys::Names(vec!["a".into(), "b".into()]));
        assert_eq!(matrix.y, AxisKeys::Numbers(vec![0, 1]));
        assert_eq!(cells(&matrix), [(1, 0, 1, 1.0, 1.0), (0, 1, 1, 1.0, 1.0), (1, 1, 1, 1.0, 1.0)]);
        assert_eq!(matrix.unplaced, 2, "one without a category, and one beyond the bins");
        let whole = MatrixRequest::new(Axis::Category, Axis::Whole);
        assert_eq!(scan_matrix(&points, &Query::default(), &whole, 1).unwrap().y.len(), 1);
    }

    #[test]
    fn copies_count_as_that_many_points() {
        let points = Points::new(&LON, &LON).unwrap().with_weight(&[1.5, 2.0, -4.0, 8.0, 9.0]).unwrap();
        let request = MatrixRequest::new(Axis::Whole, Axis::Whole);
        let mut sums = MatrixAccumulator::new(&request).unwrap();
        assert!(sums.add_copies(points, &[2, 0, 1, 0, 0]).is_continue());
        assert_eq!(cells(&sums.finish().unwrap()), [(0, 0, 3, -1.0, 1.5)]);
    }

    #[test]
    fn too_many_cells_and_columns_of_tables_are_errors() {
        let lon: Vec<f64> = (-50..50).map(f64::from).collect();
        let points = MemorySource(Points::new(&lon, &lon).unwrap());
        let degree = || NumberBins::of_width(1.0).unwrap();
        let request =
            MatrixRequest::new(Axis::Bins(BinQuantity::Lon, degree()), Axis::Bins(BinQuantity::Lat, degree()));
        let scan = |request: &MatrixRequest| scan_matrix(&points, &Query::default(), request, 2);
        assert_eq!(scan(&request.clone().with_max_cells(10_000)).unwrap().cells.len(), 100);
        let error = scan(&request.clone().with_max_cells(9_999)).unwrap_err().to_string();
        assert_eq!(
            error,
            "x: the matrix has more than 9999 cells, the limit; use axes with fewer values, or fewer points"
        );
        let error = scan(&MatrixRequest::new(Axis::Whole, Axis::Column("speed".into()))).unwrap_err().to_string();
        assert!(error.starts_with("y: `speed` is unknown"), "{error}");
        assert!(scan(&request.with_value(Some("v".into()))).unwrap_err().to_string().starts_with("value: "));
    }
}
