//! Hexagons of the H3 grid, by the crate `h3o`.

use h3o::{CellIndex, LatLng, Resolution};

use super::Cell;
use crate::geo::Bounds;

/// The cell of a position in degrees.
pub(super) fn cell_at(lon: f64, lat: f64, resolution: u8) -> Option<Cell> {
    let resolution = Resolution::try_from(resolution).ok()?;
    let index = LatLng::new(lat, lon).ok()?.to_cell(resolution);
    // The highest bit of an H3 index is 0.
    Some(Cell { row: 0, column: u64::from(index) as i64 })
}

fn index(cell: Cell) -> Option<CellIndex> {
    CellIndex::try_from(cell.column as u64).ok()
}

/// The outline of a cell: see [`CellSystem::polygon`](super::CellSystem::polygon). The outline of a cell around a pole
/// continues along the pole.
pub(super) fn polygon(cell: Cell) -> Vec<[f64; 2]> {
    let Some(index) = index(cell) else { return Vec::new() };
    let mut ring: Vec<[f64; 2]> = index.boundary().iter().map(|vertex| [vertex.lng(), vertex.lat()]).collect();
    ring.extend(ring.first().copied());
    for at in 1..ring.len() {
        // Edges are shorter than half a turn.
        let turns = ((ring[at][0] - ring[at - 1][0]) / 360.0).round();
        ring[at][0] -= turns * 360.0;
    }
    if let [first, .., last] = ring[..]
        && (last[0] - first[0]).abs() > 180.0
    {
        let pole = 90f64.copysign(first[1]);
        ring.extend([[last[0], pole], [first[0], pole], first]);
    }
    let west = ring.iter().fold(f64::INFINITY, |west, position| west.min(position[0]));
    let turns = ((west + 180.0) / 360.0).floor();
    for position in &mut ring {
        position[0] -= turns * 360.0;
    }
    ring
}

/// The bounds of a cell in degrees.
pub(super) fn bounds(cell: Cell) -> Bounds {
    let ring = polygon(cell);
    let [west, south] = ring.iter().fold([f64::INFINITY; 2], |[x, y], at| [x.min(at[0]), y.min(at[1])]);
    let [east, north] = ring.iter().fold([f64::NEG_INFINITY; 2], |[x, y], at| [x.max(at[0]), y.max(at[1])]);
    Bounds { west, south, east, north }
}

/// The center of a cell in degrees.
pub(super) fn center(cell: Cell) -> (f64, f64) {
    index(cell).map(LatLng::from).map_or((0.0, 0.0), |center| (center.lng(), center.lat()))
}

/// The H3 index of a cell in hexadecimal digits.
pub(super) fn name(cell: Cell) -> Option<String> {
    index(cell).map(|index| index.to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{CellSystem, OccupancyRequest, scan_occupancy};
    use super::*;
    use crate::geo::Points;
    use crate::source::{MemorySource, Query};

    /// The area of a ring by the shoelace formula: positive if it is counterclockwise.
    fn area(ring: &[[f64; 2]]) -> f64 {
        ring.windows(2).map(|edge| edge[0][0] * edge[1][1] - edge[1][0] * edge[0][1]).sum::<f64>() / 2.0
    }

    #[test]
    fn cells_have_their_h3_index() {
        // The examples of the documentation of H3.
        for (lon, lat, resolution, name) in [
            (-74.044_444, 40.689_167, 10, "8a2a1072b59ffff"),
            (-122.418_307_270_835_8, 37.775_270_215_195_92, 9, "8928308280fffff"),
        ] {
            let cells = CellSystem::hexagon(resolution).unwrap();
            let cell = cells.cell_at(lon, lat).unwrap();
            assert_eq!(cells.name(cell).unwrap(), name);
            assert_eq!(cells.cell_at(lon + 360.0, lat), Some(cell));
            let (x, y) = cells.center(cell);
            assert_eq!(cells.cell_at(x, y), Some(cell));
        }
        assert!(CellSystem::hexagon(16).is_err());
    }

    #[test]
    fn outlines_are_counterclockwise_rings_across_the_antimeridian_and_around_the_poles() {
        let cells = CellSystem::hexagon(1).unwrap();
        for (lon, lat) in [(5.0, 50.0), (179.9, 10.0), (-179.9, -40.0), (0.0, 90.0), (20.0, -90.0), (0.0, 0.0)] {
            let cell = cells.cell_at(lon, lat).unwrap();
            let ring = cells.polygon(cell);
            assert_eq!(ring.first(), ring.last());
            assert!(area(&ring) > 0.0, "{lon} {lat}: {ring:?}");
            let Bounds { west, south, east, north } = cells.bounds(cell);
            assert!((-180.0..180.0).contains(&west) && east - west <= 360.0 + 1e-9, "{west} {east}");
            assert!(ring.windows(2).all(|edge| (edge[0][0] - edge[1][0]).abs() < 180.0 || edge[0][1].abs() > 89.9));
            assert!(south <= lat && lat <= north, "{south} {lat} {north}");
            let x = if lon < west { lon + 360.0 } else { lon };
            assert!(west <= x && x <= east, "{west} {lon} {east}");
        }
    }

    #[test]
    fn points_are_grouped_by_hexagon() {
        let (lon, lat): (Vec<f64>, Vec<f64>) =
            (0..2000).map(|i| (2.3 + f64::from(i % 50) / 500.0, 48.8 + f64::from(i / 50) / 500.0)).unzip();
        let points = Points::new(&lon, &lat).unwrap();
        let request = OccupancyRequest::new(CellSystem::hexagon(8).unwrap());
        let grid = scan_occupancy(&MemorySource(points), &Query::default(), &request, None, 2).unwrap();
        assert_eq!(grid.total(), 2000);
        assert!(grid.groups.len() > 50);
        for group in &grid.groups {
            let inside = (0..2000).filter(|&i| request.cells.cell_at(lon[i], lat[i]) == Some(group.key.cell));
            assert_eq!(inside.count() as u64, group.count);
        }
    }
}
