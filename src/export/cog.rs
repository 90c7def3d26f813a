//! Writes the tiles as a cloud-optimized `GeoTIFF`: one image per zoom, all with the same bounds.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::io::{Seek, SeekFrom, Write};

use super::TILE_PX;
use super::block_record::StoredTile;
use super::export_journal::ExportJournal;
use crate::encode::geotiff::{Cog, Crs, GeoReference};
use crate::error::{Error, Result};
use crate::geo::{Bounds, EARTH_RADIUS_M, TileCover, Zooms};
use crate::parameter::Parameter;

/// The images of the file: their zooms and tiles.
#[derive(Debug)]
pub(super) struct Pyramid {
    cog: Cog,
    /// The zoom of the coarsest image, and its first column and row.
    zoom: u8,
    corner: [u32; 2],
}

impl Pyramid {
    /// The images of `bounds` from the last of the zooms to the first, or to the zoom whose image is at most two tiles
    /// wide and high. If a single zoom is given, it is that of the finest image.
    pub(super) fn new(bounds: Bounds, zooms: Zooms) -> Result<Self> {
        const COARSEST_TILES: u32 = 2;
        /// The index of all tiles is kept in memory.
        const MAX_TILES: u64 = 1 << 26;
        let Zooms { first, last } = zooms;
        let first = if first == last { 0 } else { first };
        let is_small = |zoom: &u8| {
            let cover = TileCover::of(bounds, *zoom);
            cover.columns() <= COARSEST_TILES && cover.rows().len() <= COARSEST_TILES as usize
        };
        let zoom = (first..=last).rev().find(is_small).unwrap_or(first);
        let cover = TileCover::of(bounds, zoom);
        let (columns, rows) = (cover.columns(), cover.rows().len() as u32);
        let side = |tiles: u32, zoom_in: u8| tiles.checked_shl(zoom_in.into()).filter(|side| side >> zoom_in == tiles);
        let too_many =
            || Error::invalid(Parameter::ZOOM, "too many tiles for one GeoTIFF; give smaller bounds or a lower zoom");
        let mut levels = Vec::new();
        for zoom_in in (0..=last - zoom).rev() {
            levels.push([side(columns, zoom_in).ok_or_else(too_many)?, side(rows, zoom_in).ok_or_else(too_many)?]);
        }
        if u64::from(levels[0][0]) * u64::from(levels[0][1]) > MAX_TILES {
            return Err(too_many());
        }
        let corner = [cover.first_column(), cover.rows().start];
        let world_m = 2.0 * PI * EARTH_RADIUS_M;
        let pixel_m = world_m / (f64::from(TILE_PX) * f64::from(1u32 << last));
        let at = |tiles: u32| f64::from(tiles) * world_m / f64::from(1u32 << zoom) - world_m / 2.0;
        let reference = GeoReference {
            crs: Crs::Epsg3857,
            west: at(corner[0]),
            north: -at(corner[1]),
            pixel_width: pixel_m,
            pixel_height: pixel_m,
        };
        Ok(Self { cog: Cog { reference, levels }, zoom, corner })
    }

    /// The zoom of the coarsest image.
    pub(super) fn first_zoom(&self) -> u8 {
        self.zoom
    }

    /// The length of the header in front of the tiles.
    pub(super) fn header_bytes(&self) -> Result<u64> {
        Ok(self.cog.head(|_, _, _| None)?.len() as u64)
    }
}

/// Writes the header of the file, and returns the name of the file in the staging directory.
pub(super) fn finish(journal: &mut ExportJournal, pyramid: &Pyramid) -> Result<&'static str> {
    let Pyramid { cog, zoom, corner } = pyramid;
    let header_bytes = cog.head(|_, _, _| None)?.len() as u64;
    let locations: HashMap<_, _> = journal
        .tiles()?
        .into_iter()
        .map(|StoredTile { tile, offset, length }| {
            let zoom_in = tile.zoom() - zoom;
            let world_tiles = 1u32 << tile.zoom();
            // East of the antimeridian, columns continue at 0.
            let column = (tile.x() + world_tiles - (corner[0] << zoom_in)) % world_tiles;
            let row = tile.y().wrapping_sub(corner[1] << zoom_in);
            let level = cog.levels.len() - 1 - usize::from(zoom_in);
            ((level, column, row), (header_bytes + offset, length))
        })
        .collect();
    let header = cog.head(|level, column, row| locations.get(&(level, column, row)).copied())?;
    let (file, path) = journal.tiles_file();
    let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&header));
    written.map_err(|error| Error::io(path, "write", error))?;
    Ok(ExportJournal::TILES)
}
