//! `GET /{layer}`: TileJSON 3.0.0 of a layer.

use std::ops::RangeInclusive;
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
use crate::geo::{Bounds, Canvas, PlaneTile, TileCoord};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::tile_address::TileAddress;
use crate::http::parameters::tile_style::{TileSize, TileStyle};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::digest::digest;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{
    DotReach, FilterOptions, Layer, PlaneView, Style, StyleOptions, bounds_with_reach, center, plane_bounds_with_reach,
};
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

    let TileExtent { crs, minzoom, maxzoom, center, bounds } = if layer.coordinate_space().wraps() {
        TileExtent::on_globe(app, layer, style)?
    } else {
        TileExtent::on_plane(app, layer, style)?
    };
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
        crs,
        minzoom,
        maxzoom,
        bounds,
        center,
        legend: base.link(&format!("{server}/{name}/legend.png?{legend_query}")),
        kiln: More {
            points,
            weighted: layer.weight().is_some(),
            version: version.to_owned(),
            bounds: corners(layer.bounds()),
            legend_json: base.link(&format!("{server}/{name}/legend.json?{legend_query}")),
            bins: BinsReply::of(layer),
            damaged: DamageReply::of(layer),
        },
    })
}

/// Escapes a text for HTML, the format of attributions in TileJSON.
fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The style of the tiles of a zoom, and the canvas of one of them in CSS pixels.
///
/// # Errors
/// If the radius exceeds the limit.
fn style_at(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: i8) -> HttpResult<(Style, Canvas)> {
    let tile = TileAddress::first_of(layer, zoom)?;
    let request = style.request(&app.config.limits, layer, tile, PixelRatio::ONE)?;
    Ok((request.style()?, request.canvas))
}

/// The highest of `zooms` at which the radius of dots is within the limits at all points of the layer.
fn max_zoom(app: &App, layer: &Arc<Layer>, style: &TileStyle, zooms: RangeInclusive<i8>) -> HttpResult<i8> {
    let lowest = *zooms.start();
    // An error at the lowest zoom occurs at every zoom.
    style_at(app, layer, style, lowest)?;
    let Bounds { south, north, .. } = layer.bounds();
    let is_complete =
        |(style, tile): (Style, Canvas)| style.check_radius_at(&tile, south.abs().max(north.abs())).is_ok();
    let mut zooms = zooms.rev();
    Ok(zooms.find(|zoom| style_at(app, layer, style, *zoom).is_ok_and(is_complete)).unwrap_or(lowest))
}

/// The zoom whose pixels are the cells of bins of `level`, in tiles of `side_px` pixels. Beyond it, tiles have no more detail.
fn bins_max_zoom(level: u32, side_px: u32) -> i8 {
    level.saturating_sub(side_px.max(1).ilog2()).min(u32::from(TileCoord::MAX_ZOOM)) as i8
}

/// The bounds include dots down to this number of zooms below that of `center`; at lower zooms, the points cover only a
/// small part of the map. The reach of dots in degrees or meters grows as the zoom decreases.
const ZOOMS_BELOW_CENTER: i8 = 2;

/// The zooms, center and bounds of a layer's tiles. Clients request no tiles outside of the bounds, where dots would be
/// cut off.
struct TileExtent {
    crs: Option<&'static str>,
    minzoom: i8,
    maxzoom: i8,
    center: (f64, f64, i8),
    bounds: [f64; 4],
}

impl TileExtent {
    fn on_globe(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<Self> {
        let highest = layer.bin_level().map_or(TileCoord::MAX_ZOOM as i8, |level| bins_max_zoom(level, style.side_px));
        let maxzoom = max_zoom(app, layer, style, 0..=highest)?;
        let (lon, lat, zoom) = center(layer.bounds(), style.side_px, maxzoom as u8);
        let zoom = zoom as i8;
        let lowest = (zoom - ZOOMS_BELOW_CENTER).max(0);
        let (applied, _) = style_at(app, layer, style, lowest)?;
        let reach = DotReach::of(&applied, style.side_px, lowest as u8)?;
        let bounds = bounds_with_reach(layer.bounds(), reach);
        Ok(Self { crs: None, minzoom: 0, maxzoom, center: (lon, lat, zoom), bounds })
    }

    fn on_plane(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<Self> {
        let PlaneView { center: [x, y], zoom, min_zoom, max_zoom: highest } =
            PlaneView::of(layer.bounds(), style.side_px);
        let maxzoom = max_zoom(app, layer, style, min_zoom..=highest)?;
        let zoom = zoom.min(maxzoom);
        let lowest = (zoom - ZOOMS_BELOW_CENTER).max(min_zoom);
        // Tiles of any size cover the same bounds, so that their pixels are converted to CSS pixels of 256 per tile.
        let css_px = f64::from(PlaneTile::SIDE_PX) / f64::from(style.side_px);
        let (applied, tile) = style_at(app, layer, style, lowest)?;
        let radius_px = applied.min_radius_px(&tile);
        let bounds = plane_bounds_with_reach(layer.bounds(), radius_px * css_px, lowest);
        Ok(Self { crs: Some("plane"), minzoom: min_zoom, maxzoom, center: (x, y, zoom), bounds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_bins_are_the_pixels_of_the_highest_zoom() {
        assert_eq!(
            [(22, 256), (22, 512), (32, 256), (5, 256), (16, 1)].map(|(level, side)| bins_max_zoom(level, side)),
            [14, 13, 24, 0, 16]
        );
    }

    #[test]
    fn attributions_are_escaped() {
        assert_eq!(escape_html("A & B <script>"), "A &amp; B &lt;script&gt;");
    }
}
