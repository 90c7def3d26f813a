//! `/{layer}/floorplan`: the picture below a layer on a plane.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::tiles::IMMUTABLE;
use crate::error::Result;
use crate::geo::Bounds;
use crate::http::parameters::body::media_type;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::tile_style::TileVersion;
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::etag::{etag, is_cached, png_response};
use crate::http::server::floor_plans::{FloorPlan, ImageFormat, PlanError, check_bounds};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

parameter_set! {
    /// The position of a floor plan.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct FloorPlanOptions {
        /// Bounds of the image in meters: `west,south,east,north`.
        bounds: Bounds = Declaration::new(Parameter::BOUNDS, Kind::Bounds).example("0,0,40,24").required(),
    }
}

/// A floor plan.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FloorPlanReply {
    /// URL of the image, which changes with the plan.
    #[schema(example = "/floor/floorplan?v=00c0ffee00c0ffee")]
    url: String,
    /// Bounds of the image in meters, `[[south, west], [north, east]]`, for `L.imageOverlay`.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[0, 0], [24, 40]]))]
    bounds: Corners,
    /// Width of the image in pixels.
    #[schema(example = 1600)]
    width: u32,
    /// Height of the image in pixels.
    #[schema(example = 960)]
    height: u32,
    /// Media type of the image.
    #[schema(example = "image/png")]
    media_type: &'static str,
    /// Size of the image in bytes.
    #[schema(example = 48_213)]
    bytes: u64,
}

impl FloorPlanReply {
    /// Describes the plan of the layer `name`.
    pub(crate) fn new(base: &BaseUrl, name: &str, plan: &FloorPlan) -> Self {
        Self {
            url: base.link(&base.url(&format!("{name}/floorplan?v={}", plan.version))),
            bounds: corners(plan.bounds()),
            width: plan.width,
            height: plan.height,
            media_type: plan.format.media_type(),
            bytes: plan.bytes,
        }
    }
}

/// The floor plan of a layer
///
/// The image as it was uploaded, or that of `floorplan.image` of the config. With the `v` of `floorplan.json`, the response
/// may be cached indefinitely.
#[utoipa::path(get, path = "/{layer}/floorplan", operation_id = "get_floor_plan_image", tag = "layers",
    params(("layer" = String, Path, description = "A layer on a plane", example = "floor"), InQuery<TileVersion>),
    responses(
        (status = 200, description = "The image", content((Vec<u8> = "image/png"), (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/webp")),
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer, or it has no floor plan", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn image(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&name)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let TileVersion { version } = fields.read()?;
    fields.finish()?;
    let shared = Arc::clone(&app);
    let (plan, image) = read(&layer, move |layer| shared.floor_plan_image(layer)).await?;
    let is_pinned = version.is_some_and(|version| version.is(&plan.version));
    let cache_control = if is_pinned { IMMUTABLE } else { &app.config.server.cache_control };
    let tag = etag(format!("floorplan/{}", plan.version));
    let is_unmodified = is_cached(&headers, &tag);
    let mut response = png_response(&headers, image, &tag, cache_control);
    let more = response.headers_mut();
    if !is_unmodified {
        more.insert(header::CONTENT_TYPE, HeaderValue::from_static(plan.format.media_type()));
    }
    more.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The bounds and the size of a floor plan
#[utoipa::path(get, path = "/{layer}/floorplan.json", operation_id = "get_floor_plan", tag = "layers",
    params(("layer" = String, Path, description = "A layer on a plane", example = "floor")),
    responses(
        (status = 200, description = "The floor plan", body = FloorPlanReply),
        (status = 404, description = "Unknown layer, or it has no floor plan", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn describe(app: Session, Path(name): Path<String>, base: BaseUrl) -> HttpResult<Response<Body>> {
    let layer = app.layer(&name)?;
    let shared = Arc::clone(&app);
    let plan = read(&layer, move |layer| shared.floor_plan(layer)).await?;
    let reply = FloorPlanReply::new(&base, layer.name(), &plan);
    Ok(([(header::CACHE_CONTROL, "no-cache")], Json(reply)).into_response())
}

/// Upload the floor plan of a layer
///
/// ```sh
/// curl -X PUT 'localhost:3000/floor/floorplan?bounds=0,0,40,24' -H "Authorization: Bearer $KILN_TOKEN" -H 'Content-Type: image/png' --data-binary @floor.png
/// ```
///
/// The body is a PNG, JPEG or WebP image, detected from the content. It replaces the previous plan, and is removed with the
/// layer. A request that fails changes nothing.
#[utoipa::path(put, path = "/{layer}/floorplan", operation_id = "put_floor_plan", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store, on a plane", example = "floor"), InQuery<FloorPlanOptions>),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The plan was replaced", body = FloorPlanReply),
        (status = 201, description = "The layer has its first plan", body = FloorPlanReply, headers(("Location" = String))),
        (status = 400, description = "Invalid or missing bounds, or an invalid image", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is on the globe, or is read from input files", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The image exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not a PNG, JPEG or WebP image", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
    headers: HeaderMap,
    body: Body,
) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    check_writable(&app, &name)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let FloorPlanOptions { bounds } = fields.read()?;
    fields.finish()?;
    let missing = "missing; expected west,south,east,north of the image in meters, such as 0,0,40,24";
    let bounds = bounds.ok_or_else(|| Problem::parameter("bounds", missing))?;
    check_bounds(bounds).map_err(|why| Problem::parameter("bounds", why))?;
    check_media_type(&headers)?;
    let image = collect(&app, body).await?;
    let shared = Arc::clone(&app);
    // The pool limits how many images are decoded at a time.
    let checked = app.pool.run(move |_| {
        let plan = FloorPlan::of_image(&image, bounds, &shared.config.limits);
        Ok(plan.map(|plan| (plan, image)))
    });
    let (plan, image) = checked.await?.map_err(|error| match error {
        PlanError::Format => Problem::media_type(error.to_string()),
        PlanError::Invalid(why) => Problem::body(why),
        PlanError::Limit(key, why) => Problem::too_large(key, why),
    })?;
    let (shared, layer) = (Arc::clone(&app), name.clone());
    let write = move |_: &_| Ok((shared.store_floor_plan(&layer, &plan, &image)?, plan));
    let (existed, plan) = app.write_limiter.run(std::future::ready(()), write).await?;
    let existed = existed.ok_or_else(|| Problem::not_found(format!("the layer `{name}` was removed")))?;
    let location = (!existed).then(|| [(header::LOCATION, base.url(&format!("{name}/floorplan")))]);
    let status = if existed { StatusCode::OK } else { StatusCode::CREATED };
    let reply = FloorPlanReply::new(&base, &name, &plan);
    Ok((status, location, [(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// Remove the floor plan of a layer
///
/// ```sh
/// curl -X DELETE localhost:3000/floor/floorplan -H "Authorization: Bearer $KILN_TOKEN"
/// ```
#[utoipa::path(delete, path = "/{layer}/floorplan", operation_id = "delete_floor_plan", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store, on a plane", example = "floor")),
    security((), ("token" = [])),
    responses(
        (status = 204, description = "The plan was removed"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer, or it has no floor plan", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is on the globe, or is read from input files", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(app: Session, Path(name): Path<String>, headers: HeaderMap) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    check_writable(&app, &name)?;
    let (shared, layer) = (Arc::clone(&app), name.clone());
    let remove = move |_: &_| Ok(shared.store.remove_floor_plan(&layer)?);
    if app.write_limiter.run(std::future::ready(()), remove).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(no_plan(&name))
    }
}

/// Checks that requests can change the floor plan of the layer `name`.
fn check_writable(app: &Session, name: &str) -> HttpResult<()> {
    if app.layer(name)?.coordinate_space().wraps() {
        let detail = format!("the layer `{name}` is on the globe; only a layer on a plane has a floor plan");
        return Err(Problem::conflict(detail));
    }
    app.check_stored(name, "floorplan")
}

/// Rejects a body that is declared as something other than an accepted image. The content determines the format: clients
/// often send none, or a wrong one.
fn check_media_type(headers: &HeaderMap) -> HttpResult<()> {
    /// The last one is what curl sends by default.
    const KNOWN: [&str; 6] =
        ["", "image/png", "image/jpeg", "image/webp", "application/octet-stream", "application/x-www-form-urlencoded"];
    let media_type = media_type(headers);
    if KNOWN.contains(&media_type.as_str()) {
        return Ok(());
    }
    Err(Problem::media_type(format!("unsupported media type `{media_type}`; {}", ImageFormat::ACCEPTED)))
}

/// Receives a body of at most `limits.floorplan_body` of the config.
async fn collect(app: &App, mut body: Body) -> HttpResult<Bytes> {
    let max_bytes = app.config.limits.floorplan_body.bytes();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::body(format!("the body ended early: {error}")))?;
        let data = frame.into_data().unwrap_or_default();
        if (bytes.len() + data.len()) as u64 > max_bytes {
            let message = format!("the body exceeds the limit of {max_bytes} bytes");
            return Err(Problem::too_large("limits.floorplan_body", message));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.into())
}

/// Reads the floor plan of a layer on a blocking thread.
async fn read<T: Send + 'static>(
    layer: &Arc<Layer>,
    read: impl FnOnce(&Layer) -> Result<Option<T>> + Send + 'static,
) -> HttpResult<T> {
    let shared = Arc::clone(layer);
    let read = tokio::task::spawn_blocking(move || read(&shared)).await;
    let plan = read.map_err(|error| Problem::internal(error.to_string()))??;
    plan.ok_or_else(|| {
        if layer.coordinate_space().wraps() {
            let detail = "the layer is on the globe; only a layer on a plane has a floor plan";
            return Problem::not_found(detail);
        }
        no_plan(layer.name())
    })
}

fn no_plan(name: &str) -> Box<Problem> {
    Problem::not_found(format!("the layer `{name}` has no floor plan"))
}
