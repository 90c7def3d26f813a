//! `GET /{layer}`: TileJSON 3.0.0 of a layer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::geo::TileCoord;
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::tile_style::{TileSize, TileStyle};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::digest::digest;
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{FilterOptions, Layer, StyleOptions, bounds_with_reach, center, dot_reach};
use crate::parameters::ParameterSet;

/// TileJSON 3.0.0 of a layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TileJson {
    /// Version of TileJSON.
    #[schema(example = "3.0.0")]
    tilejson: &'static str,
    /// Title of the layer.
    name: String,
    /// Number of points and name of the weights.
    description: String,
    /// Semantic version of the tileset, which changes with the points.
    #[schema(example = "1.2882400018.0")]
    version: String,
    /// Attribution of the points, as HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<String>,
    /// Tiling scheme, always `xyz`: rows are numbered from the north.
    scheme: &'static str,
    /// URL template of the tiles.
    #[schema(example = json!(["http://127.0.0.1:3000/cities/{z}/{x}/{y}.png?v=00c0ffee"]))]
    tiles: [String; 1],
    /// Minimum zoom.
    minzoom: u8,
    /// Maximum zoom.
    #[schema(example = 24)]
    maxzoom: u8,
    /// Bounds of the non-empty tiles, including dots: west, south, east, north in degrees, never across the
    /// antimeridian.
    #[schema(value_type = Vec<f64>)]
    bounds: [f64; 4],
    /// Longitude, latitude and zoom of a map that fits all points into about 1024 pixels.
    #[schema(value_type = Vec<f64>, example = json!([18.07, 59.33, 10]))]
    center: (f64, f64, u8),
    /// URL of the legend as a PNG.
    legend: String,
    /// Members that are not part of TileJSON.
    kiln: More,
}

/// Members that are not part of TileJSON.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct More {
    /// Number of points.
    #[schema(example = 135_233)]
    points: u64,
    /// Whether the points have weights.
    weighted: bool,
    /// Version of the layer, the `v` in the tile URLs.
    version: String,
    /// Bounds of the points, `[[south, west], [north, east]]` in degrees; across the antimeridian, east is greater than
    /// 180.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
    /// URL of the legend as JSON.
    legend_json: String,
}

/// TileJSON of a layer
///
/// TileJSON 3.0.0, for MapLibre, OpenLayers and QGIS. The style parameters, filters and `size` of the request are
/// validated and included in the URLs of the response, together with the layer's own style and version: a tile URL
/// always returns the same tile, and may be cached indefinitely. `maxzoom` is less than 24 if a radius in kilometers
/// exceeds the limit in pixels beyond it.
#[utoipa::path(get, path = "/{layer}", tag = "layers", params(("layer" = String, Path, example = "cities"), InQuery<TileSize>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "TileJSON", body = TileJson),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn tile_json(
    State(app): State<Arc<App>>,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let style = TileStyle::read(&app.schemes, &layer, &mut fields)?;
    fields.finish()?;
    let server = base.absolute()?;
    let reply = describe(&app, &layer, &style, &server)?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(reply)).into_response())
}

fn describe(app: &App, layer: &Arc<Layer>, style: &TileStyle, server: &str) -> HttpResult<TileJson> {
    let (name, version) = (layer.name(), layer.version());
    let mut query = style.style.options.pairs();
    query.extend(style.style.filter.pairs());
    let legend_query = query_string(&query);
    if style.side_px != TileStyle::SIDE_PX {
        query.push(("size", style.side_px.to_string()));
    }
    query.push(("v", version.to_owned()));
    let tiles = [format!("{server}/{name}/{{z}}/{{x}}/{{y}}.png?{}", query_string(&query))];

    let maxzoom = max_zoom(app, layer, style)?;
    let center = center(layer.bounds(), style.side_px, maxzoom);
    let points = layer.points();
    let weighted_by = layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
    Ok(TileJson {
        tilejson: "3.0.0",
        name: layer.title().to_owned(),
        description: format!("{points} points{weighted_by}"),
        // Other points are a change of the tiles' content, which is a minor version in TileJSON.
        version: format!("1.{}.0", digest(version) as u32),
        attribution: layer.attribution().map(escape_html),
        scheme: "xyz",
        tiles,
        minzoom: 0,
        maxzoom,
        bounds: bounds(app, layer, style, center.2)?,
        center,
        legend: format!("{server}/{name}/legend.png?{legend_query}"),
        kiln: More {
            points,
            weighted: layer.weight().is_some(),
            version: version.to_owned(),
            bounds: corners(layer.bounds()),
            legend_json: format!("{server}/{name}/legend.json?{legend_query}"),
        },
    })
}

/// Escapes a text for HTML, the format of attributions in TileJSON.
fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The radius of a dot at a zoom in CSS pixels.
///
/// # Errors
/// If the radius exceeds the limit.
fn radius_px(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: u8) -> HttpResult<f64> {
    let request = style.request(&app.config.limits, layer, TileCoord::new(zoom, 0, 0)?, PixelRatio::ONE)?;
    Ok(request.radius_px()?)
}

/// The maximum zoom at which the radius of dots is within the limit.
fn max_zoom(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<u8> {
    let radius_px = |zoom: u8| radius_px(app, layer, style, zoom);
    // An error at zoom 0 occurs at every zoom.
    radius_px(0)?;
    Ok((0..=TileCoord::MAX_ZOOM).rev().find(|zoom| radius_px(*zoom).is_ok()).unwrap_or(0))
}

/// The bounds of the non-empty tiles. Clients request no tiles outside of them, where dots would be cut off.
///
/// The reach of dots in degrees grows as the zoom decreases. The bounds include dots down to two zooms below that of
/// `center`; at lower zooms, the points cover only a small part of the map.
fn bounds(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: u8) -> HttpResult<[f64; 4]> {
    const ZOOMS_BELOW_CENTER: u8 = 2;
    let zoom = zoom.saturating_sub(ZOOMS_BELOW_CENTER);
    Ok(bounds_with_reach(layer.bounds(), dot_reach(radius_px(app, layer, style, zoom)?, style.side_px, zoom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributions_are_escaped() {
        assert_eq!(escape_html("A & B <script>"), "A &amp; B &lt;script&gt;");
    }
}
