//! Which ground a picture shows, in which projection.

use crate::color::Scheme;
use crate::config::LimitsConfig;
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::http::server::problem::{Answer, Problem};
use crate::layer::{Fit, Layer, Size, StyleOptions, canvas_for, canvas_of};
use crate::source::CoordinateSpace;

/// What becomes of ground beyond the poles, which a map that is zoomed out far asks for. The pixels are as wide and high
/// as they were asked for either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// It is left out, and the picture is lower by as much.
    Cut,
    /// It is empty, and the picture exactly of the requested size.
    Empty,
}

/// The canvas of `bounds` and `size` within the limits.
pub(crate) fn canvas(
    limits: &LimitsConfig,
    projection: Projection,
    bounds: Bounds,
    size: Size,
    beyond: Beyond,
) -> Answer<Canvas> {
    // Before the canvas is made, whose own limits are wider.
    let limit = limits.pixels;
    let (width, height) = match size {
        Size::Exact(width, height) => (width, height),
        Size::Longest(side) => (side, 1),
    };
    let too_large = |pixels: u64| {
        let why = format!("{pixels} pixels are more than the {limit} that limits.pixels allows");
        Err(Problem::parameter("size", why))
    };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limit {
        return too_large(pixels);
    }
    let canvas = match size {
        Size::Exact(width, height) => {
            let [above, shown] = rows_shown(projection, bounds, height);
            let canvas = canvas_of(projection, bounds, Size::Exact(width, shown))?;
            match beyond {
                Beyond::Cut => canvas,
                Beyond::Empty => canvas.window(0, -i64::from(above), width, height)?,
            }
        }
        size @ Size::Longest(_) => canvas_of(projection, bounds, size)?,
    };
    let pixels = u64::from(canvas.width()) * u64::from(canvas.height());
    if pixels > limit { too_large(pixels) } else { Ok(canvas) }
}

/// The canvas that shows all points of `extent`, with room for their dots.
pub(crate) fn fitting(
    limits: &LimitsConfig,
    extent: &Extent,
    projection: Projection,
    size: Size,
    options: &StyleOptions,
    scheme: &Scheme,
) -> Answer<Canvas> {
    let style = options.resolve(|_| Ok(scheme.clone()))?;
    let fitted = canvas_for(projection, extent, size, &style, Fit::Padded)?;
    // Held against the limits of the server, which are narrower than those of a canvas.
    canvas(limits, projection, fitted.bounds(), Size::Exact(fitted.width(), fitted.height()), Beyond::Empty)
        .map(|_| fitted)
}

/// Of `height` rows: how many lie north of what the projection shows, and how many it shows.
fn rows_shown(projection: Projection, bounds: Bounds, height: u32) -> [u32; 2] {
    if projection == Projection::Plane {
        return [0, height];
    }
    let y = |lat: f64| projection.forward(0.0, lat).1;
    let limit = projection.inverse(0.0, 0.0).1;
    let clip = |lat: f64| lat.clamp(-limit, limit);
    // The poles themselves lie infinitely far on a Mercator map: whoever names them means its edges.
    let meant = |lat: f64| if lat.abs() >= 90.0 { clip(lat) } else { lat };
    let (north, south) = (meant(bounds.north), meant(bounds.south));
    let rows_per_unit = f64::from(height) / (y(south) - y(north));
    let above = ((y(clip(north)) - y(north)) * rows_per_unit).round();
    let shown = ((y(clip(south)) - y(clip(north))) * rows_per_unit).round();
    if shown >= 1.0 { [above as u32, shown as u32] } else { [0, height] }
}

/// The default projection of a layer.
pub(crate) fn usual_projection(layer: &Layer) -> Projection {
    if layer.coordinate_space().wraps() { Projection::Mercator } else { Projection::Plane }
}

/// Floor plans are drawn on a plane, and the globe is not.
pub(crate) fn check_coordinate_space(space: CoordinateSpace, projection: Projection) -> Answer<()> {
    match (space, projection) {
        (CoordinateSpace::Plane, Projection::Plane) => Ok(()),
        (CoordinateSpace::Plane, _) => {
            Err(Problem::parameter("projection", "the layer lies on a plane: give projection=plane"))
        }
        (CoordinateSpace::Globe, Projection::Plane) => {
            Err(Problem::parameter("projection", "the layer lies on the globe: give mercator or platecarree"))
        }
        (CoordinateSpace::Globe, _) => Ok(()),
    }
}

/// Which coordinates are valid under a projection.
pub(crate) fn coordinate_space_of(projection: Projection) -> CoordinateSpace {
    if projection == Projection::Plane { CoordinateSpace::Plane } else { CoordinateSpace::Globe }
}
