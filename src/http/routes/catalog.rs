//! `GET /catalog`: the layers and color schemes.

use std::path::Path;

use axum::Json;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::AccessReply;
use super::bins_reply::BinsReply;
use super::damage::{DamageReply, UnreadableLayerReply};
use super::floor_plan::FloorPlanReply;
use crate::color::Scheme;
use crate::config::RESERVED;
use crate::http::server::App;
use crate::http::server::auth::WriteAccess;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::corners::{Corners, corners_around};
use crate::http::server::session::Session;
use crate::layer::{Layer, remarks};
use crate::mask::Colormap;
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::ScanReport;

/// The catalog of the server.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CatalogReply {
    /// Layers, by name.
    layers: Vec<LayerReply>,
    /// Layers of the store that cannot be read, and are not in `layers`, by name; omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<UnreadableLayerReply>,
    /// Color schemes. A name followed by `_r` is the reversed scheme.
    schemes: Vec<SchemeReply>,
    /// Colormaps of OpenCV, by number, which masks accept in addition to the schemes.
    colormaps: Vec<&'static str>,
    /// Configuration of the map page.
    page: PageReply,
    /// Whether requests can add and change layers.
    writes: WritesReply,
    /// Who sent the request; omitted on a server without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<AccessReply>,
}

/// Whether requests can add and change layers.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct WritesReply {
    /// `open`; `token`, if they must send the server's token; or `closed`.
    #[schema(example = "open")]
    access: &'static str,
    /// Why writes are closed; null if they are not.
    reason: Option<&'static str>,
    /// Maximum size of a file that is uploaded, decompressed, in bytes: `limits.ingest_body`.
    max_bytes: u64,
    /// Names that layers cannot have.
    reserved: [&'static str; RESERVED.len()],
}

impl WritesReply {
    fn new(app: &Session, headers: &HeaderMap) -> Self {
        let (access, reason) = match app.write_access(headers) {
            WriteAccess::Open => ("open", None),
            WriteAccess::Token => ("token", None),
            WriteAccess::Closed(reason) => ("closed", Some(reason)),
        };
        Self { access, reason, max_bytes: app.config.limits.ingest_body.bytes(), reserved: RESERVED }
    }
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct PageReply {
    /// URL template of the basemap tiles; null for built-in land outlines.
    basemap: Option<String>,
    /// Attribution of the basemap, as HTML.
    attribution: Option<String>,
    /// Zoom beyond which the page draws the points itself; null if the server renders tiles at every zoom.
    draw_points_beyond: Option<u8>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct LayerReply {
    /// Name of the layer in URLs.
    #[schema(example = "cities")]
    name: String,
    /// Title of the layer.
    title: String,
    /// Attribution of the points.
    attribution: Option<String>,
    /// Number of points.
    #[schema(example = 135_233)]
    points: u64,
    /// Bins of a layer whose rows stand for many points each; omitted if its rows are points.
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<BinsReply>,
    /// Whether requests can change the points: those of a layer of the store.
    stored: bool,
    /// Number of rejected rows of the inputs.
    rejected: u64,
    /// Remarks on the inputs, such as ignored values; omitted if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    /// Damaged segments, which are left out; omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged: Option<DamageReply>,
    /// Coordinate reference system of the points: `EPSG:4326`, or `plane` for x and y in meters.
    #[schema(example = "EPSG:4326")]
    crs: String,
    /// Bounds of the points, `[[south, west], [north, east]]` in degrees, or in meters on a plane; across the
    /// antimeridian, east is greater than 180.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
    /// Whether the points have positions; a table without geometry has matrices only.
    positions: bool,
    /// Name of the weights; null if every point weighs 1.
    weight: Option<String>,
    /// Version of the layer, which changes with the points.
    version: String,
    /// Supported projections, the default first.
    projections: Vec<String>,
    /// Floor plan of the layer; omitted if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    floorplan: Option<FloorPlanReply>,
    /// Number of rooms of the layer; omitted if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    rooms: Option<usize>,
    /// Default style parameters of the layer.
    #[schema(value_type = Object)]
    style: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct SchemeReply {
    /// Name of the scheme.
    #[schema(example = "fire")]
    name: String,
    /// Family of the scheme.
    family: &'static str,
    /// Evenly spaced colors from cold to hot, as `#rrggbbaa`.
    colors: Vec<String>,
}

impl SchemeReply {
    /// The number of colors: enough for a swatch.
    const COLORS: usize = 9;

    fn new(scheme: &Scheme) -> Self {
        let last = Self::COLORS - 1;
        let color = |step: usize| {
            let [r, g, b, a] = scheme.colors()[step * 255 / last];
            format!("#{r:02x}{g:02x}{b:02x}{a:02x}")
        };
        Self {
            name: scheme.name().to_owned(),
            family: scheme.family().title(),
            colors: (0..=last).map(color).collect(),
        }
    }
}

/// Replaces the paths of inputs in a report by their filenames, which hides the server's folders from clients.
fn without_folders(mut report: ScanReport) -> ScanReport {
    let ignored_inputs = report.ignored.iter_mut().map(|ignored| &mut ignored.input);
    for input in ignored_inputs.chain(report.notices.iter_mut().map(|notice| &mut notice.input)) {
        if let Some(name) = Path::new(&*input).file_name() {
            *input = name.to_string_lossy().into_owned();
        }
    }
    report
}

/// The number of rooms of a layer. Rooms that cannot be read are logged and omitted.
fn room_count(app: &App, layer: &Layer) -> Option<usize> {
    match app.rooms_of(layer) {
        Ok(rooms) => rooms.map(|rooms| rooms.rooms().len()),
        Err(error) => {
            tracing::warn!(layer = layer.name(), "the rooms are omitted from the catalog: {error}");
            None
        }
    }
}

/// The floor plan of a layer. One that cannot be read is logged and omitted.
fn floor_plan(app: &App, base: &BaseUrl, layer: &Layer) -> Option<FloorPlanReply> {
    match app.floor_plan(layer) {
        Ok(plan) => plan.map(|plan| FloorPlanReply::new(base, layer.name(), &plan)),
        Err(error) => {
            tracing::warn!(layer = layer.name(), "the floor plan is omitted from the catalog: {error}");
            None
        }
    }
}

/// The layers and color schemes
#[utoipa::path(get, path = "/catalog", operation_id = "get_catalog", tag = "server",
    responses((status = 200, description = "The catalog", body = CatalogReply)))]
pub(crate) async fn catalog(app: Session, base: BaseUrl, headers: HeaderMap) -> impl IntoResponse {
    let layers = app.layers().into_iter().map(|layer| LayerReply {
        name: layer.name().to_owned(),
        title: layer.title().to_owned(),
        attribution: layer.attribution().map(str::to_owned),
        points: layer.points(),
        bins: BinsReply::of(&layer),
        stored: app.stored_layer(layer.name()).is_ok(),
        rejected: layer.report().rejected,
        remarks: remarks(&without_folders(layer.report()), Parameter::key),
        damaged: DamageReply::of(&layer),
        crs: layer.coordinate_space().to_string(),
        bounds: corners_around(layer.bounds()),
        positions: layer.require_positions().is_ok(),
        weight: layer.weight().map(str::to_owned),
        version: layer.version().to_owned(),
        projections: if layer.coordinate_space().wraps() { &["mercator", "platecarree"][..] } else { &["plane"] }
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        floorplan: floor_plan(&app, &base, &layer),
        rooms: room_count(&app, &layer),
        style: layer.style().pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
    });
    let schemes = app.schemes.iter().map(SchemeReply::new);
    let colormaps = Colormap::opencv_names().collect();
    let page = &app.config.page;
    let page = PageReply {
        basemap: page.basemap.clone(),
        attribution: page.attribution.clone(),
        draw_points_beyond: page.draw_points_beyond,
    };
    let writes = WritesReply::new(&app, &headers);
    let access = AccessReply::of(&app);
    let reply = CatalogReply {
        layers: layers.collect(),
        unreadable: UnreadableLayerReply::all(&app),
        schemes: schemes.collect(),
        colormaps,
        page,
        writes,
        access,
    };
    ([(header::CACHE_CONTROL, "no-cache")], Json(reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{IgnoredValues, Notice, Role};

    #[test]
    fn folders_of_inputs_are_hidden_from_clients() {
        let ignored = IgnoredValues {
            input: "/srv/secret/a.csv".into(),
            column: "value".into(),
            role: Role::Weight,
            values: 1,
            row: 1,
            reason: "\"low\" is not a number".into(),
        };
        let notice = Notice { input: "../b.csv".into(), message: "the day comes before the month".into() };
        let report = ScanReport { ignored: vec![ignored], notices: vec![notice], ..ScanReport::default() };
        let remarks = remarks(&without_folders(report), Parameter::key);
        assert!(remarks[0].starts_with("b.csv: ") && remarks[1].starts_with("a.csv: "), "{remarks:?}");
    }
}
