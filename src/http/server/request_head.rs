//! Normalization of the heads of requests: the host is that of the header `Host`, and HTTP/1.0 has a `Via` header.

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Uri, Version, header};

/// Moves the authority of the URI, if it has one, to the `Host` header: that of HTTP/2, and of a request in absolute
/// form. The log then has the same URI with every version of HTTP. A request of HTTP/1.0 gets a `Via` header, as from a
/// gateway: no browser and no current client sends one, but nginx does by default.
///
/// An authority that differs from the `Host` header becomes a second one, and a user stays in it:
/// [`check_host`](super::host::check_host) rejects both, for clients and proxies would read different hosts from them.
pub(super) fn normalize_head<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let port = if request.uri().scheme() == Some(&Scheme::HTTPS) { ":443" } else { ":80" };
    if let Some(path) = request.uri().path_and_query().filter(|_| authority.is_some()) {
        *request.uri_mut() = Uri::from(path.clone());
    }
    let version = request.version();
    let headers = request.headers_mut();
    if let Some(authority) = authority {
        let plain = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
        let is_same = |host: &HeaderValue| host.to_str().is_ok_and(|host| plain(host) == plain(&authority));
        let differs = !headers.get_all(header::HOST).iter().all(is_same);
        if let Ok(host) = HeaderValue::try_from(authority) {
            if differs {
                headers.append(header::HOST, host);
            } else {
                headers.insert(header::HOST, host);
            }
        }
    }
    if version < Version::HTTP_11 {
        headers.append(header::VIA, HeaderValue::from_static("1.0 kiln"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The `Host` and `Via` headers of a request after normalization.
    fn normalized(version: Version, uri: &str, hosts: &[&str]) -> (Vec<String>, Option<String>) {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let mut request = request.body(()).unwrap();
        normalize_head(&mut request);
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        let headers = request.headers();
        (headers.get_all(header::HOST).iter().map(text).collect(), headers.get(header::VIA).map(text))
    }

    #[test]
    fn the_authority_of_the_uri_is_the_host() {
        let hosts = |uri, hosts: &[&str]| normalized(Version::HTTP_11, uri, hosts).0;
        assert_eq!(hosts("/a", &["localhost:3000"]), ["localhost:3000"]);
        assert_eq!(hosts("http://evil.example:80/a", &["localhost:3000"]), ["localhost:3000", "evil.example:80"]);
        assert_eq!(hosts("http://localhost/a", &["evil.example"]), ["evil.example", "localhost"]);
        assert_eq!(hosts("http://ann:pw@evil.example/a", &[]), ["ann:pw@evil.example"]);
        assert_eq!(hosts("http://ann@localhost/a", &["localhost"]).len(), 2);
        assert_eq!(hosts("http://a/", &["b", "c"]).len(), 3);
        // The same host.
        assert_eq!(hosts("http://LOCALHOST/a", &["localhost:80"]), ["LOCALHOST"]);
        assert_eq!(hosts("https://localhost:443/a", &["localhost"]), ["localhost:443"]);
        assert_eq!(hosts("http://localhost:3000/a", &["localhost"]).len(), 2);
        assert!(hosts("/a", &[]).is_empty());
        let mut request = Request::builder().uri("https://localhost/a?b=1").body(()).unwrap();
        normalize_head(&mut request);
        assert_eq!(request.uri(), "/a?b=1");
    }

    #[test]
    fn requests_of_http_1_0_are_marked_as_relayed() {
        for (version, is_marked) in [(Version::HTTP_10, true), (Version::HTTP_11, false), (Version::HTTP_2, false)] {
            assert_eq!(normalized(version, "/", &["a"]).1.is_some(), is_marked, "{version:?}");
        }
    }
}
