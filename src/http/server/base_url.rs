//! The base URL of links in responses.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, header};

use super::app::App;
use super::keys::{Access, Carried};
use super::problem::{HttpResult, Problem};
use crate::config::ServerConfig;

/// The IP address of the peer of a connection, a request extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The base of the URLs in a response: `server.base_url`, or the one that a trusted proxy forwards. Otherwise URLs are
/// paths, or start with the request's `Host` if they must be absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    /// The public base URL, without a trailing slash, if it is known.
    public: Option<String>,
    /// The `Host` header of the request.
    host: Option<String>,
    /// The scheme of the server itself.
    scheme: &'static str,
    /// What URLs of the data that the client may read carry on.
    carried: Option<Carried>,
}

impl FromRequestParts<Arc<App>> for BaseUrl {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let carried = parts.extensions.get::<Access>().and_then(Access::carried).cloned();
        Ok(Self { carried, ..Self::of(&app.config.server, &parts.headers, parts.extensions.get()) })
    }
}

impl BaseUrl {
    fn of(config: &ServerConfig, headers: &HeaderMap, peer: Option<&Peer>) -> Self {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|host| is_host(host));
        let forwarded = || forwarded(config, headers, peer)?.base(host, config.scheme());
        let configured = config.base_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        Self {
            public: configured.or_else(forwarded),
            host: host.map(str::to_owned),
            scheme: config.scheme(),
            carried: None,
        }
    }

    /// The URL of a path, given without its leading slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.public.as_deref().unwrap_or_default())
    }

    /// Adds to a URL the key or the signature that the client sent in the query string of its request.
    pub(crate) fn link(&self, url: &str) -> String {
        self.carried.as_ref().map_or_else(|| url.to_owned(), |carried| carried.add_to(url))
    }

    /// The base of absolute URLs, without a trailing slash.
    pub(crate) fn absolute(&self) -> HttpResult<String> {
        let detail =
            "the request has no valid Host header, which absolute URLs need; set server.base_url of the config";
        let own = || self.host.as_ref().map(|host| format!("{}://{host}", self.scheme));
        self.public.clone().or_else(own).ok_or_else(|| Problem::parameter("host", detail))
    }
}

/// The valid parts of the original URL that a trusted proxy forwards; `None` if it forwards none of them.
pub(super) fn forwarded<'h>(
    config: &ServerConfig,
    headers: &'h HeaderMap,
    peer: Option<&Peer>,
) -> Option<Forwarded<'h>> {
    let is_trusted = peer.is_some_and(|peer| config.trusted_proxies.iter().any(|range| range.contains(peer.0)));
    is_trusted.then(|| Forwarded::of(headers)).filter(|forwarded| *forwarded != Forwarded::default())
}

/// The valid parts of the original URL, as forwarded by a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Forwarded<'h> {
    scheme: Option<&'static str>,
    pub(super) host: Option<&'h str>,
    /// The path prefix that the proxy removed, without a trailing slash.
    prefix: Option<&'h str>,
}

impl<'h> Forwarded<'h> {
    /// Reads `X-Forwarded-Proto`, `-Host` and `-Prefix`, or `Forwarded` (RFC 7239) if none of them is present. With a
    /// chain of proxies, the first value is that of the proxy that the client connected to.
    fn of(headers: &'h HeaderMap) -> Self {
        let first = |name: &str| {
            let value = headers.get(name)?.to_str().ok()?;
            value.split(',').next().map(str::trim)
        };
        let names = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-prefix"];
        if names.iter().any(|name| headers.contains_key(*name)) {
            let [scheme, host, prefix] = names.map(first);
            return Self::valid(scheme, host, prefix);
        }
        let element = first(header::FORWARDED.as_str()).unwrap_or_default();
        let value = |name: &str| {
            let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
            let (_, value) = pairs.find(|(known, _)| known.trim().eq_ignore_ascii_case(name))?;
            Some(value.trim().trim_matches('"'))
        };
        Self::valid(value("proto"), value("host"), None)
    }

    fn valid(scheme: Option<&str>, host: Option<&'h str>, prefix: Option<&'h str>) -> Self {
        let known = |scheme: &str| ["https", "http"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme));
        Self {
            scheme: scheme.and_then(known),
            host: host.filter(|host| is_host(host)),
            prefix: prefix.map(|prefix| prefix.trim_end_matches('/')).filter(|prefix| is_prefix(prefix)),
        }
    }

    /// The public base URL; `None` if the host is unknown.
    fn base(self, own_host: Option<&str>, own_scheme: &str) -> Option<String> {
        let (scheme, host) = (self.scheme.unwrap_or(own_scheme), self.host.or(own_host)?);
        Some(format!("{scheme}://{host}{}", self.prefix.unwrap_or_default()))
    }
}

/// The maximum length of a host or prefix in bytes.
const MAX_BYTES: usize = 256;

/// Whether `text` is a host with an optional port, without user information or other URL syntax.
pub(super) fn is_host(text: &str) -> bool {
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(is_host_byte) && text.parse::<Authority>().is_ok()
}

/// Whether `text` is a non-empty absolute path without empty, `.` or `..` segments.
fn is_prefix(text: &str) -> bool {
    let is_segment_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
    let is_segment = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_segment_byte);
    text.len() <= MAX_BYTES && text.strip_prefix('/').is_some_and(|path| path.split('/').all(is_segment))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The base of URLs in the response to a request with these headers and `Host: kiln:3000`, from 10.0.0.7.
    fn base(config: &ServerConfig, pairs: &[(&'static str, &'static str)]) -> String {
        let pairs = [("host", "kiln:3000")].iter().chain(pairs);
        let headers = pairs.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        BaseUrl::of(config, &headers, Some(&Peer("10.0.0.7".parse().unwrap()))).absolute().unwrap()
    }

    fn trusting(ranges: &[&str]) -> ServerConfig {
        let trusted_proxies = ranges.iter().map(|range| range.parse().unwrap()).collect();
        ServerConfig { trusted_proxies, ..ServerConfig::default() }
    }

    const PROTO: &str = "x-forwarded-proto";
    const HOST: &str = "x-forwarded-host";
    const PREFIX: &str = "x-forwarded-prefix";

    #[test]
    fn a_trusted_proxy_sets_the_base_url() {
        let config = trusting(&["192.0.2.1", "private"]);
        for (pairs, expected) in [
            (&[][..], "http://kiln:3000"),
            (&[(PROTO, "https")], "https://kiln:3000"),
            (&[(HOST, "maps.example.org")], "http://maps.example.org"),
            (&[(PREFIX, "/heat/")], "http://kiln:3000/heat"),
            (&[(PROTO, "HTTPS, http"), (HOST, "a.example , b"), (PREFIX, "/x/y, /z")], "https://a.example/x/y"),
            (&[(PROTO, "https"), (HOST, "[2001:db8::1]:8443"), (PREFIX, "/")], "https://[2001:db8::1]:8443"),
            (
                &[("forwarded", "for=192.0.2.9;Proto=https;host=\"a.example:8443\", for=10.0.0.1")],
                "https://a.example:8443",
            ),
            (&[("forwarded", "proto=https")], "https://kiln:3000"),
            // One family of headers: a client may have sent the other one through the proxy.
            (&[(PROTO, "https"), ("forwarded", "host=evil.example")], "https://kiln:3000"),
        ] {
            assert_eq!(base(&config, pairs), expected, "{pairs:?}");
        }
    }

    #[test]
    fn invalid_forwarded_values_are_ignored() {
        let config = trusting(&["private"]);
        for scheme in ["ftp", "javascript", "", "https://"] {
            assert_eq!(base(&config, &[(PROTO, scheme)]), "http://kiln:3000", "{scheme}");
        }
        for host in ["", "a b", "a/b", "user@a", "a?b", "a#b", "a<b>", "a:b:c", "{z}"] {
            assert_eq!(base(&config, &[(PROTO, "https"), (HOST, host)]), "https://kiln:3000", "{host}");
        }
        for prefix in ["heat", "//evil.example", "/a//b", "/../b", "/a?b", "/a#b", "/a\"b", "/{z}", "https://a", "/a b"]
        {
            assert_eq!(base(&config, &[(PROTO, "https"), (PREFIX, prefix)]), "https://kiln:3000", "{prefix}");
        }
    }

    #[test]
    fn untrusted_proxies_are_ignored_and_the_configured_base_takes_precedence() {
        let sent = [(PROTO, "https"), (HOST, "maps.example.org"), (PREFIX, "/heat")];
        for ranges in [&[][..], &["loopback"], &["10.0.0.6", "192.168.0.0/16"]] {
            assert_eq!(base(&trusting(ranges), &sent), "http://kiln:3000", "{ranges:?}");
        }
        let configured = ServerConfig { base_url: Some("https://own.example/x/".into()), ..trusting(&["private"]) };
        assert_eq!(base(&configured, &sent), "https://own.example/x");
        let unknown = BaseUrl::of(&trusting(&["private"]), &HeaderMap::new(), None);
        assert!(unknown.absolute().unwrap_err().detail().contains("server.base_url"));
        assert_eq!(unknown.url("imgs/a.png"), "/imgs/a.png");
        let secure = ServerConfig { tls_cert: Some("cert.pem".into()), ..trusting(&["private"]) };
        assert_eq!(base(&secure, &[]), "https://kiln:3000");
        assert_eq!(base(&secure, &[(HOST, "a.example")]), "https://a.example");
        assert_eq!(base(&secure, &[(PROTO, "http")]), "http://kiln:3000");
    }
}
