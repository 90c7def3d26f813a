//! The cells of bounds.

use super::{Cell, CellSystem};
use crate::geo::{Bounds, EARTH_RADIUS_M};

/// The cells that intersect bounds.
#[derive(Clone, Copy, Debug)]
pub struct CellWindow {
    system: CellSystem,
    bounds: Bounds,
    rows: [i64; 2],
}

impl CellWindow {
    /// The cells of `system` that have points within `bounds`. The northern and eastern edges belong to the bounds only if
    /// `closed`. `None` if the system has no such window, or an index would be inexact.
    pub fn new(system: CellSystem, bounds: Bounds, closed: bool) -> Option<Self> {
        let Bounds { west, south, east, north } = bounds;
        let east = if system.space().is_some_and(crate::source::CoordinateSpace::wraps) && east <= west {
            east + 360.0
        } else {
            east
        };
        // Half-open bounds end just before their edge.
        let inner = |edge: f64| if closed { edge } else { edge.next_down() };
        let bounds = Bounds { west, south, east: inner(east).max(west), north: inner(north).max(south) };
        let first = system.cell_at(bounds.west, bounds.south)?;
        let last = system.cell_at(bounds.east, bounds.north)?;
        match system {
            CellSystem::Square { .. } | CellSystem::Ground { .. } => {
                Some(Self { system, bounds, rows: [first.row, last.row] })
            }
            CellSystem::Whole | CellSystem::Hexagon { .. } => None,
        }
    }

    /// The range of columns of a row, without regard to the antimeridian; and the number of columns around the globe.
    fn columns(&self, row: i64) -> ([i64; 2], Option<i64>) {
        let Bounds { west, east, .. } = self.bounds;
        if let CellSystem::Ground { .. } = self.system {
            let cell = self.system.bounds(Cell { row, column: 0 });
            let around = (360.0 / (cell.east - cell.west)).round().max(1.0);
            let column = |lon: f64| ((lon / 360.0 + 0.5) * around).floor() as i64;
            let (first, last) = (column(west), column(east));
            return ([first, last.min(first + around as i64 - 1)], Some(around as i64));
        }
        let column = |x: f64| self.system.cell_at(x, self.bounds.south).map_or(0, |cell| cell.column);
        ([column(west), column(east)], None)
    }

    /// The number of cells. It stops counting above `limit`.
    pub fn count(&self, limit: u64) -> u64 {
        let [first, last] = self.rows;
        let width = |row: i64| {
            let ([first, last], _) = self.columns(row);
            (last - first) as u64 + 1
        };
        if matches!(self.system, CellSystem::Square { .. }) {
            return width(first).saturating_mul((last - first) as u64 + 1);
        }
        let mut count = 0_u64;
        for row in first..=last {
            count = count.saturating_add(width(row));
            if count > limit {
                break;
            }
        }
        count
    }

    /// All cells, by row and column.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        let [first, last] = self.rows;
        (first..=last).flat_map(|row| {
            let ([first, last], around) = self.columns(row);
            (first..=last).map(move |column| {
                let column = around.map_or(column, |around| column.rem_euclid(around));
                Cell { row, column }
            })
        })
    }

    /// The first and last row, and the first and last column of a square grid.
    pub fn ranges(&self) -> ([i64; 2], [i64; 2]) {
        (self.rows, self.columns(self.rows[0]).0)
    }

    /// The finest resolution of H3 with which `bounds` surely have at most `limit` cells, or 0.
    pub fn finest_h3(bounds: Bounds, limit: u64) -> u8 {
        /// The smallest cells have more than half of the mean area.
        const SMALLEST_SHARE: f64 = 0.5;
        let Bounds { west, south, east, north } = bounds;
        let turn = if east <= west { 360.0 } else { 0.0 };
        let [south, north] = [south, north].map(|lat| lat.to_radians().sin());
        let share = (east + turn - west) / 360.0 * (north - south) / 2.0;
        let fits = |resolution: &u8| {
            let cells = h3_cells(*resolution) * share / SMALLEST_SHARE;
            // Those at the edges.
            cells + 4.0 * cells.sqrt() + 8.0 <= limit as f64
        };
        (0..=15).rev().find(fits).unwrap_or(0)
    }

    /// The finest side of cells, in meters, with which `bounds` have at most `limit` cells, rounded up to two digits.
    pub fn finest_side(system: CellSystem, bounds: Bounds, limit: u64) -> f64 {
        let Bounds { west, south, east, north } = bounds;
        let [width_m, height_m] = match system {
            CellSystem::Ground { .. } => {
                let turn = if east <= west { 360.0 } else { 0.0 };
                let middle = south.midpoint(north).to_radians().cos();
                [
                    (east + turn - west).to_radians() * EARTH_RADIUS_M * middle,
                    (north - south).to_radians() * EARTH_RADIUS_M,
                ]
            }
            _ => [east - west, north - south],
        };
        let limit = limit.max(1);
        let start = (width_m * height_m / limit as f64).sqrt().max(width_m.max(height_m) / limit as f64).max(1e-6);
        let mut side = rounded_up(start);
        let fits = |side: f64| {
            let system = match system {
                CellSystem::Ground { .. } => CellSystem::Ground { side_m: side },
                _ => CellSystem::Square { side },
            };
            Self::new(system, bounds, true).is_some_and(|window| window.count(limit) <= limit)
        };
        // Cells at the edges are counted in full; each step is at least 1 %.
        for _ in 0..1000 {
            if fits(side) {
                break;
            }
            side = rounded_up(side * 1.01);
        }
        side
    }
}

/// The number of cells of the globe at a resolution of H3.
pub(super) fn h3_cells(resolution: u8) -> f64 {
    2.0 + 120.0 * 7_f64.powi(resolution.into())
}

/// A number rounded up to two significant digits.
fn rounded_up(number: f64) -> f64 {
    let unit = 10_f64.powf(number.log10().floor() - 1.0);
    let rounded = (number / unit).ceil() * unit;
    // Without the noise of the multiplication.
    format!("{rounded:.1e}").parse().unwrap_or(rounded)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    fn bounds(west: f64, south: f64, east: f64, north: f64) -> Bounds {
        Bounds { west, south, east, north }
    }

    #[test]
    fn half_open_bounds_end_before_the_cell_at_their_edge() {
        let system = CellSystem::square(0.5).unwrap();
        let window = CellWindow::new(system, bounds(-1.0, 0.0, 1.0, 1.0), false).unwrap();
        assert_eq!((window.count(100), window.ranges()), (8, ([0, 1], [-2, 1])));
        let closed = CellWindow::new(system, bounds(-1.0, 0.0, 1.0, 1.0), true).unwrap();
        assert_eq!((closed.count(100), closed.cells().count()), (15, 15));
        assert!(CellWindow::new(CellSystem::Whole, bounds(0.0, 0.0, 1.0, 1.0), true).is_none());
        assert!(CellWindow::new(system, bounds(0.0, 0.0, 1e300, 1.0), true).is_none());
    }

    #[test]
    fn windows_on_the_globe_contain_their_points_also_across_the_antimeridian() {
        let system = CellSystem::ground(50_000.0).unwrap();
        let window = CellWindow::new(system, bounds(179.0, 10.0, -179.0, 12.0), false).unwrap();
        let cells: Vec<Cell> = window.cells().collect();
        assert_eq!(cells.len() as u64, window.count(10_000));
        for (lon, lat) in [(179.0, 10.0), (179.999, 11.0), (-179.5, 11.9), (180.0, 10.5)] {
            assert!(cells.contains(&system.cell_at(lon, lat).unwrap()), "{lon} {lat}");
        }
        assert!(!cells.contains(&system.cell_at(0.0, 11.0).unwrap()));
        let world = CellWindow::new(CellSystem::ground(1_000_000.0).unwrap(), Bounds::WORLD, true).unwrap();
        let mut all: Vec<Cell> = world.cells().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "no cell twice");
    }

    #[test]
    fn the_finest_resolution_of_h3_has_at_most_the_limit_of_cells() {
        assert_eq!(CellWindow::finest_h3(Bounds::WORLD, 1_000_000), 4);
        assert_eq!(CellWindow::finest_h3(bounds(18.0, 59.2, 18.2, 59.4), 1_000_000), 11);
        assert_eq!(CellWindow::finest_h3(Bounds::WORLD, 1), 0);
    }

    #[test]
    fn the_finest_side_is_within_the_limit_and_finer_ones_are_not() {
        for (system, bounds) in [
            (CellSystem::square(1.0).unwrap(), bounds(0.3, 0.2, 40.0, 25.7)),
            (CellSystem::square(1.0).unwrap(), bounds(0.0, 0.0, 4000.0, 0.001)),
            (CellSystem::ground(1.0).unwrap(), bounds(10.0, 45.0, 12.0, 60.0)),
        ] {
            let side = CellWindow::finest_side(system, bounds, 10_000);
            let count = |side: f64| {
                let system = match system {
                    CellSystem::Ground { .. } => CellSystem::ground(side).unwrap(),
                    _ => CellSystem::square(side).unwrap(),
                };
                CellWindow::new(system, bounds, true).unwrap().count(u64::MAX)
            };
            assert!(count(side) <= 10_000 && count(side * 0.85) > 10_000, "{side}: {}", count(side));
        }
        assert_eq!([0.123, 0.12, 99.2, 1.0].map(rounded_up), [0.13, 0.12, 100.0, 1.0]);
    }
}
