//! Normalization of request URIs.

use axum::http::uri::PathAndQuery;
use axum::http::{Method, Request, Uri};

/// Query parameters that clients add to bypass caches, such as jQuery's `_`. No parameter of the API has one of these
/// names.
pub(crate) const CACHE_BUSTERS: [&str; 7] = ["_", "cachebust", "cachebuster", "cb", "nocache", "t", "ts"];

/// Removes trailing slashes from the path, and the [`CACHE_BUSTERS`] from GET and HEAD requests, before routing and
/// caching.
pub(crate) fn normalize<B>(request: &mut Request<B>) {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    let uri = request.uri();
    let (path, query) = (trim_path(uri.path()), uri.query());
    let normalized = query.map(|query| {
        let pairs = query.split('&').filter(|pair| !is_read || !CACHE_BUSTERS.contains(&name_of(pair)));
        pairs.collect::<Vec<_>>().join("&")
    });
    if path == uri.path() && normalized.as_deref() == query {
        return;
    }
    let text = match normalized.filter(|query| !query.is_empty()) {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    // A part of a valid URI is valid.
    if let Ok(path_and_query) = PathAndQuery::try_from(text) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The path without trailing slashes. `/docs/` is kept: it redirects to `/docs`, since relative links of the page would
/// resolve differently.
fn trim_path(path: &str) -> &str {
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
    use crate::http::routes::openapi::ApiDoc;
    use crate::http::server::keys::CREDENTIALS;

    #[test]
    fn trailing_slashes_and_cache_busters_of_reads_are_removed() {
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
    fn no_parameter_has_the_name_of_a_cache_buster_or_a_credential() {
        let document = serde_json::to_value(ApiDoc::openapi()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|path| path.as_object().unwrap().values());
        let parameters = operations.flat_map(|operation| operation["parameters"].as_array().into_iter().flatten());
        let names: Vec<&str> = parameters.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert!(names.len() > 50);
        let is_reserved = |name: &&&str| CACHE_BUSTERS.contains(*name) || CREDENTIALS.contains(*name);
        assert_eq!(names.iter().find(is_reserved), None);
    }
}
