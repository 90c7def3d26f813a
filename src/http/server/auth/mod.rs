//! Authorization of requests.

mod local;

use axum::http::HeaderMap;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};

use self::local::is_local;
use super::app::App;
use super::problem::{HttpResult, Problem};
use crate::error::Error;
use crate::store::Store;

/// Whether requests like one with the same headers can change the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteAccess {
    /// They can.
    Open,
    /// They must send the token.
    Token,
    /// They cannot, for this reason.
    Closed(&'static str),
}

const READ_ONLY: &str = "the store is read-only: store.read_only of the config is true";
const NO_TOKEN: &str = "writes are disabled: the server has no token and listens on an address other than localhost; set \
                        server.token of the config, or KILN_TOKEN";
const NOT_LOCAL: &str = "without a token, writes are accepted only from programs and pages on this machine, at localhost or \
                         127.0.0.1 and not through a proxy; set server.token of the config, or KILN_TOKEN";

impl App {
    /// Whether a client can change the store, by the headers of one of its requests.
    pub(crate) fn write_access(&self, headers: &HeaderMap) -> WriteAccess {
        match &self.config.server.token {
            _ if self.config.store.read_only => WriteAccess::Closed(READ_ONLY),
            Some(_) => WriteAccess::Token,
            None if !self.config.server.listen.ip().is_loopback() => WriteAccess::Closed(NO_TOKEN),
            None if !is_local(headers) => WriteAccess::Closed(NOT_LOCAL),
            None => WriteAccess::Open,
        }
    }

    /// The store, if the request is [authorized](Self::authorize_write) to change it.
    pub(crate) fn writable_store(&self, headers: &HeaderMap) -> HttpResult<&Store> {
        self.authorize_write(headers)?;
        if self.config.store.read_only {
            return Err(Problem::forbidden(READ_ONLY));
        }
        self.store.claim().map_err(|error| match error {
            Error::Input { message, .. } => Problem::conflict(message.with_keys()),
            error => error.into(),
        })?;
        Ok(&self.store)
    }

    /// Checks that a request with `headers` is authorized to write.
    ///
    /// If a token is configured, the request must send it. Otherwise the server must listen on a loopback address, and
    /// the request must come from this machine: requests through a proxy, or from a page of another origin, are
    /// rejected.
    pub(crate) fn authorize_write(&self, headers: &HeaderMap) -> HttpResult<()> {
        match &self.config.server.token {
            Some(token) => match bearer_token(headers) {
                None => {
                    let detail = "write requests must send the server's token: Authorization: Bearer TOKEN";
                    return Err(Problem::unauthorized("Bearer realm=\"kiln\"", detail));
                }
                Some(sent) if !token.is(sent.as_bytes()) => {
                    let challenge = "Bearer realm=\"kiln\", error=\"invalid_token\"";
                    return Err(Problem::unauthorized(
                        challenge,
                        "invalid token; expected the one in server.token of the config, or KILN_TOKEN",
                    ));
                }
                Some(_) => {}
            },
            None if !self.config.server.listen.ip().is_loopback() => return Err(Problem::forbidden(NO_TOKEN)),
            None if !is_local(headers) => return Err(Problem::forbidden(NOT_LOCAL)),
            None => {}
        }
        Ok(())
    }
}

/// The bearer token of a request.
fn bearer_token(headers: &HeaderMap) -> Option<String> {
    headers.typed_get::<Authorization<Bearer>>().map(|authorization| authorization.token().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_token_is_read_from_a_bearer_authorization() {
        let token = |value| bearer_token(&headers(&[("authorization", value)]));
        assert_eq!(token("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(token("bearer  abc"), Some("abc".to_owned()));
        for other in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(token(other), None, "{other}");
        }
    }
}
