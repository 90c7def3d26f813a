//! The pictures of the Python library `heatmap` 2.2.1.

use kiln::color::{Opacity, Palette, Scheme};
use kiln::geo::Points;
use kiln::raster::classic::{Dots, Window, legacy_positions};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use crate::error::exception;
use crate::work;

/// Draws dots as the library does, and returns RGBA: byte for byte the same. `points` are x and y in order, `area` is west,
/// south, east and north.
#[pyfunction]
#[pyo3(signature = (points, dot_size, opacity, size, scheme, area))]
pub(crate) fn classic<'py>(
    py: Python<'py>,
    points: Vec<(f64, f64)>,
    dot_size: f32,
    opacity: u8,
    size: (usize, usize),
    scheme: &str,
    area: Option<[f64; 4]>,
) -> PyResult<Bound<'py, PyByteArray>> {
    let scheme = Scheme::named(scheme).map_err(exception)?;
    let opacity: Opacity = format!("{opacity}/255").parse().map_err(exception)?;
    let (x, y): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let grid = work::run(py, |stop| {
        let (px, py) = legacy_positions(Points::new(&x, &y)?, area, size.0, size.1);
        let dots = Dots::new(&px, &py, dot_size)?.with_stop(Some(stop));
        dots.blend(Window::full(size.0, size.1), kiln::available_threads())
    })?;
    let palette = Palette::classic(&scheme, opacity);
    PyByteArray::new_with(py, grid.cells().len() * 4, |bytes| {
        for (pixel, index) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(grid.cells()) {
            *pixel = palette.colors()[usize::from(*index)];
        }
        Ok(())
    })
}
