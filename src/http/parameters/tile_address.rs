//! Addresses and zooms of tiles, of layers on the globe and on a plane.

use std::fmt;

use super::shared::Zoom;
use crate::error::Result;
use crate::geo::{Canvas, PlaneTile, TileCoord};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{Layer, PlaneView, center};

/// The address of a tile of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TileAddress {
    /// A Web Mercator tile of a layer on the globe.
    Globe(TileCoord),
    /// A tile of a layer on a plane.
    Plane(PlaneTile),
}

impl TileAddress {
    /// Parses the zoom, column and row of a tile of `layer`.
    pub(crate) fn read(layer: &Layer, zoom: &str, column: &str, row: &str) -> HttpResult<Self> {
        let is_plane = !layer.coordinate_space().wraps();
        let [zoom, column, row] =
            [("z", zoom), ("x", column), ("y", row)].map(|(name, text)| integer(name, text, is_plane));
        let (zoom, column, row) = (zoom?, column?, row?);
        let tile = if is_plane {
            let zoom = i8::try_from(zoom).unwrap_or(if zoom < 0 { i8::MIN } else { i8::MAX });
            PlaneTile::new(zoom, column, row).map(Self::Plane)
        } else {
            let index = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
            TileCoord::new(u8::try_from(zoom).unwrap_or(u8::MAX), index(column), index(row)).map(Self::Globe)
        };
        tile.map_err(|error| Problem::not_found(format!("there is no such tile: {error}")))
    }

    /// The tile 0/0 of a zoom, which represents all tiles of the zoom. The zoom must be one of the layer's
    /// [`tile_zooms`].
    pub(crate) fn first_of(layer: &Layer, zoom: i8) -> Result<Self> {
        if layer.coordinate_space().wraps() {
            TileCoord::new(u8::try_from(zoom).unwrap_or(u8::MAX), 0, 0).map(Self::Globe)
        } else {
            PlaneTile::new(zoom, 0, 0).map(Self::Plane)
        }
    }

    /// The canvas of the tile with `side_px` × `side_px` pixels.
    pub(crate) fn canvas(self, side_px: u32) -> Result<Canvas> {
        match self {
            Self::Globe(tile) => Canvas::tile(tile, side_px),
            Self::Plane(tile) => Canvas::plane_tile(tile, side_px),
        }
    }
}

impl fmt::Display for TileAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Globe(tile) => tile.fmt(f),
            Self::Plane(tile) => tile.fmt(f),
        }
    }
}

/// The minimum and maximum zoom of tiles of `layer`.
pub(crate) fn tile_zooms(layer: &Layer) -> [i8; 2] {
    let is_globe = layer.coordinate_space().wraps();
    if is_globe { [0, TileCoord::MAX_ZOOM as i8] } else { [PlaneTile::MIN_ZOOM, PlaneTile::MAX_ZOOM] }
}

/// The nearest integer of a zoom from the parameter `name`, if the layer has tiles of this zoom.
pub(crate) fn check_zoom(layer: &Layer, name: &str, Zoom(zoom): Zoom) -> HttpResult<i8> {
    let [min, max] = tile_zooms(layer);
    if (f64::from(min)..=f64::from(max)).contains(&zoom) {
        return Ok(zoom.round() as i8);
    }
    let hint = if min == 0 { "; only a layer on a plane has negative zooms" } else { "" };
    Err(Problem::parameter(name, format!("`{zoom}` is not a number from {min} to {max}{hint}")))
}

/// The zoom of a layer's `center` in TileJSON, for tiles of `side_px` pixels.
pub(crate) fn default_zoom(layer: &Layer, side_px: u32) -> i8 {
    if layer.coordinate_space().wraps() {
        center(layer.bounds(), side_px, TileCoord::MAX_ZOOM).2 as i8
    } else {
        PlaneView::of(layer.bounds(), side_px).zoom
    }
}

/// Parses an integer of digits only; `signed` allows a minus sign. Saturates at the limits of `i64`.
fn integer(name: &str, text: &str, signed: bool) -> HttpResult<i64> {
    let digits = text.strip_prefix('-').filter(|_| signed);
    let is_negative = digits.is_some();
    let digits = digits.unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::parameter(name, format!("`{text}` is not a whole number")));
    }
    Ok(text.parse().unwrap_or(if is_negative { i64::MIN } else { i64::MAX }))
}
