//! Requests from this machine.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use headers::{HeaderMapExt, Host, Origin};

use crate::http::server::host::{host_of, is_loopback};

/// Whether the headers of a request indicate that it comes from this machine, and not through a proxy or from a page of
/// another origin.
pub(super) fn is_local(headers: &HeaderMap) -> bool {
    let origin = headers.typed_try_get::<Origin>();
    headers.get_all(header::HOST).iter().count() == 1
        && headers.typed_get::<Host>().is_some_and(|host| is_loopback(host.hostname()))
        && origin.is_ok_and(|origin| origin.is_none_or(|origin| is_loopback(origin.hostname())))
        && headers.get_all(header::REFERER).iter().all(is_local_page)
        && headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin" || site == "none")
        && !headers.keys().any(is_of_proxy)
}

/// How the origin of the page that sends a request relates to that of the request, in current browsers.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a `Referer` header is the address of a page on this machine.
fn is_local_page(referer: &HeaderValue) -> bool {
    referer.to_str().ok().and_then(host_of).is_some_and(|host| is_loopback(&host))
}

/// Whether a header is one that proxies, load balancers and CDNs add.
///
/// Names are compared without `-` and `_`: gateways of some application servers write either. The list cannot be
/// complete, so it has the words of such names as well as names.
fn is_of_proxy(name: &HeaderName) -> bool {
    const NAMES: [&str; 17] = [
        "cdnloop",
        "clientcert",
        "clientcertchain",
        "disguisedhost",
        "frontendhttps",
        "maxforwards",
        "via",
        "wasdefaulthostname",
        "xcache",
        "xcloudtracecontext",
        "xhost",
        "xhttps",
        "xqueuestart",
        "xrequeststart",
        "xrewriteurl",
        "xscheme",
        "xurlscheme",
    ];
    const WORDS: [&str; 28] = [
        "akamai",
        "appengine",
        "appgw",
        "azure",
        "clientip",
        "cloudflare",
        "cloudfront",
        "connectingip",
        "connectionip",
        "fastly",
        "forwarded",
        "haproxy",
        "nginx",
        "original",
        "peerip",
        "proxy",
        "realip",
        "remoteaddr",
        "remoteip",
        "socketip",
        "sourceip",
        "sslclient",
        "surrogate",
        "tailscale",
        "traefik",
        "userip",
        "varnish",
        "vercel",
    ];
    const PREFIXES: [&str; 8] = ["cf-", "fly-", "incap-", "x-amz-", "x-amzn-", "x-arr-", "x-envoy-", "x-nf-"];
    let dashed = name.as_str().replace('_', "-");
    let squashed = dashed.replace('-', "");
    PREFIXES.iter().any(|prefix| dashed.starts_with(prefix))
        || NAMES.contains(&squashed.as_str())
        || WORDS.iter().any(|word| squashed.contains(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
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
        for name in [
            "X_Forwarded_For",
            "X-Real_IP",
            "Proxy-Client-IP",
            "WL-Proxy-Client-IP",
            "Incap-Client-IP",
            "X-Azure-ClientIP",
            "X-Azure-SocketIP",
            "X-Appengine-User-IP",
            "X-Vercel-Forwarded-For",
            "X-Nf-Client-Connection-Ip",
            "X-ProxyUser-Ip",
            "X-Varnish",
            "Fastly-FF",
            "Surrogate-Capability",
            "X-Amz-Cf-Id",
            "X-Scheme",
            "Front-End-Https",
            "Disguised-Host",
            "Max-Forwards",
            "Tailscale-User-Login",
            "CF_Ray",
            "X-Original-URL",
            "New-Client-Ip",
            "X-New-Forwarded",
            "CDN_Loop",
        ] {
            let mut sent = headers(&[host("localhost")]);
            sent.insert(name.to_ascii_lowercase().parse::<HeaderName>().unwrap(), HeaderValue::from_static("1"));
            assert!(!is_local(&sent), "{name}");
        }
        for (name, value) in [
            ("referer", "http://localhost:3000/page?a=http://evil.example/"),
            ("referer", "http://[::1]/"),
            ("user-agent", "curl/8"),
            ("accept-encoding", "gzip"),
            ("x-requested-with", "fetch"),
            ("content-type", "text/csv"),
            ("traceparent", "00-1-1-00"),
        ] {
            assert!(is_local(&headers(&[host("localhost"), (name, value)])), "{name}: {value}");
        }
        for referer in [
            "http://evil.example/",
            "http://localhost@evil.example/",
            "http://localhost.example/",
            "about:blank",
            "",
            "/a",
        ] {
            assert!(!is_local(&headers(&[host("localhost"), ("referer", referer)])), "{referer}");
        }
        for remote in ["maps.example", "192.0.2.1:3000", "localhost.example", "", "[2001:db8::1]:3000"] {
            assert!(!is_local(&headers(&[host(remote)])), "{remote}");
        }
        assert!(!is_local(&HeaderMap::new()));
    }
}
