//! Cell systems: divisions of the plane or the globe into cells.

use std::f64::consts::PI;

use super::hexagon;
use crate::error::{Error, Result};
use crate::geo::{Bounds, EARTH_RADIUS_M};
use crate::parameter::Parameter;
use crate::source::CoordinateSpace;

/// A division of a coordinate space into cells. Cells are half-open: a point on a common edge belongs to the cell to
/// its north and east.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CellSystem {
    /// A single cell that contains all points, for totals.
    Whole,
    /// Squares of a plane: column ⌊x / side⌋, row ⌊y / side⌋, in double precision.
    Square {
        /// The side of a cell in plane units (meters).
        side: f64,
    },
    /// Cells of the globe of about `side_m` × `side_m` meters at every latitude.
    ///
    /// Row ⌊φ · R / side⌋, with the latitude φ in radians and the radius R of the Web Mercator sphere. The parallel
    /// through the middle of the row is divided into n = max(1, round(2π · R · cos φ / side)) columns, from −180° to
    /// the east: column ⌊(lon / 360 + ½) · n⌋. So cells are squares of the same area, up to the rounding of n, and the
    /// columns of different rows do not align.
    Ground {
        /// The side of a cell in meters.
        side_m: f64,
    },
    /// Hexagons of the globe, of the [H3](https://h3geo.org/docs/) grid: a cell has its H3 index as the column, and row
    /// 0. Only with the feature `h3`.
    Hexagon {
        /// The H3 resolution, 0 (sides of 1280 km) to 15 (0.6 m).
        resolution: u8,
    },
}

/// A cell: its indices in the [`CellSystem`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// The row, which increases to the north.
    pub row: i64,
    /// The column, which increases to the east.
    pub column: i64,
}

impl CellSystem {
    /// The largest absolute index of a row or column, 2^53, up to which doubles are exact.
    const MAX_INDEX: f64 = (1u64 << 53) as f64;

    /// Squares of a plane.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `resolution` if the side is not a positive number.
    pub fn square(side: f64) -> Result<Self> {
        check_side(side).map(|()| Self::Square { side })
    }

    /// Cells of the globe.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `resolution` if the side is not a positive number.
    pub fn ground(side_m: f64) -> Result<Self> {
        check_side(side_m).map(|()| Self::Ground { side_m })
    }

    /// Hexagons of the globe.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `resolution` unless it is from 0 to 15, and for `cells` without the feature `h3`.
    pub fn hexagon(resolution: u8) -> Result<Self> {
        if resolution > 15 {
            let message = format!("{resolution} is not a resolution of H3; expected 0 to 15");
            return Err(Error::invalid(Parameter::RESOLUTION, message));
        }
        if cfg!(not(feature = "h3")) {
            return Err(Error::invalid(Parameter::CELLS, "this program was built without hexagons, the feature h3"));
        }
        Ok(Self::Hexagon { resolution })
    }

    /// The coordinate space of the cells; `None` if it is any.
    pub fn space(self) -> Option<CoordinateSpace> {
        match self {
            Self::Whole => None,
            Self::Square { .. } => Some(CoordinateSpace::Plane),
            Self::Ground { .. } | Self::Hexagon { .. } => Some(CoordinateSpace::Globe),
        }
    }

    /// The cell of the point at `x`, `y` (degrees on the globe), which must be finite; `None` if an index exceeds 2^53.
    pub fn cell_at(self, x: f64, y: f64) -> Option<Cell> {
        let index = |number: f64| (number.abs() < Self::MAX_INDEX).then_some(number as i64);
        match self {
            Self::Whole => Some(Cell::default()),
            Self::Square { side } => Some(Cell { row: index((y / side).floor())?, column: index((x / side).floor())? }),
            Self::Ground { side_m } => {
                let row = index((y.to_radians() * EARTH_RADIUS_M / side_m).floor())?;
                let columns = Self::ground_columns(row, side_m);
                let world = x / 360.0 + 0.5;
                let column = ((world - world.floor()) * columns).floor().min(columns - 1.0);
                Some(Cell { row, column: index(column)? })
            }
            Self::Hexagon { resolution } => hexagon::cell_at(x, y, resolution),
        }
    }

    /// The number of columns of a row of [`Ground`](Self::Ground) cells.
    pub fn ground_columns(row: i64, side_m: f64) -> f64 {
        let middle_rad = (row as f64 + 0.5) * side_m / EARTH_RADIUS_M;
        (2.0 * PI * EARTH_RADIUS_M * middle_rad.cos() / side_m).round().max(1.0)
    }

    /// The bounds of a cell: plane units, or degrees.
    pub fn bounds(self, cell: Cell) -> Bounds {
        let (row, column) = (cell.row as f64, cell.column as f64);
        match self {
            Self::Whole => Bounds::WORLD,
            Self::Square { side } => Bounds {
                west: column * side,
                south: row * side,
                east: (column + 1.0) * side,
                north: (row + 1.0) * side,
            },
            Self::Ground { side_m } => {
                let columns = Self::ground_columns(cell.row, side_m);
                let lat = |row: f64| (row * side_m / EARTH_RADIUS_M).to_degrees().clamp(-90.0, 90.0);
                let lon = |column: f64| (column / columns - 0.5) * 360.0;
                Bounds { west: lon(column), south: lat(row), east: lon(column + 1.0), north: lat(row + 1.0) }
            }
            Self::Hexagon { .. } => hexagon::bounds(cell),
        }
    }

    /// The outline of a cell in plane units, or degrees: a ring as in GeoJSON, counterclockwise, with the first position
    /// repeated at the end.
    ///
    /// Longitudes of a cell across the antimeridian continue beyond 180°.
    pub fn polygon(self, cell: Cell) -> Vec<[f64; 2]> {
        match self {
            Self::Hexagon { .. } => hexagon::polygon(cell),
            _ => corners(self.bounds(cell)),
        }
    }

    /// The name of a cell: the H3 index of a hexagon, in hexadecimal digits; `None` in other systems.
    pub fn name(self, cell: Cell) -> Option<String> {
        match self {
            Self::Hexagon { .. } => hexagon::name(cell),
            _ => None,
        }
    }

    /// The center of a cell: for squares (index + ½) · side.
    pub fn center(self, cell: Cell) -> (f64, f64) {
        match self {
            Self::Square { side } => return ((cell.column as f64 + 0.5) * side, (cell.row as f64 + 0.5) * side),
            Self::Hexagon { .. } => return hexagon::center(cell),
            Self::Whole | Self::Ground { .. } => {}
        }
        let Bounds { west, south, east, north } = self.bounds(cell);
        (west.midpoint(east), south.midpoint(north))
    }
}

/// The corners of a rectangle, counterclockwise from the southwest; the first one is repeated at the end.
fn corners(Bounds { west, south, east, north }: Bounds) -> Vec<[f64; 2]> {
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

fn check_side(side: f64) -> Result<()> {
    if side.is_finite() && side > 0.0 {
        return Ok(());
    }
    Err(Error::invalid(Parameter::RESOLUTION, format!("{side} is not a length; expected a number above 0")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_half_open_also_for_negative_coordinates() {
        let cells = CellSystem::square(0.5).unwrap();
        let at = |x, y| cells.cell_at(x, y).map(|Cell { row, column }| (column, row)).unwrap();
        assert_eq!((at(0.0, 0.0), at(0.5, 0.499), at(-0.5, -0.001)), ((0, 0), (1, 0), (-1, -1)));
        assert_eq!(cells.center(Cell { row: -1, column: 3 }), (1.75, -0.25));
        let ring = [[1.5, -0.5], [2.0, -0.5], [2.0, 0.0], [1.5, 0.0], [1.5, -0.5]];
        assert_eq!(cells.polygon(Cell { row: -1, column: 3 }), ring);
        assert_eq!(cells.cell_at(1e300, 0.0), None);
        assert!([0.0, -1.0, f64::NAN, f64::INFINITY].iter().all(|&side| CellSystem::square(side).is_err()));
    }

    #[test]
    fn ground_cells_contain_their_points_and_have_the_same_area_at_every_latitude() {
        let cells = CellSystem::ground(1000.0).unwrap();
        for (lon, lat) in [(0.0, 0.0), (18.07, 59.33), (-179.9999, -84.2), (180.0, 70.0), (190.0, -0.0001), (5.0, 90.0)]
        {
            let cell = cells.cell_at(lon, lat).unwrap();
            let Bounds { west, south, east, north } = cells.bounds(cell);
            let wrapped = (lon + 180.0f64).rem_euclid(360.0) - 180.0;
            assert!(west <= wrapped && wrapped <= east && south <= lat && lat <= north, "{lon} {lat} {cell:?}");
            if lat < 80.0 {
                let width_m = (east - west).to_radians() * EARTH_RADIUS_M * south.midpoint(north).to_radians().cos();
                assert!((width_m - 1000.0).abs() < 1.0, "{lat}: {width_m} m");
            }
        }
    }
}
