//! `GET /masks/{id}/legend.png` and `legend.json`: the legend of a mask.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{find, resolve};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::routes::legend::TickReply;
use crate::http::routes::overlays::SpanLegendOptions;
use crate::http::server::App;
use crate::http::server::etag::{etag, png_response};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::mask::MaskStyle;
use crate::masks::{MaskOptions, MaskRecord, draw_legend, legend_ticks};
use crate::parameters::ParameterSet;

/// The legend of a mask.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MaskLegendReply {
    /// Title of the request.
    title: String,
    /// Unit of the request.
    unit: String,
    /// Name of the colormap.
    #[schema(example = "jet")]
    colormap: String,
    /// Value of the lowest level.
    vmin: f64,
    /// Value of the highest level.
    vmax: f64,
    /// Round values and their positions.
    ticks: Vec<TickReply>,
    /// Evenly spaced colors from the lowest to the highest level, as `#rrggbbaa`, without the opacity.
    colors: Vec<String>,
}

/// The parameters of a legend request, resolved.
struct Legend {
    title: String,
    unit: String,
    pixel_ratio: f32,
    style: MaskStyle,
    bounds: (f64, f64),
}

impl Legend {
    async fn read(app: &Arc<App>, id: &str, query: &str) -> HttpResult<Self> {
        let mut fields = Fields::from_query(query)?;
        let SpanLegendOptions { title, unit, pixel_ratio } = fields.read()?;
        let options: MaskOptions = fields.read()?;
        fields.finish()?;
        let (_, record) = find(app, id).await?;
        let style = resolve(app, &options.over(record.style()?))?;
        Ok(Self {
            title: title.unwrap_or_default(),
            unit: unit.unwrap_or_default(),
            pixel_ratio: pixel_ratio.unwrap_or(1.0) as f32,
            bounds: bounds(&record, &style)?,
            style,
        })
    }
}

/// The values of the lowest and the highest level, the same as in the picture.
fn bounds(record: &MaskRecord, style: &MaskStyle) -> HttpResult<(f64, f64)> {
    let (vmin, vmax) = record
        .bounds(style)
        .ok_or_else(|| Problem::parameter("vmin", "the mask has no finite value; set vmin and vmax"))?;
    // A constant mask has one value for both, unless both are given.
    let is_inferred = style.vmin.is_none() || style.vmax.is_none();
    let is_constant = is_inferred && record.range.is_some_and(|(least, most)| least >= most) && vmin <= vmax;
    if vmin >= vmax && !is_constant {
        let name = if style.vmin.is_some() { "vmin" } else { "vmax" };
        return Err(Problem::parameter(name, format!("vmin ({vmin}) must be less than vmax ({vmax})")));
    }
    Ok((vmin, vmax))
}

/// Legend of a mask as a picture
///
/// Style parameters override the stored style, as in the picture.
#[utoipa::path(get, path = "/masks/{id}/legend.png", operation_id = "get_mask_legend_image", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<SpanLegendOptions>, InQuery<MaskOptions>),
    responses(
        (status = 200, description = "The legend", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The copy of the client is current"),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend_png(
    app: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let Legend { title, unit, pixel_ratio, style, bounds } =
        Legend::read(&app, &id, query.as_deref().unwrap_or_default()).await?;
    let colors = style.colormap.colors();
    let key = format!("mask legend/{title:?}/{unit:?}/{pixel_ratio}/{bounds:?}/{colors:?}");
    let tag = etag(&key);
    let draw = || app.pool.run(move |_| draw_legend(&style, bounds, &title, &unit, pixel_ratio).map(Bytes::from));
    let (bytes, was_cached) = app.bytes.get_or_make(&format!("mask legend/{tag}"), draw).await?;
    app.metrics.cache(was_cached);
    Ok(png_response(&headers, bytes, &tag, "no-cache"))
}

/// Legend of a mask as JSON
///
/// Style parameters override the stored style, as in the picture.
#[utoipa::path(get, path = "/masks/{id}/legend.json", operation_id = "get_mask_legend", tag = "masks",
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8"),
        InQuery<SpanLegendOptions>, InQuery<MaskOptions>),
    responses(
        (status = 200, description = "The legend", body = MaskLegendReply),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend_json(
    app: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    const STEPS: usize = 16;
    let Legend { title, unit, style, bounds: (vmin, vmax), .. } =
        Legend::read(&app, &id, query.as_deref().unwrap_or_default()).await?;
    let color = |step: usize| {
        let [r, g, b, a] = style.colormap.colors()[step * 255 / STEPS];
        format!("#{r:02x}{g:02x}{b:02x}{a:02x}")
    };
    let reply = MaskLegendReply {
        title,
        unit,
        colormap: style.colormap.name().to_owned(),
        vmin,
        vmax,
        ticks: legend_ticks(vmin, vmax).into_iter().map(TickReply::from).collect(),
        colors: (0..=STEPS).map(color).collect(),
    };
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(reply)).into_response())
}
