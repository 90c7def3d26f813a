//! The module `kiln._kiln` of the Python package `kiln`.
//!
//! It has the parts that compute: `Source`, points from arrays, tables and files;
//! `render` and `Layer`, which return an `Image`; and the command line.
//! `python/kiln` has the rest: conversions of arguments, widgets, and the interfaces of other libraries.

#![allow(clippy::needless_pass_by_value, reason = "arguments from Python are values")]

mod arrays;
mod bins;
mod classic;
mod error;
mod image;
mod keywords;
mod layer;
mod mask;
mod pixels;
mod remarks;
mod render;
mod server;
mod source;
mod table;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command line with the arguments after the name of the program, and returns the exit code.
#[pyfunction]
fn run_command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let program = OsString::from("kiln");
    py.detach(|| kiln::cli::run_with(std::iter::once(program).chain(arguments)))
}

/// The computations of the package kiln.
#[pymodule]
fn _kiln(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<image::Image>()?;
    module.add_class::<image::Png>()?;
    module.add_class::<layer::Layer>()?;
    module.add_class::<server::Server>()?;
    module.add_class::<source::Source>()?;
    module.add_function(wrap_pyfunction!(run_command, module)?)?;
    module.add_function(wrap_pyfunction!(render::render, module)?)?;
    module.add_function(wrap_pyfunction!(server::serve, module)?)?;
    module.add_function(wrap_pyfunction!(classic::classic, module)?)?;
    module.add_function(wrap_pyfunction!(bins::bins, module)?)?;
    module.add_function(wrap_pyfunction!(mask::render_mask, module)?)?;
    module.add_function(wrap_pyfunction!(mask::count_labels, module)?)?;
    module.add_function(wrap_pyfunction!(mask::background_png, module)?)?;
    module.add_function(wrap_pyfunction!(mask::rgb_png, module)?)?;
    module.add_function(wrap_pyfunction!(keywords::keywords, module)?)?;
    module.add_function(wrap_pyfunction!(keywords::schemes, module)?)?;
    module.add_function(wrap_pyfunction!(keywords::css_color, module)?)?;
    Ok(())
}
