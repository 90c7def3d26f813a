//! Canvases for given bounds, or for the bounds of the points where none are given.

use std::str::FromStr;

use super::style::{Radius, Style};
use super::tile_extent::expand;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Extent, Projection};
use crate::message;
use crate::parameter::{Message, Parameter};
use crate::parameters::{Kind, Value};

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// The longer side; the other side follows from the bounds, so that pixels are square on the map.
    Longest(u32),
    /// Width and height.
    Exact(u32, u32),
}

impl Default for Size {
    fn default() -> Self {
        Self::Longest(1024)
    }
}

impl FromStr for Size {
    type Err = Error;

    /// Reads `800x600`, or `1024` for the longer side.
    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::invalid(Parameter::SIZE, format!("`{text}` is not a size such as 800x600 or 1024"));
        let side = |text: &str| text.trim().parse::<u32>().map_err(|_| malformed());
        let size = match text.split_once(['x', 'X', '×']) {
            Some((width, height)) => Self::Exact(side(width)?, side(height)?),
            None => Self::Longest(side(text)?),
        };
        match size {
            Self::Longest(0) | Self::Exact(0, _) | Self::Exact(_, 0) => {
                Err(Error::invalid(Parameter::SIZE, format!("`{text}` has no pixels")))
            }
            _ => Ok(size),
        }
    }
}

impl Value for Size {
    fn read(text: &str, _: Kind) -> Result<Self, Message> {
        text.parse().map_err(Error::into_message)
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Self::Longest(side) => side.to_string(),
            Self::Exact(width, height) => format!("{width}x{height}"),
        })
    }
}

/// How the bounds of a picture follow from the extent of the points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The extent with a margin for the dots of the outermost points, and with square pixels.
    #[default]
    Padded,
    /// The exact extent, as in the Python heatmap library: dots at the edge are cut in half.
    Tight,
}

impl FromStr for Fit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "padded" => Ok(Self::Padded),
            "tight" => Ok(Self::Tight),
            _ => Err(Error::invalid(Parameter::FIT, format!("`{text}` is neither padded nor tight"))),
        }
    }
}

/// The canvas that covers exactly `bounds`.
///
/// # Errors
/// [`Error::Invalid`] if the size exceeds the limits or the bounds have no area on the map.
pub fn canvas_of(projection: Projection, bounds: Bounds, size: Size) -> Result<Canvas> {
    match size {
        Size::Exact(width, height) => Canvas::new(projection, bounds, width, height),
        Size::Longest(side) => {
            let height = Canvas::height_for(projection, bounds, side)?;
            if height <= side {
                return Canvas::new(projection, bounds, side, height);
            }
            let width = f64::from(side) * f64::from(side) / f64::from(height);
            Canvas::new(projection, bounds, width.round().max(1.0) as u32, side)
        }
    }
}

/// The canvas of square pixels that covers `bounds`, which are widened to the shape of the size. Bounds without an area are a single
/// point, around which about 2 km, or 1 meter on a plane, are visible.
///
/// # Errors
/// [`Error::Invalid`] if the size exceeds the limits, or if the picture has more than three copies of the world.
pub fn canvas_around(projection: Projection, bounds: Bounds, size: Size) -> Result<Canvas> {
    padded(projection, bounds, size, 0.0)
}

/// The canvas that covers `extent`, with a margin for the dots under [`Fit::Padded`].
///
/// # Errors
/// [`Error::Invalid`] if the extent has no point, the size exceeds the limits, or the fit is tight and the extent has
/// no width or height.
pub fn canvas_for(projection: Projection, extent: &Extent, size: Size, style: &Style, fit: Fit) -> Result<Canvas> {
    let bounds = extent.bounds(projection.wraps()).ok_or_else(|| {
        Error::invalid(Parameter::BOUNDS, message!("there are no points to fit; give ", Parameter::BOUNDS))
    })?;
    if fit == Fit::Tight {
        if bounds.west >= bounds.east || bounds.south >= bounds.north {
            return Err(Error::invalid(
                Parameter::FIT,
                format!("the extent of the points ({bounds}) has no area, which `tight` requires"),
            ));
        }
        return canvas_of(projection, bounds, size);
    }
    if let Radius::Meters(meters) = style.radius {
        if projection.wraps() {
            return padded(projection, expand(bounds, meters), size, 0.0);
        }
        // A radius in meters is converted to pixels by the scale of the canvas, and the scale depends on the margin for
        // the dots. A few iterations converge.
        let mut canvas = padded(projection, bounds, size, 0.0)?;
        for _ in 0..8 {
            canvas = padded(projection, bounds, size, style.min_radius_px(&canvas))?;
        }
        return Ok(canvas);
    }
    // The radius does not depend on the canvas.
    let radius_px = style.min_radius_px(&padded(projection, bounds, size, 0.0)?);
    padded(projection, bounds, size, radius_px)
}

/// The canvas of square pixels that covers `bounds` and a margin of `margin_px`, which is at most half of the picture.
fn padded(projection: Projection, bounds: Bounds, size: Size, margin_px: f64) -> Result<Canvas> {
    /// The extent shown around a single point, in world units: 0.02 degrees, about 2 km, or 1 plane unit.
    const SINGLE_POINT_EXTENT: [f64; 2] = [0.02 / 360.0, 1.0];
    /// Points within this distance, relative to the world (4 cm) or to their own coordinates, count as a single point.
    const SAME_POINT: f64 = 1e-9;
    let (lowest, highest) = projection.lat_range();
    let lat = |lat: f64| lat.clamp(lowest, highest);
    let (west, north) = projection.forward(bounds.west, lat(bounds.north));
    let (east, south) = projection.forward(bounds.east, lat(bounds.south));
    let magnitude = [west, north, east, south].into_iter().fold(1.0, |max: f64, edge| max.max(edge.abs()));
    if magnitude > f64::MAX / 4.0 {
        return Err(Error::invalid(
            Parameter::BOUNDS,
            message!(format!("the extent of the points ({bounds}) is too large; give "), Parameter::BOUNDS),
        ));
    }
    let rows = [highest, lowest].map(|lat| projection.forward(0.0, lat).1);
    let mut area = Area {
        projection,
        center: [west.midpoint(east), north.midpoint(south)],
        width: east - west,
        height: south - north,
        rows,
    };
    if area.width <= SAME_POINT * magnitude && area.height <= SAME_POINT * magnitude {
        let side = SINGLE_POINT_EXTENT[usize::from(!projection.wraps())] * magnitude;
        (area.width, area.height) = (side, side);
    }
    match size {
        Size::Exact(width, height) => area.within_size(width, height, margin_px),
        Size::Longest(side) => area.with_longest(side, margin_px),
    }
}

/// The area that a picture must cover, in world coordinates.
#[derive(Clone, Copy, Debug)]
struct Area {
    projection: Projection,
    center: [f64; 2],
    width: f64,
    height: f64,
    /// The northern and southern limit of the projection: maps such as Leaflet's show no rows beyond them.
    rows: [f64; 2],
}

impl Area {
    /// The canvas of `width_px` × `height_px` pixels.
    fn within_size(&self, width_px: u32, height_px: u32, margin_px: f64) -> Result<Canvas> {
        /// The maximum number of copies of the world in a picture.
        const MAX_TURNS: f64 = 3.0;
        let (wide, high) = (f64::from(width_px), f64::from(height_px));
        let wraps = self.projection.wraps();
        let margin = margin_of(margin_px, wide.min(high));
        let [first, last] = self.rows;
        // No margin is needed beyond the poles: the height of the world is enough.
        let world_scale = if wraps { high / (last - first) } else { 0.0 };
        let height_scale = ((high - 2.0 * margin) / self.height).max(world_scale);
        let scale = ((wide - 2.0 * margin) / self.width).min(height_scale);
        if wraps && wide > MAX_TURNS * scale {
            let turns =
                format!("{width_px}x{height_px} would show the world {:.0} times side by side; give ", wide / scale);
            return Err(Error::invalid(Parameter::SIZE, message!(turns, Parameter::BOUNDS, " as well")));
        }
        let [x, y] = self.center;
        let mut north = y - high / scale / 2.0;
        // A picture that is lower than the world is moved to within the poles.
        if wraps && high / scale <= (last - first) * (1.0 + 1e-9) {
            north = north.min(last - high / scale).max(first);
        }
        Canvas::from_corner(self.projection, [x - wide / scale / 2.0, north], scale, width_px, height_px)
    }

    /// The canvas whose longer side has exactly `side_px` pixels.
    fn with_longest(&self, side_px: u32, margin_px: f64) -> Result<Canvas> {
        /// Tolerance for rounding errors, in pixels.
        const EPSILON_PX: f64 = 1e-6;
        let side = f64::from(side_px);
        let wraps = self.projection.wraps();
        let margin = margin_of(margin_px, side);
        let ([x, y], [first, last]) = (self.center, self.rows);
        let (top, bottom) = (y - self.height / 2.0, y + self.height / 2.0);
        // The scale at which the width fits. A picture of the whole circumference needs no margin: a dot at the
        // antimeridian shows on both sides.
        let width_scale = ((side - 2.0 * margin) / self.width).max(if wraps { side } else { 0.0 });
        // The scale at which the height fits, with a margin to the north and to the south, but not beyond the limits of
        // the projection.
        let height_scale = if wraps {
            let heights = [(bottom - top, 2.0), (last - top, 1.0), (bottom - first, 1.0), (last - first, 0.0)];
            heights.into_iter().map(|(world, margins)| (side - margins * margin) / world).fold(0.0, f64::max)
        } else {
            (side - 2.0 * margin) / self.height
        };
        let mut scale = width_scale.min(height_scale);
        let is_around = wraps && self.width * scale + 2.0 * margin > scale;
        if is_around {
            scale = side;
        } else if wraps && scale > 256.0 {
            // With a whole number of pixels around the world, pictures of nearly the whole world are rendered as one
            // copy of it. The scale changes by less than 1/256.
            scale = scale.floor();
        }
        let pixels = |world: f64| (world * scale + 2.0 * margin).round().max(1.0);
        let mut height = pixels(self.height);
        let mut north = y - height / scale / 2.0;
        if wraps {
            let (top, bottom) = (north.max(first), (north + height / scale).min(last));
            height = ((bottom - top) * scale + EPSILON_PX).floor();
            north = if top > first && bottom >= last { last - height / scale } else { top };
        }
        let (width, west) = if is_around {
            (side, 0.0)
        } else {
            let width = if width_scale <= height_scale { side } else { pixels(self.width).min(side) };
            (width, x - width / scale / 2.0)
        };
        if height_scale < width_scale || height > side {
            // Compensates for the rows that rounding added or removed.
            north -= (side - height) / scale / 2.0;
            height = side;
        }
        if wraps {
            north = north.min(last - height / scale).max(first);
        }
        Canvas::from_corner(self.projection, [west, north], scale, width as u32, height.max(1.0) as u32)
    }
}

/// The margin for dots at each edge of a picture: the radius and one pixel, for the pixel of the outermost point
/// itself, but at most a quarter of the side.
fn margin_of(radius_px: f64, side_px: f64) -> f64 {
    (radius_px + 1.0).min(side_px / 4.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Points;

    fn extent(lon: &[f64], lat: &[f64]) -> Extent {
        let mut extent = Extent::default();
        extent.add(Points::new(lon, lat).unwrap());
        extent
    }

    #[test]
    fn padded_pictures_have_a_margin_for_every_dot() {
        for projection in [Projection::Mercator, Projection::PlateCarree, Projection::Plane] {
            for size in [Size::Longest(500), Size::Exact(400, 300), Size::Exact(300, 900)] {
                for radius in [Radius::Pixels(20.0), Radius::DotSize(60.0)] {
                    let style = Style { radius, ..Style::new().unwrap() };
                    let (lon, lat) = ([5.0, 25.0, 15.0], [40.0, 60.0, 50.0]);
                    let canvas = canvas_for(projection, &extent(&lon, &lat), size, &style, Fit::Padded).unwrap();
                    assert!((canvas.aspect() - 1.0).abs() < 1e-9);
                    let reach = style.min_radius_px(&canvas);
                    let mut nearest = f64::INFINITY;
                    canvas.for_each_position(Points::new(&lon, &lat).unwrap(), 0, |col, row| {
                        let edges = [col, row, f64::from(canvas.width()) - col, f64::from(canvas.height()) - row];
                        nearest = edges.into_iter().fold(nearest, f64::min);
                    });
                    assert!(nearest >= reach && nearest < reach + 3.0, "{projection} {size:?} {radius}: {nearest}");
                }
            }
        }
    }

    #[test]
    fn points_all_around_the_world_get_exactly_one_copy_of_it() {
        let extent = extent(&[-179.5, -60.0, 10.0, 179.9], &[-40.0, 0.0, 60.0, 20.0]);
        let style = Style { radius: Radius::Pixels(30.0), ..Style::new().unwrap() };
        let canvas = canvas_for(Projection::Mercator, &extent, Size::Longest(800), &style, Fit::Padded).unwrap();
        let bounds = canvas.bounds();
        assert_eq!((canvas.width(), bounds.west, bounds.east), (800, -180.0, 180.0));
        assert!(bounds.south < -45.0 && bounds.north > 62.0, "{bounds}");
    }

    /// The canvas fitted to points.
    fn fit(projection: Projection, lon: &[f64], lat: &[f64], size: &str, fit: Fit) -> Result<Canvas> {
        canvas_for(projection, &extent(lon, lat), size.parse().unwrap(), &Style::new().unwrap(), fit)
    }

    #[test]
    fn points_at_one_position_get_a_picture_of_its_surroundings() {
        for (projection, lon) in [
            (Projection::Mercator, vec![18.07]),
            (Projection::Mercator, vec![18.07, 18.07 + 1e-9]),
            (Projection::PlateCarree, vec![-180.0]),
            (Projection::Plane, vec![18.07]),
            (Projection::Plane, vec![1e12, 1e12 + 1e-4]),
        ] {
            let canvas = fit(projection, &lon, &vec![59.33; lon.len()], "500", Fit::Padded).unwrap();
            let bounds = canvas.bounds();
            assert_eq!((canvas.width(), canvas.height()), (500, 500), "{projection}");
            assert!(bounds.west < lon[0] && bounds.east > lon[0] && bounds.south < 59.33 && bounds.north > 59.33);
            assert!(bounds.east - bounds.west < 0.03 || projection == Projection::Plane);
        }
    }

    #[test]
    fn no_picture_exceeds_the_limits_of_the_projection() {
        for projection in [Projection::Mercator, Projection::PlateCarree] {
            for size in ["256", "128", "300x200"] {
                for (lon, lat) in
                    [([-100.0, 100.0], [85.0, -85.0]), ([10.0, 12.0], [84.0, 89.9]), ([0.0, 1.0], [-89.0, -80.0])]
                {
                    let bounds = fit(projection, &lon, &lat, size, Fit::Padded).unwrap().bounds();
                    let limit = projection.lat_range().1 + 1e-9;
                    assert!(bounds.north <= limit && bounds.south >= -limit, "{projection} {size}: {bounds}");
                }
            }
        }
    }

    #[test]
    fn the_longer_side_has_exactly_the_requested_pixels() {
        let style = Style { radius: Radius::Pixels(20.0), ..Style::new().unwrap() };
        // Three longitudes, so that a wide extent does not cross the antimeridian.
        let lons = [
            [-75.0, 30.0, 152.0],
            [-179.9, 0.0, 179.9],
            [-170.0, -20.0, 140.0],
            [150.0, 160.0, -170.0],
            [5.0, 5.0, 5.0],
            [10.0, 10.7, 10.1],
            [-60.0, 0.0, 35.3],
        ];
        let lats =
            [[-35.0, 59.3], [-89.0, 89.0], [84.0, 89.9], [-85.0, 10.0], [-84.7, 84.9], [12.0, 12.0], [40.0, 41.3]];
        for projection in [Projection::Mercator, Projection::PlateCarree, Projection::Plane] {
            for (lon, lat) in lons.iter().flat_map(|lon| lats.iter().map(move |lat| (lon, lat))) {
                for side in [64, 100, 256, 333, 1000, 1024, 4096] {
                    let extent = extent(&[*lon, *lon].concat(), &[lat[0], lat[1], lat[0], lat[1], lat[0], lat[1]]);
                    let canvas = canvas_for(projection, &extent, Size::Longest(side), &style, Fit::Padded).unwrap();
                    let case = format!("{projection} {lon:?} {lat:?} {side}: {canvas}");
                    assert_eq!(canvas.width().max(canvas.height()), side, "{case}");
                    assert!((canvas.aspect() - 1.0).abs() < 1e-12, "{case}");
                    let bounds = canvas.bounds();
                    let (lowest, highest) = projection.lat_range();
                    assert!(bounds.south >= lowest - 1e-9 && bounds.north <= highest + 1e-9, "{case}");
                    assert!(!projection.wraps() || bounds.east - bounds.west <= 360.0 + 1e-9, "{case}");
                    // No point on the map is cut off, except in the last row where that would be partly beyond the map.
                    let row = bounds.south - canvas.window(0, 0, 1, canvas.height() + 1).unwrap().bounds().south;
                    let slack = if bounds.north >= highest - 1e-9 { row } else { 1e-9 };
                    let [south, north] = lat.map(|lat: f64| lat.clamp(lowest, highest));
                    assert!(bounds.south <= south + slack && bounds.north >= north - 1e-9, "{case}");
                }
            }
        }
        // A whole number of pixels around the world, so that such pictures are rendered as one copy of it.
        let world = canvas_for(
            Projection::Mercator,
            &extent(&[-179.9, 0.0, 179.9], &[-89.0, 0.0, 89.0]),
            Size::Longest(1024),
            &style,
            Fit::Padded,
        );
        assert_eq!(world.unwrap(), Canvas::new(Projection::Mercator, Bounds::WORLD, 1024, 1024).unwrap());
    }

    #[test]
    fn an_extent_that_cannot_be_fitted_is_an_error() {
        let rejected = |canvas: Result<Canvas>| canvas.unwrap_err().to_string();
        let on_a_line = rejected(fit(Projection::Mercator, &[18.0, 18.0], &[50.0, 60.0], "500", Fit::Tight));
        assert!(on_a_line.contains("tight"), "{on_a_line}");
        let flat = rejected(fit(Projection::Mercator, &[-170.0, 170.0], &[-60.0, 60.0], "4000x100", Fit::Padded));
        assert!(flat.starts_with("size") && flat.contains("times side by side"), "{flat}");
        let huge = rejected(fit(Projection::Plane, &[-1.7e308, 1.7e308], &[0.0, 1.0], "500", Fit::Padded));
        assert!(huge.contains("too large"), "{huge}");
        let style = Style::new().unwrap();
        assert!(canvas_for(Projection::Mercator, &Extent::default(), Size::default(), &style, Fit::Padded).is_err());
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!("800x600".parse::<Size>().unwrap(), Size::Exact(800, 600));
        assert_eq!("512".parse::<Size>().unwrap(), Size::Longest(512));
        for bad in ["", "x", "0", "0x5", "5x", "1.5", "-3x4"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
