//! Authorization of requests that change something.

use axum::http::{HeaderMap, HeaderName, header};
use headers::authorization::Bearer;
use headers::{Authorization, HeaderMapExt, Host, Origin};

use super::app::App;
use super::problem::{Answer, Problem};
use crate::error::Error;
use crate::store::Store;

impl App {
    /// The store, if the request [may](Self::may_write) change it.
    pub(crate) fn writable(&self, headers: &HeaderMap) -> Answer<&Store> {
        self.may_write(headers)?;
        if self.config.store.read_only {
            return Err(Problem::forbidden("the server only reads its store: store.read_only of the config"));
        }
        self.store.claim().map_err(|error| match error {
            Error::Input { message, .. } => Problem::conflict(message.with_keys()),
            error => error.into(),
        })?;
        Ok(&self.store)
    }

    /// Checks that a request with `headers` may change something.
    ///
    /// If a token is configured, the request must send it. Otherwise the server must listen to this machine alone, and the
    /// request must come from it: requests through a proxy, or from a page of another site, are rejected.
    pub(crate) fn may_write(&self, headers: &HeaderMap) -> Answer<()> {
        match &self.config.server.token {
            Some(token) => match bearer_token(headers) {
                None => {
                    let why = "writes have to show the server's token: Authorization: Bearer TOKEN";
                    return Err(Problem::unauthorized("Bearer realm=\"kiln\"", why));
                }
                Some(sent) if !token.is(sent.as_bytes()) => {
                    let challenge = "Bearer realm=\"kiln\", error=\"invalid_token\"";
                    return Err(Problem::unauthorized(challenge, "the token is not the one of this server"));
                }
                Some(_) => {}
            },
            None if !self.config.server.listen.ip().is_loopback() => {
                let why = "the server listens to other machines and has no token, so it takes no writes; set server.token \
                           of the config, or KILN_TOKEN";
                return Err(Problem::forbidden(why));
            }
            None if !is_local(headers) => {
                let why = "without a token, only programs and pages of this machine may write, at localhost or 127.0.0.1 and \
                           not by a proxy; set server.token of the config, or KILN_TOKEN";
                return Err(Problem::forbidden(why));
            }
            None => {}
        }
        Ok(())
    }
}

/// The bearer token of a request.
fn bearer_token(headers: &HeaderMap) -> Option<String> {
    headers.typed_get::<Authorization<Bearer>>().map(|authorization| authorization.token().to_owned())
}

/// Whether a request seems to come from this machine, and from no page of another site.
fn is_local(headers: &HeaderMap) -> bool {
    let is_loopback = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    let is_of_proxy = |name: &HeaderName| *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-");
    let is_forwarded = headers.keys().any(is_of_proxy);
    let origin = headers.typed_try_get::<Origin>();
    headers.typed_get::<Host>().is_some_and(|host| is_loopback(host.hostname()))
        && origin.is_ok_and(|origin| origin.is_none_or(|origin| is_loopback(origin.hostname())))
        && !is_forwarded
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
    fn pages_of_other_sites_and_proxies_are_told_from_this_machine() {
        let host = |host| ("host", host);
        for here in ["localhost:3000", "LOCALHOST", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000", "[::1]"] {
            assert!(is_local(&headers(&[host(here)])), "{here}");
            assert!(is_local(&headers(&[host(here), ("origin", "http://localhost:5173")])), "{here}");
            for origin in ["https://maps.example", "null", "http://localhost.example", "http://127.0.0.1.example:80"] {
                assert!(!is_local(&headers(&[host(here), ("origin", origin)])), "{here} {origin}");
            }
            for (name, value) in
                [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "a"), ("x-forwarded-proto", "http")]
            {
                assert!(!is_local(&headers(&[host(here), (name, value)])), "{here} {name}");
            }
            assert!(!is_local(&headers(&[host(here), ("forwarded", "for=192.0.2.1")])));
        }
        for there in ["maps.example", "192.0.2.1:3000", "localhost.example", "", "[2001:db8::1]:3000"] {
            assert!(!is_local(&headers(&[host(there)])), "{there}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_shown_as_a_bearer_does() {
        let of = |value| bearer_token(&headers(&[("authorization", value)]));
        assert_eq!(of("Bearer abc"), Some("abc".to_owned()));
        assert_eq!(of("bearer  abc"), Some("abc".to_owned()));
        for none in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
