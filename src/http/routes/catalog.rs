//! `GET /catalog`: which layers and color schemes there are.

use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::server::App;
use crate::http::server::corners::{Corners, corners};
use crate::layer::remarks;
use crate::mask::Colormap;
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::ScanReport;

/// What the server has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CatalogReply {
    /// The layers, by name.
    layers: Vec<LayerReply>,
    /// The color schemes. Each name with `_r` behind is the same scheme reversed.
    schemes: Vec<SchemeReply>,
    /// The colormaps of OpenCV, by number, which masks can have besides the schemes.
    colormaps: Vec<&'static str>,
    /// What the map page shows below the heat.
    page: PageReply,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct PageReply {
    /// The address of its tiles; null for outlines of the land.
    basemap: Option<String>,
    /// Whom the map is owed to, as HTML.
    attribution: Option<String>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct LayerReply {
    /// Its name in addresses.
    #[schema(example = "cities")]
    name: String,
    /// What people call it.
    title: String,
    /// Whom to thank for the points.
    attribution: Option<String>,
    /// How many points there are.
    #[schema(example = 135_233)]
    points: u64,
    /// Rows of the inputs that hold no valid point.
    rejected: u64,
    /// What else there is to know of the inputs, such as values that were left out of points; missing if there is nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    /// Where the points are: `[[south, west], [north, east]]` in degrees; across the antimeridian the east is beyond 180.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
    /// What the weights count; null where every point weighs 1.
    weight: Option<String>,
    /// Changes with the points.
    version: String,
    /// The projections that it can be drawn in, the usual one first.
    projections: Vec<String>,
    /// How it is drawn unless a request says otherwise.
    #[schema(value_type = Object)]
    style: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct SchemeReply {
    /// Its name.
    #[schema(example = "fire")]
    name: String,
    /// What it is good for.
    family: &'static str,
}

/// The report with inputs called by the names of their files: where they lie is no concern of clients.
fn without_folders(mut report: ScanReport) -> ScanReport {
    let of_ignored = report.ignored.iter_mut().map(|ignored| &mut ignored.input);
    for input in of_ignored.chain(report.notices.iter_mut().map(|notice| &mut notice.input)) {
        if let Some(name) = Path::new(&*input).file_name() {
            *input = name.to_string_lossy().into_owned();
        }
    }
    report
}

/// The layers and color schemes
#[utoipa::path(get, path = "/catalog", tag = "server",
    responses((status = 200, description = "What the server has", body = CatalogReply)))]
pub(crate) async fn catalog(State(app): State<Arc<App>>) -> impl IntoResponse {
    let layers = app.catalog.layers().into_iter().map(|layer| LayerReply {
        name: layer.name().to_owned(),
        title: layer.title().to_owned(),
        attribution: layer.attribution().map(str::to_owned),
        points: layer.points(),
        rejected: layer.report().rejected,
        remarks: remarks(&without_folders(layer.report()), Parameter::key),
        bounds: corners(layer.bounds()),
        weight: layer.weight().map(str::to_owned),
        version: layer.version().to_owned(),
        projections: if layer.coordinate_space().wraps() { &["mercator", "platecarree"][..] } else { &["plane"] }
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        style: layer.style().pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
    });
    let schemes = app
        .schemes
        .iter()
        .map(|scheme| SchemeReply { name: scheme.name().to_owned(), family: scheme.family().title() });
    let colormaps = Colormap::opencv_names().collect();
    let page = &app.config.page;
    let page = PageReply { basemap: page.basemap.clone(), attribution: page.attribution.clone() };
    let reply = CatalogReply { layers: layers.collect(), schemes: schemes.collect(), colormaps, page };
    ([(header::CACHE_CONTROL, "no-cache")], Json(reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Ignored, Notice, Role};

    #[test]
    fn clients_do_not_learn_the_folders_of_inputs() {
        let ignored = Ignored {
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
