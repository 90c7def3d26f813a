//! A flat color per cell.

use std::collections::HashMap;

use super::work::PictureFrame;
use super::{GridPicture, GridStyle, PictureLimits, check_pixels, encode};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, Projection};
use crate::layer::{Size, canvas_of};
use crate::occupancy::{Cell, CellSystem, CellWindow, Grid, GridCell};
use crate::parameter::Parameter;
use crate::raster;
use crate::workers::Workers;

/// Draws the cells.
///
/// On a plane, a cell is a square of whole pixels, so its edges are exact. On the globe, the picture is in Web Mercator,
/// and a pixel has the color of the cell that contains its center. Cells without a value are transparent.
pub(super) fn draw(grid: &Grid, style: &GridStyle, limits: PictureLimits, workers: Workers<'_>) -> Result<GridPicture> {
    let (indices, bounds, span) = match grid.system() {
        CellSystem::Square { .. } => squares(grid, style, limits, workers)?,
        _ => sampled(grid, style, limits, workers)?,
    };
    let png = encode(&indices, style.palette.colors())?;
    Ok(GridPicture { png, bounds, span, unit: grid.unit.clone(), height_scale: None })
}

/// The drawn value of a cell; NaN if it has none.
fn value(cell: &GridCell, diverges: bool) -> f32 {
    let value = if diverges { cell.values.difference() } else { cell.values.value };
    // With empty cells in the list, those without points stay transparent.
    let has_points = diverges || cell.count > 0;
    value.filter(|_| has_points).map_or(f32::NAN, |value| value as f32)
}

/// The indices of the values, and their span.
fn quantized(grid: &Grid, style: &GridStyle, values: &raster::Grid<f32>) -> Result<(raster::Grid<u8>, [f64; 2])> {
    let span = style.span(values, grid.quantity().is_additive())?;
    let indices = style.quantizer(values, span, false).quantize(values, 1);
    Ok((indices, [span.vmin, span.vmax]))
}

type CellImage = (raster::Grid<u8>, Bounds, [f64; 2]);

/// Squares of whole pixels.
pub(super) struct Squares {
    /// The first and last row and column.
    rows: [i64; 2],
    columns: [i64; 2],
    /// The pixels of a side.
    cell_px: u64,
}

impl Squares {
    /// The squares of a picture.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the picture exceeds the limits, or a parameter does not apply to it.
    pub(super) fn of(frame: PictureFrame<'_>, style: &GridStyle, limits: PictureLimits) -> Result<Self> {
        let too_small =
            || Error::invalid(Parameter::RESOLUTION, "the cells are too small for a picture of these bounds");
        // The bounds are those of cells, so they end at an edge.
        let window = CellWindow::new(frame.request.cells, frame.cell_bounds()?, false).ok_or_else(too_small)?;
        let (rows, columns) = window.ranges();
        let squares = Self { rows, columns, cell_px: 1 };
        let longest = match style.size {
            Size::Longest(side) => u64::from(side),
            Size::Exact(..) if style.cell_px.is_none() => {
                let detail =
                    "a picture of cells has whole pixels per cell; give its longer side, such as 1024, or cell_px";
                return Err(Error::invalid(Parameter::SIZE, detail));
            }
            Size::Exact(..) => 1,
        };
        let [width, height] = squares.size_px();
        let cell_px = style.cell_px.map_or_else(|| (longest / width.max(height)).max(1), u64::from);
        check_pixels(width.saturating_mul(cell_px), height.saturating_mul(cell_px), limits)?;
        Ok(Self { cell_px, ..squares })
    }

    /// The width and height in pixels.
    fn size_px(&self) -> [u64; 2] {
        [self.columns, self.rows].map(|[first, last]| ((last - first) as u64 + 1).saturating_mul(self.cell_px))
    }

    /// The number of pixels.
    pub(super) fn pixels(&self) -> u64 {
        let [width, height] = self.size_px();
        width.saturating_mul(height)
    }
}

fn squares(grid: &Grid, style: &GridStyle, limits: PictureLimits, workers: Workers<'_>) -> Result<CellImage> {
    let squares = Squares::of(grid.into(), style, limits)?;
    let Squares { rows: [first_row, last_row], columns: [first_column, last_column], cell_px } = squares;
    let [width, height] = squares.size_px().map(|px| px as usize);
    let cell_px = cell_px as usize;
    let [columns, rows] = [width / cell_px, height / cell_px];
    let mut values = raster::Grid::filled(columns, rows, f32::NAN);
    for cell in &grid.cells {
        let Cell { row, column } = cell.cell;
        if (first_row..=last_row).contains(&row) && (first_column..=last_column).contains(&column) {
            // Row 0 of a raster is in the north.
            values.row_mut((last_row - row) as usize)[(column - first_column) as usize] = value(cell, style.diverges);
        }
    }
    let (small, span) = quantized(grid, style, &values)?;
    let mut indices = raster::Grid::filled(width, height, 0_u8);
    for row in 0..height {
        workers.check()?;
        let cells = small.row(row / cell_px);
        for (pixels, index) in indices.row_mut(row).chunks_mut(cell_px).zip(cells) {
            pixels.fill(*index);
        }
    }
    let corner = |row, column| grid.system().bounds(Cell { row, column });
    let (low, high) = (corner(first_row, first_column), corner(last_row, last_column));
    Ok((indices, Bounds { west: low.west, south: low.south, east: high.east, north: high.north }, span))
}

/// The canvas of a picture whose pixels have the color of the cell that contains their center.
///
/// # Errors
/// As [`Squares::of`].
pub(super) fn sampled_canvas(frame: PictureFrame<'_>, style: &GridStyle, limits: PictureLimits) -> Result<Canvas> {
    if style.cell_px.is_some() {
        let detail = "it applies to square cells of a plane only; give the size of the picture";
        return Err(Error::invalid(Parameter::CELL_PX, detail));
    }
    let canvas = canvas_of(Projection::Mercator, frame.cell_bounds()?, style.size)?;
    check_pixels(canvas.width().into(), canvas.height().into(), limits)?;
    Ok(canvas)
}

fn sampled(grid: &Grid, style: &GridStyle, limits: PictureLimits, workers: Workers<'_>) -> Result<CellImage> {
    let canvas = sampled_canvas(grid.into(), style, limits)?;
    let by_cell: HashMap<Cell, f32> = grid.cells.iter().map(|cell| (cell.cell, value(cell, style.diverges))).collect();
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let mut values = raster::Grid::filled(width, height, f32::NAN);
    for row in 0..height {
        workers.check()?;
        for (column, value) in values.row_mut(row).iter_mut().enumerate() {
            let [x, y] = canvas.world_at(column as f64 + 0.5, row as f64 + 0.5);
            let (lon, lat) = Projection::Mercator.inverse(x, y);
            let cell = grid.system().cell_at(lon, lat);
            *value = cell.and_then(|cell| by_cell.get(&cell)).copied().unwrap_or(f32::NAN);
        }
    }
    let (indices, span) = quantized(grid, style, &values)?;
    Ok((indices, canvas.bounds(), span))
}
