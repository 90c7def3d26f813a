//! `PUT /masks/{id}/background`: replaces the background of a mask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::reply::MaskReply;
use super::{background_bytes, decode_background, decode_permit, find, mask_not_found, picture_size, resolve};
use crate::http::parameters::mask_upload::{BackgroundOptions, MaskUpload, UploadKind};
use crate::http::parameters::openapi::request_body;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;

request_body! {
    /// The background of a mask.
    BackgroundRequest(BackgroundOptions),
    example: {"background": "https://img.example.org/photos/1.jpg"}
}

/// Replace the background of a mask
///
/// ```sh
/// curl -X PUT localhost:3000/masks/ID/background -H 'Content-Type: image/jpeg' --data-binary @photo.jpg
/// ```
///
/// The body is a PNG, JPEG, WebP or TIFF image, detected from the content, a form with a file `background`, or JSON with a path
/// or URL that the config allows. A request that fails changes nothing.
#[utoipa::path(put, path = "/masks/{id}/background", operation_id = "put_mask_background", tag = "masks", request_body = BackgroundRequest,
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "The mask has the new background", body = MaskReply),
        (status = 400, description = "The image is invalid, or its path or URL is not allowed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or rendering timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    app: Session,
    Path(id): Path<String>,
    base: BaseUrl,
    request: Request,
) -> HttpResult<Response<Body>> {
    let (id, record) = find(&app, &id).await?;
    let mut files = MaskUpload::read(&app, request, UploadKind::Background).await?.finish()?;
    if !files.mask.is_empty() {
        return Err(Problem::parameter("mask", "unexpected; replace the mask with PUT /masks/{id}/mask"));
    }
    let bytes = background_bytes(&app, &mut files).await?;
    let style = resolve(&app, &record.style()?)?;
    let permit = decode_permit(&app, &mut files).await?;
    let shared = Arc::clone(&app);
    let price = Price::of_image(bytes.as_ref().map_or(0, axum::body::Bytes::len), &app.config.limits);
    let work = move |stop: &AtomicBool| -> HttpResult<_> {
        // Kept until the image is decoded and stored.
        let _permit = permit;
        let Some(image) = decode_background(&shared, bytes)? else {
            return Err(Problem::parameter("background", "missing; send an image, or its path or URL"));
        };
        let (size, keep) = (image.size(), shared.config.masks.keep());
        let replaced = shared.masks.replace_background(id, &keep, image, stop, |record| {
            picture_size(&shared, (record.columns(), record.rows()), &style, Some(size)).map(drop)
        })?;
        Ok((replaced.ok_or_else(mask_not_found)?, style))
    };
    let (record, style) = app.pool.run_at(price, move |stop| Ok(work(stop))).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
