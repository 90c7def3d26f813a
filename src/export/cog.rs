//! The spool as a cloud-optimized `GeoTIFF`: each zoom is a picture of the same ground.

use std::collections::HashMap;
use std::f64::consts::PI;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use super::TILE_PX;
use super::spool::Spool;
use crate::encode::geotiff::{Cog, Crs, GeoReference};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Cover, EARTH_RADIUS_M, Zooms};
use crate::parameter::Parameter;

/// Which zooms the pictures are, and which tiles.
#[derive(Debug)]
pub(super) struct Pyramid {
    cog: Cog,
    /// The zoom of the coarsest picture, and its first column and row.
    zoom: u8,
    corner: [u32; 2],
}

impl Pyramid {
    /// The pictures of `ground` from the last of the zooms to the first, or to that at which one picture is no wider and no higher
    /// than two tiles. One zoom alone is the finest, and the others are found.
    pub(super) fn new(ground: Bounds, zooms: Zooms) -> Result<Self> {
        const FEW: u32 = 2;
        /// An index of more could not be held.
        const MOST_TILES: u64 = 1 << 26;
        let Zooms { first, last } = zooms;
        let first = if first == last { 0 } else { first };
        let is_small = |zoom: &u8| {
            let cover = Cover::of(ground, *zoom);
            cover.columns() <= FEW && cover.rows().len() <= FEW as usize
        };
        let zoom = (first..=last).rev().find(is_small).unwrap_or(first);
        let cover = Cover::of(ground, zoom);
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

    /// How much stands in front of the tiles.
    pub(super) fn head_bytes(&self) -> Result<u64> {
        Ok(self.cog.head(|_, _, _| None)?.len() as u64)
    }
}

pub(super) fn finish(mut spool: Spool, target: &Path, pyramid: Option<&Pyramid>) -> Result<()> {
    let Some(Pyramid { cog, zoom, corner }) = pyramid else { return Ok(()) };
    let head_bytes = cog.head(|_, _, _| None)?.len() as u64;
    let places: HashMap<_, _> = spool
        .stored()
        .iter()
        .map(|stored| {
            let zoom_in = stored.tile.zoom() - zoom;
            let across = 1u32 << stored.tile.zoom();
            // Beyond the antimeridian columns go on at 0.
            let column = (stored.tile.x() + across - (corner[0] << zoom_in)) % across;
            let row = stored.tile.y().wrapping_sub(corner[1] << zoom_in);
            let level = cog.levels.len() - 1 - usize::from(zoom_in);
            ((level, column, row), (head_bytes + stored.offset, stored.length))
        })
        .collect();
    let head = cog.head(|level, column, row| places.get(&(level, column, row)).copied())?;
    let path = spool.path("tiles");
    let file = spool.tiles_file();
    let written = file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&head));
    written.map_err(|error| Error::io(path, "write", error))?;
    spool.commit("tiles", target)
}
