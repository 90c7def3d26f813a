//! Places as files write them: geometries in one column, coordinates as text, and the coordinate reference systems of both.

pub(in crate::source) mod coordinate;
pub(in crate::source) mod crs;
mod geojson;
pub(in crate::source) mod geometry;
mod pair;
mod points;
mod wkb;
mod wkt;

/// Which of its two coordinates a position begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum AxisOrder {
    /// Longitude or easting first, as in WKB, WKT and GeoJSON.
    LonLat,
    /// Latitude or northing first, as people write pairs.
    LatLon,
}
