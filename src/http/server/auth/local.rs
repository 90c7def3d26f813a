//! Requests from this machine.

use axum::http::{HeaderMap, HeaderName, header};
use headers::{HeaderMapExt, Host, Origin};

/// Whether the headers of a request indicate that it comes from this machine, and not from a page of another origin.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let is_loopback = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    };
    let is_proxy_header = |name: &HeaderName| *name == header::FORWARDED || name.as_str().starts_with("x-forwarded-");
    let is_forwarded = headers.keys().any(is_proxy_header);
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
    fn requests_from_other_origins_and_proxies_are_not_local() {
        let host = |host| ("host", host);
        for local in ["localhost:3000", "LOCALHOST", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000", "[::1]"] {
            assert!(is_local(&headers(&[host(local)])), "{local}");
            assert!(is_local(&headers(&[host(local), ("origin", "http://localhost:5173")])), "{local}");
            for origin in ["https://maps.example", "null", "http://localhost.example", "http://127.0.0.1.example:80"] {
                assert!(!is_local(&headers(&[host(local), ("origin", origin)])), "{local} {origin}");
            }
            for (name, value) in
                [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-host", "a"), ("x-forwarded-proto", "http")]
            {
                assert!(!is_local(&headers(&[host(local), (name, value)])), "{local} {name}");
            }
            assert!(!is_local(&headers(&[host(local), ("forwarded", "for=192.0.2.1")])));
        }
        for remote in ["maps.example", "192.0.2.1:3000", "localhost.example", "", "[2001:db8::1]:3000"] {
            assert!(!is_local(&headers(&[host(remote)])), "{remote}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }
}
