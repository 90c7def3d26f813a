//! `GET /{layer}/points`: points of a layer, for clients that draw them themselves.

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

/// How many points there are in all.
pub(crate) const TOTAL: HeaderName = HeaderName::from_static("kiln-total");
/// Whether only the first of them are answered.
pub(crate) const TRUNCATED: HeaderName = HeaderName::from_static("kiln-truncated");

/// Which client the points are for.
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
    /// Which points, and how they are written.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PointsOptions {
        bounds: Bounds = BOUNDS.default("all points of the layer"),
        /// Format of the response: `geojson`; `heat`, for Leaflet.heat; or `heatmapjs`, for heatmap.js.
        format: PointsFormat =
            Declaration::new(Parameter::FORMAT, Kind::Choice(&["geojson", "heat", "heatmapjs"])).default("geojson"),
        /// Maximum number of points.
        limit: u64 = Declaration::new(Parameter::LIMIT, Kind::COUNT).default("the limit of the server"),
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
    /// The points.
    features: Vec<Feature>,
    /// How many there are in all.
    total: u64,
    /// Whether `features` holds only the first of them.
    truncated: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Feature {
    /// `Feature`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where it is.
    geometry: PointGeometry,
    /// What is known of it.
    properties: Properties,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct PointGeometry {
    /// `Point`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Longitude and latitude, in the copy of the world that the bounds are in.
    #[schema(value_type = Vec<f64>, example = json!([18.07, 59.33]))]
    coordinates: [f64; 2],
}

#[derive(Clone, Debug, Serialize, ToSchema)]
struct Properties {
    /// Its weight, if the layer has weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f32>,
}

/// Points for a client that draws heat itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum HeatPoints {
    /// For `L.heatLayer(points)` of Leaflet.heat.
    Heat {
        /// What the values of each point are.
        #[schema(value_type = Vec<String>, example = json!(["lat", "lng", "weight"]))]
        columns: [&'static str; 3],
        /// Latitude, longitude and intensity of each.
        #[schema(value_type = Vec<Vec<f64>>, example = json!([[59.33, 18.07, 1.0]]))]
        points: Vec<(f64, f64, f32)>,
        /// How many there are in all.
        total: u64,
        /// Whether `points` holds only the first of them.
        truncated: bool,
    },
    /// For `setData` of heatmap.js.
    HeatmapJs {
        /// The greatest value.
        max: f32,
        /// The points.
        data: Vec<ValueAt>,
        /// How many there are in all.
        total: u64,
        /// Whether `data` holds only the first of them.
        truncated: bool,
    },
}

/// A point as heatmap.js has it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ValueAt {
    /// Latitude.
    lat: f64,
    /// Longitude.
    lng: f64,
    /// Its weight; 1 if the layer has none.
    value: f32,
}

impl PointsFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::Heat | Self::HeatmapJs => "application/json",
        }
    }

    /// The points as this format has them.
    fn write(self, found: Vec<PointWithin>, weighted: bool, total: u64, truncated: bool) -> serde_json::Result<Bytes> {
        let bytes = match self {
            Self::GeoJson => {
                let feature = |(lon, lat, weight)| Feature {
                    kind: "Feature",
                    geometry: PointGeometry { kind: "Point", coordinates: [lon, lat] },
                    properties: Properties { weight: weighted.then_some(weight) },
                };
                let features = found.into_iter().map(feature).collect();
                serde_json::to_vec(&FeatureCollection { kind: "FeatureCollection", features, total, truncated })
            }
            Self::Heat => {
                let points = found.into_iter().map(|(lon, lat, weight)| (lat, lon, weight)).collect();
                serde_json::to_vec(&HeatPoints::Heat { columns: ["lat", "lng", "weight"], points, total, truncated })
            }
            Self::HeatmapJs => {
                // Without any point a scale of 1 is as good as any, and one of 0 is none.
                let max = found.iter().map(|point| point.2).reduce(f32::max).unwrap_or(1.0);
                let data = found.into_iter().map(|(lng, lat, value)| ValueAt { lat, lng, value }).collect();
                serde_json::to_vec(&HeatPoints::HeatmapJs { max, data, total, truncated })
            }
        };
        Ok(bytes?.into())
    }
}

/// Points of a layer, for clients that draw them themselves
///
/// The first of them, in the order of the input: no more than `limit`, and than `limits.answer_points` of the server's
/// config. How many there are in all, and whether some were left out, is told in the answer and in its headers.
#[utoipa::path(get, path = "/{layer}/points", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<PointsOptions>, InQuery<FilterOptions>),
    responses(
        (status = 200, description = "The points",
            content((FeatureCollection = "application/geo+json"), (HeatPoints = "application/json")),
            headers(("ETag" = String), ("Cache-Control" = String),
                ("Kiln-Total" = u64, description = "How many points there are in all"),
                ("Kiln-Truncated" = bool, description = "Whether only the first of them are answered"))),
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
    let most = app.config.limits.answer_points;
    let limit = limit.map_or(most, |limit| limit.min(most)) as usize;
    let filter = Filter::read(&mut fields)?;
    fields.finish()?;

    let Bounds { west, south, east, north } = bounds;
    let (name, version) = (layer.name(), layer.version());
    let tag = etag(format!("points/{name}/{version}/{west},{south},{east},{north}/{format}/{limit}?{filter}"));
    let kept = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, app.config.server.cache_control.as_str())];
    if is_cached(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let (space, weighted, subject) =
        (layer.coordinate_space(), layer.weight().is_some(), Subject::Layer(Arc::clone(&layer)));
    let work = move |stop: &_| {
        let (found, total) = subject.points_within(&filter, space, bounds, limit, stop)?;
        let truncated = (found.len() as u64) < total;
        let bytes = format.write(found, weighted, total, truncated);
        let bytes = bytes.map_err(|error| Error::input(subject.name(), error.to_string()))?;
        Ok((bytes, total, truncated))
    };
    let (bytes, total, truncated) = app.pool.run(work).await?;
    let truncated = HeaderValue::from_static(if truncated { "true" } else { "false" });
    let mut response = (kept, [(header::CONTENT_TYPE, format.content_type())], bytes).into_response();
    response.headers_mut().extend([(TOTAL, HeaderValue::from(total)), (TRUNCATED, truncated)]);
    Ok(response)
}
