//! Coordinates: degrees, world units and pixels. No I/O, no color.
//!
//! [`Points`] are columns of coordinates; a [`Canvas`] defines the bounds and the pixel size of a picture; a
//! [`Projection`] converts coordinates to the world units of canvases.

mod bounds;
mod canvas;
mod cells;
mod extent;
pub mod fixed;
mod frame;
mod ground;
pub mod mercator_series;
pub mod morton;
mod plane_frame;
mod plane_tile;
mod points;
mod polygon;
mod projection;
mod sample;
mod tile;
mod tile_cover;
mod zooms;

pub use bounds::Bounds;
pub use canvas::Canvas;
pub use cells::CellMapper;
pub(crate) use cells::floor_f64;
pub use extent::Extent;
pub use frame::Frame;
pub(crate) use ground::{Ground, GroundRow};
pub use plane_frame::PlaneFrame;
pub use plane_tile::PlaneTile;
pub use points::{Categories, PointBins, Points};
pub use polygon::Polygon;
pub use projection::{EARTH_RADIUS_M, MAX_MERCATOR_LAT_DEG, Projection};
pub use sample::SystematicSample;
pub use tile::TileCoord;
pub use tile_cover::TileCover;
pub use zooms::Zooms;
