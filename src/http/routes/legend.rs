//! `GET /{layer}/legend.png` and `legend.json`: the legend of a layer's picture.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::encode::Tick;
use crate::geo::Bounds;
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::canvas_parameters::{PolarRows, canvas, fitted_canvas};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::layer_style::LayerStyle;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::shared::{BOUNDS, PIXEL_RATIO, ProjectionOptions, SIZE, TITLE, ZOOM, Zoom};
use crate::http::parameters::tile_address::{TileAddress, check_zoom};
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::etag::{etag, png_response};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::scale::SpanReply;
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Size, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::parameter_set;

/// The legend of a picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LegendReply {
    /// Title of the legend.
    title: String,
    /// Values of the coldest and the hottest color; null for the classic blend, whose colors are absolute.
    span: Option<SpanReply>,
    /// Ticks at round values.
    ticks: Vec<TickReply>,
    /// Evenly spaced colors from cold to hot, as `#rrggbbaa`.
    colors: Vec<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TickReply {
    /// Position from 0, the coldest color, to 1, the hottest.
    position: f64,
    /// Value of the tick.
    value: f64,
    /// Formatted value.
    label: String,
}

impl From<Tick> for TickReply {
    fn from(Tick { position, value, label }: Tick) -> Self {
        Self { position, value, label }
    }
}

parameter_set! {
    /// A legend, and the picture or tiles that it belongs to.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct LegendOptions {
        title: String = TITLE.default("the layer's title"),
        pixel_ratio: f64 = PIXEL_RATIO,
        /// Zoom, for the legend of tiles instead of a picture, from 0 except on a plane; a fraction is rounded to the
        /// nearest integer.
        zoom: Zoom = ZOOM,
        bounds: Bounds = BOUNDS.default("fitted to the layer"),
    }
}

parameter_set! {
    /// The size of the picture that a legend belongs to.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct SizeOptions {
        size: Size = SIZE,
    }
}

/// Reads the render request of the picture, the title and the pixel ratio of a legend.
fn read_request(app: &Session, layer: &str, query: &str) -> HttpResult<(RenderRequest, String, f32)> {
    let layer = app.layer(layer)?;
    let mut fields = Fields::from_query(query)?;
    let LegendOptions { title, pixel_ratio, zoom, bounds } = fields.read()?;
    let bounds = BoundsCrs::read(&mut fields)?.to_layer(&layer, bounds)?;
    let title = title.unwrap_or_else(|| layer.title().to_owned());
    let ratio = pixel_ratio.unwrap_or(1.0) as f32;
    let zoom_name = fields.name_of(Parameter::ZOOM);
    if let Some(zoom) = zoom {
        if bounds.is_some() {
            return Err(Problem::parameter(zoom_name, "zoom and bounds are mutually exclusive; omit one of them"));
        }
        let style = TileStyle::read(&app.schemes, &app.config.limits, &layer, &mut fields)?;
        fields.finish()?;
        let tile = TileAddress::first_of(&layer, check_zoom(&layer, zoom_name, zoom)?)?;
        return Ok((style.request(&app.config.limits, &layer, tile, PixelRatio::ONE)?, title, ratio));
    }
    let SizeOptions { size } = fields.read()?;
    let size = size.unwrap_or_default();
    let style = LayerStyle::read(&app.schemes, &app.config.limits, &layer, &mut fields)?;
    fields.finish()?;
    let canvas = if let Some(bounds) = bounds {
        canvas(&app.config.limits, style.projection, bounds, size, PolarRows::Pad)?
    } else {
        layer.require_positions()?;
        fitted_canvas(&app.config.limits, layer.extent(), style.projection, size, &style.options, &style.scheme)?
    };
    Ok((style.on(&app.config.limits, &layer, canvas)?, title, ratio))
}

/// The legend of a layer's picture as a PNG
///
/// The parameters are those of the picture, or of tiles if `zoom` is set. Without `bounds` and `zoom`, the legend is
/// that of a picture of the whole layer.
#[utoipa::path(get, path = "/{layer}/legend.png", operation_id = "get_legend_image", tag = "layers", params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<LegendOptions>,
        InQuery<BoundsCrsOptions>, InQuery<SizeOptions>, InQuery<ProjectionOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The legend", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend_png(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let (key, bytes) = draw(&app, &layer, query.as_deref().unwrap_or_default()).await?;
    Ok(png_response(&headers, bytes, &etag(&key), &app.config.server.cache_control))
}

/// The legend of `GET /{layer}/legend.png` with a query string, as a PNG.
pub(super) async fn legend_of(app: &Session, layer: &str, query: &str) -> HttpResult<Bytes> {
    draw(app, layer, query).await.map(|(_, bytes)| bytes)
}

/// Returns the key of the legend and its PNG, cached or newly drawn.
async fn draw(app: &Session, layer: &str, query: &str) -> HttpResult<(String, Bytes)> {
    let (request, title, ratio) = read_request(app, layer, query)?;
    let key = format!("legend/{title}/{ratio}/{}", request.key());
    let (shared, layer) = (Arc::clone(app), request.subject.layer());
    let draw = || {
        app.run_for(layer, request.price(), move |stop| {
            let scale = request.scale(&shared, stop)?;
            scale.legend(&title, ratio)
        })
    };
    let (bytes, was_cached) = app.bytes.get_or_make(&key, draw).await?;
    app.metrics.cache(was_cached);
    Ok((key, bytes))
}

/// The legend of a layer's picture as JSON
///
/// The parameters are those of the picture, or of tiles if `zoom` is set. Without `bounds` and `zoom`, the legend is
/// that of a picture of the whole layer.
#[utoipa::path(get, path = "/{layer}/legend.json", operation_id = "get_legend", tag = "layers", params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<LegendOptions>,
        InQuery<BoundsCrsOptions>, InQuery<SizeOptions>, InQuery<ProjectionOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The legend", body = LegendReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend_json(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let (request, title, ratio) = read_request(&app, &layer, query.as_deref().unwrap_or_default())?;
    let key = format!("legend.json/{title}/{ratio}/{}", request.key());
    let (shared, layer) = (Arc::clone(&app), request.subject.layer());
    let make = || {
        app.run_for(layer, request.price(), move |stop| {
            let scale = request.scale(&shared, stop)?;
            let palette = scale.style.legend_palette();
            let color = |index: u8| {
                let [r, g, b, a] = palette.rgba(index);
                format!("#{r:02x}{g:02x}{b:02x}{a:02x}")
            };
            let reply = LegendReply {
                title,
                span: scale.span,
                ticks: scale.ticks.into_iter().map(TickReply::from).collect(),
                // From the coldest color, 1, to the hottest, 255.
                colors: (0..=16).map(|step: u16| color((1 + step * 254 / 16) as u8)).collect(),
            };
            Ok(Bytes::from(serde_json::to_vec(&reply).unwrap_or_default()))
        })
    };
    let (bytes, was_cached) = app.bytes.get_or_make(&key, make).await?;
    app.metrics.cache(was_cached);
    let mut response = ([(header::CONTENT_TYPE, "application/json")], bytes).into_response();
    if let Ok(value) = HeaderValue::from_str(&app.config.server.cache_control) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    Ok(response)
}
