//! Binning: counts, sums and maxima of points per cell.
//!
//! All sums are exact, so they do not depend on the order of the points or on their distribution over threads: counts
//! are integers, and weights are added as fixed-point integers.

mod counts;
mod sums;

use counts::Counts;
pub use sums::Sums;

use super::{Cells, Grid};
use crate::error::{Error, Result};
use crate::geo::{Canvas, CellMapper, Points};
use crate::parameter::Parameter;

/// The reduction computed per cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The number of points.
    Count,
    /// The sum of weights. (The weight of points without weights is 1.)
    Sum,
    /// Both the number of points and the sum of weights.
    CountAndSum,
    /// The maximum weight.
    Max,
}

impl Reduction {
    /// The memory per cell in bytes.
    pub fn bytes_per_cell(self) -> u64 {
        match self {
            Self::Count => 1,
            Self::Sum => 8,
            Self::CountAndSum => 9,
            Self::Max => 4,
        }
    }
}

/// The points of a canvas reduced per cell.
///
/// Bins of the same canvas can be filled separately and [merged](Self::merge).
#[derive(Debug)]
pub struct Bins {
    reduction: Reduction,
    mapper: CellMapper,
    width: usize,
    height: usize,
    /// For a canvas at least as wide as the world, the bins cover the world once and `into_cells` repeats them. This
    /// field holds the canvas's first column, as a column of the world, and the canvas width.
    unrolled: Option<(usize, usize)>,
    // Each has one cell more than the canvas, for points outside of it. Allocated on first use.
    counts: Option<Counts>,
    sums: Option<Sums>,
    max: Option<Vec<f32>>,
    points: u64,
    inside: u64,
    weighted: bool,
}

impl Bins {
    /// Empty bins of `canvas`, which must include the halo of the kernel, if any.
    pub fn new(canvas: &Canvas, reduction: Reduction) -> Self {
        let (unrolled, canvas) = match canvas.single_world() {
            Some((first, world)) => (Some((first as usize, canvas.width() as usize)), world),
            None => (None, *canvas),
        };
        let (width, height) = (canvas.width() as usize, canvas.height() as usize);
        let mapper = CellMapper::new(&canvas);
        Self {
            reduction,
            mapper,
            width,
            height,
            unrolled,
            counts: None,
            sums: None,
            max: None,
            points: 0,
            inside: 0,
            weighted: false,
        }
    }

    /// Adds points. Those outside the canvas are only counted in [`points`](Self::points).
    ///
    /// Weights must be finite; they are clamped to ±[`Points::MAX_WEIGHT`] and rounded to multiples of [`Sums::UNIT`].
    /// The sums of the rounded weights are exact.
    pub fn add(&mut self, points: Points<'_>) {
        self.points += points.len() as u64;
        self.weighted |= points.weight().is_some();
        let cells = self.width * self.height + 1;
        // The sum of weights that are all 1 is the count.
        let counting = match self.reduction {
            Reduction::Count | Reduction::CountAndSum => true,
            Reduction::Sum => points.weight().is_none(),
            Reduction::Max => false,
        };
        let summing = self.reduction == Reduction::CountAndSum || self.reduction == Reduction::Sum && !counting;
        let mut counts = counting.then(|| self.counts.get_or_insert_with(|| Counts::new(cells)));
        let mut sums = summing.then(|| self.sums.get_or_insert_with(|| Sums::new(cells)));
        let mut max = (self.reduction == Reduction::Max)
            .then(|| self.max.get_or_insert_with(|| vec![f32::NEG_INFINITY; cells]).as_mut_slice());
        let outside = self.mapper.outside();
        let outside_before = counts.as_ref().map_or(0, |counts| counts.count(outside as usize));
        let mut inside = 0;
        for copy in 0..self.mapper.copies() {
            self.mapper.map(copy, points, |start, cells| {
                let weights = points.weight().map(|weight| &weight[start..start + cells.len()]);
                if let Some(counts) = &mut counts {
                    counts.add(cells);
                }
                if let Some(sums) = &mut sums {
                    sums.add(cells, weights);
                }
                if let Some(max) = &mut max {
                    update_max(max, cells, weights);
                }
                if counts.is_none() {
                    inside += cells.len() - cells.iter().filter(|&&cell| cell == outside).count();
                }
            });
        }
        if let Some(counts) = counts {
            let outside = counts.count(outside as usize).wrapping_sub(outside_before) as usize;
            inside = points.len() * self.mapper.copies() - outside;
        }
        self.inside += inside as u64;
    }

    /// Adds each of `points` as many times as `copies` has for it, with the same result as [`add`](Self::add) of that
    /// many equal points.
    pub fn add_copies(&mut self, points: Points<'_>, copies: &[u32]) {
        self.points += copies.iter().map(|&copies| u64::from(copies)).sum::<u64>();
        self.weighted |= points.weight().is_some();
        let cell_count = self.width * self.height + 1;
        let outside = self.mapper.outside();
        let mut inside = 0;
        for world in 0..self.mapper.copies() {
            self.mapper.map(world, points, |start, cells| {
                let copies = &copies[start..start + cells.len()];
                let weights = points.weight().map(|weight| &weight[start..start + cells.len()]);
                let is_inside = |&(&cell, _): &(&u32, &u32)| cell != outside;
                inside += cells.iter().zip(copies).filter(is_inside).map(|(_, &copies)| u64::from(copies)).sum::<u64>();
                let counts = matches!(self.reduction, Reduction::Count | Reduction::CountAndSum)
                    || self.reduction == Reduction::Sum && weights.is_none();
                if counts {
                    self.counts.get_or_insert_with(|| Counts::new(cell_count)).add_copies(cells, copies);
                }
                if self.reduction == Reduction::CountAndSum || self.reduction == Reduction::Sum && !counts {
                    self.sums.get_or_insert_with(|| Sums::new(cell_count)).add_copies(cells, copies, weights);
                }
                if self.reduction == Reduction::Max {
                    let max = self.max.get_or_insert_with(|| vec![f32::NEG_INFINITY; cell_count]);
                    update_max(max, cells, weights);
                }
            });
        }
        self.inside += inside;
    }

    /// Adds the points of other bins of the same canvas and reduction.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the two differ in size or reduction.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        if (self.reduction, self.width, self.height, self.unrolled)
            != (other.reduction, other.width, other.height, other.unrolled)
        {
            return Err(Error::invalid(Parameter::BINS, "bins of different canvases or reductions cannot be merged"));
        }
        match (&mut self.counts, other.counts) {
            (Some(own), Some(others)) => own.merge(&others),
            (own, others) => *own = own.take().or(others),
        }
        match (&mut self.sums, other.sums) {
            (Some(own), Some(others)) => own.merge(others),
            (own, others) => *own = own.take().or(others),
        }
        match (&mut self.max, other.max) {
            (Some(own), Some(others)) => {
                own.iter_mut().zip(others).for_each(|(own, other)| *own = own.max(other));
            }
            (own, others) => *own = own.take().or(others),
        }
        self.points += other.points;
        self.inside += other.inside;
        self.weighted |= other.weighted;
        Ok(())
    }

    /// The reduction.
    pub fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// The number of points added.
    pub fn points(&self) -> u64 {
        self.points
    }

    /// The number of points inside the canvas; a point in several copies of the world counts once per copy.
    pub fn inside(&self) -> u64 {
        self.inside
    }

    /// Whether points with weights were added.
    pub fn is_weighted(&self) -> bool {
        self.weighted
    }

    /// The results, rounded to `f32`.
    pub fn into_cells(self) -> Cells {
        let keeps = |reductions: &[Reduction]| reductions.contains(&self.reduction);
        Cells {
            width: self.unrolled.map_or(self.width, |(_, width)| width),
            height: self.height,
            counts: keeps(&[Reduction::Count, Reduction::CountAndSum]).then(|| self.counts()),
            sums: keeps(&[Reduction::Sum, Reduction::CountAndSum]).then(|| self.sums()),
            max: keeps(&[Reduction::Max]).then(|| self.max()),
            points: self.points,
            inside: self.inside,
            weighted: self.weighted,
        }
    }

    /// Repeats the columns of one world across the width of the canvas.
    fn unroll(&self, cells: Grid<f32>) -> Grid<f32> {
        let Some((first, width)) = self.unrolled else { return cells };
        let mut out = Grid::filled(width, self.height, 0.0);
        for row in 0..self.height {
            let world = cells.row(row);
            let mut rest = out.row_mut(row);
            let mut start = first;
            while !rest.is_empty() {
                let (run, remaining) = rest.split_at_mut((self.width - start).min(rest.len()));
                run.copy_from_slice(&world[start..start + run.len()]);
                (rest, start) = (remaining, 0);
            }
        }
        out
    }

    /// The number of points per cell, rounded to `f32` above 2^24. All 0 if the reduction has no counts.
    pub fn counts(&self) -> Grid<f32> {
        let mut counts = Grid::filled(self.width, self.height, 0.0);
        if let (Some(kept), true) = (&self.counts, matches!(self.reduction, Reduction::Count | Reduction::CountAndSum))
        {
            kept.write_to(counts.cells_mut());
        }
        self.unroll(counts)
    }

    /// The sum of weights per cell, rounded to `f32` once. All 0 if the reduction has no sums.
    pub fn sums(&self) -> Grid<f32> {
        let mut sums = Grid::filled(self.width, self.height, 0.0);
        let ones = self.counts.as_ref().filter(|_| self.reduction == Reduction::Sum);
        match (&self.sums, ones) {
            (Some(kept), None) => kept.round(sums.cells_mut()),
            (None, Some(ones)) => ones.write_to(sums.cells_mut()),
            (Some(kept), Some(ones)) => kept.round_with(ones, sums.cells_mut()),
            (None, None) => {}
        }
        self.unroll(sums)
    }

    /// The maximum weight per cell; −∞ in cells without points. All −∞ if the reduction is not [`Reduction::Max`].
    pub fn max(&self) -> Grid<f32> {
        let mut grid = Grid::filled(self.width, self.height, f32::NEG_INFINITY);
        if let Some(max) = &self.max {
            let cells = self.width * self.height;
            grid.cells_mut().copy_from_slice(&max[..cells]);
        }
        self.unroll(grid)
    }
}

/// Updates the maximum weight of each point's cell.
pub(crate) fn update_max(max: &mut [f32], cells: &[u32], weights: Option<&[f32]>) {
    for (i, &cell) in cells.iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| weights[i]);
        let max = &mut max[cell as usize];
        *max = if weight > *max { weight } else { *max };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geo::{Bounds, Projection};

    fn plane(width: u32, height: u32) -> Canvas {
        let bounds = Bounds::new(0.0, 0.0, f64::from(width), f64::from(height)).unwrap();
        Canvas::new(Projection::Plane, bounds, width, height).unwrap()
    }

    #[test]
    fn counts_exceed_a_byte_and_are_merged() {
        let canvas = plane(2, 1);
        let (lon, lat) = (vec![0.5; 1000], vec![0.5; 1000]);
        let mut bins = Bins::new(&canvas, Reduction::Count);
        bins.add(Points::new(&lon, &lat).unwrap());
        let mut more = Bins::new(&canvas, Reduction::Count);
        more.add(Points::new(&[1.5, 0.5, 9.0, -0.1], &[0.5; 4]).unwrap());
        for _ in 0..3 {
            more.add(Points::new(&lon[..90], &lat[..90]).unwrap());
        }
        bins.merge(more).unwrap();
        assert_eq!(bins.counts().cells(), [1271.0, 1.0]);
        assert_eq!((bins.points(), bins.inside()), (1274, 1272));
    }

    #[test]
    fn points_count_once_and_are_in_every_copy_of_the_world() {
        let world = Canvas::new(Projection::PlateCarree, Bounds::WORLD, 36, 18).unwrap();
        let points = Points::new(&[-179.0, 0.0, 179.0], &[0.5; 3]).unwrap();
        let row_of = |canvas: &Canvas| {
            let mut bins = Bins::new(canvas, Reduction::Count);
            bins.add(points);
            assert_eq!(bins.inside(), 3);
            let counts = bins.counts();
            assert_eq!(counts.width(), canvas.width() as usize);
            counts.row(8).iter().enumerate().filter(|(_, n)| **n > 0.0).map(|(col, _)| col).collect::<Vec<_>>()
        };
        assert_eq!(row_of(&world), [0, 18, 35]);
        assert_eq!(row_of(&world.window(-2, 0, 40, 18).unwrap()), [1, 2, 20, 37, 38]);
        assert_eq!(row_of(&world.window(10, 0, 80, 18).unwrap()), [8, 25, 26, 44, 61, 62]);
    }

    #[test]
    fn points_without_weights_have_weight_1() {
        let canvas = plane(2, 1);
        let points = Points::new(&[0.5, 1.5, 1.5], &[0.5; 3]).unwrap();
        for reduction in [Reduction::Sum, Reduction::CountAndSum] {
            let mut bins = Bins::new(&canvas, reduction);
            bins.add(points);
            assert_eq!(bins.sums().cells(), [1.0, 2.0]);
            bins.add(points.with_weight(&[0.25, -5.0, 1e-3]).unwrap());
            assert_eq!(bins.sums().cells(), [1.25, (2.0f64 - 5.0 + f64::from(1e-3f32)) as f32]);
        }
    }

    #[test]
    fn copies_are_the_same_as_that_many_points() {
        let canvas = plane(2, 1);
        // The weights differ by more than the fixed-point range, and the last point is outside of the canvas.
        let (lon, weight) = ([0.5, 1.5, 0.5, 1.5, 9.0], [0.1f32, -7.25, 1e-9, 1e12, 2.0]);
        let copies = [300, 5, 70_000, 255, 3];
        let points = |range: std::ops::Range<usize>| {
            Points::new(&lon[range.clone()], &[0.5; 5][range.clone()]).unwrap().with_weight(&weight[range]).unwrap()
        };
        for reduction in [Reduction::Count, Reduction::Sum, Reduction::CountAndSum, Reduction::Max] {
            for weighted in [true, false] {
                let strip = |points| if weighted { points } else { Points::without_weight(points) };
                let (mut one_by_one, mut copied) = (Bins::new(&canvas, reduction), Bins::new(&canvas, reduction));
                for (index, &copies) in copies.iter().enumerate() {
                    (0..copies).for_each(|_| one_by_one.add(strip(points(index..index + 1))));
                }
                copied.add_copies(strip(points(0..5)), &copies);
                assert_eq!((copied.points(), copied.inside()), (one_by_one.points(), one_by_one.inside()));
                let cells = |bins: &Bins| [bins.counts(), bins.sums(), bins.max()].map(|grid| grid.cells().to_vec());
                assert_eq!(cells(&copied), cells(&one_by_one), "{reduction:?}, weighted: {weighted}");
            }
        }
    }

    #[test]
    fn different_bins_do_not_merge() {
        let mut bins = Bins::new(&plane(2, 1), Reduction::Count);
        assert!(bins.merge(Bins::new(&plane(1, 2), Reduction::Count)).is_err());
        assert!(bins.merge(Bins::new(&plane(2, 1), Reduction::Sum)).is_err());
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_gives_the_same_sums(
            mut points in prop::collection::vec((0usize..6, prop_oneof![
                -1e3f32..1e3, -1e-9f32..1e-9, -1e9f32..1e9, Just(0.1f32), Just(0.0f32), Just(3.0e30f32),
            ]), 1..200),
            split in 0usize..200,
            seed in 0u64..1000,
        ) {
            let canvas = plane(3, 2);
            let sums = |points: &[(usize, f32)]| {
                let lon: Vec<f64> = points.iter().map(|(cell, _)| (cell % 3) as f64 + 0.5).collect();
                let lat: Vec<f64> = points.iter().map(|(cell, _)| (cell / 3) as f64 + 0.5).collect();
                let weight: Vec<f32> = points.iter().map(|(_, weight)| *weight).collect();
                let mut bins = Bins::new(&canvas, Reduction::CountAndSum);
                bins.add(Points::new(&lon, &lat).unwrap().with_weight(&weight).unwrap());
                bins
            };
            let all = sums(&points);
            let (front, back) = points.split_at(split.min(points.len()));
            let mut merged = sums(back);
            merged.merge(sums(front)).unwrap();
            prop_assert_eq!(all.sums(), merged.sums());
            prop_assert_eq!(all.counts(), merged.counts());
            // A Fisher-Yates shuffle.
            let mut state = seed;
            for i in (1..points.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                points.swap(i, (state >> 33) as usize % (i + 1));
            }
            prop_assert_eq!(all.sums(), sums(&points).sums());
            let mass: f64 = points.iter().map(|(_, w)| f64::from(w.clamp(-Points::MAX_WEIGHT, Points::MAX_WEIGHT))).sum();
            let total: f64 = all.sums().cells().iter().map(|&sum| f64::from(sum)).sum();
            prop_assert!((mass - total).abs() <= 1e-6 * f64::from(Points::MAX_WEIGHT) * points.len() as f64);
        }
    }
}
