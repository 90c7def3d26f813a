//! `POST /v3/detections`: occupancy grids for clients of Butlr's Heatmap API.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Error;
use crate::http::parameters::body::media_type;
use crate::http::server::digest::keyed_digest;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::http::server::spaces::SpacesOfLayer;
use crate::occupancy::write::detections_json;
use crate::occupancy::{CellShape, GridLayer, GridOptions, GridRequest, Quantity, Resolution};
use crate::source::{CoordinateSpace, Query, parse_time_us};

/// The supported data types.
const DATA_TYPES: [&str; 1] = ["heatmap_v2"];

/// A query of detections.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "data_types": ["heatmap_v2"],
    "filter": {"space_id": "space_1", "start": "2024-01-01T00:00:00Z", "stop": "2024-01-08T00:00:00Z", "omit_empty_value": true},
    "window": {"heatmap_v2_options": {"grid_resolution": 0.5, "heatmap_type": "occupancy", "normalize": false}},
}))]
pub(crate) struct DetectionsRequest {
    /// Requested data: `heatmap_v2`.
    data_types: Vec<String>,
    /// Selection of the detections.
    filter: DetectionsFilter,
    /// Grids of the detections.
    window: DetectionsWindow,
}

/// The selection of detections.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DetectionsFilter {
    /// Id of the space, such as a floor: the name of a layer on a plane, or the category of points of one. The detections
    /// of several spaces are added.
    space_id: SpaceIds,
    /// Start of the time range, included, in RFC 3339 format with an offset.
    start: Option<String>,
    /// End of the time range, excluded. Any span is supported.
    stop: Option<String>,
    /// Whether cells without detections are omitted. Default: true.
    omit_empty_value: Option<bool>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum SpaceIds {
    One(String),
    Several(Vec<String>),
}

/// The grids of detections.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DetectionsWindow {
    /// Options of the data type `heatmap_v2`.
    heatmap_v2_options: HeatmapOptions,
}

/// The options of a grid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HeatmapOptions {
    /// Side of a cell in meters: any number above 0.
    #[schema(example = 0.5)]
    grid_resolution: f64,
    /// Value of a cell: occupancy (number of detections, the default), mean, max, sum or dwell.
    heatmap_type: Option<String>,
    /// Whether the values are divided by their maximum. Default: false.
    normalize: Option<bool>,
}

/// Grids of detections.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct DetectionsReply {
    /// Grid of the detections.
    heatmap_v2: HeatmapReply,
}

/// A grid of detections.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "documents the response in OpenAPI")]
pub(crate) struct HeatmapReply {
    /// The cells: x and y of the center in meters, and the value.
    #[schema(value_type = Vec<Vec<f64>>, example = json!([[0.25, 1.75, 12]]))]
    array_cells: Vec<[f64; 3]>,
    /// `type`, `resolution`, `total_detections`, `max_value` before normalization, and `bounds`: `min_x`, `max_x`, `min_y`
    /// and `max_y`, the outer edges of the listed cells.
    #[schema(value_type = Object)]
    metadata: String,
}

/// Occupancy grid of a space
///
/// Compatible with the Heatmap API of Butlr: the body and the response have its members. Any cell size and any span of
/// time are supported.
#[utoipa::path(post, path = "/v3/detections", operation_id = "query_detections", tag = "bridge", request_body = DetectionsRequest,
    responses(
        (status = 200, description = "The grid", body = DetectionsReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown space", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Several layers have the space", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Unsupported media type", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn detections(app: Session, headers: HeaderMap, body: Bytes) -> HttpResult<Response<Body>> {
    let media_type = media_type(&headers);
    if !["", "application/json", "text/plain", "application/x-www-form-urlencoded"].contains(&media_type.as_str()) {
        return Err(Problem::media_type(format!("unsupported media type `{media_type}`; send application/json")));
    }
    let request: DetectionsRequest = serde_json::from_slice(&body)
        .map_err(|error| Problem::body(format!("the body is not a query of detections: {}", reason(&error))))?;
    request.check()?;
    let max_cells = app.config.limits.cells;
    request.grid(true, max_cells)?;
    let ids = request.filter.ids()?;
    let shared = app.clone();
    let found = app.pool.run(move |stop| shared.spaces.find(&shared, &ids, stop)).await??;
    let grid = request.grid(found.iter().all(|spaces| spaces.layer.weight().is_some()), max_cells)?;
    let key = format!("detections/{:x}", keyed_digest((cache_text(&found), body.as_ref())));
    let prices = found.iter().map(|spaces| Price::of_filter(&spaces.layer, &spaces.query().filter).ms() as f64);
    let (shared, price) = (Arc::clone(&app), Price::of_ms(prices.sum()));
    let make = || {
        app.pool.run_at(price, move |stop| {
            let queries: Vec<Query<'_>> = found.iter().map(|spaces| spaces.query().with_stop(Some(stop))).collect();
            let threads = shared.render_threads();
            let layers: Vec<GridLayer<'_>> = found
                .iter()
                .zip(&queries)
                .map(|(spaces, query)| GridLayer::new(&spaces.layer, query, threads))
                .collect();
            let grid = GridLayer::grid_of(&layers, grid).map_err(to_error)?;
            let text = serde_json::to_vec(&detections_json(&grid));
            text.map(Bytes::from).map_err(|error| Error::input("detections", error.to_string()))
        })
    };
    let (text, was_cached) = app.bytes.get_or_make(&key, make).await?;
    app.metrics.cache(was_cached);
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

impl SpacesOfLayer {
    /// The query for the points of the spaces.
    fn query(&self) -> Query<'static> {
        let filter =
            crate::source::Filter { categories: self.categories.clone().into(), ..crate::source::Filter::default() };
        let query = self.layer.query();
        let filter = query.filter.clone().and(&filter);
        query.with_filter(filter)
    }
}

/// The reason why a body is not a query, in the words of JSON.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if !error.is_data() {
        return text;
    }
    if text.contains("untagged enum SpaceIds") {
        return "filter.space_id is neither a text nor a list of texts".to_owned();
    }
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let words = [("a map", "an object"), ("a sequence", "a list"), ("a string", "a text"), ("f64", "a number")];
    let Some((found, expected)) = text.strip_prefix("invalid type: ").and_then(|text| text.split_once(", expected "))
    else {
        return text.to_owned();
    };
    let expected = if expected.starts_with("struct ") { "an object" } else { expected };
    let expected = words.iter().find(|(word, _)| *word == expected).map_or(expected, |(_, word)| word);
    let found = if found == "map" { "object" } else { found };
    let found = if found == "sequence" { "list" } else { found };
    format!("found {found}; expected {expected}")
}

/// The text that identifies the points.
fn cache_text(found: &[SpacesOfLayer]) -> String {
    let text = |SpacesOfLayer { layer, categories }: &SpacesOfLayer| {
        format!("{}/{}/{categories:?};", layer.name(), layer.version())
    };
    found.iter().map(text).collect()
}

/// Converts the error of points without times.
fn to_error(error: Error) -> Error {
    match error {
        Error::Input { .. } => {
            Error::invalid(crate::parameter::Parameter::START, "the points of the space have no times")
        }
        other => other,
    }
}

impl DetectionsRequest {
    /// Checks the data types.
    fn check(&self) -> HttpResult<()> {
        let supported = DATA_TYPES.join(", ");
        match self.data_types.iter().find(|name| !DATA_TYPES.contains(&name.as_str())) {
            Some(other) => {
                let other: String = other.chars().take(40).collect();
                Err(Problem::parameter("data_types", format!("`{other}` is unknown; supported: {supported}")))
            }
            None if self.data_types.is_empty() => {
                Err(Problem::parameter("data_types", format!("the list is empty; supported: {supported}")))
            }
            None => Ok(()),
        }
    }

    /// The request for the grid of points that are `weighted` or not.
    fn grid(&self, weighted: bool, max_cells: u64) -> HttpResult<GridRequest> {
        let HeatmapOptions { grid_resolution, heatmap_type, normalize } = &self.window.heatmap_v2_options;
        if !(grid_resolution.is_finite() && *grid_resolution > 0.0) {
            let detail = format!("{grid_resolution} is not a length in meters above 0, such as 0.5");
            return Err(Problem::parameter("grid_resolution", detail));
        }
        let quantity = heatmap_type.as_deref().unwrap_or("occupancy").parse::<Quantity>()?;
        let options = GridOptions {
            resolution: Some(Resolution { number: *grid_resolution, has_unit: false }),
            shape: Some(CellShape::Square),
            quantity: Some(quantity),
            normalize: *normalize,
            omit_empty: self.filter.omit_empty_value,
            ..GridOptions::default()
        };
        let mut request = options.resolve(CoordinateSpace::Plane, weighted, None, None, max_cells, None)?;
        request.time_us = [time("start", self.filter.start.as_deref())?, time("stop", self.filter.stop.as_deref())?];
        if let [Some(start), Some(stop)] = request.time_us
            && start >= stop
        {
            return Err(Problem::parameter("start", "not before stop, so no detection would be selected"));
        }
        Ok(request)
    }
}

impl DetectionsFilter {
    /// The ids of the spaces.
    fn ids(&self) -> HttpResult<Vec<String>> {
        const MAX_IDS: usize = 256;
        let ids = match &self.space_id {
            SpaceIds::One(id) => vec![id.clone()],
            SpaceIds::Several(ids) => ids.clone(),
        };
        if ids.is_empty() || ids.len() > MAX_IDS {
            return Err(Problem::parameter("space_id", format!("{} ids; expected from 1 to {MAX_IDS}", ids.len())));
        }
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() < ids.len() {
            return Err(Problem::parameter("space_id", "an id is given twice, which would count its detections twice"));
        }
        Ok(ids)
    }
}

/// Parses a time with an offset.
fn time(name: &str, text: Option<&str>) -> HttpResult<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(Some(time.as_microsecond()));
    }
    // The last days of the year 9999, often the end of a range without one, are beyond the range of timestamps.
    let has_offset = text.split_once(['T', 't', ' ']).is_some_and(|(_, time)| time.contains(['Z', 'z', '+', '-']));
    if let (true, Some(time_us)) = (has_offset, parse_time_us(text)) {
        return Ok(Some(time_us));
    }
    let text: String = text.chars().take(40).collect();
    let reason = if parse_time_us(&text).is_some() { "has no offset from UTC" } else { "is not a time" };
    let detail = format!("`{text}` {reason}; expected one such as 2024-01-01T00:00:00Z or 2024-01-01T00:00:00+01:00");
    Err(Problem::parameter(name, detail))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_offset() {
        for text in ["9999-12-31T00:00:00Z", "9999-12-31T23:59:59+01:00", "2024-01-01T00:00:00Z"] {
            assert_eq!(time("stop", Some(text)).unwrap(), parse_time_us(text), "{text}");
        }
        for text in ["9999-12-31T00:00:00", "9999-12-31", "2024-01-01", "2024-01-01T00:00:00", "1e9", "-1"] {
            assert!(time("stop", Some(text)).is_err(), "{text}");
        }
    }
}
