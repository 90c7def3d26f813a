//! The export of a layer's tiles.

use crate::parameter::Parameter;
use std::path::Path;

use super::export_journal::ExportJournal;
use super::export_key::ExportKey;
use super::pyramid_walk::PyramidWalk;
use super::staging_dir::StagingDir;
use super::tile_renderer::Encoding;
use super::tileset_metadata::TilesetMetadata;
use super::{Format, Progress, TILE_PX, cog, folder, mbtiles, pmtiles};
use crate::encode::pmtiles::HEAD_BYTES;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, TileCoord, Zooms};
use crate::layer::{Blend, InputPoints, Layer, Style};
use crate::raster::Aggregation;
use crate::source::{CoordinateSpace, Query};

/// An export of the tiles of a layer.
#[derive(Debug)]
pub struct TileExport<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The filter of the points. Columns, weights and the stop flag are set by the export.
    pub query: Query<'a>,
    /// The style. `vmin` and `vmax` are in the [unit](Style::unit) of the values.
    pub style: Style,
    /// The zooms of the tiles. For a COG, a single zoom is that of the finest image.
    pub zooms: Zooms,
    /// The bounds of the tiles; `None`: all tiles with points.
    pub bounds: Option<Bounds>,
    /// Worker threads.
    pub threads: usize,
}

/// The result of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileExportReport {
    /// The number of non-empty tiles.
    pub tiles: u64,
    /// The number of distinct tiles.
    pub distinct: u64,
    /// The total size of the distinct tiles in bytes.
    pub bytes: u64,
    /// The number of tiles finished by an earlier run.
    pub resumed: u64,
}

/// The images and zooms of an export.
pub(super) struct Plan<'a> {
    pub(super) metadata: TilesetMetadata<'a>,
    /// The images of a COG.
    pyramid: Option<cog::Pyramid>,
    /// The bounds of the tiles.
    pub(super) tile_bounds: Bounds,
}

impl TileExport<'_> {
    /// Writes the tiles to `target`. An earlier export is replaced once all tiles are finished.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the style is invalid at one of the zooms, or the target cannot be replaced; [`Error::Io`]
    /// if it cannot be written; [`Error::Cancelled`] if `progress` was stopped. After the last two, the same export
    /// resumes: it renders only the missing tiles.
    pub fn write(&self, target: &Path, format: Format, progress: &Progress) -> Result<TileExportReport> {
        self.check()?;
        self.write_checked(target, format, progress)
    }

    /// Rejects a layer or a style that cannot be exported.
    pub(super) fn check(&self) -> Result<()> {
        if !self.layer.coordinate_space().wraps() {
            return Err(Error::invalid(
                Parameter::LAYER,
                "tiles can be exported only of layers on the globe, and this layer is on a plane",
            ));
        }
        if self.layer.point_set().is_reread() {
            let message = format!(
                "{} points exceed the limit of {} in memory; import them with `kiln import`, then export the layer",
                self.layer.points(),
                InputPoints::MAX_RESIDENT
            );
            return Err(Error::input(self.layer.name(), message));
        }
        let Bounds { south, north, .. } = self.bounds.unwrap_or_else(|| self.layer.bounds());
        for zoom in self.zooms.all() {
            let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
            self.style.canvas_with_reach(&tile)?;
            self.style.check_radius_at(&tile, south.abs().max(north.abs()))?;
        }
        Ok(())
    }

    /// The images and zooms of the export.
    pub(super) fn plan(&self, format: Format) -> Result<Plan<'_>> {
        let mut metadata = TilesetMetadata::of(self.layer, &self.style, self.zooms, self.bounds)?;
        let [west, south, east, north] = metadata.bounds_deg;
        let bounds = self.bounds.unwrap_or(Bounds { west, south, east, north });
        let pyramid = (format == Format::Cog).then(|| cog::Pyramid::new(bounds, self.zooms)).transpose()?;
        if let Some(pyramid) = &pyramid {
            metadata.zooms.first = pyramid.first_zoom();
        }
        // At low zooms, dots reach into tiles beyond the bounds of the metadata. A COG, however, is cut at its bounds.
        let tile_bounds = if pyramid.is_some() { bounds } else { self.bounds.unwrap_or(Bounds::WORLD) };
        Ok(Plan { metadata, pyramid, tile_bounds })
    }

    /// The query for the points of the tiles.
    pub(super) fn scan_query<'q>(&'q self, progress: &'q Progress) -> Query<'q> {
        let style = &self.style;
        self.query
            .clone()
            .with_names(self.layer.query().columns.names)
            .with_coordinate_space(CoordinateSpace::Globe)
            .with_weights(style.aggregation != Aggregation::Count && style.blend == Blend::Add)
            .with_stop(Some(progress.stopped()))
    }

    fn write_checked(&self, target: &Path, format: Format, progress: &Progress) -> Result<TileExportReport> {
        let style = &self.style;
        let Plan { metadata, pyramid, tile_bounds } = self.plan(format)?;
        let (encoding, header_bytes) = match &pyramid {
            Some(pyramid) => (Encoding::Colors, pyramid.header_bytes()?),
            None => (Encoding::Png, HEAD_BYTES),
        };
        check_target(target, format)?;
        let key = ExportKey::new(format, self.layer, &self.query, style, metadata.zooms, self.bounds).to_text()?;
        let staging = StagingDir::open(target)?;
        let mut journal = ExportJournal::open(&staging, &key, header_bytes)?;
        progress.resume(journal.tile_count());
        let walk = PyramidWalk {
            layer: self.layer,
            query: self.scan_query(progress),
            style,
            zooms: metadata.zooms.all(),
            bounds: tile_bounds,
            encoding,
            threads: self.threads,
            progress,
        };
        if let Err(error) = walk.render_missing(&mut journal) {
            let is_empty = journal.is_empty();
            drop(journal);
            if is_empty {
                staging.discard();
            }
            return Err(error);
        }
        let ([_, resumed], ..) = progress.snapshot();
        let report = TileExportReport {
            tiles: journal.tile_count(),
            distinct: journal.distinct(),
            bytes: journal.tiles_bytes(),
            resumed,
        };
        let finished = match (format, &pyramid) {
            (_, Some(pyramid)) => cog::finish(&mut journal, pyramid),
            (Format::MbTiles, _) => mbtiles::finish(&mut journal, &staging, &metadata),
            (Format::Folder, _) => folder::finish(&mut journal, &staging, &metadata),
            (Format::PmTiles | Format::Cog, None) => pmtiles::finish(&mut journal, &metadata),
        }?;
        drop(journal);
        staging.commit(finished)?;
        Ok(report)
    }
}

/// Rejects a target that an export must not replace.
pub(super) fn check_target(target: &Path, format: Format) -> Result<()> {
    if format == Format::Folder {
        return folder::check(target);
    }
    if target.is_dir() {
        return Err(Error::io(target, "write", std::io::ErrorKind::IsADirectory.into()));
    }
    Ok(())
}
