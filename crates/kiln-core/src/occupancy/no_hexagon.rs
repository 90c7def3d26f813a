//! Hexagons without the feature `h3`. [`CellSystem::hexagon`](super::CellSystem::hexagon) is an error then, so no code
//! has such cells.

use super::Cell;
use crate::geo::Bounds;

pub(super) fn cell_at(_lon: f64, _lat: f64, _resolution: u8) -> Option<Cell> {
    None
}

pub(super) fn polygon(_cell: Cell) -> Vec<[f64; 2]> {
    Vec::new()
}

pub(super) fn bounds(_cell: Cell) -> Bounds {
    Bounds::WORLD
}

pub(super) fn center(_cell: Cell) -> (f64, f64) {
    (0.0, 0.0)
}

pub(super) fn name(_cell: Cell) -> Option<String> {
    None
}
