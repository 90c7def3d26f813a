//! Canvases from the bounds, size and projection of requests.

use crate::color::Scheme;
use crate::config::LimitsConfig;
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::http::server::problem::{HttpResult, Problem};
use crate::layer::{Fit, Layer, Size, StyleOptions, canvas_for, canvas_of};
use crate::source::CoordinateSpace;

/// The handling of rows beyond the poles, which maps request at low zooms. The size of a pixel is the requested one
/// either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolarRows {
    /// Omits the rows; the picture has fewer rows than requested.
    Crop,
    /// Leaves the rows empty; the picture has the requested size.
    Pad,
}

/// Creates the canvas of `bounds` and `size` within the limits.
pub(crate) fn canvas(
    limits: &LimitsConfig,
    projection: Projection,
    bounds: Bounds,
    size: Size,
    polar_rows: PolarRows,
) -> HttpResult<Canvas> {
    // Checked before the canvas is created, whose own limits are higher.
    let limit = limits.pixels;
    let (width, height) = match size {
        Size::Exact(width, height) => (width, height),
        Size::Longest(side) => (side, 1),
    };
    let too_large = |pixels: u64| {
        let detail = format!("{pixels} pixels exceed the limit of {limit}, limits.pixels");
        Err(Problem::parameter("size", detail))
    };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limit {
        return too_large(pixels);
    }
    let canvas = match size {
        Size::Exact(width, height) => {
            let [above, visible] = visible_rows(projection, bounds, height);
            let canvas = canvas_of(projection, bounds, Size::Exact(width, visible))?;
            match polar_rows {
                PolarRows::Crop => canvas,
                PolarRows::Pad => canvas.window(0, -i64::from(above), width, height)?,
            }
        }
        size @ Size::Longest(_) => canvas_of(projection, bounds, size)?,
    };
    let pixels = u64::from(canvas.width()) * u64::from(canvas.height());
    if pixels > limit { too_large(pixels) } else { Ok(canvas) }
}

/// Creates the canvas that fits all points of `extent`, padded by the radius of their dots.
pub(crate) fn fitted_canvas(
    limits: &LimitsConfig,
    extent: &Extent,
    projection: Projection,
    size: Size,
    options: &StyleOptions,
    scheme: &Scheme,
) -> HttpResult<Canvas> {
    let style = options.resolve(|_| Ok(scheme.clone()))?;
    let fitted = canvas_for(projection, extent, size, &style, Fit::Padded)?;
    // Checks the limits of the server, which are lower than those of a canvas.
    canvas(limits, projection, fitted.bounds(), Size::Exact(fitted.width(), fitted.height()), PolarRows::Pad)
        .map(|_| fitted)
}

/// The number of rows north of the projection's range, and the number of rows within it, of `height` rows.
fn visible_rows(projection: Projection, bounds: Bounds, height: u32) -> [u32; 2] {
    if projection == Projection::Plane {
        return [0, height];
    }
    let y = |lat: f64| projection.forward(0.0, lat).1;
    let limit = projection.inverse(0.0, 0.0).1;
    let clip = |lat: f64| lat.clamp(-limit, limit);
    // A pole is infinitely far away on a Mercator map: bounds at a pole end at the edge of the map.
    let finite = |lat: f64| if lat.abs() >= 90.0 { clip(lat) } else { lat };
    let (north, south) = (finite(bounds.north), finite(bounds.south));
    let rows_per_unit = f64::from(height) / (y(south) - y(north));
    let above = ((y(clip(north)) - y(north)) * rows_per_unit).round();
    let visible = ((y(clip(south)) - y(clip(north))) * rows_per_unit).round();
    if visible >= 1.0 { [above as u32, visible as u32] } else { [0, height] }
}

/// The default projection of a layer.
pub(crate) fn default_projection(layer: &Layer) -> Projection {
    if layer.coordinate_space().wraps() { Projection::Mercator } else { Projection::Plane }
}

/// Checks that a layer on a plane is drawn in the plane projection, and one on the globe in a map projection.
pub(crate) fn check_coordinate_space(space: CoordinateSpace, projection: Projection) -> HttpResult<()> {
    match (space, projection) {
        (CoordinateSpace::Plane, Projection::Plane) => Ok(()),
        (CoordinateSpace::Plane, _) => {
            Err(Problem::parameter("projection", "the layer is on a plane: use projection=plane"))
        }
        (CoordinateSpace::Globe, Projection::Plane) => {
            Err(Problem::parameter("projection", "the layer is on the globe: use mercator or platecarree"))
        }
        (CoordinateSpace::Globe, _) => Ok(()),
    }
}

/// The coordinate space of the points that a projection accepts.
pub(crate) fn coordinate_space_of(projection: Projection) -> CoordinateSpace {
    if projection == Projection::Plane { CoordinateSpace::Plane } else { CoordinateSpace::Globe }
}
