//! Conditional requests: entity tags and 304 responses.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use headers::{ETag, HeaderMapExt, IfNoneMatch};

use super::digest::digest_of_parts;

/// Returns the `ETag` of a canonical text or of a file's content. It is the same in every process of this version of
/// Kiln.
pub(crate) fn etag(text: impl AsRef<[u8]>) -> String {
    etag_of_version(env!("CARGO_PKG_VERSION"), text.as_ref())
}

fn etag_of_version(version: &str, text: &[u8]) -> String {
    format!("\"{:032x}\"", digest_of_parts(&[version.as_bytes(), b"\n", text]))
}

/// Whether `If-None-Match` of the request lists `tag` (RFC 9110).
pub(crate) fn is_cached(request: &HeaderMap, tag: &str) -> bool {
    let Some(listed) = request.typed_get::<IfNoneMatch>() else { return false };
    tag.parse::<ETag>().is_ok_and(|tag| !listed.precondition_passes(&tag))
}

/// Responds with a PNG, or with 304 if the client has cached it.
pub(crate) fn png_response(request: &HeaderMap, bytes: Bytes, tag: &str, cache_control: &str) -> Response<Body> {
    tagged_response(request, "image/png", bytes, tag, cache_control)
}

/// Responds with `bytes` of a media type, or with 304 if the client has cached them.
pub(crate) fn tagged_response(
    request: &HeaderMap,
    media_type: &'static str,
    bytes: Bytes,
    tag: &str,
    cache_control: &str,
) -> Response<Body> {
    let mut response = if is_cached(request, tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        response
    };
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, cache_control)] {
        // Only the configured Cache-Control can be an invalid header value; it is then omitted.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_the_version_and_the_text_alone() {
        assert_eq!(etag_of_version("0.1.0", b"tile/1"), "\"f2f8efec7d3ef3ece26bd7b19942f039\"");
        assert_ne!(etag_of_version("0.1.0", b"tile/1"), etag_of_version("0.1.1", b"tile/1"));
        assert_ne!(etag("tile/1"), etag("tile/2"));
    }

    #[test]
    fn listed_weak_and_strong_tags_match() {
        let cached = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            is_cached(&headers, "\"1-a\"")
        };
        for listed in [
            &["\"1-a\""][..],
            &["W/\"1-a\""],
            &["*"],
            &["\"x\", \"1-a\""],
            &["\"x,y\",W/\"1-a\""],
            &["\"x\"", "\"1-a\""],
        ] {
            assert!(cached(listed), "{listed:?}");
        }
        for other in [&[][..], &[""], &["1-a"], &["\"1-b\""], &["\"1-a"], &["\"a b\""]] {
            assert!(!cached(other), "{other:?}");
        }
    }
}
