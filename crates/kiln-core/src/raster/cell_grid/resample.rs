//! Area-weighted resampling of the cells of a grid level to the pixels of a canvas that are not aligned with them.
//!
//! The points of a cell are assumed to be distributed evenly in it, so each pixel gets the fraction of a cell that it
//! covers. Assigning each cell to the pixel of its center would cause moiré patterns: if cells are almost as wide as
//! pixels, every n-th pixel would get two of them.

use std::ops::Range;

use super::band_accumulator::BandAccumulator;
use super::{MAX_LEVEL, MIN_LEVEL};
use crate::geo::{Canvas, PlaneFrame, Projection};
use crate::simd::wide;

/// The resampling weights of a canvas: the fractions of cells that each pixel covers.
#[derive(Debug)]
pub struct Resampling {
    level: u32,
    columns: Overlaps,
    rows: Overlaps,
}

impl Resampling {
    /// The resampling for a canvas that a kernel of `radius_px` will smooth. The width of a cell adds at most 0.3 % to
    /// the spread of a Gaussian kernel of that radius, so the error of the peak of a single point is at most that.
    pub fn new(canvas: &Canvas, radius_px: f64) -> Self {
        Self::of(canvas, radius_px, true)
    }

    /// The resampling for a canvas on a plane, of the cells of `frame`; otherwise as [`new`](Self::new).
    pub fn on_plane(canvas: &Canvas, frame: PlaneFrame, radius_px: f64) -> Self {
        Self::of(&canvas.in_frame(frame), radius_px, false)
    }

    /// `wraps`: whether the world repeats to the east and west.
    fn of(canvas: &Canvas, radius_px: f64, wraps: bool) -> Self {
        // Cells are at most 1, 1/2, 1/4 pixel wide.
        let extra_levels = [12.0, 4.0].iter().filter(|&&min_radius| radius_px < min_radius).count() as u32;
        let [scale_x, scale_y] = canvas.scale();
        let level = (scale_x.max(scale_y).log2().ceil().max(0.0) as u32 + extra_levels).clamp(MIN_LEVEL, MAX_LEVEL);
        let cells = (1u64 << level) as f64;
        let [corner_x, corner_y] = canvas.origin();
        let [column, row] = canvas.offset();
        let column_edge = |cell: i64| (cell as f64 / cells - corner_x) * scale_x;
        let projection = canvas.projection();
        let row_edge = |cell: i64| {
            let y = cell as f64 / cells;
            let y = if projection == Projection::Mercator {
                y
            } else {
                projection.forward(0.0, Projection::Mercator.inverse(0.5, y).1).1
            };
            (y - corner_y) * scale_y
        };
        let world = if wraps { i64::MIN..i64::MAX } else { 0..1 << level };
        let columns = Overlaps::find(column, canvas.width(), world, column_edge);
        let rows = Overlaps::find(row, canvas.height(), 0..1 << level, row_edge);
        Self { level, columns, rows }
    }

    /// The number of canvas rows to process at a time, which bounds the memory of their cells.
    pub fn rows_at_a_time(&self) -> usize {
        const MAX_CELLS: u64 = 1 << 22;
        let rows = self.rows.starts.len() as u64;
        let cells = u64::from(self.columns.cells) * u64::from(self.rows.cells);
        (MAX_CELLS * rows / cells.max(1)).clamp(1, rows.max(1)) as usize
    }

    /// The cells that the canvas rows `rows` cover, as a canvas whose pixels are the cells, and those of its rows that
    /// no earlier row covers.
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

    /// Resamples the accumulated [`cells`](Self::cells) to the canvas rows `rows`.
    pub fn spread(
        &self,
        rows: &Range<u32>,
        accumulator: &BandAccumulator,
        counts: Option<&mut [f32]>,
        sums: Option<&mut [f32]>,
        max: Option<&mut [f32]>,
    ) {
        if let (Some(cells), Some(counts)) = (accumulator.counts(), counts) {
            self.spread_sums(rows, &cells, counts);
        }
        if let (Some(cells), Some(sums)) = (accumulator.sums(), sums) {
            self.spread_sums(rows, cells, sums);
        }
        if let (Some(cells), Some(max)) = (accumulator.max(), max) {
            self.spread_max(rows, cells, max);
        }
    }

    fn spread_sums(&self, rows: &Range<u32>, cells: &[f64], into: &mut [f32]) {
        let (width, first) = (self.columns.cells as usize, self.rows.of(rows).start);
        let mut line = vec![0.0; width];
        for (row, into) in rows.clone().zip(into.chunks_mut(self.columns.starts.len())) {
            line.fill(0.0);
            for (cell, fraction) in self.rows.fractions_of(row) {
                let start = (cell - first) as usize * width;
                add_scaled(&cells[start..start + width], fraction, &mut line);
            }
            weighted_sums(&line, &self.columns.starts, &self.columns.fractions, into);
        }
    }

    /// The maximum of the cells that a pixel covers at least half as much as the cell that it covers most.
    fn spread_max(&self, rows: &Range<u32>, cells: &[f32], into: &mut [f32]) {
        let (width, first) = (self.columns.cells as usize, self.rows.of(rows).start);
        for (row, into) in rows.clone().zip(into.chunks_mut(self.columns.starts.len())) {
            into.fill(f32::NEG_INFINITY);
            let min_row_fraction = self.rows.max_fraction(row) / 2.0;
            for (cell, _) in self.rows.fractions_of(row).filter(|(_, fraction)| *fraction >= min_row_fraction) {
                let start = (cell - first) as usize * width;
                let line = &cells[start..start + width];
                for (column, max) in into.iter_mut().enumerate() {
                    let min_fraction = self.columns.max_fraction(column as u32) / 2.0;
                    let covered = self.columns.fractions_of(column as u32);
                    let covered = covered.filter(|(_, fraction)| *fraction >= min_fraction);
                    *max = covered.fold(*max, |max, (cell, _)| max.max(line[cell as usize]));
                }
            }
        }
    }
}

/// The fractions of cells that each pixel of an axis covers.
#[derive(Debug)]
struct Overlaps {
    /// The first cell that any pixel covers.
    first: i64,
    /// The number of cells from `first` to the last that any pixel covers.
    cells: u32,
    /// For each pixel, the first cell that it covers, counted from `first`.
    starts: Vec<u32>,
    /// For each pixel, the first cell that the previous pixel does not cover.
    fresh: Vec<u32>,
    /// For each tap (cell from `starts` on) and each pixel, the fraction of the cell that the pixel covers.
    fractions: Vec<f64>,
}

impl Overlaps {
    /// The overlaps of the pixels `[offset, offset + pixels)` of a grid with the cells in `world`. `edge` returns the
    /// start of a cell in pixels of the grid.
    fn find(offset: i64, pixels: u32, world: Range<i64>, edge: impl Fn(i64) -> f64) -> Self {
        let clamp = |cell: i64| cell.clamp(world.start, world.end.saturating_sub(1));
        let mut cell = clamp(first_beyond(offset as f64, &edge) - 1);
        let mut found: Vec<(i64, bool, Vec<f64>)> = Vec::with_capacity(pixels as usize);
        for pixel in offset..offset + i64::from(pixels) {
            let [from, to] = [pixel as f64, (pixel + 1) as f64];
            while edge(cell + 1) <= from && world.contains(&(cell + 1)) {
                cell += 1;
            }
            let mut fractions = Vec::new();
            for cell in cell.. {
                let [start, end] = [edge(cell), edge(cell + 1)];
                let covered = end.min(to) - start.max(from);
                if !world.contains(&cell) || start >= to {
                    break;
                }
                fractions.push((covered / (end - start)).max(0.0));
            }
            found.push((cell, edge(cell) < from, fractions));
        }
        let first = found.first().map_or(0, |(start, ..)| *start);
        let end = found.iter().map(|(start, _, fractions)| start + fractions.len() as i64).max().unwrap_or(first);
        let taps = found.iter().map(|(.., fractions)| fractions.len()).max().unwrap_or(0).max(1);
        let cells = (end - first).max(taps as i64) as u32;
        let pixels = found.len();
        let mut overlaps =
            Self { first, cells, starts: vec![0; pixels], fresh: vec![0; pixels], fractions: vec![0.0; pixels * taps] };
        for (pixel, (start, starts_before, fractions)) in found.iter().enumerate() {
            let own = (start - first) as u32;
            let start = own.min(cells - taps as u32);
            overlaps.starts[pixel] = start;
            overlaps.fresh[pixel] = own + u32::from(*starts_before && !fractions.is_empty());
            for (tap, fraction) in fractions.iter().enumerate() {
                overlaps.fractions[((own - start) as usize + tap) * pixels + pixel] = *fraction;
            }
        }
        overlaps
    }

    fn taps(&self) -> u32 {
        (self.fractions.len() / self.starts.len().max(1)) as u32
    }

    /// The cells that `pixels` cover.
    fn of(&self, pixels: &Range<u32>) -> Range<u32> {
        match (pixels.is_empty(), self.starts.get(pixels.start as usize), self.starts.get(pixels.end as usize - 1)) {
            (false, Some(first), Some(last)) => *first..last + self.taps(),
            _ => 0..0,
        }
    }

    /// The cells that a pixel covers, and the fraction of each.
    fn fractions_of(&self, pixel: u32) -> impl Iterator<Item = (u32, f64)> {
        let start = self.starts[pixel as usize];
        let fractions = self.fractions.iter().skip(pixel as usize).step_by(self.starts.len());
        (start..).zip(fractions.copied()).filter(|(_, fraction)| *fraction > 0.0)
    }

    fn max_fraction(&self, pixel: u32) -> f64 {
        self.fractions_of(pixel).fold(0.0, |max, (_, fraction)| fraction.max(max))
    }
}

/// The first cell whose start, `edge`, is greater than `px`. `edge` must be increasing.
fn first_beyond(px: f64, edge: impl Fn(i64) -> f64) -> i64 {
    // Four times around the world at the finest level: no canvas extends further.
    let (mut low, mut high) = (-(1i64 << 34), 1i64 << 34);
    while low < high {
        let middle = low + (high - low) / 2;
        if edge(middle) > px { high = middle } else { low = middle + 1 }
    }
    low
}

wide! {
    fn add_scaled(values: &[f64], factor: f64, into: &mut [f64]) {
        for (into, &value) in into.iter_mut().zip(values) {
            *into += factor * value;
        }
    }
}

wide! {
    fn weighted_sums(line: &[f64], starts: &[u32], fractions: &[f64], into: &mut [f32]) {
        let pixels = starts.len();
        for (pixel, (into, &start)) in into.iter_mut().zip(starts).enumerate() {
            let fractions = fractions[pixel..].iter().step_by(pixels);
            let cells = line[start as usize..].iter().zip(fractions);
            *into = cells.fold(0.0, |sum, (value, fraction)| sum + fraction * value) as f32;
        }
    }
}
