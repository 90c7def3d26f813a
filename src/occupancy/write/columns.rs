//! The columns of a table of cells.

use crate::occupancy::{CellSystem, Grid, GridCell};

/// A column of a table of cells.
pub(super) struct Column {
    /// The name.
    pub(super) name: &'static str,
    /// The value of a cell.
    pub(super) value: fn(&GridCell) -> Option<f64>,
}

/// The columns of a grid: its centers, values and, in a comparison, the second values, differences and ratios.
pub(super) fn columns(grid: &Grid) -> Vec<Column> {
    let column = |name, value: fn(&GridCell) -> Option<f64>| Column { name, value };
    let [x, y] = if grid.is_globe { ["lon", "lat"] } else { ["x", "y"] };
    let mut columns = vec![
        column(x, |cell| Some(cell.center.0)),
        column(y, |cell| Some(cell.center.1)),
        column("value", |cell| cell.values.value),
    ];
    if grid.compared_total.is_some() {
        columns.push(column("compared", |cell| cell.values.compared));
        columns.push(column("difference", |cell| cell.values.difference()));
        columns.push(column("ratio", |cell| cell.values.ratio()));
    }
    columns
}

/// The column with the names of cells, after the other ones, if cells have names: the H3 indices of hexagons.
pub(super) fn name_column(grid: &Grid) -> Option<&'static str> {
    matches!(grid.system(), CellSystem::Hexagon { .. }).then_some("cell")
}
