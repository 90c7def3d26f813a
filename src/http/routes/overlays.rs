//! `POST /overlays`: a picture for `L.imageOverlay`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;
use crate::geo::{Bounds, Projection};
use crate::http::parameters::area::Area;
use crate::http::parameters::body::body_fields;
use crate::http::parameters::canvas_parameters::{
    Beyond, canvas, check_coordinate_space, coordinate_space_of, fitting, usual_projection,
};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::{InQuery, request_body};
use crate::http::parameters::render_request::{RenderRequest, Subject};
use crate::http::parameters::shared::{BOUNDS, LAYER, PIXEL_RATIO, POLYGON, ProjectionOptions, RawJson, SIZE, TITLE};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::clock::now_s;
use crate::http::server::corners::{Corners, corners};
use crate::http::server::etag::{etag, png_response};
use crate::http::server::overlay_cache::Overlay;
use crate::http::server::problem::{Answer, Problem};
use crate::http::server::scale::{Scale, SpanReply};
use crate::images::ImageName;
use crate::layer::{FilterOptions, Size, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};
use crate::raster::Curve;
use crate::source::{PointSet, Query, ReadOptions, ResidentPoints, read};

/// The points themselves, where `png` is false.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PointsReply {
    /// `[latitude, longitude, weight]` each, as `L.heatLayer` takes them.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[59.33, 18.07, 1.0]]))]
    points: Vec<(f64, f64, f32)>,
    /// Points within the bounds, in all.
    total: u64,
    /// Whether `points` holds only the first of them.
    truncated: bool,
    /// The bounds of the request.
    #[schema(value_type = Vec<Vec<f64>>)]
    bounds: Corners,
}

/// What POST /overlays answers with 200.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it documents what is answered")]
pub(crate) enum OverlayOrPoints {
    /// A picture that existed already.
    Overlay(Overlay),
    /// The points, where `png` is false.
    Points(PointsReply),
}

parameter_set! {
    /// A picture to draw: its points and its bounds.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct OverlayOptions {
        /// A layer of the catalog. Either this or `points`.
        layer: String = LAYER,
        /// Points in place of a layer: `[[lon, lat], …]`, `[[lon, lat, weight], …]`, objects with such members, or GeoJSON.
        points: RawJson = Declaration::new(Parameter::POINTS, Kind::Json),
        bounds: Bounds = BOUNDS.default("what fits the points, with room for their dots"),
        size: Size = SIZE,
        /// Whether a picture is drawn; if not, the response is the points within the bounds.
        png: bool = Declaration::new(Parameter::PNG, Kind::Boolean).default("true"),
        polygon: RawJson = POLYGON,
    }
}

request_body! {
    /// A picture to draw: its points, its bounds and its style.
    OverlayRequest(OverlayOptions, ProjectionOptions, FilterOptions, StyleOptions),
    example: {
        "layer": "cities", "bounds": [[35, -12], [60, 32]], "size": [800, 600],
        "radius": 12, "scheme": "fire", "opacity": 0.8
    }
}

parameter_set! {
    /// The legend of a known span. `vmin` and `vmax` are required.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct SpanLegendOptions {
        pub(crate) title: String = TITLE,
        /// What the values count, such as `points per km²`.
        pub(crate) unit: String = Declaration::new(Parameter::UNIT, Kind::Label),
        pub(crate) pixel_ratio: f64 = PIXEL_RATIO,
    }
}

/// Draw a picture, write it, and answer where it is
///
/// The answer's `url` and `bounds` go straight into `L.imageOverlay(url, bounds)`. The same request within the time to live
/// is answered with the same picture. With `png: false` the points themselves are answered instead, for `L.heatLayer`.
#[utoipa::path(post, path = "/overlays", tag = "overlays", request_body = OverlayRequest,
    responses(
        (status = 201, description = "The picture was drawn and written", body = Overlay),
        (status = 200, description = "The picture existed already; or, with `png: false`, the points", body = OverlayOrPoints),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such layer", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request is beyond a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of a type that is not read", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many pictures wait to be drawn, or it took too long", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "There is no room for the picture", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<Response<axum::body::Body>> {
    let mut fields = body_fields(&headers, &body)?;
    let OverlayOptions { layer, points: given, bounds, size, png, polygon } = fields.read()?;
    let ProjectionOptions { projection } = fields.read()?;
    let style: StyleOptions = fields.read()?;
    let filter = Filter::read(&mut fields)?;
    fields.finish()?;
    let area = match polygon {
        Some(polygon) => Some(Area::read(&app.pool, polygon.0).await?),
        None => None,
    };
    let filter = filter.within(area);

    let (subject, projection, defaults) = match (layer, given) {
        (Some(_), Some(_)) => return Err(Problem::parameter("points", "give either a layer or points, not both")),
        (Some(name), None) => {
            let layer = app.layer(&name)?;
            let projection = projection.unwrap_or_else(|| usual_projection(&layer));
            check_coordinate_space(layer.coordinate_space(), projection)?;
            let style = layer.style().clone();
            (Subject::Layer(layer), projection, style)
        }
        (None, Some(json)) => {
            let projection = projection.unwrap_or_default();
            let points = points(&app, &json.0, projection).await?;
            (Subject::Given(Arc::new(points)), projection, StyleOptions::default())
        }
        (None, None) => {
            let layers = app.catalog.layers();
            let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
            let why = format!("give a layer ({}) or points", names.join(", "));
            return Err(Problem::parameter("layer", why));
        }
    };
    let options = style.or(defaults);
    let scheme = app.schemes.find(options.scheme.as_deref())?;
    if !png.unwrap_or(true) {
        let bounds = bounds.or_else(|| subject.extent().bounds(projection.wraps())).unwrap_or(Bounds::WORLD);
        return answer_points(&app, subject, &filter, bounds, projection).await;
    }
    let size = size.unwrap_or_default();
    let canvas = if let Some(bounds) = bounds {
        canvas(&app.config.limits, projection, bounds, size, Beyond::Cut)?
    } else {
        fitting(&app.config.limits, subject.extent(), projection, size, &options, &scheme)?
    };
    let request = RenderRequest { subject, filter, options, scheme, canvas };
    let rejected = request.rejected();
    let (overlay, status) = overlay(&app, request).await?;
    let overlay = Overlay { rejected, ..overlay.at(&base) };
    let headers = [(header::LOCATION, overlay.url.clone()), (header::CACHE_CONTROL, "no-store".to_owned())];
    Ok((status, headers, Json(overlay)).into_response())
}

/// The points of a request.
async fn points(app: &Arc<App>, json: &str, projection: Projection) -> Answer<ResidentPoints> {
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
            Err(Problem::too_large("limits.points", format!("there are more than the {limit} points that it allows")))
        }
        Err(Error::Input { message, .. }) => Err(Problem::parameter("points", message.with_keys())),
        Err(error) => Err(error.into()),
    }
}

/// The picture as it was written, drawn now unless the same was drawn before. Its URLs are paths without a base yet.
pub(crate) async fn overlay(app: &Arc<App>, request: RenderRequest) -> Answer<(Arc<Overlay>, StatusCode)> {
    request.check(&app.config.limits)?;
    let key = request.cache_key();
    let ttl_s = app.config.images.ttl.as_secs();
    let is_there = |overlay: &Arc<Overlay>| {
        let name: Option<ImageName> = overlay.filename.parse().ok();
        overlay.expires_at > now_s() && name.is_some_and(|name| app.images.path_of(name).exists())
    };
    if let Some(overlay) = app.overlays.0.get(&key) {
        if is_there(&overlay) {
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
    let for_drawing = Arc::clone(app);
    let to_render = request.clone();
    let (drawn, name) = app
        .pool
        .run(move |stop: &AtomicBool| {
            let timer = for_drawing.metrics.render();
            let drawn = to_render.draw(&for_drawing, stop)?;
            let name = for_drawing.images.write(now_s(), &drawn.png)?;
            timer.done();
            Ok((drawn, name))
        })
        .await?;
    let filename = name.to_string();
    app.bytes.insert(filename.clone(), drawn.png);
    let canvas = &request.canvas;
    let overlay = Arc::new(Overlay {
        url: format!("imgs/{filename}"),
        bounds: corners(canvas.bounds()),
        size: [canvas.width(), canvas.height()],
        legend: drawn.span.as_ref().and_then(|span| legend_path(&request, span)),
        span: drawn.span,
        points_drawn: drawn.points,
        expires_at: name.created_s() + ttl_s,
        rejected: Vec::new(),
        filename,
    });
    let _ = guard.insert(Arc::clone(&overlay));
    Ok((overlay, StatusCode::CREATED))
}

/// Responds with the points themselves.
async fn answer_points(
    app: &Arc<App>,
    subject: Subject,
    filter: &Filter,
    bounds: Bounds,
    projection: Projection,
) -> Answer<Response<axum::body::Body>> {
    let (found, total) = subject.answer_within(app, filter, bounds, projection).await?;
    let points: Vec<(f64, f64, f32)> = found.into_iter().map(|(lon, lat, weight)| (lat, lon, weight)).collect();
    let truncated = (points.len() as u64) < total;
    let reply = PointsReply { points, total, truncated, bounds: corners(bounds) };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

/// The path of the legend of a picture, with its query; `None` where it depends on the points of the request.
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
            // What the span has settled.
            options =
                StyleOptions { radius: None, shape: None, true_scale_lat_deg: None, normalization: None, ..options };
            "overlays/legend.png".to_owned()
        }
        // A polygon is too long for an address.
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
        Subject::Given(_) => return None,
    };
    query.extend(options.pairs());
    Some(format!("{path}?{}", query_string(&query)))
}

/// The legend of a span that is known
///
/// POST /overlays answers the address of its picture's legend, which is one of these.
#[utoipa::path(get, path = "/overlays/legend.png", tag = "overlays", params(InQuery<SpanLegendOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The legend", content_type = "image/png", body = Vec<u8>,
            headers(("ETag" = String), ("Cache-Control" = String))),
        (status = 304, description = "The client has it already"),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many pictures wait to be drawn", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn legend(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answer<Response<axum::body::Body>> {
    let query = query.unwrap_or_default();
    let mut fields = Fields::from_query(&query)?;
    let SpanLegendOptions { title, unit, pixel_ratio } = fields.read()?;
    let (title, unit) = (title.unwrap_or_default(), unit.unwrap_or_default());
    let pixel_ratio = pixel_ratio.unwrap_or(1.0) as f32;
    let options: StyleOptions = fields.read()?;
    fields.finish()?;
    let (Some(vmin), Some(vmax)) = (options.vmin, options.vmax) else {
        return Err(Problem::parameter(if options.vmin.is_none() { "vmin" } else { "vmax" }, "it has to be given"));
    };
    let scheme = app.schemes.find(options.scheme.as_deref())?;
    let style = options.resolve(|_| Ok(scheme))?;
    let scale = Scale::of_span(style, [vmin, vmax], unit);
    let why = "the scale of eqhist depends on the picture; ask for the layer's legend";
    let scale = scale.ok_or_else(|| Problem::parameter("curve", why))?;
    let key = format!("legend?{query}");
    let (bytes, was_cached) =
        app.bytes.get_or_make(&key, || app.pool.run(move |_| scale.legend(&title, pixel_ratio))).await?;
    app.metrics.cache(was_cached);
    Ok(png_response(&headers, bytes, &etag(&key), &app.config.server.cache_control))
}
