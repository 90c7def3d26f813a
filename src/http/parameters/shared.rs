//! Parameter declarations that several routes share.

use crate::config::TimeSpan;
use crate::geo::{PlaneTile, Projection};
use crate::parameter::{Message, Parameter};
pub(crate) use crate::parameters::RawJson;
use crate::parameters::{Declaration, Kind, Value, from_str_values, parameter_set};

pub(crate) const LAYER: Declaration =
    Declaration::new(Parameter::LAYER, Kind::Text).example("cities").doc("A layer of the catalog.");

pub(crate) const BOUNDS: Declaration = Declaration::new(Parameter::BOUNDS, Kind::Bounds).example("-12,35,32,60").doc(
    "Bounds in degrees, or in meters for a layer on a plane: `west,south,east,north`, edges included, or `world`; in JSON also `[west, south, east, north]` as in \
     GeoJSON, or `[[south, west], [north, east]]` as in Leaflet. If they cross the antimeridian, east is greater than 180, or \
     less than west.",
);

pub(crate) const SIZE: Declaration = Declaration::new(Parameter::SIZE, Kind::Size).default("1024").doc(
    "Width and height in pixels, `800x600`, or `1024` for the longer side; in JSON also `[800, 600]`. An overlay whose bounds \
     extend beyond the poles of the map has fewer rows.",
);

/// A zoom of tiles. Those of the globe begin at 0, which [`check_zoom`](super::tile_address::check_zoom) checks.
pub(crate) const ZOOM: Declaration = Declaration::new(
    Parameter::ZOOM,
    Kind::Number { min: PlaneTile::MIN_ZOOM as f64, max: PlaneTile::MAX_ZOOM as f64 },
)
.aliases(&["z"])
.example("10");

pub(crate) const TITLE: Declaration = Declaration::new(Parameter::TITLE, Kind::Label).doc("Title of the legend.");

pub(crate) const PIXEL_RATIO: Declaration =
    Declaration::new(Parameter::PIXEL_RATIO, Kind::Number { min: 0.5, max: 8.0 })
        .default("1")
        .doc("Pixels per CSS pixel: 2 for high-density screens.");

pub(crate) const POLYGON: Declaration = Declaration::new(Parameter::POLYGON, Kind::Json).doc(
    "Only points in this GeoJSON polygon: a Polygon, a MultiPolygon, or a Feature or FeatureCollection of these; at most \
     100,000 vertices.",
);

parameter_set! {
    /// The projection of a picture.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ProjectionOptions {
        /// Projection of the picture: mercator (Leaflet's default), platecarree (`L.CRS.EPSG4326`) or plane
        /// (`L.CRS.Simple`).
        pub(crate) projection: Projection =
            Declaration::new(Parameter::PROJECTION, Kind::Choice(&["mercator", "platecarree", "plane"]))
                .default("mercator; plane for a layer on a plane"),
    }
}

from_str_values!(TimeSpan);

/// A zoom of tiles, which may be fractional. Maps display the tiles of the nearest integer, which
/// [`check_zoom`](super::tile_address::check_zoom) returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Zoom(pub(crate) f64);

impl Value for Zoom {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        let invalid = |_| {
            let ([min, plane_min], max) = ([0, PlaneTile::MIN_ZOOM], PlaneTile::MAX_ZOOM);
            let globe = format!("`{}` is not a number from {min} to {max}", text.trim());
            format!("{globe}, or from {plane_min} to {max} for a layer on a plane").into()
        };
        f64::read(text, kind).map(Self).map_err(invalid)
    }

    fn write(&self) -> Option<String> {
        Some((self.0.round() as i8).to_string())
    }
}
