//! `POST /queries`: creates a temporary layer from a filtered layer.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Result;
use crate::geo::Bounds;
use crate::http::parameters::area::Area;
use crate::http::parameters::body::body_fields;
use crate::http::parameters::conditions::comparisons;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::request_body;
use crate::http::parameters::shared::{BOUNDS, LAYER, POLYGON, RawJson};
use crate::http::server::base_url::BaseUrl;
use crate::http::server::client::ClientId;
use crate::http::server::clock::now_s;
use crate::http::server::digest::keyed_digest;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer, SelectedEntry, SelectionOwner, View};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source;

/// A query, available as a temporary layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QueryReply {
    /// Name of the temporary layer.
    #[schema(example = "67e55044-10b1-426f-9247-bb680e5fe0c8")]
    id: String,
    /// URL of its TileJSON; accepts style parameters.
    #[schema(example = "http://127.0.0.1:3000/67e55044-10b1-426f-9247-bb680e5fe0c8")]
    tilejson: String,
    /// URL template of its tiles; accepts style parameters.
    #[schema(example = json!(["http://127.0.0.1:3000/67e55044-10b1-426f-9247-bb680e5fe0c8/{z}/{x}/{y}.png"]))]
    tiles: [String; 1],
    /// Current number of points.
    #[schema(example = 1234)]
    points: u64,
    /// Unix time in seconds at which the layer expires.
    #[schema(example = 1_732_161_600)]
    expires_at: u64,
}

parameter_set! {
    /// The layer of a query, and its spatial and column filters.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct QueryOptions {
        layer: String = LAYER.required(),
        bounds: Bounds = BOUNDS.default("the whole layer"),
        polygon: RawJson = POLYGON,
        /// Conditions on columns of a live table, combined with AND: `[{"column": "speed", "op": ">=", "value": 30}]`.
        /// The columns are those of weight, time and category, and those named in the server's config; `op` is =, !=,
        /// <, <=, > or >=.
        conditions: RawJson = Declaration::new(Parameter::WHERE, Kind::Json),
    }
}

request_body! {
    /// A layer and filters.
    QueryRequest(QueryOptions, FilterOptions),
    example: {"layer": "cities", "bounds": [[35, -12], [60, 32]]}
}

/// Create a temporary layer from a filtered layer
///
/// The `id` in the response is the name of a layer that contains only the matching points. Until `expires_at`, it can
/// be used like any layer: for tiles, overlays, legends and so on, with additional filters. An equal query has the same
/// `id`, and extends its life. It reflects later changes
/// of the original layer.
#[utoipa::path(post, path = "/queries", operation_id = "create_query", tag = "layers", request_body = QueryRequest,
    responses(
        (status = 201, description = "The layer was created", body = QueryReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(app: Session, base: BaseUrl, headers: HeaderMap, body: Bytes) -> HttpResult<Response<Body>> {
    let mut fields = body_fields(&headers, &body)?;
    let QueryOptions { layer, bounds, polygon, conditions } = fields.read()?;
    let name = layer.ok_or_else(|| Problem::parameter("layer", "missing; expected the name of a layer"))?;
    let filter = Filter::read(&mut fields, &app.config.limits)?;
    fields.finish()?;
    let layer = app.layer(&name)?;
    if layer.parent().is_some() {
        return Err(Problem::parameter("layer", "it is a query itself; use the layer of that query"));
    }
    if !layer.coordinate_space().wraps() {
        return Err(Problem::parameter("layer", "queries need a layer on the globe, and this one is on a plane"));
    }
    let geojson = match (bounds, polygon) {
        (Some(_), Some(_)) => {
            return Err(Problem::parameter("polygon", "expected either bounds or a polygon, not both"));
        }
        (Some(bounds), None) => Some(rectangle(bounds)),
        (None, polygon) => polygon.map(|polygon| polygon.0),
    };
    let area = match geojson {
        Some(geojson) => Some(Area::read(&app.pool, layer.coordinate_space(), geojson).await?),
        None => None,
    };
    let comparisons = match conditions {
        Some(json) => comparisons(&layer, &json.0, &app.config.limits)?,
        None => Vec::new(),
    };
    let filter = filter.within(area);
    let selection = filter.clone().selection(comparisons);
    let (shared, counted) = (Arc::clone(&layer), selection.clone());
    let price = Price::of_filter(&layer, &selection);
    let work = move |stop: &AtomicBool| count(&shared, &counted, stop).map_err(|error| filter.request_error(error));
    let count = app.run_for(Some(Arc::clone(&layer)), price, work);
    let points = count.await?;
    let server = base.absolute()?;
    let owner = app.owner_of_selections(&name);
    let id = id_of(&name, owner.as_ref(), &selection);
    let expires_s = now_s() + app.config.queries.ttl.as_secs();
    let client = ClientId::current().map(|client| client.to_string());
    let entry = SelectedEntry { parent: name, filter: selection, points, expires_s, client, owner };
    let max_bytes = app.config.queries.max_size.bytes();
    if entry.bytes() > max_bytes {
        let detail = format!("the query of {} bytes exceeds the limit of {max_bytes} bytes", entry.bytes());
        return Err(Problem::too_large("queries.max_size", detail));
    }
    app.select(&id, entry, now_s());
    let tiles = [base.link(&format!("{server}/{id}/{{z}}/{{x}}/{{y}}.png"))];
    let tilejson = base.link(&format!("{server}/{id}"));
    let headers = [(header::LOCATION, tilejson.clone()), (header::CACHE_CONTROL, "no-store".to_owned())];
    let reply = QueryReply { id, tilejson, tiles, points, expires_at: expires_s };
    Ok((StatusCode::CREATED, headers, Json(reply)).into_response())
}

/// The id of a query: equal for equal queries of a layer by clients that see the same points, and unknown to other clients, since
/// the key of the digest is secret.
fn id_of(layer: &str, owner: Option<&SelectionOwner>, filter: &source::Filter) -> String {
    let owner = owner.map(|owner| (&owner.key, owner.view.as_ref().map(View::text)));
    let digest = keyed_digest((layer, owner, filter.key()));
    uuid::Builder::from_random_bytes(digest.to_be_bytes()).into_uuid().to_string()
}

/// Converts bounds to a `GeoJSON` polygon.
fn rectangle(bounds: Bounds) -> String {
    let Bounds { west, south, east, north } = bounds;
    let east = if east <= west { east + 360.0 } else { east };
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    serde_json::json!({"type": "Polygon", "coordinates": [ring]}).to_string()
}

/// Counts the points of a layer that pass a filter.
fn count(layer: &Layer, filter: &source::Filter, stop: &AtomicBool) -> Result<u64> {
    let query = layer.query();
    let filter = query.filter.clone().and(filter);
    layer.point_set().count(&query.with_filter(filter).with_stop(Some(stop)))
}
