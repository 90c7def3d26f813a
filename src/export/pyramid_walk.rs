//! A traversal of the blocks of all zooms, from the coarsest to the finest.

use std::ops::RangeInclusive;

use super::Progress;
use super::block::Block;
use super::export_journal::ExportJournal;
use super::occupancy_probe::OccupancyProbe;
use super::tile_renderer::{Encoding, TileRenderer};
use crate::error::{Error, Result};
use crate::geo::Bounds;
use crate::in_order::in_order;
use crate::layer::{Layer, Style};
use crate::source::Query;

/// A traversal of the blocks of all zooms. Blocks below one without points within reach are not visited.
pub(super) struct PyramidWalk<'a> {
    pub(super) layer: &'a Layer,
    pub(super) query: Query<'a>,
    pub(super) style: &'a Style,
    /// The zooms to render; lower zooms are only probed.
    pub(super) zooms: RangeInclusive<u8>,
    pub(super) bounds: Bounds,
    pub(super) encoding: Encoding,
    pub(super) threads: usize,
    pub(super) progress: &'a Progress,
}

impl PyramidWalk<'_> {
    /// Renders the blocks that are not in the journal.
    pub(super) fn render_missing(&self, journal: &mut ExportJournal) -> Result<()> {
        let finished = journal.finished().to_vec();
        let mut finished = &finished[..];
        let mut blocks = vec![Block::WORLD];
        for zoom in 0..=*self.zooms.end() {
            Block::sort(&mut blocks)?;
            let occupied = if self.zooms.contains(&zoom) {
                let (this_zoom, higher_zooms) = finished.split_at(finished.len().min(blocks.len()));
                // Journals with the same key should have the same blocks. If they do not, all blocks are rendered
                // again.
                if this_zoom.iter().zip(&blocks).any(|((journaled, _), block)| journaled != block) {
                    journal.restart()?;
                    self.progress.resume(0);
                    return self.render_missing(journal);
                }
                finished = higher_zooms;
                self.render(zoom, &blocks, this_zoom, journal)?
            } else {
                self.probe(zoom, &blocks)?
            };
            blocks = occupied.into_iter().flat_map(Block::children).collect();
        }
        Ok(())
    }

    /// Renders the blocks of a zoom after the finished ones, and returns all occupied blocks of the zoom.
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
                self.estimate_remaining(zoom, blocks.len(), finished.len() + index + 1, occupied.len());
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
                self.estimate_remaining(zoom, blocks.len(), index + 1, occupied.len());
                Ok(())
            },
        )?;
        Ok(occupied)
    }

    fn check_stopped(&self) -> Result<()> {
        if self.query.is_stopped() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Estimates the number of remaining blocks, and reports it to the progress. At higher zooms, the same share of the
    /// blocks is assumed to be occupied as of the finished blocks.
    fn estimate_remaining(&self, zoom: u8, blocks: usize, done: usize, occupied: usize) {
        let mut at_zoom = blocks as f64 * occupied as f64 / done as f64;
        let mut remaining = (blocks - done) as f64;
        for zoom in zoom + 1..=*self.zooms.end() {
            at_zoom *= if Block::splits(zoom) { 4.0 } else { 1.0 };
            remaining += at_zoom;
        }
        self.progress.expect(remaining as u64);
    }
}
