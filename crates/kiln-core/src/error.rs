//! The one error type of the library: what went wrong, where, and what to do about it.

use std::path::{Path, PathBuf};

use crate::parameter::{Message, Parameter};

/// The result of anything in Kiln that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
///
/// Every message is one line that names the parameter or the file at fault and says what would be accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is out of range, malformed or unknown: the caller asked for the wrong thing.
    #[error("{parameter}: {message}")]
    Invalid {
        /// Which parameter.
        parameter: Parameter,
        /// What is wrong with it and what would be accepted.
        message: Message,
    },
    /// The configuration says something that it cannot mean.
    #[error("{location}: {message}")]
    Config {
        /// Where it is said: a file with line and column, an environment variable, a flag, or a key such as `images.ttl`.
        location: String,
        /// What is wrong with it and what would be accepted.
        message: String,
    },
    /// An input could be opened, but it does not hold what it should.
    #[error("{}: {message}", .input.display())]
    Input {
        /// The file, or `-` for standard input.
        input: PathBuf,
        /// What is wrong with it (with the row, where one is at fault) and what to do.
        message: Message,
    },
    /// A request sends what it sends in a format that is not read.
    #[error("points cannot be read from {media_type:?}; expected {expected}")]
    MediaType {
        /// The media type as the request names it.
        media_type: String,
        /// The media types that are read.
        expected: String,
    },
    /// The operating system refused to read or write a file.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was attempted: `read`, `write`, `create`, …
        action: &'static str,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// A database does not answer as it should.
    #[error("{database}: {message}")]
    Database {
        /// Its address without the password.
        database: String,
        /// What kind of trouble it is.
        kind: DatabaseErrorKind,
        /// What it says, or what is missing.
        message: String,
    },
    /// The work was stopped by its caller.
    #[error("stopped")]
    Cancelled,
}

/// What kind of trouble there is with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// It cannot be reached, for now.
    Unreachable,
    /// A statement took longer than it may.
    Timeout,
    /// It lets us not in, or not at what is asked for.
    AccessDenied,
    /// A table or a column is not there any more.
    Missing,
    /// Anything else.
    Other,
}

impl Error {
    /// An [`Error::Database`] of the one called `database`.
    pub fn database(database: impl Into<String>, kind: DatabaseErrorKind, message: impl Into<String>) -> Self {
        Self::Database { database: database.into(), kind, message: message.into() }
    }

    /// An [`Error::Invalid`] for `parameter`.
    pub fn invalid(parameter: Parameter, message: impl Into<Message>) -> Self {
        Self::Invalid { parameter, message: message.into() }
    }

    /// An [`Error::Config`] for what is said at `place`.
    pub fn config(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { location: location.into(), message: message.into() }
    }

    /// An [`Error::Input`] for the file `input`.
    pub fn input(input: impl AsRef<Path>, message: impl Into<Message>) -> Self {
        Self::Input { input: input.as_ref().to_owned(), message: message.into() }
    }

    /// An [`Error::Io`] for `path` while doing `action`.
    pub fn io(path: impl AsRef<Path>, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), action, source }
    }

    /// The same error with the path of the file that was being written, where it has none yet.
    #[must_use]
    pub fn for_path(self, path: impl AsRef<Path>) -> Self {
        match self {
            Self::Io { path: unnamed, action, source } if unnamed.as_os_str().is_empty() => {
                Self::io(path, action, source)
            }
            other => other,
        }
    }

    /// An equal error, for another caller that waits for the same work.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Io { path, action, source } => {
                Self::io(path, action, std::io::Error::new(source.kind(), source.to_string()))
            }
            Self::Invalid { parameter, message } => Self::invalid(*parameter, message.clone()),
            Self::Input { input, message } => Self::input(input, message.clone()),
            Self::Config { location, message } => Self::config(location.clone(), message.clone()),
            Self::MediaType { media_type, expected } => {
                Self::MediaType { media_type: media_type.clone(), expected: expected.clone() }
            }
            Self::Database { database, kind, message } => Self::database(database, *kind, message),
            Self::Cancelled => Self::Cancelled,
        }
    }

    /// What is wrong, without the parameter or the input that is at fault.
    pub fn into_message(self) -> Message {
        match self {
            Self::Invalid { message, .. } | Self::Input { message, .. } => message,
            other => other.to_string().into(),
        }
    }

    /// Whether the caller asked for the wrong thing (exit code 2, HTTP 4xx), rather than the work having failed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::Config { .. } | Self::MediaType { .. })
    }
}
