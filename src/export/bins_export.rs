//! Exports the points of a layer summed per cell, for query engines, data frames and `kiln import`.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::TILE_PX;
use super::bin_sorter::BinSorter;
use super::progress::Progress;
use crate::cell_bins::{Bin, BinChunk, BinsRequest, for_each_bin};
use crate::encode::{BinRow, BinsColumns, BinsWriter};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Points, Projection, Zooms, morton};
use crate::images::AtomicFile;
use crate::layer::Layer;
use crate::parameter::Parameter;
use crate::source::{CoordinateSpace, Query};

/// An export of the sums per cell of a layer.
#[derive(Debug)]
pub struct BinsExport<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The filter of the points. Columns, weights and the stop flag are set by the export.
    pub query: Query<'a>,
    /// The zooms whose pixels are the cells, at 256 pixels per tile.
    pub zooms: Zooms,
    /// Whether the cells are the pixels of tiles of 512 pixels, which are half as wide.
    pub dense: bool,
    /// The bounds of the centers of the cells; `None`: all cells.
    pub bounds: Option<Bounds>,
    /// The length of the periods since 1970-01-01 UTC of which each has its own rows, in microseconds; `None`: all times
    /// together.
    pub every_us: Option<i64>,
    /// Whether each category has its own rows.
    pub by_category: bool,
    /// Rows of fewer points are left out.
    pub at_least: u64,
    /// Worker threads.
    pub threads: usize,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BinsExportReport {
    /// The number of rows.
    pub cells: u64,
    /// The number of points in the rows of the highest zoom.
    pub points: u64,
    /// The size of the file in bytes.
    pub bytes: u64,
}

impl BinsExport<'_> {
    /// Writes the cells with points to `target`, a Parquet file: see [`BinsWriter`]. The rows of each zoom are in Z-order.
    /// The target is replaced once all cells are written.
    ///
    /// A stored layer is read once per zoom, in its own order, and memory does not grow with its size. Other points are
    /// sorted; of many, temporary data is in the folder of the target.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the layer is on a plane, a level exceeds 32, or no point has a time or a category for the groups;
    /// [`Error::Io`] if the file cannot be written; [`Error::Cancelled`] if `progress` was stopped.
    pub fn write(&self, target: &Path, progress: &Progress) -> Result<BinsExportReport> {
        self.check()?;
        let weights = self.layer.weight().is_some();
        let query = self
            .query
            .clone()
            .with_names(self.layer.query().columns.names)
            .with_coordinate_space(CoordinateSpace::Globe)
            .with_weights(weights)
            .with_times(self.every_us.is_some())
            .with_required_times(self.every_us.is_some())
            .with_categories(self.by_category)
            .with_stop(Some(progress.stopped()));
        let columns = BinsColumns {
            wide_cells: self.level(self.zooms.last) >= 32,
            weights,
            times: self.every_us.is_some(),
            categories: self.by_category,
        };
        let mut file = AtomicFile::create_output(target)?;
        let writer = BinsWriter::new(BufWriter::new(file.file()), columns).map_err(|error| error.for_path(target))?;
        let mut output = Output { export: self, target, writer, exported: BinsExportReport::default() };
        progress.expect(self.layer.points() * (1 + u64::from(self.zooms.last - self.zooms.first)));
        for zoom in self.zooms.first..=self.zooms.last {
            self.write_zoom(zoom, &query, progress, &mut output)?;
        }
        let mut exported = output.finish()?;
        exported.bytes = file.file().metadata().map_err(|error| Error::io(target, "write", error))?.len();
        file.commit_durably()?;
        Ok(exported)
    }

    fn check(&self) -> Result<()> {
        if !self.layer.coordinate_space().wraps() {
            return Err(Error::invalid(
                Parameter::LAYER,
                "cells can be exported only of layers on the globe, and this layer is on a plane",
            ));
        }
        if self.level(self.zooms.last) > BinsRequest::MAX_LEVEL {
            let message = "the finest cells are the pixels of zoom 24, which are those of zoom 23 at twice the density";
            return Err(Error::invalid(Parameter::ZOOM, message));
        }
        Ok(())
    }

    /// The grid level of the pixels of a zoom.
    fn level(&self, zoom: u8) -> u32 {
        u32::from(zoom) + TILE_PX.trailing_zeros() + u32::from(self.dense)
    }

    fn write_zoom<W: Write + Send>(
        &self,
        zoom: u8,
        query: &Query<'_>,
        progress: &Progress,
        output: &mut Output<'_, W>,
    ) -> Result<()> {
        let (level, target) = (self.level(zoom), output.target);
        let request = BinsRequest { level, period_us: self.every_us, by_category: self.by_category };
        let query = query.clone().with_near(self.bounds.map(|bounds| with_edge(bounds, level)));
        let is_last = zoom == self.zooms.last;
        let mut take = |chunk: BinChunk<'_>| output.push(level, is_last, &chunk, progress);
        let points = &**self.layer.point_set();
        match points.cell_bins(&query, &request, self.threads, &mut take)? {
            Some(_) => Ok(()),
            None => BinSorter::new(request, target, self.threads, progress).sum(points, &query, &mut take),
        }
    }
}

/// The file of an export.
struct Output<'a, W: Write + Send> {
    export: &'a BinsExport<'a>,
    target: &'a Path,
    writer: BinsWriter<W>,
    exported: BinsExportReport,
}

impl<W: Write + Send> Output<'_, W> {
    /// Writes the end of the file.
    fn finish(self) -> Result<BinsExportReport> {
        self.writer.finish().map_err(|error| error.for_path(self.target))?;
        Ok(self.exported)
    }

    /// Writes the rows of a chunk.
    fn push(&mut self, level: u32, is_last: bool, chunk: &BinChunk<'_>, progress: &Progress) -> Result<()> {
        /// Rows after which the progress is updated.
        const STEP: u64 = 1 << 14;
        let read_per_step = chunk.read / (chunk.records.len() as u64 / STEP + 1);
        let (mut rows, mut rest) = (0, chunk.read);
        for_each_bin(&chunk.records, |Bin { group, n, sum, max }| {
            if rows == STEP {
                if progress.stopped().load(Ordering::Relaxed) {
                    return Err(Error::Cancelled);
                }
                progress.advance(rows, read_per_step);
                (rows, rest) = (0, rest - read_per_step);
            }
            let (cell_x, cell_y) = morton::decode(group.cell);
            let is_within = |bounds| {
                let (lon, lat) = center(cell_x, cell_y, level);
                contains(bounds, lon, lat)
            };
            if n < self.export.at_least || !self.export.bounds.is_none_or(is_within) {
                return Ok(());
            }
            rows += 1;
            self.exported.cells += 1;
            self.exported.points = self.exported.points.saturating_add(if is_last { n } else { 0 });
            let row = BinRow {
                level: level as u8,
                cell_x,
                cell_y,
                n,
                weight: sum,
                max_weight: (!max.is_nan()).then_some(max),
                time_us: (group.time_us != Points::NO_TIME).then_some(group.time_us),
                category: chunk.categories.get(group.category as usize).map(|name| &**name),
            };
            self.writer.push(row).map_err(|error| error.for_path(self.target))
        })?;
        progress.advance(rows, rest);
        Ok(())
    }
}

/// Longitude and latitude in degrees of the center of a cell.
fn center(cell_x: u32, cell_y: u32, level: u32) -> (f64, f64) {
    let share = |cell: u32| (f64::from(cell) + 0.5) / (1_u64 << level) as f64;
    Projection::Mercator.inverse(share(cell_x), share(cell_y))
}

/// Bounds that contain all of the cells whose centers are in `bounds`.
fn with_edge(bounds: Bounds, level: u32) -> Bounds {
    let Bounds { west, south, east, north } = bounds;
    let east = if east < west { east + 360.0 } else { east };
    // Cells are widest and highest at the equator.
    let edge = 360.0 / (1_u64 << level) as f64;
    let (south, north) = ((south - edge).max(-90.0), (north + edge).min(90.0));
    Bounds { west: west - edge, south, east: east + edge, north }
}

/// Whether bounds, which may cross the antimeridian, contain a point.
fn contains(bounds: Bounds, lon: f64, lat: f64) -> bool {
    let Bounds { west, south, east, north } = bounds;
    let east = if east < west { east + 360.0 } else { east };
    let is_between = [lon - 360.0, lon, lon + 360.0].iter().any(|lon| (west..=east).contains(lon));
    is_between && (south..=north).contains(&lat)
}
