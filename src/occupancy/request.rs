//! Requests for grids.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{CellShape, CellSystem, GridOptions, ProfileKind, Quantity, Resolution, Rooms, TimeWindow};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::message;
use crate::parameter::Parameter;
use crate::source::CoordinateSpace;

/// A request for a grid of a layer: the meaning of [`GridOptions`].
#[derive(Clone, Debug)]
pub struct GridRequest {
    /// The cells.
    pub cells: CellSystem,
    /// The size of the cells, as requested.
    pub resolution: Resolution,
    /// The quantity of the values.
    pub quantity: Quantity,
    /// Whether the values of cells are divided by their maximum.
    pub normalize: bool,
    /// Whether cells without points are omitted.
    pub omit_empty: bool,
    /// The half-open bounds of the points; `None`: all.
    pub bounds: Option<Bounds>,
    /// The time range of the points, in microseconds since 1970-01-01 UTC; inclusive start, exclusive end.
    pub time_us: [Option<i64>; 2],
    /// The second time range of a comparison.
    pub compare: Option<TimeWindow>,
    /// The profile and its time zone.
    pub profile: Option<(ProfileKind, TimeZone)>,
    /// The rooms to sum.
    pub rooms: Option<Arc<Rooms>>,
    /// The maximum number of cells.
    pub max_cells: u64,
}

impl GridOptions {
    /// Resolves the options for a layer in `space` whose points are `weighted` or not. `polygons` are the rooms of the
    /// request, and `rooms` those of the layer. A grid has at most `max_cells` cells.
    /// `zone` is the time zone of the filter.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a parameter is missing, out of range, or contradicts another one.
    pub fn resolve(
        &self,
        space: CoordinateSpace,
        weighted: bool,
        polygons: Option<Arc<Rooms>>,
        rooms: Option<&Arc<Rooms>>,
        max_cells: u64,
        zone: Option<TimeZone>,
    ) -> Result<GridRequest> {
        let quantity = self.quantity.unwrap_or_default();
        if matches!(quantity, Quantity::Mean | Quantity::Max) && !weighted {
            let detail = format!(
                "the points have no weights, so every {quantity} would be 1; use occupancy, or select a weight column"
            );
            return Err(Error::invalid(Parameter::HEATMAP_TYPE, detail));
        }
        let Some(resolution) = self.resolution else {
            let detail = "missing; expected the size of the cells, such as 0.5 or 100m";
            return Err(Error::invalid(Parameter::RESOLUTION, detail));
        };
        let request = GridRequest {
            cells: cell_system(self.shape.unwrap_or_default(), resolution, space)?,
            resolution,
            quantity,
            normalize: self.normalize.unwrap_or(false),
            omit_empty: self.omit_empty.unwrap_or(true),
            bounds: self.bounds,
            time_us: [None; 2],
            compare: self.compare.map(|window| window.in_zone(zone.as_ref().unwrap_or(&TimeZone::UTC))).transpose()?,
            profile: self.profile(zone)?,
            rooms: self.room_list(polygons, rooms)?,
            max_cells,
        };
        if let (CellSystem::Hexagon { .. }, false) = (request.cells, request.omit_empty) {
            let detail = "hexagons without points are not listed; use true";
            return Err(Error::invalid(Parameter::OMIT_EMPTY, detail));
        }
        if let Some(Bounds { west, east, .. }) = self.bounds
            && !space.wraps()
            && west >= east
        {
            return Err(Error::invalid(Parameter::BOUNDS, format!("west ({west}) must be less than east ({east})")));
        }
        if request.rooms.is_some() && request.bounds.is_some() {
            let detail = "rooms are counted as a whole and not within bounds; omit one of the parameters";
            return Err(Error::invalid(Parameter::ROOMS, detail));
        }
        Ok(request)
    }

    fn profile(&self, zone: Option<TimeZone>) -> Result<Option<(ProfileKind, TimeZone)>> {
        match (self.profile, zone) {
            (Some(kind), Some(zone)) => Ok(Some((kind, zone))),
            (Some(_), None) => {
                let detail =
                    message!("missing; ", Parameter::PROFILE, " needs a time zone such as Europe/Paris or UTC");
                Err(Error::invalid(Parameter::TZ, detail))
            }
            (None, _) => Ok(None),
        }
    }

    fn room_list(&self, polygons: Option<Arc<Rooms>>, rooms: Option<&Arc<Rooms>>) -> Result<Option<Arc<Rooms>>> {
        match (self.rooms, polygons, rooms) {
            (Some(false), ..) | (None, None, _) => Ok(None),
            (_, Some(polygons), _) => Ok(Some(polygons)),
            (Some(true), None, Some(rooms)) => Ok(Some(Arc::clone(rooms))),
            (Some(true), None, None) => {
                let detail = message!("the layer has no rooms; give them as ", Parameter::POLYGONS);
                Err(Error::invalid(Parameter::ROOMS, detail))
            }
        }
    }
}

/// The cells of a shape and size in a coordinate space.
fn cell_system(shape: CellShape, resolution: Resolution, space: CoordinateSpace) -> Result<CellSystem> {
    match shape {
        CellShape::H3 if !space.wraps() => {
            Err(Error::invalid(Parameter::CELLS, "h3 has cells of the globe, and the layer is on a plane; use square"))
        }
        CellShape::H3 => {
            let Resolution { number, has_unit } = resolution;
            if has_unit || number.fract() != 0.0 || number > 15.0 {
                let message = format!("`{resolution}` is not a resolution of H3; expected a whole number from 0 to 15");
                return Err(Error::invalid(Parameter::RESOLUTION, message));
            }
            CellSystem::hexagon(number as u8)
        }
        CellShape::Square if space.wraps() => CellSystem::ground(resolution.number),
        CellShape::Square => CellSystem::square(resolution.number),
    }
}
