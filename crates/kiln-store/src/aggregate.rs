//! Aggregation of points per cell of a canvas: from blocks where there are many points, one by one where there are few.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bins::BinColumns;
use super::blocks::{BlockCells, CELLS_PER_BLOCK, CellColumns, MAX_LEVEL, SIDE_BITS};
use super::filter::Filter;
use super::numbers::NumberSlice;
use super::segment::Segment;
use kiln_core::error::{Error, Result};
use kiln_core::geo::morton::{self, KEY_BITS};
use kiln_core::geo::{Canvas, CellMapper, Frame, Points};
use kiln_core::parallel::for_each;
use kiln_core::raster::cell_grid::{
    AlignedBand, BandAccumulator, CellCount, CellSums, CellToPixelMap, ColumnMap, MAX_EXACT_POINTS, Resampling, RowMap,
};
use kiln_core::raster::{Cells, Grid, Reduction};
use kiln_core::simd::wide;

/// The parameters of an aggregation.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellRequest<'a> {
    pub(super) canvas: &'a Canvas,
    /// The frame of the points.
    pub(super) frame: Frame,
    pub(super) reduction: Reduction,
    /// Whether weights are used; if not, every point weighs 1.
    pub(super) weights: bool,
    /// The radius of the kernel that will smooth the cells, in pixels.
    pub(super) radius_px: f64,
    /// Whether rows stand for many points each.
    pub(super) bins: bool,
    pub(super) stop: Option<&'a AtomicBool>,
}

impl CellRequest<'_> {
    fn accumulator(&self, width: u32, height: u32) -> BandAccumulator {
        let accumulator = BandAccumulator::new(self.reduction, width, height);
        if self.bins { accumulator.with_wide_counts() } else { accumulator }
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}

/// The number of points whose pixels are computed at a time.
const CHUNK: usize = 1024;

/// A range of rows of the canvas, with its cells.
struct CanvasPart<'a> {
    rows: Range<u32>,
    counts: Option<&'a mut [f32]>,
    sums: Option<&'a mut [f32]>,
    max: Option<&'a mut [f32]>,
}

/// Aggregates the points of segments, each with an optional filter, per cell of the canvas. `points` is the total
/// number of points.
///
/// Each canvas row is processed by a single thread, so the summation order within a cell does not depend on the number
/// of threads.
pub(super) fn aggregate(
    segments: &[(&Segment, Option<Filter<'_>>)],
    request: CellRequest<'_>,
    points: u64,
    threads: usize,
) -> Result<Cells> {
    /// Parts per thread, because points are distributed unevenly.
    const PARTS_PER_THREAD: usize = 8;
    let canvas = request.canvas;
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let grid = |is_needed: bool, empty: f32| is_needed.then(|| Grid::filled(width, height, empty));
    let mut counts = grid(matches!(request.reduction, Reduction::Count | Reduction::CountAndSum), 0.0);
    let mut sums = grid(matches!(request.reduction, Reduction::Sum | Reduction::CountAndSum), 0.0);
    let mut max = grid(request.reduction == Reduction::Max, f32::NEG_INFINITY);
    let pixel_map = match request.frame {
        Frame::Mercator => CellToPixelMap::new(canvas),
        Frame::Plane(frame) => CellToPixelMap::on_plane(canvas, frame),
    };
    let resampling = (!pixel_map.is_aligned() && points > MAX_EXACT_POINTS).then(|| match request.frame {
        Frame::Mercator => Resampling::new(canvas, request.radius_px),
        Frame::Plane(frame) => Resampling::on_plane(canvas, frame, request.radius_px),
    });
    let max_rows = resampling.as_ref().map_or(height, Resampling::rows_at_a_time);
    let part_rows = if threads > 1 { height.div_ceil(threads * PARTS_PER_THREAD) } else { height }.min(max_rows);
    let inside = AtomicU64::new(0);
    {
        let mut rest = [&mut counts, &mut sums, &mut max].map(|grid| grid.as_mut().map(Grid::cells_mut));
        let parts = pixel_map.bands(part_rows as u32).into_iter().map(|rows| {
            let [counts, sums, max] = rest.each_mut().map(|rest| {
                let (part, others) = rest.take()?.split_at_mut(rows.len() * width);
                *rest = Some(others);
                Some(part)
            });
            CanvasPart { rows, counts, sums, max }
        });
        let sum = |pixel_map: &CellToPixelMap,
                   rows: Range<u32>,
                   accumulator: &mut BandAccumulator,
                   exact: Option<&CellMapper>| {
            for (segment, filter) in segments {
                let band = rows.clone();
                QuadtreeWalk::new(segment, filter.as_ref(), request, pixel_map, band, accumulator, exact).run();
            }
            inside.fetch_add(accumulator.inside, Ordering::Relaxed);
        };
        for_each(parts, threads, |CanvasPart { rows, counts, sums, max }| {
            if let Some(resampling) = &resampling {
                let (cells, fresh) = resampling.cells(rows.clone());
                let mut accumulator = request.accumulator(cells.width(), cells.height());
                accumulator.count_only(fresh);
                sum(&CellToPixelMap::new(&cells), 0..cells.height(), &mut accumulator, None);
                resampling.spread(&rows, &accumulator, counts, sums, max);
            } else {
                let mut accumulator = request.accumulator(canvas.width(), rows.end - rows.start);
                let exact = request.frame.plane().map(|_| CellMapper::new(&canvas.band(rows.clone())));
                sum(&pixel_map, rows, &mut accumulator, exact.as_ref());
                accumulator.write_to(counts, sums, max);
            }
        });
    }
    if request.is_stopped() {
        return Err(Error::Cancelled);
    }
    let weighted = request.weights && segments.iter().any(|(segment, _)| segment.points.is_weighted());
    let inside = inside.into_inner();
    Ok(Cells { width, height, counts, sums, max, points, inside, weighted })
}

/// Traverses the quadtree of a segment over the nodes that are visible in `band`, a range of rows of a canvas.
struct QuadtreeWalk<'a> {
    segment: &'a Segment,
    filter: Option<&'a Filter<'a>>,
    request: CellRequest<'a>,
    pixel_map: &'a CellToPixelMap,
    rows: RowMap,
    band: Range<u32>,
    accumulator: &'a mut BandAccumulator,
    /// On a plane without resampling, maps positions to the pixels of the band, as for points in memory.
    exact: Option<&'a CellMapper>,
}

/// A copy of the world on the canvas.
struct WorldCopy {
    columns: ColumnMap,
    /// A faster mapping, if pixels are cells.
    aligned: Option<AlignedBand>,
    /// The visible cells: columns `[first, end)`, rows `[first, end)`.
    window: [[u64; 2]; 2],
}

impl<'a> QuadtreeWalk<'a> {
    fn new(
        segment: &'a Segment,
        filter: Option<&'a Filter<'a>>,
        request: CellRequest<'a>,
        pixel_map: &'a CellToPixelMap,
        band: Range<u32>,
        accumulator: &'a mut BandAccumulator,
        exact: Option<&'a CellMapper>,
    ) -> Self {
        Self { segment, filter, request, pixel_map, rows: pixel_map.rows(band.clone()), band, accumulator, exact }
    }

    fn run(&mut self) {
        for &turn in &self.pixel_map.turns {
            let window = self.pixel_map.cell_window(turn, self.band.clone());
            let columns = self.pixel_map.columns(turn);
            let copy = WorldCopy { columns, aligned: AlignedBand::of(&columns, &self.rows), window };
            self.node(&copy, 0, 0, self.segment.all());
        }
    }

    /// Adds the node `key` at `depth` with the points `rows`.
    fn node(&mut self, copy: &WorldCopy, depth: u32, key: u64, rows: Range<u64>) {
        /// The number of rows up to which filtering one by one is faster than splitting by location.
        const FILTERED_ROWS: u64 = 1 << 14;
        if rows.is_empty() || self.request.is_stopped() {
            return;
        }
        let Some(is_fully_visible) = self.visibility(copy, depth, key) else { return };
        let count = rows.end - rows.start;
        let level = self.pixel_map.level;
        if let Some(filter) = self.filter {
            if is_fully_visible || count <= FILTERED_ROWS || depth == level {
                self.filtered(copy, filter, rows);
                return;
            }
        } else if count <= CELLS_PER_BLOCK {
            self.points(copy, rows);
            return;
        } else if depth + SIDE_BITS == level {
            let block = self.segment.blocks.as_ref().and_then(|blocks| blocks.cells(blocks.find(level, key)?));
            match block {
                // The cells of the finest level are the positions of points, unless there are more exact ones.
                Some(_) if self.exact.is_some() && self.segment.points.has_exact_positions() => self.points(copy, rows),
                Some(BlockCells::Narrow(cells)) => self.block(copy, key, cells, count),
                Some(BlockCells::Wide(cells)) => self.block(copy, key, cells, count),
                None => self.points(copy, rows),
            }
            return;
        }
        for child in key << 2..(key << 2) + 4 {
            if self.visibility(copy, depth + 1, child).is_some() {
                let rows = self.rows_of(depth + 1, child, &rows);
                self.node(copy, depth + 1, child, rows);
            }
        }
    }

    /// Whether a node is fully visible; `None` if it is not visible at all.
    fn visibility(&self, copy: &WorldCopy, depth: u32, key: u64) -> Option<bool> {
        let (x, y) = morton::decode(key);
        let side_bits = self.pixel_map.level - depth;
        let mut is_fully_visible = true;
        for (at, [first, end]) in [x, y].into_iter().zip(copy.window) {
            let start = u64::from(at) << side_bits;
            let node_end = (u64::from(at) + 1) << side_bits;
            if start >= end || node_end <= first {
                return None;
            }
            is_fully_visible &= start >= first && node_end <= end;
        }
        Some(is_fully_visible)
    }

    /// The rows of the node `key` at `depth`, within the rows of its parent.
    fn rows_of(&self, depth: u32, key: u64, within: &Range<u64>) -> Range<u64> {
        let blocks = self.segment.blocks.as_ref();
        if let Some(block) = blocks.and_then(|blocks| blocks.find(depth + SIDE_BITS, key)) {
            return block.rows();
        }
        let points = &self.segment.points;
        let shift = KEY_BITS - 2 * depth;
        let start = points.first_at(key << shift, within.clone());
        let is_last = (key + 1) >> (2 * depth) != 0;
        let end = if is_last { within.end } else { points.first_at((key + 1) << shift, start..within.end) };
        start..end
    }

    /// Adds the cells of a block of `rows` rows.
    fn block<N: CellCount>(&mut self, copy: &WorldCopy, key: u64, cells: CellColumns<'_, N>, rows: u64) {
        const SIDE: usize = 1 << SIDE_BITS;
        const CELLS: usize = SIDE * SIDE;
        let (x, y) = morton::decode(key);
        let points =
            if self.request.bins { cells.n.iter().fold(0u64, |sum, &n| sum.saturating_add(n.into())) } else { rows };
        let sums = CellSums { n: cells.n, weights: cells.weights.filter(|_| self.request.weights) };
        if let Some(mapper) = self.exact {
            let unit = |cell: &u16| {
                (x << SIDE_BITS | u32::from(*cell) & 63, y << SIDE_BITS | u32::from(*cell) >> SIDE_BITS & 63)
            };
            let positions = cells.cell.iter().map(unit).map(|(x, y)| self.request.frame.position(x, y));
            let (lon, lat): (Vec<f64>, Vec<f64>) = positions.unzip();
            let mut at = Vec::with_capacity(lon.len());
            mapper.map(0, Points::new(&lon, &lat).unwrap_or_default(), |_, cells| at.extend_from_slice(cells));
            self.accumulator.add_cells(&at, sums);
            return;
        }
        let first_cell = copy.aligned.as_ref().and_then(|aligned| aligned.block(x << SIDE_BITS, y << SIDE_BITS));
        if first_cell.is_some_and(|first| self.accumulator.add_whole_block(first, cells.cell, sums, points)) {
            return;
        }
        let columns: [u32; SIDE] = std::array::from_fn(|i| copy.columns.at(x << SIDE_BITS | i as u32));
        let rows: [u32; SIDE] = std::array::from_fn(|i| self.rows.at(y << SIDE_BITS | i as u32));
        let mut at = [0; CELLS];
        let count = cells.cell.len().min(CELLS);
        block_cells(&cells.cell[..count], &columns, &rows, self.accumulator.outside(), &mut at[..count]);
        self.accumulator.add_cells(&at[..count], sums);
    }

    fn points(&mut self, copy: &WorldCopy, rows: Range<u64>) {
        let (mut lon, mut lat) = (Vec::new(), Vec::new());
        for (batch, range) in self.segment.points.batch_ranges(rows) {
            if let Some(bins) = &batch.bins {
                self.add_bins(copy, &batch.x[range.clone()], &batch.y[range.clone()], bins.slice(range));
                continue;
            }
            let weight = batch.weight.as_ref().filter(|_| self.request.weights).map(|weight| &weight[range.clone()]);
            if let Some(mapper) = self.exact {
                batch.positions(range, &mut lon, &mut lat);
                self.add_exact(mapper, &lon, &lat, weight);
            } else {
                self.add(copy, &batch.x[range.clone()], &batch.y[range], weight);
            }
        }
    }

    fn filtered(&mut self, copy: &WorldCopy, filter: &Filter<'_>, rows: Range<u64>) {
        let points = &self.segment.points;
        let mut selected = super::filter::SelectedPoints::default();
        let (mut lon, mut lat) = (Vec::new(), Vec::new());
        let (mut n, mut sum, mut max) = (Vec::new(), Vec::new(), Vec::new());
        for (batch, range) in points.batch_ranges(rows) {
            if self.request.is_stopped() {
                return;
            }
            filter.select(batch, range, self.request.weights, &mut selected, |selected| {
                if let Some(bins) = &batch.bins {
                    bins.gather(selected.rows.iter().map(|&row| row as usize), &mut n, &mut sum, &mut max);
                    let weights = bins.weights.is_some().then_some((&*sum, &*max));
                    self.add_bins(copy, &selected.x, &selected.y, BinColumns { n: NumberSlice::U64(&n), weights });
                    return;
                }
                let weight = (!selected.weight.is_empty()).then_some(&*selected.weight);
                if let Some(mapper) = self.exact {
                    batch.positions(selected.rows.iter().map(|&row| row as usize), &mut lon, &mut lat);
                    self.add_exact(mapper, &lon, &lat, weight);
                } else {
                    self.add(copy, &selected.x, &selected.y, weight);
                }
            });
        }
    }

    /// Adds points by their exact positions.
    fn add_exact(&mut self, mapper: &CellMapper, lon: &[f64], lat: &[f64], weight: Option<&[f32]>) {
        mapper.map(0, Points::new(lon, lat).unwrap_or_default(), |start, at| {
            self.accumulator.add_points(at, weight.map(|weight| &weight[start..start + at.len()]));
        });
    }

    /// Adds points by their locations.
    fn add(&mut self, copy: &WorldCopy, x: &[u32], y: &[u32], weight: Option<&[f32]>) {
        let mut at = [0; CHUNK];
        for (i, (x, y)) in x.chunks(CHUNK).zip(y.chunks(CHUNK)).enumerate() {
            let at = &mut at[..x.len()];
            self.locate(copy, x, y, at);
            let weight = weight.map(|weight| &weight[i * CHUNK..i * CHUNK + x.len()]);
            self.accumulator.add_points(at, weight);
        }
    }

    /// Adds bins by their locations.
    fn add_bins(&mut self, copy: &WorldCopy, x: &[u32], y: &[u32], bins: BinColumns<'_>) {
        let weights = bins.weights.filter(|_| self.request.weights);
        match bins.n {
            NumberSlice::U8(n) => self.add_cells(copy, x, y, CellSums { n, weights }),
            NumberSlice::U16(n) => self.add_cells(copy, x, y, CellSums { n, weights }),
            NumberSlice::U32(n) => self.add_cells(copy, x, y, CellSums { n, weights }),
            NumberSlice::U64(n) => self.add_cells(copy, x, y, CellSums { n, weights }),
        }
    }

    /// Adds the sums of cells by their locations.
    fn add_cells<N: CellCount>(&mut self, copy: &WorldCopy, x: &[u32], y: &[u32], cells: CellSums<'_, N>) {
        let mut at = [0; CHUNK];
        for (i, (x, y)) in x.chunks(CHUNK).zip(y.chunks(CHUNK)).enumerate() {
            let at = &mut at[..x.len()];
            self.locate(copy, x, y, at);
            let rows = i * CHUNK..i * CHUNK + x.len();
            let weights = cells.weights.map(|(sum, max)| (&sum[rows.clone()], &max[rows.clone()]));
            self.accumulator.add_cells(at, CellSums { n: &cells.n[rows], weights });
        }
    }

    /// Sets `at` to the indices of the pixels of locations.
    #[inline]
    fn locate(&self, copy: &WorldCopy, x: &[u32], y: &[u32], at: &mut [u32]) {
        let (shift, outside) = (self.pixel_map.shift(), self.accumulator.outside());
        match &copy.aligned {
            Some(aligned) => aligned_cells(x, y, shift, aligned, outside, at),
            None => point_cells(x, y, shift, &copy.columns, &self.rows, outside, at),
        }
    }
}

wide! {
    fn block_cells(cells: &[u16], columns: &[u32; 64], rows: &[u32; 64], outside: u32, at: &mut [u32]) {
        for (at, &cell) in at.iter_mut().zip(cells) {
            let cell = usize::from(cell);
            // A block has 64 × 64 cells; the masks and `min` keep indices of a damaged file in bounds.
            *at = (rows[cell >> SIDE_BITS & 63] + columns[cell & 63]).min(outside);
        }
    }
}

wide! {
    fn aligned_cells(x: &[u32], y: &[u32], shift: u32, aligned: &AlignedBand, outside: u32, at: &mut [u32]) {
        for ((at, &x), &y) in at.iter_mut().zip(x).zip(y) {
            *at = aligned.at(x >> shift, y >> shift, outside);
        }
    }
}

wide! {
    fn point_cells(x: &[u32], y: &[u32], shift: u32, columns: &ColumnMap, rows: &RowMap, outside: u32, at: &mut [u32]) {
        for ((at, &x), &y) in at.iter_mut().zip(x).zip(y) {
            *at = (rows.at(y >> shift) + columns.at(x >> shift)).min(outside);
        }
    }
}

const _: () = assert!(MAX_LEVEL == 32);
