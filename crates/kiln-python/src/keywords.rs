//! Keyword arguments, which are the parameters of the command line and the server.

use kiln::color::Scheme;
use kiln::geo::{Bounds, Projection};
use kiln::layer::{Blend, ColumnOptions, FilterOptions, Fit, InputOptions, SchemeFolders, Size, Style, StyleOptions};
use kiln::parameter::Parameter;
use kiln::parameters::{Declaration, ParameterSet};
use kiln::raster::Aggregation;
use kiln::source::CoordinateSpace;
use kiln_core::spelling::{did_you_mean, nearest};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyList, PyString, PyTuple};

use crate::error::exception;
use crate::remarks::keyword;

/// Keywords of a view, with their descriptions.
const VIEW: [(&str, &str); 5] = [
    ("bounds", "Bounds in degrees: (west, south, east, north), or `world`. Default: fitted to the points."),
    ("size", "Width and height in pixels, or the longer side. Default: 1024."),
    ("fit", "Without `bounds`: `padded` by the radius of the dots, or `tight`. Default: padded."),
    ("projection", "`mercator`, `platecarree` or `plane`. Default: mercator; plane for points on a plane."),
    ("threads", "Number of threads. Default: one per processor."),
];

/// Keyword arguments.
#[derive(Default)]
pub(crate) struct Keywords {
    pub(crate) style: StyleOptions,
    pub(crate) filter: FilterOptions,
    pub(crate) columns: ColumnOptions,
    pub(crate) input: InputOptions,
    pub(crate) bounds: Option<Bounds>,
    pub(crate) size: Option<Size>,
    pub(crate) fit: Option<Fit>,
    pub(crate) projection: Option<Projection>,
    threads: Option<usize>,
}

impl Keywords {
    /// Reads keyword arguments. `None` is the default of each.
    pub(crate) fn read(keywords: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut read = Self::default();
        for (name, value) in keywords {
            let name: String = name.extract()?;
            if !value.is_none() {
                read.set(&name, &value)?;
            }
        }
        read.filter.check().map_err(exception)?;
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // Texts with commas are names as well.
        if FilterOptions::declarations()
            .any(|it| it.is_list && it.parameter == Parameter::CATEGORY && is_named(it, name))
            && let Ok(names) = value.extract::<Vec<String>>()
            && !value.is_instance_of::<PyString>()
        {
            self.filter.categories = Some(names.into());
            return Ok(());
        }
        let text = text_of(value).ok_or_else(|| {
            let kind = value.get_type().name().map_or_else(|_| "value".to_owned(), |name| name.to_string());
            PyTypeError::new_err(format!(
                "{name}: a {kind} is not accepted; expected a text, a number or a list of them"
            ))
        })?;
        if self.set_view(name, &text).map_err(exception)? {
            return Ok(());
        }
        // The column of the category is named like its flag, since `category` is the filter.
        let column =
            if name == Parameter::CATEGORY_COLUMN.name() { Some(Parameter::CATEGORY_COLUMN.key()) } else { None };
        let is_set = match column {
            Some(column) => self.columns.set(column, &text),
            None => self.set_declared(name, &text),
        };
        if is_set.map_err(exception)? { Ok(()) } else { Err(unknown(name)) }
    }

    fn set_declared(&mut self, name: &str, text: &str) -> kiln::Result<bool> {
        Ok(self.style.set(name, text)?
            || self.filter.set(name, text)?
            || self.input.set(name, text)?
            || self.columns.set(name, text)?)
    }

    fn set_view(&mut self, name: &str, text: &str) -> kiln::Result<bool> {
        match name {
            "bounds" => self.bounds = Some(text.parse()?),
            // A list is written with commas.
            "size" => self.size = Some(text.replace(',', "x").parse()?),
            "fit" => self.fit = Some(text.parse()?),
            "projection" => self.projection = Some(text.parse()?),
            "threads" => {
                const THREADS: Parameter = Parameter::new("threads");
                let threads = text.parse().ok().filter(|threads| (1..=1024).contains(threads));
                let invalid =
                    || kiln::Error::invalid(THREADS, format!("`{text}` is not a whole number from 1 to 1024"));
                self.threads = Some(threads.ok_or_else(invalid)?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Rejects keywords of `groups`, which have no effect here.
    pub(crate) fn reject(&self, groups: &[Group], reason: &str) -> PyResult<()> {
        let given = groups.iter().find_map(|group| match group {
            Group::Rows => self.columns.first().or_else(|| self.input.first()).map(keyword),
            Group::View => {
                let view = [self.bounds.is_some(), self.size.is_some(), self.fit.is_some(), self.projection.is_some()];
                view.iter().position(|is_given| *is_given).map(|index| VIEW[index].0)
            }
        });
        given.map_or(Ok(()), |name| Err(PyTypeError::new_err(format!("{name}: {reason}"))))
    }

    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(kiln::available_threads)
    }

    /// The projection of points in `space`.
    pub(crate) fn projection(&self, space: CoordinateSpace) -> kiln::Result<Projection> {
        match (self.projection, space) {
            (Some(projection), CoordinateSpace::Plane) if projection.wraps() => {
                Err(kiln::Error::invalid(Parameter::PROJECTION, "the points are on a plane; use plane"))
            }
            (Some(projection), _) => Ok(projection),
            (None, CoordinateSpace::Plane) => Ok(Projection::Plane),
            (None, CoordinateSpace::Globe) => Ok(Projection::Mercator),
        }
    }
}

/// A group of keywords.
#[derive(Clone, Copy)]
pub(crate) enum Group {
    /// Columns and options of readers.
    Rows,
    /// Bounds, size and projection.
    View,
}

/// Resolves a style with the schemes in `./schemes` and `KILN_SCHEMES`.
pub(crate) fn resolve(options: &StyleOptions) -> kiln::Result<Style> {
    options.resolve(find_scheme)
}

/// A scheme by its name, of a file or built in.
pub(crate) fn find_scheme(name: &str) -> kiln::Result<Scheme> {
    SchemeFolders::open(&[])?.find(name)
}

/// Whether pictures of a style need weights.
pub(crate) fn needs_weights(style: &Style) -> bool {
    style.aggregation != Aggregation::Count && style.blend == Blend::Add
}

fn is_named(declaration: &Declaration, name: &str) -> bool {
    declaration.names().any(|known| known == name)
}

/// The text of a value: of a text, a number, a time, or a list of them.
fn text_of(value: &Bound<'_, PyAny>) -> Option<String> {
    if value.is_instance_of::<PyString>() {
        return value.extract().ok();
    }
    if value.is_instance_of::<PyBool>() {
        return value.extract::<bool>().ok().map(|is_set| is_set.to_string());
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        let parts: Option<Vec<String>> = value.try_iter().ok()?.map(|part| text_of(&part.ok()?)).collect();
        return parts.map(|parts| parts.join(","));
    }
    if let Ok(number) = value.extract::<i64>() {
        return Some(number.to_string());
    }
    if let Ok(number) = value.extract::<f64>() {
        return Some(number.to_string());
    }
    // A date or time.
    let text = value.call_method0("isoformat").and_then(|text| text.extract());
    text.or_else(|_| {
        let is_numpy = value.get_type().module()? == "numpy";
        if is_numpy { value.str()?.extract() } else { Err(PyValueError::new_err("no text")) }
    })
    .ok()
}

/// The declarations of all keywords but those of a view, with their names in Python.
fn declared() -> impl Iterator<Item = (&'static str, &'static Declaration)> {
    let named = |declaration: &'static Declaration| (keyword(declaration.parameter), declaration);
    let style = StyleOptions::declarations().chain(FilterOptions::declarations());
    let rows = ColumnOptions::declarations().chain(InputOptions::declarations());
    style.chain(rows).filter(|declaration| !declaration.is_deprecated).map(named)
}

/// The error for an unknown keyword.
fn unknown(name: &str) -> PyErr {
    let known: Vec<&str> = declared().map(|(name, _)| name).chain(VIEW.map(|(name, _)| name)).collect();
    let hint = did_you_mean(&nearest(name, known.iter().copied(), str::to_owned));
    let hint = if hint.is_empty() { "kiln.keywords() lists all".to_owned() } else { hint.trim_end().to_owned() };
    PyTypeError::new_err(format!("unknown keyword {name}: {hint}"))
}

/// The keywords of `render` and `Layer`: name and description.
#[pyfunction]
pub(crate) fn keywords() -> Vec<(String, String)> {
    let declared = declared().map(|(name, declaration)| (name.to_owned(), declaration.description()));
    declared.chain(VIEW.map(|(name, doc)| (name.to_owned(), doc.to_owned()))).collect()
}

/// The names of the color schemes: the built-in ones, and those of files in `./schemes` and `KILN_SCHEMES`.
#[pyfunction]
pub(crate) fn schemes() -> PyResult<Vec<String>> {
    let all = SchemeFolders::open(&[]).map_err(exception)?.all();
    all.into_iter().map(|scheme| scheme.map(|scheme| scheme.name().to_owned()).map_err(exception)).collect()
}

/// Red, green and blue of an opaque CSS color.
#[pyfunction]
pub(crate) fn css_color(color: &str) -> PyResult<(u8, u8, u8)> {
    let background: kiln::color::Background = color.parse().map_err(exception)?;
    let [red, green, blue, _] = background.composite([0; 4]);
    Ok((red, green, blue))
}
