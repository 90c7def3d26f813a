//! The computation of a grid.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::grid::{compared, union};
use super::{
    Aggregates, Cell, CellSystem, CellWindow, Compared, Dwell, Grid, GridCell, GridRequest, OccupancyGrid,
    OccupancyRequest, Profile, Quantity, RoomTable, RoomTotals, Rooms, TimeGrouping,
};
use crate::calendar::TimePart;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Polygon};
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::protection::{Protection, check_released_times};
use crate::source::{PointSet, Query};
use crate::workers::Workers;

/// The aggregates of points and their profile, if requested.
type Totals = (Aggregates, Option<Profile>);

/// The points of a grid.
#[derive(Clone, Copy, Debug)]
pub struct GridLayer<'a> {
    /// The points.
    pub points: &'a dyn PointSet,
    /// The query that selects them, without a time range of the request.
    pub query: &'a Query<'a>,
    /// The label of the weights; `None` if every point has a weight of 1.
    pub weight: Option<&'a str>,
    /// The extent of the points; `None` without points.
    pub extent: Option<Bounds>,
    /// The protection of the points by a minimum count, if they have one.
    pub protection: Option<&'a Protection>,
    /// The number of threads.
    pub threads: usize,
}

impl<'a> GridLayer<'a> {
    /// The points of `layer` that `query` selects.
    pub fn new(layer: &'a Layer, query: &'a Query<'a>, threads: usize) -> Self {
        let extent = layer.extent().bounds(layer.coordinate_space().wraps());
        let protection = layer.protection();
        Self { points: &**layer.point_set(), query, weight: layer.weight(), extent, protection, threads }
    }

    /// The threads of its pictures, and the flag that cancels them.
    pub fn workers(&self) -> Workers<'a> {
        Workers::new(self.threads, self.query.scan.stop)
    }

    /// Computes a grid.
    ///
    /// # Errors
    /// As [`PointSet::occupancy`]; [`Error::Invalid`] for `resolution` if there are more cells than the request allows,
    /// for `profile` if the points have no times or released ones of too long periods, and for
    /// `bounds` or `rooms` if the query has a polygon already.
    pub fn grid(&self, request: GridRequest) -> Result<Grid> {
        if let (Some(protection), Some((_, zone))) = (self.protection, &request.profile) {
            let time_us = self.points.totals().and_then(|totals| totals.time_us);
            check_released_times(protection, TimePart::Hour, zone, time_us, Parameter::PROFILE)?;
        }
        let [first, second] = self.queries(&request)?;
        let mut grid = Self::grid_of(&[*self], request)?;
        grid.profile = self.profile(first.as_ref(), &grid.request)?;
        grid.compared_profile = self.profile(second.as_ref(), &grid.request)?;
        check_times(&grid)?;
        if let Some(rooms) = grid.request.rooms.clone() {
            grid.rooms = Some(self.rooms(&rooms, &grid.request, [first.as_ref(), second.as_ref()])?);
        }
        Ok(grid)
    }

    /// Computes the cells of the points of several layers of the same coordinate space together, without rooms and
    /// profiles.
    ///
    /// # Errors
    /// As [`grid`](Self::grid).
    pub fn grid_of(layers: &[Self], request: GridRequest) -> Result<Grid> {
        let extent = layers.iter().filter_map(|layer| layer.extent).reduce(union);
        let mut cells: BTreeMap<Cell, [Aggregates; 2]> = BTreeMap::new();
        for layer in layers {
            for (index, query) in layer.queries(&request)?.iter().enumerate() {
                let Some(query) = query else { continue };
                for group in layer.occupancy(query, &request, request.cells, TimeGrouping::None)?.groups {
                    cells.entry(group.key.cell).or_default()[index].add(&Aggregates::from(&group));
                }
            }
        }
        let total = |index: usize| {
            let mut total = Aggregates::default();
            for aggregates in cells.values() {
                total.add(&aggregates[index]);
            }
            total
        };
        let (total, compared_total) = (total(0), request.compare.map(|_| total(1)));
        if !request.omit_empty {
            for cell in window(&request, extent)?.iter().flat_map(CellWindow::cells) {
                cells.entry(cell).or_default();
            }
        }
        if cells.len() as u64 > request.max_cells {
            return Err(too_many(&request, extent, Some(cells.len() as u64)));
        }
        let (cells, max_value) = values(cells, &request);
        let first = layers.first();
        let unit = request.quantity.unit(first.and_then(|layer| layer.weight));
        let unit = if request.normalize { "share of the maximum".into() } else { unit };
        Ok(Grid {
            request,
            is_globe: first.is_some_and(|layer| layer.query.columns.space.wraps()),
            unit,
            cells,
            max_value,
            total,
            compared_total,
            profile: None,
            compared_profile: None,
            rooms: None,
            extent,
        })
    }

    /// The queries for the points of both time ranges, within the bounds of the request; the second one is `None` unless
    /// the request compares.
    fn queries(&self, request: &GridRequest) -> Result<[Option<Query<'a>>; 2]> {
        let queries = self.time_queries(request);
        let Some(bounds) = request.bounds else { return Ok(queries) };
        let rectangle = Arc::new(rectangle(bounds, self.query.columns.space.wraps())?);
        let [first, second] =
            queries.map(|query| query.map(|query| with_polygon(query, &rectangle, Parameter::BOUNDS)).transpose());
        Ok([first?, second?])
    }

    /// The queries for the points of both time ranges, regardless of the bounds.
    pub(super) fn time_queries(&self, request: &GridRequest) -> [Option<Query<'a>>; 2] {
        let query = self.query.clone().with_weights(request.quantity.needs_weights());
        let compared = request.compare.map(|window| window.time_us().map(Some));
        [Some(request.time_us), compared].map(|time_us| time_us.map(|time_us| within(&query, time_us)))
    }

    fn occupancy(
        &self,
        query: &Query<'_>,
        request: &GridRequest,
        cells: CellSystem,
        time: TimeGrouping,
    ) -> Result<OccupancyGrid> {
        let max_groups = usize::try_from(request.max_cells).unwrap_or(usize::MAX);
        let dwell = (request.quantity == Quantity::Dwell).then(Dwell::default);
        let occupancy = OccupancyRequest::new(cells).with_time(time).with_dwell(dwell).with_max_groups(max_groups);
        self.points.occupancy(query, &occupancy, self.threads).map_err(|error| match error {
            Error::Invalid { parameter: Parameter::RESOLUTION, .. } => too_many(request, self.extent, None),
            other => other,
        })
    }

    fn profile(&self, query: Option<&Query<'_>>, request: &GridRequest) -> Result<Option<Profile>> {
        let (Some((kind, zone)), Some(query)) = (&request.profile, query) else { return Ok(None) };
        let time = TimeGrouping::HourOfWeek { zone: zone.clone() };
        self.occupancy(query, request, CellSystem::Whole, time).map(|grid| Some(Profile::of(*kind, &grid)))
    }

    /// The aggregates and profile of a query.
    fn totals(&self, query: &Query<'_>, request: &GridRequest) -> Result<Totals> {
        let time = match &request.profile {
            Some((_, zone)) => TimeGrouping::HourOfWeek { zone: zone.clone() },
            None => TimeGrouping::None,
        };
        let grid = self.occupancy(query, request, CellSystem::Whole, time)?;
        let mut total = Aggregates::default();
        for group in &grid.groups {
            total.add(&group.into());
        }
        Ok((total, request.profile.as_ref().map(|(kind, _)| Profile::of(*kind, &grid))))
    }

    fn rooms(&self, rooms: &Rooms, request: &GridRequest, queries: [Option<&Query<'_>>; 2]) -> Result<RoomTable> {
        let sums = |polygon: Option<&Arc<Polygon>>| -> Result<[Option<Totals>; 2]> {
            let mut sums = [None, None];
            for (sums, query) in sums.iter_mut().zip(queries) {
                let Some(query) = query else { continue };
                let query = match polygon {
                    Some(polygon) => with_polygon(query.clone(), polygon, Parameter::ROOMS)?,
                    None => query.clone(),
                };
                *sums = Some(self.totals(&query, request)?);
            }
            Ok(sums)
        };
        let totals = |name: String, area_m2: Option<f64>, [first, second]: [Option<Totals>; 2]| {
            let (first, profile) = first.unwrap_or_default();
            let (second, compared_profile) = second.map_or((None, None), |(sums, profile)| (Some(sums), profile));
            RoomTotals { name, area_m2, first, second, profile, compared_profile }
        };
        let mut table = Vec::with_capacity(rooms.rooms().len());
        for room in rooms.rooms() {
            table.push(totals(room.name.clone(), room.area_m2, sums(Some(&room.polygon))?));
        }
        let (all, inside) = (sums(None)?, sums(Some(rooms.union()))?);
        let mut outside = all;
        for (outside, inside) in outside.iter_mut().zip(inside) {
            let (Some((all, profile)), Some((inside, inside_profile))) = (outside, inside) else { continue };
            *all = all.without(&inside);
            *profile = profile.take().zip(inside_profile).map(|(all, inside)| all.without(&inside));
        }
        Ok(RoomTable { rooms: table, outside: totals("outside".into(), None, outside) })
    }
}

/// The cells of the bounds, of which there are at most as many as the request allows; `None` of an empty layer.
fn window(request: &GridRequest, extent: Option<Bounds>) -> Result<Option<CellWindow>> {
    let Some(bounds) = request.bounds.or(extent) else { return Ok(None) };
    let window = CellWindow::new(request.cells, bounds, request.bounds.is_none())
        .ok_or_else(|| too_many(request, extent, None))?;
    let count = window.count(request.max_cells);
    if count > request.max_cells { Err(too_many(request, extent, Some(count))) } else { Ok(Some(window)) }
}

/// The error of a grid with too many cells.
fn too_many(request: &GridRequest, extent: Option<Bounds>, count: Option<u64>) -> Error {
    /// From here on the count may be inexact.
    const FAR_TOO_MANY: u64 = 1_000_000_000_000_000_001;
    let (limit, resolution) = (request.max_cells, request.resolution);
    let cells = match (count, request.cells) {
        (Some(FAR_TOO_MANY..), _) => format!("more than 10^18 cells of {resolution}"),
        (Some(count), CellSystem::Square { .. }) => format!("{count} cells of {resolution}"),
        _ => format!("more than {limit} cells of {resolution}"),
    };
    let finest = request.bounds.or(extent).map(|bounds| match request.cells {
        CellSystem::Hexagon { .. } => {
            let finest = CellWindow::finest_h3(bounds, limit);
            format!("; a resolution of {finest} is coarse enough for these bounds")
        }
        cells => {
            let side = CellWindow::finest_side(cells, bounds, limit);
            format!("; the finest resolution for these bounds is {side}m")
        }
    });
    let finest = finest.unwrap_or_default();
    let detail = format!("the grid has {cells} and exceeds the limit of {limit}, limits.cells{finest}");
    Error::invalid(Parameter::RESOLUTION, detail)
}

/// The values of cells, normalized if requested, and the maximum value of the first time range before that.
fn values(cells: BTreeMap<Cell, [Aggregates; 2]>, request: &GridRequest) -> (Vec<GridCell>, f64) {
    let mut cells: Vec<GridCell> = cells
        .into_iter()
        .map(|(cell, [first, second])| {
            let values = compared(request.quantity, &first, request.compare.map(|_| &second));
            GridCell { cell, center: request.cells.center(cell), count: first.count, values }
        })
        .collect();
    let max_value = cells.iter().filter_map(|cell| cell.values.value).reduce(f64::max).unwrap_or(0.0);
    if request.normalize {
        let max = cells.iter().flat_map(|cell| [cell.values.value, cell.values.compared]).flatten();
        let max = max.fold(0.0, f64::max);
        let share = |value: Option<f64>| value.map(|value| if max > 0.0 { value / max } else { value });
        for cell in &mut cells {
            let Compared { value, compared } = cell.values;
            cell.values = Compared { value: share(value), compared: share(compared) };
        }
    }
    (cells, max_value)
}

/// Rejects a profile of points without times.
fn check_times(grid: &Grid) -> Result<()> {
    let has_times = grid.profile.as_ref().is_none_or(|profile| profile.count() > 0);
    if has_times || grid.total.count == 0 {
        return Ok(());
    }
    Err(Error::invalid(Parameter::PROFILE, "the points have no times"))
}

/// The query for the points of a time range.
fn within<'q>(query: &Query<'q>, [start_us, end_us]: [Option<i64>; 2]) -> Query<'q> {
    let range = crate::source::Filter { start_us, end_us, ..crate::source::Filter::default() };
    let filter = query.filter.clone().and(&range);
    query.clone().with_filter(filter)
}

/// The query for the points in a polygon; `parameter` asks for them.
pub(crate) fn with_polygon<'q>(query: Query<'q>, polygon: &Arc<Polygon>, parameter: Parameter) -> Result<Query<'q>> {
    if query.filter.polygon.is_some() {
        return Err(Error::invalid(parameter, "the layer is a query that already has bounds or a polygon"));
    }
    Ok(query.with_polygon(Some(Arc::clone(polygon))))
}

/// The polygon of half-open bounds.
pub(crate) fn rectangle(bounds: Bounds, wraps: bool) -> Result<Polygon> {
    let Bounds { west, south, east, north } = bounds;
    let east = if wraps && east <= west { east + 360.0 } else { east };
    let ring = vec![[west, south], [east, south], [east, north], [west, north], [west, south]];
    let polygon = if wraps { Polygon::new(&[vec![ring]]) } else { Polygon::on_plane(&[vec![ring]]) };
    polygon.map_err(|error| Error::invalid(Parameter::BOUNDS, error.into_message()))
}
