//! Sums of points per cell of a linear canvas, for the interface of datashader.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use kiln::geo::Points;
use kiln::source::{CoordinateSpace, scan_each};
use kiln::{Error, Result};
use kiln_core::parameter::Parameter;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict};

use crate::remarks::Remarks;
use crate::source::Source;
use crate::work;

/// The cells of a canvas.
#[derive(Clone)]
struct Cells {
    counts: Vec<u32>,
    sums: Vec<f64>,
    min: Vec<f32>,
    max: Vec<f32>,
}

/// A linear canvas, whose cells include their lower edges; the last ones include their upper edges too.
#[derive(Clone, Copy)]
struct Canvas {
    size: (usize, usize),
    x: (f64, f64),
    y: (f64, f64),
}

impl Canvas {
    /// The index of a value on an axis of `size` cells.
    fn index(value: f64, (low, high): (f64, f64), size: usize) -> Option<usize> {
        if !(low <= value && value <= high) {
            return None;
        }
        // The formula of datashader, which decides about values on the edge of a cell.
        let scale = size as f64 / (high - low);
        let index = (value * scale - low * scale) as usize;
        Some(index.min(size - 1))
    }

    fn cell(&self, x: f64, y: f64) -> Option<usize> {
        let (width, height) = self.size;
        let column = Self::index(x, self.x, width)?;
        Some(Self::index(y, self.y, height)? * width + column)
    }
}

impl Cells {
    fn new(size: usize, is_weighted: bool) -> Self {
        let weighted = if is_weighted { size } else { 0 };
        Self {
            counts: vec![0; size],
            sums: vec![0.0; weighted],
            min: vec![f32::INFINITY; weighted],
            max: vec![f32::NEG_INFINITY; weighted],
        }
    }

    fn add(&mut self, canvas: &Canvas, points: Points<'_>) {
        let weights = points.weight();
        for (index, (&x, &y)) in points.lon().iter().zip(points.lat()).enumerate() {
            let Some(cell) = canvas.cell(x, y) else { continue };
            self.counts[cell] += 1;
            if !self.sums.is_empty() {
                let weight = weights.map_or(1.0, |weights| weights[index]);
                self.sums[cell] += f64::from(weight);
                self.min[cell] = self.min[cell].min(weight);
                self.max[cell] = self.max[cell].max(weight);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, more)| *sum += more);
        self.min.iter_mut().zip(&other.min).for_each(|(min, other)| *min = min.min(*other));
        self.max.iter_mut().zip(&other.max).for_each(|(max, other)| *max = max.max(*other));
    }
}

/// Sums points per cell: `count` as uint32, and if `is_weighted` also `sum` as float64, `min` and `max` as float32, row by row
/// from the lowest y. Ranges that are `None` are those of the points.
#[pyfunction]
#[pyo3(signature = (source, size, x_range, y_range, is_weighted))]
pub(crate) fn bins<'py>(
    py: Python<'py>,
    source: &Source,
    size: (usize, usize),
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    is_weighted: bool,
) -> PyResult<Bound<'py, PyDict>> {
    const MAX_CELLS: usize = 1 << 28;
    if size.0 == 0 || size.1 == 0 || size.0.checked_mul(size.1).is_none_or(|cells| cells > MAX_CELLS) {
        let detail = format!("size: {} x {} cells; expected at least 1 and at most 2^28", size.0, size.1);
        return Err(PyValueError::new_err(detail));
    }
    let (cells, canvas, remarks) = work::run(py, |stop| sum(source, size, [x_range, y_range], is_weighted, stop))?;
    let found = PyDict::new(py);
    let bytes = |length: usize, fill: &dyn Fn(&mut [u8])| {
        PyByteArray::new_with(py, length, |bytes| {
            fill(bytes);
            Ok(())
        })
    };
    found.set_item("x_range", canvas.x)?;
    found.set_item("y_range", canvas.y)?;
    found.set_item("losses", remarks.losses)?;
    let Cells { counts, sums, min, max } = &cells;
    found.set_item("count", bytes(4 * counts.len(), &|out| copy(out, counts, u32::to_ne_bytes))?)?;
    found.set_item("sum", bytes(8 * sums.len(), &|out| copy(out, sums, f64::to_ne_bytes))?)?;
    found.set_item("min", bytes(4 * min.len(), &|out| copy(out, min, f32::to_ne_bytes))?)?;
    found.set_item("max", bytes(4 * max.len(), &|out| copy(out, max, f32::to_ne_bytes))?)?;
    Ok(found)
}

/// Copies values as bytes.
fn copy<T: Copy, const N: usize>(out: &mut [u8], values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for (out, value) in out.as_chunks_mut::<N>().0.iter_mut().zip(values) {
        *out = bytes(*value);
    }
}

fn sum(
    source: &Source,
    size: (usize, usize),
    ranges: [Option<(f64, f64)>; 2],
    is_weighted: bool,
    stop: &AtomicBool,
) -> Result<(Cells, Canvas, Remarks)> {
    let query = source.query().with_coordinate_space(CoordinateSpace::Plane).with_weights(is_weighted);
    let query = query.with_stop(Some(stop));
    let threads = kiln::available_threads();
    let [x, y] = match ranges {
        [Some(x), Some(y)] => [x, y],
        [x, y] => {
            let everything = (f64::INFINITY, f64::NEG_INFINITY);
            let mut parts = vec![[everything; 2]; threads];
            scan_each(&*source.points, &query, &mut parts, |[x, y], points| {
                for (range, values) in [(x, points.lon()), (y, points.lat())] {
                    *range = values.iter().fold(*range, |(low, high), value| (low.min(*value), high.max(*value)));
                }
                query.flow()
            })?;
            let merge = |axis: usize| {
                parts.iter().fold(everything, |(low, high), part| (low.min(part[axis].0), high.max(part[axis].1)))
            };
            [x.unwrap_or_else(|| merge(0)), y.unwrap_or_else(|| merge(1))]
        }
    };
    for (low, high) in [x, y] {
        if !(low < high && (high - low).is_finite()) {
            let detail = format!("the range {low} to {high} has no length; give x_range and y_range");
            return Err(Error::invalid(const { Parameter::new("range") }, detail));
        }
    }
    let canvas = Canvas { size, x, y };
    let mut parts = vec![Cells::new(size.0 * size.1, is_weighted); threads];
    let report = scan_each(&*source.points, &query, &mut parts, |cells, points| {
        cells.add(&canvas, points);
        if query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let mut parts = parts.into_iter();
    let mut cells = parts.next().unwrap_or_else(|| Cells::new(size.0 * size.1, is_weighted));
    parts.for_each(|part| cells.merge(&part));
    Ok((cells, canvas, Remarks::of(&report)))
}
