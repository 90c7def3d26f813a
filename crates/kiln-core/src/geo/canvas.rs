//! Canvases: the bounds, projection and pixel size of pictures.

use std::fmt;

use super::{Bounds, PlaneFrame, PlaneTile, Points, Projection, TileCoord};
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// A window of a pixel grid over the projected world.
///
/// The grid is defined by its origin and scale; the window is given in whole pixels of the grid. Canvases on the same
/// grid therefore render the same values in the pixels that they share: a [`window`](Self::window) of a canvas renders
/// exactly that part of its picture, and adjacent tiles have no seams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canvas {
    projection: Projection,
    /// World coordinates of the corner of the grid, pixel (0, 0).
    origin: [f64; 2],
    /// Pixels per world unit, to the east and to the south.
    scale: [f64; 2],
    /// The north-western pixel of the window in the grid.
    col: i64,
    row: i64,
    width: u32,
    height: u32,
    /// Whether this is a part of the matrix of tiles on a plane.
    is_plane_matrix: bool,
}

impl Canvas {
    /// The maximum side of a picture in pixels.
    pub const MAX_SIDE_PX: u32 = 32_768;
    /// The maximum number of pixels of a picture.
    pub const MAX_PIXELS: u64 = 100_000_000;
    /// The maximum scale: 2^40 pixels around the world are 36 µm each, below the resolution of longitudes in `f64`.
    const MAX_SCALE: f64 = (1u64 << 40) as f64;

    /// The canvas of `bounds` with `width` × `height` pixels.
    ///
    /// Latitudes are clamped to the range of the projection. If the pixels are those of a grid of tiles but for rounding errors
    /// of the bounds, the canvas is a window of that grid. The pixels are square on the map only if the size has the
    /// aspect ratio of the bounds: see [`aspect`](Self::aspect) and [`height_for`](Self::height_for).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the size is zero or exceeds the limits, or the bounds are empty in the projection.
    pub fn new(projection: Projection, bounds: Bounds, width: u32, height: u32) -> Result<Self> {
        check_size(width, height)?;
        let [[x0, y0], [x1, y1]] = world_corners(projection, bounds)?;
        let scale = [f64::from(width) / (x1 - x0), f64::from(height) / (y1 - y0)];
        check_scale(projection, scale)?;
        if let Some(window) = Self::window_of_tiles(projection, [[x0, y0], [x1, y1]], width, height) {
            return Ok(window);
        }
        Ok(Self { projection, origin: [x0, y0], scale, col: 0, row: 0, width, height, is_plane_matrix: false })
    }

    /// The window of a grid with a whole number of pixels around the Web Mercator world, if its corners are those of
    /// pixels, up to rounding errors.
    fn window_of_tiles(projection: Projection, corners: [[f64; 2]; 2], width: u32, height: u32) -> Option<Self> {
        /// The maximum difference in pixels. Rounding errors of degrees are below at 2^30 pixels around the world.
        const MAX_DIFFERENCE_PX: f64 = 1e-4;
        let [[x0, y0], [x1, _]] = corners;
        let scale = (f64::from(width) / (x1 - x0)).round();
        let [col, row] = [x0 * scale, y0 * scale].map(f64::round);
        let edges = [col, row, col + f64::from(width), row + f64::from(height)];
        let found = corners.as_flattened().iter().map(|corner| corner * scale);
        let is_window = found.zip(edges).all(|(found, edge)| (found - edge).abs() < MAX_DIFFERENCE_PX);
        (projection == Projection::Mercator && is_window).then_some(Self {
            projection,
            origin: [0.0, 0.0],
            scale: [scale; 2],
            col: col as i64,
            row: row as i64,
            width,
            height,
            is_plane_matrix: false,
        })
    }

    /// The canvas with its north-western corner at the world coordinates `corner`, and `scale` pixels per world unit.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the size is zero, or size or scale exceed the limits.
    pub fn from_corner(projection: Projection, corner: [f64; 2], scale: f64, width: u32, height: u32) -> Result<Self> {
        check_size(width, height)?;
        check_scale(projection, [scale; 2])?;
        Ok(Self {
            projection,
            origin: corner,
            scale: [scale; 2],
            col: 0,
            row: 0,
            width,
            height,
            is_plane_matrix: false,
        })
    }

    /// Pixel (0, 0) of the grid with its origin at the corner of the world, and `scale` pixels per world unit. Other
    /// canvases of the grid are its [`window`](Self::window)s.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the scale exceeds the limits.
    pub fn on_grid(projection: Projection, scale: [f64; 2]) -> Result<Self> {
        check_scale(projection, scale)?;
        let (origin, is_plane_matrix) = ([0.0, 0.0], projection == Projection::Plane);
        Ok(Self { projection, origin, scale, col: 0, row: 0, width: 1, height: 1, is_plane_matrix })
    }

    /// The canvas whose pixels are the cells of a level, 2^`level` around the Web Mercator world. It may exceed the
    /// size limits of pictures.
    pub fn from_cells(level: u32, col: i64, row: i64, width: u32, height: u32) -> Self {
        let scale = [(1u64 << level) as f64; 2];
        let (projection, origin) = (Projection::Mercator, [0.0, 0.0]);
        Self { projection, origin, scale, col, row, width, height, is_plane_matrix: false }
    }

    /// The canvas of a Web Mercator tile of `side_px` × `side_px` pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the side is zero or exceeds the limits.
    pub fn tile(tile: TileCoord, side_px: u32) -> Result<Self> {
        check_size(side_px, side_px)?;
        let scale = f64::from(side_px) * (1u64 << tile.zoom()) as f64;
        let at = |index: u32| i64::from(index) * i64::from(side_px);
        Ok(Self {
            projection: Projection::Mercator,
            origin: [0.0, 0.0],
            scale: [scale, scale],
            col: at(tile.x()),
            row: at(tile.y()),
            width: side_px,
            height: side_px,
            is_plane_matrix: false,
        })
    }

    /// The canvas of a tile of a plane with `side_px` × `side_px` pixels.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the side is zero or exceeds the limits.
    pub fn plane_tile(tile: PlaneTile, side_px: u32) -> Result<Self> {
        let ratio = f64::from(side_px) / f64::from(PlaneTile::SIDE_PX);
        let side = i64::from(side_px);
        let grid = Self::on_grid(Projection::Plane, [PlaneTile::scale_of(tile.zoom()) * ratio; 2])?;
        grid.window(tile.x() * side, tile.y() * side, side_px, side_px)
    }

    /// The window of the same grid that starts `col` and `row` pixels from the north-western corner of this canvas. It
    /// may extend beyond the canvas, and the offsets may be negative.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the size is zero or exceeds the limits.
    pub fn window(&self, col: i64, row: i64, width: u32, height: u32) -> Result<Self> {
        check_size(width, height)?;
        Ok(Self { col: self.col + col, row: self.row + row, width, height, ..*self })
    }

    /// This canvas with `halo_px` more pixels on every side. It may exceed the size limits of pictures.
    #[must_use]
    pub fn grow(&self, halo_px: u32) -> Self {
        let halo = i64::from(halo_px);
        let (width, height) = (self.width + 2 * halo_px, self.height + 2 * halo_px);
        Self { col: self.col - halo, row: self.row - halo, width, height, ..*self }
    }

    /// This canvas with `columns` more columns on either side, and `north` and `south` more rows. It may exceed the size
    /// limits of pictures.
    #[must_use]
    pub fn extend(&self, columns: u32, north: u32, south: u32) -> Self {
        let (width, height) = (self.width + 2 * columns, self.height + north + south);
        Self { col: self.col - i64::from(columns), row: self.row - i64::from(north), width, height, ..*self }
    }

    /// The rows `rows` of this canvas. It may exceed the size limits of pictures.
    #[must_use]
    pub fn band(&self, rows: std::ops::Range<u32>) -> Self {
        Self { row: self.row + i64::from(rows.start), height: rows.end.saturating_sub(rows.start), ..*self }
    }

    /// The same pixels of a canvas on a plane, in the world units of `frame`, 0..1 by 0..1.
    #[must_use]
    pub(crate) fn in_frame(&self, frame: PlaneFrame) -> Self {
        let [west, north] = frame.world_corner();
        let origin = [self.origin[0] - west, self.origin[1] - north].map(|meters| meters / PlaneFrame::SIDE_M);
        let scale = self.scale.map(|px_per_m| px_per_m * PlaneFrame::SIDE_M);
        Self { projection: Projection::Mercator, origin, scale, ..*self }
    }

    /// The height in pixels, at least 1, at which a picture of `bounds` with the given width has square pixels on the
    /// map.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the bounds are empty in the projection.
    pub fn height_for(projection: Projection, bounds: Bounds, width: u32) -> Result<u32> {
        let [[x0, y0], [x1, y1]] = world_corners(projection, bounds)?;
        Ok((f64::from(width) * (y1 - y0) / (x1 - x0)).round().max(1.0) as u32)
    }

    /// The projection.
    pub fn projection(&self) -> Projection {
        self.projection
    }

    /// Whether this is a part of the matrix of tiles on a plane, whose pictures must meet without a seam. A canvas of
    /// given bounds is not, even if it has the same bounds as a tile.
    pub fn is_plane_matrix(&self) -> bool {
        self.is_plane_matrix
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Pixels per world unit, to the east and to the south.
    pub fn scale(&self) -> [f64; 2] {
        self.scale
    }

    /// World coordinates of the corner of the grid.
    pub fn origin(&self) -> [f64; 2] {
        self.origin
    }

    /// The north-western pixel of the window in the grid.
    pub fn offset(&self) -> [i64; 2] {
        [self.col, self.row]
    }

    /// The canvas of the same rows that covers the world once, and the column in it of this canvas's first column.
    /// `None` unless this canvas is at least as wide as the world, and the world is a whole number of pixels wide.
    pub fn single_world(&self) -> Option<(u32, Self)> {
        let world_width = self.scale[0];
        let covers = self.projection.wraps() && world_width.fract() == 0.0 && world_width <= f64::from(self.width);
        let world_width = world_width as u32;
        // The grid may have any origin; a canvas that starts at the western edge of the world has each point in its
        // first copy.
        let corner = (self.origin[0] * self.scale[0]).ceil() as i64;
        let first = (self.col + corner).rem_euclid(i64::from(world_width.max(1)));
        covers.then(|| (first as u32, Self { col: -corner, width: world_width, ..*self }))
    }

    /// The ratio of a pixel's width to its height on the map; 1 is square.
    pub fn aspect(&self) -> f64 {
        self.scale[1] / self.scale[0]
    }

    /// World coordinates of the north-western corner of pixel (`col`, `row`) of the window.
    pub fn world_at(&self, col: f64, row: f64) -> [f64; 2] {
        [
            self.origin[0] + (self.col as f64 + col) / self.scale[0],
            self.origin[1] + (self.row as f64 + row) / self.scale[1],
        ]
    }

    /// Calls `each` with the position of each point, in pixels from the north-western corner of the window, once for
    /// every copy of the world within `margin_px` of the window's columns.
    ///
    /// Positions are rounded to 1/256 pixel of the grid, so that they are the same in every window, also in `f32`.
    pub fn for_each_position(&self, points: Points<'_>, margin_px: u32, mut each: impl FnMut(f64, f64)) {
        const STEPS_PER_PX: f64 = 256.0;
        let grown = self.grow(margin_px);
        let turns = if self.projection.wraps() {
            let west = grown.world_at(0.0, 0.0)[0].floor() as i64;
            west..grown.world_at(f64::from(grown.width), 0.0)[0].ceil() as i64
        } else {
            0..1
        };
        let on_grid = |world: f64, axis: usize, offset: i64| {
            let px = (world - self.origin[axis]) * self.scale[axis];
            (px * STEPS_PER_PX).round() / STEPS_PER_PX - offset as f64
        };
        for (&lon, &lat) in points.lon().iter().zip(points.lat()) {
            let (x, y) = self.projection.forward(lon, lat);
            let x = if self.projection.wraps() { x.rem_euclid(1.0) } else { x };
            let row = on_grid(y, 1, self.row);
            for turn in turns.clone() {
                each(on_grid(x + turn as f64, 0, self.col), row);
            }
        }
    }

    /// The geographic bounds of the window. Across the antimeridian, `east` exceeds 180.
    pub fn bounds(&self) -> Bounds {
        let [x0, y0] = self.world_at(0.0, 0.0);
        let [x1, y1] = self.world_at(f64::from(self.width), f64::from(self.height));
        let (west, north) = self.projection.inverse(x0, y0);
        let (east, south) = self.projection.inverse(x1, y1);
        Bounds { west, south, east, north }
    }

    /// Latitude of the center of the window in degrees (y in plane units on a plane).
    pub fn center_lat(&self) -> f64 {
        let [x, y] = self.world_at(f64::from(self.width) / 2.0, f64::from(self.height) / 2.0);
        self.projection.inverse(x, y).1
    }

    /// Width and height of a pixel in meters on the Earth's surface at latitude `lat_deg`; `None` on a plane.
    pub fn pixel_size_m(&self, lat_deg: f64) -> Option<[f64; 2]> {
        let x = self.projection.meters_per_unit_x(lat_deg)?;
        let y = self.projection.meters_per_unit_y(lat_deg)?;
        Some([x / self.scale[0], y / self.scale[1]])
    }
}

/// World coordinates of the north-western and south-eastern corners of bounds.
fn world_corners(projection: Projection, bounds: Bounds) -> Result<[[f64; 2]; 2]> {
    let Bounds { west, south, east, north } = Bounds::new(bounds.west, bounds.south, bounds.east, bounds.north)?;
    let (lowest, highest) = projection.lat_range();
    let (south, north) = (south.max(lowest), north.min(highest));
    if south >= north {
        return Err(Error::invalid(
            Parameter::BOUNDS,
            format!("{bounds} are outside the latitudes of {projection} (±{highest}°)"),
        ));
    }
    let mut width = east - west;
    if projection.wraps() {
        if west.abs() > 540.0 || width.abs() > 1080.0 {
            return Err(Error::invalid(
                Parameter::BOUNDS,
                format!("{bounds} span more than three times around the world"),
            ));
        }
        if width <= 0.0 {
            width += 360.0;
        }
    }
    if width <= 0.0 {
        return Err(Error::invalid(Parameter::BOUNDS, format!("west ({west}) must be less than east ({east})")));
    }
    let (x0, y0) = projection.forward(west, north);
    let (x1, y1) = projection.forward(west + width, south);
    Ok([[x0, y0], [x1, y1]])
}

fn check_scale(projection: Projection, scale: [f64; 2]) -> Result<()> {
    let is_positive = scale.iter().all(|scale| scale.is_finite() && *scale > 0.0);
    if !is_positive || projection.wraps() && scale.iter().any(|&scale| scale > Canvas::MAX_SCALE) {
        return Err(Error::invalid(Parameter::BOUNDS, "too small or too large for the number of pixels"));
    }
    Ok(())
}

fn check_size(width: u32, height: u32) -> Result<()> {
    let (side, pixels) = (Canvas::MAX_SIDE_PX, Canvas::MAX_PIXELS);
    if width == 0 || height == 0 {
        Err(Error::invalid(Parameter::SIZE, format!("{width}x{height} has no pixels")))
    } else if width > side || height > side || u64::from(width) * u64::from(height) > pixels {
        Err(Error::invalid(
            Parameter::SIZE,
            format!("{width}x{height} exceeds the limit of {side} pixels per side or {pixels} pixels in total"),
        ))
    } else {
        Ok(())
    }
}

impl fmt::Display for Canvas {
    /// Writes the canonical text, which is the same for equal canvases in every process, and different for different
    /// ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { projection, origin: [x, y], scale: [scale_x, scale_y], col, row, width, height, is_plane_matrix } =
            self;
        write!(f, "{projection} {width}x{height}{col:+}{row:+} {scale_x}x{scale_y}@{x},{y}")?;
        if *is_plane_matrix { f.write_str(" matrix") } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_canvas_has_the_requested_bounds() {
        for projection in [Projection::Mercator, Projection::PlateCarree, Projection::Plane] {
            let expected = Bounds::new(-10.0, 35.5, 30.0, 60.25).unwrap();
            let bounds = Canvas::new(projection, expected, 300, 200).unwrap().bounds();
            for (a, b) in [(expected.west, bounds.west), (expected.south, bounds.south), (expected.north, bounds.north)]
            {
                assert!((a - b).abs() < 1e-9, "{projection}: {expected} {bounds}");
            }
        }
    }

    #[test]
    fn the_text_of_a_canvas_has_all_fields() {
        let bounds = Bounds::new(-10.0, -20.0, 30.0, 60.0).unwrap();
        let canvas = Canvas::new(Projection::Plane, bounds, 400, 800).unwrap();
        assert_eq!(canvas.to_string(), "plane 400x800+0+0 10x10@-10,-60");
        assert_eq!(canvas.window(-3, 5, 7, 9).unwrap().to_string(), "plane 7x9-3+5 10x10@-10,-60");
        let tile = Canvas::tile(TileCoord::new(3, 4, 2).unwrap(), 256).unwrap();
        assert_eq!(tile.to_string(), "mercator 256x256+1024+512 2048x2048@0,0");
    }

    #[test]
    fn the_world_is_the_tile_at_zoom_0() {
        let world = Canvas::new(Projection::Mercator, Bounds::WORLD, 256, 256).unwrap();
        assert_eq!(world, Canvas::tile(TileCoord::new(0, 0, 0).unwrap(), 256).unwrap());
    }

    #[test]
    fn bounds_across_the_antimeridian_extend_beyond_180() {
        let fiji = Canvas::new(Projection::Mercator, Bounds::new(176.0, -20.0, -178.0, -15.0).unwrap(), 600, 500);
        let bounds = fiji.unwrap().bounds();
        assert!((bounds.west - 176.0).abs() < 1e-9 && (bounds.east - 182.0).abs() < 1e-9, "{bounds}");
    }

    #[test]
    fn invalid_sizes_and_bounds_are_rejected() {
        let bounds = Bounds::new(0.0, 0.0, 1.0, 1.0).unwrap();
        for (width, height) in [(0, 5), (5, 0), (100_000, 5), (20_000, 20_000)] {
            assert!(Canvas::new(Projection::Mercator, bounds, width, height).is_err());
        }
        for (west, south, east, north) in [(0.0, 86.0, 1.0, 89.0), (0.0, 0.0, 1e-12, 1e-12), (0.0, 0.0, 2000.0, 1.0)] {
            let bounds = Bounds { west, south, east, north };
            assert!(Canvas::new(Projection::Mercator, bounds, 100, 100).is_err(), "{bounds}");
        }
        let flat = Bounds { west: 5.0, south: 0.0, east: 5.0, north: 1.0 };
        assert!(Canvas::new(Projection::Plane, flat, 100, 100).is_err());
    }
}
