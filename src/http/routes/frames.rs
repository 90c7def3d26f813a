//! `GET /{layer}/frames`: the frames of an animation of a layer, for players.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::http::parameters::fields::{Fields, query_string};
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::render_request::RenderRequest;
use crate::http::parameters::shared::{ZOOM, Zoom};
use crate::http::parameters::tile_address::{TileAddress, check_zoom, default_zoom};
use crate::http::parameters::tile_style::{TileSize, TileStyle};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::scale::SpanReply;
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Frames, Layer, StyleOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set, time_text};

/// The frames of an animation of a layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FramesReply {
    /// Duration of a frame; the last one may be shorter.
    #[schema(example = "1d")]
    every: String,
    /// Start of the first frame.
    start: String,
    /// End of the last frame.
    end: String,
    /// Zoom of the span.
    zoom: i8,
    /// Values of the colors of all frames at that zoom; null for the classic blend, and if no frame has a point.
    span: Option<SpanReply>,
    /// URL template of the tiles: replace `{start}` and `{end}` by those of a frame.
    #[schema(example = "http://localhost:3000/trips/{z}/{x}/{y}.png?start={start}&end={end}&vmin=0&vmax=0.5&v=1")]
    tiles: String,
    /// Frames in chronological order.
    frames: Vec<FrameReply>,
}

/// A frame: a time interval.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct FrameReply {
    /// Start of the interval, inclusive.
    #[schema(example = "2024-05-01T00:00:00Z")]
    start: String,
    /// End of the interval, exclusive.
    #[schema(example = "2024-05-02T00:00:00Z")]
    end: String,
    /// Number of points in the frame.
    points: u64,
}

parameter_set! {
    /// The duration and zoom of frames.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct FramesOptions {
        /// Duration of a frame: `30m`, `1h`, `1d`, `7d`. There may be up to 10,000 frames.
        every: TimeSpan = Declaration::new(Parameter::EVERY, Kind::Duration).example("1d").required(),
        /// Zoom of the tiles that the span applies to, from 0 except on a plane; a fraction is rounded to the nearest
        /// integer.
        zoom: Zoom = ZOOM.default("the zoom of TileJSON's `center`").example("3"),
    }
}

/// The frames of an animation of a layer
///
/// One frame per time interval, from the first point to the last or from `start` to `end`, and a common span of values
/// for the colors of all frames, computed from the eight frames with the most points. The span applies to the tiles of
/// one zoom: a player requests it again after zooming, or sets `vmin` and `vmax`.
#[utoipa::path(get, path = "/{layer}/frames", operation_id = "get_frames", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "earthquakes"), InQuery<FramesOptions>, InQuery<TileSize>, InQuery<FilterOptions>, InQuery<StyleOptions>),
    responses(
        (status = 200, description = "The frames", body = FramesReply),
        (status = 400, description = "Invalid parameter, or the layer has no times", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn frames(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    base: BaseUrl,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let FramesOptions { every, zoom } = fields.read()?;
    let zoom_name = fields.name_of(Parameter::ZOOM);
    let style = TileStyle::read(&app.schemes, &app.config.limits, &layer, &mut fields)?;
    fields.finish()?;
    let every = every
        .ok_or_else(|| Problem::parameter("every", "missing; expected the duration of a frame, such as 1h or 1d"))?;
    let zoom = match zoom {
        Some(zoom) => check_zoom(&layer, zoom_name, zoom)?,
        None => default_zoom(&layer, style.side_px),
    };
    let tile = TileAddress::first_of(&layer, zoom)?;
    let request = style.request(&app.config.limits, &layer, tile, PixelRatio::ONE)?;
    let server = base.absolute()?;
    // The tiles carry on the key of the request, which is part of the reply.
    let linked = base.link(&server);
    let key = format!("frames/{every}/{zoom}/{linked}/{}/{}", style.side_px, request.key());
    let shared = Arc::clone(&app);
    let name = layer.name().to_owned();
    let price = request.price();
    let compute = move |stop: &AtomicBool| {
        compute(&shared, &layer, &style, &request, every, zoom, &server, &base, stop).map_err(|error| match error {
            // The input was read before, so that the error can only be its missing time column.
            Error::Input { message, .. } => Error::invalid(Parameter::LAYER, message),
            other => other,
        })
    };
    app.cached_json(&name, &key, price, compute).await
}

#[allow(clippy::too_many_arguments, reason = "all of it determines the reply")]
fn compute(
    app: &App,
    layer: &Arc<Layer>,
    tiles: &TileStyle,
    request: &RenderRequest,
    every: TimeSpan,
    zoom: i8,
    server: &str,
    base: &BaseUrl,
    stop: &AtomicBool,
) -> Result<FramesReply> {
    /// The maximum number of frames that the span is computed from.
    const MAX_SAMPLED_FRAMES: usize = 8;
    let every_us = i64::try_from(every.as_secs()).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    let every_us = every_us.ok_or_else(|| Error::invalid(Parameter::EVERY, "the duration is too long"))?;
    let style = request.style()?;
    let query = request.query(&style, stop);
    let frames = Frames::of(layer, &query, every_us)?;
    let points = frames.points(layer, &query)?;
    let mut busiest: Vec<usize> = (0..frames.len()).filter(|frame| points[*frame] > 0).collect();
    busiest.sort_by_key(|frame| std::cmp::Reverse(points[*frame]));
    busiest.truncate(MAX_SAMPLED_FRAMES);
    let threads = app.render_threads();
    let span = frames.span_at_scale(layer, &query, &request.canvas, &style, threads, busiest)?;
    let unit = request.unit(&style);
    let span = span.map(|span| SpanReply::new(span, unit, style.curve));
    let ends = span.as_ref().map(|span| (span.vmin, span.vmax));
    let options = match ends {
        Some((vmin, vmax)) => {
            StyleOptions { vmin: Some(vmin), vmax: Some(vmax), normalization: None, ..request.options.clone() }
        }
        None => request.options.clone(),
    };
    let mut pairs = options.pairs();
    pairs.extend(request.filter.pairs().into_iter().filter(|(name, _)| !["start", "end"].contains(name)));
    if tiles.side_px != TileStyle::SIDE_PX {
        pairs.push(("size", tiles.side_px.to_string()));
    }
    pairs.push(("v", layer.version().to_owned()));
    let name = layer.name();
    let frame = |(frame, points): (usize, &u64)| {
        let [start, end] = frames.at(frame).map(time_text);
        FrameReply { start, end, points: *points }
    };
    Ok(FramesReply {
        every: every.to_string(),
        start: time_text(frames.at(0)[0]),
        end: time_text(frames.at(frames.len() - 1)[1]),
        zoom,
        span,
        tiles: base.link(&format!(
            "{server}/{name}/{{z}}/{{x}}/{{y}}.png?start={{start}}&end={{end}}&{}",
            query_string(&pairs)
        )),
        frames: points.iter().enumerate().map(frame).collect(),
    })
}
