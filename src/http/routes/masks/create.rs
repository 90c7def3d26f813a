//! `POST /masks`: stores a mask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;

use super::reply::MaskReply;
use super::{WebhookOptions, background_bytes, check_webhook, decode_background, decode_permit, picture_size, resolve};
use crate::http::parameters::mask_upload::{ArrayOptions, BackgroundOptions, MaskUpload, ReadMaskOptions, UploadKind};
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::masks::{Masks, UploadedImage};
use crate::http::server::problem::{HttpResult, Problem};
use crate::masks::MaskOptions;

request_body! {
    /// A mask, its background and its style.
    MaskRequest(ArrayOptions, BackgroundOptions, ReadMaskOptions, WebhookOptions, MaskOptions),
    example: {"mask": [[0, 0.2, 0.9], [0.1, null, 1]], "colormap": "turbo", "opacity": 50, "blur_ksize": "none"}
}

/// Store a mask, and return its URLs
///
/// ```sh
/// curl localhost:3000/masks -H 'Content-Type: application/x-npy' --data-binary @cam.npy
/// curl localhost:3000/masks -F mask=@cam.npy -F background=@photo.jpg -F colormap=turbo -F opacity=50
/// ```
///
/// The body is the array itself, with the style in the query string; or a form with the files `mask` and `background`; or JSON.
/// Arrays are `.npy`, `.npz`, JSON rows, CSV, PNG or TIFF, by their content. As with `POST /overlays`, no token is required.
#[utoipa::path(post, path = "/masks", tag = "masks", request_body = MaskRequest,
    params(InQuery<ReadMaskOptions>, InQuery<WebhookOptions>, InQuery<MaskOptions>),
    responses(
        (status = 201, description = "The mask is stored", body = MaskReply, headers(("Location" = String))),
        (status = 400, description = "A parameter, the array or the background is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many pictures wait to be drawn, or it took too long", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "There is no room on the disk", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(State(app): State<Arc<App>>, base: BaseUrl, request: Request) -> HttpResult<Response<Body>> {
    let mut upload = MaskUpload::read(&app, request, UploadKind::Mask).await?;
    let read = upload.read_options(&app)?;
    let options: MaskOptions = upload.options()?;
    let WebhookOptions { webhook } = upload.options()?;
    let mut files = upload.finish()?;
    check_webhook(&app, webhook.as_deref())?;
    let style = resolve(&app, &options)?;
    if files.mask.is_none() {
        return Err(missing());
    }
    let background = background_bytes(&app, &mut files).await?;
    let permit = decode_permit(&app, &mut files).await?;
    let mask = files.mask.ok_or_else(missing)?;
    let shared = Arc::clone(&app);
    let work = move |stop: &AtomicBool| -> HttpResult<_> {
        // Held until the files are decoded and stored.
        let _permit = permit;
        let background = decode_background(&shared, background)?;
        let mask = Masks::read_array(&mask, &read)?;
        let size = background.as_ref().map(UploadedImage::size);
        picture_size(&shared, mask.values().size(), &style, size)?;
        let keep = shared.config.masks.keep();
        let created = shared.masks.create(&keep, mask, background.as_ref(), &style, stop, |record| {
            record.set_style(&options);
            record.webhook = webhook;
        })?;
        Ok((created, style))
    };
    let ((id, record), style) = app.pool.run(move |stop| Ok(work(stop))).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    let headers =
        [(header::LOCATION, base.url(&format!("masks/{id}"))), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(reply)).into_response())
}

fn missing() -> Box<Problem> {
    Problem::parameter("mask", "missing; send an array, a form with a file `mask`, or JSON rows")
}
