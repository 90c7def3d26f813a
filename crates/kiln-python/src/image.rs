//! A rendered picture.

use std::io::Cursor;
use std::path::PathBuf;

use kiln::encode::geotiff::{self, Band, GeoReference};
use kiln::encode::png::{self, PngOptions};
use kiln::encode::{Legend, nice_ticks, scaled_ticks, write_picture};
use kiln::geo::Points;
use kiln::layer::{Heatmap, Style, readable_unit};
use kiln::raster::{Quantizer, Span};
use kiln::{Error, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict};

use crate::error::exception;
use crate::pixels::{Content, Pixels, numpy};
use crate::remarks::Remarks;
use crate::work;

/// A rendered picture: its pixels, its values with bounds and unit, and its files.
#[pyclass(frozen, module = "kiln")]
pub(crate) struct Image {
    heat: Heatmap,
    style: Style,
    unit: String,
    title: String,
    remarks: Remarks,
}

/// An encoded picture.
#[pyclass(frozen, module = "kiln")]
pub(crate) struct Png {
    bytes: Vec<u8>,
}

impl Image {
    pub(crate) fn new(heat: Heatmap, style: Style, unit: String, title: String, remarks: Remarks) -> Self {
        Self { heat, style, unit, title, remarks }
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.heat.indices.width(), self.heat.indices.height())
    }

    /// The values, row by row from the north; `None` for the classic blend.
    pub(crate) fn density_cells(&self) -> Option<&[f32]> {
        self.heat.values.as_ref().map(|values| values.density.cells())
    }

    /// The palette indices, row by row from the north.
    pub(crate) fn index_cells(&self) -> &[u8] {
        self.heat.indices.cells()
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        png::write_indexed(&mut bytes, &self.heat.indices, self.heat.palette.colors(), PngOptions::default())?;
        Ok(bytes)
    }

    fn encode_geotiff(&self, is_density: bool) -> Result<Vec<u8>> {
        let (mut bytes, threads) = (Cursor::new(Vec::new()), kiln::available_threads());
        let reference = GeoReference::of(&self.heat.canvas);
        match &self.heat.values {
            Some(values) if is_density => {
                let nodata = if values.quantizer.is_amount() { None } else { Some(f32::NAN) };
                let band = Band { name: &values.aggregation.to_string(), unit: &self.unit, nodata };
                geotiff::write_density(&mut bytes, &values.density, &band, &reference, threads)?;
            }
            _ => {
                let colors = self.heat.palette.colors();
                geotiff::write_colors(&mut bytes, &self.heat.indices, colors, &reference, threads)?;
            }
        }
        Ok(bytes.into_inner())
    }
}

/// Draws a legend. Without a span, the scale is absolute.
pub(crate) fn draw_legend(
    style: &Style,
    span: Option<(Span, &Quantizer)>,
    unit: &str,
    title: &str,
    pixel_ratio: f32,
) -> Result<Vec<u8>> {
    let palette = style.legend_palette();
    let (ticks, unit) = match span {
        Some((Span { vmin, vmax }, quantizer)) => {
            let (factor, unit) = readable_unit(unit, vmax.abs().max(vmin.abs()));
            (scaled_ticks(&nice_ticks(vmin, vmax, |value| quantizer.position(value)), factor), unit)
        }
        None => (Vec::new(), "an absolute scale".to_owned()),
    };
    let legend = Legend { palette: &palette, ticks: &ticks, title, unit: &unit, pixel_ratio }.draw()?;
    let mut bytes = Vec::new();
    write_picture(&legend, &mut bytes).map_err(|error| Error::io("legend", "encode", error))?;
    Ok(bytes)
}

/// Writes a file.
fn write(path: &PathBuf, bytes: &[u8]) -> PyResult<()> {
    std::fs::write(path, bytes).map_err(|error| exception(Error::io(path, "write", error)))
}

#[pymethods]
impl Image {
    /// The picture as PNG.
    fn png<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.encode()).map_err(exception)?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn _repr_png_<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.png(py)
    }

    /// Writes the picture to a file: `.png`, or `.tif` with the values.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default().to_ascii_lowercase();
        let encode = || match extension.as_str() {
            "png" => self.encode(),
            _ => self.encode_geotiff(true),
        };
        if !["png", "tif", "tiff"].contains(&extension.as_str()) {
            let detail = format!("{}: the extension is not .png or .tif", path.display());
            return Err(PyValueError::new_err(detail));
        }
        write(&path, &py.detach(encode).map_err(exception)?)
    }

    /// The picture as `GeoTIFF`, which is written to `path` if it is given: the values as float32 (`density`), or the colors
    /// (`rgba`).
    #[pyo3(signature = (path=None, *, bands="density"))]
    fn to_geotiff<'py>(
        &self,
        py: Python<'py>,
        path: Option<PathBuf>,
        bands: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let is_density = match bands {
            "density" if self.heat.values.is_none() => {
                let detail = "bands: the classic blend has no density, only colors; use rgba";
                return Err(PyValueError::new_err(detail));
            }
            "density" => true,
            "rgba" => false,
            other => return Err(PyValueError::new_err(format!("bands: `{other}` is neither density nor rgba"))),
        };
        let bytes = work::run(py, |_| self.encode_geotiff(is_density))?;
        match path {
            Some(path) => write(&path, &bytes).map(|()| None),
            None => Ok(Some(PyBytes::new(py, &bytes))),
        }
    }

    /// The values as a read-only array of float32 of NumPy, in `unit`, with the northernmost row first. NaN: no value.
    fn density<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        if slf.get().heat.values.is_none() {
            return Err(PyValueError::new_err("the classic blend has no density; use indices() or rgba()"));
        }
        Pixels::array(slf, Content::Density)
    }

    /// The palette indices as a read-only array of uint8 of NumPy, with the northernmost row first.
    fn indices<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Pixels::array(slf, Content::Indices)
    }

    /// Red, green, blue and straight alpha as an array of uint8 of NumPy, height × width × 4.
    fn rgba<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (width, height) = self.size();
        let flat = numpy(py)?.call_method1("frombuffer", (self.rgba_bytes(py)?, "uint8"))?;
        flat.call_method1("reshape", (height, width, 4))
    }

    #[pyo3(signature = (dtype=None, copy=None))]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(PyValueError::new_err("the colors of an image are computed, so they need a copy"));
        }
        let rgba = self.rgba(py)?;
        match dtype {
            Some(dtype) => rgba.call_method1("astype", (dtype,)),
            None => Ok(rgba),
        }
    }

    /// The picture as an image of Pillow.
    fn to_pil<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bytes = self.rgba_bytes(py)?;
        let image = py.import("PIL.Image")?;
        image.call_method1("frombuffer", ("RGBA", self.size(), bytes, "raw", "RGBA", 0, 1))
    }

    /// The legend as PNG.
    #[pyo3(signature = (title=None, *, pixel_ratio=1.0))]
    fn legend(&self, py: Python<'_>, title: Option<&str>, pixel_ratio: f32) -> PyResult<Png> {
        let span = self.heat.values.as_ref().map(|values| (values.span, &values.quantizer));
        let title = title.unwrap_or(&self.title);
        let bytes = py.detach(|| draw_legend(&self.style, span, &self.unit, title, pixel_ratio)).map_err(exception)?;
        Ok(Png { bytes })
    }

    /// The value of the pixel at a position, in `unit`; `None` outside of the picture or without a value.
    fn value(&self, lon: f64, lat: f64) -> PyResult<Option<f32>> {
        let Some(values) = &self.heat.values else {
            return Err(PyValueError::new_err("the classic blend has no values"));
        };
        let (lon, lat) = ([lon], [lat]);
        let points = Points::new(&lon, &lat).map_err(exception)?;
        let (width, height) = self.size();
        let mut found = None;
        self.heat.canvas.for_each_position(points, 0, |column, row| {
            if (0.0..width as f64).contains(&column) && (0.0..height as f64).contains(&row) {
                found = values.density.row(row as usize).get(column as usize).copied();
            }
        });
        Ok(found.filter(|value| !value.is_nan()))
    }

    /// West, south, east and north of the picture, in degrees or plane units.
    #[getter]
    fn bounds(&self) -> (f64, f64, f64, f64) {
        let bounds = self.heat.canvas.bounds();
        (bounds.west, bounds.south, bounds.east, bounds.north)
    }

    /// The corners for an image overlay of Leaflet: ((south, west), (north, east)).
    #[getter]
    fn corners(&self) -> ((f64, f64), (f64, f64)) {
        let bounds = self.heat.canvas.bounds();
        ((bounds.south, bounds.west), (bounds.north, bounds.east))
    }

    /// `mercator`, `platecarree` or `plane`.
    #[getter]
    fn projection(&self) -> String {
        self.heat.canvas.projection().to_string()
    }

    /// Width in pixels.
    #[getter]
    fn width(&self) -> usize {
        self.size().0
    }

    /// Height in pixels.
    #[getter]
    fn height(&self) -> usize {
        self.size().1
    }

    /// The unit of the values, such as `points per km²`.
    #[getter]
    fn unit(&self) -> &str {
        &self.unit
    }

    /// The values of the coldest and the hottest color; `None` for the classic blend, whose colors are absolute.
    #[getter]
    fn span(&self) -> Option<(f64, f64)> {
        self.heat.values.as_ref().map(|values| (values.span.vmin, values.span.vmax))
    }

    /// What became of the rows: `read`, `drawn`, `outside`, `filtered` and `rejected`.
    #[getter]
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (heat, report) = (&self.heat, PyDict::new(py));
        let counts = [
            ("read", heat.report.read),
            ("drawn", heat.drawn),
            ("outside", heat.outside),
            ("filtered", heat.report.filtered),
            ("rejected", heat.report.rejected),
        ];
        counts.into_iter().try_for_each(|(name, count)| report.set_item(name, count))?;
        Ok(report)
    }

    /// Remarks on the points, such as the weight column that was found, or rows that were rejected.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.remarks.all.clone()
    }

    /// Remarks on values that were dropped or changed, of which `render` warns.
    #[getter]
    fn losses(&self) -> Vec<String> {
        self.remarks.losses.clone()
    }

    fn __repr__(&self) -> String {
        let (width, height) = self.size();
        format!("<kiln.Image {width}x{height} of {}, {}>", self.heat.canvas.bounds(), self.unit)
    }
}

impl Image {
    fn rgba_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyByteArray>> {
        let (colors, indices) = (self.heat.palette.colors(), self.index_cells());
        PyByteArray::new_with(py, indices.len() * 4, |bytes| {
            for (pixel, index) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(indices) {
                *pixel = colors[usize::from(*index)];
            }
            Ok(())
        })
    }
}

impl Png {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

#[pymethods]
impl Png {
    /// The bytes of the file.
    fn png<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn _repr_png_<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        self.png(py)
    }

    /// Writes the file.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        write(&path, &self.bytes)
    }
}
