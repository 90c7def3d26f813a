//! Classification of database errors.

use tokio_postgres::error::SqlState;

use kiln_core::error::{DatabaseErrorKind, Error};
use kiln_core::parameter::Parameter;

/// Converts an error of the database called `name` in messages.
pub(super) fn to_error(name: &str, error: &tokio_postgres::Error) -> Error {
    let Some(db) = error.as_db_error() else {
        let mut message = error.to_string();
        if let Some(source) = std::error::Error::source(error) {
            message = format!("{message}: {source}");
        }
        // A decoding error does not mean that the connection is broken.
        let is_decoding = message.contains("deserializing") || message.contains("serializing parameter");
        let fault = if is_decoding { DatabaseErrorKind::Other } else { DatabaseErrorKind::Unreachable };
        return Error::database(name, fault, message);
    };
    let code = db.code();
    if code == &SqlState::INVALID_PARAMETER_VALUE && db.message().starts_with("time zone") {
        return Error::invalid(Parameter::TZ, format!("the database does not know it: {}", db.message()));
    }
    let fault = match code {
        &SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE => DatabaseErrorKind::Timeout,
        &SqlState::ADMIN_SHUTDOWN
        | &SqlState::CRASH_SHUTDOWN
        | &SqlState::CANNOT_CONNECT_NOW
        | &SqlState::TOO_MANY_CONNECTIONS => DatabaseErrorKind::Unreachable,
        &SqlState::INVALID_PASSWORD
        | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | &SqlState::INSUFFICIENT_PRIVILEGE
        | &SqlState::INVALID_CATALOG_NAME => DatabaseErrorKind::AccessDenied,
        &SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME => DatabaseErrorKind::Missing,
        &SqlState::UNDEFINED_COLUMN => DatabaseErrorKind::MissingColumn,
        // The class of data exceptions.
        code if code.code().starts_with("22") => DatabaseErrorKind::InvalidData,
        code if code.code().starts_with("08") => DatabaseErrorKind::Unreachable,
        _ => DatabaseErrorKind::Other,
    };
    Error::database(name, fault, db.message())
}
