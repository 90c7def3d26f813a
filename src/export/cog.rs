//! The tiles as a cloud-optimized `GeoTIFF`: each zoom is a picture of the same bounds.

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

/// The pictures of the file: their zooms and tiles.
#[derive(Debug)]
pub(super) struct Pyramid {
    cog: Cog,
    /// The zoom of the coarsest picture, and its first column and row.
    zoom: u8,
    corner: [u32; 2],
}

impl Pyramid {
    /// The pictures of `bounds` from the last of the zooms to the first, or to the one whose picture is no wider and no higher than
    /// two tiles. A single zoom is the finest; the others follow from that limit.
    pub(super) fn new(bounds: Bounds, zooms: Zooms) -> Result<Self> {
        const FEW: u32 = 2;
        /// The index of all tiles is in memory.
        const MOST_TILES: u64 = 1 << 26;
        let Zooms { first, last } = zooms;
        let first = if first == last { 0 } else { first };
        let is_small = |zoom: &u8| {
            let cover = TileCover::of(bounds, *zoom);
            cover.columns() <= FEW && cover.rows().len() <= FEW as usize
        };
        let zoom = (first..=last).rev().find(is_small).unwrap_or(first);
        let cover = TileCover::of(bounds, zoom);
        let (columns, rows) = (cover.columns(), cover.rows().len() as u32);
        let side = |tiles: u32, zoom_in: u8| tiles.checked_shl(zoom_in.into()).filter(|side| side >> zoom_in == tiles);
        let too_many =
            || Error::invalid(Parameter::ZOOM, "there are more tiles than one picture can have; give less ground");
        let mut levels = Vec::new();
        for zoom_in in (0..=last - zoom).rev() {
            levels.push([side(columns, zoom_in).ok_or_else(too_many)?, side(rows, zoom_in).ok_or_else(too_many)?]);
        }
        if u64::from(levels[0][0]) * u64::from(levels[0][1]) > MOST_TILES {
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

    /// The zoom of the coarsest picture.
    pub(super) fn first_zoom(&self) -> u8 {
        self.zoom
    }

    /// The length of the head in front of the tiles.
    pub(super) fn head_bytes(&self) -> Result<u64> {
        Ok(self.cog.head(|_, _, _| None)?.len() as u64)
    }
}

/// Writes the head of the file, and returns the name of the file in the staging directory.
pub(super) fn finish(journal: &mut ExportJournal, pyramid: &Pyramid) -> Result<&'static str> {
    let Pyramid { cog, zoom, corner } = pyramid;
    let head_bytes = cog.head(|_, _, _| None)?.len() as u64;
    let locations: HashMap<_, _> = journal
        .tiles()?
        .into_iter()
        .map(|StoredTile { tile, offset, length }| {
            let zoom_in = tile.zoom() - zoom;
            let across = 1u32 << tile.zoom();
            // Beyond the antimeridian, columns continue at 0.
            let column = (tile.x() + across - (corner[0] << zoom_in)) % across;
            let row = tile.y().wrapping_sub(corner[1] << zoom_in);
            let level = cog.levels.len() - 1 - usize::from(zoom_in);
            ((level, column, row), (head_bytes + offset, length))
        })
        .collect();
    let head = cog.head(|level, column, row| locations.get(&(level, column, row)).copied())?;
    let (file, path) = journal.tiles_file();
    let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&head));
    written.map_err(|error| Error::io(path, "write", error))?;
    Ok(ExportJournal::TILES)
}
