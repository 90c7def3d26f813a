//! Why a file cannot be read.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_schema::ArrowError;

use crate::source::read_error;
use kiln_core::error::Error;

/// Why a file cannot be read.
#[derive(Debug)]
pub(super) enum Flaw {
    Io(io::Error),
    /// What is wrong with its content.
    Damaged(String),
}

/// A flaw of the content.
pub(super) fn damaged(reason: impl Into<String>) -> Flaw {
    Flaw::Damaged(reason.into())
}

impl Flaw {
    /// The error for the input called `name`.
    pub(super) fn of(self, name: &str) -> Error {
        match self {
            Self::Io(error) => read_error(name, error),
            Self::Damaged(reason) => Error::input(name, format!("not a whole Arrow file: {reason}")),
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArrowError> for Flaw {
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

/// What the Arrow library makes of `read`. It panics on some damaged files; as it is not used again after that, this is
/// one more reason why the file cannot be read.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, Flaw>) -> Result<T, Flaw> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(damaged("its bytes contradict each other")))
}
