//! `GET /{layer}/points`: points of a layer, for client-side rendering.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::http::parameters::bounds_crs::{BoundsCrs, BoundsCrsOptions};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::InQuery;
use crate::http::parameters::render_request::Subject;
use crate::http::parameters::shared::BOUNDS;
use crate::http::server::etag::{etag, is_cached};
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::FilterOptions;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, from_str_values, parameter_set, time_text};
use crate::source::{PointOrder, PointWithin, PointsWithin};

/// The header with the total number of points.
pub(crate) const TOTAL: HeaderName = HeaderName::from_static("kiln-total");
/// The header for whether the response contains only a part of the points.
pub(crate) const TRUNCATED: HeaderName = HeaderName::from_static("kiln-truncated");
/// The header for how the points were selected.
pub(crate) const ORDER: HeaderName = HeaderName::from_static("kiln-order");

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

/// How points are selected if there are more than the maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SelectionOrder(PointOrder);

impl SelectionOrder {
    /// The names, in the order of the documentation.
    const NAMES: [&str; 2] = ["sample", "weight"];

    /// The name.
    fn name(self) -> &'static str {
        match self.0 {
            PointOrder::Sample => Self::NAMES[0],
            PointOrder::Weight => Self::NAMES[1],
        }
    }
}

impl FromStr for SelectionOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "sample" => Ok(Self(PointOrder::Sample)),
            "weight" => Ok(Self(PointOrder::Weight)),
            _ => Err(Error::invalid(Parameter::ORDER, format!("`{text}` is neither sample nor weight"))),
        }
    }
}

parameter_set! {
    /// The bounds, format and maximum number of points.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PointsOptions {
        bounds: Bounds = BOUNDS.default("all points of the layer"),
        /// Format of the response: `geojson`; `heat`, for Leaflet.heat, without times and categories; or `heatmapjs`, for
        /// heatmap.js.
        format: PointsFormat =
            Declaration::new(Parameter::FORMAT, Kind::Choice(&["geojson", "heat", "heatmapjs"])).default("geojson"),
        /// Maximum number of points. If there are more, `order` selects them.
        limit: u64 = Declaration::new(Parameter::LIMIT, Kind::COUNT).default("the server's limit").example("100"),
        /// Selection of the points if there are more than the maximum: `sample`, a random sample in input order, in which
        /// each point is as probable, and which is the same for the same request; or `weight`, those with the greatest
        /// weights, in descending order.
        order: SelectionOrder =
            Declaration::new(Parameter::ORDER, Kind::Choice(&SelectionOrder::NAMES)).default("sample"),
    }
}

from_str_values!(PointsFormat, SelectionOrder);

impl fmt::Display for SelectionOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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
    /// Whether there are more points than `features`, which are then a part of them.
    truncated: bool,
    /// How the points were selected: `sample` or `weight`.
    #[schema(example = "sample")]
    order: &'static str,
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
    /// Time in RFC 3339 format, if the point has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2024-05-01T12:00:00Z")]
    time: Option<String>,
    /// Category, if the point has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "bus")]
    category: Option<Box<str>>,
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
        /// Whether there are more points than `points`, which are then a part of them.
        truncated: bool,
        /// How the points were selected: `sample` or `weight`.
        #[schema(example = "sample")]
        order: &'static str,
    },
    /// For `setData` of heatmap.js.
    HeatmapJs {
        /// Maximum weight.
        max: f32,
        /// Points.
        data: Vec<ValueAt>,
        /// Total number of points.
        total: u64,
        /// Whether there are more points than `data`, which are then a part of them.
        truncated: bool,
        /// How the points were selected: `sample` or `weight`.
        #[schema(example = "sample")]
        order: &'static str,
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
    /// Time in RFC 3339 format, if the point has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2024-05-01T12:00:00Z")]
    time: Option<String>,
    /// Category, if the point has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "bus")]
    category: Option<Box<str>>,
}

impl PointsFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::GeoJson => "application/geo+json",
            Self::Heat | Self::HeatmapJs => "application/json",
        }
    }

    /// Whether points have times and categories in this format. `L.heatLayer` accepts points of three numbers only.
    fn has_columns(self) -> bool {
        self != Self::Heat
    }

    /// Encodes points in this format.
    fn encode(self, found: PointsWithin, weighted: bool, order: SelectionOrder) -> serde_json::Result<Bytes> {
        let (total, truncated, order) = (found.total, found.is_truncated(), order.name());
        let points = found.points.into_iter();
        let bytes = match self {
            Self::GeoJson => {
                let feature = |PointWithin { lon, lat, weight, time_us, category }| Feature {
                    kind: "Feature",
                    geometry: PointGeometry { kind: "Point", coordinates: [lon, lat] },
                    properties: Properties {
                        weight: weighted.then_some(weight),
                        time: time_us.map(time_text),
                        category,
                    },
                };
                let features = points.map(feature).collect();
                serde_json::to_vec(&FeatureCollection { kind: "FeatureCollection", features, total, truncated, order })
            }
            Self::Heat => {
                let points = points.map(|point| (point.lat, point.lon, point.weight)).collect();
                let columns = ["lat", "lng", "weight"];
                serde_json::to_vec(&HeatPoints::Heat { columns, points, total, truncated, order })
            }
            Self::HeatmapJs => {
                let value_at = |PointWithin { lon, lat, weight, time_us, category }| ValueAt {
                    lat,
                    lng: lon,
                    value: weight,
                    time: time_us.map(time_text),
                    category,
                };
                let data: Vec<ValueAt> = points.map(value_at).collect();
                // Without points, any positive maximum is valid.
                let max = data.iter().map(|point| point.value).reduce(f32::max).unwrap_or(1.0);
                serde_json::to_vec(&HeatPoints::HeatmapJs { max, data, total, truncated, order })
            }
        };
        Ok(bytes?.into())
    }
}

/// Points of a layer, for client-side rendering
///
/// The points within the bounds, with their weights, times and categories. If there are more than `limit` or
/// `limits.answer_points` of the server's config, `order` selects a random sample of them, or those with the greatest weights.
/// The body and the headers contain the total number of points, whether the response is a part of them, and how it was selected.
#[utoipa::path(get, path = "/{layer}/points", operation_id = "get_points", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "cities"), InQuery<PointsOptions>, InQuery<BoundsCrsOptions>, InQuery<FilterOptions>),
    responses(
        (status = 200, description = "The points",
            content((FeatureCollection = "application/geo+json"), (HeatPoints = "application/json")),
            headers(("ETag" = String), ("Cache-Control" = String),
                ("Kiln-Total" = u64, description = "Total number of points"),
                ("Kiln-Truncated" = bool, description = "Whether there are more points than those of the response"),
                ("Kiln-Order" = String, description = "How the points were selected: sample or weight"))),
        (status = 304, description = "Not modified: the client's copy is current"),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn points(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    layer.require_single_points("a list of points", "tiles, pictures or the statistics of the layer")?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let PointsOptions { bounds, format, limit, order } = fields.read()?;
    let bounds = BoundsCrs::read(&mut fields)?.to_layer(&layer, bounds)?.unwrap_or_else(|| layer.bounds());
    let (format, order) = (format.unwrap_or_default(), order.unwrap_or_default());
    let max_points = app.config.limits.answer_points;
    let limit = limit.map_or(max_points, |limit| limit.min(max_points)) as usize;
    let filter = Filter::read(&mut fields, &app.config.limits)?;
    fields.finish()?;
    if order.0 == PointOrder::Weight && layer.weight().is_none() {
        return Err(Problem::parameter("order", "the layer has no weights; expected sample"));
    }

    let Bounds { west, south, east, north } = bounds;
    let (name, version) = (layer.name(), layer.version());
    let tag = etag(format!("points/{name}/{version}/{west},{south},{east},{north}/{format}/{limit}/{order}?{filter}"));
    let caching = [(header::ETAG, tag.as_str()), (header::CACHE_CONTROL, app.config.server.cache_control.as_str())];
    if is_cached(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let (space, weighted, subject) =
        (layer.coordinate_space(), layer.weight().is_some(), Subject::Layer(Arc::clone(&layer)));
    let price = subject.price(&filter);
    let work = move |stop: &_| {
        let selection = (limit, order.0);
        let found = if format.has_columns() {
            subject.points_with_columns_within(&filter, space, bounds, selection, stop)?
        } else {
            subject.points_within(&filter, space, bounds, selection, stop)?
        };
        let (total, truncated) = (found.total, found.is_truncated());
        let bytes = format.encode(found, weighted, order);
        let bytes = bytes.map_err(|error| Error::input(subject.name(), error.to_string()))?;
        Ok((bytes, total, truncated))
    };
    let (bytes, total, truncated) = app.run_for(Some(layer), price, work).await?;
    let truncated = HeaderValue::from_static(if truncated { "true" } else { "false" });
    let mut response = (caching, [(header::CONTENT_TYPE, format.content_type())], bytes).into_response();
    let order = HeaderValue::from_static(order.name());
    response.headers_mut().extend([(TOTAL, HeaderValue::from(total)), (TRUNCATED, truncated), (ORDER, order)]);
    Ok(response)
}
