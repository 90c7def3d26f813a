//! `PUT /masks/{id}/mask`: other values.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::reply::MaskReply;
use super::{decode_permit, find, gone, picture_size, resolve};
use crate::http::parameters::mask_upload::{ArrayOptions, MaskUpload, ReadMaskOptions, UploadKind};
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::masks::Masks;
use crate::http::server::problem::{HttpResult, Problem};

request_body! {
    /// The values of a mask.
    ValuesRequest(ArrayOptions, ReadMaskOptions),
    example: {"mask": [[0, 0.2, 0.9], [0.1, null, 1]]}
}

/// Replace the values of a mask
///
/// ```sh
/// curl -X PUT localhost:3000/masks/ID/mask -H 'Content-Type: application/x-npy' --data-binary @cam.npy
/// ```
///
/// Its style, background and time of expiry stay. A request that fails changes nothing.
#[utoipa::path(put, path = "/masks/{id}/mask", tag = "masks", request_body = ValuesRequest,
    params(("id" = String, Path, description = "As POST /masks returned it", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<ReadMaskOptions>),
    responses(
        (status = 200, description = "The mask has the new values", body = MaskReply),
        (status = 400, description = "A parameter or the array is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such mask, or no longer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many pictures wait to be drawn, or it took too long", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "There is no room on the disk", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    base: BaseUrl,
    request: Request,
) -> HttpResult<Response<Body>> {
    let (id, record) = find(&app, &id).await?;
    let mut upload = MaskUpload::read(&app, request, UploadKind::Mask).await?;
    let read = upload.read_options(&app)?;
    let mut files = upload.finish()?;
    if files.background.is_some() {
        return Err(Problem::parameter("background", "PUT /masks/{id}/background replaces it"));
    }
    let Some(bytes) = files.mask.take() else { return Err(Problem::parameter("mask", "missing; send an array")) };
    let style = resolve(&app, &record.style()?)?;
    let permit = decode_permit(&app, &mut files).await?;
    let shared = Arc::clone(&app);
    let work = move |stop: &AtomicBool| -> HttpResult<_> {
        // Held until the array is decoded and stored.
        let _permit = permit;
        let mask = Masks::read_array(&bytes, &read)?;
        let (size, keep) = (mask.values().size(), shared.config.masks.keep());
        let replaced = shared.masks.replace_values(id, &keep, mask, &style, stop, |record| {
            picture_size(&shared, size, &style, record.background_size()).map(drop)
        })?;
        Ok((replaced.ok_or_else(gone)?, style))
    };
    let (record, style) = app.pool.run(move |stop| Ok(work(stop))).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
