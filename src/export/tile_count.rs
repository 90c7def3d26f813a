//! The number of tiles of an export, before it starts.

use std::path::Path;

use super::block::Block;
use super::occupancy_probe::OccupancyProbe;
use super::tile_export::{TileExport, check_target};
use super::{Format, Progress};
use crate::error::Result;
use crate::geo::TileCover;

impl TileExport<'_> {
    /// An upper bound of the number of tiles: the tiles of the blocks that have points within reach, at zooms of up to
    /// a few thousand blocks; each tile of a further zoom is one of four of a tile of the zoom before.
    ///
    /// # Errors
    /// As [`write`](Self::write), before anything is written.
    pub fn max_tiles(&self, target: &Path, format: Format, progress: &Progress) -> Result<u64> {
        /// Probing them takes less time than rendering a hundred of them.
        const MAX_PROBED_BLOCKS: usize = 4096;
        self.check()?;
        check_target(target, format)?;
        let plan = self.plan(format)?;
        let (query, bounds, zooms) = (self.scan_query(progress), plan.tile_bounds, plan.metadata.zooms.all());
        let mut blocks = vec![Block::WORLD];
        let (mut total, mut previous) = (0_u64, 1_u64);
        for zoom in 0..=*zooms.end() {
            let cover = TileCover::of(bounds, zoom);
            let covered = u64::from(cover.columns()) * cover.rows().len() as u64;
            let mut tiles = covered.min(previous.saturating_mul(4));
            if !blocks.is_empty() && blocks.len() <= MAX_PROBED_BLOCKS {
                let probe = OccupancyProbe::new(self.layer, query.clone(), &self.style, zoom, bounds)?;
                let (mut occupied, mut probed) = (Vec::new(), 0);
                for block in blocks {
                    if probe.is_occupied(block)? {
                        probed += block.tiles(&cover)?.len() as u64;
                        occupied.push(block);
                    }
                }
                tiles = tiles.min(probed);
                blocks = occupied.into_iter().flat_map(Block::children).collect();
            }
            if zooms.contains(&zoom) {
                total = total.saturating_add(tiles);
            }
            previous = tiles;
        }
        Ok(total)
    }
}
