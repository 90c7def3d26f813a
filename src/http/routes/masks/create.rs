//! `POST /masks`: stores a mask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use utoipa::ToSchema;

use super::reply::MaskReply;
use super::{WebhookOptions, background_bytes, check_webhook, decode_background, decode_permit, picture_size, resolve};
use crate::http::parameters::mask_upload::{
    ArrayOptions, BackgroundOptions, ClassNamesOptions, MaskUpload, UploadKind,
};
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::base_url::BaseUrl;
use crate::http::server::masks::{Masks, UploadedImage};
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::masks::{MaskOptions, ReadMaskOptions};

request_body! {
    /// A mask, its background and its style.
    MaskRequest(ArrayOptions, BackgroundOptions, ReadMaskOptions, ClassNamesOptions, WebhookOptions, MaskOptions),
    example: {"mask": [[0, 0.2, 0.9], [0.1, null, 1]], "colormap": "turbo", "opacity": 50, "blur_ksize": "none"}
}

/// Files of a mask. Text fields are parameters, like those of the query string.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "documents the body in OpenAPI")]
pub(crate) struct MaskFiles {
    /// An array, or one or more files with annotations.
    #[schema(value_type = Vec<String>, format = Binary)]
    mask: Vec<Vec<u8>>,
    /// Image behind the mask.
    #[schema(value_type = Option<String>, format = Binary)]
    background: Option<Vec<u8>>,
}

/// Store a mask, and return its URLs
///
/// ```sh
/// curl localhost:3000/masks -H 'Content-Type: application/x-npy' --data-binary @cam.npy
/// curl localhost:3000/masks -F mask=@cam.npy -F background=@photo.jpg -F colormap=turbo -F opacity=50
/// curl localhost:3000/masks -F mask=@1.json -F mask=@2.json -F class=car,bus
/// ```
///
/// The body is the array itself, with the style in the query string, a form with the files `mask` and `background`, or JSON.
/// Arrays are `.npy`, `.npz`, JSON rows, CSV, PNG or TIFF, detected from the content. Annotations (Supervisely JSON, COCO JSON,
/// YOLO text) are drawn as a mask that counts the labels of each pixel; a form may have several files `mask` with annotations.
/// YOLO text is expected if there are several files, or if `class`, `class_names`, `skip_crowds` or `annotations` is set. As for
/// `POST /overlays`, no token is required.
#[utoipa::path(post, path = "/masks", operation_id = "create_mask", tag = "masks",
    request_body(content((MaskRequest = "application/json"), (MaskFiles = "multipart/form-data"), (Vec<u8> = "application/octet-stream"))),
    params(InQuery<ReadMaskOptions>, InQuery<ClassNamesOptions>, InQuery<WebhookOptions>, InQuery<MaskOptions>),
    responses(
        (status = 201, description = "The mask is stored", body = MaskReply, headers(("Location" = String))),
        (status = 400, description = "A parameter, the array or the background is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or rendering timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(app: Session, base: BaseUrl, request: Request) -> HttpResult<Response<Body>> {
    let mut upload = MaskUpload::read(&app, request, UploadKind::Mask).await?;
    let options: MaskOptions = upload.options()?;
    let reading = upload.reading(&app, options.width, options.height)?;
    let WebhookOptions { webhook } = upload.options()?;
    let mut files = upload.finish()?;
    check_webhook(&app, webhook.as_deref())?;
    let style = resolve(&app, &options)?;
    if files.mask.is_empty() {
        let why = "missing; send an array or annotations, a form with a file `mask`, or JSON rows";
        return Err(Problem::parameter("mask", why));
    }
    let background = background_bytes(&app, &mut files).await?;
    let permit = decode_permit(&app, &mut files).await?;
    let price = Price::of_mask_files(files.mask.iter().map(|file| file.bytes.len()).sum(), &style);
    let shared = Arc::clone(&app);
    let work = move |stop: &AtomicBool| -> HttpResult<_> {
        // Kept until the files are decoded and stored.
        let _permit = permit;
        let background = decode_background(&shared, background)?;
        let (mask, remarks) = Masks::read_mask(&files.mask, &reading)?;
        let size = background.as_ref().map(UploadedImage::size);
        picture_size(&shared, mask.values().size(), &style, size)?;
        let keep = shared.config.masks.keep();
        let created = shared.masks.create(&keep, mask, background.as_ref(), &style, stop, |record| {
            record.set_style(&options);
            record.webhook = webhook;
            record.remarks = remarks;
        })?;
        Ok((created, style))
    };
    let ((id, record), style) = app.pool.run_at(price, move |stop| Ok(work(stop))).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    let headers =
        [(header::LOCATION, base.url(&format!("masks/{id}"))), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((StatusCode::CREATED, headers, Json(reply)).into_response())
}
