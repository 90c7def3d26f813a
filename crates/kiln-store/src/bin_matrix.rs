//! Numbers of points by category of a layer of bins.

use std::collections::BTreeMap;

use super::Snapshot;
use super::points::PointBatch;
use super::rows::Rows;
use kiln_core::error::{Error, Result};
use kiln_core::matrix::{Axis, AxisKeys, MatrixCell, MatrixRequest, PointMatrix};
use kiln_core::source::Query;

impl Snapshot {
    /// The matrix of bins by category, the only one that does not need single points.
    ///
    /// # Errors
    /// As [`matrix`](Self::matrix), and [`Error::Invalid`] for other axes.
    pub(super) fn matrix_of_bins(&self, query: &Query<'_>, request: &MatrixRequest) -> Result<PointMatrix> {
        if (&request.x, &request.y, &request.value) != (&Axis::Category, &Axis::Whole, &None) {
            self.check_single_points("a matrix by other axes than the category", "GET /{layer}/categories")?;
        }
        let segments = self.passing(query);
        let (mut found, mut unplaced) = (BTreeMap::<Box<str>, MatrixCell>::new(), 0u64);
        for (segment, filter) in &segments {
            let names = &segment.points.names.list;
            let mut cells = vec![MatrixCell { x: 0, y: 0, count: 0, sum: 0.0, max: f64::NEG_INFINITY }; names.len()];
            for (batch, range) in segment.points.batch_ranges(segment.all()) {
                if query.is_stopped() {
                    return Err(Error::Cancelled);
                }
                let mut passing = vec![1; range.len()];
                if let Some(filter) = filter {
                    filter.test(batch, range.clone(), &mut passing);
                }
                for row in range.zip(passing).filter(|(_, passes)| *passes == 1).map(|(row, _)| row) {
                    let code = batch.category.as_ref().map_or(Rows::NO_CATEGORY, |codes| codes.at(row));
                    let (n, sum, max) = bin(batch, row);
                    match cells.get_mut(code as usize) {
                        Some(cell) => add(cell, n, sum, max),
                        None => unplaced = unplaced.saturating_add(n),
                    }
                }
            }
            for (name, cell) in names.iter().zip(cells).filter(|(_, cell)| cell.count > 0) {
                match found.get_mut(name) {
                    Some(known) => add(known, cell.count, cell.sum, cell.max),
                    None => drop(found.insert(name.clone(), cell)),
                }
            }
        }
        self.check_damage()?;
        if found.len() > request.max_cells {
            return Err(request.too_many_cells());
        }
        let (names, mut cells): (Vec<Box<str>>, Vec<MatrixCell>) = found.into_iter().unzip();
        (0..).zip(&mut cells).for_each(|(x, cell)| cell.x = x);
        let y = AxisKeys::Numbers(if cells.is_empty() { Vec::new() } else { vec![0] });
        let report = self.scan_report(query, &segments);
        Ok(PointMatrix { x: AxisKeys::Names(names), y, cells, unplaced, report, ..PointMatrix::default() })
    }
}

/// The number of points, the sum and the greatest of the weights of a row.
fn bin(batch: &PointBatch, row: usize) -> (u64, f64, f64) {
    let Some(bins) = &batch.bins else { return (1, 1.0, 1.0) };
    let n = bins.n.get(row);
    let weights = bins.weights.as_ref().map(|(sum, max)| (sum[row], f64::from(max[row])));
    let (sum, max) = weights.unwrap_or((n as f64, 1.0));
    (n, sum, max)
}

fn add(cell: &mut MatrixCell, n: u64, sum: f64, max: f64) {
    cell.count = cell.count.saturating_add(n);
    cell.sum += sum;
    cell.max = cell.max.max(max);
}
