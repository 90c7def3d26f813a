//! `GET /masks/{id}.png`: the picture of a mask.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response};

use super::{find, picture_size, resolve};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::etag::{etag, is_cached, png_response};
use crate::http::server::masks::{mask_problem, picture_key};
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::masks::MaskOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};

parameter_set! {
    /// Options of a mask's picture.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct MaskPictureOptions {
        /// Whether to draw the mask over its background. Without it, the other pixels are transparent.
        background: bool = Declaration::new(Parameter::BACKGROUND, Kind::Boolean).default("true"),
    }
}

/// Draw a mask
///
/// Draws the mask over its background, as the `Heatmap` widget does; with `background=false`, only the mask. Style parameters
/// override the stored style. A change of the colormap or the opacity requires no new read or blur.
#[utoipa::path(get, path = "/masks/{id}.png", operation_id = "get_mask_image", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<MaskPictureOptions>, InQuery<MaskOptions>),
    responses(
        (status = 200, description = "The picture", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The copy of the client is current"),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The picture exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or rendering timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn picture(app: Session, headers: &HeaderMap, id: &str, query: &str) -> HttpResult<Response<Body>> {
    /// The style, the values and the background may change at any time.
    const CACHE_CONTROL: &str = "no-cache";
    let mut fields = Fields::from_query(query)?;
    let MaskPictureOptions { background } = fields.read()?;
    let options: MaskOptions = fields.read()?;
    fields.finish()?;
    let (id, record) = find(&app, id).await?;
    let over = background.unwrap_or(true) && record.background.is_some();
    let options = options.over(record.style()?);
    let style = resolve(&app, &options)?;
    let size = picture_size(&app, (record.columns(), record.rows()), &style, record.background_size())?;
    let key = picture_key(&record, &options, over);
    let tag = etag(&key);
    if is_cached(headers, &tag) {
        return Ok(png_response(headers, Bytes::new(), &tag, CACHE_CONTROL));
    }
    // Without the background the picture has the same size, so that a page can place it over the background.
    let style = crate::mask::MaskStyle { width: Some(size.0), height: Some(size.1), ..style };
    let cells = record.columns() as u64 * record.rows() as u64;
    let price = Price::of_mask_picture(cells, &style, size, app.masks.has_levels(&record, &style));
    let shared = Arc::clone(&app);
    let draw = || async {
        let permit = app.masks.reload_permit(&record, &style, over).await?;
        let work = move |stop: &AtomicBool| {
            // Kept until the mask and its background are read.
            let _permit = permit;
            let timer = shared.metrics.render();
            let limits = &shared.config.limits;
            let picture = match shared.masks.render(id, &record, &style, over, limits, stop) {
                Ok(picture) => picture,
                Err(error) => return Ok(Err(mask_problem(error))),
            };
            let bytes = picture.png()?;
            timer.done();
            Ok(Ok(Bytes::from(bytes)))
        };
        app.pool.run_at(price, work).await?
    };
    let (bytes, was_cached) = app.bytes.get_or_make(&key, draw).await?;
    app.metrics.cache(was_cached);
    Ok(png_response(headers, bytes, &tag, CACHE_CONTROL))
}
