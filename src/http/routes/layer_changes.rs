//! `PUT /{layer}` and `DELETE /{layer}`: creates, describes and removes layers of the store.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::{TimeSpan, check_layer_name};
use crate::error::Error;
use crate::http::maintenance::{expire_before_us, large_loss};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::parameters::shared::RawJson;
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::StyleOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, from_str_values, parameter_set};
use crate::source::CoordinateSpace;
use crate::store::{Description, StoredLayer};

from_str_values!(CoordinateSpace, Age);

/// The maximum age of points, whose unit is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Age(TimeSpan);

impl FromStr for Age {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        TimeSpan::parse_age(text).map(Self)
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

parameter_set! {
    /// The confirmation that points may be removed.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct RemovalOptions {
        /// In the query string: whether a new `keep` may remove half of the points of the layer, or more. Without it,
        /// such a `keep` is a conflict, and the layer is unchanged.
        expire: bool = Declaration::new(Parameter::EXPIRE, Kind::Boolean).default("false"),
    }
}

parameter_set! {
    /// The description of a layer.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct LayerOptions {
        /// Title of the layer.
        title: String = Declaration::new(Parameter::TITLE, Kind::Label).default("its name"),
        /// Attribution of the points.
        attribution: String = Declaration::new(Parameter::ATTRIBUTION, Kind::Label),
        /// Column of the weights, which is also their unit; `none` for points without weights.
        weight: String = Declaration::new(Parameter::WEIGHT, Kind::Label).default("the known column names"),
        /// Retention: points whose time is older are removed within the hour: `90s`, `30m`, `1h`, `30d`. The unit
        /// is required.
        keep: Age = Declaration::new(Parameter::KEEP, Kind::Duration).default("unlimited").example("30d"),
        /// Coordinate reference system of the points: `EPSG:4326`, degrees on the globe, or `plane`, x and y in meters.
        /// That of a layer with points cannot change.
        crs: CoordinateSpace = Declaration::new(Parameter::CRS, Kind::Choice(CoordinateSpace::WORDS))
            .default("EPSG:4326; that of an existing layer"),
        /// Default style parameters of the layer, the same as those of tiles.
        style: RawJson = Declaration::new(Parameter::STYLE, Kind::Json),
    }
}

request_body! {
    /// The description of a layer. All members are optional.
    LayerRequest(LayerOptions),
    example: {"title": "Taxi trips", "keep": "30d", "style": {"scheme": "fire", "radius": "500m"}}
}

/// A layer of the store.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StoredReply {
    /// Name of the layer in URLs.
    #[schema(example = "trips")]
    name: String,
    /// Title of the layer.
    title: Option<String>,
    /// Attribution of the points.
    attribution: Option<String>,
    /// Name of the weights.
    weight: Option<String>,
    /// Coordinate reference system of the points: `EPSG:4326`, or `plane` for x and y in meters.
    #[schema(example = "EPSG:4326")]
    crs: String,
    /// Retention of the points.
    #[schema(example = "30d")]
    keep: Option<String>,
    /// Number of points that are older than `keep`, which the server removes within the hour; 0 without `keep`.
    #[schema(example = 0)]
    expired: u64,
    /// Default style parameters of the layer.
    style: std::collections::BTreeMap<String, String>,
    /// Number of points.
    points: u64,
    /// Version of the layer, which changes with the points and the description.
    version: String,
}

/// Create or describe a layer
///
/// ```sh
/// curl -X PUT localhost:3000/trips -H "Authorization: Bearer $KILN_TOKEN"
/// curl -X PUT localhost:3000/trips -H "Authorization: Bearer $KILN_TOKEN" --json '{"title": "Taxi trips", "keep": "30d"}'
/// ```
///
/// A new layer has no points: `POST /{layer}/points` adds them. An existing layer keeps its points; the body replaces
/// its description, and without a body nothing changes. A new `keep` that would remove half of the points, or more, is a
/// conflict whose detail states their number and times; `?expire=true` confirms it. The folder of the store is created with its first layer.
#[utoipa::path(put, path = "/{layer}", operation_id = "put_layer", tag = "writes",
    params(("layer" = String, Path, description = "1 to 64 letters A-Z, a-z, digits, _ or -; not one of the server's own names", example = "trips"), InQuery<RemovalOptions>),
    request_body(content = Option<LayerRequest>, content_type = "application/json"),
    security((), ("token" = [])),
    responses(
        (status = 200, description = "The layer already existed", body = StoredReply),
        (status = 201, description = "The layer was created", body = StoredReply, headers(("Location" = String))),
        (status = 400, description = "Invalid name or description", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files, which the server does not change; or it has points in another coordinate reference system; or `keep` would remove half of its points, or more, without `expire=true`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    app: Session,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    check_layer_name(&name).map_err(|detail| Problem::parameter("layer", detail))?;
    app.check_not_input_layer(&name)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let RemovalOptions { expire } = fields.read()?;
    fields.finish()?;
    let changes = if body.trim_ascii().is_empty() { None } else { Some(description(&app, &body)?) };
    let (description, space) = changes.map_or((None, None), |(description, space)| (Some(description), space));
    let shared = app.clone();
    let work = move |_: &_| shared.put(&name, space, description, expire.unwrap_or_default());
    let (reply, is_new) = app.write_limiter.run(std::future::ready(()), work).await?;
    app.maintenance.notify_retention_changed();
    let location = is_new.then(|| [(header::LOCATION, base.url(&reply.name))]);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, location, [(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// Remove a layer with all its points
///
/// ```sh
/// curl -X DELETE localhost:3000/trips -H "Authorization: Bearer $KILN_TOKEN"
/// ```
#[utoipa::path(delete, path = "/{layer}", operation_id = "delete_layer", tag = "writes",
    params(("layer" = String, Path, description = "A layer of the store", example = "trips")),
    security((), ("token" = [])),
    responses(
        (status = 204, description = "The layer was removed"),
        (status = 401, description = "Write requests must send the token", body = Problem, content_type = "application/problem+json",
            headers(("WWW-Authenticate" = String))),
        (status = 403, description = "Writes are disabled, or not allowed from this origin", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The layer is read from input files, which the server does not change", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn delete(app: Session, Path(name): Path<String>, headers: HeaderMap) -> HttpResult<Response<Body>> {
    app.writable_store(&headers, &name)?;
    app.stored_layer(&name)?;
    let shared = Arc::clone(&app);
    let work = move |_: &_| Ok(shared.store.remove(&name)?);
    let existed = app.write_limiter.run(std::future::ready(()), work).await?;
    if existed {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::not_found("the layer was already removed"))
    }
}

/// Reads the description of a layer in a request body, and its coordinate space if that is given.
fn description(app: &App, body: &[u8]) -> HttpResult<(Description, Option<CoordinateSpace>)> {
    let mut fields = Fields::from_json(body)?;
    let LayerOptions { title, attribution, weight, keep, crs, style } = fields.read()?;
    fields.finish()?;
    let mut description = Description {
        title,
        attribution,
        weight,
        keep_s: keep.map(|Age(keep)| keep.as_secs()),
        ..Description::default()
    };
    if let Some(style) = style {
        let mut fields = Fields::from_json(style.0.as_bytes())?;
        let options: StyleOptions = fields.read()?;
        fields.finish()?;
        let scheme = app.schemes.find(options.scheme.as_deref())?;
        options.resolve(|_| Ok(scheme))?;
        description.style = options.pairs().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    }
    Ok((description, crs))
}

impl Session {
    /// Creates or describes the layer; `may_expire` allows a retention that removes a large part of its points. Returns
    /// whether it was created.
    fn put(
        &self,
        name: &str,
        space: Option<CoordinateSpace>,
        description: Option<Description>,
        may_expire: bool,
    ) -> HttpResult<(StoredReply, bool)> {
        let store = &self.store;
        if store.layer(name)?.is_none() {
            match store.create_in(name, space.unwrap_or_default(), description.clone().unwrap_or_default()) {
                Ok(layer) => return Ok((self.reply(&layer)?, true)),
                // A concurrent request created it.
                Err(Error::Invalid { parameter: Parameter::LAYER, .. }) => {}
                Err(Error::Input { message, .. }) => return Err(Problem::conflict(message.with_keys())),
                Err(error) => return Err(error.into()),
            }
        }
        let layer = self.stored_layer(name)?;
        let keep_s = description.as_ref().and_then(|description| description.keep_s).filter(|_| !may_expire);
        if let Some(loss) = keep_s.and_then(|keep_s| large_loss(&layer.snapshot(), keep_s)) {
            return Err(Problem::conflict(loss));
        }
        if let Some(space) = space {
            layer.set_coordinate_space(space).map_err(|error| match error {
                Error::Invalid { message, .. } => Problem::conflict(message.with_keys()),
                error => self.change_problem(&layer, error),
            })?;
        }
        if let Some(description) = description {
            layer.set_description(description).map_err(|error| self.change_problem(&layer, error))?;
        }
        Ok((self.reply(&layer)?, false))
    }

    fn reply(&self, layer: &StoredLayer) -> HttpResult<StoredReply> {
        let (points, version) = self.published(layer)?;
        let snapshot = layer.snapshot();
        let Description { title, attribution, weight, style, keep_s } = snapshot.description().clone();
        Ok(StoredReply {
            name: layer.name().to_owned(),
            title,
            attribution,
            weight,
            crs: snapshot.coordinate_space().to_string(),
            keep: keep_s.map(|keep| TimeSpan::from_secs(keep).to_string()),
            expired: keep_s.map_or(0, |keep_s| snapshot.expiry(expire_before_us(keep_s)).expired),
            style,
            points,
            version,
        })
    }
}
