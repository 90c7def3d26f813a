//! What went wrong, as RFC 9457 problem details.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{DatabaseErrorKind, Error};
use crate::parameter::Parameter;

/// A result whose error is the response.
pub(crate) type Answer<T> = Result<T, Box<Problem>>;

/// An error as RFC 9457 tells it, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is; stable, for programs.
    #[serde(rename = "type")]
    #[schema(example = "urn:kiln:invalid-parameter")]
    kind: String,
    /// The phrase of the HTTP status.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong this time, and what would be accepted.
    #[schema(example = "radius: `wide` is not a size such as 25, 25px, 500m or 10km")]
    detail: String,
    /// The parameter at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What the log calls the request; told where the log has more to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// For the log alone.
    #[serde(skip)]
    pub(crate) cause: Option<String>,
    /// Seconds after which it makes sense to ask again.
    #[serde(skip)]
    retry_after_s: Option<u32>,
    /// What the client is to show of itself, as `WWW-Authenticate` says it.
    #[serde(skip)]
    challenge: Option<&'static str>,
    /// How long it may be kept, as `Cache-Control` says it; `None`: not at all.
    #[serde(skip)]
    cache_control: Option<String>,
}

/// What kinds of problems there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BadRequest,
    Busy,
    Conflict,
    DatabaseTimeout,
    DatabaseUnavailable,
    DiskFull,
    Forbidden,
    IdempotencyKeyUsed,
    Internal,
    InvalidBody,
    InvalidParameter,
    MethodNotAllowed,
    NotFound,
    Timeout,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
}

impl Kind {
    /// What its `type` ends in, its status, and after how many seconds it makes sense to retry.
    fn properties(self) -> (&'static str, StatusCode, Option<u32>) {
        use StatusCode as Status;
        match self {
            Self::BadRequest => ("bad-request", Status::BAD_REQUEST, None),
            Self::Busy => ("busy", Status::SERVICE_UNAVAILABLE, Some(1)),
            Self::Conflict => ("conflict", Status::CONFLICT, None),
            Self::DatabaseTimeout => ("timeout", Status::SERVICE_UNAVAILABLE, Some(2)),
            Self::DatabaseUnavailable => ("database-unavailable", Status::SERVICE_UNAVAILABLE, Some(2)),
            Self::DiskFull => ("disk-full", Status::INSUFFICIENT_STORAGE, None),
            Self::Forbidden => ("forbidden", Status::FORBIDDEN, None),
            Self::IdempotencyKeyUsed => ("idempotency-key-used", Status::UNPROCESSABLE_ENTITY, None),
            Self::Internal => ("internal", Status::INTERNAL_SERVER_ERROR, None),
            Self::InvalidBody => ("invalid-body", Status::BAD_REQUEST, None),
            Self::InvalidParameter => ("invalid-parameter", Status::BAD_REQUEST, None),
            Self::MethodNotAllowed => ("method-not-allowed", Status::METHOD_NOT_ALLOWED, None),
            Self::NotFound => ("not-found", Status::NOT_FOUND, None),
            Self::Timeout => ("timeout", Status::SERVICE_UNAVAILABLE, Some(5)),
            Self::TooLarge => ("too-large", Status::PAYLOAD_TOO_LARGE, None),
            Self::Unauthorized => ("unauthorized", Status::UNAUTHORIZED, None),
            Self::UnsupportedMediaType => ("unsupported-media-type", Status::UNSUPPORTED_MEDIA_TYPE, None),
        }
    }
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>) -> Box<Self> {
        let (kind, status, retry_after_s) = kind.properties();
        Self::with_status(kind, status, detail, retry_after_s)
    }

    fn with_status(kind: &str, status: StatusCode, detail: impl Into<String>, retry_after_s: Option<u32>) -> Box<Self> {
        Box::new(Self {
            kind: format!("urn:kiln:{kind}"),
            title: status.canonical_reason().unwrap_or("Unknown"),
            status: status.as_u16(),
            detail: detail.into(),
            parameter: None,
            request_id: None,
            cause: None,
            retry_after_s,
            challenge: None,
            cache_control: None,
        })
    }

    /// The same problem, which may be kept as `cache_control` says: it is not one of the moment.
    pub(crate) fn kept(mut self: Box<Self>, cache_control: &str) -> Box<Self> {
        self.cache_control = Some(cache_control.to_owned());
        self
    }

    /// A parameter is malformed, out of range or unknown.
    pub(crate) fn parameter(name: &str, why: impl Into<String>) -> Box<Self> {
        // A name that somebody made up may be of any length.
        const MAX_CHARS: usize = 64;
        let name: &str = name.char_indices().nth(MAX_CHARS).map_or(name, |(end, _)| &name[..end]);
        let detail = format!("{name}: {}", why.into());
        let mut problem = Self::new(Kind::InvalidParameter, detail);
        problem.parameter = Some(name.to_owned());
        problem
    }

    /// The body of the request cannot be understood.
    pub(crate) fn body(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::InvalidBody, why)
    }

    /// The body is of a type that is not read.
    pub(crate) fn media_type(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::UnsupportedMediaType, why)
    }

    /// The body, or the picture that it asks for, is beyond a limit of the config.
    pub(crate) fn too_large(limit: &str, why: impl Into<String>) -> Box<Self> {
        let detail = format!("{limit}: {}", why.into());
        let mut problem = Self::new(Kind::TooLarge, detail);
        problem.parameter = Some(limit.to_owned());
        problem
    }

    /// There is nothing of that name.
    pub(crate) fn not_found(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::NotFound, why)
    }

    /// Whoever writes has to show the token, and `challenge` says how.
    pub(crate) fn unauthorized(challenge: &'static str, why: impl Into<String>) -> Box<Self> {
        let mut problem = Self::new(Kind::Unauthorized, why);
        problem.challenge = Some(challenge);
        problem
    }

    /// The server lets nobody do that.
    pub(crate) fn forbidden(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Forbidden, why)
    }

    /// The layer cannot be changed as it is.
    pub(crate) fn conflict(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Conflict, why)
    }

    /// A key of a request that was used for another one.
    pub(crate) fn key_used() -> Box<Self> {
        let why =
            "the Idempotency-Key was used for other points or parameters already; give each request a key of its own";
        Self::new(Kind::IdempotencyKeyUsed, why)
    }

    /// The address is answered, but not this method.
    pub(crate) fn method() -> Box<Self> {
        let why = "this address does not answer that method; the Allow header lists those that it does";
        Self::new(Kind::MethodNotAllowed, why)
    }

    /// There is too much to do.
    pub(crate) fn busy(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Busy, why)
    }

    /// The request took too long.
    pub(crate) fn timeout(why: impl Into<String>) -> Box<Self> {
        Self::new(Kind::Timeout, why)
    }

    /// The work failed for a reason that the client cannot mend and need not know.
    pub(crate) fn internal(cause: impl Into<String>) -> Box<Self> {
        let why = "the work failed; the server's log says why, under the request's id";
        let mut problem = Self::new(Kind::Internal, why);
        problem.cause = Some(cause.into());
        problem
    }

    /// The problem of an answer that another layer made, such as a body limit or a panic, told in our way.
    pub(crate) fn of_status(status: StatusCode) -> Option<Box<Self>> {
        Some(match status {
            StatusCode::METHOD_NOT_ALLOWED => Self::method(),
            StatusCode::NOT_FOUND => Self::not_found("no such address"),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::too_large("limits.body", "the body is longer, packed or unpacked, than the server takes")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::media_type("the body's encoding is not read; send it as it is, or with gzip")
            }
            StatusCode::REQUEST_TIMEOUT => Self::timeout("the request did not arrive in time"),
            status if status.is_client_error() => {
                let (kind, ..) = Kind::BadRequest.properties();
                Self::with_status(kind, status, "the request is malformed", None)
            }
            status if status.is_server_error() => Self::internal(status.to_string()),
            _ => return None,
        })
    }

    /// What is wrong, and what would be accepted.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The answer, without what only the log may know.
    pub(crate) fn to_response(&self) -> Response<Body> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let kept = self.cache_control.as_deref().and_then(|kept| HeaderValue::from_str(kept).ok());
        headers.insert(header::CACHE_CONTROL, kept.unwrap_or(HeaderValue::from_static("no-store")));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl IntoResponse for Box<Problem> {
    fn into_response(self) -> Response<Body> {
        let mut response = self.to_response();
        // Whoever logs the request adds its id and takes the cause.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Box<Problem> {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let (kind, detail) = match &error {
            Error::Invalid { parameter: Parameter::IDEMPOTENCY_KEY, .. } => return Problem::key_used(),
            Error::Invalid { parameter, message } => return Problem::parameter(parameter.key(), message.with_keys()),
            Error::MediaType { .. } => return Problem::media_type(text),
            Error::Cancelled => return Problem::timeout("the work was stopped"),
            Error::Database { kind: DatabaseErrorKind::Unreachable, .. } => (
                Kind::DatabaseUnavailable,
                "the layer's points are in a database that cannot be reached; ask again in a moment",
            ),
            Error::Database { kind: DatabaseErrorKind::Timeout, .. } => (
                Kind::DatabaseTimeout,
                "the database took longer than postgis.timeout allows; ask for less ground, or for fewer points",
            ),
            Error::Database { kind: DatabaseErrorKind::Missing, .. } => {
                (Kind::NotFound, "the table behind the layer is not there any more")
            }
            Error::Io { source, .. } if is_full(source) => {
                (Kind::DiskFull, "there is no room left on the server's disk; nothing was written")
            }
            Error::Database { .. } | Error::Config { .. } | Error::Input { .. } | Error::Io { .. } => {
                return Problem::internal(text);
            }
        };
        // Paths, hosts and SQL are for the log alone.
        Box::new(Problem { cause: Some(text), ..*Problem::new(kind, detail) })
    }
}

/// Whether there is no room: on the disk, for the user, or for a file.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::message;

    #[test]
    fn errors_are_told_without_their_cause() {
        let secret = Error::io("/secret/place", "write", std::io::ErrorKind::PermissionDenied.into());
        let problem = Box::<Problem>::from(secret);
        let told = serde_json::to_string(&problem).unwrap();
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!told.contains("secret") && problem.cause.unwrap().contains("secret"), "{told}");
        let problem = Box::<Problem>::from(Error::invalid(
            Parameter::TRUE_SCALE,
            message!("not a latitude; give ", Parameter::DOT_SIZE),
        ));
        let told: serde_json::Value = serde_json::to_value(&problem).unwrap();
        assert_eq!((&told["parameter"], &told["status"]), (&"true_scale".into(), &400.into()));
        assert_eq!(told["title"], "Bad Request");
        assert_eq!(told["detail"], "true_scale: not a latitude; give dot_size");
        let full = Box::<Problem>::from(Error::io("imgs", "write", std::io::ErrorKind::StorageFull.into()));
        assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
    }
}
