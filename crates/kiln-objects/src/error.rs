//! Errors of objects.

use std::io;

use kiln_core::error::Error;

/// The result of an operation on an object.
pub type Result<T, E = ObjectError> = std::result::Result<T, E>;

/// The kind of an error of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectErrorKind {
    /// The object does not exist.
    NotFound,
    /// The bucket does not exist.
    NoBucket,
    /// The credentials are missing, wrong or expired, or lack a permission.
    Denied,
    /// The object has changed since its revision was read.
    Changed,
    /// A conditional write found another revision: the object exists, or was changed by another writer.
    Conflict,
    /// The server did not respond, or stopped within a response; a later attempt may succeed.
    Timeout,
    /// The server cannot be reached; a later attempt may succeed.
    Unreachable,
    /// The URL or the environment is invalid, or the operation is not supported by the kind of URL.
    Invalid,
    /// The operation was cancelled.
    Cancelled,
    /// Any other error, such as an internal error of the server.
    Other,
}

/// An error of an object: one sentence without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url}: {message}")]
pub struct ObjectError {
    url: String,
    kind: ObjectErrorKind,
    message: String,
}

impl ObjectError {
    /// An error of the object at `url`, a redacted URL.
    pub(crate) fn new(url: &(impl ToString + ?Sized), kind: ObjectErrorKind, message: impl Into<String>) -> Self {
        Self { url: url.to_string(), kind, message: message.into() }
    }

    /// The kind of the error.
    pub fn kind(&self) -> ObjectErrorKind {
        self.kind
    }

    /// The URL of the object or bucket, without credentials and query.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The message without the URL.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Whether a later attempt may succeed without a change of the configuration.
    pub fn is_temporary(&self) -> bool {
        matches!(self.kind, ObjectErrorKind::Timeout | ObjectErrorKind::Unreachable)
    }

    /// The error of a reader, without the URL, which the caller of a reader adds.
    pub fn into_io(self) -> io::Error {
        let kind = match self.kind {
            ObjectErrorKind::NotFound | ObjectErrorKind::NoBucket => io::ErrorKind::NotFound,
            ObjectErrorKind::Denied => io::ErrorKind::PermissionDenied,
            ObjectErrorKind::Timeout => io::ErrorKind::TimedOut,
            ObjectErrorKind::Unreachable => io::ErrorKind::NotConnected,
            // `Interrupted` would be repeated by the standard library.
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self.message)
    }

    /// The error of an input. It is no conversion by `?`, which would leave the types of errors of other crates ambiguous.
    pub fn into_error(self) -> Error {
        match self.kind {
            ObjectErrorKind::Cancelled => Error::Cancelled,
            // With the kind of the error, by which callers know that a later attempt may succeed.
            ObjectErrorKind::Timeout | ObjectErrorKind::Unreachable => {
                let url = self.url.clone();
                Error::io(url, "read", self.into_io())
            }
            _ => Error::input(self.url, self.message),
        }
    }
}

/// The message of the innermost cause, which names no URL.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_url_once() {
        let error = ObjectError::new("s3://maps/a.csv", ObjectErrorKind::NotFound, "the object does not exist");
        assert_eq!(error.to_string(), "s3://maps/a.csv: the object does not exist");
        assert_eq!(error.clone().into_error().to_string(), error.to_string());
        let read = Error::io(error.url(), "read", error.clone().into_io()).to_string();
        assert_eq!(read, "s3://maps/a.csv: cannot read: the object does not exist");
    }
}
