//! `GET /{layer}/{z}/{x}/{y}.png`: a tile of a layer, for `L.tileLayer` and any other slippy map.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::config::EmptyTile;
use crate::geo::TileCoord;
use crate::http::parameters::area::{Area, PolygonBody};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::tile_style::{KeyedTileStyle, TileSize, TileVersion};
use crate::http::server::App;
use crate::http::server::etag::{etag, is_cached, png_response};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{FilterOptions, Layer, StyleOptions};

/// A tile of a pinned version never changes.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A tile of a layer
///
/// Tiles are numbered from the north-west, as OpenStreetMap's are, in Web Mercator. `@2x` before `.png` doubles the pixels
/// a side, for dense screens, and `@3x` and `@4x` go further; `size=512` is what MapLibre takes a tile for: the same ground as at 256, drawn as a map a zoom
/// deeper. Kilometers in `radius`, `vmin` and `vmax` hold at the layer's middle latitude unless `true_scale` says another.
#[utoipa::path(get, path = "/{layer}/{z}/{x}/{y}.png", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("z" = u8, Path, description = "Zoom, 0 to 24", example = 3),
        ("x" = u32, Path, description = "Column, from the antimeridian to the east, below 2^z", example = 4),
        ("y" = String, Path, description = "Row, from the north, below 2^z; followed by @2x, @3x or @4x for two to four times as many pixels per side", example = "2"),
        InQuery<TileSize>, InQuery<TileVersion>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The tile", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 204, description = "The tile is empty, and `server.empty_tile` of the config is 204"),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer, or a tile that does not exist; an empty tile if `server.empty_tile` is 404", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn tile(
    State(app): State<Arc<App>>,
    Path((layer, z, x, y)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let address = Address::read(&z, &x, &y)?;
    let style = app.tile_styles.read(&app.schemes, &layer, query.as_deref().unwrap_or_default())?;
    reply(&app, &layer, &style, address, &headers).await
}

/// A tile of the points in a polygon
///
/// The body is a GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; all other parameters are those of GET.
#[utoipa::path(post, path = "/{layer}/{z}/{x}/{y}.png", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("z" = u8, Path, description = "Zoom, 0 to 24", example = 3),
        ("x" = u32, Path, description = "Column, from the antimeridian to the east, below 2^z", example = 4),
        ("y" = String, Path, description = "Row, from the north, below 2^z; followed by @2x, @3x or @4x for two to four times as many pixels per side", example = "2"),
        InQuery<TileSize>, InQuery<TileVersion>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    request_body(content((PolygonBody = "application/geo+json"), (PolygonBody = "application/json"))),
    responses(
        (status = 200, description = "The tile", content_type = "image/png", body = Vec<u8>, headers(("Cache-Control" = String))),
        (status = 204, description = "The tile is empty, and `server.empty_tile` of the config is 204"),
        (status = 400, description = "Invalid parameter or polygon", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer, or a tile that does not exist; an empty tile if `server.empty_tile` is 404", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn tile_within(
    State(app): State<Arc<App>>,
    Path((layer, z, x, y)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let address = Address::read(&z, &x, &y)?;
    let area = Area::of_body(&app.pool, &headers, body).await?;
    let style = KeyedTileStyle::read(&app.schemes, &layer, query.as_deref().unwrap_or_default(), Some(area))?;
    // Clients do not cache the response to a POST, so conditional headers do not apply.
    reply(&app, &layer, &style, address, &HeaderMap::new()).await
}

/// The tile, from the cache or rendered now.
async fn reply(
    app: &Arc<App>,
    layer: &Arc<Layer>,
    style: &KeyedTileStyle,
    address: Address,
    headers: &HeaderMap,
) -> HttpResult<Response<Body>> {
    let key = address.key(style, style.keyed_digest);
    let tag = etag(address.key(style, style.digest));
    if let Some(bytes) = app.bytes.get(&key) {
        app.metrics.cache(true);
        return Ok(answer(app, style, headers, bytes, &tag));
    }
    let request = style.style.request(&app.config.limits, layer, address.tile, address.ratio)?;
    // The tag follows from the request and the layer's version: nothing has to be drawn to know that nothing changed.
    if is_cached(headers, &tag) {
        return Ok(png_response(headers, Bytes::new(), &tag, cache_control(app, style)));
    }
    let bytes = request.png(app, &key, app.config.server.empty_tile).await?;
    Ok(answer(app, style, headers, bytes, &tag))
}

/// How long a tile may be cached.
fn cache_control<'a>(app: &'a App, style: &KeyedTileStyle) -> &'a str {
    if style.is_pinned { IMMUTABLE } else { &app.config.server.cache_control }
}

/// The response with a tile. One without bytes is empty, and its response is no picture.
fn answer(app: &App, style: &KeyedTileStyle, request: &HeaderMap, bytes: Bytes, tag: &str) -> Response<Body> {
    let cache_control = cache_control(app, style);
    if !bytes.is_empty() {
        return png_response(request, bytes, tag, cache_control);
    }
    if app.config.server.empty_tile == EmptyTile::NotFound {
        return Problem::not_found("there is nothing to see in this tile")
            .with_cache_control(cache_control)
            .into_response();
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(cache_control) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// The tile of a request, and its pixel ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Address {
    tile: TileCoord,
    ratio: PixelRatio,
}

impl Address {
    fn read(zoom: &str, column: &str, row: &str) -> HttpResult<Self> {
        let Some((row, ratio)) = PixelRatio::split(row) else {
            if row.contains('.') {
                let detail = format!("`{row}` is not a row with .png or @2x.png behind it: tiles are PNG");
                return Err(Problem::parameter("y", detail));
            }
            return Err(Problem::not_found("no such address; a tile's ends with .png: /{layer}/{z}/{x}/{y}.png"));
        };
        if row.contains('@') {
            let detail = format!("`{row}` has an unknown pixel ratio; expected @2x, @3x or @4x behind the row");
            return Err(Problem::parameter("y", detail));
        }
        let (zoom, column, row) = (whole("z", zoom)?, whole("x", column)?, whole("y", row)?);
        let tile = TileCoord::new(u8::try_from(zoom).unwrap_or(u8::MAX), column, row);
        let tile = tile.map_err(|error| Problem::not_found(format!("there is no such tile: {error}")))?;
        Ok(Self { tile, ratio })
    }

    /// The canonical text of the tile, with a digest of its style.
    fn key(self, style: &KeyedTileStyle, digest: impl fmt::LowerHex) -> String {
        let Self { tile, ratio } = self;
        format!("tile/{digest:x}/{}/{tile}@{}", style.style.side_px, ratio.pixels(1))
    }
}

/// A number of digits alone; what is beyond `u32` is its greatest.
fn whole(name: &str, text: &str) -> HttpResult<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::parameter(name, format!("`{text}` is not a whole number")));
    }
    Ok(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused_with_what_would_do() {
        let read = |zoom: &str, column: &str, row: &str| Address::read(zoom, column, row);
        let address = read("24", "16777215", "0@2x.png").unwrap();
        assert_eq!((address.tile, address.ratio.pixels(256)), (TileCoord::new(24, 16_777_215, 0).unwrap(), 512));
        assert_eq!(read("0", "0", "0@3x.png").unwrap().ratio.pixels(256), 768);
        for (zoom, column, row, status, word) in [
            ("25", "0", "0.png", 404, "zoom 25"),
            ("999999999999", "0", "0.png", 404, "no such tile"),
            ("1", "2", "0.png", 404, "below 2"),
            ("0", "0", "99999999999.png", 404, "outside"),
            ("0", "0", "0", 404, ".png"),
            ("0", "0", "0@2x", 404, ".png"),
            ("0", "0", "0.webp", 400, "tiles are PNG"),
            ("0", "0", "0@5x.png", 400, "y: `0@5x` has an unknown pixel ratio; expected @2x, @3x or @4x"),
            ("0", "0", "0@2x@2x.png", 400, "pixel ratio"),
            ("+0", "0", "0.png", 400, "z: `+0`"),
            ("0", "-1", "0.png", 400, "x: `-1`"),
            ("0", "0", ".png", 400, "y: ``"),
            ("0", "0", "1.5.png", 400, "whole number"),
        ] {
            let problem = read(zoom, column, row).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{zoom}/{column}/{row}");
            assert!(problem.detail().contains(word), "{zoom}/{column}/{row}: {}", problem.detail());
        }
    }
}
