//! `GET /{layer}/qgis.qlr`: a layer definition for QGIS.

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::layer_links::LayerLinks;
use super::legend::legend_of;
use super::tile_extent::TileExtent;
use super::tile_json::description;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, StyleOptions};
use crate::xml;

/// QGIS layer of a layer
///
/// A layer definition file with the tiles, title, attribution and legend of the layer: QGIS adds it to the project. The
/// style parameters and filters of the request, and its key, are part of the URL of the tiles. The legend is a picture in
/// the file, of the zoom at which a map fits all points, as its title says; with `vmin` and `vmax`, it is that of all zooms.
#[utoipa::path(get, path = "/{layer}/qgis.qlr", operation_id = "get_qgis_layer", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The layer definition", content_type = "application/xml", body = String),
        (status = 400, description = "Invalid parameter, or the layer is on a plane", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn layer_definition(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&name)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let style = TileStyle::read_sized(&app.schemes, &app.config.limits, &layer, &mut fields, TileStyle::SIDE_PX)?;
    fields.finish()?;
    // QGIS 3.22 decodes the URL of a layer definition, and of a saved project, twice.
    let links = LayerLinks::of(&layer, &style, &base, "the QGIS layer")?.without_reserved_characters("QGIS")?;
    let extent = TileExtent::of(&app, &layer, &style)?;
    let legend = legend_of(&app, &name, &links.legend_query(&extent)).await?;
    let text = definition(&layer, &links, &extent, &STANDARD.encode(legend));
    let disposition = format!("attachment; filename=\"{name}.qlr\"");
    let headers = [
        (header::CONTENT_TYPE, "application/xml"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_DISPOSITION, &disposition),
    ];
    Ok((headers, text).into_response())
}

/// The text of the file: what QGIS needs of a layer definition; it completes the rest.
fn definition(layer: &Layer, links: &LayerLinks<'_>, extent: &TileExtent, legend: &str) -> String {
    const ESCAPED: AsciiSet =
        NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'/');
    let url = links.tiles();
    let url = utf8_percent_encode(&url, &ESCAPED);
    let source = format!("type=xyz&zmin={}&zmax={}&url={url}", extent.minzoom, extent.maxzoom);
    let id = format!("kiln_{}", layer.name());
    let [title, about, rights, source] =
        [layer.title(), &description(layer), layer.attribution().unwrap_or_default(), &source].map(xml::escape);
    format!(
        "<!DOCTYPE qgis-layer-definition>
<qlr>
  <layer-tree-group name=\"\" checked=\"Qt::Checked\" expanded=\"1\">
    <layer-tree-layer id=\"{id}\" name=\"{title}\" providerKey=\"wms\" checked=\"Qt::Checked\" expanded=\"1\"/>
  </layer-tree-group>
  <maplayers>
    <maplayer type=\"raster\" legendPlaceholderImage=\"base64:{legend}\">
      <id>{id}</id>
      <datasource>{source}</datasource>
      <layername>{title}</layername>
      <srs><spatialrefsys><authid>EPSG:3857</authid></spatialrefsys></srs>
      <resourceMetadata>
        <type>dataset</type>
        <title>{title}</title>
        <abstract>{about}</abstract>
        <rights>{rights}</rights>
      </resourceMetadata>
      <provider>wms</provider>
    </maplayer>
  </maplayers>
</qlr>
"
    )
}
