//! `PUT /masks/{id}/mask`: replaces the values of a mask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{Response, header};
use axum::response::IntoResponse;

use super::reply::MaskReply;
use super::{decode_permit, find, mask_not_found, picture_size, resolve};
use crate::http::parameters::mask_upload::{ArrayOptions, ClassNamesOptions, MaskUpload, UploadKind};
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::base_url::BaseUrl;
use crate::http::server::masks::Masks;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::mask::MaskStyle;
use crate::masks::ReadMaskOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

parameter_set! {
    /// The size of annotations.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct AnnotationSize {
        /// Width of a mask of annotations in pixels; the picture keeps its size.
        width: u32 = Declaration::new(Parameter::WIDTH, SIDE).default("the style's, else that of the images"),
        /// Height of a mask of annotations in pixels.
        height: u32 = Declaration::new(Parameter::HEIGHT, SIDE).default("the style's, else that of the images"),
    }
}

const SIDE: Kind = Kind::Integer { min: 1, max: MaskStyle::MAX_SIDE_PX as u64 };

request_body! {
    /// The values of a mask.
    ValuesRequest(ArrayOptions, ReadMaskOptions, ClassNamesOptions, AnnotationSize),
    example: {"mask": [[0, 0.2, 0.9], [0.1, null, 1]]}
}

/// Replace the values of a mask
///
/// ```sh
/// curl -X PUT localhost:3000/masks/ID/mask -H 'Content-Type: application/x-npy' --data-binary @cam.npy
/// ```
///
/// An array or annotations, as `POST /masks` reads them. The style, background and time of expiry stay. A request that fails changes nothing.
#[utoipa::path(put, path = "/masks/{id}/mask", operation_id = "put_mask_values", tag = "masks",
    request_body(content((ValuesRequest = "application/json"), (Vec<u8> = "application/octet-stream"))),
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<ReadMaskOptions>, InQuery<ClassNamesOptions>, InQuery<AnnotationSize>),
    responses(
        (status = 200, description = "The mask has the new values", body = MaskReply),
        (status = 400, description = "A parameter or the array is invalid", body = Problem, content_type = "application/problem+json"),
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
    let mut upload = MaskUpload::read(&app, request, UploadKind::Mask).await?;
    let options = record.style()?;
    let AnnotationSize { width, height } = upload.options()?;
    let (width, height) = if width.or(height).is_some() { (width, height) } else { (options.width, options.height) };
    let reading = upload.reading(&app, width, height)?;
    let mut files = upload.finish()?;
    if files.background.is_some() {
        return Err(Problem::parameter(
            "background",
            "unexpected; replace the background with PUT /masks/{id}/background",
        ));
    }
    if files.mask.is_empty() {
        return Err(Problem::parameter("mask", "missing; send an array or annotations"));
    }
    let style = resolve(&app, &options)?;
    let permit = decode_permit(&app, &mut files).await?;
    let price = Price::of_mask_files(files.mask.iter().map(|file| file.bytes.len()).sum(), &style);
    let shared = Arc::clone(&app);
    let work = move |stop: &AtomicBool| -> HttpResult<_> {
        // Kept until the array is decoded and stored.
        let _permit = permit;
        let (mask, remarks) = Masks::read_mask(&files.mask, &reading)?;
        let (size, keep) = (mask.values().size(), shared.config.masks.keep());
        let replaced = shared.masks.replace_values(id, &keep, mask, &style, stop, |record| {
            record.remarks = remarks;
            picture_size(&shared, size, &style, record.background_size()).map(drop)
        })?;
        Ok((replaced.ok_or_else(mask_not_found)?, style))
    };
    let (record, style) = app.pool.run_at(price, move |stop| Ok(work(stop))).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}
