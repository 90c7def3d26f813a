//! `POST /overlays`: renders a picture for `L.imageOverlay`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Bytes;
use axum::extract::RawQuery;
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::ImagesConfig;
use crate::error::Error;
use crate::geo::{Bounds, Projection};
use crate::http::parameters::area::Area;
use crate::http::parameters::body::body_fields;
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::canvas_parameters::{
    PolarRows, canvas, check_coordinate_space, coordinate_space_of, default_projection, fitted_canvas,
};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::http::parameters::shared::{BOUNDS, LAYER, PIXEL_RATIO, POLYGON, ProjectionOptions, RawJson, SIZE, TITLE};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::clock::now_s;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::etag::{etag, png_response};
use crate::http::server::overlay_cache::Overlay;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::scale::{Scale, SpanReply};
use crate::http::server::session::Session;
use crate::images::ImageName;
use crate::layer::{FilterOptions, Size, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};
use crate::raster::Curve;
use crate::source::{PointSet, Query, ReadOptions, ResidentPoints, read};

/// The points within the bounds, if `png` is false.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PointsReply {
    /// `[latitude, longitude, weight]` of each point, as for `L.heatLayer`.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[59.33, 18.07, 1.0]]))]
    points: Vec<(f64, f64, f32)>,
    /// Total number of points within the bounds.
    total: u64,
    /// Whether `points` is a sample of the points within the bounds, of which each was as probable.
    truncated: bool,
    /// Requested bounds.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
}

/// The 200 response of POST /overlays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) enum OverlayOrPoints {
    /// A picture that already existed.
    Overlay(Overlay),
    /// The points, if `png` is false.
    Points(PointsReply),
}

parameter_set! {
    /// The points, bounds and size of a picture.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct OverlayOptions {
        /// A layer of the catalog. Mutually exclusive with `points`.
        layer: String = LAYER,
        /// Points instead of a layer: `[[lon, lat], …]`, `[[lon, lat, weight], …]`, objects with such members, or
        /// GeoJSON.
        points: RawJson = Declaration::new(Parameter::POINTS, Kind::Json),
        bounds: Bounds = BOUNDS.default("fitted to the points, padded by the radius of the dots"),
        size: Size = SIZE,
        /// Whether to render a picture; if false, the response contains the points within the bounds.
        png: bool = Declaration::new(Parameter::PNG, Kind::Boolean).default("true"),
        polygon: RawJson = POLYGON,
    }
}

request_body! {
    /// A picture to render: points, bounds, size, projection, filter and style.
    OverlayRequest(OverlayOptions, BoundsCrsOptions, ProjectionOptions, FilterOptions, StyleOptions),
    example: {
        "layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [800, 600],
        "radius": 12, "scheme": "fire", "opacity": 0.8
    }
}

parameter_set! {
    /// The legend of a given span. `vmin` and `vmax` are required.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct SpanLegendOptions {
        pub(crate) title: String = TITLE,
        /// Unit of the values, such as `points per km²`.
        pub(crate) unit: String = Declaration::new(Parameter::UNIT, Kind::Label),
        pub(crate) pixel_ratio: f64 = PIXEL_RATIO,
    }
}

/// Render a picture and return its URL and bounds
///
/// `url` and `bounds` of the response are the arguments of `L.imageOverlay(url, bounds)`. The same request returns the
/// same picture until it expires. With `png: false` the response contains the points instead, for `L.heatLayer`.
#[utoipa::path(post, path = "/overlays", operation_id = "create_overlay", tag = "overlays", request_body = OverlayRequest,
    responses(
        (status = 201, description = "The picture was rendered", body = Overlay),
        (status = 200, description = "The picture already existed; or, with `png: false`, the points", body = OverlayOrPoints),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    app: Session,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<axum::body::Body>> {
    let mut fields = body_fields(&headers, &body)?;
    let OverlayOptions { layer, points: inline, bounds, size, png, polygon } = fields.read()?;
    let crs = BoundsCrs::read(&mut fields)?;
    let ProjectionOptions { projection } = fields.read()?;
    let style: StyleOptions = fields.read()?;
    let filter = Filter::read(&mut fields, &app.config.limits)?;
    fields.finish()?;
    let area = match polygon {
        Some(polygon) => {
            let space = match &layer {
                Some(name) => app.layer(name)?.coordinate_space(),
                None => coordinate_space_of(projection.unwrap_or_default()),
            };
            Some(Area::read(&app.pool, space, polygon.0).await?)
        }
        None => None,
    };
    let filter = filter.within(area);

    let (subject, projection, defaults) = match (layer, inline) {
        (Some(_), Some(_)) => return Err(Problem::parameter("points", "expected either a layer or points, not both")),
        (Some(name), None) => {
            let layer = app.layer(&name)?;
            let projection = projection.unwrap_or_else(|| default_projection(&layer));
            check_coordinate_space(layer.coordinate_space(), projection)?;
            let style = layer.style().clone();
            (Subject::Layer(layer), projection, style)
        }
        (None, Some(json)) => {
            let projection = projection.unwrap_or_default();
            let points = read_points(&app, &json.0, projection).await?;
            (Subject::Inline(Arc::new(points)), projection, StyleOptions::default())
        }
        (None, None) => {
            let layers = app.layers();
            let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
            let detail = format!("missing; expected a layer ({}) or points", names.join(", "));
            return Err(Problem::parameter("layer", detail));
        }
    };
    let bounds = crs.to_space(coordinate_space_of(projection), bounds)?;
    let options = style.or(defaults);
    let scheme = app.schemes.find(options.scheme.as_deref())?;
    if !png.unwrap_or(true) {
        let bounds = bounds.or_else(|| subject.extent().bounds(projection.wraps())).unwrap_or(Bounds::WORLD);
        return points_response(&app, subject, &filter, bounds, projection).await;
    }
    let size = size.unwrap_or_default();
    let canvas = if let Some(bounds) = bounds {
        canvas(&app.config.limits, projection, bounds, size, PolarRows::Crop)?
    } else {
        if let Subject::Layer(layer) = &subject {
            layer.require_positions()?;
        }
        fitted_canvas(&app.config.limits, subject.extent(), projection, size, &options, &scheme)?
    };
    let request = RenderRequest { subject, filter, options, scheme, canvas, ratio: PixelRatio::ONE };
    let rejected = request.rejected();
    let (overlay, status) = overlay(&app, request).await?;
    let overlay = Overlay { rejected, ..overlay.at(&base) };
    let headers = [(header::LOCATION, overlay.url.clone()), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((status, headers, Json(overlay)).into_response())
}

/// Reads the inline points of a request.
async fn read_points(app: &Arc<App>, json: &str, projection: Projection) -> HttpResult<ResidentPoints> {
    let (json, limit) = (json.to_owned(), app.config.limits.points);
    let space = coordinate_space_of(projection);
    let loaded = app.pool.run(move |stop| {
        let query = Query::default().with_coordinate_space(space).with_weights(true).with_stop(Some(stop));
        let load = || {
            let source = read(json.as_bytes(), "points.json", &ReadOptions::default())?;
            let resident = ResidentPoints::load(&*source, &query, limit as usize)?;
            PointSet::report(&resident).require_points(&["points".to_owned()])?;
            Ok(resident)
        };
        Ok(load())
    });
    match loaded.await? {
        Ok(resident) => Ok(resident),
        Err(Error::Cancelled) => {
            Err(Problem::too_large("limits.points", format!("the request exceeds the limit of {limit} points")))
        }
        Err(Error::Input { message, .. }) => Err(Problem::parameter("points", message.with_keys())),
        Err(error) => Err(error.into()),
    }
}

/// Returns the overlay of a request, cached or newly rendered. Its URLs are paths without a base.
pub(crate) async fn overlay(app: &Arc<App>, request: RenderRequest) -> HttpResult<(Arc<Overlay>, StatusCode)> {
    request.check(&app.config.limits)?;
    let key = request.cache_key();
    let ttl_s = app.config.images.ttl.as_secs();
    let is_available = |overlay: &Arc<Overlay>| {
        let name: Option<ImageName> = overlay.filename.parse().ok();
        overlay.expires_at > now_s() && name.is_some_and(|name| app.images.path_of(name).exists())
    };
    if let Some(overlay) = app.overlays.0.get(&key) {
        if is_available(&overlay) {
            app.metrics.cache(true);
            return Ok((overlay, StatusCode::OK));
        }
        app.overlays.0.remove(&key);
    }
    let guard = match app.overlays.0.get_value_or_guard_async(key.as_str()).await {
        // A concurrent request rendered it.
        Ok(overlay) => return Ok((overlay, StatusCode::OK)),
        Err(guard) => guard,
    };
    app.metrics.cache(false);
    let shared_app = Arc::clone(app);
    let render = request.clone();
    let (image, name) = app
        .pool
        .run_at(request.price(), move |stop: &AtomicBool| {
            let timer = shared_app.metrics.render();
            let image = render.draw(&shared_app, stop)?;
            let name =
                shared_app.images.write_within(now_s(), &image.png, &shared_app.config.images.retention_limits())?;
            timer.done();
            Ok((image, name))
        })
        .await?;
    let name = name.ok_or_else(|| no_room(&app.config.images, image.png.len() as u64))?;
    let filename = name.to_string();
    app.bytes.insert(filename.clone(), &image.png);
    let canvas = &request.canvas;
    let overlay = Arc::new(Overlay {
        url: format!("imgs/{filename}"),
        bounds: corners(canvas.bounds()),
        size: [canvas.width(), canvas.height()],
        legend: image.span.as_ref().and_then(|span| legend_path(&request, span)),
        span: image.span,
        points_drawn: image.points,
        expires_at: name.created_s() + ttl_s,
        rejected: Vec::new(),
        filename,
    });
    let _ = guard.insert(Arc::clone(&overlay));
    Ok((overlay, StatusCode::CREATED))
}

/// The problem of a picture for which the folder of images has no room.
fn no_room(config: &ImagesConfig, bytes: u64) -> Box<Problem> {
    let limits = config.retention_limits();
    if bytes > limits.max_bytes {
        let detail = format!("the image of {bytes} bytes exceeds the limit of {} bytes", limits.max_bytes);
        return Problem::too_large("images.max_size", detail);
    }
    Problem::busy(format!(
        "images of the last {} s exceed images.max_count or images.max_size; retry later",
        limits.grace_s
    ))
}

/// Responds with the points within the bounds.
async fn points_response(
    app: &Arc<App>,
    subject: Subject,
    filter: &Filter,
    bounds: Bounds,
    projection: Projection,
) -> HttpResult<Response<axum::body::Body>> {
    let found = subject.fetch_points_within(app, filter, bounds, projection).await?;
    let (truncated, total) = (found.is_truncated(), found.total);
    let points = found.points.into_iter().map(|point| (point.lat, point.lon, point.weight)).collect();
    let reply = PointsReply { points, total, truncated, bounds: corners(bounds) };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// Returns the path and query of the legend of a picture; `None` if it depends on inline points or a polygon.
fn legend_path(request: &RenderRequest, span: &SpanReply) -> Option<String> {
    let mut options = StyleOptions { vmin: None, vmax: None, ..request.options.clone() };
    let mut query: Vec<(&str, String)> = Vec::new();
    let path = match &request.subject {
        _ if span.curve != Curve::EqHist.to_string() => {
            query.extend([
                ("vmin", span.vmin.to_string()),
                ("vmax", span.vmax.to_string()),
                ("unit", span.unit.clone()),
            ]);
            // These options affect only the span, which is given.
            options = StyleOptions { radius: None, shape: None, units: None, normalization: None, ..options };
            "overlays/legend.png".to_owned()
        }
        // A polygon is too long for a URL.
        Subject::Layer(_) if request.filter.area().is_some() => return None,
        Subject::Layer(layer) => {
            let canvas = &request.canvas;
            let Bounds { west, south, east, north } = canvas.bounds();
            query.push(("bounds", format!("{west},{south},{east},{north}")));
            query.push(("size", format!("{}x{}", canvas.width(), canvas.height())));
            query.push(("projection", canvas.projection().to_string()));
            (options.vmin, options.vmax) = (request.options.vmin, request.options.vmax);
            query.extend(request.filter.pairs());
            format!("{}/legend.png", layer.name())
        }
        Subject::Inline(_) => return None,
    };
    query.extend(options.pairs());
    Some(format!("{path}?{}", query_string(&query)))
}

/// The legend of a given span
///
/// The `legend` in the response of POST /overlays is usually a URL of this route.
#[utoipa::path(get, path = "/overlays/legend.png", operation_id = "get_span_legend_image", tag = "overlays", params(InQuery<SpanLegendOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The legend", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend(
    app: Session,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<axum::body::Body>> {
    let query = query.unwrap_or_default();
    let mut fields = Fields::from_query(&query)?;
    let SpanLegendOptions { title, unit, pixel_ratio } = fields.read()?;
    let (title, unit) = (title.unwrap_or_default(), unit.unwrap_or_default());
    let pixel_ratio = pixel_ratio.unwrap_or(1.0) as f32;
    let options: StyleOptions = fields.read()?;
    fields.finish()?;
    let (Some(vmin), Some(vmax)) = (options.vmin, options.vmax) else {
        return Err(Problem::parameter(
            if options.vmin.is_none() { "vmin" } else { "vmax" },
            "missing; expected a number",
        ));
    };
    let scheme = app.schemes.find(options.scheme.as_deref())?;
    let style = options.resolve(|_| Ok(scheme))?;
    let scale = Scale::of_span(style, [vmin, vmax], unit);
    let detail = "the scale of eqhist depends on the points; request the layer's legend";
    let scale = scale.ok_or_else(|| Problem::parameter("curve", detail))?;
    let key = format!("legend?{query}");
    let (bytes, was_cached) =
        app.bytes.get_or_make(&key, || app.pool.run(move |_| scale.legend(&title, pixel_ratio))).await?;
    app.metrics.cache(was_cached);
    Ok(png_response(&headers, bytes, &etag(&key), &app.config.server.cache_control))
}
