//! Zooms, center and bounds of a plane layer's tiles.

use crate::geo::{Bounds, PlaneTile};

/// The zooms and the initial view of a plane layer's tiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlaneView {
    /// x and y of the center of the layer in meters.
    pub center: [f64; 2],
    /// The highest zoom at which the layer fits into about 1024 pixels, within `min_zoom` and `max_zoom`.
    pub zoom: i8,
    /// The highest zoom at which the layer fits into the 256 CSS pixels of a tile.
    pub min_zoom: i8,
    /// The zoom at which a CSS pixel is less than 1 cm wide, and at least four zooms above `min_zoom`.
    pub max_zoom: i8,
}

impl PlaneView {
    /// The view of a layer with `bounds` in meters, for tiles of `side_px` pixels.
    pub fn of(bounds: Bounds, side_px: u32) -> Self {
        const WINDOW_PX: f64 = 1024.0;
        /// 2^7 pixels per meter: 7.8 mm each.
        const CENTIMETER_ZOOM: i8 = 7;
        const MIN_ZOOMS: i8 = 4;
        /// The width of the view of a single point in meters.
        const SINGLE_POINT_M: f64 = 8.0;
        let Bounds { west, south, east, north } = bounds;
        let longest_m = (east - west).max(north - south);
        let longest_m = if longest_m > 0.0 { longest_m } else { SINGLE_POINT_M };
        let zoom_of = |pixels: f64, lowest: i8, highest: i8| {
            (pixels / longest_m).log2().floor().clamp(f64::from(lowest), f64::from(highest)) as i8
        };
        let min_zoom = zoom_of(f64::from(PlaneTile::SIDE_PX), PlaneTile::MIN_ZOOM, PlaneTile::MAX_ZOOM);
        let max_zoom = CENTIMETER_ZOOM.max(min_zoom + MIN_ZOOMS).min(PlaneTile::MAX_ZOOM);
        // Tiles of 512 pixels have twice the pixels per meter.
        let window_px = WINDOW_PX * f64::from(PlaneTile::SIDE_PX) / f64::from(side_px);
        let round = |meters: f64| (meters * 1e6).round() / 1e6;
        let center = [round(west.midpoint(east)), round(south.midpoint(north))];
        Self { center, zoom: zoom_of(window_px, min_zoom, max_zoom), min_zoom, max_zoom }
    }
}

/// West, south, east and north in meters of bounds expanded on each side by the reach of dots of `radius_px` CSS pixels at
/// a zoom.
pub fn plane_bounds_with_reach(bounds: Bounds, radius_px: f64, zoom: i8) -> [f64; 4] {
    /// The maximum reach of a dot, in radii.
    const MAX_REACH: f64 = 5.0 / 3.0;
    // One pixel is added for the pixel of the outermost point itself.
    let reach_m = (radius_px * MAX_REACH + 1.0) / PlaneTile::scale_of(zoom);
    let (down, up) = (|meters: f64| (meters * 1e6).floor() / 1e6, |meters: f64| (meters * 1e6).ceil() / 1e6);
    let Bounds { west, south, east, north } = bounds;
    [down(west - reach_m), down(south - reach_m), up(east + reach_m), up(north + reach_m)]
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn the_zooms_of_a_plane_fit_its_extent() {
        let view =
            |side_m: f64, side_px| PlaneView::of(Bounds { west: -side_m, south: 0.0, east: 0.0, north: 1.0 }, side_px);
        let zooms = |PlaneView { min_zoom, zoom, max_zoom, .. }: PlaneView| [min_zoom, zoom, max_zoom];
        // 40 m are 160 pixels at zoom 2, and 640 pixels at zoom 4.
        assert_eq!(zooms(view(40.0, 256)), [2, 4, 7]);
        assert_eq!(zooms(view(40.0, 512)), [2, 3, 7]);
        assert_eq!(zooms(view(4e6, 256)), [-14, -12, 7]);
        assert_eq!(zooms(view(1e300, 256)), [-20, -20, 7]);
        assert_eq!(view(40.0, 256).center, [-20.0, 0.5]);
        let point = Bounds { west: 3.0, south: 4.0, east: 3.0, north: 4.0 };
        let point = PlaneView::of(point, 256);
        assert_eq!((point.center, zooms(point)), ([3.0, 4.0], [5, 7, 9]));
        let tiny = PlaneView::of(Bounds { west: 0.0, south: 0.0, east: 1e-9, north: 1e-9 }, 256);
        assert_eq!(zooms(tiny), [24, 24, 24]);
    }

    #[test]
    fn bounds_include_the_reach_of_dots() {
        let bounds = Bounds { west: 0.0, south: 10.0, east: 40.0, north: 34.0 };
        // 3 · 5/3 + 1 pixels at 4 pixels per meter.
        assert_eq!(plane_bounds_with_reach(bounds, 3.0, 2), [-1.5, 8.5, 41.5, 35.5]);
    }
}
