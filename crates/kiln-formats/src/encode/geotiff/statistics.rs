//! Statistics of the valid cells of a band.

use kiln_core::raster::Grid;

/// The number of cells whose deviations are summed around their own mean. Their 16 KiB stay in the cache of a core, so
/// the band is read from memory once.
const CHUNK_CELLS: usize = 4096;

/// The number of independent sums, which the compiler keeps in vector registers.
const LANES: usize = 8;

/// Statistics of the valid cells of a band, in its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Statistics {
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    pub(super) mean: f64,
    /// Of the population: divided by the number of valid cells, as GDAL computes it.
    pub(super) standard_deviation: f64,
    /// Above 0, at most 100.
    pub(super) valid_percent: f64,
}

impl Statistics {
    /// The statistics of the finite cells that do not equal `nodata`; `None` if there are none.
    #[allow(clippy::float_cmp, reason = "readers compare with the marker exactly too")]
    pub(super) fn of(band: &Grid<f32>, nodata: Option<f32>) -> Option<Self> {
        // No cell equals NaN.
        let nodata = nodata.unwrap_or(f32::NAN);
        let mut total = Moments::EMPTY;
        for cells in band.cells().chunks(CHUNK_CELLS) {
            total = total.merge(Moments::of(cells, |cell| cell.is_finite() && cell != nodata));
        }
        (total.count > 0.0).then(|| Self {
            minimum: f64::from(total.minimum),
            maximum: f64::from(total.maximum),
            mean: total.mean,
            standard_deviation: (total.squares / total.count).sqrt(),
            valid_percent: 100.0 * total.count / band.cells().len() as f64,
        })
    }
}

/// The moments of some cells.
#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    mean: f64,
    /// The sum of the squared deviations from the mean.
    squares: f64,
    minimum: f32,
    maximum: f32,
}

impl Moments {
    const EMPTY: Self =
        Self { count: 0.0, mean: 0.0, squares: 0.0, minimum: f32::INFINITY, maximum: f32::NEG_INFINITY };

    /// The moments of the valid ones of `cells`.
    fn of(cells: &[f32], is_valid: impl Fn(f32) -> bool) -> Self {
        let select = |cell: f32, value: f64| if is_valid(cell) { value } else { 0.0 };
        let count = sum(cells, |cell| select(cell, 1.0));
        if count == 0.0 {
            return Self::EMPTY;
        }
        let mean = sum(cells, |cell| select(cell, f64::from(cell))) / count;
        let squares = sum(cells, |cell| select(cell, (f64::from(cell) - mean).powi(2)));
        let minimum = fold(cells, f32::INFINITY, |least, cell| if is_valid(cell) { least.min(cell) } else { least });
        let maximum =
            fold(cells, f32::NEG_INFINITY, |greatest, cell| if is_valid(cell) { greatest.max(cell) } else { greatest });
        Self {
            count,
            mean,
            squares,
            minimum: minimum.into_iter().fold(f32::INFINITY, f32::min),
            maximum: maximum.into_iter().fold(f32::NEG_INFINITY, f32::max),
        }
    }

    /// The moments of the cells of both, by the pairwise formula of Chan, Golub and `LeVeque` (1979), equation 2.1:
    /// unlike Σx² − (Σx)²/n it does not cancel where values deviate little from a large mean.
    fn merge(self, other: Self) -> Self {
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + delta * (other.count / count),
            squares: self.squares + other.squares + delta * delta * (self.count * other.count / count),
            minimum: self.minimum.min(other.minimum),
            maximum: self.maximum.max(other.maximum),
        }
    }
}

fn sum(cells: &[f32], value: impl Fn(f32) -> f64) -> f64 {
    fold(cells, 0.0, |sum, cell| sum + value(cell)).into_iter().sum()
}

/// Folds each of [`LANES`] interleaved parts of `cells`.
fn fold<T: Copy>(cells: &[f32], start: T, step: impl Fn(T, f32) -> T) -> [T; LANES] {
    let mut lanes = [start; LANES];
    let (chunks, rest) = cells.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &cell) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, cell);
        }
    }
    for (lane, &cell) in lanes.iter_mut().zip(rest) {
        *lane = step(*lane, cell);
    }
    lanes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)]
mod tests {
    use super::*;

    fn statistics(cells: &[f32], nodata: Option<f32>) -> Option<Statistics> {
        Statistics::of(&Grid::from_cells(cells.len(), 1, cells.to_vec()).unwrap(), nodata)
    }

    #[test]
    fn statistics_of_known_values() {
        let expected =
            Statistics { minimum: 2.0, maximum: 9.0, mean: 5.0, standard_deviation: 2.0, valid_percent: 100.0 };
        let cells = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(statistics(&cells, None), Some(expected));
        let negative = cells.map(|cell| -cell);
        let mirrored = Statistics { minimum: -9.0, maximum: -2.0, mean: -5.0, ..expected };
        assert_eq!(statistics(&negative, None), Some(mirrored));
    }

    #[test]
    fn cells_without_a_value_are_excluded() {
        let expected =
            Statistics { minimum: 1.0, maximum: 3.0, mean: 2.0, standard_deviation: 1.0, valid_percent: 40.0 };
        assert_eq!(statistics(&[1.0, f32::NAN, 3.0, f32::NAN, f32::NAN], Some(f32::NAN)), Some(expected));
        assert_eq!(statistics(&[1.0, f32::NAN, 3.0, f32::INFINITY, f32::NEG_INFINITY], None), Some(expected));
        assert_eq!(statistics(&[-9999.0, 1.0, 3.0, f32::NAN, -9999.0], Some(-9999.0)), Some(expected));
        assert_eq!(statistics(&[0.0, 1.0, 3.0, -0.0, 0.0], Some(0.0)), Some(expected));
        assert_eq!(statistics(&[f32::NAN; 9], None), None);
        assert_eq!(statistics(&[7.0; 9], Some(7.0)), None);
    }

    #[test]
    fn small_deviations_from_a_large_mean_are_exact_over_many_chunks() {
        // Half of the cells are 1 below, half 1 above. In f64 the naive variance of Σx² − (Σx)²/n is off by more than 1.
        let large = 16_000_001.0_f32;
        let cells: Vec<f32> =
            (0..5 * CHUNK_CELLS + 6).map(|i| if i % 2 == 0 { large - 1.0 } else { large + 1.0 }).collect();
        let found = statistics(&cells, None).unwrap();
        assert_eq!((found.minimum, found.maximum, found.valid_percent), (16_000_000.0, 16_000_002.0, 100.0));
        assert_eq!((found.mean, found.standard_deviation), (16_000_001.0, 1.0));
    }

    #[test]
    fn chunks_without_a_value_do_not_count() {
        let mut cells = vec![f32::NAN; 3 * CHUNK_CELLS];
        (cells[0], cells[3 * CHUNK_CELLS - 1]) = (-1.0, 5.0);
        let found = statistics(&cells, Some(f32::NAN)).unwrap();
        assert_eq!((found.minimum, found.maximum, found.mean, found.standard_deviation), (-1.0, 5.0, 2.0, 3.0));
        assert_eq!(found.valid_percent, 200.0 / (3 * CHUNK_CELLS) as f64);
    }
}
