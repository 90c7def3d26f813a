//! Grids: values per cell, in total, per room and per hour.

use super::{Aggregates, Cell, CellSystem, GridRequest, Profile, Quantity, RoomTable};
use crate::geo::Bounds;

/// A value, and that of the second time range of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Compared {
    /// The value; `None` if it has none, such as a mean of no points.
    pub value: Option<f64>,
    /// The value of the second time range.
    pub compared: Option<f64>,
}

impl Compared {
    /// `value` − `compared`.
    pub fn difference(self) -> Option<f64> {
        Some(self.value? - self.compared?)
    }

    /// `value` / `compared`; `None` if `compared` is 0.
    pub fn ratio(self) -> Option<f64> {
        Some(self.value? / self.compared.filter(|value| *value != 0.0)?)
    }
}

/// A cell of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridCell {
    /// The cell.
    pub cell: Cell,
    /// The center: x and y in meters, or longitude and latitude in degrees.
    pub center: (f64, f64),
    /// The number of points in the first time range.
    pub count: u64,
    /// The value, normalized if requested.
    pub values: Compared,
}

/// A computed grid.
#[derive(Clone, Debug)]
pub struct Grid {
    /// The request.
    pub request: GridRequest,
    /// Whether x and y are degrees on the globe, and not meters on a plane.
    pub is_globe: bool,
    /// The unit of the values.
    pub unit: String,
    /// The cells by row, from the south, and column, from the west.
    pub cells: Vec<GridCell>,
    /// The maximum value of a cell in the first time range, before normalization; 0 without cells.
    pub max_value: f64,
    /// The aggregates of all points.
    pub total: Aggregates,
    /// Those of the second time range of a comparison.
    pub compared_total: Option<Aggregates>,
    /// The profile of all points.
    pub profile: Option<Profile>,
    /// That of the second time range.
    pub compared_profile: Option<Profile>,
    /// The sums per room.
    pub rooms: Option<RoomTable>,
    /// The extent of all points of the layer, regardless of filters; `None` without points.
    pub extent: Option<Bounds>,
}

impl Grid {
    /// The quantity of the values.
    pub fn quantity(&self) -> Quantity {
        self.request.quantity
    }

    /// The cell system.
    pub fn system(&self) -> CellSystem {
        self.request.cells
    }

    /// The value of all points together, which is not normalized.
    pub fn totals(&self) -> Compared {
        compared(self.quantity(), &self.total, self.compared_total.as_ref())
    }

    /// The bounds of the listed cells; `None` without cells.
    pub fn cell_bounds(&self) -> Option<Bounds> {
        self.cells.iter().map(|cell| self.system().bounds(cell.cell)).reduce(union)
    }
}

/// The bounds of two bounds.
pub(super) fn union(a: Bounds, b: Bounds) -> Bounds {
    Bounds {
        west: a.west.min(b.west),
        south: a.south.min(b.south),
        east: a.east.max(b.east),
        north: a.north.max(b.north),
    }
}

/// The values of aggregates.
pub(super) fn compared(quantity: Quantity, first: &Aggregates, second: Option<&Aggregates>) -> Compared {
    let known = |value: Option<f64>| value.filter(|value| !value.is_nan());
    Compared { value: known(quantity.value(first)), compared: second.and_then(|second| known(quantity.value(second))) }
}
