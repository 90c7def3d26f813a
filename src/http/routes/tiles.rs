//! `GET /{layer}/{z}/{x}/{y}.png`: a tile of a layer, for `L.tileLayer` and other slippy maps.

use std::fmt;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;

use crate::config::EmptyTile;
use crate::http::parameters::area::{Area, PolygonBody};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::tile_address::TileAddress;
use crate::http::parameters::tile_style::{KeyedTileStyle, TileSize, TileVersion};
use crate::http::server::App;
use crate::http::server::etag::{etag, is_cached, png_response};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, StyleOptions};

/// The `Cache-Control` of a tile or a floor plan of a pinned version, which never changes.
pub(super) const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// A tile of a layer
///
/// Tiles are in Web Mercator and numbered from the north-west, as in OpenStreetMap. Those of a layer on a plane are in the
/// matrix of `L.CRS.Simple`: at zoom z, a meter is 2^z pixels, and tile 0/0 is to the south-east of the origin. `@2x`, `@3x` or `@4x` before `.png`
/// multiplies the pixels per side, for high-density screens. `size=512` is the tile size of MapLibre: the same bounds
/// as with 256, rendered like the tiles of the next zoom.
#[utoipa::path(get, path = "/{layer}/{z}/{x}/{y}.png", operation_id = "get_tile", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("z" = i8, Path, description = "Zoom, 0 to 24; -20 to 24 on a plane", example = 3),
        ("x" = i64, Path, description = "Column, from the antimeridian to the east, below 2^z; on a plane, from the origin to the east", example = 4),
        ("y" = String, Path, description = "Row, from the north, below 2^z; on a plane, from the origin to the south; followed by @2x, @3x or @4x for two to four times as many pixels per side", example = "2"),
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
    app: Session,
    Path((layer, z, x, y)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let path = TilePath::read(&layer, &z, &x, &y)?;
    let style = app.tile_styles.read(&app.schemes, &app.config.limits, &layer, query.as_deref().unwrap_or_default())?;
    reply(&app, &layer, &style, path, &headers).await
}

/// A tile of the points in a polygon
///
/// The body is a GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; all other parameters are
/// those of GET.
#[utoipa::path(post, path = "/{layer}/{z}/{x}/{y}.png", operation_id = "draw_tile_within", tag = "layers",
    params(
        ("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        ("z" = i8, Path, description = "Zoom, 0 to 24; -20 to 24 on a plane", example = 3),
        ("x" = i64, Path, description = "Column, from the antimeridian to the east, below 2^z; on a plane, from the origin to the east", example = 4),
        ("y" = String, Path, description = "Row, from the north, below 2^z; on a plane, from the origin to the south; followed by @2x, @3x or @4x for two to four times as many pixels per side", example = "2"),
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
    app: Session,
    Path((layer, z, x, y)): Path<(String, String, String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let path = TilePath::read(&layer, &z, &x, &y)?;
    let area = Area::of_body(&app.pool, layer.coordinate_space(), &headers, body).await?;
    let style = KeyedTileStyle::read(
        &app.schemes,
        &app.config.limits,
        &layer,
        query.as_deref().unwrap_or_default(),
        Some(area),
    )?;
    // Clients do not cache the response to a POST, so conditional headers do not apply.
    reply(&app, &layer, &style, path, &HeaderMap::new()).await
}

/// Responds with the tile, cached or newly rendered.
async fn reply(
    app: &Arc<App>,
    layer: &Arc<Layer>,
    style: &KeyedTileStyle,
    path: TilePath,
    headers: &HeaderMap,
) -> HttpResult<Response<Body>> {
    let key = path.key(style, style.keyed_digest);
    let tag = etag(path.key(style, style.digest));
    if let Some(bytes) = app.bytes.get(&key) {
        app.metrics.cache(true);
        return Ok(tile_response(app, style, headers, bytes, &tag));
    }
    let request = style.style.request(&app.config.limits, layer, path.tile, path.ratio)?;
    // The tag depends only on the request and the layer's version, so that a 304 needs no render.
    if is_cached(headers, &tag) {
        return Ok(png_response(headers, Bytes::new(), &tag, cache_control(app, style)));
    }
    let bytes = request.png(app, &key, app.config.server.empty_tile).await?;
    Ok(tile_response(app, style, headers, bytes, &tag))
}

/// The `Cache-Control` of a tile.
fn cache_control<'a>(app: &'a App, style: &KeyedTileStyle) -> &'a str {
    if style.is_pinned { IMMUTABLE } else { &app.config.server.cache_control }
}

/// Responds with a tile. Without bytes the tile is empty, and the response is a 204 or 404.
fn tile_response(app: &App, style: &KeyedTileStyle, request: &HeaderMap, bytes: Bytes, tag: &str) -> Response<Body> {
    let cache_control = cache_control(app, style);
    if !bytes.is_empty() {
        return png_response(request, bytes, tag, cache_control);
    }
    if app.config.server.empty_tile == EmptyTile::NotFound {
        return Problem::not_found("the tile is empty").with_cache_control(cache_control).into_response();
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Ok(value) = HeaderValue::from_str(cache_control) {
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
    response
}

/// The tile and pixel ratio in the path of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TilePath {
    tile: TileAddress,
    ratio: PixelRatio,
}

impl TilePath {
    fn read(layer: &Layer, zoom: &str, column: &str, row: &str) -> HttpResult<Self> {
        let Some((row, ratio)) = PixelRatio::split(row) else {
            if row.contains('.') {
                let detail =
                    format!("unsupported format in `{row}`; tiles are PNG, expected a row followed by .png or @2x.png");
                return Err(Problem::parameter("y", detail));
            }
            return Err(Problem::not_found("unknown path; tiles are at /{layer}/{z}/{x}/{y}.png"));
        };
        if row.contains('@') {
            let detail = format!("`{row}` has an unknown pixel ratio; expected @2x, @3x or @4x after the row");
            return Err(Problem::parameter("y", detail));
        }
        Ok(Self { tile: TileAddress::read(layer, zoom, column, row)?, ratio })
    }

    /// The cache key of the tile, with a digest of its style.
    fn key(self, style: &KeyedTileStyle, digest: impl fmt::LowerHex) -> String {
        let Self { tile, ratio } = self;
        format!("tile/{digest:x}/{}/{tile}@{}", style.style.side_px, ratio.pixels(1))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::{PlaneTile, TileCoord};
    use crate::layer::LayerSpec;
    use crate::source::{CoordinateSpace, ReadOptions, read};

    fn layer(space: CoordinateSpace) -> Layer {
        let source = read(&b"x,y\n1,2\n"[..], "a.csv", &ReadOptions::default()).unwrap();
        Layer::of_source(LayerSpec { name: "a".to_owned(), space, ..LayerSpec::default() }, source).unwrap()
    }

    #[test]
    fn invalid_tile_paths_are_rejected_with_the_accepted_form() {
        let layer = layer(CoordinateSpace::Globe);
        let read = |zoom: &str, column: &str, row: &str| TilePath::read(&layer, zoom, column, row);
        let path = read("24", "16777215", "0@2x.png").unwrap();
        let tile = TileAddress::Globe(TileCoord::new(24, 16_777_215, 0).unwrap());
        assert_eq!((path.tile, path.ratio.pixels(256)), (tile, 512));
        assert_eq!(read("0", "0", "0@3x.png").unwrap().ratio.pixels(256), 768);
        for (zoom, column, row, status, word) in [
            ("25", "0", "0.png", 404, "zoom 25"),
            ("999999999999", "0", "0.png", 404, "no such tile"),
            ("1", "2", "0.png", 404, "less than 2"),
            ("0", "0", "99999999999.png", 404, "outside"),
            ("0", "0", "99999999999999999999.png", 404, "outside"),
            ("0", "0", "0", 404, ".png"),
            ("0", "0", "0@2x", 404, ".png"),
            ("0", "0", "0.webp", 400, "tiles are PNG"),
            ("0", "0", "0@5x.png", 400, "y: `0@5x` has an unknown pixel ratio; expected @2x, @3x or @4x"),
            ("0", "0", "0@2x@2x.png", 400, "pixel ratio"),
            ("+0", "0", "0.png", 400, "z: `+0`"),
            ("-1", "0", "0.png", 400, "z: `-1`"),
            ("0", "-1", "0.png", 400, "x: `-1`"),
            ("0", "0", ".png", 400, "y: ``"),
            ("0", "0", "1.5.png", 400, "whole number"),
        ] {
            let problem = read(zoom, column, row).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{zoom}/{column}/{row}");
            assert!(problem.detail().contains(word), "{zoom}/{column}/{row}: {}", problem.detail());
        }
    }

    #[test]
    fn tile_paths_of_a_plane_may_be_negative() {
        let layer = layer(CoordinateSpace::Plane);
        let read = |zoom: &str, column: &str, row: &str| TilePath::read(&layer, zoom, column, row);
        let tile = TileAddress::Plane(PlaneTile::new(-4, 0, -3).unwrap());
        assert_eq!(read("-4", "-0", "-3@2x.png").unwrap().tile, tile);
        for (zoom, column, row, status, word) in [
            ("25", "0", "0.png", 404, "zoom 25 is outside -20 to 24"),
            ("-21", "0", "0.png", 404, "zoom -21"),
            ("-999", "0", "0.png", 404, "no such tile"),
            ("0", "274877906944", "0.png", 404, "too far from the origin"),
            ("0", "0", "-99999999999999999999.png", 404, "too far from the origin"),
            ("--1", "0", "0.png", 400, "z: `--1`"),
            ("0", "-", "0.png", 400, "x: `-`"),
            ("0", "0", "-1.5.png", 400, "whole number"),
        ] {
            let problem = read(zoom, column, row).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{zoom}/{column}/{row}");
            assert!(problem.detail().contains(word), "{zoom}/{column}/{row}: {}", problem.detail());
        }
    }
}
