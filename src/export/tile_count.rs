//! The number of tiles of an export, before it starts.

use std::path::Path;

use super::block::Block;
use super::occupancy_probe::OccupancyProbe;
use super::tile_export::{TileExport, check_target};
use super::{Format, Progress};
use crate::error::Result;
use crate::geo::TileCover;

impl TileExport<'_> {
    /// An upper bound of the number of tiles: at the first zooms, the tiles of the blocks that have points within reach;
    /// each tile of a further zoom is one of four of a tile of the zoom before.
    ///
    /// # Errors
    /// As [`write`](Self::write), before anything is written.
    pub fn max_tiles(&self, target: &Path, format: Format, progress: &Progress) -> Result<u64> {
        /// Limits the time before an export starts.
        const MAX_PROBED_BLOCKS: usize = 1024;
        self.check()?;
        check_target(target, format)?;
        let plan = self.plan(format)?;
        let (query, bounds, zooms) = (self.scan_query(progress), plan.tile_bounds, plan.metadata.zooms.all());
        let (mut blocks, mut budget) = (vec![Block::WORLD], MAX_PROBED_BLOCKS);
        let (mut total, mut previous) = (0_u64, 1_u64);
        for zoom in 0..=*zooms.end() {
            let cover = TileCover::of(bounds, zoom);
            let covered = u64::from(cover.columns()) * cover.rows().len() as u64;
            let mut tiles = covered.min(previous.saturating_mul(4));
            if let Some(rest) = budget.checked_sub(blocks.len()) {
                budget = rest;
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
