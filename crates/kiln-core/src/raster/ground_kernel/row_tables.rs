//! Tables of the rows of a canvas and their surroundings, for a kernel on the ground.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::GroundKernel;
use super::separable_rows::SeparableTables;
use crate::geo::{Canvas, Ground, GroundRow};
use crate::raster::{Kernel, Shape, profile};

/// The rows of a canvas and of its halo, and which of them are in reach of each other. They do not depend on columns.
#[derive(Debug)]
pub(super) struct RowTables {
    pub(super) shape: Shape,
    /// The number of columns and rows by which the cells exceed the canvas: on either side, in the north, in the south.
    pub(super) halo: [usize; 3],
    /// The number of rows before the first row of cells; they are in reach of the cells.
    pub(super) padding: usize,
    pub(super) rows: Rows,
    /// For each output row, the rows of cells whose dots can reach it.
    pub(super) sources: Vec<Range<usize>>,
    /// For each row of cells, the indices in `rows` of those that its dots can reach; none if it is not on the map.
    pub(super) targets: Vec<Range<usize>>,
    /// The bits of the reciprocals of N of the rows of cells, for a round shape; [`UNKNOWN`] until they are required, since
    /// rows of cells without points need none.
    round_inverse_norms: Vec<AtomicU64>,
    /// The tables of a separable shape; none until they are required.
    separable: OnceLock<SeparableTables>,
}

/// The bits of a NaN, which no reciprocal of N is.
const UNKNOWN: u64 = u64::MAX;

/// Rows of pixels, from north to south: those of the cells, and all rows in their reach.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// The distances of the centers from the equator, in meters to the north.
    pub(super) north_m: Vec<f64>,
    /// The reciprocals of the radius in m⁻¹, along the meridian.
    pub(super) inverse_radius: Vec<f64>,
    /// The radius in pixels, along the parallel.
    pub(super) radius_px: Vec<f64>,
    /// The area of a pixel in m²; 0 in rows beyond a pole.
    pub(super) area_m2: Vec<f64>,
    /// Whether the row is on the map; points elsewhere have no dots.
    is_on_map: Vec<bool>,
}

/// The maximum number of rows or columns from a point to the edge of its dot.
pub(super) const MAX_REACH: f64 = Kernel::MAX_RADIUS_PX * crate::raster::kernel::GAUSSIAN_REACH;

impl RowTables {
    pub(super) fn new(kernel: GroundKernel, canvas: &Canvas, ground: &Ground) -> Self {
        let height = i64::from(canvas.height());
        let (northern, north) = kernel.surroundings(ground, 0, -1);
        let (southern, south) = kernel.surroundings(ground, height - 1, 1);
        let padding = northern.len() - north;
        let mut rows = Rows::default();
        let max_radius_px = (0.6 * canvas.scale()[0]).min(Kernel::MAX_RADIUS_PX);
        let inner = (0..height).map(|row| ground.row(row));
        for row in northern.into_iter().rev().chain(inner).chain(southern) {
            rows.north_m.push(row.north_m);
            rows.inverse_radius.push(kernel.row_radius_m(&row).recip());
            rows.radius_px.push((kernel.radius_m / row.width_m).min(max_radius_px));
            rows.area_m2.push(if kernel.exists(&row) { row.area_m2 } else { 0.0 });
            rows.is_on_map.push(row.is_on_map);
        }
        let first = padding + north;
        let drawn = first..first + canvas.height() as usize;
        let cells = padding..drawn.end + south;
        let widest = rows.radius_px[drawn.clone()].iter().fold(0.0f64, |max, radius_px| max.max(*radius_px));
        let halo = [(widest * kernel.shape.reach()).floor() as usize, north, south];
        let reach_m = kernel.shape.reach() * kernel.radius_m;
        let sources = ranges_within(&rows.north_m, drawn, |_| reach_m);
        let sources =
            sources.map(|rows| rows.start.max(cells.start) - padding..rows.end.min(cells.end) - padding).collect();
        let reach_m = |row: usize| {
            if rows.is_on_map[row] { kernel.shape.reach() / rows.inverse_radius[row] } else { f64::NEG_INFINITY }
        };
        let targets: Vec<_> = ranges_within(&rows.north_m, cells, reach_m).collect();
        let round_inverse_norms = targets.iter().map(|_| AtomicU64::new(UNKNOWN)).collect();
        let shape = kernel.shape;
        Self { shape, halo, padding, rows, sources, targets, round_inverse_norms, separable: OnceLock::new() }
    }

    /// The index in `rows` of the first output row.
    pub(super) fn first_output_row(&self) -> usize {
        self.padding + self.halo[1]
    }

    /// The reciprocal of N of a row of cells, of a round shape; 0 if N is 0.
    pub(super) fn round_inverse_norm(&self, cell_row: usize) -> f64 {
        let known = &self.round_inverse_norms[cell_row];
        let bits = known.load(Ordering::Relaxed);
        if bits != UNKNOWN {
            return f64::from_bits(bits);
        }
        let Rows { north_m, inverse_radius, radius_px, area_m2, .. } = &self.rows;
        let (row, targets) = (cell_row + self.padding, self.targets[cell_row].clone());
        let (positions, areas) = (&north_m[targets.clone()], &area_m2[targets.clone()]);
        let norm =
            profile::round_norm(self.shape, &radius_px[targets], positions, areas, north_m[row], inverse_radius[row]);
        let inverse = inverse(norm);
        // Another thread may have stored it already: the same bits.
        known.store(inverse.to_bits(), Ordering::Relaxed);
        inverse
    }

    /// The tables of a separable shape.
    pub(super) fn separable(&self, threads: usize) -> &SeparableTables {
        self.separable.get_or_init(|| SeparableTables::new(self, threads))
    }

    /// The maximum size in bytes.
    pub(super) fn max_bytes(&self) -> usize {
        let (rows, cells) = (self.rows.north_m.len(), self.targets.len());
        let bytes = rows * (4 * size_of::<f64>() + size_of::<bool>())
            + (self.sources.len() + cells) * size_of::<Range<usize>>()
            + cells * size_of::<AtomicU64>();
        size_of::<Self>() + bytes + SeparableTables::max_bytes(self)
    }
}

/// The reciprocal of N; 0 if N is 0.
pub(super) fn inverse(norm: f64) -> f64 {
    if norm > 0.0 { norm.recip() } else { 0.0 }
}

impl GroundKernel {
    /// The radius along the meridian of dots in a row, in meters.
    fn row_radius_m(&self, row: &GroundRow) -> f64 {
        self.radius_m.min(Kernel::MAX_RADIUS_PX * row.height_m)
    }

    /// The rows from row `edge` on in the direction `step`, without it, from near to far: first those whose dots reach the
    /// edge, and their number, then those that dots of these reach.
    fn surroundings(&self, ground: &Ground, edge: i64, step: i64) -> (Vec<GroundRow>, usize) {
        let distance_m = |row: &GroundRow, to: &GroundRow| (row.north_m - to.north_m).abs();
        let reach_m = |row: &GroundRow| self.shape.reach() * self.row_radius_m(row);
        let (mut rows, mut row) = (Vec::new(), edge);
        let first = ground.row(edge);
        let mut next = |limit: i64, is_near: &dyn Fn(&GroundRow) -> bool| {
            while row != limit {
                let found = ground.row(row + step);
                if !is_near(&found) {
                    break;
                }
                row += step;
                rows.push(found);
            }
            row
        };
        let limit = MAX_REACH as i64 * step;
        let halo_end = next(edge + limit, &|row| row.is_on_map && distance_m(row, &first) <= reach_m(row));
        let last = ground.row(halo_end);
        let max_reach_m = self.shape.reach() * self.radius_m;
        next(halo_end + limit, &|row| self.exists(row) && distance_m(row, &last) <= max_reach_m);
        (rows, halo_end.abs_diff(edge) as usize)
    }

    /// Whether dots can reach a row. Web Mercator has infinitely many rows up to a pole; those that are left out have less
    /// than 10⁻⁷ of the weight of a dot.
    fn exists(&self, row: &GroundRow) -> bool {
        row.is_on_map || row.area_m2 > 0.0 && GroundRow::POLE_M - row.north_m.abs() > 1e-7 * self.radius_m
    }
}

/// For each of the rows `of`, the rows of `all` at most `reach_m` and [`MAX_REACH`] rows from it.
fn ranges_within(all: &[f64], of: Range<usize>, reach_m: impl Fn(usize) -> f64) -> impl Iterator<Item = Range<usize>> {
    let (mut start, mut end) = (of.start, of.start);
    of.map(move |row| {
        let (limit, reach_m) = (MAX_REACH as usize, reach_m(row));
        if reach_m < 0.0 {
            return row..row;
        }
        let is_near = |other: usize| (all[other] - all[row]).abs() <= reach_m && other.abs_diff(row) <= limit;
        // From the range of the previous row, which is similar.
        start = start.min(row);
        while start > 0 && is_near(start - 1) {
            start -= 1;
        }
        while !is_near(start) {
            start += 1;
        }
        end = end.max(row + 1);
        while end < all.len() && is_near(end) {
            end += 1;
        }
        while !is_near(end - 1) {
            end -= 1;
        }
        start..end
    })
}
