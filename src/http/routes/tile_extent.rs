//! Zooms, center and bounds of a layer's tiles.

use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::geo::{Bounds, Canvas, PlaneTile, TileCoord};
use crate::http::parameters::pixel_ratio::PixelRatio;
use crate::http::parameters::tile_address::TileAddress;
use crate::http::parameters::tile_style::TileStyle;
use crate::http::server::App;
use crate::http::server::problem::HttpResult;
use crate::layer::{DotReach, Layer, PlaneView, Style, bounds_with_reach, center, plane_bounds_with_reach};

/// The bounds include dots down to this number of zooms below that of `center`; at lower zooms, the points cover only a
/// small part of the map. The reach of dots in degrees or meters grows as the zoom decreases.
const ZOOMS_BELOW_CENTER: i8 = 2;

/// The zooms, center and bounds of a layer's tiles. Clients request no tiles outside of the bounds, where dots would be
/// cut off.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileExtent {
    /// `plane` for a layer on a plane.
    pub(super) crs: Option<&'static str>,
    pub(super) minzoom: i8,
    pub(super) maxzoom: i8,
    /// Longitude, latitude and zoom; x, y and zoom on a plane.
    pub(super) center: (f64, f64, i8),
    /// West, south, east and north in degrees, never across the antimeridian; in meters on a plane.
    pub(super) bounds: [f64; 4],
}

impl TileExtent {
    /// Computes the extent of the tiles of a layer in a style.
    ///
    /// # Errors
    /// If the radius exceeds the limit at the lowest zoom.
    pub(super) fn of(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<Self> {
        if layer.coordinate_space().wraps() {
            Self::on_globe(app, layer, style)
        } else {
            Self::on_plane(app, layer, style)
        }
    }

    fn on_globe(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<Self> {
        let highest = layer.bin_level().map_or(TileCoord::MAX_ZOOM as i8, |level| bins_max_zoom(level, style.side_px));
        let maxzoom = max_zoom(app, layer, style, 0..=highest)?;
        let (lon, lat, zoom) = center(layer.bounds(), style.side_px, maxzoom as u8);
        let zoom = zoom as i8;
        let lowest = (zoom - ZOOMS_BELOW_CENTER).max(0);
        let (applied, _) = style_at(app, layer, style, lowest)?;
        let reach = DotReach::of(&applied, style.side_px, lowest as u8)?;
        let bounds = bounds_with_reach(layer.bounds(), reach);
        Ok(Self { crs: None, minzoom: 0, maxzoom, center: (lon, lat, zoom), bounds })
    }

    fn on_plane(app: &App, layer: &Arc<Layer>, style: &TileStyle) -> HttpResult<Self> {
        let PlaneView { center: [x, y], zoom, min_zoom, max_zoom: highest } =
            PlaneView::of(layer.bounds(), style.side_px);
        let maxzoom = max_zoom(app, layer, style, min_zoom..=highest)?;
        let zoom = zoom.min(maxzoom);
        let lowest = (zoom - ZOOMS_BELOW_CENTER).max(min_zoom);
        // Tiles of any size cover the same bounds, so that their pixels are converted to CSS pixels of 256 per tile.
        let css_px = f64::from(PlaneTile::SIDE_PX) / f64::from(style.side_px);
        let (applied, tile) = style_at(app, layer, style, lowest)?;
        let radius_px = applied.min_radius_px(&tile);
        let bounds = plane_bounds_with_reach(layer.bounds(), radius_px * css_px, lowest);
        Ok(Self { crs: Some("plane"), minzoom: min_zoom, maxzoom, center: (x, y, zoom), bounds })
    }
}

/// The style of the tiles of a zoom, and the canvas of one of them in CSS pixels.
///
/// # Errors
/// If the radius exceeds the limit.
fn style_at(app: &App, layer: &Arc<Layer>, style: &TileStyle, zoom: i8) -> HttpResult<(Style, Canvas)> {
    let tile = TileAddress::first_of(layer, zoom)?;
    let request = style.request(&app.config.limits, layer, tile, PixelRatio::ONE)?;
    Ok((request.style()?, request.canvas))
}

/// The highest of `zooms` at which the radius of dots is within the limits at all points of the layer.
fn max_zoom(app: &App, layer: &Arc<Layer>, style: &TileStyle, zooms: RangeInclusive<i8>) -> HttpResult<i8> {
    let lowest = *zooms.start();
    // An error at the lowest zoom occurs at every zoom.
    style_at(app, layer, style, lowest)?;
    let Bounds { south, north, .. } = layer.bounds();
    let is_complete =
        |(style, tile): (Style, Canvas)| style.check_radius_at(&tile, south.abs().max(north.abs())).is_ok();
    let mut zooms = zooms.rev();
    Ok(zooms.find(|zoom| style_at(app, layer, style, *zoom).is_ok_and(is_complete)).unwrap_or(lowest))
}

/// The zoom whose pixels are the cells of bins of `level`, in tiles of `side_px` pixels. Beyond it, tiles have no more detail.
fn bins_max_zoom(level: u32, side_px: u32) -> i8 {
    level.saturating_sub(side_px.max(1).ilog2()).min(u32::from(TileCoord::MAX_ZOOM)) as i8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cells_of_bins_are_the_pixels_of_the_highest_zoom() {
        assert_eq!(
            [(22, 256), (22, 512), (32, 256), (5, 256), (16, 1)].map(|(level, side)| bins_max_zoom(level, side)),
            [14, 13, 24, 0, 16]
        );
    }
}
