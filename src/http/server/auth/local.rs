//! Requests from this machine.

use axum::http::{HeaderMap, HeaderName, header};
use headers::{HeaderMapExt, Host, Origin};

use crate::http::server::host::is_loopback;

/// Whether the headers of a request indicate that it comes from this machine, and not through a proxy or from a page of
/// another origin.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let origin = headers.typed_try_get::<Origin>();
    headers.get_all(header::HOST).iter().count() == 1
        && headers.typed_get::<Host>().is_some_and(|host| is_loopback(host.hostname()))
        && origin.is_ok_and(|origin| origin.is_none_or(|origin| is_loopback(origin.hostname())))
        && headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin" || site == "none")
        && !headers.keys().any(is_of_proxy)
}

/// How the origin of the page that sends a request relates to that of the request, in current browsers.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a header is one that proxies, load balancers and CDNs add.
fn is_of_proxy(name: &HeaderName) -> bool {
    const NAMES: [&str; 14] = [
        "cdn-loop",
        "client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "forwarded",
        "proxy-connection",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-original-host",
        "x-original-url",
        "x-real-ip",
    ];
    const PREFIXES: [&str; 4] = ["cf-", "x-amzn-", "x-envoy-", "x-forwarded"];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn requests_from_other_origins_and_proxies_are_not_local() {
        let host = |host| ("host", host);
        for local in ["localhost:3000", "LOCALHOST", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000", "[::1]"] {
            let is_local_with = |name, value| is_local(&headers(&[host(local), (name, value)]));
            assert!(is_local(&headers(&[host(local)])), "{local}");
            assert!(is_local_with("origin", "http://localhost:5173"), "{local}");
            assert!(is_local_with("sec-fetch-site", "same-origin") && is_local_with("sec-fetch-site", "none"));
            for (name, value) in [
                ("origin", "https://maps.example"),
                ("origin", "null"),
                ("origin", "http://localhost.example"),
                ("origin", "http://127.0.0.1.example:80"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("host", "localhost"),
                ("via", "1.0 kiln"),
                ("x-real-ip", "192.0.2.1"),
                ("forwarded", "for=192.0.2.1"),
                ("x-forwarded", "for=192.0.2.1"),
                ("x-forwarded-for", "192.0.2.1"),
                ("x-forwarded-host", "a"),
                ("x-forwarded-proto", "http"),
                ("cf-connecting-ip", "192.0.2.1"),
                ("cf-ray", "7d"),
                ("true-client-ip", "192.0.2.1"),
                ("x-amzn-trace-id", "Root=1"),
            ] {
                assert!(!is_local_with(name, value), "{local} {name}: {value}");
            }
        }
        for remote in ["maps.example", "192.0.2.1:3000", "localhost.example", "", "[2001:db8::1]:3000"] {
            assert!(!is_local(&headers(&[host(remote)])), "{remote}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }
}
