//! `GET /{layer}/bbox/{w},{s},{e},{n}/{width}x{height}.png`: a picture of any bounds, or its values as `.tif`.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, Response, header};

use crate::config::EmptyTile;
use crate::geo::Bounds;
use crate::http::parameters::area::{Area, PolygonBody};
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::canvas_parameters::{PolarRows, canvas};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::layer_style::LayerStyle;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::shared::ProjectionOptions;
use crate::http::server::App;
use crate::http::server::etag::{etag, is_cached, png_response};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Size, StyleOptions};

/// A picture of any bounds
///
/// The picture has exactly the requested size; `@2x`, `@3x` or `@4x` before `.png` multiplies the pixels per side, for
/// high-density screens. `/{layer}/bbox/{bbox-epsg-3857}/256x256.png?crs=3857` is a URL template of raster tiles for Mapbox
/// and MapLibre. With `.tif` the response is a `GeoTIFF` of the values as 32-bit floats; sums and counts are
/// per pixel. The file has the name, the unit and the statistics of its band.
#[utoipa::path(get, path = "/{layer}/bbox/{bounds}/{size}", operation_id = "get_picture", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("bounds" = String, Path, description = "Bounds as west,south,east,north: in degrees, in the coordinates of `crs`, or in meters for a layer on a plane", example = "-12,35,32,60"),
        ("size" = String, Path, description = "Width x height in pixels, followed by .png or .tif: 800x600.png, 800x600@2x.png, 800x600.tif", example = "800x600.png"),
        InQuery<BoundsCrsOptions>, InQuery<ProjectionOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The picture", content((Vec<u8> = "image/png"), (Vec<u8> = "image/tiff")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn picture(
    app: Session,
    Path((layer, bounds, size)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let (request, format) = read_request(&app, &layer, &bounds, &size, query.as_deref().unwrap_or_default(), None)?;
    reply(&app, request, format, &headers).await
}

/// A picture of the points in a polygon
///
/// The body is a GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; all other parameters are
/// those of GET.
#[utoipa::path(post, path = "/{layer}/bbox/{bounds}/{size}", operation_id = "draw_picture_within", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("bounds" = String, Path, description = "Bounds as west,south,east,north: in degrees, in the coordinates of `crs`, or in meters for a layer on a plane", example = "-12,35,32,60"),
        ("size" = String, Path, description = "Width x height in pixels, followed by .png or .tif: 800x600.png, 800x600@2x.png, 800x600.tif", example = "800x600.png"),
        InQuery<BoundsCrsOptions>, InQuery<ProjectionOptions>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    request_body(content((PolygonBody = "application/geo+json"), (PolygonBody = "application/json"))),
    responses(
        (status = 200, description = "The picture", content((Vec<u8> = "image/png"), (Vec<u8> = "image/tiff")), headers(("Cache-Control" = String))),
        (status = 400, description = "Invalid parameter or polygon", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn picture_within(
    app: Session,
    Path((layer, bounds, size)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let space = app.layer(&layer)?.coordinate_space();
    let area = Area::of_body(&app.pool, space, &headers, body).await?;
    let (request, format) =
        read_request(&app, &layer, &bounds, &size, query.as_deref().unwrap_or_default(), Some(area))?;
    // Clients do not cache the response to a POST, so conditional headers do not apply.
    reply(&app, request, format, &HeaderMap::new()).await
}

/// Responds with the picture, cached or newly rendered.
async fn reply(
    app: &Arc<App>,
    request: RenderRequest,
    format: Format,
    headers: &HeaderMap,
) -> HttpResult<Response<Body>> {
    let extension = format.extension();
    let tag = etag(format!("bbox/{extension}/{}", request.key()));
    let cache_control = &app.config.server.cache_control;
    // The tag depends only on the request and the layer's version, so that a 304 needs no render.
    if is_cached(headers, &tag) {
        return Ok(png_response(headers, Bytes::new(), &tag, cache_control));
    }
    let key = format!("bbox/{extension}/{}", request.cache_key());
    let bytes = match format {
        Format::Png => request.png(app, &key, EmptyTile::Transparent).await?,
        Format::GeoTiff => request.geotiff(app, &key).await?,
    };
    let mut response = png_response(headers, bytes, &tag, cache_control);
    if format == Format::GeoTiff {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("image/tiff"));
    }
    Ok(response)
}

/// The file format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// The colors as a PNG.
    Png,
    /// The values as a `GeoTIFF`.
    GeoTiff,
}

impl Format {
    /// The file extension.
    fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::GeoTiff => "tif",
        }
    }
}

/// Splits a filename into size, pixel ratio and format; `None` for any other extension.
fn split(name: &str) -> Option<(&str, PixelRatio, Format)> {
    let tif = name.strip_suffix(".tif").map(|stem| (stem, PixelRatio::ONE, Format::GeoTiff));
    tif.or_else(|| PixelRatio::split(name).map(|(stem, ratio)| (stem, ratio, Format::Png)))
}

fn read_request(
    app: &Session,
    layer: &str,
    bounds: &str,
    size: &str,
    query: &str,
    area: Option<Area>,
) -> HttpResult<(RenderRequest, Format)> {
    let layer = app.layer(layer)?;
    let mut fields = Fields::from_query(query)?;
    let crs = BoundsCrs::read(&mut fields)?;
    let mut style = LayerStyle::read(&app.schemes, &app.config.limits, &layer, &mut fields)?;
    fields.finish()?;
    style.filter = style.filter.within(area);

    let bounds: Bounds = bounds.parse()?;
    let bounds = crs.to_layer(&layer, Some(bounds))?.unwrap_or(bounds);
    let malformed = || {
        Problem::parameter("size", format!("`{size}` is not a size such as 800x600.png, 800x600@2x.png or 800x600.tif"))
    };
    let (stem, ratio, format) = split(size).ok_or_else(malformed)?;
    let Size::Exact(width, height) = stem.parse()? else { return Err(malformed()) };
    let size = Size::Exact(ratio.pixels(width), ratio.pixels(height));
    let canvas = canvas(&app.config.limits, style.projection, bounds, size, PolarRows::Pad)?;
    Ok((style.with_ratio(ratio).on(&app.config.limits, &layer, canvas)?, format))
}
