//! Who may change layers.

use axum::http::{HeaderMap, header};

use super::problem::{Answer, Problem};
use crate::error::Error;
use crate::http::server::App;
use crate::store::Store;

impl App {
    /// The store, for whoever sent `headers` to change it, if they [may](Self::may_write).
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

    /// Makes sure that whoever sent `headers` may tell the server what to do.
    ///
    /// Where a token is configured, they have to show it. Where none is, the server has to listen to this machine alone, and
    /// they have to be on it: what a proxy passes on, or a page of another site has a browser send, is not let in.
    pub(crate) fn may_write(&self, headers: &HeaderMap) -> Answer<()> {
        match &self.config.server.token {
            Some(token) => match shown(headers) {
                None => {
                    let why = "writes have to show the server's token: Authorization: Bearer TOKEN";
                    return Err(Problem::unauthorized("Bearer realm=\"kiln\"", why));
                }
                Some(shown) if !token.is(shown) => {
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
            None if !is_from_here(headers) => {
                let why = "without a token, only programs and pages of this machine may write, at localhost or 127.0.0.1 and \
                           not by a proxy; set server.token of the config, or KILN_TOKEN";
                return Err(Problem::forbidden(why));
            }
            None => {}
        }
        Ok(())
    }
}

/// The token that a request shows.
fn shown(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Whether a request seems to come from this machine, and from no page of elsewhere.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_here = |authority: &str| {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or("", |(_, authority)| authority));
    let is_passed_on = headers.contains_key(header::FORWARDED) || headers.contains_key("x-forwarded-for");
    text(header::HOST).is_some_and(is_here) && origin.is_none_or(is_here) && !is_passed_on
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
            assert!(is_from_here(&headers(&[host(here)])), "{here}");
            assert!(is_from_here(&headers(&[host(here), ("origin", "http://localhost:5173")])), "{here}");
            for origin in ["https://maps.example", "null", "http://localhost.example", "http://127.0.0.1.example:80"] {
                assert!(!is_from_here(&headers(&[host(here), ("origin", origin)])), "{here} {origin}");
            }
            assert!(!is_from_here(&headers(&[host(here), ("x-forwarded-for", "192.0.2.1")])));
            assert!(!is_from_here(&headers(&[host(here), ("forwarded", "for=192.0.2.1")])));
        }
        for there in ["maps.example", "192.0.2.1:3000", "localhost.example", "", "[2001:db8::1]:3000"] {
            assert!(!is_from_here(&headers(&[host(there)])), "{there}");
        }
        assert!(!is_from_here(&HeaderMap::new()));
    }

    #[test]
    fn a_token_is_shown_as_a_bearer_does() {
        let of = |value| shown(&headers(&[("authorization", value)])).map(<[u8]>::to_vec);
        assert_eq!(of("Bearer abc"), Some(b"abc".to_vec()));
        assert_eq!(of("bearer  abc "), Some(b"abc".to_vec()));
        for none in ["abc", "Basic abc", "Bearer", ""] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
