//! `POST /queries`: some of a layer's points, as a layer for a while.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Result;
use crate::geo::Bounds;
use crate::http::parameters::area::Area;
use crate::http::parameters::body::body_fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::request_body;
use crate::http::parameters::shared::{BOUNDS, LAYER, POLYGON, RawJson};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::clock::now_s;
use crate::http::server::problem::{Answer, Problem};
use crate::layer::{FilterOptions, Layer, SelectedEntry};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};
use crate::source::{self, Comparison, Operand};

/// A query that can be asked for as a layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct QueryReply {
    /// The name of the layer.
    #[schema(example = "67e55044-10b1-426f-9247-bb680e5fe0c8")]
    id: String,
    /// Where its `TileJSON` is; style parameters may follow.
    #[schema(example = "http://127.0.0.1:3000/67e55044-10b1-426f-9247-bb680e5fe0c8")]
    tilejson: String,
    /// Where its tiles are; style parameters may follow.
    #[schema(example = json!(["http://127.0.0.1:3000/67e55044-10b1-426f-9247-bb680e5fe0c8/{z}/{x}/{y}.png"]))]
    tiles: [String; 1],
    /// How many points it has now.
    #[schema(example = 1234)]
    points: u64,
    /// When it will be gone, in Unix seconds.
    #[schema(example = 1_732_161_600)]
    expires_at: u64,
}

/// What a column has to be, as a request says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    column: String,
    op: String,
    value: serde_json::Value,
}

parameter_set! {
    /// Which points of a layer.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct QueryOptions {
        layer: String = LAYER.required(),
        bounds: Bounds = BOUNDS.default("the whole layer"),
        polygon: RawJson = POLYGON,
        /// Conditions on columns of a live table, all of which have to hold: `[{"column": "speed", "op": ">=", "value": 30}]`.
        /// They may use the columns of weight, time and category, and those that the server's config names; `op` is =, !=, <,
        /// <=, > or >=.
        conditions: RawJson = Declaration::new(Parameter::WHERE, Kind::Json),
    }
}

request_body! {
    /// Which points of a layer.
    QueryRequest(QueryOptions, FilterOptions),
    example: {"layer": "cities", "bounds": [[35, -12], [60, 32]]}
}

/// Some of a layer's points, as a layer for a while
///
/// The answer's `id` is the name of a layer that shows only the points that pass: in tiles, overlays, legends and all else
/// that a layer is asked for, with other filters on top, until `expires_at`. It follows the layer when that changes.
#[utoipa::path(post, path = "/queries", tag = "layers", request_body = QueryRequest,
    responses(
        (status = 201, description = "The layer is there", body = QueryReply),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request is beyond a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of a type that is not read", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests wait, or it took too long", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response<Body>> {
    let mut fields = body_fields(&headers, &body)?;
    let QueryOptions { layer, bounds, polygon, conditions } = fields.read()?;
    let name = layer.ok_or_else(|| Problem::parameter("layer", "it has to be given"))?;
    let filter = Filter::read(&mut fields)?;
    fields.finish()?;
    let layer = app.layer(&name)?;
    if layer.parent().is_some() {
        return Err(Problem::parameter("layer", "it is a query itself: name the layer that it is of"));
    }
    if !layer.coordinate_space().wraps() {
        return Err(Problem::parameter("layer", "a query is of a layer on the globe, and this one lies on a plane"));
    }
    let geojson = match (bounds, polygon) {
        (Some(_), Some(_)) => return Err(Problem::parameter("polygon", "give either bounds or a polygon, not both")),
        (Some(bounds), None) => Some(rectangle(bounds)),
        (None, polygon) => polygon.map(|polygon| polygon.0),
    };
    let area = match geojson {
        Some(geojson) => Some(Area::read(&app.pool, geojson).await?),
        None => None,
    };
    let comparisons = match conditions {
        Some(json) => comparisons(&layer, &json.0)?,
        None => Vec::new(),
    };
    let filter = filter.within(area);
    let of_request = filter.clone();
    let selection = filter.selection(comparisons);
    let (of, counted) = (Arc::clone(&layer), selection.clone());
    let count = app.pool.run(move |stop| count(&of, &counted, stop).map_err(|error| of_request.request_error(error)));
    let points = count.await?;
    let server = base.absolute()?;
    let id = uuid::Uuid::new_v4().to_string();
    let expires_s = now_s() + app.config.queries.ttl.as_secs();
    let entry = SelectedEntry { parent: name, filter: selection, points, expires_s };
    app.catalog.select(&id, entry, now_s(), app.config.queries.max_count);
    let tilejson = format!("{server}/{id}");
    let tiles = [format!("{tilejson}/{{z}}/{{x}}/{{y}}.png")];
    let kept = [(header::LOCATION, tilejson.clone()), (header::CACHE_CONTROL, "no-store".to_owned())];
    let reply = QueryReply { id, tilejson, tiles, points, expires_at: expires_s };
    Ok((StatusCode::CREATED, kept, Json(reply)).into_response())
}

/// Bounds as a polygon in `GeoJSON`.
fn rectangle(bounds: Bounds) -> String {
    let Bounds { west, south, east, north } = bounds;
    let east = if east <= west { east + 360.0 } else { east };
    let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
    serde_json::json!({"type": "Polygon", "coordinates": [ring]}).to_string()
}

/// The comparisons of a request, which name columns of a live table that may be compared.
fn comparisons(layer: &Layer, json: &str) -> Answer<Vec<Comparison>> {
    const MOST: usize = 32;
    let refused = |why: String| Problem::parameter("where", why);
    let conditions: Vec<Condition> = serde_json::from_str(json)
        .map_err(|_| refused(r#"it is not a list such as [{"column": "speed", "op": ">=", "value": 30}]"#.into()))?;
    if conditions.len() > MOST {
        return Err(refused(format!("there are more than {MOST} comparisons")));
    }
    let compared = conditions.into_iter().map(|Condition { column, op, value }| {
        let operand = match value {
            serde_json::Value::Number(number) => Operand::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Operand::Text(text),
            serde_json::Value::Bool(flag) => Operand::Text(flag.to_string()),
            other => return Err(refused(format!("{other} is neither a number nor a text"))),
        };
        if !layer.comparable().is_empty() && !layer.comparable().contains(&column) {
            let names = layer.comparable().join(", ");
            return Err(refused(format!("the column `{column}` is not one that can be compared: {names}")));
        }
        let operator = op.parse().map_err(|_| refused(format!("`{op}` is not =, !=, <, <=, > or >=")))?;
        let comparison = Comparison { column, operator, operand };
        layer.point_set().check_comparison(&comparison)?;
        Ok(comparison)
    });
    compared.collect()
}

/// The number of points of a layer that pass a filter.
fn count(layer: &Layer, filter: &source::Filter, stop: &AtomicBool) -> Result<u64> {
    let query = layer.query();
    let filter = query.filter.clone().and(filter);
    layer.point_set().count(&query.with_filter(filter).with_stop(Some(stop)))
}
