//! A row per cell, as Apache Parquet.

use std::io::Write;

use super::columns::{columns, name_column};
use crate::encode::{TableColumn, write_table};
use crate::error::Result;
use crate::occupancy::{Grid, GridCell};

/// Writes the cells as a Parquet file with the columns of the CSV, and `count`, the number of points. Its metadata has
/// the keys `kiln.heatmap_type`, `kiln.resolution` and `kiln.unit`.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if writing fails.
pub fn write_parquet(grid: &Grid, out: impl Write + Send) -> Result<()> {
    let columns = columns(grid);
    let mut table: Vec<(&str, TableColumn)> = columns
        .iter()
        .map(|column| (column.name, TableColumn::Doubles(grid.cells.iter().map(column.value).collect())))
        .collect();
    let counts = grid.cells.iter().map(|cell| i64::try_from(cell.count).unwrap_or(i64::MAX)).collect();
    table.push(("count", TableColumn::Integers(counts)));
    if let Some(column) = name_column(grid) {
        let name = |cell: &GridCell| grid.system().name(cell.cell).unwrap_or_default();
        table.push((column, TableColumn::Texts(grid.cells.iter().map(name).collect())));
    }
    let metadata = [
        ("kiln.heatmap_type", grid.quantity().to_string()),
        ("kiln.resolution", grid.request.resolution.to_string()),
        ("kiln.unit", grid.unit.clone()),
    ];
    write_table(out, &table, &metadata)
}
