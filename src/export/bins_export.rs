//! Exports the points of a layer summed per grid cell, for data frames and databases.

use std::collections::HashMap;
use std::io::BufWriter;
use std::ops::ControlFlow;
use std::path::Path;

use super::TILE_PX;
use super::block::{Block, canvas_of};

use super::progress::Progress;
use crate::encode::{Bin, BinsWriter};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Points, Projection, TileCoord, TileCover, Zooms};
use crate::images::AtomicFile;
use crate::in_order::in_order;
use crate::layer::{Layer, is_occupied};
use crate::parameter::Parameter;
use crate::source::{CoordinateSpace, Query};

/// An export of the grid cells of a layer.
#[derive(Debug)]
pub struct BinsExport<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The filter of the points. Columns, weights and the stop flag are set by the export.
    pub query: Query<'a>,
    /// The zooms whose pixels are the cells, at 256 pixels per tile.
    pub zooms: Zooms,
    /// The bounds of the centers of the cells; `None`: all cells.
    pub bounds: Option<Bounds>,
    /// Worker threads.
    pub threads: usize,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinsExportReport {
    /// The number of cells with points.
    pub cells: u64,
    /// The number of points in the cells of the highest zoom.
    pub points: u64,
    /// The size of the file in bytes.
    pub bytes: u64,
}

/// Number of points and sum of weights of the cells of a block, by row and column from the north-western corner of the
/// world.
type Sums = HashMap<[u32; 2], (u64, f64)>;

impl BinsExport<'_> {
    /// Writes the cells with points to `target`, a Parquet file: see [`BinsWriter`]. The target is replaced once all
    /// cells are written.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the layer is on a plane; [`Error::Io`] if the file cannot be written; [`Error::Cancelled`]
    /// if `progress` was stopped.
    pub fn write(&self, target: &Path, progress: &Progress) -> Result<BinsExportReport> {
        if !self.layer.coordinate_space().wraps() {
            return Err(Error::invalid(
                Parameter::LAYER,
                "cells can be exported only of layers on the globe, and this layer is on a plane",
            ));
        }
        let query = self
            .query
            .clone()
            .with_names(self.layer.query().columns.names)
            .with_coordinate_space(CoordinateSpace::Globe)
            .with_weights(self.layer.weight().is_some())
            .with_stop(Some(progress.stopped()));
        let mut file = AtomicFile::create_output(target)?;
        let mut writer = BinsWriter::new(BufWriter::new(file.file())).map_err(|error| error.for_path(target))?;
        let mut exported = BinsExportReport::default();
        let mut blocks = vec![Block::WORLD];
        for zoom in 0..=self.zooms.last {
            Block::sort(&mut blocks)?;
            let cover = TileCover::of(self.bounds.unwrap_or(Bounds::WORLD), zoom);
            let is_exported = self.zooms.first <= zoom;
            progress.expect(blocks.len() as u64);
            let mut occupied = Vec::new();
            in_order(
                blocks.len(),
                self.threads,
                |job| {
                    if is_exported {
                        self.sums(blocks[job], &cover, &query)
                    } else {
                        self.probe(blocks[job], &cover, &query)
                    }
                },
                |job, summed: Option<Sums>| {
                    if query.is_stopped() {
                        return Err(Error::Cancelled);
                    }
                    progress.advance(summed.as_ref().map_or(0, |sums| sums.len() as u64), 1);
                    let Some(sums) = summed else { return Ok(()) };
                    occupied.push(blocks[job]);
                    let mut cells: Vec<_> = sums.into_iter().collect();
                    cells.sort_unstable_by_key(|(cell, _)| *cell);
                    for (cell, (count, weight)) in cells {
                        let bin = bin(cell, zoom, count, weight);
                        if self.bounds.is_none_or(|bounds| contains(bounds, bin.lon, bin.lat)) {
                            exported.cells += 1;
                            exported.points += if zoom == self.zooms.last { count } else { 0 };
                            writer.push(bin).map_err(|error| error.for_path(target))?;
                        }
                    }
                    Ok(())
                },
            )?;
            blocks = occupied.into_iter().flat_map(Block::children).collect();
        }
        writer.finish().map_err(|error| error.for_path(target))?;
        exported.bytes = file.file().metadata().map_err(|error| Error::io(target, "write", error))?.len();
        file.commit_durably()?;
        Ok(exported)
    }

    /// Returns empty sums if a block has points, `None` if it has none.
    fn probe(&self, block: Block, cover: &TileCover, query: &Query<'_>) -> Result<Option<Sums>> {
        const COARSE_PX: u32 = 16;
        let tiles = block.tiles(cover)?;
        let Some((canvas, _)) = canvas_of(&tiles, COARSE_PX)? else { return Ok(None) };
        let is_occupied = is_occupied(&**self.layer.point_set(), query, &canvas.grow(1))?;
        Ok(is_occupied.then(Sums::new))
    }

    /// The sums of a block; `None` if it has no points.
    fn sums(&self, block: Block, cover: &TileCover, query: &Query<'_>) -> Result<Option<Sums>> {
        let tiles = block.tiles(cover)?;
        let Some((canvas, first)) = canvas_of(&tiles, TILE_PX)? else { return Ok(None) };
        let [west, north] = first.map(|tiles| tiles * TILE_PX);
        let world_cells = world_cells(block.zoom);
        let (columns, rows) = (west..west + canvas.width(), north..north + canvas.height());
        let mut sums = Sums::new();
        let query = query.clone().with_near(Some(canvas.grow(1).bounds()));
        // On one thread, in scan order, so that a sum does not depend on the number of threads.
        let mut sink = |points: Points<'_>| {
            for (i, (lon, lat)) in points.lon().iter().zip(points.lat()).enumerate() {
                let (x, y) = Projection::Mercator.forward(*lon, *lat);
                let [column, row] = [x.rem_euclid(1.0), y].map(|share| (share * world_cells).floor());
                // Excludes points beyond the map and coordinates that are not finite.
                let is_on_map = (0.0..world_cells).contains(&row) && (0.0..world_cells).contains(&column);
                let (column, row) = (column as u32, row as u32);
                if is_on_map && columns.contains(&column) && rows.contains(&row) {
                    let (count, sum) = sums.entry([row, column]).or_default();
                    *count += 1;
                    *sum += points.weight().map_or(1.0, |weights| f64::from(weights[i]));
                }
            }
            if query.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.layer.point_set().scan(&query, &mut [&mut sink])?;
        Ok((!sums.is_empty()).then_some(sums))
    }
}

/// The number of cells per side of the world at a zoom.
fn world_cells(zoom: u8) -> f64 {
    f64::from(TILE_PX) * f64::from(1_u32 << zoom)
}

/// The exported cell at a row and column.
fn bin([row, column]: [u32; 2], zoom: u8, count: u64, weight: f64) -> Bin {
    let world_cells = world_cells(zoom);
    let center = |cell: u32| (f64::from(cell) + 0.5) / world_cells;
    let (lon, lat) = Projection::Mercator.inverse(center(column), center(row));
    Bin { lon, lat, zoom, width_deg: 360.0 / world_cells, count, weight }
}

/// Whether bounds, which may cross the antimeridian, contain a point.
fn contains(bounds: Bounds, lon: f64, lat: f64) -> bool {
    let Bounds { west, south, east, north } = bounds;
    let east = if east < west { east + 360.0 } else { east };
    let is_between = [lon - 360.0, lon, lon + 360.0].iter().any(|lon| (west..=east).contains(lon));
    is_between && (south..=north).contains(&lat)
}

// The rows and columns of the highest zoom fit into 32 bits.
const _: () = assert!(TileCoord::MAX_ZOOM as u32 + TILE_PX.trailing_zeros() <= 32);
