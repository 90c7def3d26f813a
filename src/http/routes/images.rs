//! `GET /imgs/{filename}`: the pictures that were written.

use std::io::ErrorKind;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::http::server::App;
use crate::http::server::problem::{Answer, Problem};
use crate::images::ImageName;

/// A picture that POST /overlays wrote
///
/// It never changes, and is gone some time after its `expires_at`.
#[utoipa::path(get, path = "/imgs/{filename}", tag = "overlays",
    params(("filename" = String, Path, description = "As POST /overlays answered it", example = "1732158000-67e5504410b1426f9247bb680e5fe0c8.png")),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The client has it already"),
        (status = 404, description = "There is no such picture, or no longer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn image(
    State(app): State<Arc<App>>,
    Path(filename): Path<String>,
    headers: HeaderMap,
) -> Answer<Response<Body>> {
    let gone = || Problem::not_found("there is no such picture, or no longer; POST /overlays makes new ones");
    let name: ImageName = filename.parse().map_err(|_| gone())?;
    let bytes = if let Some(bytes) = app.bytes.get(&filename) {
        bytes
    } else {
        let bytes = read(app.images.path_of(name)).await?.ok_or_else(gone)?;
        app.bytes.insert(filename.clone(), bytes.clone());
        bytes
    };
    let ttl_s = app.config.images.ttl.as_secs();
    let left_s = (name.created_s() + ttl_s).saturating_sub(now_s()).min(ttl_s);
    if left_s == 0 && !app.images.path_of(name).exists() {
        return Err(gone());
    }
    let tag = format!("\"{}\"", filename.trim_end_matches(".png"));
    let cache_control = format!("public, max-age={left_s}, immutable");
    Ok(png(&headers, bytes, &tag, &cache_control))
}

/// The file's bytes; `None` if it is not there.
async fn read(path: impl AsRef<FilePath> + Send + 'static) -> Answer<Option<Bytes>> {
    let read = tokio::task::spawn_blocking(move || {
        // Only what Kiln itself may have put there: no link, no pipe, no folder.
        if std::fs::symlink_metadata(&path)?.is_file() { std::fs::read(path) } else { Err(ErrorKind::NotFound.into()) }
    })
    .await;
    match read.map_err(std::io::Error::other).and_then(|read| read) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::internal(format!("a picture cannot be read: {error}"))),
    }
}

/// A PNG, or 304 where the client has it already.
pub(crate) fn png(asked: &HeaderMap, bytes: Bytes, tag: &str, cache_control: &str) -> Response<Body> {
    let mut response = if has(asked, tag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(bytes));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/png"));
        response
    };
    let headers = response.headers_mut();
    for (name, value) in [(header::ETAG, tag), (header::CACHE_CONTROL, cache_control)] {
        // Both are made of what headers may hold; a config that says otherwise goes without.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    response
}

/// Whether the client says that it has what bears the tag (RFC 9110, If-None-Match).
pub(crate) fn has(asked: &HeaderMap, tag: &str) -> bool {
    let listed = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed
        .flat_map(|list| list.split(','))
        .map(|item| item.trim().trim_start_matches("W/"))
        .any(|item| item == tag || item == "*")
}

/// Seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
