//! Pixels as NumPy arrays without a copy.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::image::Image;

/// The pixels of an image, which NumPy reads by its array interface. The array keeps the image alive.
#[pyclass(frozen)]
pub(crate) struct Pixels {
    image: Py<Image>,
    content: Content,
}

/// What the pixels are.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// A `float32` per pixel.
    Density,
    /// A palette index per pixel.
    Indices,
}

impl Pixels {
    /// A read-only array of NumPy.
    pub(crate) fn array<'py>(image: &Bound<'py, Image>, content: Content) -> PyResult<Bound<'py, PyAny>> {
        let py = image.py();
        let pixels = Bound::new(py, Self { image: image.clone().unbind(), content })?;
        numpy(py)?.call_method1("asarray", (pixels,))
    }
}

#[pymethods]
impl Pixels {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let image = self.image.get();
        let (width, height) = image.size();
        let (pointer, kind) = match (self.content, image.density_cells()) {
            (Content::Density, Some(density)) => (density.as_ptr() as usize, "<f4"),
            _ => (image.index_cells().as_ptr() as usize, "|u1"),
        };
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", PyTuple::new(py, [height, width])?)?;
        interface.set_item("typestr", kind)?;
        // The image is frozen, so the array must not be written to.
        interface.set_item("data", (pointer, true))?;
        Ok(interface)
    }
}

/// The module numpy.
pub(crate) fn numpy(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("numpy")
}
