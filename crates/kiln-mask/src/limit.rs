//! Limits of readers, and errors that name the limit that was exceeded.

use std::fmt;

use kiln_core::error::Error;

/// A limit of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The bytes of a file, or of what it unpacks to.
    Bytes,
    /// The cells of a mask.
    Cells,
    /// The pixels of a background.
    Pixels,
    /// The labels or the images of annotations.
    Labels,
    /// The vertices of all labels.
    Vertices,
    /// The steps of drawing labels.
    Steps,
}

/// A file that cannot be read: which, why, and the limit that it exceeds, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    input: String,
    reason: Reason,
}

impl ReadError {
    /// The error of a file that is invalid. `input` is its name; the message has the reason and what would be accepted.
    pub fn new(input: &str, message: impl Into<String>) -> Self {
        Self::with_reason(input, message.into().into())
    }

    pub(crate) fn with_reason(input: &str, reason: Reason) -> Self {
        Self { input: input.to_owned(), reason }
    }

    /// The name of the file, as the caller gave it.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// The reason, and what would be accepted, without the name of the file.
    pub fn message(&self) -> &str {
        &self.reason.message
    }

    /// The limit that is exceeded; `None` if the file is invalid in another way.
    pub fn limit(&self) -> Option<Limit> {
        self.reason.limit
    }

    /// The error as [`Error::Input`].
    pub fn into_error(self) -> Error {
        Error::input(self.input, self.reason.message)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.reason.message)
    }
}

impl std::error::Error for ReadError {}

/// Why a file cannot be read, before its name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) message: String,
    pub(crate) limit: Option<Limit>,
}

impl Reason {
    /// A limit that is exceeded.
    pub(crate) fn limit(limit: Limit, message: String) -> Self {
        Self { message, limit: Some(limit) }
    }

    /// The reason with another message.
    pub(crate) fn map(self, message: impl FnOnce(String) -> String) -> Self {
        Self { message: message(self.message), ..self }
    }
}

impl From<String> for Reason {
    fn from(message: String) -> Self {
        Self { message, limit: None }
    }
}

impl From<&str> for Reason {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}
