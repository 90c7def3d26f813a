//! Prices of grids and their pictures. `docs/server.md` has the measurements behind the factors.

use super::price::{FILTERED_PER_MS, PIXELS_PER_MS, Price, halo_px, kernel_ms, scan_ms};
use crate::geo::Bounds;
use crate::http::parameters::filter::Filter;
use crate::layer::Layer;
use crate::occupancy::picture::{GridStyle, PictureLimits, PictureWork};
use crate::occupancy::{CellSystem, CellWindow, GridLayer, GridRequest, PictureKind, Rooms};
use crate::source;

/// Cells that are summed and written per millisecond.
const CELLS_PER_MS: f64 = 1e3;
/// Points that are compared with the bounds of a room per millisecond.
const ROOM_POINTS_PER_MS: f64 = 2.5e4;
/// Comparisons of a point in the bounds of a room and an edge per millisecond.
const ROOM_EDGES_PER_MS: f64 = 7e5;
/// Pixels whose cell on the globe is looked up per millisecond, and those whose hexagon is.
const GROUND_PIXELS_PER_MS: f64 = 9e3;
const HEXAGON_PIXELS_PER_MS: f64 = 2.8e3;
/// Pixels in which a contour line is looked for per millisecond.
const CONTOUR_PIXELS_PER_MS: f64 = 3e5;
/// Pixels that a contour line crosses per millisecond.
const CROSSINGS_PER_MS: f64 = 1.2e4;

impl Price {
    /// The price of grouping the points of `layer` that pass `filter`: sums per cell of a store do not help.
    pub(crate) fn of_groups(layer: &Layer, filter: &Filter) -> Self {
        Self::of_ms(groups_ms(layer, &filter.applied_to(layer.query()).filter))
    }

    /// The price of a grid, with that of its picture if it has one: contours are drawn in any format.
    pub(crate) fn of_grid(
        layer: &Layer,
        filter: &Filter,
        request: &GridRequest,
        picture: Option<(&GridStyle, PictureLimits)>,
    ) -> Self {
        let query = filter.applied_to(layer.query());
        let points = GridLayer::new(layer, &query, 1);
        // A comparison has a second time range, whose filter costs the same.
        let ranges = if request.compare.is_some() { 2.0 } else { 1.0 };
        let grouped = groups_ms(layer, &query.filter);
        let passes = if request.profile.is_some() { 2.0 } else { 1.0 };
        let rooms = request.rooms.as_ref().filter(|_| grouped > 0.0);
        let rooms = rooms.map_or(0.0, |rooms| rooms_ms(rooms, layer.points() as f64, points.extent) * passes);
        let cells = cells(request, layer.points(), points.extent) / CELLS_PER_MS;
        let picture = picture.map_or(0.0, |(style, limits)| {
            // What is wrong with it is reported when it is drawn.
            let work = PictureWork::of(&points, request, style, limits);
            work.map_or(0.0, |work| {
                let scan = scan_ms(points.points, layer.points(), &query.filter);
                picture_ms(&work, request, style, layer.points() as f64, ranges, scan)
            })
        });
        Self::of_ms(ranges * (passes * grouped + rooms + cells) + picture)
    }
}

/// The time of reading and grouping the points that pass `filter`.
fn groups_ms(layer: &Layer, filter: &source::Filter) -> f64 {
    let set = &**layer.point_set();
    // A database computes on its own processors.
    if set.is_remote() {
        0.0
    } else {
        scan_ms(set, layer.points(), filter).max(layer.points() as f64 / FILTERED_PER_MS)
    }
}

/// The time of the sums of rooms. Each room reads the points, and compares those in its bounds with its edges.
fn rooms_ms(rooms: &Rooms, points: f64, extent: Option<Bounds>) -> f64 {
    let area = |bounds: Bounds| (bounds.east - bounds.west).abs() * (bounds.north - bounds.south).abs();
    let whole = extent.map_or(0.0, area);
    let edges = rooms.rooms().iter().map(|room| {
        let share = if whole > 0.0 { (area(room.polygon.bounds()) / whole).min(1.0) } else { 1.0 };
        share * room.polygon.edges().count() as f64
    });
    let passes = rooms.rooms().len() as f64 + 2.0;
    points * (passes / ROOM_POINTS_PER_MS + edges.sum::<f64>() / ROOM_EDGES_PER_MS)
}

/// The maximum number of cells of a grid.
fn cells(request: &GridRequest, points: u64, extent: Option<Bounds>) -> f64 {
    let window = request.bounds.or(extent).and_then(|bounds| CellWindow::new(request.cells, bounds, true));
    let all = window.map_or(request.max_cells, |window| window.count(request.max_cells)).min(request.max_cells);
    if request.omit_empty { all.min(points) as f64 } else { all as f64 }
}

/// The time of a picture. `scan` is that of a scan of the points.
fn picture_ms(
    work: &PictureWork,
    request: &GridRequest,
    style: &GridStyle,
    points: f64,
    ranges: f64,
    scan: f64,
) -> f64 {
    let (canvas, dots) = match work {
        PictureWork::Squares(pixels) => return *pixels as f64 / PIXELS_PER_MS,
        PictureWork::Sampled(pixels) => {
            let is_hexagon = matches!(request.cells, CellSystem::Hexagon { .. });
            return *pixels as f64 / if is_hexagon { HEXAGON_PIXELS_PER_MS } else { GROUND_PIXELS_PER_MS };
        }
        PictureWork::Smoothed { canvas, dots } => (canvas, dots),
    };
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    let (pixels, halo) = (width * height, halo_px(dots, canvas));
    let smoothed = scan + kernel_ms(dots, points, halo, width, height);
    let drawn = match style.picture {
        PictureKind::Cells | PictureKind::Heat => 0.0,
        PictureKind::Terrain => pixels / PIXELS_PER_MS,
        PictureKind::Contours => {
            // As many dots as there are points or space, each with a line around it at every level.
            let radius = dots.min_radius_px(canvas).max(1.0);
            let circles = points.min(pixels / (std::f64::consts::PI * radius * radius));
            let crossings = circles * std::f64::consts::TAU * radius;
            f64::from(style.levels) * (pixels / CONTOUR_PIXELS_PER_MS + crossings / CROSSINGS_PER_MS)
        }
    };
    ranges * smoothed + pixels / PIXELS_PER_MS + drawn
}
