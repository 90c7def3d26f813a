//! Occupancy grids: points grouped by cell, period and category as data, and grids of layers.
//!
//! The computation is that of `kiln-core`. With the feature `server`, [`GridOptions`] are the parameters of a grid, from
//! which all front ends are derived; [`GridRequest`] is their meaning for a layer, and [`GridLayer::grid`] computes the
//! grid with its comparison, sums per room and profiles. `write` and `picture` turn it into JSON, CSV, Parquet, GeoJSON
//! and PNG.

#[cfg(feature = "server")]
mod aggregates;
#[cfg(feature = "server")]
mod area;
#[cfg(feature = "server")]
mod cell_window;
#[cfg(feature = "server")]
mod compute;
#[cfg(feature = "server")]
mod grid;
#[cfg(feature = "server")]
mod options;
#[cfg(feature = "server")]
pub mod picture;
#[cfg(feature = "server")]
mod profile;
#[cfg(feature = "server")]
mod quantity;
#[cfg(feature = "server")]
mod request;
#[cfg(feature = "server")]
mod resolution;
#[cfg(feature = "server")]
mod room;
#[cfg(feature = "server")]
mod room_totals;
#[cfg(feature = "server")]
mod space;
#[cfg(feature = "server")]
mod style;
#[cfg(feature = "server")]
mod time_window;
#[cfg(feature = "server")]
pub mod write;

pub use kiln_core::occupancy::*;

#[cfg(feature = "server")]
pub(crate) use self::compute::{rectangle, with_polygon};
#[cfg(feature = "server")]
pub use self::{
    aggregates::Aggregates,
    cell_window::CellWindow,
    compute::GridLayer,
    grid::{Compared, Grid, GridCell},
    options::{CellShape, GridFormat, GridOptions},
    profile::{Profile, ProfileKind},
    quantity::Quantity,
    request::GridRequest,
    resolution::Resolution,
    room::{Room, Rooms},
    room_totals::{RoomTable, RoomTotals},
    space::{check_categories, known_categories},
    style::{GridOpacity, GridStyleOptions, PictureKind},
    time_window::TimeWindow,
};
