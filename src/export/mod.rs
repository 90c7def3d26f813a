//! A layer's tiles in a file or a folder, for where there is no Kiln: web servers, GIS programs, printers.
//!
//! ```text
//! layer ── blocks of 8 × 8 tiles, drawn together ── cut, encoded ──> spool ──> PMTiles, MBTiles, folder, COG
//! ```
//!
//! From zoom to zoom only those blocks are looked at that have points within reach. The tiles are those of the server, byte
//! for byte. What is finished is kept in a folder beside the target until all is: an export that came to a sudden end goes on
//! from there, and comes to the same bytes.

mod bins;
mod block;
mod cog;
mod folder;
mod format;
mod in_order;
mod mbtiles;
mod painter;
mod pmtiles;
mod progress;
mod spool;

use std::path::Path;

pub use bins::{BinsExport, ExportedBins};
pub use format::Format;
pub use progress::Progress;

use self::block::Block;
use self::in_order::in_order;
use self::painter::{Encoding, Painter, Prober};
use self::spool::Spool;
use crate::encode::pmtiles::HEAD_BYTES;
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, TileCoord, Zooms};
use crate::layer::{Blend, Layer, Style, bounds_with_reach, center, dot_reach};
use crate::parameter::Parameter;
use crate::raster::Aggregation;
use crate::source::{Ground, Query};

/// Width and height of a tile.
pub(crate) const TILE_PX: u32 = 256;

/// What is to be exported.
#[derive(Debug)]
pub struct Export<'a> {
    /// The points.
    pub layer: &'a Layer,
    /// Which of them; what it says of columns, weights and the stop flag is not looked at.
    pub query: Query<'a>,
    /// How they are drawn; `vmin` and `vmax` are in the [`Unit`](crate::layer::Unit) that values are told in. Without a latitude
    /// of true scale it is the layer's middle, as the server has it.
    pub style: Style,
    /// The zooms of the tiles. One zoom alone is, for a COG, that of its finest picture.
    pub zooms: Zooms,
    /// The ground; all that has points, if `None`.
    pub bounds: Option<Bounds>,
    /// Threads that draw.
    pub threads: usize,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Tiles that show anything.
    pub tiles: u64,
    /// Those of them that differ from all others.
    pub distinct: u64,
    /// Bytes of the tiles.
    pub bytes: u64,
    /// Tiles that an earlier run had finished.
    pub resumed: u64,
}

/// What archives say of themselves.
struct About<'a> {
    title: &'a str,
    attribution: Option<&'a str>,
    description: String,
    zooms: Zooms,
    /// West, south, east and north in degrees, never across the antimeridian.
    bounds_deg: [f64; 4],
    /// Longitude, latitude and zoom of a map that shows all.
    center: (f64, f64, u8),
}

impl Export<'_> {
    /// Writes the tiles to `target`, which is there either whole or as it was before. What is there is replaced.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the style does not fit the zooms, or the target cannot be replaced; [`Error::Io`] if it cannot be
    /// written; [`Error::Cancelled`] if it was told to stop. The last two can be gone on with: the same export again draws
    /// only what is missing.
    pub fn write(&self, target: &Path, format: Format, progress: &Progress) -> Result<Exported> {
        if !self.layer.ground().wraps() {
            return Err(Error::invalid(
                Parameter::LAYER,
                "tiles are for layers on the globe, and this one lies on a plane",
            ));
        }
        if self.layer.is_reread() {
            let why = format!(
                "{} points are more than the {} that fit the memory; `kiln import` them, and export the layer",
                self.layer.points(),
                Layer::MAX_RESIDENT
            );
            return Err(Error::input(self.layer.name(), why));
        }
        let mut style = self.style.clone();
        style.true_scale_lat_deg.get_or_insert_with(|| self.layer.middle_lat_deg());
        let export = Export { style, query: self.query.clone(), ..*self };
        export.checked(target, format, progress)
    }

    fn checked(&self, target: &Path, format: Format, progress: &Progress) -> Result<Exported> {
        let Zooms { first, last } = self.zooms;
        for zoom in self.zooms.all() {
            let tile = Canvas::tile(TileCoord::new(zoom, 0, 0)?, TILE_PX)?;
            self.style.reach_px(&tile)?;
        }
        let mut about = self.about()?;
        let [west, south, east, north] = about.bounds_deg;
        let ground = self.bounds.unwrap_or(Bounds { west, south, east, north });
        let pyramid = (format == Format::Cog).then(|| cog::Pyramid::new(ground, self.zooms)).transpose()?;
        let (encoding, head_bytes) = match &pyramid {
            Some(pyramid) => (Encoding::Colors, pyramid.head_bytes()?),
            None => (Encoding::Png, HEAD_BYTES),
        };
        about.zooms.first = pyramid.as_ref().map_or(first, cog::Pyramid::first_zoom);
        if format == Format::Folder {
            folder::check(target)?;
        } else if target.is_dir() {
            return Err(Error::io(target, "write", std::io::ErrorKind::IsADirectory.into()));
        }
        let key = self.key(format, about.zooms);
        let mut spool = Spool::open(target, &key, head_bytes)?;
        progress.resume(spool.stored().len() as u64);
        let resumed = spool.stored().len() as u64;
        // All ground that has points is looked for, not only that of the middle zooms, unless a picture ends somewhere.
        let sought = if pyramid.is_some() { ground } else { self.bounds.unwrap_or(Bounds::WORLD) };
        if let Err(error) = self.draw(&mut spool, about.zooms.first..=last, sought, encoding, progress) {
            spool.leave();
            return Err(error);
        }
        let exported = Exported {
            tiles: spool.stored().len() as u64,
            distinct: spool.distinct(),
            bytes: spool.tiles_bytes(),
            resumed,
        };
        match format {
            Format::PmTiles => pmtiles::finish(spool, target, &about),
            Format::MbTiles => mbtiles::finish(spool, target, &about),
            Format::Folder => folder::finish(spool, target, &about),
            Format::Cog => cog::finish(spool, target, pyramid.as_ref()),
        }?;
        Ok(exported)
    }

    /// Draws what is not drawn yet, from zoom to zoom.
    fn draw(
        &self,
        spool: &mut Spool,
        zooms: std::ops::RangeInclusive<u8>,
        ground: Bounds,
        encoding: Encoding,
        progress: &Progress,
    ) -> Result<()> {
        let query = Query {
            columns: self.layer.query().columns,
            ground: Ground::Globe,
            weights: self.style.aggregation != Aggregation::Count && self.style.blend == Blend::Add,
            stop: Some(progress.stopped()),
            ..self.query.clone()
        };
        let stopped = || if query.is_stopped() { Err(Error::Cancelled) } else { Ok(()) };
        let mut blocks = vec![Block::WORLD];
        let mut finished = spool.finished().to_vec();
        let mut seen = 0;
        for zoom in 0..=*zooms.end() {
            Block::sort(&mut blocks)?;
            let mut occupied = Vec::new();
            let left = |done: usize, occupied: usize| {
                // As many as here, of all that there could be, are expected further down.
                let share = if done == 0 { 1.0 } else { occupied as f64 / done as f64 };
                let mut deeper = blocks.len() as f64 * share;
                let mut left = (blocks.len() - done) as f64;
                for zoom in zoom + 1..=*zooms.end() {
                    deeper *= if Block::splits(zoom) { 4.0 } else { 1.0 };
                    left += deeper;
                }
                left as u64
            };
            if zooms.contains(&zoom) {
                // What an earlier run came to is what this one would, unless the spool is of something else after all.
                let before = &finished[seen.min(finished.len())..];
                let before = &before[..before.len().min(blocks.len())];
                if before.iter().zip(&blocks).any(|((before, _), block)| before != block) {
                    spool.restart()?;
                    finished.clear();
                    progress.resume(0);
                    return self.draw(spool, zooms, ground, encoding, progress);
                }
                let skipped = before.len();
                occupied.extend(before.iter().filter(|(_, is_occupied)| *is_occupied).map(|(block, _)| *block));
                seen += skipped;
                let todo = &blocks[skipped..];
                if !todo.is_empty() {
                    let painter = Painter::new(self, query.clone(), zoom, ground, encoding)?;
                    in_order(
                        todo.len(),
                        self.threads,
                        |job| painter.draw(todo[job]),
                        |job, drawn| {
                            stopped()?;
                            spool.push(todo[job], &drawn)?;
                            occupied.extend(drawn.is_occupied.then_some(todo[job]));
                            progress.advance(drawn.tiles.len() as u64, 1);
                            progress.expect(left(skipped + job + 1, occupied.len()));
                            Ok(())
                        },
                    )?;
                }
            } else {
                let prober = Prober::new(self, query.clone(), zoom, ground)?;
                in_order(
                    blocks.len(),
                    self.threads,
                    |job| prober.probe(blocks[job]),
                    |job, is_occupied| {
                        stopped()?;
                        occupied.extend(is_occupied.then_some(blocks[job]));
                        progress.advance(0, 1);
                        progress.expect(left(job + 1, occupied.len()));
                        Ok(())
                    },
                )?;
            }
            blocks = occupied.into_iter().flat_map(Block::children).collect();
        }
        Ok(())
    }

    /// What archives say of themselves.
    fn about(&self) -> Result<About<'_>> {
        /// The further a map is zoomed out, the further dots reach; so many zooms are looked after.
        const ZOOMS_OUT: u8 = 2;
        let Zooms { first, last } = self.zooms;
        let ground = self.bounds.unwrap_or_else(|| self.layer.bounds());
        let (lon, lat, zoom) = center(ground, TILE_PX, last);
        let zoom = zoom.max(first);
        let Bounds { west, south, east, north } = ground;
        let bounds_deg = if self.bounds.is_some() && -180.0 <= west && west < east && east <= 180.0 {
            [west, south, east, north]
        } else if self.bounds.is_some() {
            bounds_with_reach(ground, 0.0)
        } else {
            let widest = zoom.saturating_sub(ZOOMS_OUT).clamp(first, last);
            let tile = Canvas::tile(TileCoord::new(widest, 0, 0)?, TILE_PX)?;
            bounds_with_reach(ground, dot_reach(self.style.radius_px(&tile), TILE_PX, widest))
        };
        let weighted_by = self.layer.weight().map(|weight| format!(", weighted by {weight}")).unwrap_or_default();
        Ok(About {
            title: self.layer.title(),
            attribution: self.layer.attribution(),
            description: format!("{} points{weighted_by}", self.layer.points()),
            zooms: self.zooms,
            bounds_deg,
            center: (lon, lat, zoom),
        })
    }

    /// A text that is the same for the same tiles in the same format, and no others.
    fn key(&self, format: Format, zooms: Zooms) -> String {
        let Query { start_us, end_us, in_categories, polygon, .. } = &self.query;
        let Self { layer, style, bounds, .. } = self;
        let filter = format!("{start_us:?} {end_us:?} {in_categories:?} {polygon:?}");
        let colors = crc32fast::hash(style.palette().colors().as_flattened());
        let version = env!("CARGO_PKG_VERSION");
        let (name, points) = (layer.name(), layer.version());
        let (title, attribution) = (layer.title(), layer.attribution());
        format!(
            "{version} {format:?} {name} {points} {title:?} {attribution:?} {zooms} {bounds:?} {filter} {colors:08x} {style:?}"
        )
    }
}
