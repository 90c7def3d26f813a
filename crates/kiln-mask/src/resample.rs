//! Resampling of levels from the cells of a mask to the pixels of a picture.

use std::fmt;
use std::str::FromStr;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Grid;
use kiln_core::simd::wide;

use crate::bands::row_bands;
use crate::levels::{DRAWN, LOW, NO_DATA};

/// The interpolation of levels between the cells of a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Resample {
    /// Interpolates linearly between neighboring cells; if the picture is smaller than the mask, averages all cells below a pixel.
    /// Cells without data are excluded. A pixel is drawn if drawn cells have at least half of the weight.
    #[default]
    Linear,
    /// Uses the cell at the center of the pixel.
    Nearest,
}

impl Resample {
    /// Every kind, by name.
    pub const ALL: [(&'static str, Self); 2] = [("linear", Self::Linear), ("nearest", Self::Nearest)];

    /// Resamples the levels and the markers of hidden pixels to another size.
    pub(crate) fn apply(
        self,
        levels: &Grid<u8>,
        hidden: Option<&Grid<u8>>,
        size: (usize, usize),
        threads: usize,
    ) -> (Grid<u8>, Option<Grid<u8>>) {
        match self {
            Self::Nearest => (nearest(levels, size, threads), hidden.map(|hidden| nearest(hidden, size, threads))),
            Self::Linear => linear(levels, hidden, size, threads),
        }
    }
}

impl FromStr for Resample {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        found.map(|(_, resample)| *resample).ok_or_else(|| {
            Error::invalid(Parameter::RESAMPLE, format!("unknown method `{text}`; expected linear or nearest"))
        })
    }
}

impl fmt::Display for Resample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, resample)| resample == self).map_or("", |(name, _)| name))
    }
}

fn nearest(grid: &Grid<u8>, (width, height): (usize, usize), threads: usize) -> Grid<u8> {
    let below = |at: usize, px: usize, cells: usize| {
        let cell = ((2 * at + 1) as u128 * cells as u128 / (2 * px) as u128) as usize;
        cell.min(cells - 1)
    };
    let columns: Vec<usize> = (0..width).map(|at| below(at, width, grid.width())).collect();
    let mut out = Grid::filled(width, height, 0);
    row_bands(&mut out, threads, |first, band| {
        for (index, out) in band.chunks_exact_mut(width).enumerate() {
            let source = grid.row(below(first + index, height, grid.height()));
            out.iter_mut().zip(&columns).for_each(|(out, column)| *out = source[*column]);
        }
    });
    out
}

/// The cells along one axis that contribute to a pixel, with weights that add up to 1.
struct Window {
    start: usize,
    weights: Vec<f32>,
}

/// The windows of all pixels along an axis: a triangle with the width of two cells or two pixels, whichever is larger.
fn windows(cells: usize, px: usize) -> Vec<Window> {
    let scale = cells as f64 / px as f64;
    let reach = scale.max(1.0);
    let window = |at: usize| {
        let center = (at as f64 + 0.5) * scale;
        let start = (center - reach).floor().max(0.0) as usize;
        let end = ((center + reach).ceil() as usize).clamp(start + 1, cells);
        let start = start.min(end - 1);
        let weigh = |cell: usize| (1.0 - ((cell as f64 + 0.5 - center) / reach).abs()).max(0.0);
        let sum: f64 = (start..end).map(weigh).sum();
        let weights = (start..end).map(|cell| if sum > 0.0 { (weigh(cell) / sum) as f32 } else { 1.0 });
        Window { start, weights: weights.collect() }
    };
    (0..px).map(window).collect()
}

/// The horizontally resampled planes of a row: levels of cells with data, the share with data, the share that is drawn.
#[derive(Clone, Default)]
struct Line {
    row: Option<usize>,
    planes: [Vec<f32>; 3],
}

fn linear(
    levels: &Grid<u8>,
    hidden: Option<&Grid<u8>>,
    (width, height): (usize, usize),
    threads: usize,
) -> (Grid<u8>, Option<Grid<u8>>) {
    let (across, down) = (windows(levels.width(), width), windows(levels.height(), height));
    let planes = if hidden.is_some() { 3 } else { 1 };
    let make = |line: &mut Line, row: usize| {
        line.row = Some(row);
        let levels = levels.row(row);
        line.planes.iter_mut().take(planes).for_each(|plane| plane.resize(width, 0.0));
        let Some(hidden) = hidden.map(|hidden| hidden.row(row)) else {
            return shrink(&across, |cell| f32::from(levels[cell]), &mut line.planes[0]);
        };
        let has_data = |cell: usize| f32::from(u8::from(hidden[cell] != NO_DATA));
        shrink(&across, |cell| has_data(cell) * f32::from(levels[cell]), &mut line.planes[0]);
        shrink(&across, has_data, &mut line.planes[1]);
        shrink(&across, |cell| f32::from(u8::from(hidden[cell] == DRAWN)), &mut line.planes[2]);
    };
    // Pairs of level and marker, so that a band contains both.
    let mut out = Grid::filled(width, height, [0_u8; 2]);
    row_bands(&mut out, threads, |first, band| {
        // Caches the last two resampled rows: consecutive output rows often use the same ones.
        let mut lines = [Line::default(), Line::default()];
        let mut sums: [Vec<f32>; 3] = std::array::from_fn(|plane| vec![0.0; if plane < planes { width } else { 0 }]);
        for (index, out) in band.chunks_exact_mut(width).enumerate() {
            for sums in &mut sums {
                sums.fill(0.0);
            }
            let window = &down[first + index];
            for (row, weight) in (window.start..).zip(&window.weights) {
                let line = &mut lines[row % 2];
                if line.row != Some(row) {
                    make(line, row);
                }
                for (sums, plane) in sums.iter_mut().zip(&line.planes).take(planes) {
                    add_weighted(plane, *weight, sums);
                }
            }
            let [levels, data, drawn] = &sums;
            for (column, out) in out.iter_mut().enumerate() {
                *out = if planes == 1 {
                    [levels[column].round() as u8, DRAWN]
                } else if drawn[column] >= 0.5 - 1e-4 {
                    [(levels[column] / data[column]).round() as u8, DRAWN]
                } else {
                    [0, LOW]
                };
            }
        }
    });
    let plane = |plane: usize| Grid::from_cells(width, height, out.cells().iter().map(|cell| cell[plane]).collect());
    let levels = plane(0).unwrap_or_else(|| Grid::filled(width, height, 0));
    (levels, hidden.and_then(|_| plane(1)))
}

fn shrink(windows: &[Window], cell: impl Fn(usize) -> f32, out: &mut [f32]) {
    for (out, window) in out.iter_mut().zip(windows) {
        *out = (window.start..).zip(&window.weights).map(|(at, weight)| weight * cell(at)).sum();
    }
}

wide! {
    fn add_weighted(line: &[f32], weight: f32, sums: &mut [f32]) {
        for (sum, line) in sums.iter_mut().zip(line) {
            *sum += weight * *line;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn grid(width: usize, cells: &[u8]) -> Grid<u8> {
        Grid::from_cells(width, cells.len() / width, cells.to_vec()).unwrap()
    }

    #[test]
    fn enlarging_mixes_neighbors_and_repeats_the_edges() {
        let (levels, hidden) = Resample::Linear.apply(&grid(2, &[0, 100]), None, (4, 1), 1);
        assert_eq!(levels.cells(), [0, 25, 75, 100]);
        assert!(hidden.is_none());
        let (levels, _) = Resample::Nearest.apply(&grid(2, &[0, 100, 50, 7]), None, (4, 3), 1);
        assert_eq!(levels.cells(), [0, 0, 100, 100, 50, 50, 7, 7, 50, 50, 7, 7]);
    }

    #[test]
    fn shrinking_takes_all_cells_into_account() {
        let cells: Vec<u8> = (0..64).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect();
        let (levels, _) = Resample::Linear.apply(&grid(8, &cells), None, (2, 2), 1);
        assert!(levels.cells().iter().all(|level| (90..=110).contains(level)), "{levels:?}");
        let constant = Grid::filled(1000, 3, 77);
        for size in [(1, 1), (7, 5), (1000, 1), (3000, 2)] {
            let (levels, _) = Resample::Linear.apply(&constant, None, size, 2);
            assert!(levels.cells().iter().all(|level| *level == 77));
            assert_eq!((levels.width(), levels.height()), size);
        }
    }

    #[test]
    fn cells_without_data_are_excluded() {
        let (levels, hidden) =
            Resample::Linear.apply(&grid(2, &[99, 200]), Some(&grid(2, &[NO_DATA, DRAWN])), (4, 1), 1);
        assert_eq!(
            (&levels.cells()[2..], hidden.unwrap().cells()),
            (&[200_u8, 200][..], &[LOW, LOW, DRAWN, DRAWN][..])
        );
    }
}
