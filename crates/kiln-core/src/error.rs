//! The error type of the library: what is wrong, where, and what would be accepted.

use std::path::{Path, PathBuf};

use crate::parameter::{Message, Parameter};
use crate::redact::{without_folders, without_password, without_passwords};

/// The result of a fallible operation of Kiln.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of the library.
///
/// Every message is one line that names the invalid parameter or file and what would be accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is out of range, malformed or unknown.
    #[error("{parameter}: {message}")]
    Invalid {
        /// The parameter.
        parameter: Parameter,
        /// What is wrong with it and what would be accepted.
        message: Message,
    },
    /// The configuration is invalid.
    #[error("{location}: {message}")]
    Config {
        /// The location of the invalid value: a file with line and column, an environment variable, a flag, or a key
        /// such as `images.ttl`.
        location: String,
        /// What is wrong with it and what would be accepted.
        message: String,
    },
    /// An input could be opened, but its content is invalid.
    #[error("{}: {message}", printed(.input))]
    Input {
        /// The file, or `-` for standard input.
        input: PathBuf,
        /// What is wrong with it (with the number of the invalid row, if there is one) and what would be accepted.
        message: Message,
    },
    /// The media type of a request body is not supported.
    #[error("points cannot be read from {media_type:?}; expected {expected}")]
    MediaType {
        /// The media type that the request names.
        media_type: String,
        /// The supported media types.
        expected: String,
    },
    /// The operating system failed to read or write a file.
    #[error("{}: cannot {action}: {source}", printed(.path))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The verb of the failed operation: `read`, `write`, `create`, …
        action: &'static str,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A part of a stored file is damaged. Found by a read, whose result would be incomplete; later reads exclude it.
    #[error("{}: it is damaged: {reason}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The kind of damage.
        reason: String,
    },
    /// The manifest of a stored layer is damaged, so that none of its points can be read.
    #[error("{}: it is damaged: {reason}; {}", .file.display(), manifest_hint(.layer))]
    DamagedManifest {
        /// The manifest.
        file: PathBuf,
        /// The name of the layer.
        layer: String,
        /// The kind of damage.
        reason: String,
    },
    /// A query of a database failed.
    #[error("{database}: {message}")]
    Database {
        /// The address of the database, without the password.
        database: String,
        /// The kind of error.
        kind: DatabaseErrorKind,
        /// The message of the database, or what is missing.
        message: String,
    },
    /// The caller cancelled the operation.
    #[error("cancelled")]
    Cancelled,
}

/// The kind of a database error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// The database cannot be reached; a later attempt may succeed.
    Unreachable,
    /// A statement exceeded its timeout.
    Timeout,
    /// Access denied, or missing privileges on the table.
    AccessDenied,
    /// A table no longer exists.
    Missing,
    /// A column of a table no longer exists.
    MissingColumn,
    /// A table cannot be a layer, or no longer: it has no points, or not in one coordinate reference system.
    Unsuitable,
    /// A value in a row is out of range or otherwise invalid.
    InvalidData,
    /// Any other error.
    Other,
}

/// The text of a path. It may be a misspelled URL with a password.
pub fn printed(path: &Path) -> String {
    without_password(&path.display().to_string()).into_owned()
}

/// The ways to repair a layer with a damaged manifest.
fn manifest_hint(layer: &str) -> String {
    format!(
        "restore the files of the layer from a backup, or remove it with `kiln drop {layer} --yes` and import its points \
         again"
    )
}

impl Error {
    /// An [`Error::Database`] for the database at the address `database`.
    pub fn database(database: impl Into<String>, kind: DatabaseErrorKind, message: impl Into<String>) -> Self {
        Self::Database { database: database.into(), kind, message: message.into() }
    }

    /// An [`Error::Invalid`] for `parameter`.
    pub fn invalid(parameter: Parameter, message: impl Into<Message>) -> Self {
        Self::Invalid { parameter, message: message.into() }
    }

    /// An [`Error::Config`] for the value at `location`.
    pub fn config(location: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Config { location: location.into(), message: message.into() }
    }

    /// An [`Error::Input`] for the file `input`.
    pub fn input(input: impl AsRef<Path>, message: impl Into<Message>) -> Self {
        Self::Input { input: input.as_ref().to_owned(), message: message.into() }
    }

    /// An [`Error::Damaged`] for `file`.
    pub fn damaged(file: impl AsRef<Path>, reason: impl Into<String>) -> Self {
        Self::Damaged { file: file.as_ref().to_owned(), reason: reason.into() }
    }

    /// An [`Error::Io`] for `path` while doing `action`.
    pub fn io(path: impl AsRef<Path>, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), action, source }
    }

    /// The message without passwords and the folders of files, for clients of a server.
    pub fn without_folders(&self) -> String {
        // A database table is an input, too.
        let is_url = |path: &Path| path.to_string_lossy().contains("://");
        let name = |path: &PathBuf| path.file_name().filter(|_| !is_url(path)).map_or(path.clone(), PathBuf::from);
        let error = match self.duplicate() {
            Self::Io { path, action, source } => Self::Io { path: name(&path), action, source },
            Self::Input { input, message } => Self::Input { input: name(&input), message },
            other => other,
        };
        without_folders(&without_passwords(&error.to_string()))
    }

    /// Sets the path of an [`Error::Io`] that has none.
    #[must_use]
    pub fn for_path(self, path: impl AsRef<Path>) -> Self {
        match self {
            Self::Io { path: missing, action, source } if missing.as_os_str().is_empty() => {
                Self::io(path, action, source)
            }
            other => other,
        }
    }

    /// A copy of the error, for another caller that waits for the same result.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Io { path, action, source } => {
                Self::io(path, action, std::io::Error::new(source.kind(), source.to_string()))
            }
            Self::Invalid { parameter, message } => Self::invalid(*parameter, message.clone()),
            Self::Input { input, message } => Self::input(input, message.clone()),
            Self::Damaged { file, reason } => Self::damaged(file, reason.clone()),
            Self::DamagedManifest { file, layer, reason } => {
                Self::DamagedManifest { file: file.clone(), layer: layer.clone(), reason: reason.clone() }
            }
            Self::Config { location, message } => Self::config(location.clone(), message.clone()),
            Self::MediaType { media_type, expected } => {
                Self::MediaType { media_type: media_type.clone(), expected: expected.clone() }
            }
            Self::Database { database, kind, message } => Self::database(database, *kind, message),
            Self::Cancelled => Self::Cancelled,
        }
    }

    /// The message without the name of the parameter or input.
    pub fn into_message(self) -> Message {
        match self {
            Self::Invalid { message, .. } | Self::Input { message, .. } => message,
            other => other.to_string().into(),
        }
    }

    /// Whether the error is invalid usage (exit code 2, HTTP 4xx) rather than a failure.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::Config { .. } | Self::MediaType { .. })
    }
}
