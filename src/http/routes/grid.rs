//! `GET /{layer}/grid`: an occupancy grid as data or as a picture.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::http::parameters::body::{body_fields, media_type};
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::server::App;
use crate::http::server::digest::{digest, keyed_digest};
use crate::http::server::etag::{etag, is_cached};
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer};
use crate::layer_name;
use crate::occupancy::picture::{GridPicture, GridStyle, PictureLimits, contours, draw};
use crate::occupancy::write::{grid_json, write_contours, write_csv, write_geojson, write_parquet};
use crate::occupancy::{
    Grid, GridFormat, GridLayer, GridOptions, GridRequest, GridStyleOptions, PictureKind, Rooms, check_categories,
};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, RawJson, parameter_set};

/// The header with the bounds of a picture: `west,south,east,north`.
pub(crate) const BOUNDS: HeaderName = HeaderName::from_static("kiln-bounds");
/// The header with the values of the coldest and hottest color and their unit.
pub(crate) const SPAN: HeaderName = HeaderName::from_static("kiln-span");
/// The header with the meters of height per unit of a terrain picture.
pub(crate) const HEIGHT_SCALE: HeaderName = HeaderName::from_static("kiln-height-scale");

parameter_set! {
    /// The format of a grid.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct GridFormatOptions {
        /// Format of the response: `json`; `csv` or `parquet`, a row per cell; `geojson`, a polygon per cell, or lines with
        /// `picture=contours`; or `png`.
        format: GridFormat = Declaration::new(Parameter::FORMAT, Kind::Choice(GridFormat::NAMES))
            .default("json; png if `picture` is given"),
    }
}

request_body! {
    /// The parameters of a grid, with the rooms as `polygons`.
    GridBody(GridOptions, BoundsCrsOptions, FilterOptions, GridFormatOptions, GridStyleOptions),
    example: {"resolution": 0.5, "start": "2024-01-01T00:00:00Z", "end": "2024-01-08T00:00:00Z"}
}

/// A grid.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct GridReply {
    /// The cells: x and y of the center, and the value. In meters, or longitude and latitude in degrees. A comparison adds
    /// the compared value, the difference and the ratio.
    #[schema(value_type = Vec<Vec<Option<f64>>>, example = json!([[0.25, 1.75, 12]]))]
    array_cells: Vec<Vec<Option<f64>>>,
    /// What the values are.
    metadata: GridMetadata,
    /// The totals of a comparison.
    #[schema(value_type = Option<Object>)]
    comparison: Option<String>,
    /// The values per hour of the week or day.
    #[schema(value_type = Option<Object>)]
    profile: Option<String>,
    /// The sums per room, in order: name, value, count, area in m², value per m².
    #[schema(value_type = Option<Vec<Object>>)]
    rooms: Option<Vec<String>>,
    /// The sums of the points in no room.
    #[schema(value_type = Option<Object>)]
    outside: Option<String>,
}

/// The metadata of a grid.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct GridMetadata {
    /// Quantity of the values.
    #[schema(example = "occupancy")]
    r#type: String,
    /// Names of the numbers of a cell.
    #[schema(example = json!(["x", "y", "value"]))]
    columns: Vec<String>,
    /// Size of the cells in meters, or the H3 resolution.
    resolution: f64,
    /// Unit of the values.
    #[schema(example = "points")]
    unit: String,
    /// Whether the values are divided by their maximum.
    normalized: bool,
    /// Number of listed cells.
    cells: u64,
    /// Number of points.
    total_detections: u64,
    /// Value of all points together.
    total: Option<f64>,
    /// Maximum value of a cell, before normalization.
    max_value: f64,
    /// Outer edges of the listed cells: `min_x`, `max_x`, `min_y`, `max_y`; null without cells.
    #[schema(value_type = Option<Object>)]
    bounds: Option<String>,
    /// Start of the time range.
    start: Option<String>,
    /// End of the time range.
    end: Option<String>,
}

/// Occupancy grid of a layer
///
/// Counts the points per cell, or reduces their weights, over any span of time: as JSON, CSV, Parquet, GeoJSON or a
/// picture. Sums are exact, so the grids of consecutive time ranges add up to that of the whole range.
#[utoipa::path(get, path = "/{layer}/grid", operation_id = "get_grid", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"),
        InQuery<GridOptions>, InQuery<BoundsCrsOptions>, InQuery<GridFormatOptions>, InQuery<FilterOptions>, InQuery<GridStyleOptions>),
    responses(
        (status = 200, description = "The grid",
            content((GridReply = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"),
                (Object = "application/geo+json"), (Vec<u8> = "image/png")),
            headers(("ETag" = String), ("Cache-Control" = String),
                ("Kiln-Bounds" = String, description = "Bounds of a picture: west,south,east,north"),
                ("Kiln-Span" = String, description = "Values of the coldest and hottest color, and their unit"),
                ("Kiln-Height-Scale" = f64, description = "Meters of height per unit, of a terrain picture"))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn grid(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = find_layer(&app, &layer).await?;
    let fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    GridWork::read(&app, layer, fields, None).await?.reply(&app, &headers).await
}

/// Occupancy grid of a layer, with rooms
///
/// The body is a JSON object with the parameters of GET, of which `polygons` are rooms: a GeoJSON FeatureCollection. Or
/// the body is the FeatureCollection itself, and the parameters are in the query string.
#[utoipa::path(post, path = "/{layer}/grid", operation_id = "compute_grid", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities")),
    request_body = GridBody,
    responses(
        (status = 200, description = "The grid",
            content((GridReply = "application/json"), (String = "text/csv"), (Vec<u8> = "application/vnd.apache.parquet"),
                (Object = "application/geo+json"), (Vec<u8> = "image/png")), headers(("Cache-Control" = String))),
        (status = 400, description = "Invalid parameter or polygon", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn grid_of_body(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let layer = find_layer(&app, &layer).await?;
    let query = query.unwrap_or_default();
    let work = if is_geojson(&headers, &body) {
        let text = String::from_utf8(body.into()).map_err(|_| Problem::body("the body is not UTF-8"))?;
        GridWork::read(&app, layer, Fields::from_query(&query)?, Some(text)).await?
    } else {
        if !query.is_empty() {
            let detail = "the parameters are in the body; the query string applies to a body of GeoJSON polygons";
            return Err(Problem::body(detail));
        }
        GridWork::read(&app, layer, body_fields(&headers, &body)?, None).await?
    };
    // Clients do not cache the response to a POST, so conditional headers do not apply.
    work.reply(&app, &HeaderMap::new()).await
}

/// The layer of a request.
///
/// # Errors
/// 404 if there is no such layer; the detail says so if the name is that of a space.
async fn find_layer(app: &Session, name: &str) -> HttpResult<Arc<Layer>> {
    let unknown = match app.layer(name) {
        Err(problem) if problem.status() == StatusCode::NOT_FOUND && layer_name::is_valid(name) => problem,
        layer => return layer,
    };
    let (shared, id) = (app.clone(), name.to_owned());
    let (layers, _) = app.pool.run(move |stop| shared.spaces.layers_with(&shared, &id, stop)).await?;
    let Some(layer) = layers.first() else { return Err(unknown) };
    let layer = layer.name();
    let detail = format!("it is a space of the layer {layer}: /{layer}/grid?space_id={name}");
    Err(Problem::not_found(format!("there is no layer `{name}`; {detail}")))
}

/// Whether a body is GeoJSON rather than an object of parameters.
fn is_geojson(headers: &HeaderMap, body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    media_type(headers) == "application/geo+json"
        || serde_json::from_slice::<Typed>(body).is_ok_and(|object| !object.r#type.is_empty())
}

/// A grid to compute and encode.
struct GridWork {
    layer: Arc<Layer>,
    filter: Filter,
    request: GridRequest,
    style: GridStyle,
    format: GridFormat,
    /// The canonical text of the grid, without the rooms.
    text: String,
}

impl GridWork {
    /// Reads the parameters; `polygons` is a body of rooms.
    async fn read(app: &Arc<App>, layer: Arc<Layer>, mut fields: Fields, polygons: Option<String>) -> HttpResult<Self> {
        let mut options: GridOptions = fields.read()?;
        options.bounds = BoundsCrs::read(&mut fields)?.to_layer(&layer, options.bounds)?;
        let GridFormatOptions { format } = fields.read()?;
        let styles: GridStyleOptions = fields.read()?;
        let filter = Filter::read(&mut fields, &app.config.limits)?;
        fields.finish()?;
        let polygons = match (options.polygons.take(), polygons) {
            (Some(_), Some(_)) => return Err(Problem::parameter("polygons", "it is given twice, also as the body")),
            (Some(RawJson(text)), None) | (None, Some(text)) => {
                let space = layer.coordinate_space();
                // Many vertices must not block the async runtime.
                Some(app.pool.run(move |_| Rooms::parse(&text, space).map(Arc::new)).await?)
            }
            (None, None) => None,
        };
        let format = format.unwrap_or(if styles.picture.is_some() { GridFormat::Png } else { GridFormat::Json });
        let (space, weighted) = (layer.coordinate_space(), layer.weight().is_some());
        let rooms = match (options.rooms, &polygons) {
            (Some(true), None) => {
                let (app, layer) = (Arc::clone(app), Arc::clone(&layer));
                tokio::task::spawn_blocking(move || app.rooms_of(&layer))
                    .await
                    .map_err(|error| Problem::internal(error.to_string()))??
            }
            _ => None,
        };
        let mut request =
            options.resolve(space, weighted, polygons, rooms.as_ref(), app.config.limits.cells, filter.zone()?)?;
        request.time_us = filter.time_us();
        check_format(format, &styles, &request)?;
        let styles = styles.or_style(layer.style());
        let style = styles.resolve(request.compare.is_some(), |name| {
            app.schemes.find(Some(name)).map_err(|problem| Error::invalid(Parameter::SCHEME, scheme_reason(&problem)))
        })?;
        let colors = digest(style.scheme.colors().as_flattened());
        let (options, styles) = (query_string(&options.pairs()), query_string(&styles.pairs()));
        let (name, version) = (layer.name(), layer.version());
        let text = format!("grid/{name}/{version}/{format}?{options}&{filter}&{styles}&colors={colors:032x}");
        Ok(Self { layer, filter, request, style, format, text })
    }

    async fn reply(self, app: &Arc<App>, headers: &HeaderMap) -> HttpResult<Response<Body>> {
        let rooms = self.request.rooms.as_ref().map(|rooms| rooms.text());
        let tag = etag(format!("{}&rooms={:032x}", self.text, digest(rooms.unwrap_or_default())));
        let cache_control = app.config.server.cache_control.clone();
        if is_cached(headers, &tag) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            insert(&mut response, header::ETAG, &tag);
            insert(&mut response, header::CACHE_CONTROL, &cache_control);
            return Ok(response);
        }
        let key = format!("{}&rooms={:x}", self.text, keyed_digest(rooms));
        let (format, shared, price) = (self.format, Arc::clone(app), self.price(app));
        let layer = Some(Arc::clone(&self.layer));
        let make =
            || app.run_for(layer, price, move |stop| self.compute(&shared, stop).map(|encoded| encoded.to_entry()));
        let (entry, was_cached) = app.bytes.get_or_make(&key, make).await?;
        app.metrics.cache(was_cached);
        let (picture, body) = EncodedGrid::of_entry(&entry);
        let mut response = Response::new(Body::from(body));
        insert(&mut response, header::CONTENT_TYPE, format.media_type());
        insert(&mut response, header::ETAG, &tag);
        insert(&mut response, header::CACHE_CONTROL, &cache_control);
        for (name, value) in [BOUNDS, SPAN, HEIGHT_SCALE].into_iter().zip(picture.split('\t')) {
            if !value.is_empty() {
                insert(&mut response, name, value);
            }
        }
        Ok(response)
    }

    fn price(&self, app: &App) -> Price {
        let is_drawn = match self.format {
            GridFormat::Png => true,
            GridFormat::GeoJson => self.style.picture == PictureKind::Contours,
            GridFormat::Json | GridFormat::Csv | GridFormat::Parquet => false,
        };
        let picture = is_drawn.then(|| (&self.style, picture_limits(app)));
        Price::of_grid(&self.layer, &self.filter, &self.request, picture)
    }

    /// Computes and encodes the grid.
    fn compute(self, app: &App, stop: &AtomicBool) -> Result<EncodedGrid> {
        let threads = app.render_threads();
        let query = self.filter.without_times().applied_to(self.layer.query()).with_stop(Some(stop));
        let layer = GridLayer::new(&self.layer, &query, threads);
        let compares = self.request.compare.is_some();
        let to_error = |error: Error| match error {
            Error::Input { .. } if compares && self.filter.categories().is_empty() => {
                Error::invalid(Parameter::COMPARE, "the layer has no time column")
            }
            other => self.filter.request_error(other),
        };
        let grid = layer.grid(self.request).map_err(to_error)?;
        let categories = self.filter.categories();
        if categories.len() > 1 || !categories.is_empty() && grid.total.count == 0 {
            check_categories(&self.layer, categories, stop, threads)?;
        }
        encode(&grid, &layer, &self.style, self.format, picture_limits(app))
    }
}

fn picture_limits(app: &App) -> PictureLimits {
    PictureLimits { pixels: app.config.limits.pixels, radius_px: app.config.limits.radius_px }
}

/// Rejects results that a format cannot contain.
fn check_format(format: GridFormat, styles: &GridStyleOptions, request: &GridRequest) -> Result<()> {
    let unsupported = [(Parameter::ROOMS, request.rooms.is_some()), (Parameter::PROFILE, request.profile.is_some())];
    if let Some((parameter, _)) = unsupported.into_iter().find(|(_, given)| *given && format != GridFormat::Json) {
        return Err(Error::invalid(parameter, format!("{format} has cells only; use format=json")));
    }
    let drawn = format == GridFormat::Png
        || format == GridFormat::GeoJson && styles.picture.is_none_or(|picture| picture == PictureKind::Contours);
    if drawn {
        return Ok(());
    }
    match styles.first() {
        Some(parameter) => Err(Error::invalid(parameter, format!("it applies to pictures; {format} is not one"))),
        None => Ok(()),
    }
}

/// The reason of a problem with the scheme, without the name of the parameter.
fn scheme_reason(problem: &Problem) -> String {
    problem.detail().trim_start_matches("scheme: ").to_owned()
}

/// An encoded grid, and the headers of a picture, separated by tabs.
struct EncodedGrid {
    headers: String,
    body: Vec<u8>,
}

impl EncodedGrid {
    /// The entry of the cache: the headers in the first line.
    fn to_entry(&self) -> Bytes {
        Bytes::from([self.headers.as_bytes(), b"\n", &self.body].concat())
    }

    fn of_entry(entry: &Bytes) -> (String, Bytes) {
        let end = entry.iter().position(|byte| *byte == b'\n').unwrap_or(0);
        let headers = String::from_utf8_lossy(&entry[..end]).into_owned();
        (headers, entry.slice((end + 1).min(entry.len())..))
    }
}

fn encode(
    grid: &Grid,
    layer: &GridLayer<'_>,
    style: &GridStyle,
    format: GridFormat,
    limits: PictureLimits,
) -> Result<EncodedGrid> {
    let mut body = Vec::new();
    match format {
        GridFormat::Json => {
            body = serde_json::to_vec(&grid_json(grid)).map_err(|error| Error::input("grid", error.to_string()))?;
        }
        GridFormat::Csv => write_csv(grid, &mut body)?,
        GridFormat::Parquet => write_parquet(grid, &mut body)?,
        GridFormat::GeoJson if style.picture == PictureKind::Contours => {
            let (lines, unit) = contours(grid, layer, style, limits)?;
            write_contours(grid, &lines, &unit, &mut body)?;
        }
        GridFormat::GeoJson => write_geojson(grid, &mut body)?,
        GridFormat::Png => {
            let picture = draw(grid, layer, style, limits)?;
            let headers = headers_of(&picture);
            return Ok(EncodedGrid { headers, body: picture.png });
        }
    }
    Ok(EncodedGrid { headers: String::new(), body })
}

/// The values of the headers of a picture.
fn headers_of(picture: &GridPicture) -> String {
    let GridPicture { bounds, span: [vmin, vmax], unit, height_scale, .. } = picture;
    // Adding 0 turns -0 into 0.
    let [west, south, east, north] = [bounds.west, bounds.south, bounds.east, bounds.north].map(|edge| edge + 0.0);
    let bounds = format!("{west},{south},{east},{north}");
    // Header values are ASCII.
    let unit = unit.replace('²', "2").replace('°', " degrees ");
    let scale = height_scale.map(|scale| scale.to_string()).unwrap_or_default();
    format!("{bounds}\t{vmin},{vmax} {unit}\t{scale}")
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // A label of weights may have characters that a header cannot have; it is then omitted.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
