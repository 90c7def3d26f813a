//! `GET /{layer}`: TileJSON 3.0.0 of a layer.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::bins_reply::BinsReply;
use super::damage::DamageReply;
use super::tile_extent::TileExtent;
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::tile_style::{TileSize, TileStyle};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::digest::digest;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, StyleOptions};
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
    /// `plane` if the layer is on a plane: the tiles are not in Web Mercator, but in the matrix of `L.CRS.Simple`, which is
    /// not a part of TileJSON, and zooms may be negative. Omitted for a layer on the globe.
    #[serde(skip_serializing_if = "Option::is_none")]
    crs: Option<&'static str>,
    /// Minimum zoom; on a plane, the zoom at which the layer fits into 256 pixels.
    minzoom: i8,
    /// Maximum zoom; on a plane, that of a pixel of less than 1 cm, or a higher one for a small layer.
    #[schema(example = 24)]
    maxzoom: i8,
    /// Bounds of the non-empty tiles, including dots: west, south, east, north in degrees, never across the
    /// antimeridian; in meters on a plane.
    #[schema(value_type = Vec<f64>)]
    bounds: [f64; 4],
    /// Longitude, latitude and zoom of a map that fits all points into about 1024 pixels; on a plane, x and y in meters,
    /// and zoom.
    #[schema(value_type = Vec<f64>, example = json!([18.07, 59.33, 10]))]
    center: (f64, f64, i8),
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
    /// Bounds of the points, `[[south, west], [north, east]]` in degrees, or in meters on a plane; across the
    /// antimeridian, east is greater than 180.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
    /// URL of the legend as JSON.
    legend_json: String,
    /// Bins of a layer whose rows stand for many points each; omitted if its rows are points. Tiles beyond `maxzoom` show
    /// the middles of their cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<BinsReply>,
    /// Damaged segments, which are left out; omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<DamageReply>,
}

/// TileJSON of a layer
///
/// TileJSON 3.0.0, for MapLibre, OpenLayers and QGIS. The style parameters, filters and `size` of the request are
/// validated and included in the URLs of the response, together with the layer's own style and version: a tile URL
/// always returns the same tile, and may be cached indefinitely. `maxzoom` is less than 24 if a radius in kilometers
/// exceeds the limit in pixels beyond it, and for a layer of bins, whose cells are the pixels of tiles of that zoom.
///
/// A layer on a plane has `"crs": "plane"`, and the same members in meters. It is not a Web Mercator tileset: `L.CRS.Simple`
/// of Leaflet displays it, and clients of TileJSON that ignore `crs` do not.
#[utoipa::path(get, path = "/{layer}", operation_id = "get_tile_json", tag = "layers", params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<TileSize>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "TileJSON", body = TileJson),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn tile_json(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let style = TileStyle::read(&app.schemes, &app.config.limits, &layer, &mut fields)?;
    fields.finish()?;
    let reply = describe(&app, &layer, &style, &base)?;
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(reply)).into_response())
}

fn describe(app: &App, layer: &Arc<Layer>, style: &TileStyle, base: &BaseUrl) -> HttpResult<TileJson> {
    let server = base.absolute()?;
    let (name, version) = (layer.name(), layer.version());
    let mut query = style.style.options.pairs();
    query.extend(style.style.filter.pairs());
    let legend_query = query_string(&query);
    if style.side_px != TileStyle::SIDE_PX {
        query.push(("size", style.side_px.to_string()));
    }
    query.push(("v", version.to_owned()));
    let tiles = [base.link(&format!("{server}/{name}/{{z}}/{{x}}/{{y}}.png?{}", query_string(&query)))];

    let TileExtent { crs, minzoom, maxzoom, center, bounds } = TileExtent::of(app, layer, style)?;
    Ok(TileJson {
        tilejson: "3.0.0",
        name: layer.title().to_owned(),
        description: description(layer),
        // Other points are a change of the tiles' content, which is a minor version in TileJSON.
        version: format!("1.{}.0", digest(version) as u32),
        attribution: layer.attribution().map(escape_html),
        scheme: "xyz",
        tiles,
        crs,
        minzoom,
        maxzoom,
        bounds,
        center,
        legend: base.link(&format!("{server}/{name}/legend.png?{legend_query}")),
        kiln: More {
            points: layer.points(),
            weighted: layer.weight().is_some(),
            version: version.to_owned(),
            bounds: corners(layer.bounds()),
            legend_json: base.link(&format!("{server}/{name}/legend.json?{legend_query}")),
            bins: BinsReply::of(layer),
            damaged: DamageReply::of(layer),
        },
    })
}

/// The number of points and the name of the weights.
pub(super) fn description(layer: &Layer) -> String {
    let weighted_by = layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
    let points = layer.points();
    format!("{points} point{}{weighted_by}", if points == 1 { "" } else { "s" })
}

/// Escapes a text for HTML, the format of attributions in TileJSON.
pub(super) fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributions_are_escaped() {
        assert_eq!(escape_html("A & B <script>"), "A &amp; B &lt;script&gt;");
    }
}
