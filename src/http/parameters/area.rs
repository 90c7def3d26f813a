//! The polygon that a request's points are to lie in.

use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use utoipa::ToSchema;

use crate::geo::Polygon;
use crate::http::server::App;
use crate::http::server::digest::digest;
use crate::http::server::problem::{Answer, Problem};

/// A GeoJSON Polygon or MultiPolygon, or a Feature or FeatureCollection of these; at most 100,000 vertices.
#[derive(Debug, ToSchema)]
#[allow(dead_code, reason = "it documents what Area reads")]
#[schema(example = json!({"type": "Polygon", "coordinates": [[[5, 45], [20, 45], [20, 55], [5, 55], [5, 45]]]}))]
pub(crate) struct PolygonBody {
    /// What it is.
    #[schema(example = "Polygon")]
    r#type: String,
    /// The rings of a polygon: each a list of longitudes and latitudes in degrees that ends where it began.
    #[schema(value_type = Option<Vec<Object>>)]
    coordinates: Option<Vec<String>>,
}

/// A polygon, and a number that stands for it.
#[derive(Clone)]
pub(crate) struct Area {
    polygon: Arc<Polygon>,
    digest: u128,
}

impl fmt::Debug for Area {
    /// What keys are made of: short, and another for another polygon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Area({:032x})", self.digest)
    }
}

impl Area {
    /// Reads a polygon from GeoJSON.
    pub(crate) async fn read(app: &App, geojson: String) -> Answer<Self> {
        // Many vertices take a while, which others need not wait for.
        app.pool
            .run(move |_| {
                let polygon = Arc::new(Polygon::from_geojson(&geojson)?);
                Ok(Self { polygon, digest: digest(&geojson) })
            })
            .await
    }

    /// Reads the polygon that a body is.
    pub(crate) async fn of_body(app: &App, headers: &HeaderMap, body: Bytes) -> Answer<Self> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        // Clients that name no type mean GeoJSON, and curl calls everything a form.
        let known = ["", "application/geo+json", "application/json", "application/x-www-form-urlencoded"];
        if !known.iter().any(|known| known.eq_ignore_ascii_case(media_type)) {
            let why = format!("`{media_type}` is not read here; send a polygon as application/geo+json");
            return Err(Problem::media_type(why));
        }
        let text = String::from_utf8(body.into()).map_err(|_| Problem::body("the body is not UTF-8"))?;
        if text.trim().is_empty() {
            return Err(Problem::body("the body is empty; send a GeoJSON polygon, or ask by GET for all points"));
        }
        Self::read(app, text).await
    }

    /// The polygon.
    pub(crate) fn polygon(&self) -> &Arc<Polygon> {
        &self.polygon
    }
}
