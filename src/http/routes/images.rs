//! `GET /imgs/{filename}`: rendered pictures.

use std::io::ErrorKind;
use std::path::Path as FilePath;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Response};

use crate::http::server::clock::now_s;
use crate::http::server::etag::png_response;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::images::ImageName;

/// A picture created by POST /overlays
///
/// A picture never changes. It is removed some time after its `expires_at`.
#[utoipa::path(get, path = "/imgs/{filename}", operation_id = "get_overlay_image", tag = "overlays",
    params(("filename" = String, Path, description = "The `filename` in the response of POST /overlays", example = "1732158000-67e5504410b1426f9247bb680e5fe0c8.png")),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 404, description = "The picture does not exist, or has expired", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn image(
    app: Session,
    Path(filename): Path<String>,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let not_found =
        || Problem::not_found("the picture does not exist, or has expired; POST /overlays creates a new one");
    let name: ImageName = filename.parse().map_err(|_| not_found())?;
    let bytes = if let Some(bytes) = app.bytes.get(&filename) {
        bytes
    } else {
        let bytes = read(app.images.path_of(name)).await?.ok_or_else(not_found)?;
        app.bytes.insert(filename.clone(), &bytes);
        bytes
    };
    let ttl_s = app.config.images.ttl.as_secs();
    let max_age_s = (name.created_s() + ttl_s).saturating_sub(now_s()).min(ttl_s);
    if max_age_s == 0 && !app.images.path_of(name).exists() {
        return Err(not_found());
    }
    let tag = format!("\"{}\"", filename.trim_end_matches(".png"));
    let cache_control = format!("public, max-age={max_age_s}, immutable");
    Ok(png_response(&headers, bytes, &tag, &cache_control))
}

/// Reads a file; `None` if it does not exist.
async fn read(path: impl AsRef<FilePath> + Send + 'static) -> HttpResult<Option<Bytes>> {
    let read = tokio::task::spawn_blocking(move || {
        // Kiln writes regular files only: links, pipes and folders are ignored.
        if std::fs::symlink_metadata(&path)?.is_file() { std::fs::read(path) } else { Err(ErrorKind::NotFound.into()) }
    })
    .await;
    match read.map_err(std::io::Error::other).and_then(|read| read) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::internal(format!("a picture cannot be read: {error}"))),
    }
}
