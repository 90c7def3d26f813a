//! `GET /{layer}/points`: points of a layer, for client-side rendering.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::render_request::Subject;
use crate::http::parameters::shared::BOUNDS;
use crate::http::server::App;
use crate::http::server::etag::{etag, is_cached};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::FilterOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set};
use crate::source::PointWithin;

/// The header with the total number of points.
pub(crate) const TOTAL: HeaderName = HeaderName::from_static("kiln-total");
/// The header for whether the response contains only the first points.
pub(crate) const TRUNCATED: HeaderName = HeaderName::from_static("kiln-truncated");

/// The format of a response with points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PointsFormat {
    /// GeoJSON.
    #[default]
    GeoJson,
    /// `L.heatLayer` of Leaflet.heat.
    Heat,
    /// heatmap.js and its plugins.
    HeatmapJs,
}

impl FromStr for PointsFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "geojson" => Ok(Self::GeoJson),
            "heat" => Ok(Self::Heat),
            "heatmapjs" => Ok(Self::HeatmapJs),
            _ => Err(Error::invalid(Parameter::FORMAT, format!("`{text}` is not geojson, heat or heatmapjs"))),
        }
    }
}

parameter_set! {
    /// The bounds, format and maximum number of points.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PointsOptions {
        bounds: Bounds = BOUNDS.default("all points of the layer"),
        /// Format of the response: `geojson`; `heat`, for Leaflet.heat; or `heatmapjs`, for heatmap.js.
        format: PointsFormat =
            Declaration::new(Parameter::FORMAT, Kind::Choice(&["geojson", "heat", "heatmapjs"])).default("geojson"),
        /// Maximum number of points.
        limit: u64 = Declaration::new(Parameter::LIMIT, Kind::COUNT).default("the server's limit"),
    }
}

from_str_values!(PointsFormat);

impl fmt::Display for PointsFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeoJson => "geojson",
            Self::Heat => "heat",
            Self::HeatmapJs => "heatmapjs",
        })
    }
}

/// Points as GeoJSON.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct FeatureCollection {
    /// `FeatureCollection`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Points.
    features: Vec<Feature>,
    /// Total number of points.
    total: u64,
    /// Whether `features` contains only the first points.
    truncated: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Feature {
    /// `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Location of the point.
    geometry: PointGeometry,
    /// Properties of the point.
    properties: Properties,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct PointGeometry {
    /// `Point`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Longitude and latitude, in the same copy of the world as the bounds.
    #[schema(value_type = Vec<f64>, example = json!([18.07, 59.33]))]
    coordinates: [f64; 2],
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Properties {
    /// Weight, if the layer has weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f32>,
}

/// Points for client-side heat-map libraries.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum HeatPoints {
    /// For `L.heatLayer(points)` of Leaflet.heat.
    Heat {
        /// Names of the values of each point.
        #[schema(value_type = Vec<String>, example = json!(["lat", "lng", "weight"]))]
        columns: [&'static str; 3],
        /// Latitude, longitude and weight of each point.
        #[schema(value_type = Vec<Vec<f64>>, example = json!([[59.33, 18.07, 1.0]]))]
        points: Vec<(f64, f64, f32)>,
        /// Total number of points.
        total: u64,
        /// Whether `points` contains only the first points.
        truncated: bool,
    },
    /// For `setData` of heatmap.js.
    HeatmapJs {
        /// Maximum weight.
        max: f32,
        /// Points.
        data: Vec<ValueAt>,
        /// Total number of points.
        total: u64,
        /// Whether `data` contains only the first points.
        truncated: bool,
    },
}

/// A point in the format of heatmap.js.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ValueAt {
    /// Latitude.
    lat: f64,
    /// Longitude.
    lng: f64,
    /// Weight; 1 if the layer has no weights.
    value: f32,
}

impl PointsFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::Heat | Self::HeatmapJs => "application/json",
        }
    }

    /// Encodes points in this format.
    fn encode(
        self,
        points: Vec<PointWithin>,
        weighted: bool,
        total: u64,
        truncated: bool,
    ) -> serde_json::Result<Bytes> {
        let bytes = match self {
            Self::GeoJson => {
                let feature = |(lon, lat, weight)| Feature {
                    kind: "Feature",
                    geometry: PointGeometry { kind: "Point", coordinates: [lon, lat] },
                    properties: Properties { weight: weighted.then_some(weight) },
                };
                let features = points.into_iter().map(feature).collect();
                serde_json::to_vec(&FeatureCollection { kind: "FeatureCollection", features, total, truncated })
            }
            Self::Heat => {
                let points = points.into_iter().map(|(lon, lat, weight)| (lat, lon, weight)).collect();
                serde_json::to_vec(&HeatPoints::Heat { columns: ["lat", "lng", "weight"], points, total, truncated })
            }
            Self::HeatmapJs => {
                // Without points, any positive maximum is valid.
                let max = points.iter().map(|point| point.2).reduce(f32::max).unwrap_or(1.0);
                let data = points.into_iter().map(|(lng, lat, value)| ValueAt { lat, lng, value }).collect();
                serde_json::to_vec(&HeatPoints::HeatmapJs { max, data, total, truncated })
            }
        };
        Ok(bytes?.into())
    }
}

/// Points of a layer, for client-side rendering
///
/// The first points in input order, up to `limit` and `limits.answer_points` of the server's config. The body and the
/// headers contain the total number of points, and whether the points were truncated.
#[utoipa::path(get, path = "/{layer}/points", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<PointsOptions>, InQuery<FilterOptions>),
    responses(
        (status = 200, description = "The points",
            content((FeatureCollection = "application/geo+json"), (HeatPoints = "application/json")),
            headers(("ETag" = String), ("Cache-Control" = String),
                ("Kiln-Total" = u64, description = "Total number of points"),
                ("Kiln-Truncated" = bool, description = "Whether the response contains only the first points"))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn points(
    State(app): State<Arc<App>>,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let PointsOptions { bounds, format, limit } = fields.read()?;
    let (bounds, format) = (bounds.unwrap_or_else(|| layer.bounds()), format.unwrap_or_default());
    let max_points = app.config.limits.answer_points;
    let limit = limit.map_or(max_points, |limit| limit.min(max_points)) as usize;
    let filter = Filter::read(&mut fields)?;
    fields.finish()?;

    let Bounds { west, south, east, north } = bounds;
    let (name, version) = (layer.name(), layer.version());
    let tag = etag(format!("points/{name}/{version}/{west},{south},{east},{north}/{format}/{limit}?{filter}"));
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, app.config.server.cache_control.as_str())];
    if is_cached(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (space, weighted, subject) =
        (layer.coordinate_space(), layer.weight().is_some(), Subject::Layer(Arc::clone(&layer)));
    let work = move |stop: &_| {
        let (points, total) = subject.points_within(&filter, space, bounds, limit, stop)?;
        let truncated = (points.len() as u64) < total;
        let bytes = format.encode(points, weighted, total, truncated);
        let bytes = bytes.map_err(|error| Error::input(subject.name(), error.to_string()))?;
        Ok((bytes, total, truncated))
    };
    let (bytes, total, truncated) = app.pool.run(work).await?;
    let truncated = HeaderValue::from_static(if truncated { "true" } else { "false" });
    let mut response = (caching, [(header::CONTENT_TYPE, format.content_type())], bytes).into_response();
    response.headers_mut().extend([(TOTAL, HeaderValue::from(total)), (TRUNCATED, truncated)]);
    Ok(response)
}
