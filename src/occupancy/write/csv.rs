//! A line per cell.

use std::io::Write;

use super::columns::{columns, name_column};
use super::json::Number;
use crate::error::{Error, Result};
use crate::occupancy::Grid;

/// Writes the cells as CSV with a header: `x,y,value`, or `lon,lat,value` on the globe; a comparison also has `compared`,
/// `difference` and `ratio`, and hexagons `cell`, their H3 index. A missing value is empty. `out` should be buffered.
///
/// # Errors
/// [`Error::Io`] if writing fails.
pub fn write_csv(grid: &Grid, mut out: impl Write) -> Result<()> {
    let columns = columns(grid);
    let mut write = || -> std::io::Result<()> {
        let names: Vec<&str> = columns.iter().map(|column| column.name).chain(name_column(grid)).collect();
        writeln!(out, "{}", names.join(","))?;
        for cell in &grid.cells {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    out.write_all(b",")?;
                }
                if let Some(value) = (column.value)(cell) {
                    write!(out, "{}", Number(value))?;
                }
            }
            if let Some(name) = grid.system().name(cell.cell) {
                write!(out, ",{name}")?;
            }
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    write().map_err(|error| Error::io("", "write", error))
}
