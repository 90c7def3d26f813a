//! `/{layer}/rooms`: the rooms of a layer.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use utoipa::ToSchema;

use crate::error::Error;
use crate::http::parameters::body::media_type;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::occupancy::Rooms;

const GEOJSON: &str = "application/geo+json";

/// A GeoJSON FeatureCollection of polygons with `properties.name`.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "documents the body in OpenAPI")]
pub(crate) struct RoomsGeoJson {
    /// GeoJSON type.
    #[schema(example = "FeatureCollection")]
    r#type: String,
    /// Features with a Polygon or MultiPolygon each, and the name of the room in `properties.name`.
    #[schema(value_type = Vec<Object>)]
    features: Vec<String>,
}

/// The rooms of a layer
///
/// The `GeoJSON` as it was uploaded, or that of `rooms` of the config: a FeatureCollection of polygons with
/// `properties.name`, in the coordinates of the layer.
#[utoipa::path(get, path = "/{layer}/rooms", operation_id = "get_rooms", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "floor")),
    responses(
        (status = 200, description = "The rooms", body = RoomsGeoJson, content_type = "application/geo+json"),
        (status = 404, description = "Unknown layer, or it has no rooms", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(app: Session, Path(name): Path<String>) -> HttpResult<Response<Body>> {
    let layer = app.layer(&name)?;
    let read = tokio::task::spawn_blocking(move || app.rooms_of(&layer)).await;
    let rooms = read.map_err(|error| Problem::internal(error.to_string()))??;
    let rooms = rooms.ok_or_else(|| no_rooms(&name))?;
    let headers = [(header::CONTENT_TYPE, GEOJSON), (header::CACHE_CONTROL, "no-cache")];
    Ok((headers, rooms.text().to_owned()).into_response())
}

/// Upload the rooms of a layer
///
/// ```sh
/// curl -X PUT localhost:3000/floor/rooms -H "Authorization: Bearer $KILN_TOKEN" -H 'Content-Type: application/geo+json' --data-binary @rooms.geojson
/// ```
///
/// The body is a `GeoJSON` FeatureCollection of polygons with `properties.name`, in the coordinates of the layer. It replaces
/// the previous rooms, and is removed with the layer. A request that fails changes nothing.
#[utoipa::path(put, path = "/{layer}/rooms", operation_id = "put_rooms", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store", example = "floor")),
    request_body(content = RoomsGeoJson, content_type = "application/geo+json"),
    security((), ("token" = [])),
    responses(
        (status = 201, description = "The layer has its first rooms", headers(("Location" = String))),
        (status = 204, description = "The rooms were replaced"),
        (status = 400, description = "The body is not a list of rooms", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not GeoJSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    app: Session,
    Path(name): Path<String>,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    app.check_stored(&name, "rooms")?;
    let media_type = media_type(&headers);
    // The last one is what curl sends by default.
    if !["", GEOJSON, "application/json", "application/x-www-form-urlencoded"].contains(&media_type.as_str()) {
        return Err(Problem::media_type(format!("unsupported media type `{media_type}`; send {GEOJSON}")));
    }
    let space = app.layer(&name)?.coordinate_space();
    let text = String::from_utf8(body.into()).map_err(|_| Problem::body("the body is not UTF-8"))?;
    let parse = move |_: &_| match Rooms::parse(&text, space) {
        Ok(_) => Ok(Ok(text)),
        Err(error @ Error::Invalid { .. }) => Ok(Err(error.into_message().with_keys())),
        Err(error) => Err(error),
    };
    let text = app.pool.run(parse).await?.map_err(Problem::body)?;
    let (shared, layer) = (Arc::clone(&app), name.clone());
    let write = move |_: &_| Ok(shared.store.set_rooms(&layer, &text)?);
    let existed = app.write_limiter.run(std::future::ready(()), write).await?;
    if existed.ok_or_else(|| Problem::not_found(format!("the layer `{name}` was removed")))? {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok((StatusCode::CREATED, [(header::LOCATION, base.url(&format!("{name}/rooms")))]).into_response())
}

/// Remove the rooms of a layer
///
/// ```sh
/// curl -X DELETE localhost:3000/floor/rooms -H "Authorization: Bearer $KILN_TOKEN"
/// ```
#[utoipa::path(delete, path = "/{layer}/rooms", operation_id = "delete_rooms", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store", example = "floor")),
    security((), ("token" = [])),
    responses(
        (status = 204, description = "The rooms were removed"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer, or it has no rooms", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(app: Session, Path(name): Path<String>, headers: HeaderMap) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    app.check_stored(&name, "rooms")?;
    let (shared, layer) = (Arc::clone(&app), name.clone());
    let remove = move |_: &_| Ok(shared.store.remove_rooms(&layer)?);
    if app.write_limiter.run(std::future::ready(()), remove).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(no_rooms(&name))
    }
}

fn no_rooms(name: &str) -> Box<Problem> {
    Problem::not_found(format!("the layer `{name}` has no rooms"))
}
