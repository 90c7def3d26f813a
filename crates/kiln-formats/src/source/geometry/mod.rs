//! Decoding of locations: geometries in one column, coordinates as text, and coordinate reference systems.

pub(in crate::source) mod coordinate;
mod coordinate_pair;
pub(in crate::source) mod crs;
pub(in crate::source) mod decode;
mod geojson;
mod point_collector;
mod wkb;
mod wkt;

use super::AxisOrder;
