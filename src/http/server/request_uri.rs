//! Differences between request URIs that mean nothing.

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Uri};

/// Query parameters that clients add to get past caches, such as jQuery's `_`. No parameter has one of these names.
pub(crate) const CACHE_BUSTERS: [&str; 7] = ["_", "cachebust", "cachebuster", "cb", "nocache", "t", "ts"];

/// Removes slashes at the end of the path, and of GET and HEAD requests the [`CACHE_BUSTERS`], so that neither routes nor
/// caches see them.
pub(crate) fn normalize<B>(request: &mut Request<B>) {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let uri = request.uri();
    let (path, query) = (path_of(uri.path()), uri.query());
    let kept = query.map(|query| {
        let pairs = query.split('&').filter(|pair| !is_read || !CACHE_BUSTERS.contains(&name_of(pair)));
        pairs.collect::<Vec<_>>().join("&")
    });
    if path == uri.path() && kept.as_deref() == query {
        return;
    }
    let text = match kept.filter(|kept| !kept.is_empty()) {
        Some(kept) => format!("{path}?{kept}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    // What is left of a valid URI is valid.
    if let Ok(path_and_query) = PathAndQuery::try_from(text) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The path without slashes at its end. `/docs/` stays: relative links of its page lead elsewhere than those of `/docs`, to
/// which it redirects.
fn path_of(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        "/docs" => path,
        trimmed => trimmed,
    }
}

fn name_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use utoipa::OpenApi;

    use super::*;
    use crate::http::routes::openapi::Contract;

    #[test]
    fn slashes_at_the_end_and_cache_busters_of_reads_are_removed() {
        for (uri, read, write) in [
            ("/", "/", "/"),
            ("//", "/", "/"),
            ("/cities", "/cities", "/cities"),
            ("/cities/", "/cities", "/cities"),
            ("/cities//?radius=5", "/cities?radius=5", "/cities?radius=5"),
            ("/docs/", "/docs/", "/docs/"),
            ("/a/b.png?_=17&radius=5&t&cachebust=", "/a/b.png?radius=5", "/a/b.png?_=17&radius=5&t&cachebust="),
            ("/a?_=1", "/a", "/a?_=1"),
            ("/a?t=1&t=2", "/a", "/a?t=1&t=2"),
            ("/a?", "/a?", "/a?"),
            ("/a?radius=%2F&time=t&tt=1&x=_", "/a?radius=%2F&time=t&tt=1&x=_", "/a?radius=%2F&time=t&tt=1&x=_"),
            ("http://host:80/a/?cb=1", "http://host:80/a", "http://host:80/a?cb=1"),
        ] {
            for (method, expected) in [(Method::GET, read), (Method::HEAD, read), (Method::POST, write)] {
                let mut request = Request::builder().method(&method).uri(uri).body(()).unwrap();
                normalize(&mut request);
                assert_eq!(request.uri().to_string(), expected, "{method} {uri}");
            }
        }
    }

    #[test]
    fn no_parameter_is_called_as_a_cache_buster() {
        let contract = serde_json::to_value(Contract::openapi()).unwrap();
        let paths = contract["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        let names: Vec<&str> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert!(names.len() > 50);
        assert!(names.iter().all(|name| !CACHE_BUSTERS.contains(name)), "{names:?}");
    }
}
