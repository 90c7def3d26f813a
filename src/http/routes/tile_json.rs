//! `GET /{layer}`: what a map has to know of a layer's tiles, as TileJSON 3.0.0.

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

/// A layer's tiles, as TileJSON 3.0.0 tells of them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct TileJson {
    /// The version of TileJSON.
    #[schema(example = "3.0.0")]
    tilejson: &'static str,
    /// What people call the layer.
    name: String,
    /// What it holds.
    description: String,
    /// Changes with the points.
    #[schema(example = "1.2882400018.0")]
    version: String,
    /// Whom to thank for the points, as HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<String>,
    /// Rows are numbered from the north.
    scheme: &'static str,
    /// The address of the tiles.
    #[schema(example = json!(["http://127.0.0.1:3000/cities/{z}/{x}/{y}.png?v=00c0ffee"]))]
    tiles: [String; 1],
    /// The lowest zoom.
    minzoom: u8,
    /// The deepest zoom.
    #[schema(example = 24)]
    maxzoom: u8,
    /// Where tiles show anything, dots included: west, south, east, north, in degrees, never across the antimeridian.
    #[schema(value_type = Vec<f64>)]
    bounds: [f64; 4],
    /// Longitude, latitude and zoom of a map that shows all points in about 1024 pixels.
    #[schema(value_type = Vec<f64>, example = json!([18.07, 59.33, 10]))]
    center: (f64, f64, u8),
    /// The address of the legend, as a picture.
    legend: String,
    /// What TileJSON has no member for.
    kiln: More,
}

/// What TileJSON has no member for.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct More {
    /// How many points there are.
    #[schema(example = 135_233)]
    points: u64,
    /// Whether they have weights.
    weighted: bool,
    /// The layer's version, which the addresses of the tiles carry as `v`.
    version: String,
    /// Where the points are: `[[south, west], [north, east]]` in degrees; across the antimeridian the east is beyond 180.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
    /// The address of the legend, as numbers.
    legend_json: String,
}

/// What a map has to know of a layer's tiles
///
/// TileJSON 3.0.0, as MapLibre, OpenLayers and QGIS read it. The style parameters, filters and `size` that it is given are
/// checked and part of the addresses in the answer, and so is the layer's own style: what an address shows never changes,
/// and may be kept forever. `maxzoom` is less than 24 where a radius in kilometers would be too wide beyond it.
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
    let of_legend = query_string(&query);
    if style.side_px != TileStyle::SIDE_PX {
        query.push(("size", style.side_px.to_string()));
    }
    query.push(("v", version.to_owned()));
    let tiles = [format!("{server}/{name}/{{z}}/{{x}}/{{y}}.png?{}", query_string(&query))];

    let maxzoom = deepest_zoom(app, layer, style)?;
    let center = center(layer.bounds(), style.side_px, maxzoom);
    let points = layer.points();
    let weighted_by = layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
    Ok(TileJson {
        tilejson: "3.0.0",
        name: layer.title().to_owned(),
        description: format!("{points} points{weighted_by}"),
        // Tiles of another version are other tiles, which is what a minor version stands for.
        version: format!("1.{}.0", digest(version) as u32),
        attribution: layer.attribution().map(as_html),
        scheme: "xyz",
        tiles,
        minzoom: 0,
        maxzoom,
        bounds: bounds(app, layer, style, center.2)?,
        center,
        legend: format!("{server}/{name}/legend.png?{of_legend}"),
        kiln: More {
            points,
            weighted: layer.weight().is_some(),
            version: version.to_owned(),
            bounds: corners(layer.bounds()),
            legend_json: format!("{server}/{name}/legend.json?{of_legend}"),
        },
    })
}

/// A text as HTML, which clients take an attribution for.
fn as_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The radius of a dot at a zoom in pixels of the layout, if it may be drawn at all.
fn radius_px(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: u8) -> HttpResult<f64> {
    let request = style.request(&app.config.limits, layer, TileCoord::new(zoom, 0, 0)?, PixelRatio::ONE)?;
    Ok(request.radius_px()?)
}

/// The deepest zoom at which dots are within the limits.
fn deepest_zoom(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<u8> {
    let shows = |zoom: u8| radius_px(app, layer, style, zoom);
    // An error at every zoom is reported.
    shows(0)?;
    Ok((0..=TileCoord::MAX_ZOOM).rev().find(|zoom| shows(*zoom).is_ok()).unwrap_or(0))
}

/// Where tiles show anything: clients ask for no others, and a dot that reaches into one of them would be cut off.
///
/// The further a map is zoomed out, the further dots reach. Two zooms further than the middle one has room for all of them
/// is as far as they are looked after: the points are then in a corner of the map.
fn bounds(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: u8) -> HttpResult<[f64; 4]> {
    const ZOOMS_OUT: u8 = 2;
    let zoom = zoom.saturating_sub(ZOOMS_OUT);
    Ok(bounds_with_reach(layer.bounds(), dot_reach(radius_px(app, layer, style, zoom)?, style.side_px, zoom)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribution_is_no_markup() {
        assert_eq!(as_html("A & B <script>"), "A &amp; B &lt;script&gt;");
    }
}
