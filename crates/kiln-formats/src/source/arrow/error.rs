//! The error type of the reader.

use std::io;

use arrow_schema::ArrowError;

use crate::source::read_error;
use kiln_core::error::Error;
use kiln_core::unwind::quietly;

/// An error of reading a file.
#[derive(Debug)]
pub(super) enum ArrowReadError {
    Io(io::Error),
    /// The file is damaged, for this reason.
    Damaged(String),
}

/// The error of a damaged file.
pub(super) fn damaged(reason: impl Into<String>) -> ArrowReadError {
    ArrowReadError::Damaged(reason.into())
}

impl ArrowReadError {
    /// Converts to the error for the input called `name`.
    pub(super) fn for_input(self, name: &str) -> Error {
        match self {
            Self::Io(error) => read_error(name, error),
            Self::Damaged(reason) => Error::input(name, format!("not a complete Arrow file: {reason}")),
        }
    }
}

impl From<io::Error> for ArrowReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for ArrowReadError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::ParseError(reason)
            | ArrowError::IpcError(reason)
            | ArrowError::SchemaError(reason)
            | ArrowError::InvalidArgumentError(reason) => Self::Damaged(reason),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// Calls the Arrow library and turns its panics on some damaged files into errors. The library's state is not used
/// after a panic.
pub(super) fn catch_panic<T>(read: impl FnOnce() -> Result<T, ArrowReadError>) -> Result<T, ArrowReadError> {
    quietly(read).unwrap_or_else(|_| Err(damaged("its contents are inconsistent")))
}
