//! Error responses as RFC 9457 problem details.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{DatabaseErrorKind, Error};
use crate::parameter::Parameter;
use crate::redact::without_passwords;

/// A result whose error is a problem response.
pub(crate) type HttpResult<T> = Result<T, Box<Problem>>;

/// An error as RFC 9457 problem details, `application/problem+json`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Problem type, a stable URN for programs.
    #[serde(rename = "type")]
    #[schema(example = "urn:kiln:invalid-parameter")]
    kind: String,
    /// HTTP status phrase.
    #[schema(example = "Bad Request")]
    title: &'static str,
    /// HTTP status code.
    #[schema(example = 400)]
    status: u16,
    /// Description of this error, and of the values that would be accepted.
    #[schema(example = "radius: `wide` is not a size such as 25, 25px, 500m or 10km")]
    detail: String,
    /// Name of the invalid parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Request id in the server's log; present if the log contains the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// The cause, for the log only.
    #[serde(skip)]
    pub(crate) cause: Option<String>,
    /// The value of `Retry-After` in seconds.
    #[serde(skip)]
    retry_after_s: Option<u32>,
    /// The value of `WWW-Authenticate`.
    #[serde(skip)]
    challenge: Option<&'static str>,
    /// The value of `Cache-Control`; `no-store` if `None`.
    #[serde(skip)]
    cache_control: Option<String>,
}

/// A problem type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProblemType {
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
    LayerDamaged,
    MethodNotAllowed,
    Misdirected,
    NotFound,
    PreconditionFailed,
    ReplicaCopying,
    SlowBody,
    StoreReadOnly,
    StoreUnavailable,
    Timeout,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    UnsupportedMediaType,
}

impl ProblemType {
    /// The last part of the URN, the status, and the value of `Retry-After` in seconds.
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
            Self::LayerDamaged => ("layer-damaged", Status::SERVICE_UNAVAILABLE, Some(1)),
            Self::MethodNotAllowed => ("method-not-allowed", Status::METHOD_NOT_ALLOWED, None),
            Self::Misdirected => ("misdirected-request", Status::MISDIRECTED_REQUEST, None),
            Self::NotFound => ("not-found", Status::NOT_FOUND, None),
            Self::PreconditionFailed => ("precondition-failed", Status::PRECONDITION_FAILED, None),
            Self::ReplicaCopying => ("replica-copying", Status::SERVICE_UNAVAILABLE, Some(5)),
            Self::SlowBody => ("slow-body", Status::REQUEST_TIMEOUT, None),
            Self::StoreReadOnly => ("store-read-only", Status::SERVICE_UNAVAILABLE, Some(30)),
            Self::StoreUnavailable => ("store-unavailable", Status::SERVICE_UNAVAILABLE, Some(5)),
            Self::Timeout => ("timeout", Status::SERVICE_UNAVAILABLE, Some(5)),
            Self::TooLarge => ("too-large", Status::PAYLOAD_TOO_LARGE, None),
            Self::TooManyRequests => ("too-many-requests", Status::TOO_MANY_REQUESTS, Some(1)),
            Self::Unauthorized => ("unauthorized", Status::UNAUTHORIZED, None),
            Self::UnsupportedMediaType => ("unsupported-media-type", Status::UNSUPPORTED_MEDIA_TYPE, None),
        }
    }
}

impl Problem {
    fn new(kind: ProblemType, detail: impl Into<String>) -> Box<Self> {
        let (kind, status, retry_after_s) = kind.properties();
        Self::with_status(kind, status, detail, retry_after_s)
    }

    fn with_status(kind: &str, status: StatusCode, detail: impl Into<String>, retry_after_s: Option<u32>) -> Box<Self> {
        Box::new(Self {
            kind: format!("urn:kiln:{kind}"),
            title: status.canonical_reason().unwrap_or("Unknown"),
            status: status.as_u16(),
            detail: without_passwords(&detail.into()).into_owned(),
            parameter: None,
            request_id: None,
            cause: None,
            retry_after_s,
            challenge: None,
            cache_control: None,
        })
    }

    /// Sets `Cache-Control`, for problems that are not transient.
    pub(crate) fn with_cache_control(mut self: Box<Self>, cache_control: &str) -> Box<Self> {
        self.cache_control = Some(cache_control.to_owned());
        self
    }

    /// An invalid, missing or unknown parameter.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Box<Self> {
        // An unknown name may be of any length.
        const MAX_CHARS: usize = 64;
        let name: &str = name.char_indices().nth(MAX_CHARS).map_or(name, |(end, _)| &name[..end]);
        let detail = format!("{name}: {}", detail.into());
        let mut problem = Self::new(ProblemType::InvalidParameter, detail);
        problem.parameter = Some(name.to_owned());
        problem
    }

    /// Damaged layers, of which points are left out.
    pub(crate) fn damaged(detail: impl Into<String>) -> Box<Self> {
        let mut problem = Self::new(ProblemType::LayerDamaged, detail);
        // Damaged files are not repaired by waiting.
        problem.retry_after_s = None;
        problem
    }

    /// An invalid request body.
    pub(crate) fn body(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::InvalidBody, detail)
    }

    /// An unsupported media type or content encoding.
    pub(crate) fn media_type(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::UnsupportedMediaType, detail)
    }

    /// A body or request that exceeds a limit of the config.
    pub(crate) fn too_large(limit: &str, detail: impl Into<String>) -> Box<Self> {
        let detail = format!("{limit}: {}", detail.into());
        let mut problem = Self::new(ProblemType::TooLarge, detail);
        problem.parameter = Some(limit.to_owned());
        problem
    }

    /// A malformed head of a request.
    pub(crate) fn bad_request(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::BadRequest, detail)
    }

    /// A request for another server.
    pub(crate) fn misdirected(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::Misdirected, detail)
    }

    /// A missing resource.
    pub(crate) fn not_found(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::NotFound, detail)
    }

    /// A missing or invalid token; `challenge` is the value of `WWW-Authenticate`.
    pub(crate) fn unauthorized(challenge: &'static str, detail: impl Into<String>) -> Box<Self> {
        let mut problem = Self::new(ProblemType::Unauthorized, detail);
        problem.challenge = Some(challenge);
        problem
    }

    /// A request that the server does not allow.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::Forbidden, detail)
    }

    /// A conflict with the current state of a layer or job.
    pub(crate) fn conflict(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::Conflict, detail)
    }

    /// A condition of the request's headers that the layer does not meet.
    pub(crate) fn precondition(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::PreconditionFailed, detail)
    }

    /// An `Idempotency-Key` that was used for another request.
    pub(crate) fn key_used() -> Box<Self> {
        let detail =
            "the Idempotency-Key was already used with other points or parameters; use a new key for each request";
        Self::new(ProblemType::IdempotencyKeyUsed, detail)
    }

    /// An unsupported method of an existing route.
    pub(crate) fn method() -> Box<Self> {
        let detail = "unsupported method; the Allow header lists the supported ones";
        Self::new(ProblemType::MethodNotAllowed, detail)
    }

    /// An overloaded or stopping server.
    pub(crate) fn busy(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::Busy, detail)
    }

    /// A client that has used its quota; `retry_after_s` is the value of `Retry-After`.
    pub(crate) fn too_many(retry_after_s: u32, detail: impl Into<String>) -> Box<Self> {
        let mut problem = Self::new(ProblemType::TooManyRequests, detail);
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    /// A body that arrives too slowly; the connection is closed.
    pub(crate) fn slow_body(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::SlowBody, detail)
    }

    /// A store whose folder is no longer the one that the server has claimed.
    pub(crate) fn store_replaced() -> Box<Self> {
        let detail = "the folder of the store was removed or replaced while the server ran; the next write uses the new one, \
                      unless another server does, or it is on another device";
        Self::new(ProblemType::StoreUnavailable, detail)
    }

    /// A replica that has not copied all layers yet.
    pub(crate) fn copying(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::ReplicaCopying, detail)
    }

    /// A timeout or a cancelled request.
    pub(crate) fn timeout(detail: impl Into<String>) -> Box<Self> {
        Self::new(ProblemType::Timeout, detail)
    }

    /// An internal error; its cause is logged and not sent to the client.
    pub(crate) fn internal(cause: impl Into<String>) -> Box<Self> {
        let detail = "internal error; the server's log has the cause under the request id";
        let mut problem = Self::new(ProblemType::Internal, detail);
        problem.cause = Some(cause.into());
        problem
    }

    /// The problem for an error response of a middleware, such as the body limit.
    pub(crate) fn of_status(status: StatusCode) -> Option<Box<Self>> {
        Some(match status {
            StatusCode::METHOD_NOT_ALLOWED => Self::method(),
            StatusCode::NOT_FOUND => Self::not_found("unknown path"),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::too_large("limits.body", "the body exceeds the limit, compressed or decompressed")
            }
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                Self::media_type("unsupported Content-Encoding; expected identity or gzip")
            }
            StatusCode::REQUEST_TIMEOUT => Self::timeout("the request was not received in time"),
            status if status.is_client_error() => {
                let (kind, ..) = ProblemType::BadRequest.properties();
                Self::with_status(kind, status, "the request is malformed", None)
            }
            status if status.is_server_error() => Self::internal(status.to_string()),
            _ => return None,
        })
    }

    /// The description of the error.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the response, without the cause.
    pub(crate) fn to_response(&self) -> Response<Body> {
        let body = serde_json::to_vec(self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let cache_control = self.cache_control.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
        headers.insert(header::CACHE_CONTROL, cache_control.unwrap_or(HeaderValue::from_static("no-store")));
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
        // The access middleware logs the cause and adds the request id.
        response.extensions_mut().insert(self);
        response
    }
}

/// What repairs a layer whose manifest is damaged.
pub(crate) fn manifest_remedy(layer: &str) -> String {
    format!(
        "restore the files of the layer from a backup, or remove it with `kiln drop {layer}` and import its points again"
    )
}

impl From<Error> for Box<Problem> {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let (kind, detail) = match &error {
            Error::Invalid { parameter: Parameter::IDEMPOTENCY_KEY, .. } => return Problem::key_used(),
            Error::Invalid { parameter, message } => return Problem::parameter(parameter.key(), message.with_keys()),
            Error::MediaType { .. } => return Problem::media_type(text),
            Error::Cancelled => return Problem::timeout("the request was cancelled"),
            Error::Database { kind: DatabaseErrorKind::Unreachable, .. } => {
                (ProblemType::DatabaseUnavailable, "the database of the layer is unavailable; retry later")
            }
            Error::Database { kind: DatabaseErrorKind::Timeout, .. } => (
                ProblemType::DatabaseTimeout,
                "the database query exceeded postgis.timeout; request smaller bounds or fewer points",
            ),
            Error::Database { kind: DatabaseErrorKind::Missing, .. } => {
                (ProblemType::NotFound, "the table of the layer no longer exists")
            }
            Error::Database { kind: DatabaseErrorKind::MissingColumn, .. } => {
                (ProblemType::NotFound, "a column of the layer's table no longer exists")
            }
            Error::Damaged { file, .. } if file.ends_with("rooms.geojson") => {
                let detail =
                    "the rooms of the layer are damaged; upload them again, or remove them by DELETE /{layer}/rooms";
                return Box::new(Problem { cause: Some(text), ..*Problem::damaged(detail) });
            }
            Error::Damaged { file, .. } if file.ends_with("floorplan") => {
                let detail = "the floor plan of the layer is damaged; upload it again, or remove it by DELETE /{layer}/floorplan";
                return Box::new(Problem { cause: Some(text), ..*Problem::damaged(detail) });
            }
            Error::Damaged { .. } => (
                ProblemType::LayerDamaged,
                "a segment of the layer is damaged; repeat the request: later responses leave the segment out",
            ),
            Error::DamagedManifest { layer, .. } => {
                let detail = format!(
                    "the manifest of the layer is damaged, so that none of its points can be read; {}",
                    manifest_remedy(layer)
                );
                return Box::new(Problem { cause: Some(text), ..*Problem::damaged(detail) });
            }
            Error::Database { kind: DatabaseErrorKind::Unsuitable, .. } => (
                ProblemType::NotFound,
                "the table of the layer has changed and cannot be drawn; the server's log has the reason",
            ),
            Error::Database { kind: DatabaseErrorKind::AccessDenied, .. } => {
                (ProblemType::DatabaseUnavailable, "the server has no access to the table of the layer")
            }
            Error::Database { kind: DatabaseErrorKind::InvalidData, .. } => (
                ProblemType::DatabaseUnavailable,
                "the table of the layer has values that cannot be read; the server's log has the reason",
            ),
            Error::Io { source, .. } if is_full(source) => {
                (ProblemType::DiskFull, "the server's disk is full; nothing was written")
            }
            Error::Io { source, action, .. } if is_read_only(source, action) => {
                (ProblemType::StoreReadOnly, "the server's disk is read-only, or access is denied; nothing was written")
            }
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::ResourceBusy => (
                ProblemType::StoreUnavailable,
                "the folder of the store was replaced: another server uses the new one, or its volume is not mounted; \
                 nothing was written",
            ),
            Error::Database { .. } | Error::Config { .. } | Error::Input { .. } | Error::Io { .. } => {
                return Problem::internal(text);
            }
        };
        // Paths, hosts and SQL are logged only.
        Box::new(Problem { cause: Some(text), ..*Problem::new(kind, detail) })
    }
}

/// Whether an error is a full disk, an exceeded quota, or an exceeded file size limit.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Whether an error of writing is that of a read-only filesystem, or of missing permissions. A file that cannot be read is
/// an error of the server.
fn is_read_only(error: &std::io::Error, action: &str) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        ReadOnlyFilesystem => true,
        PermissionDenied => !matches!(action, "read" | "map"),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::message;

    #[test]
    fn problems_do_not_contain_the_cause() {
        let secret = Error::io("/secret/place", "read", std::io::ErrorKind::PermissionDenied.into());
        let problem = Box::<Problem>::from(secret);
        let json = serde_json::to_string(&problem).unwrap();
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!json.contains("secret") && problem.cause.unwrap().contains("secret"), "{json}");
        let problem = Box::<Problem>::from(Error::invalid(
            Parameter::TRUE_SCALE,
            message!("not a latitude; give ", Parameter::DOT_SIZE),
        ));
        let json: serde_json::Value = serde_json::to_value(&problem).unwrap();
        assert_eq!((&json["parameter"], &json["status"]), (&"true_scale".into(), &400.into()));
        assert_eq!(json["title"], "Bad Request");
        assert_eq!(json["detail"], "true_scale: not a latitude; give dot_size");
        let full = Box::<Problem>::from(Error::io("imgs", "write", std::io::ErrorKind::StorageFull.into()));
        assert_eq!(full.status(), StatusCode::INSUFFICIENT_STORAGE);
    }

    #[test]
    fn what_cannot_be_written_is_unavailable_and_not_an_internal_error() {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, ResourceBusy};
        for (kind, action, status, name) in [
            (ReadOnlyFilesystem, "lock", 503, "store-read-only"),
            (PermissionDenied, "write to", 503, "store-read-only"),
            (ResourceBusy, "write to", 503, "store-unavailable"),
            (QuotaExceeded, "write", 507, "disk-full"),
        ] {
            let problem = Box::<Problem>::from(Error::io("/secret/place", action, kind.into()));
            assert_eq!((problem.status().as_u16(), &*problem.kind), (status, &*format!("urn:kiln:{name}")));
            assert!(!problem.detail().contains("secret"), "{}", problem.detail());
            assert!(problem.detail().ends_with("nothing was written"), "{}", problem.detail());
        }
    }
}
