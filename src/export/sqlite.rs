//! `SQLite` files, and the conversion of their errors to [`Error`].

use std::io;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::error::Error;

/// An error of `SQLite` or of Kiln while an `SQLite` file is read or written.
#[derive(Debug)]
pub(super) enum Failure {
    Kiln(Error),
    Sqlite(rusqlite::Error),
    /// The contents of the file are inconsistent.
    Damaged,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Kiln(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Failure {
    /// Whether the cause is the contents of the file, rather than the disk or its permissions.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Kiln(_) => false,
            Self::Damaged => true,
            // Includes a missing table or column, and a value of the wrong type.
            Self::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::SystemIoFailure) => {
                    error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHORT_READ)
                }
                Some(
                    ErrorCode::DiskFull
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::OutOfMemory,
                ) => false,
                _ => true,
            },
        }
    }

    /// Converts to the public error, for the file at `path`.
    pub(super) fn into_error(self, path: &Path) -> Error {
        let source = match self {
            Self::Kiln(error) => return error,
            Self::Damaged => io::ErrorKind::InvalidData.into(),
            Self::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => full_disk(),
            Self::Sqlite(error) => io::Error::other(error),
        };
        Error::io(path, "write", source)
    }
}

/// The error of the operating system for a full disk, which `SQLite` does not return. With it, all files of an export
/// report a full disk with the same message.
fn full_disk() -> io::Error {
    /// The value on every Unix.
    #[cfg(unix)]
    const ENOSPC: i32 = 28;
    #[cfg(unix)]
    return io::Error::from_raw_os_error(ENOSPC);
    #[cfg(not(unix))]
    io::ErrorKind::StorageFull.into()
}

/// Opens or creates a file. `path` is not interpreted as a URI.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags)
}
