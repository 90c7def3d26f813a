//! Filter polygons.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::HeaderMap;
use utoipa::ToSchema;

use super::body::media_type;
use crate::geo::Polygon;
use crate::http::server::digest::{digest, keyed_digest};
use crate::http::server::pool::Pool;
use crate::http::server::problem::{HttpResult, Problem};
use crate::source::CoordinateSpace;

/// A GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; at most 100,000 vertices.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "documents the body in OpenAPI")]
#[schema(example = json!({"type": "Polygon", "coordinates": [[[5, 45], [20, 45], [20, 55], [5, 55], [5, 45]]]}))]
pub(crate) struct PolygonBody {
    /// GeoJSON type.
    #[schema(example = "Polygon")]
    r#type: String,
    /// Closed rings of the polygon: lists of longitude and latitude in degrees, or of x and y for a layer on a plane.
    #[schema(value_type = Option<Vec<Object>>)]
    coordinates: Option<Vec<String>>,
}

/// A filter polygon with digests of its GeoJSON.
#[derive(Clone)]
pub(crate) struct Area {
    polygon: Arc<Polygon>,
    digest: u128,
    keyed_digest: u128,
}

impl fmt::Debug for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Area({:032x})", self.digest)
    }
}

impl Area {
    /// Parses a GeoJSON polygon in a coordinate space on the thread pool.
    pub(crate) async fn read(pool: &Pool, space: CoordinateSpace, geojson: String) -> HttpResult<Self> {
        // A polygon with many vertices must not block the async runtime.
        pool.run(move |_| {
            let polygon = Arc::new(match space {
                CoordinateSpace::Globe => Polygon::from_geojson(&geojson)?,
                CoordinateSpace::Plane => Polygon::from_plane_geojson(&geojson)?,
            });
            Ok(Self { polygon, digest: digest(&geojson), keyed_digest: keyed_digest(&geojson) })
        })
        .await
    }

    /// Parses the polygon in a request body, in the coordinate space of the layer.
    pub(crate) async fn of_body(
        pool: &Pool,
        space: CoordinateSpace,
        headers: &HeaderMap,
        body: Bytes,
    ) -> HttpResult<Self> {
        let media_type = media_type(headers);
        // A body without a type is read as GeoJSON, and so is a form type, the default of curl.
        let known = ["", "application/geo+json", "application/json", "application/x-www-form-urlencoded"];
        if !known.contains(&media_type.as_str()) {
            let detail = format!("unsupported media type `{media_type}`; send a polygon as application/geo+json");
            return Err(Problem::media_type(detail));
        }
        let text = String::from_utf8(body.into()).map_err(|_| Problem::body("the body is not UTF-8"))?;
        if text.trim().is_empty() {
            return Err(Problem::body("the body is empty; send a GeoJSON polygon, or use GET for all points"));
        }
        Self::read(pool, space, text).await
    }

    /// The polygon.
    pub(crate) fn polygon(&self) -> &Arc<Polygon> {
        &self.polygon
    }

    /// The digest for `ETag`s, the same in every process.
    pub(crate) fn digest(&self) -> u128 {
        self.digest
    }

    /// The digest for cache keys, for which clients cannot construct collisions.
    pub(crate) fn keyed_digest(&self) -> u128 {
        self.keyed_digest
    }
}
