//! Normalization of the heads of requests: the host is that of the header `Host`, and HTTP/1.0 has a `Via` header.

use axum::http::{HeaderValue, Request, Uri, Version, header};

/// Moves the authority of the URI, if it has one, to the `Host` header: that of HTTP/2, and of a request in absolute
/// form, where RFC 9112 gives it precedence. The log then has the same URI with every version of HTTP. A request of HTTP/1.0 gets a `Via` header, as from a gateway: no browser and
/// no current client sends one, but nginx does by default.
///
/// Several `Host` headers are left alone; [`check_host`](super::host::check_host) rejects them.
pub(super) fn normalize_head<B>(request: &mut Request<B>) {
    let authority = request.uri().authority().map(|authority| {
        let text = authority.as_str();
        text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned()
    });
    if let Some(path) = request.uri().path_and_query().filter(|_| authority.is_some()) {
        *request.uri_mut() = Uri::from(path.clone());
    }
    let version = request.version();
    let headers = request.headers_mut();
    if let Some(host) = authority.and_then(|host| HeaderValue::try_from(host).ok())
        && headers.get_all(header::HOST).iter().count() <= 1
    {
        headers.insert(header::HOST, host);
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
        assert_eq!(hosts("http://evil.example:80/a", &["localhost:3000"]), ["evil.example:80"]);
        assert_eq!(hosts("http://ann:pw@evil.example/a", &[]), ["evil.example"]);
        assert_eq!(hosts("http://a/", &["b", "c"]), ["b", "c"]);
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
