//! Cells of a level spread over the pixels of a canvas whose pixels are not cells.
//!
//! A cell's points are taken to lie evenly in it, so each pixel gets the share of a cell that it covers. Placed whole, by
//! their middles, cells would make ripples: of cells that are almost as wide as pixels, every so many pixels would get two.

use std::ops::Range;

use super::band_accumulator::BandAccumulator;
use super::{MAX_LEVEL, MIN_LEVEL};
use crate::geo::{Canvas, Projection};
use crate::simd::wide;

/// Which cells each pixel covers, and how much of them.
#[derive(Debug)]
pub struct Resampling {
    level: u32,
    columns: Overlaps,
    rows: Overlaps,
}

impl Resampling {
    /// For a canvas whose cells will be smoothed by a kernel of `radius_px`. Beside a Gaussian of that radius the width of a
    /// cell adds no more than 0.3 % to an even spread, so that the peak of a lone point is right within that.
    pub fn new(canvas: &Canvas, radius_px: f64) -> Self {
        // Cells are at most 1, 1/2, 1/4 pixel wide.
        let finer = [12.0, 4.0].iter().filter(|&&least| radius_px < least).count() as u32;
        let [across, down] = canvas.scale();
        let level = (across.max(down).log2().ceil().max(0.0) as u32 + finer).clamp(MIN_LEVEL, MAX_LEVEL);
        let cells = (1u64 << level) as f64;
        let [corner_x, corner_y] = canvas.origin();
        let [column, row] = canvas.offset();
        let column_edge = |cell: i64| (cell as f64 / cells - corner_x) * across;
        let projection = canvas.projection();
        let row_edge = |cell: i64| {
            let y = cell as f64 / cells;
            let y = if projection == Projection::Mercator {
                y
            } else {
                projection.forward(0.0, Projection::Mercator.inverse(0.5, y).1).1
            };
            (y - corner_y) * down
        };
        let columns = Overlaps::find(column, canvas.width(), i64::MIN..i64::MAX, column_edge);
        let rows = Overlaps::find(row, canvas.height(), 0..1 << level, row_edge);
        Self { level, columns, rows }
    }

    /// How many rows of the canvas may be worked on together, so that their cells do not need much memory.
    pub fn rows_at_a_time(&self) -> usize {
        const MOST_CELLS: u64 = 1 << 22;
        let rows = self.rows.starts.len() as u64;
        let cells = u64::from(self.columns.cells) * u64::from(self.rows.cells);
        (MOST_CELLS * rows / cells.max(1)).clamp(1, rows.max(1)) as usize
    }

    /// The cells that some rows of the canvas cover, as a canvas whose pixels they are, and those of its rows that no earlier
    /// row of the canvas covers.
    pub fn cells(&self, rows: Range<u32>) -> (Canvas, Range<u32>) {
        let Self { level, columns, rows: all } = self;
        let cells = all.of(&rows);
        let height = cells.end - cells.start;
        let canvas =
            Canvas::from_cells(*level, columns.first, all.first + i64::from(cells.start), columns.cells, height.max(1));
        let fresh = |row: u32| all.fresh.get(row as usize).copied().unwrap_or(all.cells).max(cells.start) - cells.start;
        let first = if rows.start == 0 { 0 } else { fresh(rows.start) };
        (canvas, first..fresh(rows.end).min(height))
    }

    /// Spreads what [`Self::cells`] hold over the rows of the canvas.
    pub fn spread(
        &self,
        rows: &Range<u32>,
        accumulator: &BandAccumulator,
        counts: Option<&mut [f32]>,
        sums: Option<&mut [f32]>,
        max: Option<&mut [f32]>,
    ) {
        if let (Some(kept), Some(counts)) = (accumulator.counts(), counts) {
            let kept: Vec<f64> = kept.iter().map(|&count| f64::from(count)).collect();
            self.spread_sums(rows, &kept, counts);
        }
        if let (Some(kept), Some(sums)) = (accumulator.sums(), sums) {
            self.spread_sums(rows, kept, sums);
        }
        if let (Some(kept), Some(max)) = (accumulator.max(), max) {
            self.spread_max(rows, kept, max);
        }
    }

    fn spread_sums(&self, rows: &Range<u32>, kept: &[f64], into: &mut [f32]) {
        let (width, first) = (self.columns.cells as usize, self.rows.of(rows).start);
        let mut line = vec![0.0; width];
        for (row, into) in rows.clone().zip(into.chunks_mut(self.columns.starts.len())) {
            line.fill(0.0);
            for (cell, share) in self.rows.shares_of(row) {
                let start = (cell - first) as usize * width;
                add_share(&kept[start..start + width], share, &mut line);
            }
            take_shares(&line, &self.columns.starts, &self.columns.shares, into);
        }
    }

    /// The greatest of the cells that lie in a pixel by half or more.
    fn spread_max(&self, rows: &Range<u32>, kept: &[f32], into: &mut [f32]) {
        let (width, first) = (self.columns.cells as usize, self.rows.of(rows).start);
        for (row, into) in rows.clone().zip(into.chunks_mut(self.columns.starts.len())) {
            into.fill(f32::NEG_INFINITY);
            let row_half = self.rows.greatest_share(row) / 2.0;
            for (cell, _) in self.rows.shares_of(row).filter(|(_, share)| *share >= row_half) {
                let start = (cell - first) as usize * width;
                let line = &kept[start..start + width];
                for (column, most) in into.iter_mut().enumerate() {
                    let half = self.columns.greatest_share(column as u32) / 2.0;
                    let cells = self.columns.shares_of(column as u32).filter(|(_, share)| *share >= half);
                    *most = cells.fold(*most, |most, (cell, _)| most.max(line[cell as usize]));
                }
            }
        }
    }
}

/// Which cells each pixel of an axis covers, and how much of them.
#[derive(Debug)]
struct Overlaps {
    /// The first cell that a pixel covers, and how many cells there are from there on.
    first: i64,
    cells: u32,
    /// For each pixel the first cell that it covers, counted from `first`.
    starts: Vec<u32>,
    /// For each pixel the first cell that the pixel before it does not cover.
    fresh: Vec<u32>,
    /// For each of the cells from `starts` on, and each pixel, the share of the cell that the pixel covers.
    shares: Vec<f64>,
}

impl Overlaps {
    /// For the pixels `[offset, offset + pixels)` of a grid, and cells that begin where `edge` says in pixels of it, as far as
    /// they are in `world`.
    fn find(offset: i64, pixels: u32, world: Range<i64>, edge: impl Fn(i64) -> f64) -> Self {
        let clamp = |cell: i64| cell.clamp(world.start, world.end.saturating_sub(1));
        let mut cell = clamp(first_beyond(offset as f64, &edge) - 1);
        let mut found: Vec<(i64, bool, Vec<f64>)> = Vec::with_capacity(pixels as usize);
        for pixel in offset..offset + i64::from(pixels) {
            let [from, to] = [pixel as f64, (pixel + 1) as f64];
            while edge(cell + 1) <= from && world.contains(&(cell + 1)) {
                cell += 1;
            }
            let mut shares = Vec::new();
            for cell in cell.. {
                let [start, end] = [edge(cell), edge(cell + 1)];
                let covered = end.min(to) - start.max(from);
                if !world.contains(&cell) || start >= to {
                    break;
                }
                shares.push((covered / (end - start)).max(0.0));
            }
            found.push((cell, edge(cell) < from, shares));
        }
        let first = found.first().map_or(0, |(start, ..)| *start);
        let end = found.iter().map(|(start, _, shares)| start + shares.len() as i64).max().unwrap_or(first);
        let taps = found.iter().map(|(.., shares)| shares.len()).max().unwrap_or(0).max(1);
        let cells = (end - first).max(taps as i64) as u32;
        let pixels = found.len();
        let mut overlaps =
            Self { first, cells, starts: vec![0; pixels], fresh: vec![0; pixels], shares: vec![0.0; pixels * taps] };
        for (pixel, (start, began, shares)) in found.iter().enumerate() {
            let own = (start - first) as u32;
            let start = own.min(cells - taps as u32);
            overlaps.starts[pixel] = start;
            overlaps.fresh[pixel] = own + u32::from(*began && !shares.is_empty());
            for (tap, share) in shares.iter().enumerate() {
                overlaps.shares[((own - start) as usize + tap) * pixels + pixel] = *share;
            }
        }
        overlaps
    }

    fn taps(&self) -> u32 {
        (self.shares.len() / self.starts.len().max(1)) as u32
    }

    /// The cells that some pixels cover.
    fn of(&self, pixels: &Range<u32>) -> Range<u32> {
        match (pixels.is_empty(), self.starts.get(pixels.start as usize), self.starts.get(pixels.end as usize - 1)) {
            (false, Some(first), Some(last)) => *first..last + self.taps(),
            _ => 0..0,
        }
    }

    /// The cells that a pixel covers, and how much of them.
    fn shares_of(&self, pixel: u32) -> impl Iterator<Item = (u32, f64)> {
        let start = self.starts[pixel as usize];
        let shares = self.shares.iter().skip(pixel as usize).step_by(self.starts.len());
        (start..).zip(shares.copied()).filter(|(_, share)| *share > 0.0)
    }

    fn greatest_share(&self, pixel: u32) -> f64 {
        self.shares_of(pixel).fold(0.0, |most, (_, share)| share.max(most))
    }
}

/// The first cell that begins beyond `px`, where cells begin at rising places.
fn first_beyond(px: f64, edge: impl Fn(i64) -> f64) -> i64 {
    // Four times around the world of the finest cells: farther out is no canvas.
    let (mut low, mut high) = (-(1i64 << 34), 1i64 << 34);
    while low < high {
        let middle = low + (high - low) / 2;
        if edge(middle) > px { high = middle } else { low = middle + 1 }
    }
    low
}

wide! {
    fn add_share(values: &[f64], share: f64, into: &mut [f64]) {
        for (into, &value) in into.iter_mut().zip(values) {
            *into += share * value;
        }
    }
}

wide! {
    fn take_shares(line: &[f64], starts: &[u32], shares: &[f64], into: &mut [f32]) {
        let pixels = starts.len();
        for (pixel, (into, &start)) in into.iter_mut().zip(starts).enumerate() {
            let shares = shares[pixel..].iter().step_by(pixels);
            let sum = line[start as usize..].iter().zip(shares).fold(0.0, |sum, (value, share)| sum + share * value);
            *into = sum as f32;
        }
    }
}
