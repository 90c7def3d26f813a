//! The host names that the server answers to, and the origins whose pages may read responses.
//!
//! A page of any origin can let its own name resolve to 127.0.0.1, and then read a server there as if it were its own
//! (DNS rebinding). The `Host` header of such a request is the name of the page's server, so a server on a loopback
//! address answers to known names only. IP addresses are not resolved, so they are safe.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use tower_http::cors::AllowOrigin;

use super::app::App;
use super::base_url::{Peer, forwarded, is_host};
use super::problem::{HttpResult, Problem};
use crate::config::ServerConfig;

/// Whether a host without a port is this machine: `localhost`, a name below it, or a loopback address. Browsers do not
/// resolve these names elsewhere.
pub(super) fn is_loopback(host: &str) -> bool {
    let name = host.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || address(host).is_some_and(|address| address.is_loopback())
}

/// The IP address that a host without a port is, in brackets for IPv6.
fn address(host: &str) -> Option<IpAddr> {
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    plain.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// The host of an authority or of a URL, without user and port.
pub(super) fn host_of(text: &str) -> Option<String> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority: Authority = rest.split('/').next().unwrap_or_default().parse().ok()?;
    Some(authority.host().to_ascii_lowercase())
}

/// Rejects requests with several `Host` headers, or with a name that the server does not have.
pub(super) async fn check_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response<Body> {
    match check(&app.config.server, request.headers(), request.extensions().get()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(config: &ServerConfig, headers: &HeaderMap, peer: Option<&Peer>) -> HttpResult<()> {
    if headers.get_all(header::HOST).iter().count() > 1 {
        let detail = "the request has several Host headers, or one that differs from the host of its URL; send one";
        return Err(Problem::bad_request(detail));
    }
    if headers.get(header::HOST).is_some_and(|host| host.as_bytes().contains(&b'@')) {
        return Err(Problem::bad_request(
            "invalid Host header or authority: it has a user; expected a name or an address",
        ));
    }
    if config.hosts.is_none() && !config.listen.ip().is_loopback() {
        return Ok(());
    }
    let forwarded = forwarded(config, headers, peer);
    let own = || headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    // Every browser sends the header; health checks of HTTP/1.0 do not.
    let Some(text) = forwarded.and_then(|forwarded| forwarded.host).or_else(own) else { return Ok(()) };
    let Some(host) = Some(text).filter(|text| is_host(text)).and_then(host_of) else {
        return Err(Problem::bad_request("invalid Host header; expected a name or an address, with or without a port"));
    };
    // Without a list, the names that a trusted proxy serves are not known here.
    if is_known(config, &host) || (forwarded.is_some() && config.hosts.is_none()) {
        return Ok(());
    }
    Err(Problem::misdirected(format!(
        "the host `{host}` is not a name of this server; expected localhost, an IP address, or a name in server.hosts or \
         server.base_url of the config. Behind a proxy that forwards the name of its clients, set one of them, or \
         server.trusted_proxies"
    )))
}

/// Whether the server answers to `host`, a name in lower case or an address.
fn is_known(config: &ServerConfig, host: &str) -> bool {
    let matches = |pattern: &String| {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('*') {
            Some(suffix) => host.ends_with(suffix),
            None => host == pattern,
        }
    };
    let is_base = || config.base_url.as_deref().and_then(host_of).is_some_and(|base| base == host);
    is_loopback(host) || address(host).is_some() || config.hosts.iter().flatten().any(matches) || is_base()
}

/// The origins whose pages may read responses, and whether these are all.
///
/// Those for which `is_listed` are allowed in any case.
pub(super) fn allowed_origins(
    config: &ServerConfig,
    is_listed: impl Fn(&str) -> bool + Clone + Send + Sync + 'static,
) -> (AllowOrigin, bool) {
    match &config.cors_origins {
        Some(origins) if origins.iter().any(|origin| origin == "*") => (AllowOrigin::any(), true),
        Some(origins) => {
            let origins = origins.clone();
            let is_allowed = move |origin: &str| origins.iter().any(|allowed| allowed == origin) || is_listed(origin);
            let predicate = move |origin: &HeaderValue, _: &_| origin.to_str().is_ok_and(&is_allowed);
            (AllowOrigin::predicate(predicate), false)
        }
        None if !config.listen.ip().is_loopback() => (AllowOrigin::any(), true),
        None => {
            let own = config.base_url.as_deref().and_then(origin_of);
            let is_allowed =
                move |origin: &str| Some(origin) == own.as_deref() || is_loopback_origin(origin) || is_listed(origin);
            let predicate = move |origin: &HeaderValue, _: &_| origin.to_str().is_ok_and(&is_allowed);
            (AllowOrigin::predicate(predicate), false)
        }
    }
}

/// The origin of a URL, as browsers send it.
fn origin_of(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    Some(format!("{scheme}://{}", rest.split('/').next()?.to_ascii_lowercase()))
}

/// Whether an origin is a web server on this machine.
fn is_loopback_origin(origin: &str) -> bool {
    let is_web = ["http://", "https://"].iter().any(|scheme| origin.starts_with(scheme));
    is_web && host_of(origin).is_some_and(|host| is_loopback(&host))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The status of a request from a peer at 10.0.0.7 with these headers; 200 if it is accepted.
    fn status(config: &ServerConfig, pairs: &[(&'static str, &'static str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let peer = Peer("10.0.0.7".parse().unwrap());
        check(config, &headers, Some(&peer)).map_or_else(|problem| problem.status().as_u16(), |()| 200)
    }

    fn hosts(names: &[&str]) -> ServerConfig {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        ServerConfig { hosts: Some(names), ..ServerConfig::default() }
    }

    #[test]
    fn a_server_on_a_loopback_address_answers_to_known_names_only() {
        let default = ServerConfig::default();
        let of = |config: &ServerConfig, host| status(config, &[("host", host)]);
        for host in ["localhost", "LOCALHOST:3000", "kiln.localhost:80", "127.0.0.1:3000", "[::1]:3000", "192.0.2.7"] {
            assert_eq!(of(&default, host), 200, "{host}");
            assert_eq!(of(&hosts(&[]), host), 200, "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:3000", "127.0.0.1.evil.example"] {
            assert_eq!(of(&default, host), 421, "{host}");
            assert_eq!(of(&hosts(&["maps.example"]), host), 421, "{host}");
            assert_eq!(of(&hosts(&["*"]), host), 200, "{host}");
        }
        for malformed in ["", "a b", "[::1", "user@localhost", "localhost/a"] {
            assert_eq!(of(&default, malformed), 400, "{malformed}");
            assert_eq!(of(&hosts(&["*"]), malformed), 400, "{malformed}");
        }
        assert_eq!(status(&default, &[]), 200);
        let public = ServerConfig { listen: "0.0.0.0:3000".parse().unwrap(), ..ServerConfig::default() };
        assert_eq!(of(&public, "evil.example"), 200);
        assert_eq!(of(&ServerConfig { listen: public.listen, ..hosts(&["a.example"]) }, "evil.example"), 421);
        let based = ServerConfig { base_url: Some("https://Maps.example:8443/heat".into()), ..default };
        assert_eq!(of(&based, "maps.example"), 200);
        assert_eq!(of(&based, "a.maps.example"), 421);
        let wild = hosts(&["*.example.org", "Maps.example"]);
        for (host, expected) in [("a.example.org", 200), ("A.B.EXAMPLE.ORG:80", 200), ("example.org", 421)] {
            assert_eq!(of(&wild, host), expected, "{host}");
        }
        assert_eq!((of(&wild, "maps.example"), of(&wild, "badexample.org")), (200, 421));
    }

    #[test]
    fn several_host_headers_and_users_are_rejected_everywhere() {
        let public = ServerConfig { listen: "0.0.0.0:3000".parse().unwrap(), ..ServerConfig::default() };
        for config in [ServerConfig::default(), public, hosts(&["*"])] {
            assert_eq!(status(&config, &[("host", "localhost"), ("host", "localhost")]), 400);
            assert_eq!(status(&config, &[("host", "evil@localhost")]), 400);
        }
    }

    #[test]
    fn the_host_that_a_trusted_proxy_forwards_counts() {
        let trusting =
            |config: ServerConfig| ServerConfig { trusted_proxies: vec!["private".parse().unwrap()], ..config };
        let sent = [("host", "kiln"), ("x-forwarded-host", "maps.example")];
        assert_eq!(status(&ServerConfig::default(), &sent), 421);
        assert_eq!(status(&trusting(ServerConfig::default()), &sent), 200);
        // A request that was not forwarded.
        assert_eq!(status(&trusting(ServerConfig::default()), &sent[..1]), 421);
        assert_eq!(status(&trusting(hosts(&["maps.example"])), &sent), 200);
        assert_eq!(status(&hosts(&["maps.example"]), &sent), 421);
        assert_eq!(status(&trusting(hosts(&["kiln"])), &sent), 421);
    }

    #[test]
    fn pages_on_this_machine_and_of_the_base_url_may_read_by_default() {
        for origin in ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:8080", "http://app.localhost"] {
            assert!(is_loopback_origin(origin), "{origin}");
        }
        for origin in ["null", "https://maps.example", "http://localhost.example", "file://", "ftp://localhost", "x"] {
            assert!(!is_loopback_origin(origin), "{origin}");
        }
        assert_eq!(origin_of("https://Maps.example:8443/heat").as_deref(), Some("https://maps.example:8443"));
    }
}
