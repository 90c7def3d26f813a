//! The walk over the blocks of all zooms, from the coarsest to the finest.

use std::ops::RangeInclusive;

use super::Progress;
use super::block::Block;
use super::export_journal::ExportJournal;
use super::in_order::in_order;
use super::occupancy_probe::OccupancyProbe;
use super::tile_renderer::{Encoding, TileRenderer};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::layer::{Layer, Style};
use crate::source::Query;

/// The walk over the blocks of all zooms. Below a block without points within reach nothing is visited.
pub(super) struct PyramidWalk<'a> {
    pub(super) layer: &'a Layer,
    pub(super) query: Query<'a>,
    pub(super) style: &'a Style,
    /// The zooms that are rendered; the coarser ones are only probed.
    pub(super) zooms: RangeInclusive<u8>,
    pub(super) bounds: Bounds,
    pub(super) encoding: Encoding,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
}

impl PyramidWalk<'_> {
    /// Renders the blocks that the journal lacks.
    pub(super) fn render_missing(&self, journal: &mut ExportJournal) -> Result<()> {
        let finished = journal.finished().to_vec();
        let mut finished = &finished[..];
        let mut blocks = vec![Block::WORLD];
        for zoom in 0..=*self.zooms.end() {
            Block::sort(&mut blocks)?;
            let occupied = if self.zooms.contains(&zoom) {
                let (before, deeper) = finished.split_at(finished.len().min(blocks.len()));
                // The key of the journal promises the same blocks. If a key missed a difference, all blocks are rendered again.
                if before.iter().zip(&blocks).any(|((before, _), block)| before != block) {
                    journal.restart()?;
                    self.progress.resume(0);
                    return self.render_missing(journal);
                }
                finished = deeper;
                self.render(zoom, &blocks, before, journal)?
            } else {
                self.probe(zoom, &blocks)?
            };
            blocks = occupied.into_iter().flat_map(Block::children).collect();
        }
        Ok(())
    }

    /// Renders those blocks of a zoom that come after the finished ones, and returns the occupied ones.
    fn render(
        &self,
        zoom: u8,
        blocks: &[Block],
        finished: &[(Block, bool)],
        journal: &mut ExportJournal,
    ) -> Result<Vec<Block>> {
        let mut occupied: Vec<Block> =
            finished.iter().filter(|(_, is_occupied)| *is_occupied).map(|(block, _)| *block).collect();
        let missing = &blocks[finished.len()..];
        if missing.is_empty() {
            return Ok(occupied);
        }
        let query = self.query.clone();
        let renderer =
            TileRenderer::new(self.layer, query, self.style, zoom, self.bounds, self.encoding, self.threads)?;
        in_order(
            missing.len(),
            self.threads,
            |index| renderer.render(missing[index]),
            |index, result| {
                self.check_stopped()?;
                journal.append(missing[index], &result)?;
                occupied.extend(result.is_occupied.then_some(missing[index]));
                self.progress.advance(result.tiles.len() as u64, 1);
                self.estimate_rest(zoom, blocks.len(), finished.len() + index + 1, occupied.len());
                Ok(())
            },
        )?;
        Ok(occupied)
    }

    /// Returns the occupied blocks of a zoom that is not rendered.
    fn probe(&self, zoom: u8, blocks: &[Block]) -> Result<Vec<Block>> {
        let mut occupied = Vec::new();
        let probe = OccupancyProbe::new(self.layer, self.query.clone(), self.style, zoom, self.bounds)?;
        in_order(
            blocks.len(),
            self.threads,
            |index| probe.is_occupied(blocks[index]),
            |index, is_occupied| {
                self.check_stopped()?;
                occupied.extend(is_occupied.then_some(blocks[index]));
                self.progress.advance(0, 1);
                self.estimate_rest(zoom, blocks.len(), index + 1, occupied.len());
                Ok(())
            },
        )?;
        Ok(occupied)
    }

    fn check_stopped(&self) -> Result<()> {
        if self.query.is_stopped() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Reports about how many blocks are left: at deeper zooms the same share of the blocks is expected to be occupied as of the
    /// blocks that are done.
    fn estimate_rest(&self, zoom: u8, blocks: usize, done: usize, occupied: usize) {
        let mut deeper = blocks as f64 * occupied as f64 / done as f64;
        let mut left = (blocks - done) as f64;
        for zoom in zoom + 1..=*self.zooms.end() {
            deeper *= if Block::splits(zoom) { 4.0 } else { 1.0 };
            left += deeper;
        }
        self.progress.expect(left as u64);
    }
}
