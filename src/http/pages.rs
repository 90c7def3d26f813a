//! The pages that people see, built into the binary.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Response, header};
use axum::response::{IntoResponse, Redirect};

use super::digest::etag;
use super::fields::Answer;
use super::images::has;
use super::problem::Problem;

/// Scripts and pictures from here alone; Leaflet sets styles on its elements.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
                      object-src 'none'; base-uri 'none'; frame-ancestors 'self'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// What the pages are made of: name, type, text.
const ASSETS: [(&str, &str, &str); 6] = [
    ("page.js", SCRIPT, include_str!("../../web/plain/page.js")),
    ("page.css", STYLE, include_str!("../../web/plain/page.css")),
    ("docs.js", SCRIPT, include_str!("../../web/plain/docs.js")),
    ("leaflet.js", SCRIPT, include_str!("../../web/plain/vendor/leaflet.js")),
    ("leaflet.css", STYLE, include_str!("../../web/plain/vendor/leaflet.css")),
    ("land.json", "application/json", include_str!("../../web/plain/vendor/land.json")),
];

/// The map page.
pub(super) async fn index() -> Response<Body> {
    page(include_str!("../../web/plain/index.html"))
}

/// The contract, to be read.
pub(super) async fn docs() -> Response<Body> {
    page(include_str!("../../web/plain/docs.html"))
}

/// `/docs/` is `/docs`, whatever stands before it.
pub(super) async fn docs_with_slash() -> Redirect {
    Redirect::permanent("../docs")
}

fn page(html: &'static str) -> Response<Body> {
    let headers = [
        (header::CONTENT_TYPE, HTML),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, html).into_response()
}

/// A script, a style sheet or the outlines of the land.
pub(super) async fn asset(Path(name): Path<String>, asked: HeaderMap) -> Answer<Response<Body>> {
    let found = ASSETS.iter().find(|(known, ..)| *known == name);
    let (_, content_type, text) = found.ok_or_else(|| Problem::not_found("there is no such file"))?;
    let tag = etag(text);
    let headers = [(header::CACHE_CONTROL, "no-cache"), (header::ETAG, tag.as_str())];
    if has(&asked, &tag) {
        return Ok((axum::http::StatusCode::NOT_MODIFIED, headers).into_response());
    }
    Ok((headers, [(header::CONTENT_TYPE, *content_type), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")], *text)
        .into_response())
}

/// A small flame, so that browsers need not ask in vain.
pub(super) async fn favicon() -> impl IntoResponse {
    const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="15" fill="#7b2cbf"/><circle cx="16" cy="17" r="10" fill="#f3722c"/><circle cx="16" cy="18" r="5" fill="#fff3b0"/></svg>"##;
    ([(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=86400")], ICON)
}
