//! Errors of Kiln as exceptions.

use kiln::Error;
use pyo3::exceptions::{PyKeyboardInterrupt, PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::remarks::keyword;

/// The exception of an error: `ValueError` for invalid parameters and inputs, `OSError` with its number for files, such as
/// `FileNotFoundError`, and `RuntimeError` for others. Parameters are named as keywords.
pub(crate) fn exception(error: Error) -> PyErr {
    match error {
        Error::Invalid { parameter, message } => {
            PyValueError::new_err(format!("{}: {}", keyword(parameter), message.spelled(keyword)))
        }
        Error::Input { input, message } => {
            PyValueError::new_err(format!("{}: {}", kiln::error::printed(&input), message.spelled(keyword)))
        }
        Error::Config { .. } | Error::MediaType { .. } => PyValueError::new_err(error.to_string()),
        Error::Io { path, action, source } => {
            let path = kiln::error::printed(&path);
            match source.raw_os_error() {
                // With a number, the class is the one of the number.
                Some(number) => {
                    let reason = source.to_string();
                    let reason = reason.split(" (os error").next().unwrap_or_default().to_owned();
                    PyOSError::new_err((number, format!("cannot {action}: {reason}"), path))
                }
                None => PyOSError::new_err(format!("{path}: cannot {action}: {source}")),
            }
        }
        Error::Cancelled => PyKeyboardInterrupt::new_err("cancelled"),
        other => PyRuntimeError::new_err(other.to_string()),
    }
}
