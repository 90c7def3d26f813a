//! Places as files write them: geometries in one column, coordinates as text, and the coordinate reference systems of both.

pub(in crate::source) mod coordinate;
pub(in crate::source) mod crs;
mod geojson;
pub(in crate::source) mod geometry;
mod pair;
mod points;
mod wkb;
mod wkt;

use super::AxisOrder;
