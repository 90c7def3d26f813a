//! Errors of clients, as one sentence without secrets.

use std::error::Error as StdError;

use object_store::Error as StoreError;

use crate::connect::Failure;
use crate::environment::Credentials;
use crate::error::{ObjectError, ObjectErrorKind as Kind};
use crate::url::{ObjectUrl, Scheme};

/// What an operation does, which decides what a failed precondition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    List,
}

/// The error of an operation on `url`.
pub(crate) fn classify(url: &ObjectUrl, credentials: &Credentials, access: Access, error: &StoreError) -> ObjectError {
    let new = |kind, message: String| ObjectError::new(url, kind, message);
    if let Some(failure) = find_failure(error) {
        return new(kind_of(failure), failure.to_string());
    }
    let response = Response::of(error);
    let conflict = || match access {
        Access::Write => new(Kind::Conflict, "another writer changed or created the object".to_owned()),
        _ => changed(url),
    };
    match error {
        StoreError::NotFound { .. } => not_found(url, access, response.code.as_deref()),
        StoreError::Precondition { .. } | StoreError::AlreadyExists { .. } => conflict(),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            new(Kind::Denied, denied(access, credentials, response.code.as_deref()))
        }
        StoreError::InvalidPath { .. } => new(Kind::Invalid, INVALID_KEY.to_owned()),
        StoreError::NotImplemented { .. } => {
            new(Kind::Invalid, "the operation is not supported for URLs of this kind".to_owned())
        }
        _ => of_status(url, credentials, access, &response),
    }
}

/// The message of a key that no request can have.
pub(crate) const INVALID_KEY: &str =
    "a key in the bucket has an empty part, `.`, `..` or a control character, which is not supported";

/// The error of an object that changed while it was read.
pub(crate) fn changed(url: &ObjectUrl) -> ObjectError {
    ObjectError::new(url, Kind::Changed, "the object changed while it was read; read it again once it is written")
}

/// The kind of an error without a response.
pub(crate) fn kind_of(failure: &Failure) -> Kind {
    match failure {
        Failure::ConnectTimeout { .. }
        | Failure::NoResponse(_)
        | Failure::Stalled(_)
        | Failure::Slow { .. }
        | Failure::Incomplete(_) => Kind::Timeout,
        Failure::Address(_) | Failure::Redirect(_) | Failure::NoList { .. } => Kind::Invalid,
        Failure::HostNotFound(_) | Failure::Connect { .. } | Failure::Tls { .. } | Failure::Broken(_) => {
            Kind::Unreachable
        }
    }
}

/// The failure of the transport in the chain of causes.
pub(crate) fn find_failure<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        cause = error.source();
    }
    None
}

fn not_found(url: &ObjectUrl, access: Access, code: Option<&str>) -> ObjectError {
    let is_bucket = matches!(code, Some("NoSuchBucket" | "ContainerNotFound")) || access == Access::List;
    if is_bucket {
        let word = if url.scheme() == Scheme::Azure { "container" } else { "bucket" };
        return ObjectError::new(url, Kind::NoBucket, format!("the {word} {} does not exist", url.bucket()));
    }
    ObjectError::new(url, Kind::NotFound, "the object does not exist")
}

/// The message of denied access.
fn denied(access: Access, credentials: &Credentials, code: Option<&str>) -> String {
    let action = match access {
        Access::Read => "read the object",
        Access::Write => "write the object",
        Access::List => "list the bucket",
    };
    match (credentials, code) {
        (Credentials::Anonymous(variables), _) => {
            format!("access denied without credentials; set {variables}")
        }
        (Credentials::From(name), Some("InvalidAccessKeyId")) => {
            format!("access denied: the server does not know the access key of {name}")
        }
        (Credentials::From(name), Some("SignatureDoesNotMatch" | "AuthenticationFailed")) => {
            format!("access denied: the secret of {name} is wrong")
        }
        (Credentials::From(name), Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")) => {
            format!("access denied: the credentials of {name} have expired; renew them")
        }
        (Credentials::From(_), Some("RequestTimeTooSkewed")) => {
            "access denied: the clock of this machine is wrong by more than 15 minutes; set it".to_owned()
        }
        (Credentials::From(name), _) => {
            format!("access denied: the credentials of {name} may not {action}, or it does not exist")
        }
    }
}

/// The error of a response with a status that has no error of its own.
fn of_status(url: &ObjectUrl, credentials: &Credentials, access: Access, response: &Response) -> ObjectError {
    let new = |kind, message: String| ObjectError::new(url, kind, message);
    let code = response.code.as_deref();
    let other_region = || new(Kind::Invalid, "the bucket is in another region; set AWS_REGION to it".to_owned());
    match (response.status, code) {
        (_, Some("AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException"))
        | (Some(301 | 307 | 308), _) => other_region(),
        (_, Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId")) => {
            new(Kind::Denied, denied(access, credentials, code))
        }
        (_, Some("NoSuchBucket" | "ContainerNotFound")) => not_found(url, access, code),
        // Listings have no error of their own for these.
        (Some(401 | 403), _) => new(Kind::Denied, denied(access, credentials, code)),
        (Some(416), _) => changed(url),
        (Some(status @ (429 | 500..=599)), _) => new(
            Kind::Unreachable,
            format!("the server failed with status {status}, also when the request was repeated"),
        ),
        (Some(status), Some(code)) => {
            new(Kind::Other, format!("the server rejected the request with status {status} ({code})"))
        }
        (Some(status), None) => new(Kind::Other, format!("the server rejected the request with status {status}")),
        (None, _) if response.is_redirect => other_region(),
        (None, _) => {
            new(Kind::Other, "the response of the server is invalid; is it the endpoint of a bucket?".to_owned())
        }
    }
}

/// The status and code of a response in the texts of causes: the client library has no accessors for them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Response {
    status: Option<u16>,
    code: Option<String>,
    is_redirect: bool,
}

impl Response {
    fn of(error: &StoreError) -> Self {
        let mut response = Self::default();
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(error) = cause {
            response.read(&error.to_string());
            cause = error.source();
        }
        response
    }

    fn read(&mut self, text: &str) {
        let after = |mark: &str| text.find(mark).map(|at| &text[at + mark.len()..]);
        let digits = |rest: &str| rest.get(..3).and_then(|digits| digits.parse().ok());
        self.status = self.status.or_else(|| after("status code: ").and_then(digits));
        self.is_redirect |= text.contains("redirect without LOCATION");
        let code = || {
            let code = after("<Code>")?.split('<').next()?;
            let is_code = code.len() < 60 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_code.then(|| code.to_owned())
        };
        if self.code.is_none() {
            self.code = code();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn generic(text: &str) -> StoreError {
        StoreError::Generic { store: "S3", source: text.to_owned().into() }
    }

    fn message(credentials: &Credentials, access: Access, error: &StoreError) -> (Kind, String) {
        let url: ObjectUrl = "s3://maps/a.csv".parse().unwrap();
        let error = classify(&url, credentials, access, error);
        (error.kind(), error.message().to_owned())
    }

    #[test]
    fn a_code_of_the_server_selects_the_message_and_its_text_is_not_repeated() {
        let from = Credentials::From("AWS_ACCESS_KEY_ID".to_owned());
        let none = Credentials::Anonymous("AWS_ACCESS_KEY_ID");
        let body = |status: &str, code: &str| {
            format!(
                "Server returned non-2xx status code: {status}: <Error><Code>{code}</Code><Message>s3cret</Message></Error>"
            )
        };
        let denied =
            |code| StoreError::PermissionDenied { path: "a".into(), source: body("403 Forbidden", code).into() };
        let missing = |code| StoreError::NotFound { path: "a".into(), source: body("404 Not Found", code).into() };
        for (credentials, access, error, kind, expected) in [
            (&none, Access::Read, denied("AccessDenied"), Kind::Denied, "without credentials; set AWS_ACCESS_KEY_ID"),
            (&from, Access::Read, denied("AccessDenied"), Kind::Denied, "of AWS_ACCESS_KEY_ID may not read the object"),
            (&from, Access::List, denied("AccessDenied"), Kind::Denied, "may not list the bucket"),
            (
                &from,
                Access::List,
                generic(&body("403 Forbidden", "AccessDenied")),
                Kind::Denied,
                "may not list the bucket",
            ),
            (&from, Access::List, generic(&body("403 Forbidden", "SignatureDoesNotMatch")), Kind::Denied, "is wrong"),
            (&from, Access::Read, denied("InvalidAccessKeyId"), Kind::Denied, "does not know the access key"),
            (
                &from,
                Access::Read,
                denied("SignatureDoesNotMatch"),
                Kind::Denied,
                "the secret of AWS_ACCESS_KEY_ID is wrong",
            ),
            (&from, Access::Read, generic(&body("400 Bad Request", "ExpiredToken")), Kind::Denied, "have expired"),
            (&from, Access::Read, missing("NoSuchKey"), Kind::NotFound, "the object does not exist"),
            (&from, Access::Read, missing("NoSuchBucket"), Kind::NoBucket, "the bucket maps does not exist"),
            (
                &from,
                Access::Read,
                generic(&body("400 Bad Request", "AuthorizationHeaderMalformed")),
                Kind::Invalid,
                "set AWS_REGION",
            ),
            (&from, Access::Read, generic("Received redirect without LOCATION, this"), Kind::Invalid, "set AWS_REGION"),
            (&from, Access::Read, generic(&body("503 Slow Down", "SlowDown")), Kind::Unreachable, "status 503"),
            (&from, Access::Read, generic(&body("418 Teapot", "No code!")), Kind::Other, "with status 418"),
            (&from, Access::Read, generic("s3cret"), Kind::Other, "the response of the server is invalid"),
        ] {
            let (found, message) = message(credentials, access, &error);
            assert!(found == kind && message.contains(expected) && !message.contains("s3cret"), "{found:?}: {message}");
        }
    }

    #[test]
    fn a_failed_precondition_is_a_change_for_a_reader_and_a_conflict_for_a_writer() {
        let error = StoreError::Precondition { path: "a".into(), source: "x".into() };
        let none = Credentials::Anonymous("");
        assert_eq!(message(&none, Access::Read, &error).0, Kind::Changed);
        assert_eq!(message(&none, Access::Write, &error).0, Kind::Conflict);
    }
}
