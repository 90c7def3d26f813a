//! Authorization of requests.

mod local;

use axum::http::HeaderMap;
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt};

use self::local::is_local;
use super::app::App;
use super::problem::{HttpResult, Problem};
use crate::config::{Config, Token};
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
const REPLICA: &str =
    "the server is a replica of a bucket, and changes no layer; change the store whose layers are published";
const NO_TOKEN: &str = "writes are disabled: the server has no token; set server.token of the config, or KILN_TOKEN";
const NOT_LOCAL: &str = "with server.local_writes, writes without a token are accepted only from programs and pages on this \
                         machine, at localhost or 127.0.0.1 and not through a proxy; set server.token of the config, or \
                         KILN_TOKEN, for others";
const MISSING: &str =
    "write requests must send the server's token as a header, not in the URL: Authorization: Bearer TOKEN";
const INVALID: &str = "invalid token; expected the one in server.token of the config, or KILN_TOKEN";
const NONE_EXPECTED: &str = "invalid token; the server has none, and with server.local_writes, requests from this machine \
                             need none: leave out the header Authorization";
const MISSING_TEMPORARY: &str = "write requests must send a token as a header, not in the URL: Authorization: Bearer TOKEN, \
                                 with the token that the server printed when it started, or that of server.token of the \
                                 config (KILN_TOKEN); with server.local_writes = true, programs on this machine need none";
const INVALID_TEMPORARY: &str = "invalid token; expected the one that the server printed when it last started. \
                                 server.token of the config, or KILN_TOKEN, sets a token that stays the same";

/// The token of a server without a configured one: random, and only in memory. `None` if a token is configured, if
/// writes are disabled, or if local clients need no token.
pub(super) fn temporary_token(config: &Config) -> Option<Token> {
    let server = &config.server;
    let is_used = server.token.is_none() && !server.local_writes && !config.store.is_read_only();
    (is_used && server.listen.ip().is_loopback()).then(Token::random)
}

impl App {
    /// The token that writes must send: the configured one, or the [temporary token](temporary_token).
    pub(super) fn token(&self) -> Option<&Token> {
        self.config.server.token.as_ref().or(self.temporary_token.as_ref())
    }

    /// Whether a request may write without a token.
    fn is_local_write(&self, headers: &HeaderMap) -> bool {
        self.config.server.local_writes && self.config.server.listen.ip().is_loopback() && is_local(headers)
    }

    /// Why no request like one with these headers can write.
    fn closed_reason(&self) -> &'static str {
        if self.config.server.local_writes { NOT_LOCAL } else { NO_TOKEN }
    }

    /// Why no request can change the store; `None` if some can.
    fn read_only_reason(&self) -> Option<&'static str> {
        let reason = if self.config.store.bucket().is_some() { REPLICA } else { READ_ONLY };
        self.config.store.is_read_only().then_some(reason)
    }

    /// Whether a client can change the store, by the headers of one of its requests.
    pub(crate) fn write_access(&self, headers: &HeaderMap) -> WriteAccess {
        if let Some(reason) = self.read_only_reason() {
            WriteAccess::Closed(reason)
        } else if self.is_local_write(headers) {
            WriteAccess::Open
        } else if self.token().is_some() {
            WriteAccess::Token
        } else {
            WriteAccess::Closed(self.closed_reason())
        }
    }

    /// The store, if the request is [authorized](Self::authorize_write) to change it.
    pub(crate) fn writable_store(&self, headers: &HeaderMap) -> HttpResult<&Store> {
        if let Some(reason) = self.read_only_reason() {
            return Err(Problem::forbidden(reason));
        }
        self.authorize_write(headers)?;
        self.claimed_store()
    }

    /// The store of a writable server, which belongs to this process.
    pub(super) fn claimed_store(&self) -> HttpResult<&Store> {
        if let Some(reason) = self.read_only_reason() {
            return Err(Problem::forbidden(reason));
        }
        self.store.claim().map_err(|error| match error {
            Error::Input { message, .. } => Problem::conflict(message.with_keys()),
            error => error.into(),
        })?;
        Ok(&self.store)
    }

    /// Whether a request sends the server's token, and so is one of its owner.
    pub(super) fn sends_token(&self, headers: &HeaderMap) -> bool {
        self.token().zip(bearer_token(headers)).is_some_and(|(token, sent)| token.is(sent.as_bytes()))
    }

    /// Checks that a request with `headers` is authorized to write.
    ///
    /// It must send the token: the configured one, or the temporary token that the server has printed. With
    /// `server.local_writes`, requests from this machine may send none, except those through a proxy or from a page of
    /// another origin. A token that is sent must be valid.
    pub(crate) fn authorize_write(&self, headers: &HeaderMap) -> HttpResult<()> {
        let sent = bearer_token(headers);
        if sent.is_none() && self.is_local_write(headers) {
            return Ok(());
        }
        let Some(token) = self.token() else {
            if self.is_local_write(headers) {
                return Err(Problem::unauthorized("Bearer realm=\"kiln\", error=\"invalid_token\"", NONE_EXPECTED));
            }
            return Err(Problem::forbidden(self.closed_reason()));
        };
        let is_temporary = self.temporary_token.is_some();
        match sent {
            None => {
                let detail = if is_temporary { MISSING_TEMPORARY } else { MISSING };
                Err(Problem::unauthorized("Bearer realm=\"kiln\"", detail))
            }
            Some(sent) if !token.is(sent.as_bytes()) => {
                let detail = if is_temporary { INVALID_TEMPORARY } else { INVALID };
                Err(Problem::unauthorized("Bearer realm=\"kiln\", error=\"invalid_token\"", detail))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The bearer token of a request.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<String> {
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
