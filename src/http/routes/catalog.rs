//! `GET /catalog`: which layers and color schemes there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::server::App;
use crate::http::server::corners::{Corners, corners};
use crate::parameters::ParameterSet;

/// What the server has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CatalogReply {
    /// The layers, by name.
    layers: Vec<LayerReply>,
    /// The color schemes. Each name with `_r` behind is the same scheme reversed.
    schemes: Vec<SchemeReply>,
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
        bounds: corners(layer.bounds()),
        weight: layer.weight().map(str::to_owned),
        version: layer.version().to_owned(),
        projections: if layer.ground().wraps() { &["mercator", "platecarree"][..] } else { &["plane"] }
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        style: layer.style().pairs().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect(),
    });
    let schemes = app
        .schemes
        .iter()
        .map(|scheme| SchemeReply { name: scheme.name().to_owned(), family: scheme.family().title() });
    let page = &app.config.page;
    let page = PageReply { basemap: page.basemap.clone(), attribution: page.attribution.clone() };
    let reply = CatalogReply { layers: layers.collect(), schemes: schemes.collect(), page };
    ([(header::CACHE_CONTROL, "no-cache")], Json(reply))
}
