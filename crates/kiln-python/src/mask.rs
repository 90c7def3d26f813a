//! Heat maps of 2-D arrays.

use kiln::mask::annotations::{AnnotationFile, AnnotationFormat, AnnotationOptions, read};
use kiln::mask::{Background, ImageLimits, Levels, Mask, Picture, Pixels, Values, render_levels};
use kiln::masks::{MaskOptions, draw_legend};
use kiln::parameters::ParameterSet;
use kiln::raster::Grid;
use kiln::{Error, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict};

use crate::error::exception;
use crate::keywords::find_scheme;
use crate::work;

/// A mask as PNG: `png`, `legend` as PNG, `vmin` and `vmax`. `values` are the bytes of float64, row by row; NaN is no data.
/// `options` are names and values of the style of masks.
#[pyfunction]
pub(crate) fn render_mask<'py>(
    py: Python<'py>,
    values: &[u8],
    size: (usize, usize),
    options: Vec<(String, String)>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut read = MaskOptions::default();
    for (name, text) in &options {
        if !read.set(name, text).map_err(exception)? {
            return Err(PyValueError::new_err(format!("{name}: no option of masks")));
        }
    }
    let style = read.resolve(find_scheme).map_err(exception)?;
    let cells = values.as_chunks::<8>().0.iter().map(|bytes| f64::from_ne_bytes(*bytes)).collect();
    let (png, legend, levels) = work::run(py, |_| {
        let grid = Grid::from_cells(size.0, size.1, cells)
            .ok_or_else(|| Error::input("mask", "the number of values is not that of its rows and columns"))?;
        let mask = Mask::new(Values::Double(grid))?;
        let levels = Levels::of(&mask, &style, kiln::available_threads())?;
        let picture = render_levels(&levels, &style, None, kiln::available_threads())?;
        let legend = draw_legend(&style, (levels.vmin(), levels.vmax()), "", "", 2.0)?;
        Ok((picture.png()?, legend, levels))
    })?;
    let found = PyDict::new(py);
    found.set_item("png", PyBytes::new(py, &png))?;
    found.set_item("legend", PyBytes::new(py, &legend))?;
    found.set_item("vmin", levels.vmin())?;
    found.set_item("vmax", levels.vmax())?;
    Ok(found)
}

/// The mask of annotations, which counts the labels over each pixel: `values` as float64, `width`, `height`, and remarks.
/// `files` are JSON texts.
#[pyfunction]
#[pyo3(signature = (files, class_name, width, height))]
pub(crate) fn count_labels(
    py: Python<'_>,
    files: Vec<String>,
    class_name: Option<String>,
    width: Option<usize>,
    height: Option<usize>,
) -> PyResult<Bound<'_, PyDict>> {
    let options = AnnotationOptions {
        format: Some(AnnotationFormat::Supervisely),
        classes: class_name.into_iter().collect(),
        width,
        height,
        ..AnnotationOptions::default()
    };
    let (mask, rejected) = work::run(py, |_| {
        let names: Vec<String> = (1..=files.len()).map(|number| format!("annotation {number}")).collect();
        let inputs = names.iter().zip(&files);
        let inputs: Vec<_> = inputs.map(|(name, text)| AnnotationFile { name, bytes: text.as_bytes() }).collect();
        let (mask, report) = read(&inputs, &options).map_err(|error| Error::input("annotations", error.to_string()))?;
        Ok((mask, report.remarks()))
    })?;
    let (columns, rows) = (mask.columns(), mask.rows());
    let found = PyDict::new(py);
    let values = PyByteArray::new_with(py, 8 * columns * rows, |bytes| {
        for (index, out) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            *out = mask.value(index / columns, index % columns).unwrap_or(f64::NAN).to_ne_bytes();
        }
        Ok(())
    })?;
    found.set_item("values", values)?;
    found.set_item("width", columns)?;
    found.set_item("height", rows)?;
    found.set_item("remarks", rejected)?;
    Ok(found)
}

/// Decodes a PNG, JPEG, WebP or TIFF image and encodes it as PNG; returns it with its width and height.
#[pyfunction]
pub(crate) fn background_png<'py>(
    py: Python<'py>,
    image: &[u8],
    name: &str,
) -> PyResult<(Bound<'py, PyBytes>, usize, usize)> {
    let (png, width, height) = py.detach(|| decode(image, name)).map_err(exception)?;
    Ok((PyBytes::new(py, &png), width, height))
}

fn decode(image: &[u8], name: &str) -> Result<(Vec<u8>, usize, usize)> {
    let background = Background::decode(image, name, &ImageLimits::default())
        .map_err(|error| Error::input("background_image", error.to_string()))?;
    encode(&background)
}

fn encode(background: &Background) -> Result<(Vec<u8>, usize, usize)> {
    let (width, height) = (background.width(), background.height());
    let picture = Picture { pixels: Pixels::Rgb(background.pixels().clone()), remarks: Vec::new() };
    Ok((picture.png()?, width, height))
}

/// Encodes red, green and blue, row by row, as PNG.
#[pyfunction]
pub(crate) fn rgb_png<'py>(py: Python<'py>, pixels: &[u8], size: (usize, usize)) -> PyResult<Bound<'py, PyBytes>> {
    let cells = pixels.as_chunks::<3>().0.to_vec();
    let grid = Grid::from_cells(size.0, size.1, cells).ok_or_else(|| {
        PyValueError::new_err("background_image: the number of pixels is not that of its rows and columns")
    })?;
    let (png, ..) =
        py.detach(|| Background::new(grid).and_then(|background| encode(&background))).map_err(exception)?;
    Ok(PyBytes::new(py, &png))
}
