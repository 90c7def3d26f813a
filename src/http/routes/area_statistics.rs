//! `POST /{layer}/statistics`: statistics of a layer's points in a polygon.

use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Response};

use super::distributions::DistributionOptions;
use super::statistics::{StatisticsReply, compute};
use crate::http::parameters::area::{Area, PolygonBody};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::FilterOptions;

/// Statistics of a layer's points in a polygon
///
/// The body is a GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these. The response has the number,
/// weights, bounds, times and categories of the points in the polygon, and with `bins` also their distributions; `zooms` is
/// empty.
#[utoipa::path(post, path = "/{layer}/statistics", operation_id = "compute_area_statistics", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<DistributionOptions>, InQuery<FilterOptions>),
    request_body(content((PolygonBody = "application/geo+json"), (PolygonBody = "application/json"))),
    responses(
        (status = 200, description = "The statistics", body = StatisticsReply),
        (status = 400, description = "Invalid parameter or polygon", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn statistics_within(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    layer.require_positions()?;
    let area = Area::of_body(&app.pool, layer.coordinate_space(), &headers, body).await?;
    let digest = area.keyed_digest();
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let DistributionOptions { bins } = fields.read()?;
    let filter = Filter::read(&mut fields, &app.config.limits)?.within(Some(area));
    fields.finish()?;
    filter.check(&layer.query())?;
    let bins = bins.map(|bins| bins as usize);
    // The text of the filter has a digest without a key, for which a client could construct a collision.
    let key = format!("area/{}/{}/{digest:032x}/{bins:?}?{filter}", layer.name(), layer.version());
    let name = layer.name().to_owned();
    let price = Price::of_scan(&layer, &filter);
    let compute =
        move |stop: &AtomicBool| compute(&layer, &filter, bins, stop).map_err(|error| filter.request_error(error));
    app.cached_json(&name, &key, price, compute).await
}
